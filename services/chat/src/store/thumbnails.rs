//! Thumbnails: which were made, and where they lie.

use haechi_base::Time;
use haechi_store::{BlobId, StoreError, Tx};

const PUT: &str = "
    INSERT INTO chat_thumbnail (media_id, size, blob_id, content_type, size_bytes, created_at)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (media_id, size) DO UPDATE SET blob_id = excluded.blob_id, content_type = excluded.content_type,
        size_bytes = excluded.size_bytes";
const FIND: &str = "
    SELECT blob_id, content_type, size_bytes FROM chat_thumbnail WHERE media_id = $1 AND size = $2";

/// A thumbnail that was made.
#[derive(Debug, Clone)]
pub(crate) struct Thumbnail {
    pub(crate) blob: BlobId,
    pub(crate) content_type: String,
    pub(crate) size_bytes: i64,
}

/// Keeps a thumbnail; its blob is there already.
pub(crate) async fn put(
    tx: &mut Tx<'_>,
    media_id: &str,
    size: &str,
    thumbnail: &Thumbnail,
    now: Time,
) -> Result<(), StoreError> {
    tx.execute(
        PUT,
        &[
            &media_id,
            &size,
            &thumbnail.blob,
            &thumbnail.content_type,
            &thumbnail.size_bytes,
            &now,
        ],
    )
    .await
    .map(drop)
}

/// The thumbnail of an upload in a size.
pub(crate) async fn find(
    tx: &mut Tx<'_>,
    media_id: &str,
    size: &str,
) -> Result<Option<Thumbnail>, StoreError> {
    let Some(row) = tx.query_optional(FIND, &[&media_id, &size]).await? else {
        return Ok(None);
    };
    Ok(Some(Thumbnail {
        blob: row.get("blob_id")?,
        content_type: row.get("content_type")?,
        size_bytes: row.get("size_bytes")?,
    }))
}
