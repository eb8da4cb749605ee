//! Moves everything from one store to another, counted and checksummed: from the embedded file to a cluster, or back.
//!
//! All or nothing: the target's tables are made, filled, read back and compared inside one transaction. While it
//! runs nobody else can write to either side. What the tables are is read from a store made new by the same
//! migrations, so a table that the program does not know, or one that it misses, is refused by name.

mod digest;
mod embedded;
mod replicated;
mod schema;

use std::path::Path;

use serde::Serialize;
use thiserror::Error;
use tokio::sync::mpsc;

use crate::value::Value;
use crate::{Migrations, StoreUrl};

use digest::Digest;
use embedded::Embedded;
use replicated::Replicated;
use schema::{CatalogueLine, Table};

pub(crate) use schema::quoted;

/// Rows that travel together, and how many such batches wait between two sides: what bounds the memory. A row holds a
/// blob's chunk at the most.
const ROWS_A_BATCH: usize = 64;
const BATCHES_WAITING: usize = 2;

/// A row on its way, its values in the order of the table's columns.
type Row = Vec<Value<'static>>;

/// Why nothing was copied, or what two stores differ in.
#[derive(Debug, Error)]
pub enum CopyError {
    /// Somebody else has a side open.
    #[error("{0} is in use: stop every node and command that works on it first")]
    InUse(String),
    /// The tables of a side are not those of this program.
    #[error("the tables do not fit this program: {0}")]
    Tables(String),
    /// The target is no new store.
    #[error("the target holds rows already, in {}: it must be new", .0.join(", "))]
    NotEmpty(Vec<String>),
    /// A value cannot be what its column says.
    #[error("{table}.{column} cannot be copied: {reason}")]
    Value {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// What is wrong with it.
        reason: String,
    },
    /// What was read back is not what was sent; nothing was kept.
    #[error("the two sides differ in {}", .0.join(", "))]
    Differs(Vec<String>),
    /// PostgreSQL stopped waiting for its standbys during COMMIT.
    #[error("the copy is on the primary, but its standbys did not confirm it: compare the two with --check")]
    Unconfirmed,
    /// An engine failed or refused.
    #[error("{side}: {reason}")]
    Engine {
        /// Which store.
        side: String,
        /// What it said.
        reason: String,
    },
}

/// How many rows a table holds, and the SHA-256 over them in the order of their keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct TableSum {
    /// The table.
    pub table: String,
    /// Its rows.
    pub rows: u64,
    /// The checksum, in hexadecimal; the same on both engines for the same rows.
    pub sha256: String,
}

/// A table on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TablePair {
    /// What the source holds.
    pub source: TableSum,
    /// What the target holds.
    pub target: TableSum,
}

impl TablePair {
    /// Whether both hold the same rows.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.source == self.target
    }
}

/// Which end of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Source,
    Target,
}

/// Copies every table of `services` and the store's own from one store to another, which must be new; returns
/// what was counted. `done` is told of each table as it is finished.
///
/// # Errors
/// [`CopyError`]; then nothing was kept on the target, but for [`CopyError::Unconfirmed`].
pub async fn copy_store(
    from: &StoreUrl,
    to: &StoreUrl,
    services: &[Migrations],
    mut done: impl FnMut(&TablePair),
) -> Result<Vec<TablePair>, CopyError> {
    let new = schema::new_store(services)?;
    let tables = schema::tables(&new)?;
    let known = schema::sqlite_catalogue(&new)?;
    let new = Side::Embedded(Embedded::around(new, "a new store".to_owned()));
    let source = Side::open(from, Role::Source).await?;
    source.begin("the source", &known, &tables).await?;
    source.refuse_other_migrations("the source", services).await?;
    let target = Side::open(to, Role::Target).await?;
    if target.catalogue().await?.is_empty() {
        target.begin_on(&[]).await?;
        for script in schema::scripts(services) {
            target.run(script.to_owned()).await?;
        }
    } else {
        target.begin("the target", &known, &tables).await?;
        target.refuse_other_migrations("the target", services).await?;
        target.refuse_rows(&new, &tables).await?;
    }
    // A new store is not quite empty: it has the counters that migrations begin with, and its list of migrations.
    for table in tables.iter().rev() {
        target.run(format!("DELETE FROM {}", quoted(&table.name))).await?;
    }
    let mut pairs = Vec::with_capacity(tables.len());
    for table in &tables {
        let sent = copy_table(&source, &target, table).await?;
        let pair = TablePair {
            source: sent,
            target: target.sum(table).await?,
        };
        done(&pair);
        pairs.push(pair);
    }
    refuse_differences(&pairs)?;
    target.commit().await?;
    Ok(pairs)
}

