//! A look at every database of a store by itself: what it holds, how it keeps it, and who copies it.
//!
//! Transactions go to whoever can write; an operator also wants to know how each of the others is. Nothing is changed,
//! and a host that does not answer holds nobody up.

mod chunks;
mod host;
mod jobs;
mod rows;

use serde::{Deserialize, Serialize};

use crate::copy;
use crate::{Migrations, StoreError, StoreUrl};

pub use chunks::{Chunks, ChunksSeen};
pub use jobs::LateJob;

/// One PostgreSQL, as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenHost {
    /// `host:port`, as the URL has it.
    pub host: String,
    /// What it told; or why it did not.
    pub told: Result<HostFacts, String>,
}

/// What one PostgreSQL told of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFacts {
    /// Whether it copies another one, and cannot be written to.
    pub is_standby: bool,
    /// Its version: `15.14`.
    pub version: String,
    /// Where its log ends, in bytes: written by a primary, received by a standby. `None` on one that received nothing.
    pub log_position: Option<i64>,
    /// Its settings that decide what survives: `fsync`, `full_page_writes`, `synchronous_commit`, ...
    pub settings: Vec<(String, String)>,
    /// Where its files are, if this user may know.
    pub data_directory: Option<String>,
    /// The size of the database, in bytes.
    pub size_bytes: i64,
    /// Its tables.
    pub tables: Vec<HostTable>,
    /// Who copies it.
    pub copies: Vec<HostCopy>,
    /// What a sample of the blobs' chunks showed.
    pub chunks: Option<ChunksSeen>,
}

impl HostFacts {
    /// A setting by its name.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<&str> {
        let found = self.settings.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// A table as one PostgreSQL has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostTable {
    /// Its name.
    pub name: String,
    /// Whether its rows are written to the log, and so to every copy. An unlogged table exists on its own host only.
    pub is_logged: bool,
}

/// A standby as the host sees it that it copies (`pg_stat_replication`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostCopy {
    /// The name that the standby gives itself.
    pub name: String,
    /// `streaming`, `catchup`, ...; empty when this user may not know.
    pub state: String,
    /// `quorum`, `sync`, `potential` or `async`; empty when this user may not know.
    pub sync_state: String,
    /// How far what it has on its disk is behind, in bytes.
    pub lag_bytes: Option<i64>,
    /// How long it took of late until it had something on its disk, in milliseconds.
    pub lag_ms: Option<i64>,
}

/// Asks every host of a PostgreSQL cluster how it is; nobody for an embedded file. `chunks` says how many of the blobs'
/// chunks each reads and compares with their names.
pub async fn look_at_hosts(url: &StoreUrl, chunks: Chunks) -> Vec<SeenHost> {
    match url {
        StoreUrl::Sqlite(_) => Vec::new(),
        StoreUrl::Postgres(config) => host::look_at_all(config, chunks).await,
    }
}

/// The names of all tables that the store and these services have, in the order of their names.
///
/// # Errors
/// [`StoreError::Migration`] when the migrations do not make a store.
pub fn table_names(services: &[Migrations]) -> Result<Vec<String>, StoreError> {
    copy::table_names(services).map_err(|error| StoreError::Migration(error.to_string()))
}
