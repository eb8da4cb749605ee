//! The index of the search: runs of messages with the pieces of their texts.

use haechi_base::Time;
use haechi_store::{Row, Statement, StoreError, ToValue, Tx, Value};

use super::events::{event_columns, read};
use crate::model::{Block, Event};

const BEHIND: &str = "
    SELECT a.room_id AS room_id, a.position AS position, COALESCE(s.position, 0) AS indexed
    FROM chat_activity a LEFT JOIN chat_search_room s ON s.room_id = a.room_id
    WHERE a.room_id > $1 ORDER BY a.room_id LIMIT $2";
const INDEXED: &str = "SELECT position FROM chat_search_room WHERE room_id = $1";
const PUT_INDEXED: &str = "
    INSERT INTO chat_search_room (room_id, position) VALUES ($1, $2)
    ON CONFLICT (room_id) DO UPDATE SET position = excluded.position";
const LAST_BLOCK: &str = "
    SELECT room_id, first_position, last_position, last_at, messages, grams FROM chat_search_block
    WHERE room_id = $1 AND first_position <= $2 ORDER BY first_position DESC LIMIT 1";
const PUT_BLOCKS: &str = "
    INSERT INTO chat_search_block (room_id, first_position, last_position, last_at, messages, grams) VALUES";
const PUT_BLOCKS_AFTER: &str = "
    ON CONFLICT (room_id, first_position) DO UPDATE SET last_position = excluded.last_position,
        last_at = excluded.last_at, messages = excluded.messages, grams = excluded.grams";
const BLOCKS: &str = "
    SELECT room_id, first_position, last_position, last_at, grams FROM chat_search_block WHERE room_id IN";
// As `limits::SEARCH_BLOCKS_MAX`.
const BLOCKS_AFTER: &str = "ORDER BY last_at DESC LIMIT 10000";
const TAIL: &str = concat!(
    event_columns!(),
    "FROM chat_activity a LEFT JOIN chat_search_room s ON s.room_id = a.room_id
    JOIN chat_event e ON e.room_id = a.room_id AND e.position > COALESCE(s.position, 0)
    WHERE a.room_id IN"
);
// As `limits::SEARCH_TAIL_ROWS_MAX`.
const TAIL_AFTER: &str = "LIMIT 5000";
const OF_BLOCK: &str = concat!(
    event_columns!(),
    "FROM chat_event e WHERE e.room_id = $1 AND e.position >= $2 AND e.position <= $3
        AND e.type IN ('m.room.message', 'm.room.name', 'm.room.topic')
    ORDER BY e.position LIMIT 1000"
);
const PUT_STALE: &str = "INSERT INTO chat_search_stale (room_id, position) VALUES";
const PUT_STALE_AFTER: &str = "ON CONFLICT (room_id, position) DO UPDATE SET position = excluded.position";
const STALE: &str = "SELECT room_id, position FROM chat_search_stale ORDER BY room_id, position LIMIT $1";
const FORGET_STALE: &str = "DELETE FROM chat_search_stale WHERE room_id = $1 AND position = $2";

/// Runs that are read at once.
const BLOCKS_AT_ONCE: usize = 32;

/// A room, and how far its index has come.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    pub(crate) room_id: String,
    /// The last thing that happened there.
    pub(crate) position: i64,
    pub(crate) indexed: i64,
}

/// The next rooms after one, with how far each is indexed.
pub(crate) async fn rooms_after(
    tx: &mut Tx<'_>,
    after: &str,
    limit: u32,
) -> Result<Vec<Progress>, StoreError> {
    let rows = tx.query(BEHIND, &[&after, &limit]).await?;
    rows.iter()
        .map(|row| {
            Ok(Progress {
                room_id: row.get("room_id")?,
                position: row.get("position")?,
                indexed: row.get("indexed")?,
            })
        })
        .collect()
}

/// Up to where a room is indexed.
pub(crate) async fn indexed(tx: &mut Tx<'_>, room_id: &str) -> Result<i64, StoreError> {
    let row = tx.query_optional(INDEXED, &[&room_id]).await?;
    row.map_or(Ok(0), |row| row.get("position"))
}

/// Keeps up to where a room is indexed.
pub(crate) async fn put_indexed(tx: &mut Tx<'_>, room_id: &str, position: i64) -> Result<(), StoreError> {
    tx.execute(PUT_INDEXED, &[&room_id, &position]).await.map(drop)
}

