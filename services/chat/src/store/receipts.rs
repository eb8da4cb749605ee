//! How far people have read, and what they are yet to read.

use haechi_base::{PersonId, Time};
use haechi_store::{Row, StoreError, ToValue, Tx, Value};

const PUT: &str = "
    INSERT INTO chat_receipt (room_id, person, kind, thread, event_id, sent_at, position) VALUES";
const PUT_AFTER: &str = "
    ON CONFLICT (room_id, person, kind, thread) DO UPDATE SET
        event_id = excluded.event_id, sent_at = excluded.sent_at, position = excluded.position";
const OF_ROOM: &str = "
    SELECT person, kind, thread, event_id, sent_at FROM chat_receipt
    WHERE room_id = $1 AND position > $2 AND position <= $3 AND (kind = 'm.read' OR person = $4)
    ORDER BY position DESC LIMIT $5";
const PUT_READ: &str = "INSERT INTO chat_read (room_id, person, position, ordinal, threads_position) VALUES";
// Nobody unreads: an older receipt that comes late changes nothing.
const PUT_READ_AFTER: &str = "
    ON CONFLICT (room_id, person) DO UPDATE SET
        position = CASE WHEN excluded.position > chat_read.position
            THEN excluded.position ELSE chat_read.position END,
        ordinal = CASE WHEN excluded.position > chat_read.position
            THEN excluded.ordinal ELSE chat_read.ordinal END,
        threads_position = CASE WHEN excluded.threads_position > chat_read.threads_position
            THEN excluded.threads_position ELSE chat_read.threads_position END
    WHERE chat_read.position < excluded.position OR chat_read.threads_position < excluded.threads_position";
const UNREAD: &str = "
    SELECT a.ordinal - COALESCE(r.ordinal, 0) AS unread,
        (SELECT COUNT(DISTINCT m.position) FROM chat_mention m WHERE m.room_id = a.room_id AND m.person IN ($2, $3)
            AND m.position > COALESCE(r.position, 0)) AS mentions,
        COALESCE(r.position, 0) AS position, COALESCE(r.threads_position, 0) AS threads_position,
        EXISTS (SELECT 1 FROM chat_thread t WHERE t.room_id = a.room_id
            AND t.position > COALESCE(r.threads_position, 0)) AS has_threads
    FROM chat_activity a LEFT JOIN chat_read r ON r.room_id = a.room_id AND r.person = $2
    WHERE a.room_id = $1";
// Those with unread messages of their own, and those with threads that go on after the receipt of the whole room.
const UNREAD_ROOMS: &str = "
    SELECT m.room_id AS room_id, a.ordinal - COALESCE(r.ordinal, 0) AS unread, 0 AS mentions,
        COALESCE(r.position, 0) AS position, COALESCE(r.threads_position, 0) AS threads_position,
        EXISTS (SELECT 1 FROM chat_thread t WHERE t.room_id = m.room_id
            AND t.position > COALESCE(r.threads_position, 0)) AS has_threads
    FROM chat_membership m JOIN chat_activity a ON a.room_id = m.room_id
        LEFT JOIN chat_read r ON r.room_id = m.room_id AND r.person = m.person
    WHERE m.person = $1 AND m.membership = 'join' AND (a.ordinal > COALESCE(r.ordinal, 0)
        OR EXISTS (SELECT 1 FROM chat_thread t WHERE t.room_id = m.room_id
            AND t.position > COALESCE(r.threads_position, 0))) LIMIT $2";
const MENTIONS: &str = "
    SELECT m.position AS position, e.sender AS sender, r.target AS thread
    FROM chat_mention m JOIN chat_event e ON e.room_id = m.room_id AND e.position = m.position
    LEFT JOIN chat_relation r ON r.event_id = e.event_id AND r.kind = 'm.thread'
    WHERE m.room_id = $1 AND m.person IN ($2, $3) AND m.position > $4
    ORDER BY m.position DESC LIMIT $5";
