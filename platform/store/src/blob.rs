//! Blobs: content-addressed, in chunks, replicated like everything else in the store.

use std::fmt;
use std::str::FromStr;

use bytes::{Bytes, BytesMut};
use sha2::{Digest, Sha256};

use crate::{Store, StoreError, ToValue, Tx, Value};

/// Bytes in a chunk: small enough for one row, one statement and one message of the replication.
pub const CHUNK_BYTES: usize = 256 * 1024;

/// Chunks written by one transaction, so that a large upload holds up nobody for long.
const CHUNKS_A_TRANSACTION: usize = 4;

/// Names a blob by its content: SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlobId([u8; 32]);

impl BlobId {
    /// The id of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl FromStr for BlobId {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refusal = || StoreError::Type {
            expected: "64 hex digits".to_owned(),
            found: "another text".to_owned(),
        };
        if text.len() != 64 || !text.is_ascii() {
            return Err(refusal());
        }
        let mut id = [0; 32];
        for (index, byte) in id.iter_mut().enumerate() {
            let digits = text.get(index * 2..index * 2 + 2).ok_or_else(refusal)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| refusal())?;
        }
        Ok(Self(id))
    }
}

impl ToValue for BlobId {
    fn to_value(&self) -> Value<'_> {
        self.0.to_value()
    }
}

impl crate::FromValue for BlobId {
    fn from_value(value: &Value<'static>) -> Result<Self, StoreError> {
        <[u8; 32]>::from_value(value).map(Self)
    }
}

// Repeating the upsert writes again, so that a repeated upload waits for the standbys like the first.
const PUT_CHUNK: &str = "
    INSERT INTO store_chunk (hash, bytes) VALUES ($1, $2)
    ON CONFLICT (hash) DO UPDATE SET bytes = excluded.bytes";
const PUT_BLOB_CHUNK: &str = "
    INSERT INTO store_blob_chunk (blob, number, chunk) VALUES ($1, $2, $3)
    ON CONFLICT (blob, number) DO UPDATE SET chunk = excluded.chunk";
const PUT_BLOB: &str = "
    INSERT INTO store_blob (hash, size_bytes, chunk_count, created_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (hash) DO UPDATE SET size_bytes = excluded.size_bytes";
const FIND_BLOB: &str = "SELECT size_bytes, chunk_count FROM store_blob WHERE hash = $1";
const READ_CHUNK: &str = "
    SELECT c.bytes AS bytes FROM store_blob_chunk b JOIN store_chunk c ON c.hash = b.chunk
    WHERE b.blob = $1 AND b.number = $2";

impl Store {
    /// Keeps `bytes` and returns their id. The blob can be found only when all of it is there.
    ///
    /// # Errors
    /// [`StoreError`]. Chunks of a blob that was not finished are harmless and are found again when the same
    /// bytes come back.
    pub async fn put_blob(&self, bytes: Bytes) -> Result<BlobId, StoreError> {
        let id = BlobId::of(&bytes);
        let chunks: Vec<(u32, Bytes)> = (0_u32..)
            .zip(bytes.chunks(CHUNK_BYTES).map(|chunk| bytes.slice_ref(chunk)))
            .collect();
        for group in chunks.chunks(CHUNKS_A_TRANSACTION) {
            let group = group.to_vec();
            self.write_unkeyed(async move |tx: &mut Tx<'_>| {
                for (number, chunk) in &group {
                    let hash = BlobId::of(chunk);
                    tx.execute(PUT_CHUNK, &[&hash, &chunk.as_ref()]).await?;
                    tx.execute(PUT_BLOB_CHUNK, &[&id, number, &hash]).await?;
                }
                Ok::<(), StoreError>(())
            })
            .await?;
        }
        let size = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        let count = i64::try_from(chunks.len()).unwrap_or(i64::MAX);
        let now = self.now();
        self.write_unkeyed(async move |tx: &mut Tx<'_>| {
            tx.execute(PUT_BLOB, &[&id, &size, &count, &now]).await.map(drop)
        })
        .await?;
        Ok(id)
    }

    /// The bytes of a blob, or `None` when there is no such blob.
    ///
    /// # Errors
    /// [`StoreError::DamagedBlob`] when what was read does not hash to its id, and [`StoreError`].
    pub async fn get_blob(&self, id: BlobId) -> Result<Option<Bytes>, StoreError> {
        let found = self
            .read(async move |tx: &mut Tx<'_>| {
                let Some(row) = tx.query_optional(FIND_BLOB, &[&id]).await? else {
                    return Ok(None);
                };
                Ok::<_, StoreError>(Some((
                    row.get::<u64>("size_bytes")?,
                    row.get::<u32>("chunk_count")?,
                )))
            })
            .await?;
        let Some((size, chunk_count)) = found else {
            return Ok(None);
        };
        let mut bytes = BytesMut::with_capacity(usize::try_from(size).unwrap_or_default());
        for number in 0..chunk_count {
            let chunk = self
                .read(async move |tx: &mut Tx<'_>| {
                    let row = tx.query_optional(READ_CHUNK, &[&id, &number]).await?;
                    row.map(|row| row.get::<Vec<u8>>("bytes")).transpose()
                })
                .await?;
            bytes.extend_from_slice(&chunk.ok_or_else(|| StoreError::DamagedBlob(id.to_string()))?);
        }
        if BlobId::of(&bytes) != id {
            return Err(StoreError::DamagedBlob(id.to_string()));
        }
        Ok(Some(bytes.freeze()))
    }
}
