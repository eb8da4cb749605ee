//! Who is in which room.

use std::collections::HashMap;

use haechi_base::PersonId;
use haechi_store::{Asked, Row, StoreError, ToValue, Tx, Value};

use crate::model::{Member, Membership, Stream, SyncToken, member_key, stream_of};

const COLUMNS_FIND: &str = "
    SELECT room_id, person, membership, event_id, position, joined_from, invited_from, left_at
    FROM chat_membership WHERE member IN";
const PUT: &str = "
    INSERT INTO chat_membership (member, room_id, person, membership, event_id, stream, position,
        joined_from, invited_from, left_at, forgotten) VALUES";
const PUT_AFTER: &str = "
    ON CONFLICT (member) DO UPDATE SET membership = excluded.membership, event_id = excluded.event_id,
        position = excluded.position, joined_from = excluded.joined_from,
        invited_from = excluded.invited_from, left_at = excluded.left_at, forgotten = excluded.forgotten";
const OF_PERSON: &str = "
    SELECT room_id, person, membership, event_id, position, joined_from, invited_from, left_at
    FROM chat_membership WHERE person = $1 AND membership = $2 AND NOT forgotten";
const OF_ROOM: &str = "
    SELECT person FROM chat_membership WHERE room_id = $1 AND membership = $2 ORDER BY position LIMIT $3";
const COUNT: &str = "
    SELECT membership, COUNT(*) AS people FROM chat_membership
    WHERE room_id = $1 AND membership IN ('join', 'invite') GROUP BY membership";
const NEWS: &str = "
    SELECT m.room_id AS room_id FROM chat_membership m JOIN chat_activity a ON a.room_id = m.room_id
    WHERE m.person = $1 AND m.membership = 'join' AND a.position > CASE m.stream
        WHEN 0 THEN CAST($2 AS BIGINT) WHEN 1 THEN CAST($3 AS BIGINT) WHEN 2 THEN CAST($4 AS BIGINT)
        ELSE CAST($5 AS BIGINT) END";
const CHANGED: &str = "
    SELECT room_id, person, membership, event_id, position, joined_from, invited_from, left_at
    FROM chat_membership
    WHERE person = $1 AND membership IN ('invite', 'leave', 'ban', 'knock') AND position > CASE stream
        WHEN 0 THEN CAST($2 AS BIGINT) WHEN 1 THEN CAST($3 AS BIGINT) WHEN 2 THEN CAST($4 AS BIGINT)
        ELSE CAST($5 AS BIGINT) END";
const FORGET: &str = "
    UPDATE chat_membership SET forgotten = TRUE, joined_from = NULL, invited_from = NULL, left_at = NULL
    WHERE member = $1 AND membership IN ('leave', 'ban')";
const SHARED: &str = "
    SELECT DISTINCT theirs.person AS person FROM chat_membership own
    JOIN chat_membership theirs ON theirs.room_id = own.room_id
    WHERE own.person = $1 AND own.membership = 'join' AND theirs.membership = 'join' LIMIT $2";

const HAVE_MET: &str = "
    SELECT own.room_id AS room_id FROM chat_membership own
    JOIN chat_membership theirs ON theirs.person = $2 AND theirs.membership = 'join'
        AND theirs.stream = own.stream AND theirs.room_id = own.room_id
    WHERE own.person = $1 AND own.membership = 'join' LIMIT 1";

/// A membership as it is kept.
#[derive(Debug, Clone)]
pub(crate) struct FoundMember {
    pub(crate) room_id: String,
    pub(crate) person: PersonId,
    pub(crate) member: Member,
    pub(crate) event_id: String,
    pub(crate) position: i64,
}

/// The memberships of these pairs.
pub(crate) async fn find(
    tx: &mut Tx<'_>,
    pairs: &[(PersonId, &str)],
) -> Result<Vec<FoundMember>, StoreError> {
    read_all(&tx.query_in(COLUMNS_FIND, &keys_of(pairs), "").await?)
}

/// The names of these pairs, for [`asked`].
pub(crate) fn keys_of(pairs: &[(PersonId, &str)]) -> Vec<Vec<u8>> {
    pairs
        .iter()
        .map(|(person, room_id)| member_key(*person, room_id))
        .collect()
}

/// Finds memberships by the names of their pairs: for [`read_all`].
pub(crate) fn asked(keys: &[Vec<u8>]) -> Vec<Asked<'_>> {
    Asked::among(COLUMNS_FIND, keys, "")
}

/// The memberships of an answer.
pub(crate) fn read_all(rows: &[Row]) -> Result<Vec<FoundMember>, StoreError> {
    rows.iter().map(read).collect()
}

/// One membership.
pub(crate) async fn find_one(
    tx: &mut Tx<'_>,
    person: PersonId,
    room_id: &str,
) -> Result<Option<FoundMember>, StoreError> {
    Ok(find(tx, &[(person, room_id)]).await?.pop())
}

