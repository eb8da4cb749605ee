//! What events say of other events: edits, threads, reactions, references.

use haechi_base::PersonId;
use haechi_store::{Row, Statement, StoreError, ToValue, Tx, Value};

use super::events::{event_columns, read};
use crate::model::{Event, member_key};

const INSERT: &str = "
    INSERT INTO chat_relation (event_id, target, kind, type, position, ordinal, is_edit, reaction) VALUES";
const INSERT_AFTER: &str = "ON CONFLICT (event_id) DO UPDATE SET position = excluded.position";
const REACTIONS: &str = "SELECT reaction FROM chat_relation WHERE reaction IN";
const MARK_TARGETS: &str = "UPDATE chat_event SET is_related = TRUE WHERE event_id IN";
const PUT_EDITS: &str = "INSERT INTO chat_edit (target, event_id, position) VALUES";
const PUT_EDITS_AFTER: &str = "
    ON CONFLICT (target) DO UPDATE SET event_id = excluded.event_id, position = excluded.position";
const RAISE_THREADS: &str = "
    INSERT INTO chat_thread (root, room_id, event_id, position, children, ordinal) VALUES";
const RAISE_THREADS_AFTER: &str = "
    ON CONFLICT (root) DO UPDATE SET event_id = excluded.event_id, position = excluded.position,
        children = chat_thread.children + excluded.children, ordinal = chat_thread.ordinal + excluded.ordinal
    RETURNING root, ordinal";
const PUT_MEMBERS: &str = "
    INSERT INTO chat_thread_member (member, position, ordinal, participates) VALUES";
// Nobody unreads, here either.
const PUT_MEMBERS_AFTER: &str = "
    ON CONFLICT (member) DO UPDATE SET
        position = CASE WHEN excluded.position > chat_thread_member.position
            THEN excluded.position ELSE chat_thread_member.position END,
        ordinal = CASE WHEN excluded.position > chat_thread_member.position
            THEN excluded.ordinal ELSE chat_thread_member.ordinal END,
        participates = chat_thread_member.participates OR excluded.participates";
const MEMBERS: &str = "
    SELECT member, position, ordinal, participates FROM chat_thread_member WHERE member IN";
const ORDINAL_AT: &str = "
    SELECT ordinal FROM chat_relation WHERE target = $1 AND kind = 'm.thread' AND position <= $2
    ORDER BY position DESC LIMIT 1";
const FORGET: &str = "DELETE FROM chat_relation WHERE event_id = $1";
const SHRINK_THREAD: &str = "
    UPDATE chat_thread SET
        children = (SELECT COUNT(*) FROM chat_relation r
            WHERE r.target = chat_thread.root AND r.kind = 'm.thread'),
        event_id = COALESCE((SELECT r.event_id FROM chat_relation r
            WHERE r.target = chat_thread.root AND r.kind = 'm.thread' ORDER BY r.position DESC LIMIT 1), ''),
        position = COALESCE((SELECT MAX(r.position) FROM chat_relation r
            WHERE r.target = chat_thread.root AND r.kind = 'm.thread'), 0)
    WHERE root = $1";
const TAKE_EDIT_BACK: &str = "
    UPDATE chat_edit SET
        event_id = COALESCE((SELECT r.event_id FROM chat_relation r WHERE r.target = chat_edit.target
            AND r.kind = 'm.replace' AND r.is_edit ORDER BY r.position DESC LIMIT 1), ''),
        position = COALESCE((SELECT MAX(r.position) FROM chat_relation r WHERE r.target = chat_edit.target
            AND r.kind = 'm.replace' AND r.is_edit), 0)
    WHERE target = $1";
const EDITS: &str = concat!(
    event_columns!(),
    ", d.target AS target FROM chat_edit d JOIN chat_event e ON e.event_id = d.event_id WHERE d.target IN"
);
const THREADS: &str = concat!(
    event_columns!(),
    ", t.root AS root, t.children AS children FROM chat_thread t JOIN chat_event e ON e.event_id = t.event_id
    WHERE t.children > 0 AND t.root IN"
);
const LATEST_IN_THREADS: &str = concat!(
    event_columns!(),
    ", r.target AS target FROM chat_relation r JOIN chat_event e ON e.event_id = r.event_id
    WHERE r.kind = 'm.thread' AND r.target IN"
);
const LATEST_IN_THREADS_AFTER: &str = "ORDER BY r.position DESC LIMIT 1000";
const REFERENCES: &str = "
    SELECT target, event_id, position FROM chat_relation WHERE kind = 'm.reference' AND target IN";
