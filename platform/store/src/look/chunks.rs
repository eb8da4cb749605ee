//! Whether blobs are still what they were: a chunk's name is the hash of its bytes.

use haechi_base::random;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{Row, Store, StoreError, Tx};

/// Chunks that a look reads when it takes a sample.
const SAMPLE_MAX: u32 = 64;

/// Chunks that travel together to be hashed here.
const CHUNKS_A_PAGE: u32 = 64;

/// How many of the blobs' chunks are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chunks {
    /// Some, from a random place on.
    Sample,
    /// All of them, however long it takes; and that no blob lacks one.
    All,
}

impl Chunks {
    /// Where to begin.
    pub(super) fn first(self) -> [u8; 32] {
        match self {
            Self::Sample => {
                // Half of the names lie after this one, so that there is something to read.
                let mut first = random::bytes::<32>();
                first[0] /= 2;
                first
            }
            Self::All => [0; 32],
        }
    }

    /// How many at the most.
    pub(super) const fn count_max(self) -> Option<u32> {
        match self {
            Self::Sample => Some(SAMPLE_MAX),
            Self::All => None,
        }
    }
}

/// What reading chunks showed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunksSeen {
    /// How many were read.
    pub read: u64,
    /// How many of them are not what they were.
    pub damaged: u64,
    /// How many chunks that blobs are made of are not there; counted only when all are read.
    pub missing: u64,
}

const READ: &str = "SELECT hash, bytes FROM store_chunk WHERE hash >= $1 ORDER BY hash LIMIT $2";
const READ_AFTER: &str = "SELECT hash, bytes FROM store_chunk WHERE hash > $1 ORDER BY hash LIMIT $2";
pub(super) const COUNT_MISSING: &str = "
    SELECT COUNT(*) AS missing FROM store_blob_chunk b LEFT JOIN store_chunk c ON c.hash = b.chunk WHERE c.hash IS NULL";

impl Store {
    /// Reads chunks of blobs, and compares each with its name.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn look_at_chunks(&self, chunks: Chunks) -> Result<ChunksSeen, StoreError> {
        let mut seen = ChunksSeen::default();
        let (mut from, mut statement) = (chunks.first(), READ);
        loop {
            let left = chunks.count_max().map_or(CHUNKS_A_PAGE, |max| {
                max.saturating_sub(u32::try_from(seen.read).unwrap_or(u32::MAX))
            });
            let page = left.min(CHUNKS_A_PAGE);
            let read = async move |tx: &mut Tx<'_>| {
                let rows = tx.query(statement, &[&from, &page]).await?;
                let chunk = |row: &Row| Ok((row.get::<[u8; 32]>("hash")?, row.get::<Vec<u8>>("bytes")?));
                rows.iter().map(chunk).collect::<Result<Vec<_>, StoreError>>()
            };
            let found = self.read(read).await?;
            for (hash, bytes) in &found {
                seen.read += 1;
                seen.damaged += u64::from(<[u8; 32]>::from(Sha256::digest(bytes)) != *hash);
            }
            match found.last() {
                Some((hash, _)) if page > 0 => (from, statement) = (*hash, READ_AFTER),
                _ => break,
            }
        }
        if chunks == Chunks::All {
            let count = async |tx: &mut Tx<'_>| tx.query_one(COUNT_MISSING, &[]).await?.get::<i64>("missing");
            seen.missing = u64::try_from(self.read(count).await?).unwrap_or_default();
        }
        Ok(seen)
    }
}
