//! Rooms: what the rules ask of them, and how far they have come.

use std::collections::HashMap;

use haechi_base::{PersonId, Time};
use haechi_store::{Asked, Row, Statement, StoreError, ToValue, Tx, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::model::{Content, PowerLevels, Rules, stream_of};

const FIND: &str = "
    SELECT room_id, creator, join_rule, history_visibility, power_levels, version, more_creators, allowed_rooms,
        shut_at
    FROM chat_room WHERE room_id IN";
const PUT: &str = "
    INSERT INTO chat_room
        (room_id, stream, creator, join_rule, history_visibility, power_levels, created_at, version, more_creators,
        allowed_rooms) VALUES";
const PUT_AFTER: &str = "
    ON CONFLICT (room_id) DO UPDATE SET join_rule = excluded.join_rule,
        history_visibility = excluded.history_visibility, power_levels = excluded.power_levels,
        allowed_rooms = excluded.allowed_rooms";
// Raised without being read first: a transaction that read these rows would fight with the other streams', whose
// rooms stand on the same pages.
const PUT_ACTIVITY: &str = "INSERT INTO chat_activity (room_id, position, ordinal, bumped_at) VALUES";
const PUT_ACTIVITY_AFTER: &str = "
    ON CONFLICT (room_id) DO UPDATE SET position = excluded.position,
        ordinal = chat_activity.ordinal + excluded.ordinal,
        bumped_at = CASE WHEN excluded.bumped_at > chat_activity.bumped_at
            THEN excluded.bumped_at ELSE chat_activity.bumped_at END
    RETURNING room_id, ordinal";
const SETTLE_BUMP: &str = "
    UPDATE chat_activity SET bumped_at = COALESCE((
        SELECT e.sent_at FROM chat_event e
        WHERE e.room_id = chat_activity.room_id AND e.position IS NOT NULL AND e.type IN ('m.room.create',
            'm.room.message', 'm.room.encrypted', 'm.sticker', 'm.call.invite', 'm.poll.start', 'm.beacon_info')
        ORDER BY e.position DESC LIMIT 1), 0)
    WHERE room_id = $1";
const CLAIM_DIRECT: &str = "
    INSERT INTO chat_direct (pair, room_id) VALUES ($1, $2)
    ON CONFLICT (pair) DO UPDATE SET room_id = chat_direct.room_id RETURNING room_id";
const SHUT: &str = "UPDATE chat_room SET shut_at = COALESCE(shut_at, $2) WHERE room_id = $1";
const FIND_DIRECT: &str = "SELECT room_id FROM chat_direct WHERE pair = $1";
const REPLACE_DIRECT: &str = "UPDATE chat_direct SET room_id = $2 WHERE pair = $1";

/// A room as a batch finds it.
pub(crate) struct FoundRoom {
    pub(crate) room_id: String,
    pub(crate) rules: Rules,
}

/// The rooms of these ids that are there.
pub(crate) async fn find(tx: &mut Tx<'_>, room_ids: &[&str]) -> Result<Vec<FoundRoom>, StoreError> {
    tx.query_in(FIND, room_ids, "").await?.iter().map(read).collect()
}

/// Finds the rooms of these ids: for [`read_all`].
pub(crate) fn asked<'r>(room_ids: &'r [&'r str]) -> Vec<Asked<'r>> {
    Asked::among(FIND, room_ids, "")
}

/// The rooms of an answer.
pub(crate) fn read_all(rows: &[Row]) -> Result<Vec<FoundRoom>, StoreError> {
    rows.iter().map(read).collect()
}

fn read(row: &Row) -> Result<FoundRoom, StoreError> {
    let damaged = |error: crate::ChatError| StoreError::Type {
        expected: "the rules of a room".to_owned(),
        found: error.to_string(),
    };
    let levels: Option<String> = row.get("power_levels")?;
    let levels = levels
        .map(|text| PowerLevels::read(&Content::of_stored(text)))
        .transpose();
    let version: String = row.get("version")?;
    Ok(FoundRoom {
        room_id: row.get("room_id")?,
        rules: Rules {
            version: version.parse().map_err(damaged)?,
            creator: row.get("creator")?,
            more_creators: list(row, "more_creators")?,
            allowed_rooms: list(row, "allowed_rooms")?,
            is_shut: row.get::<Option<i64>>("shut_at")?.is_some(),
            join_rule: row.get::<String>("join_rule")?.parse().map_err(damaged)?,
            history_visibility: row
                .get::<String>("history_visibility")?
                .parse()
                .map_err(damaged)?,
            power_levels: levels.map_err(damaged)?,
        },
    })
}

/// A list that is kept as JSON; nothing for an empty one.
fn list<T: DeserializeOwned>(row: &Row, column: &str) -> Result<Vec<T>, StoreError> {
    let text: Option<String> = row.get(column)?;
    text.map_or_else(
        || Ok(Vec::new()),
        |text| {
            serde_json::from_str(&text).map_err(|error| StoreError::Type {
                expected: "a list".to_owned(),
                found: error.to_string(),
            })
        },
    )
}

fn text_of_list<T: Serialize>(list: &[T]) -> Option<String> {
    (!list.is_empty()).then(|| Content::of(&list).as_str().to_owned())
}

/// Closes a room for good; returns whether there is such a room.
pub(crate) async fn shut(tx: &mut Tx<'_>, room_id: &str, now: Time) -> Result<bool, StoreError> {
    Ok(tx.execute(SHUT, &[&room_id, &now]).await? > 0)
}

/// Keeps the rules of rooms, new ones and changed ones.
pub(crate) async fn put(tx: &mut Tx<'_>, rooms: &[(&str, &Rules)], now: Time) -> Result<(), StoreError> {
    let rows: Vec<Vec<Value<'_>>> = rooms
        .iter()
        .map(|(room_id, rules)| {
            let levels = rules
                .power_levels
                .as_ref()
                .map(|levels| Content::of(levels).as_str().to_owned());
            vec![
                room_id.to_value(),
                Value::Integer(i64::from(stream_of(room_id))),
                rules.creator.to_value(),
                rules.join_rule.as_str().to_value(),
                rules.history_visibility.as_str().to_value(),
                levels.to_value().into_owned(),
                now.to_value(),
                rules.version.as_str().to_value(),
                text_of_list(&rules.more_creators).to_value().into_owned(),
                text_of_list(&rules.allowed_rooms).to_value().into_owned(),
            ]
        })
        .collect();
    tx.query_values(PUT, &rows, PUT_AFTER).await.map(drop)
}

/// How far a room comes by a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Raised<'r> {
    pub(crate) room_id: &'r str,
    pub(crate) position: i64,
    /// New messages that notify.
    pub(crate) messages: i64,
    /// When the last event was sent that brings the room up in the lists; `None` when none was.
    pub(crate) bumped_at: Option<Time>,
}

/// Keeps how far rooms have come, each room once. Returns how many messages that notify each has had by now.
pub(crate) async fn raise_activity(
    tx: &mut Tx<'_>,
    rooms: &[Raised<'_>],
) -> Result<HashMap<String, i64>, StoreError> {
    let rows: Vec<Vec<Value<'_>>> = rooms
        .iter()
        .map(|raised| {
            vec![
                raised.room_id.to_value(),
                raised.position.to_value(),
                raised.messages.to_value(),
                Value::Integer(raised.bumped_at.map_or(0, Time::micros)),
            ]
        })
        .collect();
    let raised = tx.query_values(PUT_ACTIVITY, &rows, PUT_ACTIVITY_AFTER).await?;
    raised
        .iter()
        .map(|row| Ok((row.get("room_id")?, row.get("ordinal")?)))
        .collect()
}

/// Looks up when something was last said in rooms, for those where that was raised by what was there already.
pub(crate) async fn settle_bumps(tx: &mut Tx<'_>, room_ids: &[&str]) -> Result<(), StoreError> {
    let statements: Vec<Statement> = room_ids
        .iter()
        .map(|room_id| Statement::new(SETTLE_BUMP, &[room_id]))
        .collect();
    tx.run_all(&statements).await.map(drop)
}

/// The room of a pair: the one that is named already, or else `room_id` from now on.
pub(crate) async fn claim_direct(tx: &mut Tx<'_>, pair: &[u8], room_id: &str) -> Result<String, StoreError> {
    tx.query_one(CLAIM_DIRECT, &[&pair, &room_id])
        .await?
        .get("room_id")
}

/// The room of a pair, when there is one.
pub(crate) async fn find_direct(tx: &mut Tx<'_>, pair: &[u8]) -> Result<Option<String>, StoreError> {
    let row = tx.query_optional(FIND_DIRECT, &[&pair]).await?;
    row.map(|row| row.get("room_id")).transpose()
}

/// Names another room for a pair.
pub(crate) async fn replace_direct(tx: &mut Tx<'_>, pair: &[u8], room_id: &str) -> Result<(), StoreError> {
    tx.execute(REPLACE_DIRECT, &[&pair, &room_id]).await.map(drop)
}

/// The creator of a room, when there is such a room.
pub(crate) async fn creator(tx: &mut Tx<'_>, room_id: &str) -> Result<Option<PersonId>, StoreError> {
    Ok(find(tx, &[room_id]).await?.pop().map(|room| room.rules.creator))
}