// As `limits::REFERENCES_TOLD_MAX`.
const REFERENCES_AFTER: &str = "ORDER BY position LIMIT 1000";
const CHILDREN: &str = "SELECT event_id, kind, type, position FROM chat_relation WHERE target IN";
// As `limits::RELATIONS_FOLLOWED_MAX`.
const CHILDREN_AFTER: &str = "ORDER BY position DESC LIMIT 1000";
const OF_ROOM: &str = concat!(
    event_columns!(),
    ", t.position AS latest, t.children AS children FROM chat_thread t JOIN chat_event e ON e.event_id = t.root
    WHERE t.room_id = $1 AND t.position <= $2 AND t.children > 0 ORDER BY t.position DESC LIMIT $3"
);
const WITH_NEWS: &str = "
    SELECT root, position, ordinal FROM chat_thread WHERE room_id = $1 AND position > $2
    ORDER BY position DESC LIMIT $3";

/// A page of children: all or of one kind, the newest first or the oldest.
const CHILDREN_BACKWARD: &str = concat!(
    event_columns!(),
    "FROM chat_relation r JOIN chat_event e ON e.event_id = r.event_id
    WHERE r.target = $1 AND r.position > $2 AND r.position <= $3 ORDER BY r.position DESC LIMIT $4"
);
const CHILDREN_FORWARD: &str = concat!(
    event_columns!(),
    "FROM chat_relation r JOIN chat_event e ON e.event_id = r.event_id
    WHERE r.target = $1 AND r.position > $2 AND r.position <= $3 ORDER BY r.position LIMIT $4"
);
const CHILDREN_OF_KIND_BACKWARD: &str = concat!(
    event_columns!(),
    "FROM chat_relation r JOIN chat_event e ON e.event_id = r.event_id
    WHERE r.target = $1 AND r.kind = $5 AND r.position > $2 AND r.position <= $3
    ORDER BY r.position DESC LIMIT $4"
);
const CHILDREN_OF_KIND_FORWARD: &str = concat!(
    event_columns!(),
    "FROM chat_relation r JOIN chat_event e ON e.event_id = r.event_id
    WHERE r.target = $1 AND r.kind = $5 AND r.position > $2 AND r.position <= $3
    ORDER BY r.position LIMIT $4"
);

/// What one event says of another, as it is kept.
#[derive(Debug, Clone)]
pub(crate) struct Related {
    pub(crate) event_id: String,
    pub(crate) target: String,
    pub(crate) kind: String,
    pub(crate) event_type: String,
    pub(crate) position: i64,
    /// How many messages the thread has up to this one.
    pub(crate) ordinal: i64,
    /// Whether it is an edit that stands.
    pub(crate) is_edit: bool,
    pub(crate) reaction: Option<[u8; 32]>,
}

/// Keeps relations; each event once.
pub(crate) async fn insert(tx: &mut Tx<'_>, relations: &[Related]) -> Result<(), StoreError> {
    let rows: Vec<Vec<Value<'_>>> = relations
        .iter()
        .map(|related| {
            vec![
                related.event_id.to_value(),
                related.target.to_value(),
                related.kind.to_value(),
                related.event_type.to_value(),
                related.position.to_value(),
                related.ordinal.to_value(),
                related.is_edit.to_value(),
                related.reaction.to_value(),
            ]
        })
        .collect();
    tx.query_values(INSERT, &rows, INSERT_AFTER).await.map(drop)
}

/// Which of these reactions are there.
pub(crate) async fn reactions(tx: &mut Tx<'_>, reactions: &[[u8; 32]]) -> Result<Vec<[u8; 32]>, StoreError> {
    let rows = tx.query_in(REACTIONS, reactions, "").await?;
    rows.iter().map(|row| row.get("reaction")).collect()
}

/// Notes on events that others relate to them.
pub(crate) async fn mark_targets(tx: &mut Tx<'_>, targets: &[&str]) -> Result<(), StoreError> {
    tx.query_in(MARK_TARGETS, targets, "").await.map(drop)
}

/// Keeps the latest edits: (target, edit, position); each target once.
pub(crate) async fn put_edits(tx: &mut Tx<'_>, edits: &[(&str, &str, i64)]) -> Result<(), StoreError> {
    let rows: Vec<Vec<Value<'_>>> = edits
        .iter()
        .map(|(target, event_id, position)| vec![target.to_value(), event_id.to_value(), position.to_value()])
        .collect();
    tx.query_values(PUT_EDITS, &rows, PUT_EDITS_AFTER).await.map(drop)
}

