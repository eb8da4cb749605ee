//! Idempotency keys: a write that is repeated with its key is applied once and answered alike.

use haechi_base::{Time, random};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::{StoreError, Tx};

/// Names one write, so that a repetition of it can be told from another write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteKey {
    name: String,
    fingerprint: [u8; 32],
    origin: Origin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// Nobody outside can repeat it; only the store itself does, when a COMMIT's outcome is unknown.
    Store,
    /// The client chose it and may come back with it.
    Client,
}

impl WriteKey {
    /// A key of the store's own, for a write that no client repeats by key.
    #[must_use]
    pub fn fresh() -> Self {
        Self {
            name: format!("store/{}", random::name()),
            fingerprint: [0; 32],
            origin: Origin::Store,
        }
    }

    /// The key a client sent. `scope` keeps clients and operations apart (`pay.transfer/PERSON`), `request` is
    /// what was asked: the same key with another request is refused.
    #[must_use]
    pub fn client(scope: &str, key: &str, request: &[u8]) -> Self {
        Self {
            name: format!("{scope}/{key}"),
            fingerprint: Sha256::digest(request).into(),
            origin: Origin::Client,
        }
    }

    /// Whether a repetition can only come from the store's own retry after an unknown COMMIT.
    pub(crate) const fn is_fresh(&self) -> bool {
        matches!(self.origin, Origin::Store)
    }
}

// The key is claimed by an upsert, never by a read first: the upsert makes the repeated transaction write, so
// that its commit waits for the standbys, and the first commit with it.
const CLAIM: &str = "
    INSERT INTO store_write_key (name, fingerprint, attempts, created_at) VALUES ($1, $2, 1, $3)
    ON CONFLICT (name) DO UPDATE SET attempts = store_write_key.attempts + 1
    RETURNING fingerprint, answer";
const RECORD: &str = "UPDATE store_write_key SET answer = $2 WHERE name = $1";
const FORGET: &str = "
    DELETE FROM store_write_key WHERE name IN (
        SELECT name FROM store_write_key WHERE created_at < $1 ORDER BY created_at LIMIT $2)";
const WRITTEN_SINCE: &str = "SELECT name FROM store_write_key WHERE created_at >= $1 LIMIT 1";

/// Runs `transaction` under `key`: claims the key, runs, records the answer; or returns the recorded one.
pub(crate) async fn run_once<T, E, F>(
    tx: &mut Tx<'_>,
    key: &WriteKey,
    now: Time,
    transaction: &F,
) -> Result<T, E>
where
    F: AsyncFn(&mut Tx<'_>) -> Result<T, E>,
    T: Serialize + DeserializeOwned,
    E: From<StoreError>,
{
    let claimed = tx.query_one(CLAIM, &[&key.name, &key.fingerprint, &now]).await?;
    if claimed.get::<[u8; 32]>("fingerprint")? != key.fingerprint {
        return Err(StoreError::KeyReused.into());
    }
    if let Some(answer) = claimed.get::<Option<String>>("answer")? {
        let answer = serde_json::from_str(&answer).map_err(|error| StoreError::Answer(error.to_string()))?;
        return Ok(answer);
    }
    let answer = transaction(tx).await?;
    let text = serde_json::to_string(&answer).map_err(|error| StoreError::Answer(error.to_string()))?;
    tx.execute(RECORD, &[&key.name, &text]).await?;
    Ok(answer)
}

/// Forgets up to `limit` keys recorded before `before`; returns how many.
///
/// # Errors
/// [`StoreError`].
pub async fn forget_keys(tx: &mut Tx<'_>, before: Time, limit: u32) -> Result<u64, StoreError> {
    tx.execute(FORGET, &[&before, &limit]).await
}

/// Whether the host that is asked has any keyed write that began at `since` or later. One that has it has everything
/// that was acknowledged well before: a standby replays in the order of the commits.
///
/// # Errors
/// [`StoreError`].
pub async fn is_written_since(tx: &mut Tx<'_>, since: Time) -> Result<bool, StoreError> {
    Ok(tx.query_optional(WRITTEN_SINCE, &[&since]).await?.is_some())
}
