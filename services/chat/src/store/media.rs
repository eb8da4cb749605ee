//! Uploads: what each blob is and whose it was.

use haechi_base::{PersonId, Time};
use haechi_store::{BlobId, StoreError, Tx};

const PUT: &str = "
    INSERT INTO chat_media (media_id, uploader, blob_id, content_type, file_name, size_bytes, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (media_id) DO UPDATE SET size_bytes = excluded.size_bytes";
const FIND: &str = "
    SELECT media_id, uploader, blob_id, content_type, file_name, size_bytes, created_at
    FROM chat_media WHERE media_id = $1";

const UPLOADED: &str = "
    SELECT CAST(COALESCE(SUM(size_bytes), 0) AS BIGINT) AS bytes FROM chat_media
    WHERE uploader = $1 AND created_at > $2 AND media_id <> $3";

/// An upload.
#[derive(Debug, Clone)]
pub(crate) struct Media {
    pub(crate) media_id: String,
    pub(crate) uploader: PersonId,
    pub(crate) blob: BlobId,
    pub(crate) content_type: String,
    pub(crate) file_name: Option<String>,
    pub(crate) size_bytes: i64,
    pub(crate) created_at: Time,
}

/// Keeps what an upload is; its blob is there already.
pub(crate) async fn put(tx: &mut Tx<'_>, media: &Media) -> Result<(), StoreError> {
    tx.execute(
        PUT,
        &[
            &media.media_id,
            &media.uploader,
            &media.blob,
            &media.content_type,
            &media.file_name,
            &media.size_bytes,
            &media.created_at,
        ],
    )
    .await
    .map(drop)
}

/// Bytes that a person has uploaded since, without the upload of this id.
pub(crate) async fn uploaded(
    tx: &mut Tx<'_>,
    uploader: PersonId,
    since: Time,
    media_id: &str,
) -> Result<i64, StoreError> {
    tx.query_one(UPLOADED, &[&uploader, &since, &media_id])
        .await?
        .get("bytes")
}

/// An upload by its id.
pub(crate) async fn find(tx: &mut Tx<'_>, media_id: &str) -> Result<Option<Media>, StoreError> {
    let Some(row) = tx.query_optional(FIND, &[&media_id]).await? else {
        return Ok(None);
    };
    Ok(Some(Media {
        media_id: row.get("media_id")?,
        uploader: row.get("uploader")?,
        blob: row.get("blob_id")?,
        content_type: row.get("content_type")?,
        file_name: row.get("file_name")?,
        size_bytes: row.get("size_bytes")?,
        created_at: row.get("created_at")?,
    }))
}
