//! Previews of links, for as long as they are fresh.

use haechi_base::Time;
use haechi_store::{StoreError, Tx};

const PUT: &str = "
    INSERT INTO chat_url_preview (url_hash, preview, fetched_at) VALUES ($1, $2, $3)
    ON CONFLICT (url_hash) DO UPDATE SET preview = excluded.preview, fetched_at = excluded.fetched_at";
const FIND: &str = "SELECT preview FROM chat_url_preview WHERE url_hash = $1 AND fetched_at > $2";
const FORGET: &str = "
    DELETE FROM chat_url_preview WHERE url_hash IN (
        SELECT url_hash FROM chat_url_preview WHERE fetched_at < $1 ORDER BY fetched_at LIMIT $2)";

/// Keeps a preview, as JSON.
pub(crate) async fn put(
    tx: &mut Tx<'_>,
    url_hash: &[u8; 32],
    preview: &str,
    now: Time,
) -> Result<(), StoreError> {
    tx.execute(PUT, &[url_hash, &preview, &now]).await.map(drop)
}

/// The preview of an address, when it was fetched since.
pub(crate) async fn find(
    tx: &mut Tx<'_>,
    url_hash: &[u8; 32],
    since: Time,
) -> Result<Option<String>, StoreError> {
    let row = tx.query_optional(FIND, &[url_hash, &since]).await?;
    row.map(|row| row.get("preview")).transpose()
}

/// Forgets up to `limit` that were fetched before; returns how many.
pub(crate) async fn forget(tx: &mut Tx<'_>, before: Time, limit: u32) -> Result<u64, StoreError> {
    tx.execute(FORGET, &[&before, &limit]).await
}
