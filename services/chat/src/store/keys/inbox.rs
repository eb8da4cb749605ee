//! Messages to devices, kept until they were received.

use std::collections::{HashMap, HashSet};

use haechi_base::{PersonId, Time};
use haechi_store::{Row, Statement, StoreError, ToValue, Tx, Value};

const CLAIM: &str = "INSERT INTO chat_sent_to_device (request, sent_at, repeats) VALUES";
// A repeated request is answered by a write (see the store's README).
const CLAIM_AFTER: &str = "
    ON CONFLICT (request) DO UPDATE SET repeats = chat_sent_to_device.repeats + 1 RETURNING request, repeats";
const PUT: &str = "INSERT INTO chat_inbox (person, device_id, position, message) VALUES";
const PAGE: &str = "
    SELECT position, message FROM chat_inbox
    WHERE person = $1 AND device_id = $2 AND position > $3 AND position <= $4 ORDER BY position LIMIT $5";
const RECEIVED: &str = "
    SELECT position FROM chat_inbox WHERE person = $1 AND device_id = $2 AND position <= $3 LIMIT 1";
const FORGET: &str = "DELETE FROM chat_inbox WHERE person = $1 AND device_id = $2 AND position <= $3";
const COUNT: &str = "SELECT person, device_id, COUNT(*) AS messages FROM chat_inbox WHERE person IN";
const COUNT_AFTER: &str = "GROUP BY person, device_id";
const FORGET_SENT: &str = "
    DELETE FROM chat_sent_to_device WHERE request IN (
        SELECT request FROM chat_sent_to_device WHERE sent_at < $1 ORDER BY sent_at LIMIT $2)";

/// A message in an inbox.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) position: i64,
    pub(crate) message: String,
}

/// Notes requests, each once; returns those that were noted before.
pub(crate) async fn claim(tx: &mut Tx<'_>, requests: &[(&str, Time)]) -> Result<HashSet<String>, StoreError> {
    let rows: Vec<Vec<Value<'_>>> = requests
        .iter()
        .map(|(request, now)| vec![request.to_value(), now.to_value(), Value::Integer(0)])
        .collect();
    let mut repeated = HashSet::new();
    for row in tx.query_values(CLAIM, &rows, CLAIM_AFTER).await? {
        if row.get::<i64>("repeats")? > 0 {
            repeated.insert(row.get("request")?);
        }
    }
    Ok(repeated)
}

/// Puts messages into inboxes: (whose, device, position, message).
pub(crate) async fn put(tx: &mut Tx<'_>, messages: &[(PersonId, &str, i64, &str)]) -> Result<(), StoreError> {
    let rows: Vec<Vec<Value<'_>>> = messages
        .iter()
        .map(|(person, device_id, position, message)| {
            vec![
                person.to_value(),
                device_id.to_value(),
                position.to_value(),
                message.to_value(),
            ]
        })
        .collect();
    tx.query_values(PUT, &rows, "").await.map(drop)
}

/// Finds the first `limit` messages after `from` and up to `to`: for [`read`].
pub(crate) fn page(person: PersonId, device_id: &str, from: i64, to: i64, limit: u32) -> Statement {
    Statement::new(PAGE, &[&person, &device_id, &from, &to, &limit])
}

/// The messages of an answer.
pub(crate) fn read(rows: &[Row]) -> Result<Vec<Message>, StoreError> {
    let read = |row: &Row| {
        Ok(Message {
            position: row.get("position")?,
            message: row.get("message")?,
        })
    };
    rows.iter().map(read).collect()
}

/// Finds whether any message up to `to` is kept: the answer has a row, or none.
pub(crate) fn received(person: PersonId, device_id: &str, to: i64) -> Statement {
    Statement::new(RECEIVED, &[&person, &device_id, &to])
}

/// Forgets the messages up to `to`.
pub(crate) async fn forget(
    tx: &mut Tx<'_>,
    person: PersonId,
    device_id: &str,
    to: i64,
) -> Result<(), StoreError> {
    tx.execute(FORGET, &[&person, &device_id, &to]).await.map(drop)
}

/// How many messages wait for each device of these people that has any.
pub(crate) async fn count(
    tx: &mut Tx<'_>,
    people: &[PersonId],
) -> Result<HashMap<(PersonId, String), i64>, StoreError> {
    let rows = tx.query_in(COUNT, people, COUNT_AFTER).await?;
    rows.iter()
        .map(|row| Ok(((row.get("person")?, row.get("device_id")?), row.get("messages")?)))
        .collect()
}

/// Forgets up to `limit` requests from before; returns how many.
pub(crate) async fn forget_sent(tx: &mut Tx<'_>, before: Time, limit: u32) -> Result<u64, StoreError> {
    tx.execute(FORGET_SENT, &[&before, &limit]).await
}