const SENDERS: &str = "
    SELECT e.position AS position, e.sender AS sender, e.type AS type, e.state_key AS state_key, r.kind AS kind,
        r.target AS target
    FROM chat_event e LEFT JOIN chat_relation r ON r.event_id = e.event_id
    WHERE e.room_id = $1 AND e.position > $2 ORDER BY e.position DESC LIMIT $3";
const PUT_MENTION: &str = "INSERT INTO chat_mention (room_id, person, position) VALUES";
const PUT_MENTION_AFTER: &str = "
    ON CONFLICT (room_id, person, position) DO UPDATE SET position = excluded.position";

/// Who is mentioned when a message calls the whole room.
pub(crate) const EVERYBODY: PersonId = PersonId::from_uuid(haechi_base::uuid::Uuid::nil());

/// Receipts that are told of one room at once.
const RECEIPTS_MAX: u32 = 1_000;

/// A receipt as it is kept.
#[derive(Debug, Clone)]
pub(crate) struct Receipt {
    pub(crate) room_id: String,
    pub(crate) person: PersonId,
    /// `m.read`, or `m.read.private` which only the person sees.
    pub(crate) kind: String,
    /// The thread, `main`, or nothing for the whole room.
    pub(crate) thread: String,
    pub(crate) event_id: String,
    pub(crate) sent_at: Time,
    pub(crate) position: i64,
}

/// How far somebody has read a room.
#[derive(Debug, Clone)]
pub(crate) struct Read {
    pub(crate) room_id: String,
    pub(crate) person: PersonId,
    pub(crate) position: i64,
    pub(crate) ordinal: i64,
    /// Up to where all threads of the room are read.
    pub(crate) threads_position: i64,
}

/// Keeps receipts; each person, room, kind and thread once.
pub(crate) async fn put(tx: &mut Tx<'_>, receipts: &[&Receipt]) -> Result<(), StoreError> {
    let rows: Vec<Vec<Value<'_>>> = receipts
        .iter()
        .map(|receipt| {
            vec![
                receipt.room_id.to_value(),
                receipt.person.to_value(),
                receipt.kind.to_value(),
                receipt.thread.to_value(),
                receipt.event_id.to_value(),
                receipt.sent_at.to_value(),
                receipt.position.to_value(),
            ]
        })
        .collect();
    tx.query_values(PUT, &rows, PUT_AFTER).await.map(drop)
}

/// The newest receipts of a room after `from` and up to `to` that `person` may see.
pub(crate) async fn of_room(
    tx: &mut Tx<'_>,
    room_id: &str,
    from: i64,
    to: i64,
    person: PersonId,
) -> Result<Vec<Receipt>, StoreError> {
    let rows = tx
        .query(OF_ROOM, &[&room_id, &from, &to, &person, &RECEIPTS_MAX])
        .await?;
    rows.iter().map(|row| read(row, room_id)).collect()
}

pub(super) fn read(row: &Row, room_id: &str) -> Result<Receipt, StoreError> {
    Ok(Receipt {
        room_id: room_id.to_owned(),
        person: row.get("person")?,
        kind: row.get("kind")?,
        thread: row.get("thread")?,
        event_id: row.get("event_id")?,
        sent_at: row.get("sent_at")?,
        position: 0,
    })
}

/// Keeps how far people have read; each person and room once.
pub(crate) async fn put_read(tx: &mut Tx<'_>, reads: &[&Read]) -> Result<(), StoreError> {
    let rows: Vec<Vec<Value<'_>>> = reads
        .iter()
        .map(|read| {
            vec![
                read.room_id.to_value(),
                read.person.to_value(),
                read.position.to_value(),
                read.ordinal.to_value(),
                read.threads_position.to_value(),
            ]
        })
        .collect();
    tx.query_values(PUT_READ, &rows, PUT_READ_AFTER).await.map(drop)
}

