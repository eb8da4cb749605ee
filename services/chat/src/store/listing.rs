//! What a listing asks of rooms: how many are in them, and which stand in the directory.

use std::collections::HashMap;

use haechi_store::{Statement, StoreError, ToValue, Tx, Value};

use crate::model::limits::ROOM_TYPES_MAX;
use crate::model::{ListingFilter, ListingPlace};

const ADD_JOINED: &str = "
    INSERT INTO chat_listing (room_id, is_listed, joined, room_type, name, topic, alias) VALUES";
// Raised without being read first, like a room's activity.
const ADD_JOINED_AFTER: &str = "
    ON CONFLICT (room_id) DO UPDATE SET joined = chat_listing.joined + excluded.joined";
const JOINED: &str = "SELECT room_id, joined FROM chat_listing WHERE room_id IN";
const LIST: &str = "
    INSERT INTO chat_listing (room_id, is_listed, joined, room_type, name, topic, alias)
    VALUES ($1, TRUE, $2, $3, $4, $5, $6)
    ON CONFLICT (room_id) DO UPDATE SET is_listed = excluded.is_listed, joined = excluded.joined,
        room_type = excluded.room_type, name = excluded.name, topic = excluded.topic, alias = excluded.alias";
const UNLIST: &str = "UPDATE chat_listing SET is_listed = FALSE WHERE room_id = $1";
const IS_LISTED: &str = "SELECT is_listed FROM chat_listing WHERE room_id = $1";
const SET_NAME: &str = "UPDATE chat_listing SET name = $2 WHERE room_id = $1";
const SET_TOPIC: &str = "UPDATE chat_listing SET topic = $2 WHERE room_id = $1";
const SET_ALIAS: &str = "UPDATE chat_listing SET alias = $2 WHERE room_id = $1";
const COUNT: &str = "SELECT COUNT(*) AS rooms FROM chat_listing WHERE is_listed";
macro_rules! page {
    ($range:literal, $order:literal) => {
        concat!(
            "SELECT room_id, joined FROM chat_listing WHERE is_listed AND ",
            $range,
            " AND (name LIKE $3 ESCAPE '!' OR topic LIKE $3 ESCAPE '!' OR alias LIKE $3 ESCAPE '!')
            AND (CAST($4 AS BIGINT) = 0 OR room_type IN ($5, $6, $7, $8, $9, $10, $11, $12)) ",
            $order,
            " LIMIT $13"
        )
    };
}
const FORWARD: &str = page!(
    "joined <= $1 AND (joined < $1 OR room_id < $2)",
    "ORDER BY joined DESC, room_id DESC"
);
const BACKWARD: &str = page!(
    "joined >= $1 AND (joined > $1 OR room_id > $2)",
    "ORDER BY joined, room_id"
);

/// Later than every room id.
const LAST_ROOM: &str = "~";

/// A room of the directory, with how many are in it.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub(crate) room_id: String,
    pub(crate) joined: i64,
}

/// What is searched of a room in the directory, in lower case.
#[derive(Debug, Clone, Default)]
pub(crate) struct Words {
    pub(crate) room_type: String,
    pub(crate) name: String,
    pub(crate) topic: String,
    pub(crate) alias: String,
}

/// One of these words, changed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Word {
    Name,
    Topic,
    Alias,
}

/// Counts people in and out: (room, how many more are in it); each room once.
pub(crate) async fn add_joined(tx: &mut Tx<'_>, rooms: &[(&str, i64)]) -> Result<(), StoreError> {
    let rows: Vec<Vec<Value<'_>>> = rooms
        .iter()
        .map(|(room_id, count)| {
            let empty = || Value::Text("".into());
            vec![
                room_id.to_value(),
                Value::Bool(false),
                count.to_value(),
                empty(),
                empty(),
                empty(),
                empty(),
            ]
        })
        .collect();
    tx.query_values(ADD_JOINED, &rows, ADD_JOINED_AFTER)
        .await
        .map(drop)
}

/// How many are in each of these rooms.
pub(crate) async fn joined(tx: &mut Tx<'_>, room_ids: &[&str]) -> Result<HashMap<String, i64>, StoreError> {
    let rows = tx.query_in(JOINED, room_ids, "").await?;
    rows.iter()
        .map(|row| Ok((row.get("room_id")?, row.get("joined")?)))
        .collect()
}

/// Puts a room into the directory.
pub(crate) async fn list(
    tx: &mut Tx<'_>,
    room_id: &str,
    joined: i64,
    words: &Words,
) -> Result<(), StoreError> {
    let values: [&dyn ToValue; 6] = [
        &room_id,
        &joined,
        &words.room_type,
        &words.name,
        &words.topic,
        &words.alias,
    ];
    tx.execute(LIST, &values).await.map(drop)
}

/// Takes a room out of the directory.
pub(crate) async fn unlist(tx: &mut Tx<'_>, room_id: &str) -> Result<(), StoreError> {
    tx.execute(UNLIST, &[&room_id]).await.map(drop)
}

/// Whether a room stands in the directory.
pub(crate) async fn is_listed(tx: &mut Tx<'_>, room_id: &str) -> Result<bool, StoreError> {
    let row = tx.query_optional(IS_LISTED, &[&room_id]).await?;
    row.map_or(Ok(false), |row| row.get("is_listed"))
}

/// Keeps words of rooms that changed: (room, which, the new one).
pub(crate) async fn set_words(tx: &mut Tx<'_>, words: &[(String, Word, String)]) -> Result<(), StoreError> {
    let statements: Vec<Statement> = words
        .iter()
        .map(|(room_id, which, word)| {
            let sql = match which {
                Word::Name => SET_NAME,
                Word::Topic => SET_TOPIC,
                Word::Alias => SET_ALIAS,
            };
            Statement::new(sql, &[room_id, word])
        })
        .collect();
    tx.run_all(&statements).await.map(drop)
}

/// How many rooms stand in the directory.
pub(crate) async fn count(tx: &mut Tx<'_>) -> Result<u32, StoreError> {
    tx.query_one(COUNT, &[]).await?.get("rooms")
}

/// Up to `limit` rooms of the directory, those with most people first, from a place or from the beginning; before a
/// place the nearest come first.
pub(crate) async fn page(
    tx: &mut Tx<'_>,
    filter: &ListingFilter,
    place: Option<&ListingPlace>,
    limit: u32,
) -> Result<Vec<Listed>, StoreError> {
    let is_forward = place.is_none_or(|place| place.is_forward);
    let joined = place.map_or(i64::MAX, |place| place.joined);
    let room_id = place.map_or(LAST_ROOM, |place| place.room_id.as_str());
    let pattern = filter.pattern();
    let types = i64::try_from(filter.room_types.len()).unwrap_or(i64::MAX);
    // The list has one length, so that the statement is prepared once: the first type fills it up.
    let first = filter.room_types.first().map_or("", String::as_str);
    let wanted: Vec<&str> = (0..ROOM_TYPES_MAX)
        .map(|index| filter.room_types.get(index).map_or(first, String::as_str))
        .collect();
    let mut values: Vec<&dyn ToValue> = vec![&joined, &room_id, &pattern, &types];
    values.extend(wanted.iter().map(|wanted| wanted as &dyn ToValue));
    values.push(&limit);
    let rows = tx
        .query(if is_forward { FORWARD } else { BACKWARD }, &values)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Listed {
                room_id: row.get("room_id")?,
                joined: row.get("joined")?,
            })
        })
        .collect()
}