/// What a batch adds to a thread.
#[derive(Debug, Clone)]
pub(crate) struct Raise<'r> {
    pub(crate) root: &'r str,
    pub(crate) room_id: &'r str,
    /// The latest event, and its position.
    pub(crate) event_id: &'r str,
    pub(crate) position: i64,
    pub(crate) children: i64,
    /// How many of them are messages.
    pub(crate) messages: i64,
}

/// Adds to threads, each once; returns how many messages each has by now.
pub(crate) async fn raise_threads(
    tx: &mut Tx<'_>,
    threads: &[Raise<'_>],
) -> Result<Vec<(String, i64)>, StoreError> {
    let rows: Vec<Vec<Value<'_>>> = threads
        .iter()
        .map(|raise| {
            vec![
                raise.root.to_value(),
                raise.room_id.to_value(),
                raise.event_id.to_value(),
                raise.position.to_value(),
                raise.children.to_value(),
                raise.messages.to_value(),
            ]
        })
        .collect();
    let raised = tx.query_values(RAISE_THREADS, &rows, RAISE_THREADS_AFTER).await?;
    raised
        .iter()
        .map(|row| Ok((row.get("root")?, row.get("ordinal")?)))
        .collect()
}

/// How somebody stands to a thread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ThreadMember {
    /// Up to where they have read it, and how many of its messages.
    pub(crate) position: i64,
    pub(crate) ordinal: i64,
    /// Whether they wrote in it.
    pub(crate) participates: bool,
}

/// Keeps how people stand to threads: (person, root, how); each pair once.
pub(crate) async fn put_members(
    tx: &mut Tx<'_>,
    members: &[(PersonId, &str, ThreadMember)],
) -> Result<(), StoreError> {
    let rows: Vec<Vec<Value<'_>>> = members
        .iter()
        .map(|(person, root, member)| {
            vec![
                Value::Bytes(member_key(*person, root).into()),
                member.position.to_value(),
                member.ordinal.to_value(),
                member.participates.to_value(),
            ]
        })
        .collect();
    tx.query_values(PUT_MEMBERS, &rows, PUT_MEMBERS_AFTER)
        .await
        .map(drop)
}

/// How a person stands to these threads, in their order.
pub(crate) async fn members(
    tx: &mut Tx<'_>,
    person: PersonId,
    roots: &[&str],
) -> Result<Vec<ThreadMember>, StoreError> {
    let keys: Vec<Vec<u8>> = roots.iter().map(|root| member_key(person, root)).collect();
    let mut members = vec![ThreadMember::default(); roots.len()];
    for row in tx.query_in(MEMBERS, &keys, "").await? {
        let key: Vec<u8> = row.get("member")?;
        let place = keys.iter().position(|known| *known == key);
        if let Some(member) = place.and_then(|place| members.get_mut(place)) {
            *member = ThreadMember {
                position: row.get("position")?,
                ordinal: row.get("ordinal")?,
                participates: row.get("participates")?,
            };
        }
    }
    Ok(members)
}

/// How many messages threads have up to these positions: (root, position), in their order.
pub(crate) async fn ordinals_at(tx: &mut Tx<'_>, places: &[(&str, i64)]) -> Result<Vec<i64>, StoreError> {
    let statements: Vec<Statement> = places
        .iter()
        .map(|(root, position)| Statement::new(ORDINAL_AT, &[root, position]))
        .collect();
    let answers = tx.run_all(&statements).await?;
    answers
        .iter()
        .map(|rows| rows.first().map_or(Ok(0), |row| row.get("ordinal")))
        .collect()
}

/// Takes relations away whose events were taken back: (event, target, kind).
pub(crate) async fn forget(
    tx: &mut Tx<'_>,
    relations: &[(&str, &str, ForgottenKind)],
) -> Result<(), StoreError> {
    let statements: Vec<Statement> = relations
        .iter()
        .flat_map(|(event_id, target, kind)| {
            let after = match kind {
                ForgottenKind::Thread => Some(Statement::new(SHRINK_THREAD, &[target])),
                ForgottenKind::Edit => Some(Statement::new(TAKE_EDIT_BACK, &[target])),
                ForgottenKind::Other => None,
            };
            std::iter::once(Statement::new(FORGET, &[event_id])).chain(after)
        })
        .collect();
    tx.run_all(&statements).await.map(drop)
}

/// What else has to be set right when a relation goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ForgottenKind {
    /// The thread has one less, and another latest.
    Thread,
    /// Another edit is the latest, or none.
    Edit,
    /// Nothing.
    Other,
}

/// The latest edits of these events: (original, edit).
pub(crate) async fn edits(tx: &mut Tx<'_>, targets: &[&str]) -> Result<Vec<(String, Event)>, StoreError> {
    let rows = tx.query_in(EDITS, targets, "").await?;
    rows.iter()
        .map(|row| Ok((row.get("target")?, read(row)?)))
        .collect()
}

