//! What a sliding sync asks of a person's rooms: all of them by one statement.

use std::collections::HashMap;

use haechi_base::PersonId;
use haechi_store::{Statement, StoreError, Tx};

use super::account_data::{Entry, read as read_entry};
use super::memberships::{FoundMember, read as read_member};
use super::receipts::{Receipt, read as read_receipt};

const ROOMS: &str = "
    SELECT m.room_id AS room_id, m.person AS person, m.membership AS membership, m.event_id AS event_id,
        m.position AS position, m.joined_from AS joined_from, m.invited_from AS invited_from,
        m.left_at AS left_at, a.position AS room_position, a.bumped_at AS bumped_at
    FROM chat_membership m JOIN chat_activity a ON a.room_id = m.room_id
    WHERE m.person = $1 AND m.membership IN ('join', 'invite', 'knock')";
const TAGS: &str = "
    SELECT room_id, content FROM chat_account_data WHERE person = $1 AND type = 'm.tag' AND room_id <> ''";
const ABOUT_ROOM: &str = "
    SELECT person, room_id, type, content, position FROM chat_account_data WHERE person = $1 AND room_id = $2";
const OWN_RECEIPTS: &str = "
    SELECT person, kind, thread, event_id, sent_at FROM chat_receipt WHERE room_id = $1 AND person = $2
    ORDER BY position DESC LIMIT 100";

/// A room that a person is in, is asked into, or asks to be let into.
#[derive(Debug, Clone)]
pub(crate) struct StandingRoom {
    pub(crate) found: FoundMember,
    /// How far the room has come.
    pub(crate) position: i64,
    /// When something was last said in it, in microseconds.
    pub(crate) bumped_at: i64,
}

/// The rooms that a person is in, is asked into, or asks to be let into.
pub(crate) async fn rooms(tx: &mut Tx<'_>, person: PersonId) -> Result<Vec<StandingRoom>, StoreError> {
    let rows = tx.query(ROOMS, &[&person]).await?;
    rows.iter()
        .map(|row| {
            Ok(StandingRoom {
                found: read_member(row)?,
                position: row.get("room_position")?,
                bumped_at: row.get("bumped_at")?,
            })
        })
        .collect()
}

/// The contents of a person's tags, by room.
pub(crate) async fn tags(tx: &mut Tx<'_>, person: PersonId) -> Result<HashMap<String, String>, StoreError> {
    let rows = tx.query(TAGS, &[&person]).await?;
    rows.iter()
        .map(|row| Ok((row.get("room_id")?, row.get("content")?)))
        .collect()
}

/// What a person keeps about these rooms.
pub(crate) async fn about_rooms(
    tx: &mut Tx<'_>,
    person: PersonId,
    room_ids: &[&str],
) -> Result<Vec<Entry>, StoreError> {
    let statements: Vec<Statement> = room_ids
        .iter()
        .map(|room_id| Statement::new(ABOUT_ROOM, &[&person, room_id]))
        .collect();
    let answers = tx.run_all(&statements).await?;
    answers.iter().flatten().map(read_entry).collect()
}

/// A person's own receipts in a room.
pub(crate) async fn own_receipts(
    tx: &mut Tx<'_>,
    person: PersonId,
    room_id: &str,
) -> Result<Vec<Receipt>, StoreError> {
    let rows = tx.query(OWN_RECEIPTS, &[&room_id, &person]).await?;
    rows.iter().map(|row| read_receipt(row, room_id)).collect()
}
