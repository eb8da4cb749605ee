//! What people keep for themselves, in general and about a room.

use haechi_base::PersonId;
use haechi_store::{Row, StoreError, ToValue, Tx, Value};

const PUT: &str = "INSERT INTO chat_account_data (person, room_id, type, content, position) VALUES";
const PUT_AFTER: &str = "
    ON CONFLICT (person, room_id, type) DO UPDATE SET content = excluded.content, position = excluded.position";
const FIND: &str = "
    SELECT person, room_id, type, content, position FROM chat_account_data
    WHERE person = $1 AND room_id = $2 AND type = $3";
const ABOUT_PUSHES: &str = "
    SELECT person, room_id, type, content, position FROM chat_account_data
    WHERE room_id = '' AND type IN ('m.push_rules', 'm.ignored_user_list', 'org.haechi.quiet_hours') AND person IN";
// With them always come the person's push rules and whom they ignore, new or not: every sync has to know.
const SINCE: &str = "
    SELECT person, room_id, type, content, position FROM chat_account_data
    WHERE person = $1 AND position > $2 AND position <= $3
    UNION ALL
    SELECT person, room_id, type, content, position FROM chat_account_data
    WHERE person = $1 AND room_id = '' AND type IN ('m.ignored_user_list', 'm.push_rules') AND position <= $2
    ORDER BY position";

/// An entry. `room_id` is empty for what belongs to no room.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) person: PersonId,
    pub(crate) room_id: String,
    pub(crate) kind: String,
    pub(crate) content: String,
    pub(crate) position: i64,
}

/// Keeps entries; each person, room and type once.
pub(crate) async fn put(tx: &mut Tx<'_>, entries: &[&Entry]) -> Result<(), StoreError> {
    let rows: Vec<Vec<Value<'_>>> = entries
        .iter()
        .map(|entry| {
            vec![
                entry.person.to_value(),
                entry.room_id.to_value(),
                entry.kind.to_value(),
                entry.content.to_value(),
                entry.position.to_value(),
            ]
        })
        .collect();
    tx.query_values(PUT, &rows, PUT_AFTER).await.map(drop)
}

/// One entry.
pub(crate) async fn find(
    tx: &mut Tx<'_>,
    person: PersonId,
    room_id: &str,
    kind: &str,
) -> Result<Option<Entry>, StoreError> {
    let row = tx.query_optional(FIND, &[&person, &room_id, &kind]).await?;
    row.as_ref().map(read).transpose()
}

/// What these people say of how they want to be told: their push rules, quiet hours, and whom they ignore.
pub(crate) async fn about_pushes(tx: &mut Tx<'_>, people: &[PersonId]) -> Result<Vec<Entry>, StoreError> {
    tx.query_in(ABOUT_PUSHES, people, "")
        .await?
        .iter()
        .map(read)
        .collect()
}

/// What a person put after `from` and up to `to`, in general and about rooms; and, from whenever they are, their push
/// rules and the list of whom they ignore.
pub(crate) async fn since(
    tx: &mut Tx<'_>,
    person: PersonId,
    from: i64,
    to: i64,
) -> Result<Vec<Entry>, StoreError> {
    tx.query(SINCE, &[&person, &from, &to])
        .await?
        .iter()
        .map(read)
        .collect()
}

pub(super) fn read(row: &Row) -> Result<Entry, StoreError> {
    Ok(Entry {
        person: row.get("person")?,
        room_id: row.get("room_id")?,
        kind: row.get("type")?,
        content: row.get("content")?,
        position: row.get("position")?,
    })
}
