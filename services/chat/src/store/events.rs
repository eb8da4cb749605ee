//! Events: put in, placed, taken back, read by the page.

use haechi_base::Time;
use haechi_store::{Row, Statement, StoreError, ToValue, Tx, Value};

use crate::model::{Event, Stream};

/// The columns of an [`Event`], in every statement that reads one.
macro_rules! event_columns {
    () => {
        "SELECT e.event_id AS event_id, e.room_id AS room_id, e.position AS position, e.ordinal AS ordinal,
            e.sender AS sender, e.type AS type, e.state_key AS state_key, e.content AS content,
            e.sent_at AS sent_at, e.visible_to AS visible_to, e.redacts AS redacts,
            e.redacted_because AS redacted_because, e.replaces AS replaces,
            e.previous_content AS previous_content, e.sent_as AS sent_as, e.is_related AS is_related "
    };
}
pub(super) use event_columns;

const INSERT: &str = "
    INSERT INTO chat_event (event_id, room_id, position, ordinal, sender, type, state_key, content, sent_at,
        visible_to, redacts, redacted_because, replaces, previous_content, sent_as, repeats) VALUES";
// The event id is the idempotency key: a repetition is answered by a write (see the store's README).
const INSERT_AFTER: &str = "
    ON CONFLICT (event_id) DO UPDATE SET repeats = chat_event.repeats + 1 RETURNING event_id, repeats";
const REPEAT: &str = "UPDATE chat_event SET repeats = repeats + 1 WHERE event_id = $1";
const FIND: &str = concat!(
    event_columns!(),
    "FROM chat_event e WHERE e.position IS NOT NULL AND e.event_id IN"
);
const EXISTING: &str = "SELECT event_id FROM chat_event WHERE event_id IN";
const BACKWARD: &str = concat!(
    event_columns!(),
    "FROM chat_event e WHERE e.room_id = $1 AND e.position > $2 AND e.position <= $3
    ORDER BY e.position DESC LIMIT $4"
);
const FORWARD: &str = concat!(
    event_columns!(),
    "FROM chat_event e WHERE e.room_id = $1 AND e.position > $2 AND e.position <= $3
    ORDER BY e.position LIMIT $4"
);
const REDACT: &str = "
    UPDATE chat_event SET content = $2, redacted_because = $3, previous_content = NULL WHERE event_id = $1";
// The event that took its place quotes it (`prev_content`).
const REDACT_QUOTE: &str = "UPDATE chat_event SET previous_content = $2 WHERE replaces = $1";
const UNPLACED: &str = concat!(
    event_columns!(),
    "FROM chat_unplaced u JOIN chat_event e ON e.event_id = u.event_id
    WHERE u.stream = $1 ORDER BY u.created_at LIMIT $2"
);
const HAS_UNPLACED: &str = "SELECT event_id FROM chat_unplaced WHERE stream = $1 LIMIT 1";
const PUT_UNPLACED: &str = "
    INSERT INTO chat_unplaced (event_id, stream, created_at) VALUES ($1, $2, $3)
    ON CONFLICT (event_id) DO UPDATE SET created_at = excluded.created_at";
const RENUMBER: &str = "UPDATE chat_event SET ordinal = $2 WHERE event_id = $1";
const PLACE: &str = "UPDATE chat_event SET position = $2, ordinal = $3 WHERE event_id = $1";
const FORGET_UNPLACED: &str = "DELETE FROM chat_unplaced WHERE event_id IN";

/// Puts placed events in, each id once; returns the ids of those that were there already.
pub(crate) async fn insert(tx: &mut Tx<'_>, events: &[Event]) -> Result<Vec<String>, StoreError> {
    let rows: Vec<Vec<Value<'_>>> = events
        .iter()
        .map(|event| row_of(event, Some(event.position)))
        .collect();
    let mut repeated = Vec::new();
    for row in tx.query_values(INSERT, &rows, INSERT_AFTER).await? {
        if row.get::<i64>("repeats")? > 0 {
            repeated.push(row.get("event_id")?);
        }
    }
    Ok(repeated)
}

/// Puts an event in that waits for its place.
pub(crate) async fn insert_unplaced(
    tx: &mut Tx<'_>,
    event: &Event,
    stream: Stream,
) -> Result<(), StoreError> {
    tx.query_values(INSERT, &[row_of(event, None)], INSERT_AFTER)
        .await?;
    tx.execute(
        PUT_UNPLACED,
        &[&event.event_id, &i64::from(stream), &event.sent_at],
    )
    .await
    .map(drop)
}

fn row_of(event: &Event, position: Option<i64>) -> Vec<Value<'_>> {
    vec![
        event.event_id.to_value(),
        event.room_id.to_value(),
        position.map_or(Value::Null, Value::Integer),
        event.ordinal.to_value(),
        event.sender.to_value(),
        event.kind.to_value(),
        event.state_key.to_value(),
        event.content.to_value(),
        event.sent_at.to_value(),
        event.visible_to.to_value(),
        event.redacts.to_value(),
        event.redacted_because.to_value(),
        event.replaces.to_value(),
        event.previous_content.to_value(),
        event.sent_as.to_value(),
        Value::Integer(0),
    ]
}