/// Counts and checksums every table on both sides, and changes nothing.
///
/// # Errors
/// [`CopyError`]; two sides that differ are no error here.
pub async fn compare_stores(
    from: &StoreUrl,
    to: &StoreUrl,
    services: &[Migrations],
    mut done: impl FnMut(&TablePair),
) -> Result<Vec<TablePair>, CopyError> {
    let new = schema::new_store(services)?;
    let tables = schema::tables(&new)?;
    let known = schema::sqlite_catalogue(&new)?;
    let source = Side::open(from, Role::Source).await?;
    source.begin("the source", &known, &tables).await?;
    let target = Side::open(to, Role::Source).await?;
    target.begin("the target", &known, &tables).await?;
    let mut pairs = Vec::with_capacity(tables.len());
    for table in &tables {
        let pair = TablePair {
            source: source.sum(table).await?,
            target: target.sum(table).await?,
        };
        done(&pair);
        pairs.push(pair);
    }
    Ok(pairs)
}

/// Counts and checksums every table of an embedded file that nobody has open, once its tables are found to be those
/// of this program.
pub(crate) async fn sums_of_file(path: &Path, services: &[Migrations]) -> Result<Vec<TableSum>, CopyError> {
    let new = schema::new_store(services)?;
    let tables = schema::tables(&new)?;
    let side = Side::open(&StoreUrl::Sqlite(path.to_owned()), Role::Source).await?;
    side.begin("the file", &schema::sqlite_catalogue(&new)?, &tables)
        .await?;
    side.refuse_other_migrations("the file", services).await?;
    let mut sums = Vec::with_capacity(tables.len());
    for table in &tables {
        sums.push(side.sum(table).await?);
    }
    Ok(sums)
}

/// The names of all tables of `services` and the store's own, in the order of their names.
pub(crate) fn table_names(services: &[Migrations]) -> Result<Vec<String>, CopyError> {
    let tables = schema::tables(&schema::new_store(services)?)?;
    let mut names: Vec<String> = tables.into_iter().map(|table| table.name).collect();
    names.sort();
    Ok(names)
}

fn refuse_differences(pairs: &[TablePair]) -> Result<(), CopyError> {
    let different = pairs.iter().filter(|pair| !pair.is_equal());
    let names: Vec<String> = different.map(|pair| pair.source.table.clone()).collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(CopyError::Differs(names))
}

/// Sends a table's rows across, a few batches at a time, and takes their checksum on the way.
async fn copy_table(source: &Side, target: &Side, table: &Table) -> Result<TableSum, CopyError> {
    let (send, mut read) = mpsc::channel::<Vec<Row>>(BATCHES_WAITING);
    let (forward, written) = mpsc::channel::<Vec<Row>>(BATCHES_WAITING);
    let mut digest = Digest::of(table);
    let passing = async move {
        while let Some(batch) = read.recv().await {
            batch.iter().for_each(|row| digest.add(row));
            if forward.send(batch).await.is_err() {
                break;
            }
        }
        digest.finish()
    };
    let (sent, sum, taken) = tokio::join!(
        source.send_rows(table, send),
        passing,
        target.take_rows(table, written)
    );
    // The taker's failure makes the sender stop, so it is told first.
    taken?;
    sent?;
    Ok(sum)
}

/// A store at one end, inside a transaction.
enum Side {
    Embedded(Embedded),
    Replicated(Box<Replicated>),
}

impl Side {
    async fn open(url: &StoreUrl, role: Role) -> Result<Self, CopyError> {
        match url {
            StoreUrl::Sqlite(path) => {
                let path = path.clone();
                let opened = tokio::task::spawn_blocking(move || Embedded::open(&path, role)).await;
                opened
                    .unwrap_or_else(|error| Err(engine("a thread of the copy", &error)))
                    .map(Self::Embedded)
            }
            StoreUrl::Postgres(config) => {
                Ok(Self::Replicated(Box::new(Replicated::open(config, role).await?)))
            }
        }
    }

    /// Makes sure that the tables are those that the program knows and that nobody else writes to them, and begins.
    async fn begin(&self, name: &str, known: &[CatalogueLine], tables: &[Table]) -> Result<(), CopyError> {
        refuse_other_tables(name, known, &self.catalogue().await?)?;
        self.begin_on(tables).await
    }

    async fn begin_on(&self, tables: &[Table]) -> Result<(), CopyError> {
        match self {
            // The file was taken as a whole when it was opened.
            Self::Embedded(_) => Ok(()),
            Self::Replicated(side) => side.begin(tables).await,
        }
    }

    async fn catalogue(&self) -> Result<Vec<CatalogueLine>, CopyError> {
        match self {
            Self::Embedded(side) => side.catalogue().await,
            Self::Replicated(side) => side.catalogue().await,
        }
    }

    async fn run(&self, sql: String) -> Result<(), CopyError> {
        match self {
            Self::Embedded(side) => side.run(sql).await,
            Self::Replicated(side) => side.run(sql).await,
        }
    }

