//! Opening a connection with the settings that make a commit durable.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::StoreError;

/// Statements kept prepared on each connection.
const STATEMENTS_PREPARED_MAX: usize = 512;

/// How long to wait for another process that writes, such as `haechi admin` beside `haechi serve`.
pub(super) const OTHER_PROCESS_WAIT: Duration = Duration::from_secs(5);

/// Opens the file for writing and creates it when there is none.
pub(super) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    create_private(path).map_err(|error| unopened(path, &error))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| unopened(path, &error))?;
    // synchronous = FULL: a commit is acknowledged only after the write-ahead log was synced to the disk.
    configure(
        &connection,
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;",
    )
    .map_err(|error| unopened(path, &error))?;
    Ok(connection)
}

/// Opens the file to move the log into it, which syncs the log before.
pub(super) fn open_checkpointer(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| unopened(path, &error))?;
    configure(&connection, "PRAGMA synchronous = FULL;").map_err(|error| unopened(path, &error))?;
    Ok(connection)
}

/// Opens the file for reading only.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| unopened(path, &error))?;
    configure(&connection, "PRAGMA query_only = ON;").map_err(|error| unopened(path, &error))?;
    Ok(connection)
}

/// Creates the file for its owner only: it holds what people write to each other. SQLite gives the files beside
/// it the same mode.
pub(crate) fn create_private(path: &Path) -> std::io::Result<()> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map(drop)
}

fn configure(connection: &Connection, own: &str) -> rusqlite::Result<()> {
    connection.busy_timeout(OTHER_PROCESS_WAIT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_PREPARED_MAX);
    // 64 MiB of pages in memory, and maps of the file for what is read beyond them.
    connection.execute_batch(
        "PRAGMA foreign_keys = ON; PRAGMA cache_size = -65536; PRAGMA mmap_size = 1073741824;
         PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = 67108864;",
    )?;
    connection.execute_batch(own)
}

fn unopened(path: &Path, error: &dyn std::error::Error) -> StoreError {
    StoreError::Unavailable(format!("cannot open {}: {error}", path.display()))
}
