//! How far each stream has been pushed, whom a room's events may be pushed to, and what is tried again.

use haechi_base::{PersonId, Time};
use haechi_store::{Row, StoreError, ToValue, Tx, Value};

use crate::model::{Event, PusherName, Relation, Stream};

const PROGRESS: &str = "SELECT position FROM chat_push_progress WHERE stream = $1";
const ADVANCE: &str = "UPDATE chat_push_progress SET position = $3 WHERE stream = $1 AND position = $2";
const ENTER_ALL: &str = "
    INSERT INTO chat_pushed_member (room_id, person)
    SELECT room_id, person FROM chat_membership WHERE person = $1 AND membership = 'join'
    ON CONFLICT (room_id, person) DO UPDATE SET person = excluded.person";
const ENTER: &str = "INSERT INTO chat_pushed_member (room_id, person) VALUES";
const ENTER_AFTER: &str = "ON CONFLICT (room_id, person) DO UPDATE SET person = excluded.person";
const FORGET_PERSON: &str = "DELETE FROM chat_pushed_member WHERE person = $1";
const FORGET_MEMBER: &str = "DELETE FROM chat_pushed_member WHERE room_id = $1 AND person = $2";
const MEMBERS: &str = "
    SELECT p.room_id AS room_id, p.person AS person, r.position AS position,
        r.threads_position AS threads_position
    FROM chat_pushed_member p LEFT JOIN chat_read r ON r.room_id = p.room_id AND r.person = p.person
    WHERE p.room_id IN";
// The way of who comes anew to a stream and has not heard what happened in it: from those who have pushers.
const NEWS: &str = "
    SELECT p.person AS person, m.room_id AS room_id
    FROM chat_pusher p JOIN chat_membership m ON m.person = p.person
        JOIN chat_activity a ON a.room_id = m.room_id
    WHERE p.person > $1 AND p.person <= $2 AND m.membership IN ('join', 'invite') AND m.stream = $3
        AND a.position > $4";
const NEXT_PERSON: &str = "
    SELECT DISTINCT person FROM chat_pusher WHERE person > $1 ORDER BY person LIMIT $2";
const READ: &str = "SELECT position, threads_position FROM chat_read WHERE room_id = $1 AND person = $2";
const PUT_LATE: &str = "
    INSERT INTO chat_late_push (person, app_id, push_key, event_id, created_at) VALUES";
const PUT_LATE_AFTER: &str = "
    ON CONFLICT (person, app_id, push_key, event_id) DO UPDATE SET event_id = excluded.event_id";
const LATE: &str = "
    SELECT event_id, created_at FROM chat_late_push WHERE person = $1 AND app_id = $2 AND push_key = $3
    ORDER BY created_at DESC, event_id";
const FORGET_LATE: &str = "
    DELETE FROM chat_late_push WHERE person = $1 AND app_id = $2 AND push_key = $3 AND event_id = $4";
const FORGET_ALL_LATE: &str = "
    DELETE FROM chat_late_push WHERE person = $1 AND app_id = $2 AND push_key = $3";

/// How far a person has read a room, and all of its threads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ReadUntil {
    room: i64,
    threads: i64,
}

impl ReadUntil {
    /// Whether they have read an event. What they read of one thread alone does not count here.
    pub(crate) fn has(&self, event: &Event) -> bool {
        let is_thread = Relation::of_event(event).is_some_and(|relation| relation.is_thread());
        event.position <= if is_thread { self.threads } else { self.room }
    }
}

/// A member of a room who has pushers, and how far they have read.
pub(crate) struct PushedMember {
    pub(crate) room_id: String,
    pub(crate) person: PersonId,
    pub(crate) read: ReadUntil,
}

/// How far a stream has been pushed.
pub(crate) async fn progress(tx: &mut Tx<'_>, stream: Stream) -> Result<i64, StoreError> {
    let row = tx.query_one(PROGRESS, &[&i64::from(stream)]).await?;
    row.get("position")
}

/// Notes that a stream was pushed on; returns whether it stood where it was thought to.
pub(crate) async fn advance(tx: &mut Tx<'_>, stream: Stream, from: i64, to: i64) -> Result<bool, StoreError> {
    Ok(tx.execute(ADVANCE, &[&i64::from(stream), &from, &to]).await? > 0)
}

/// Notes a person with pushers in all rooms they are in.
pub(crate) async fn enter_all(tx: &mut Tx<'_>, person: PersonId) -> Result<(), StoreError> {
    tx.execute(ENTER_ALL, &[&person]).await.map(drop)
}

