//! Backups of the embedded file, taken while it is served, and the list of all backups that were made.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use haechi_base::Time;
use rusqlite::{Connection, OpenFlags};
use serde::{Deserialize, Serialize};

use crate::copy::{CopyError, TableSum, engine, sums_of_file};
use crate::{Migrations, Row, Store, StoreError, Tx};

/// How long a writer may hold the file.
const OTHER_PROCESS_WAIT: Duration = Duration::from_secs(10);

/// How many findings of an integrity check are told.
const FINDINGS_MAX: usize = 5;

/// One backup that was made and found whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// Its name, by which the tool that made it knows it.
    pub name: String,
    /// `file` or `pgbackrest`.
    pub kind: String,
    /// The folder or repository that holds it.
    pub place: String,
    /// Its size, in bytes.
    pub size_bytes: u64,
    /// When it was begun, by the clock of the machine that made it.
    pub started_at: Time,
    /// When it was done.
    pub finished_at: Time,
}

const NOTE: &str = "
    INSERT INTO store_backup (name, kind, place, size_bytes, started_at, finished_at) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (name) DO UPDATE SET
        kind = excluded.kind, place = excluded.place, size_bytes = excluded.size_bytes,
        started_at = excluded.started_at, finished_at = excluded.finished_at";
const LAST: &str = "
    SELECT name, kind, place, size_bytes, started_at, finished_at FROM store_backup
    ORDER BY finished_at DESC, name LIMIT 1";

impl Store {
    /// Notes that a backup was made.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note_backup(&self, backup: &Backup) -> Result<(), StoreError> {
        let backup = backup.clone();
        self.write_unkeyed(async move |tx: &mut Tx<'_>| {
            let size = i64::try_from(backup.size_bytes).unwrap_or(i64::MAX);
            tx.execute(
                NOTE,
                &[
                    &backup.name,
                    &backup.kind,
                    &backup.place,
                    &size,
                    &backup.started_at,
                    &backup.finished_at,
                ],
            )
            .await
            .map(drop)
        })
        .await
    }

    /// The newest backup that was noted, if there ever was one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn last_backup(&self) -> Result<Option<Backup>, StoreError> {
        self.read(async |tx: &mut Tx<'_>| {
            let row = tx.query_optional(LAST, &[]).await?;
            row.map(|row| from_row(&row)).transpose()
        })
        .await
    }
}

fn from_row(row: &Row) -> Result<Backup, StoreError> {
    Ok(Backup {
        name: row.get("name")?,
        kind: row.get("kind")?,
        place: row.get("place")?,
        size_bytes: row.get("size_bytes")?,
        started_at: row.get("started_at")?,
        finished_at: row.get("finished_at")?,
    })
}

/// Writes one snapshot of the embedded file at `source` to the new file `target`, readable by its owner only and
/// synced to the disk. The store may be served meanwhile. Blocks until it is done.
///
/// # Errors
/// [`CopyError::Engine`]: a file cannot be read or written, or `target` is there already.
pub fn back_up_file(source: &Path, target: &Path) -> Result<(), CopyError> {
    let name = source.display().to_string();
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(source, flags).map_err(|error| engine(&name, &error))?;
    connection
        .busy_timeout(OTHER_PROCESS_WAIT)
        .map_err(|error| engine(&name, &error))?;
    let created = target.display().to_string();
    if target.exists() {
        return Err(engine(&created, "is there already"));
    }
    // SQLite fills an empty file; made by us it is for its owner only.
    crate::sqlite::create_private(target).map_err(|error| engine(&created, &error))?;
    connection
        .execute("VACUUM INTO ?1", [&created])
        .map_err(|error| engine(&created, &error))?;
    // SQLite does not sync it.
    File::open(target)
        .and_then(|file| file.sync_all())
        .map_err(|error| engine(&created, &error))
}

/// Checks that an embedded file which nobody has open is whole and fits this program, and counts and checksums its
/// tables.
///
/// # Errors
/// [`CopyError`], with what is wrong.
pub async fn check_file(path: &Path, services: &[Migrations]) -> Result<Vec<TableSum>, CopyError> {
    let file = path.to_owned();
    let checked = tokio::task::spawn_blocking(move || check_integrity(&file)).await;
    checked.unwrap_or_else(|error| Err(engine("a thread of the check", &error)))?;
    sums_of_file(path, services).await
}

/// Checks that an embedded file is whole: its pages, its indexes, and that no row points to nothing. Blocks until it
/// is done.
///
/// # Errors
/// [`CopyError::Engine`], with what is damaged.
pub fn check_integrity(path: &Path) -> Result<(), CopyError> {
    let name = path.display().to_string();
    let read = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        let mut findings: Vec<String> = Vec::new();
        let mut statement = connection.prepare("PRAGMA integrity_check")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            findings.push(row.get(0)?);
        }
        let mut statement = connection.prepare("PRAGMA foreign_key_check")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
            findings.push(format!("a row of {table} points to nothing in {parent}"));
        }
        Ok(findings)
    };
    let mut findings = read().map_err(|error: rusqlite::Error| engine(&name, &error))?;
    findings.retain(|finding| finding != "ok");
    if findings.is_empty() {
        return Ok(());
    }
    findings.truncate(FINDINGS_MAX);
    Err(engine(&name, &format!("is damaged: {}", findings.join("; "))))
}