/// The last run of a room that begins at a position or before it.
pub(crate) async fn last_block(tx: &mut Tx<'_>, room_id: &str, to: i64) -> Result<Option<Block>, StoreError> {
    let row = tx.query_optional(LAST_BLOCK, &[&room_id, &to]).await?;
    row.as_ref().map(read_block).transpose()
}

fn read_block(row: &Row) -> Result<Block, StoreError> {
    let grams: Vec<u8> = row.get("grams")?;
    Ok(Block::of_stored(
        row.get("first_position")?,
        row.get("last_position")?,
        row.get("last_at")?,
        row.get("messages")?,
        &grams,
    ))
}

/// Keeps runs of a room.
pub(crate) async fn put_blocks(tx: &mut Tx<'_>, room_id: &str, blocks: &[Block]) -> Result<(), StoreError> {
    let rows: Vec<Vec<Value<'_>>> = blocks
        .iter()
        .map(|block| {
            vec![
                room_id.to_value(),
                block.first_position.to_value(),
                block.last_position.to_value(),
                block.last_at.to_value(),
                block.messages.to_value(),
                Value::Bytes(block.grams().into()),
            ]
        })
        .collect();
    tx.query_values(PUT_BLOCKS, &rows, PUT_BLOCKS_AFTER)
        .await
        .map(drop)
}

/// A run of messages as a search looks at it.
#[derive(Debug, Clone)]
pub(crate) struct FoundBlock {
    pub(crate) room_id: String,
    pub(crate) first_position: i64,
    pub(crate) last_position: i64,
    pub(crate) last_at: Time,
}

/// The runs of these rooms whose pieces `wanted` accepts, the newest first within each few rooms.
pub(crate) async fn blocks(
    tx: &mut Tx<'_>,
    room_ids: &[&str],
    wanted: impl Fn(&[u8]) -> bool + Send,
) -> Result<Vec<FoundBlock>, StoreError> {
    let mut found = Vec::new();
    for row in tx.query_in(BLOCKS, room_ids, BLOCKS_AFTER).await? {
        let grams: Vec<u8> = row.get("grams")?;
        if wanted(&grams) {
            found.push(FoundBlock {
                room_id: row.get("room_id")?,
                first_position: row.get("first_position")?,
                last_position: row.get("last_position")?,
                last_at: row.get("last_at")?,
            });
        }
    }
    Ok(found)
}

/// What was said in these rooms and is not indexed yet.
pub(crate) async fn tail(tx: &mut Tx<'_>, room_ids: &[&str]) -> Result<Vec<Event>, StoreError> {
    let rows = tx.query_in(TAIL, room_ids, TAIL_AFTER).await?;
    rows.iter().map(read).collect()
}

/// The events with texts of some runs: (room, first, last).
pub(crate) async fn events_of(tx: &mut Tx<'_>, runs: &[(&str, i64, i64)]) -> Result<Vec<Event>, StoreError> {
    let mut events = Vec::new();
    for few in runs.chunks(BLOCKS_AT_ONCE) {
        let statements: Vec<Statement> = few
            .iter()
            .map(|(room_id, first, last)| Statement::new(OF_BLOCK, &[room_id, first, last]))
            .collect();
        for row in tx.run_all(&statements).await?.iter().flatten() {
            events.push(read(row)?);
        }
    }
    Ok(events)
}

/// Notes messages that were taken back: (room, position), each once.
pub(crate) async fn put_stale(tx: &mut Tx<'_>, places: &[(&str, i64)]) -> Result<(), StoreError> {
    let rows: Vec<Vec<Value<'_>>> = places
        .iter()
        .map(|(room_id, position)| vec![room_id.to_value(), position.to_value()])
        .collect();
    tx.query_values(PUT_STALE, &rows, PUT_STALE_AFTER).await.map(drop)
}

/// Some of the messages that were taken back.
pub(crate) async fn stale(tx: &mut Tx<'_>, limit: u32) -> Result<Vec<(String, i64)>, StoreError> {
    let rows = tx.query(STALE, &[&limit]).await?;
    rows.iter()
        .map(|row| Ok((row.get("room_id")?, row.get("position")?)))
        .collect()
}

/// Forgets one of them.
pub(crate) async fn forget_stale(tx: &mut Tx<'_>, room_id: &str, position: i64) -> Result<(), StoreError> {
    tx.execute(FORGET_STALE, &[&room_id, &position]).await.map(drop)
}