pub(super) fn read(row: &Row) -> Result<FoundMember, StoreError> {
    let word: String = row.get("membership")?;
    let membership = word.parse().map_err(|_| StoreError::Type {
        expected: "a membership".to_owned(),
        found: word,
    })?;
    Ok(FoundMember {
        room_id: row.get("room_id")?,
        person: row.get("person")?,
        member: Member {
            membership,
            joined_from: row.get("joined_from")?,
            invited_from: row.get("invited_from")?,
            left_at: row.get("left_at")?,
        },
        event_id: row.get("event_id")?,
        position: row.get("position")?,
    })
}

/// Keeps memberships; each pair once.
pub(crate) async fn put(tx: &mut Tx<'_>, members: &[FoundMember]) -> Result<(), StoreError> {
    let rows: Vec<Vec<Value<'_>>> = members
        .iter()
        .map(|found| {
            vec![
                Value::Bytes(member_key(found.person, &found.room_id).into()),
                found.room_id.to_value(),
                found.person.to_value(),
                found.member.membership.as_str().to_value(),
                found.event_id.to_value(),
                Value::Integer(i64::from(stream_of(&found.room_id))),
                found.position.to_value(),
                found.member.joined_from.to_value(),
                found.member.invited_from.to_value(),
                found.member.left_at.to_value(),
                Value::Bool(false),
            ]
        })
        .collect();
    tx.query_values(PUT, &rows, PUT_AFTER).await.map(drop)
}

/// The rooms a person stands to in this way.
pub(crate) async fn of_person(
    tx: &mut Tx<'_>,
    person: PersonId,
    membership: Membership,
) -> Result<Vec<FoundMember>, StoreError> {
    tx.query(OF_PERSON, &[&person, &membership.as_str()])
        .await?
        .iter()
        .map(read)
        .collect()
}

/// The first `limit` people who stand to a room in this way, in the order they came.
pub(crate) async fn of_room(
    tx: &mut Tx<'_>,
    room_id: &str,
    membership: Membership,
    limit: u32,
) -> Result<Vec<PersonId>, StoreError> {
    let rows = tx
        .query(OF_ROOM, &[&room_id, &membership.as_str(), &limit])
        .await?;
    rows.iter().map(|row| row.get("person")).collect()
}

/// How many are in a room, and how many are asked in.
pub(crate) async fn count(tx: &mut Tx<'_>, room_id: &str) -> Result<(u32, u32), StoreError> {
    let rows = tx.query(COUNT, &[&room_id]).await?;
    let counts: HashMap<String, u32> = rows
        .iter()
        .map(|row| Ok((row.get("membership")?, row.get("people")?)))
        .collect::<Result<_, StoreError>>()?;
    let of = |word: &str| counts.get(word).copied().unwrap_or(0);
    Ok((of("join"), of("invite")))
}

/// The rooms a person is in where something happened since.
pub(crate) async fn rooms_with_news(
    tx: &mut Tx<'_>,
    person: PersonId,
    since: &SyncToken,
) -> Result<Vec<String>, StoreError> {
    let [first, second, third, fourth] = rooms_positions(since);
    let rows = tx
        .query(NEWS, &[&person, &first, &second, &third, &fourth])
        .await?;
    rows.iter().map(|row| row.get("room_id")).collect()
}

/// The invitations to a person, their knocks, and the rooms they are out of, that are new since.
pub(crate) async fn changed(
    tx: &mut Tx<'_>,
    person: PersonId,
    since: &SyncToken,
) -> Result<Vec<FoundMember>, StoreError> {
    let [first, second, third, fourth] = rooms_positions(since);
    let rows = tx
        .query(CHANGED, &[&person, &first, &second, &third, &fourth])
        .await?;
    rows.iter().map(read).collect()
}

fn rooms_positions(since: &SyncToken) -> [i64; 4] {
    [0, 1, 2, 3].map(|stream: Stream| since.position(stream))
}

/// Takes a room that was left off the person's lists, with what they could read of it; returns whether it was one.
pub(crate) async fn forget(tx: &mut Tx<'_>, person: PersonId, room_id: &str) -> Result<bool, StoreError> {
    Ok(tx.execute(FORGET, &[&member_key(person, room_id)]).await? > 0)
}

/// Whether two people share a room.
pub(crate) async fn have_met(tx: &mut Tx<'_>, one: PersonId, other: PersonId) -> Result<bool, StoreError> {
    Ok(!tx.query(HAVE_MET, &[&one, &other]).await?.is_empty())
}

/// Up to `limit` people who share a room with this one, and themselves.
pub(crate) async fn people_met(
    tx: &mut Tx<'_>,
    person: PersonId,
    limit: u32,
) -> Result<Vec<PersonId>, StoreError> {
    let rows = tx.query(SHARED, &[&person, &limit]).await?;
    rows.iter().map(|row| row.get("person")).collect()
}
