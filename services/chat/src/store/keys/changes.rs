//! Whose keys changed when, and who came into or went out of the rooms one shares.

use std::collections::HashSet;

use haechi_base::PersonId;
use haechi_store::{Row, Statement, StoreError, ToValue, Tx, Value};

const PUT: &str = "INSERT INTO chat_device_change (person, position) VALUES";
const PUT_AFTER: &str = "
    ON CONFLICT (person) DO UPDATE SET position = excluded.position
    WHERE chat_device_change.position < excluded.position";
const PUT_SIGNED: &str = "INSERT INTO chat_signature_change (signer, person, position) VALUES";
const PUT_SIGNED_AFTER: &str = "
    ON CONFLICT (signer, person) DO UPDATE SET position = excluded.position
    WHERE chat_signature_change.position < excluded.position";
const SINCE: &str = "
    SELECT person FROM chat_device_change WHERE position > $1 AND position <= $2 ORDER BY position LIMIT $3";
const SIGNED_SINCE: &str = "
    SELECT person FROM chat_signature_change WHERE signer = $1 AND position > $2 AND position <= $3
    ORDER BY position LIMIT $4";
const OF_SHARED: &str = "
    SELECT DISTINCT theirs.person AS person FROM chat_membership own
    JOIN chat_membership theirs ON theirs.room_id = own.room_id
    JOIN chat_device_change c ON c.person = theirs.person
    WHERE own.person = $1 AND own.membership = 'join' AND theirs.membership = 'join'
        AND c.position > $2 AND c.position <= $3 LIMIT $4";
const CAME_OR_WENT: &str = "
    SELECT person, membership, joined_from FROM chat_membership
    WHERE room_id = $1 AND membership IN ('join', 'leave', 'ban') AND position > $2 LIMIT $3";
const IN_ROOM: &str = "
    SELECT person FROM chat_membership WHERE room_id = $1 AND membership = 'join' LIMIT $2";
const IN_ROOM_BY: &str = "
    SELECT person FROM chat_membership
    WHERE room_id = $1 AND membership = 'join' AND joined_from <= $2 LIMIT $3";
const ROOMS_OF: &str = "SELECT person, room_id FROM chat_membership WHERE person IN";
const ROOMS_OF_AFTER: &str = "AND membership = 'join'";

/// Keeps that keys changed: (whose, position); each person once.
pub(crate) async fn put(tx: &mut Tx<'_>, changes: &[(PersonId, i64)]) -> Result<(), StoreError> {
    let rows: Vec<Vec<Value<'_>>> = changes
        .iter()
        .map(|(person, position)| vec![person.to_value(), position.to_value()])
        .collect();
    tx.query_values(PUT, &rows, PUT_AFTER).await.map(drop)
}

/// Keeps that people signed others' keys: (who, whose, position); each pair once.
pub(crate) async fn put_signed(
    tx: &mut Tx<'_>,
    changes: &[(PersonId, PersonId, i64)],
) -> Result<(), StoreError> {
    let rows: Vec<Vec<Value<'_>>> = changes
        .iter()
        .map(|(signer, person, position)| vec![signer.to_value(), person.to_value(), position.to_value()])
        .collect();
    tx.query_values(PUT_SIGNED, &rows, PUT_SIGNED_AFTER)
        .await
        .map(drop)
}

/// Finds whose keys changed, anybody's, the first `limit`: for [`read_people`].
pub(crate) fn since(from: i64, to: i64, limit: u32) -> Statement {
    Statement::new(SINCE, &[&from, &to, &limit])
}

/// Finds whose keys the person signed: for [`read_people`].
pub(crate) fn signed_since(person: PersonId, from: i64, to: i64, limit: u32) -> Statement {
    Statement::new(SIGNED_SINCE, &[&person, &from, &to, &limit])
}

/// The people of an answer.
pub(crate) fn read_people(rows: &[Row]) -> Result<Vec<PersonId>, StoreError> {
    rows.iter().map(|row| row.get("person")).collect()
}

/// Up to `limit` people whose keys changed, among those the person shares a room with.
pub(crate) async fn of_shared(
    tx: &mut Tx<'_>,
    person: PersonId,
    from: i64,
    to: i64,
    limit: u32,
) -> Result<Vec<PersonId>, StoreError> {
    read_people(&tx.query(OF_SHARED, &[&person, &from, &to, &limit]).await?)
}

/// Finds who came into or went out of a room since: for [`read_moves`].
pub(crate) fn came_or_went(room_id: &str, since: i64, limit: u32) -> Statement {
    Statement::new(CAME_OR_WENT, &[&room_id, &since, &limit])
}

/// The people, and the position from which on those are in who are: `None` for who is out.
pub(crate) fn read_moves(rows: &[Row]) -> Result<Vec<(PersonId, Option<i64>)>, StoreError> {
    let read = |row: &Row| {
        let is_in = row.get::<String>("membership")? == "join";
        let joined_from: Option<i64> = row.get("joined_from")?;
        Ok((row.get("person")?, joined_from.filter(|_| is_in)))
    };
    rows.iter().map(read).collect()
}

/// Finds who is in a room: for [`read_people`].
pub(crate) fn in_room(room_id: &str, limit: u32) -> Statement {
    Statement::new(IN_ROOM, &[&room_id, &limit])
}

/// Finds who is in a room and was so at this position already: for [`read_people`].
pub(crate) fn in_room_by(room_id: &str, position: i64, limit: u32) -> Statement {
    Statement::new(IN_ROOM_BY, &[&room_id, &position, &limit])
}

/// Which of these people are in one of these rooms.
pub(crate) async fn sharing(
    tx: &mut Tx<'_>,
    people: &[PersonId],
    room_ids: &HashSet<String>,
) -> Result<HashSet<PersonId>, StoreError> {
    let mut found = HashSet::new();
    for row in tx.query_in(ROOMS_OF, people, ROOMS_OF_AFTER).await? {
        if room_ids.contains(&row.get::<String>("room_id")?) {
            found.insert(row.get("person")?);
        }
    }
    Ok(found)
}
