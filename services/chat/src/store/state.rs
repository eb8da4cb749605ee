//! The current state of rooms: which event set what last.

use haechi_store::{StoreError, ToValue, Tx, Value};

use super::events::{event_columns, read};
use crate::model::Event;

// The keys come first: SQLite would read the whole table for a row value in a list, and keeps the order of a
// CROSS JOIN.
const CURRENT: &str = concat!(event_columns!(), "FROM (VALUES");
const CURRENT_AFTER: &str = ") AS k CROSS JOIN chat_room_state s CROSS JOIN chat_event e
    WHERE s.room_id = k.column1 AND s.type = k.column2 AND s.state_key = k.column3
        AND e.event_id = s.event_id";
const PUT: &str = "INSERT INTO chat_room_state (room_id, type, state_key, event_id, position) VALUES";
const PUT_AFTER: &str = "
    ON CONFLICT (room_id, type, state_key)
    DO UPDATE SET event_id = excluded.event_id, position = excluded.position";
const OF_ROOM: &str = concat!(
    event_columns!(),
    "FROM chat_room_state s JOIN chat_event e ON e.event_id = s.event_id
    WHERE s.room_id = $1 AND s.position > $2 AND s.position <= $3 ORDER BY s.position"
);
const WITHOUT_MEMBERS: &str = concat!(
    event_columns!(),
    "FROM chat_room_state s JOIN chat_event e ON e.event_id = s.event_id
    WHERE s.room_id = $1 AND s.position > $2 AND s.position <= $3 AND s.type <> 'm.room.member'
    ORDER BY s.position"
);
const OF_TYPE: &str = concat!(
    event_columns!(),
    "FROM chat_room_state s JOIN chat_event e ON e.event_id = s.event_id
    WHERE s.room_id = $1 AND s.type = $2 ORDER BY s.position"
);

/// What names a part of a room's state: room, type, state key.
pub(crate) type StateKey = (String, String, String);

/// The current events of these keys.
pub(crate) async fn current(tx: &mut Tx<'_>, keys: &[StateKey]) -> Result<Vec<Event>, StoreError> {
    let rows: Vec<Vec<Value<'_>>> = keys
        .iter()
        .map(|(room_id, kind, state_key)| vec![room_id.to_value(), kind.to_value(), state_key.to_value()])
        .collect();
    tx.query_values(CURRENT, &rows, CURRENT_AFTER)
        .await?
        .iter()
        .map(read)
        .collect()
}

/// The current event of one key.
pub(crate) async fn current_one(
    tx: &mut Tx<'_>,
    room_id: &str,
    kind: &str,
    state_key: &str,
) -> Result<Option<Event>, StoreError> {
    let key = (room_id.to_owned(), kind.to_owned(), state_key.to_owned());
    Ok(current(tx, &[key]).await?.pop())
}

/// Sets what is current: (key, event id, position); each key once.
pub(crate) async fn put(tx: &mut Tx<'_>, state: &[(StateKey, String, i64)]) -> Result<(), StoreError> {
    let rows: Vec<Vec<Value<'_>>> = state
        .iter()
        .map(|((room_id, kind, state_key), event_id, position)| {
            vec![
                room_id.to_value(),
                kind.to_value(),
                state_key.to_value(),
                event_id.to_value(),
                position.to_value(),
            ]
        })
        .collect();
    tx.query_values(PUT, &rows, PUT_AFTER).await.map(drop)
}

/// The current state of a room that was set after `from` and up to `to`; without the memberships when they are
/// loaded lazily.
pub(crate) async fn of_room(
    tx: &mut Tx<'_>,
    room_id: &str,
    from: i64,
    to: i64,
    with_members: bool,
) -> Result<Vec<Event>, StoreError> {
    let sql = if with_members { OF_ROOM } else { WITHOUT_MEMBERS };
    tx.query(sql, &[&room_id, &from, &to])
        .await?
        .iter()
        .map(read)
        .collect()
}

/// The current state of one type, under all its keys.
pub(crate) async fn of_type(tx: &mut Tx<'_>, room_id: &str, kind: &str) -> Result<Vec<Event>, StoreError> {
    tx.query(OF_TYPE, &[&room_id, &kind])
        .await?
        .iter()
        .map(read)
        .collect()
}