/// The threads that begin at these events: (root, how many children, the latest one).
pub(crate) async fn threads(
    tx: &mut Tx<'_>,
    roots: &[&str],
) -> Result<Vec<(String, i64, Event)>, StoreError> {
    let rows = tx.query_in(THREADS, roots, "").await?;
    rows.iter()
        .map(|row| Ok((row.get("root")?, row.get("children")?, read(row)?)))
        .collect()
}

/// The latest events of these threads, the newest first: (root, event).
pub(crate) async fn latest_in_threads(
    tx: &mut Tx<'_>,
    roots: &[&str],
) -> Result<Vec<(String, Event)>, StoreError> {
    let rows = tx
        .query_in(LATEST_IN_THREADS, roots, LATEST_IN_THREADS_AFTER)
        .await?;
    rows.iter()
        .map(|row| Ok((row.get("target")?, read(row)?)))
        .collect()
}

/// What refers to these events: (target, event, position).
pub(crate) async fn references(
    tx: &mut Tx<'_>,
    targets: &[&str],
) -> Result<Vec<(String, String, i64)>, StoreError> {
    let rows = tx.query_in(REFERENCES, targets, REFERENCES_AFTER).await?;
    rows.iter().map(reference).collect()
}

fn reference(row: &Row) -> Result<(String, String, i64), StoreError> {
    Ok((row.get("target")?, row.get("event_id")?, row.get("position")?))
}

/// A child of an event, without its content.
#[derive(Debug, Clone)]
pub(crate) struct Child {
    pub(crate) event_id: String,
    pub(crate) kind: String,
    pub(crate) event_type: String,
    pub(crate) position: i64,
}

/// The children of these events, of all kinds.
pub(crate) async fn children_of(tx: &mut Tx<'_>, targets: &[&str]) -> Result<Vec<Child>, StoreError> {
    let rows = tx.query_in(CHILDREN, targets, CHILDREN_AFTER).await?;
    rows.iter()
        .map(|row| {
            Ok(Child {
                event_id: row.get("event_id")?,
                kind: row.get("kind")?,
                event_type: row.get("type")?,
                position: row.get("position")?,
            })
        })
        .collect()
}

/// Which children of an event are wanted: after `low`, up to `high`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChildRange<'r> {
    pub(crate) target: &'r str,
    /// The relation they have; `None` for any.
    pub(crate) kind: Option<&'r str>,
    pub(crate) low: i64,
    pub(crate) high: i64,
    pub(crate) is_forward: bool,
    pub(crate) limit: u32,
}

/// A page of an event's children.
pub(crate) async fn children(tx: &mut Tx<'_>, range: ChildRange<'_>) -> Result<Vec<Event>, StoreError> {
    let ChildRange {
        target,
        low,
        high,
        limit,
        ..
    } = range;
    let rows = match (range.kind, range.is_forward) {
        (None, true) => {
            tx.query(CHILDREN_FORWARD, &[&target, &low, &high, &limit])
                .await?
        }
        (None, false) => {
            tx.query(CHILDREN_BACKWARD, &[&target, &low, &high, &limit])
                .await?
        }
        (Some(kind), is_forward) => {
            let sql = if is_forward {
                CHILDREN_OF_KIND_FORWARD
            } else {
                CHILDREN_OF_KIND_BACKWARD
            };
            tx.query(sql, &[&target, &low, &high, &limit, &kind]).await?
        }
    };
    rows.iter().map(read).collect()
}

/// The threads of a room up to a position of their latest events, the newest first: (that position, root).
pub(crate) async fn of_room(
    tx: &mut Tx<'_>,
    room_id: &str,
    to: i64,
    limit: u32,
) -> Result<Vec<(i64, Event)>, StoreError> {
    let rows = tx.query(OF_ROOM, &[&room_id, &to, &limit]).await?;
    rows.iter()
        .map(|row| Ok((row.get("latest")?, read(row)?)))
        .collect()
}

/// The threads of a room with news after a position: (root, latest position, messages).
pub(crate) async fn with_news(
    tx: &mut Tx<'_>,
    room_id: &str,
    from: i64,
    limit: u32,
) -> Result<Vec<(String, i64, i64)>, StoreError> {
    let rows = tx.query(WITH_NEWS, &[&room_id, &from, &limit]).await?;
    rows.iter()
        .map(|row| Ok((row.get("root")?, row.get("position")?, row.get("ordinal")?)))
        .collect()
}
