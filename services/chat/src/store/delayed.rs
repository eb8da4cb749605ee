//! Events that wait for their time.

use haechi_base::{PersonId, Time};
use haechi_store::{Row, StoreError, Tx};

use crate::model::{Content, Draft};

const PUT: &str = "
    INSERT INTO chat_delayed (event_id, delay_id, person, room_id, type, state_key, content, sent_as, delay_ms,
        started_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    ON CONFLICT (event_id) DO UPDATE SET person = excluded.person RETURNING delay_id";
const COUNT: &str = "SELECT COUNT(*) AS events FROM chat_delayed WHERE person = $1";
const BY_EVENT: &str = "
    SELECT event_id, delay_id, person, room_id, type, state_key, content, sent_as, delay_ms, started_at
    FROM chat_delayed WHERE event_id = $1";
const BY_DELAY: &str = "
    SELECT event_id, delay_id, person, room_id, type, state_key, content, sent_as, delay_ms, started_at
    FROM chat_delayed WHERE delay_id = $1";
const OF_PERSON: &str = "
    SELECT event_id, delay_id, person, room_id, type, state_key, content, sent_as, delay_ms, started_at
    FROM chat_delayed WHERE person = $1 ORDER BY started_at LIMIT $2";
const RESTART: &str = "UPDATE chat_delayed SET started_at = $2 WHERE delay_id = $1";
const REMOVE: &str = "DELETE FROM chat_delayed WHERE event_id = $1";

/// An event that waits.
#[derive(Debug, Clone)]
pub(crate) struct Delayed {
    pub(crate) delay_id: String,
    pub(crate) room_id: String,
    /// What it will be.
    pub(crate) draft: Draft,
    pub(crate) delay_ms: i64,
    pub(crate) started_at: Time,
}

/// Keeps an event; the same one twice once. Returns the id it is known by.
pub(crate) async fn put(tx: &mut Tx<'_>, delayed: &Delayed) -> Result<String, StoreError> {
    let draft = &delayed.draft;
    let row = tx
        .query_one(
            PUT,
            &[
                &draft.event_id,
                &delayed.delay_id,
                &draft.sender,
                &delayed.room_id,
                &draft.kind,
                &draft.state_key,
                &draft.content.as_str(),
                &draft.sent_as,
                &delayed.delay_ms,
                &delayed.started_at,
            ],
        )
        .await?;
    row.get("delay_id")
}

/// How many events of a person wait.
pub(crate) async fn count(tx: &mut Tx<'_>, person: PersonId) -> Result<u32, StoreError> {
    tx.query_one(COUNT, &[&person]).await?.get("events")
}

/// The one that will be this event.
pub(crate) async fn by_event(tx: &mut Tx<'_>, event_id: &str) -> Result<Option<Delayed>, StoreError> {
    let row = tx.query_optional(BY_EVENT, &[&event_id]).await?;
    row.as_ref().map(read).transpose()
}

/// The one of this id.
pub(crate) async fn by_delay(tx: &mut Tx<'_>, delay_id: &str) -> Result<Option<Delayed>, StoreError> {
    let row = tx.query_optional(BY_DELAY, &[&delay_id]).await?;
    row.as_ref().map(read).transpose()
}

/// The events of a person that wait, the oldest first.
pub(crate) async fn of_person(
    tx: &mut Tx<'_>,
    person: PersonId,
    limit: u32,
) -> Result<Vec<Delayed>, StoreError> {
    let rows = tx.query(OF_PERSON, &[&person, &limit]).await?;
    rows.iter().map(read).collect()
}

/// Lets the time of one begin again.
pub(crate) async fn restart(tx: &mut Tx<'_>, delay_id: &str, now: Time) -> Result<(), StoreError> {
    tx.execute(RESTART, &[&delay_id, &now]).await.map(drop)
}

/// Forgets one.
pub(crate) async fn remove(tx: &mut Tx<'_>, event_id: &str) -> Result<(), StoreError> {
    tx.execute(REMOVE, &[&event_id]).await.map(drop)
}

fn read(row: &Row) -> Result<Delayed, StoreError> {
    Ok(Delayed {
        delay_id: row.get("delay_id")?,
        room_id: row.get("room_id")?,
        draft: Draft {
            event_id: row.get("event_id")?,
            sender: row.get("person")?,
            kind: row.get("type")?,
            state_key: row.get("state_key")?,
            content: Content::of_stored(row.get("content")?),
            redacts: None,
            sent_as: row.get("sent_as")?,
        },
        delay_ms: row.get("delay_ms")?,
        started_at: row.get("started_at")?,
    })
}