/// Notes people with pushers in rooms that they came into.
pub(crate) async fn enter(tx: &mut Tx<'_>, members: &[(PersonId, String)]) -> Result<(), StoreError> {
    let rows: Vec<Vec<Value<'_>>> = members
        .iter()
        .map(|(person, room_id)| vec![room_id.to_value(), person.to_value()])
        .collect();
    tx.query_values(ENTER, &rows, ENTER_AFTER).await.map(drop)
}

/// Forgets the rooms of who has no pushers any more.
pub(crate) async fn forget_person(tx: &mut Tx<'_>, person: PersonId) -> Result<(), StoreError> {
    tx.execute(FORGET_PERSON, &[&person]).await.map(drop)
}

/// Forgets who has left a room.
pub(crate) async fn forget_member(
    tx: &mut Tx<'_>,
    person: PersonId,
    room_id: &str,
) -> Result<(), StoreError> {
    tx.execute(FORGET_MEMBER, &[&room_id, &person]).await.map(drop)
}

/// The members of these rooms who have pushers.
pub(crate) async fn members(tx: &mut Tx<'_>, room_ids: &[&str]) -> Result<Vec<PushedMember>, StoreError> {
    let rows = tx.query_in(MEMBERS, room_ids, "").await?;
    let members = rows.iter().map(|row| {
        Ok(PushedMember {
            room_id: row.get("room_id")?,
            person: row.get("person")?,
            read: read_of(row)?,
        })
    });
    members.collect()
}

/// People with pushers after `after`, up to `limit` of them, in order.
pub(crate) async fn next_people(
    tx: &mut Tx<'_>,
    after: PersonId,
    limit: u32,
) -> Result<Vec<PersonId>, StoreError> {
    let rows = tx.query(NEXT_PERSON, &[&after, &limit]).await?;
    rows.iter().map(|row| row.get("person")).collect()
}

/// The rooms of a stream with news after a position, of the people with pushers after `after` and up to `last`.
pub(crate) async fn rooms_with_news(
    tx: &mut Tx<'_>,
    (after, last): (PersonId, PersonId),
    stream: Stream,
    position: i64,
) -> Result<Vec<(PersonId, String)>, StoreError> {
    let rows = tx
        .query(NEWS, &[&after, &last, &i64::from(stream), &position])
        .await?;
    rows.iter()
        .map(|row| Ok((row.get("person")?, row.get("room_id")?)))
        .collect()
}

/// How far a person has read a room.
pub(crate) async fn read_until(
    tx: &mut Tx<'_>,
    person: PersonId,
    room_id: &str,
) -> Result<ReadUntil, StoreError> {
    let row = tx.query_optional(READ, &[&room_id, &person]).await?;
    row.as_ref().map_or_else(|| Ok(ReadUntil::default()), read_of)
}

fn read_of(row: &Row) -> Result<ReadUntil, StoreError> {
    Ok(ReadUntil {
        room: row.get::<Option<i64>>("position")?.unwrap_or(0),
        threads: row.get::<Option<i64>>("threads_position")?.unwrap_or(0),
    })
}

/// Keeps pushes to be tried again.
pub(crate) async fn put_late(
    tx: &mut Tx<'_>,
    pushes: &[(PusherName, String)],
    now: Time,
) -> Result<(), StoreError> {
    let rows: Vec<Vec<Value<'_>>> = pushes
        .iter()
        .map(|(name, event_id)| {
            vec![
                name.person.to_value(),
                name.app_id.to_value(),
                name.push_key.to_value(),
                event_id.to_value(),
                now.to_value(),
            ]
        })
        .collect();
    tx.query_values(PUT_LATE, &rows, PUT_LATE_AFTER).await.map(drop)
}

/// What is to be tried again for a pusher, the newest first, each with the time since when.
pub(crate) async fn late(tx: &mut Tx<'_>, name: &PusherName) -> Result<Vec<(String, Time)>, StoreError> {
    let rows = tx
        .query(LATE, &[&name.person, &name.app_id, &name.push_key])
        .await?;
    rows.iter()
        .map(|row| Ok((row.get("event_id")?, row.get("created_at")?)))
        .collect()
}

/// Tries a push no more.
pub(crate) async fn forget_late(
    tx: &mut Tx<'_>,
    name: &PusherName,
    event_id: &str,
) -> Result<(), StoreError> {
    tx.execute(
        FORGET_LATE,
        &[&name.person, &name.app_id, &name.push_key, &event_id],
    )
    .await
    .map(drop)
}

/// Tries nothing of a pusher any more.
pub(crate) async fn forget_all_late(tx: &mut Tx<'_>, name: &PusherName) -> Result<(), StoreError> {
    tx.execute(FORGET_ALL_LATE, &[&name.person, &name.app_id, &name.push_key])
        .await
        .map(drop)
}
