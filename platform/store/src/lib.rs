//! One transactional store, embedded (SQLite) or replicated (PostgreSQL), behind one SQL text.
//!
//! A service hands in a transaction as an async closure; the store runs it serializably, tries it again on a
//! conflict or a lost connection, and answers only after it is durable. The engine is chosen by a URL and is not
//! seen by the services: they write portable SQL (see this crate's README).

mod backup;
mod batcher;
mod blob;
mod copy;
mod error;
pub mod job;
mod leadership;
mod limits;
mod look;
mod many;
mod migrate;
mod postgres;
mod row;
mod sqlite;
mod store;
mod tx;
mod url;
mod value;
mod write_key;

#[cfg(test)]
mod tests;

pub use backup::{Backup, back_up_file, check_file, check_integrity};
pub use batcher::{BatchLimits, Batcher};
pub use blob::{BlobId, CHUNK_BYTES};
pub use copy::{CopyError, TablePair, TableSum, compare_stores, copy_store};
pub use error::StoreError;
pub use leadership::{Leadership, Term};
pub use limits::StoreLimits;
pub use look::{
    Chunks, ChunksSeen, HostCopy, HostFacts, HostTable, LateJob, SeenHost, look_at_hosts, table_names,
};
pub use many::Asked;
pub use migrate::{Applied, Migration, Migrations, all_steps};
pub use postgres::PostgresUrl;
pub use row::Row;
pub use store::Store;
pub use tx::{Statement, Tx};
pub use url::StoreUrl;
pub use value::{FromValue, ToValue, Value};
pub use write_key::{WriteKey, forget_keys, is_written_since};