/// Gives events other ordinals.
pub(crate) async fn renumber(tx: &mut Tx<'_>, events: &[&Event]) -> Result<(), StoreError> {
    let statements: Vec<Statement> = events
        .iter()
        .map(|event| Statement::new(RENUMBER, &[&event.event_id, &event.ordinal]))
        .collect();
    tx.run_all(&statements).await.map(drop)
}

/// Writes that these events were asked for again.
pub(crate) async fn repeat(tx: &mut Tx<'_>, event_ids: &[String]) -> Result<(), StoreError> {
    let statements: Vec<Statement> = event_ids.iter().map(|id| Statement::new(REPEAT, &[id])).collect();
    tx.run_all(&statements).await.map(drop)
}

/// The placed events of these ids.
pub(crate) async fn find(tx: &mut Tx<'_>, event_ids: &[&str]) -> Result<Vec<Event>, StoreError> {
    tx.query_in(FIND, event_ids, "").await?.iter().map(read).collect()
}

/// Which of these ids are there, placed or not.
pub(crate) async fn existing(tx: &mut Tx<'_>, event_ids: &[&str]) -> Result<Vec<String>, StoreError> {
    let rows = tx.query_in(EXISTING, event_ids, "").await?;
    rows.iter().map(|row| row.get("event_id")).collect()
}

/// Up to `limit` events of a room after `from` and up to `to`, the newest first.
pub(crate) async fn backward(
    tx: &mut Tx<'_>,
    room_id: &str,
    from: i64,
    to: i64,
    limit: u32,
) -> Result<Vec<Event>, StoreError> {
    let rows = tx.query(BACKWARD, &[&room_id, &from, &to, &limit]).await?;
    rows.iter().map(read).collect()
}

/// Up to `limit` events of a room after `from` and up to `to`, the oldest first.
pub(crate) async fn forward(
    tx: &mut Tx<'_>,
    room_id: &str,
    from: i64,
    to: i64,
    limit: u32,
) -> Result<Vec<Event>, StoreError> {
    let rows = tx.query(FORWARD, &[&room_id, &from, &to, &limit]).await?;
    rows.iter().map(read).collect()
}

/// Takes what events said away, also where their successors quote them, and says why: (event id, what stays, the
/// redaction as clients read it).
pub(crate) async fn redact(tx: &mut Tx<'_>, events: &[(String, String, String)]) -> Result<(), StoreError> {
    let statements: Vec<Statement> = events
        .iter()
        .flat_map(|(event_id, content, because)| {
            [
                Statement::new(REDACT, &[event_id, content, because]),
                Statement::new(REDACT_QUOTE, &[event_id, content]),
            ]
        })
        .collect();
    tx.run_all(&statements).await.map(drop)
}

/// Up to `limit` events of a stream that wait for their place, in the order they were posted.
pub(crate) async fn unplaced(tx: &mut Tx<'_>, stream: Stream, limit: u32) -> Result<Vec<Event>, StoreError> {
    let rows = tx.query(UNPLACED, &[&i64::from(stream), &limit]).await?;
    rows.iter().map(read).collect()
}

/// Whether any event of a stream waits for its place.
pub(crate) async fn has_unplaced(tx: &mut Tx<'_>, stream: Stream) -> Result<bool, StoreError> {
    Ok(!tx.query(HAS_UNPLACED, &[&i64::from(stream)]).await?.is_empty())
}

/// The place that a posted event is given.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    pub(crate) event_id: String,
    pub(crate) room_id: String,
    pub(crate) position: i64,
    pub(crate) ordinal: i64,
}

/// Gives events their place.
pub(crate) async fn place(tx: &mut Tx<'_>, places: &[Placed]) -> Result<(), StoreError> {
    let statements: Vec<Statement> = places
        .iter()
        .map(|placed| Statement::new(PLACE, &[&placed.event_id, &placed.position, &placed.ordinal]))
        .collect();
    tx.run_all(&statements).await?;
    let event_ids: Vec<&str> = places.iter().map(|placed| placed.event_id.as_str()).collect();
    tx.query_in(FORGET_UNPLACED, &event_ids, "").await.map(drop)
}

/// Reads a row with the columns of `event_columns!`.
pub(super) fn read(row: &Row) -> Result<Event, StoreError> {
    Ok(Event {
        event_id: row.get("event_id")?,
        room_id: row.get("room_id")?,
        position: row.get::<Option<i64>>("position")?.unwrap_or(0),
        ordinal: row.get("ordinal")?,
        sender: row.get("sender")?,
        kind: row.get("type")?,
        state_key: row.get("state_key")?,
        content: row.get("content")?,
        sent_at: row.get::<Time>("sent_at")?,
        visible_to: row.get("visible_to")?,
        redacts: row.get("redacts")?,
        redacted_because: row.get("redacted_because")?,
        replaces: row.get("replaces")?,
        previous_content: row.get("previous_content")?,
        sent_as: row.get("sent_as")?,
        related: row.get::<bool>("is_related")?.then(String::new),
        standing: None,
    })
}