    async fn commit(&self) -> Result<(), CopyError> {
        match self {
            Self::Embedded(side) => side.run("COMMIT".to_owned()).await,
            Self::Replicated(side) => side.commit().await,
        }
    }

    async fn send_rows(&self, table: &Table, rows: mpsc::Sender<Vec<Row>>) -> Result<(), CopyError> {
        match self {
            Self::Embedded(side) => side.send_rows(table, rows).await,
            Self::Replicated(side) => side.send_rows(table, rows).await,
        }
    }

    async fn take_rows(&self, table: &Table, rows: mpsc::Receiver<Vec<Row>>) -> Result<(), CopyError> {
        match self {
            Self::Embedded(side) => side.take_rows(table, rows).await,
            Self::Replicated(side) => side.take_rows(table, rows).await,
        }
    }

    /// Reads a table and hands each row to `see`.
    async fn each_row(&self, table: &Table, mut see: impl FnMut(Row)) -> Result<(), CopyError> {
        let (send, mut read) = mpsc::channel::<Vec<Row>>(BATCHES_WAITING);
        let seeing = async {
            while let Some(batch) = read.recv().await {
                batch.into_iter().for_each(&mut see);
            }
        };
        let (sent, ()) = tokio::join!(self.send_rows(table, send), seeing);
        sent
    }

    async fn sum(&self, table: &Table) -> Result<TableSum, CopyError> {
        let mut digest = Digest::of(table);
        self.each_row(table, |row| digest.add(&row)).await?;
        Ok(digest.finish())
    }

    /// Refuses a store whose migrations are not exactly those of this program.
    async fn refuse_other_migrations(&self, name: &str, services: &[Migrations]) -> Result<(), CopyError> {
        let mut wanted: Vec<Row> = schema::every(services)
            .flat_map(|migrations| {
                let service = migrations.service;
                migrations
                    .steps
                    .iter()
                    .map(move |step| schema::step_row(service, step))
            })
            .collect();
        let table = schema::migration_table();
        let mut unknown = Vec::new();
        self.each_row(&table, |row| match wanted.iter().position(|step| *step == row) {
            Some(place) => drop(wanted.swap_remove(place)),
            None => unknown.push(row),
        })
        .await?;
        let (steps, mend) = match (wanted.is_empty(), unknown.is_empty()) {
            (true, true) => return Ok(()),
            (_, false) => (
                unknown,
                "has steps that this program does not know, or that were edited",
            ),
            (false, true) => (wanted, "lacks steps: run `haechi migrate` on it first. They are"),
        };
        let steps: Vec<String> = steps.iter().map(step_name).collect();
        Err(CopyError::Tables(format!("{name} {mend}: {}", steps.join(", "))))
    }

    /// Refuses a target that holds anything but what a new store holds.
    async fn refuse_rows(&self, new: &Self, tables: &[Table]) -> Result<(), CopyError> {
        let mut filled = Vec::new();
        // The list of migrations was compared already; it also says when each was applied.
        for table in tables
            .iter()
            .filter(|table| table.name != schema::MIGRATION_TABLE)
        {
            if self.sum(table).await? != new.sum(table).await? {
                filled.push(table.name.clone());
            }
        }
        if filled.is_empty() {
            return Ok(());
        }
        Err(CopyError::NotEmpty(filled))
    }
}

/// The service, number and name of a row of the list of migrations.
fn step_name(step: &Row) -> String {
    let words = step.iter().filter_map(|field| match field {
        Value::Text(text) => Some(text.to_string()),
        Value::Integer(number) => Some(number.to_string()),
        _ => None,
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Refuses tables and columns that this program does not know or misses.
fn refuse_other_tables(
    name: &str,
    known: &[CatalogueLine],
    present: &[CatalogueLine],
) -> Result<(), CopyError> {
    let is_same = |one: &CatalogueLine, other: &CatalogueLine| {
        one.0 == other.0 && one.1 == other.1 && one.2.eq_ignore_ascii_case(&other.2)
    };
    let only_in = |these: &[CatalogueLine], those: &[CatalogueLine]| {
        these
            .iter()
            .find(|this| !those.iter().any(|that| is_same(this, that)))
            .cloned()
    };
    if let Some((table, column, kind)) = only_in(present, known) {
        return Err(CopyError::Tables(format!(
            "{name} has {table}.{column} of type {kind}, which this program does not know"
        )));
    }
    if let Some((table, column, _)) = only_in(known, present) {
        return Err(CopyError::Tables(format!(
            "{name} has no {table}.{column}: run `haechi migrate` on it first"
        )));
    }
    Ok(())
}

/// What an engine said.
pub(crate) fn engine(side: &str, reason: &(impl ToString + ?Sized)) -> CopyError {
    CopyError::Engine {
        side: side.to_owned(),
        reason: reason.to_string(),
    }
}
