//! One-time keys, each handed out once, and the fallback keys behind them.

use std::collections::BTreeMap;

use haechi_base::{PersonId, Time};
use haechi_store::{Row, Statement, StoreError, ToValue, Tx, Value};

use crate::model::UploadedKey;

const PUT: &str = "
    INSERT INTO chat_one_time_key (person, device_id, algorithm, key_id, key, uploaded_at) VALUES";
// A key that is there keeps its place, claimed or not. The answer tells what it is.
const PUT_AFTER: &str = "
    ON CONFLICT (person, device_id, algorithm, key_id) DO UPDATE SET key = chat_one_time_key.key
    RETURNING algorithm, key_id, key";
const CLAIM: &str = "
    UPDATE chat_one_time_key SET claimed_at = $4
    WHERE person = $1 AND device_id = $2 AND algorithm = $3 AND key_id = (
        SELECT key_id FROM chat_one_time_key
        WHERE person = $1 AND device_id = $2 AND algorithm = $3 AND claimed_at IS NULL
        ORDER BY uploaded_at, key_id LIMIT 1)
    RETURNING key_id, key";
const COUNT: &str = "
    SELECT algorithm, COUNT(*) AS keys FROM chat_one_time_key
    WHERE person = $1 AND device_id = $2 AND claimed_at IS NULL GROUP BY algorithm";
const FORGET_CLAIMED: &str = "
    DELETE FROM chat_one_time_key WHERE claimed_at IS NOT NULL AND claimed_at IN (
        SELECT claimed_at FROM chat_one_time_key
        WHERE claimed_at IS NOT NULL AND claimed_at < $1 ORDER BY claimed_at LIMIT $2)";
// The same key again stays used: it is the key that is spent, not the upload.
const PUT_FALLBACK: &str = "
    INSERT INTO chat_fallback_key (person, device_id, algorithm, key_id, key, used) VALUES";
const PUT_FALLBACK_AFTER: &str = "
    ON CONFLICT (person, device_id, algorithm) DO UPDATE SET
        used = (chat_fallback_key.used AND chat_fallback_key.key_id = excluded.key_id
            AND chat_fallback_key.key = excluded.key),
        key_id = excluded.key_id, key = excluded.key";
const USE_FALLBACK: &str = "
    UPDATE chat_fallback_key SET used = TRUE WHERE person = $1 AND device_id = $2 AND algorithm = $3
    RETURNING key_id, key";
const UNUSED_FALLBACKS: &str = "
    SELECT algorithm FROM chat_fallback_key WHERE person = $1 AND device_id = $2 AND NOT used";

/// Keeps one-time keys of a device; returns what is now kept under their names.
pub(crate) async fn put(
    tx: &mut Tx<'_>,
    person: PersonId,
    device_id: &str,
    keys: &[UploadedKey],
    now: Time,
) -> Result<Vec<UploadedKey>, StoreError> {
    let mut rows = rows_of(person, device_id, keys);
    rows.iter_mut().for_each(|row| row.push(now.to_value()));
    let kept = tx.query_values(PUT, &rows, PUT_AFTER).await?;
    kept.iter()
        .map(|row| {
            Ok(UploadedKey {
                algorithm: row.get("algorithm")?,
                id: row.get("key_id")?,
                key: row.get("key")?,
            })
        })
        .collect()
}

fn rows_of<'k>(person: PersonId, device_id: &'k str, keys: &'k [UploadedKey]) -> Vec<Vec<Value<'k>>> {
    let row = |key: &'k UploadedKey| {
        vec![
            person.to_value().into_owned(),
            device_id.to_value(),
            key.algorithm.to_value(),
            key.id.to_value(),
            key.key.to_value(),
        ]
    };
    keys.iter().map(row).collect()
}

/// Keeps the fallback keys of a device, one an algorithm.
pub(crate) async fn put_fallback(
    tx: &mut Tx<'_>,
    person: PersonId,
    device_id: &str,
    keys: &[UploadedKey],
) -> Result<(), StoreError> {
    let mut rows = rows_of(person, device_id, keys);
    rows.iter_mut().for_each(|row| row.push(Value::Bool(false)));
    tx.query_values(PUT_FALLBACK, &rows, PUT_FALLBACK_AFTER)
        .await
        .map(drop)
}

/// A device of which a key is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) person: PersonId,
    pub(crate) device_id: String,
    pub(crate) algorithm: String,
}

/// Hands out the oldest one-time key of each device, which nobody gets again; in the order of the claims.
pub(crate) async fn claim(
    tx: &mut Tx<'_>,
    claims: &[Claim],
    now: Time,
) -> Result<Vec<Option<UploadedKey>>, StoreError> {
    let of =
        |claim: &Claim| Statement::new(CLAIM, &[&claim.person, &claim.device_id, &claim.algorithm, &now]);
    handed_out(tx, claims, of).await
}

/// Hands out the fallback key of each device; in the order of the claims.
pub(crate) async fn use_fallbacks(
    tx: &mut Tx<'_>,
    claims: &[Claim],
) -> Result<Vec<Option<UploadedKey>>, StoreError> {
    let of =
        |claim: &Claim| Statement::new(USE_FALLBACK, &[&claim.person, &claim.device_id, &claim.algorithm]);
    handed_out(tx, claims, of).await
}

async fn handed_out(
    tx: &mut Tx<'_>,
    claims: &[Claim],
    statement: impl Fn(&Claim) -> Statement,
) -> Result<Vec<Option<UploadedKey>>, StoreError> {
    let statements: Vec<Statement> = claims.iter().map(statement).collect();
    let answers = tx.run_all(&statements).await?;
    let read = |(claim, rows): (&Claim, &Vec<Row>)| {
        rows.first()
            .map(|row| {
                Ok(UploadedKey {
                    algorithm: claim.algorithm.clone(),
                    id: row.get("key_id")?,
                    key: row.get("key")?,
                })
            })
            .transpose()
    };
    claims.iter().zip(&answers).map(read).collect()
}

/// Counts the unclaimed one-time keys of a device: for [`read_counts`].
pub(crate) fn count(person: PersonId, device_id: &str) -> Statement {
    Statement::new(COUNT, &[&person, &device_id])
}

/// How many there are of each algorithm.
pub(crate) fn read_counts(rows: &[Row]) -> Result<BTreeMap<String, u32>, StoreError> {
    rows.iter()
        .map(|row| Ok((row.get("algorithm")?, row.get("keys")?)))
        .collect()
}

/// Finds the algorithms of which a device has an unused fallback key: for [`read_algorithms`].
pub(crate) fn unused_fallbacks(person: PersonId, device_id: &str) -> Statement {
    Statement::new(UNUSED_FALLBACKS, &[&person, &device_id])
}

/// The algorithms.
pub(crate) fn read_algorithms(rows: &[Row]) -> Result<Vec<String>, StoreError> {
    rows.iter().map(|row| row.get("algorithm")).collect()
}

/// Forgets up to `limit` or a few more keys that were claimed before; returns how many.
pub(crate) async fn forget_claimed(tx: &mut Tx<'_>, before: Time, limit: u32) -> Result<u64, StoreError> {
    tx.execute(FORGET_CLAIMED, &[&before, &limit]).await
}