/// What a person has not read in a room itself, and from where on its threads have to be looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Unread {
    pub(crate) messages: i64,
    /// How many mention the person, in threads too.
    pub(crate) mentions: u32,
    /// Up to where the room is read.
    pub(crate) position: i64,
    /// Up to where all its threads are.
    pub(crate) threads_position: i64,
    /// Whether any thread has something after that.
    pub(crate) has_threads: bool,
}

/// What a person has not read in a room.
pub(crate) async fn unread(tx: &mut Tx<'_>, room_id: &str, person: PersonId) -> Result<Unread, StoreError> {
    let row = tx
        .query_optional(UNREAD, &[&room_id, &person, &EVERYBODY])
        .await?;
    row.as_ref().map_or_else(|| Ok(Unread::default()), read_unread)
}

fn read_unread(row: &Row) -> Result<Unread, StoreError> {
    Ok(Unread {
        messages: row.get::<i64>("unread")?.max(0),
        mentions: row.get("mentions")?,
        position: row.get("position")?,
        threads_position: row.get("threads_position")?,
        has_threads: row.get("has_threads")?,
    })
}

/// A message that mentions somebody.
#[derive(Debug, Clone)]
pub(crate) struct FoundMention {
    pub(crate) position: i64,
    pub(crate) sender: PersonId,
    /// The thread it was said in.
    pub(crate) thread: Option<String>,
}

/// The latest mentions of a person in a room after a position, calls to everybody among them. A message that names the
/// person and calls everybody comes twice.
pub(crate) async fn mentions(
    tx: &mut Tx<'_>,
    room_id: &str,
    person: PersonId,
    from: i64,
    limit: u32,
) -> Result<Vec<FoundMention>, StoreError> {
    let rows = tx
        .query(MENTIONS, &[&room_id, &person, &EVERYBODY, &from, &limit])
        .await?;
    rows.iter()
        .map(|row| {
            Ok(FoundMention {
                position: row.get("position")?,
                sender: row.get("sender")?,
                thread: row.get("thread")?,
            })
        })
        .collect()
}

/// Who said something, and what kind of thing.
#[derive(Debug, Clone)]
pub(crate) struct FoundSender {
    pub(crate) position: i64,
    pub(crate) sender: PersonId,
    pub(crate) event_type: String,
    pub(crate) state_key: Option<String>,
    /// The relation it has to another event, and to which.
    pub(crate) kind: Option<String>,
    pub(crate) target: Option<String>,
}

/// Who said the latest things in a room after a position.
pub(crate) async fn senders(
    tx: &mut Tx<'_>,
    room_id: &str,
    from: i64,
    limit: u32,
) -> Result<Vec<FoundSender>, StoreError> {
    let rows = tx.query(SENDERS, &[&room_id, &from, &limit]).await?;
    rows.iter()
        .map(|row| {
            Ok(FoundSender {
                position: row.get("position")?,
                sender: row.get("sender")?,
                event_type: row.get("type")?,
                state_key: row.get("state_key")?,
                kind: row.get("kind")?,
                target: row.get("target")?,
            })
        })
        .collect()
}

/// Up to `limit` rooms that a person is in and has not read all of, each with what is left, mentions not counted.
pub(crate) async fn unread_rooms(
    tx: &mut Tx<'_>,
    person: PersonId,
    limit: u32,
) -> Result<Vec<(String, Unread)>, StoreError> {
    let rows = tx.query(UNREAD_ROOMS, &[&person, &limit]).await?;
    rows.iter()
        .map(|row| Ok((row.get("room_id")?, read_unread(row)?)))
        .collect()
}

/// Keeps who was mentioned where: (room, person, position); each once.
pub(crate) async fn put_mentions(
    tx: &mut Tx<'_>,
    mentions: &[(String, PersonId, i64)],
) -> Result<(), StoreError> {
    let rows: Vec<Vec<Value<'_>>> = mentions
        .iter()
        .map(|(room_id, person, position)| vec![room_id.to_value(), person.to_value(), position.to_value()])
        .collect();
    tx.query_values(PUT_MENTION, &rows, PUT_MENTION_AFTER)
        .await
        .map(drop)
}
