//! One side of a copy that is an embedded file: held by nobody else meanwhile.

use std::borrow::Cow;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags, params_from_iter};
use tokio::sync::mpsc;

use super::schema::{self, CatalogueLine, Column, Kind, Table, quoted};
use super::{CopyError, ROWS_A_BATCH, Role, Row, engine};
use crate::sqlite::bind;
use crate::value::Value;

/// How long a command that is just ending may still hold the file.
const OTHER_PROCESS_WAIT: Duration = Duration::from_secs(2);

/// The file, inside one transaction.
pub(super) struct Embedded {
    connection: Arc<Mutex<Connection>>,
    name: String,
}

impl Embedded {
    /// Opens the file, makes sure that nobody else has it open, and begins.
    pub(super) fn open(path: &Path, role: Role) -> Result<Self, CopyError> {
        let name = path.display().to_string();
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        if role == Role::Target {
            crate::sqlite::create_private(path).map_err(|error| engine(&name, &error))?;
            flags |= OpenFlags::SQLITE_OPEN_CREATE;
        }
        let begin = || {
            let connection = Connection::open_with_flags(path, flags)?;
            connection.busy_timeout(OTHER_PROCESS_WAIT)?;
            // Every process that has the file open holds a shared lock on it; this one shares with nobody.
            connection.execute_batch("PRAGMA locking_mode = EXCLUSIVE; PRAGMA foreign_keys = ON;")?;
            if role == Role::Target {
                connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")?;
            }
            connection.execute_batch("BEGIN EXCLUSIVE")?;
            Ok(connection)
        };
        let connection = begin().map_err(|error: rusqlite::Error| match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => CopyError::InUse(name.clone()),
            _ => engine(&name, &error),
        })?;
        Ok(Self::around(connection, name))
    }

    /// A side around a connection that is nobody else's.
    pub(super) fn around(connection: Connection, name: String) -> Self {
        Self {
            connection: Arc::new(Mutex::new(connection)),
            name,
        }
    }

    /// Runs something on the connection, on a thread that may wait.
    async fn on_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, CopyError> + Send + 'static,
    ) -> Result<T, CopyError> {
        let connection = Arc::clone(&self.connection);
        let run = move || work(&connection.lock().unwrap_or_else(PoisonError::into_inner));
        tokio::task::spawn_blocking(run)
            .await
            .unwrap_or_else(|error| Err(engine("a thread of the copy", &error)))
    }

    pub(super) async fn catalogue(&self) -> Result<Vec<CatalogueLine>, CopyError> {
        self.on_thread(schema::sqlite_catalogue).await
    }

    pub(super) async fn run(&self, sql: String) -> Result<(), CopyError> {
        let name = self.name.clone();
        self.on_thread(move |connection| {
            connection
                .execute_batch(&sql)
                .map_err(|error| engine(&name, &error))
        })
        .await
    }

    /// Sends all rows of a table in the order of their keys; ends early when nobody takes them.
    pub(super) async fn send_rows(
        &self,
        table: &Table,
        rows: mpsc::Sender<Vec<Row>>,
    ) -> Result<(), CopyError> {
        let (table, name) = (table.clone(), self.name.clone());
        self.on_thread(move |connection| send_rows(connection, &name, &table, &rows))
            .await
    }

    /// Writes all rows that come.
    pub(super) async fn take_rows(
        &self,
        table: &Table,
        mut rows: mpsc::Receiver<Vec<Row>>,
    ) -> Result<(), CopyError> {
        let (name, columns) = (self.name.clone(), table.columns.len());
        let places: Vec<String> = (1..=columns).map(|number| format!("?{number}")).collect();
        let insert = format!(
            "INSERT INTO {} ({}) VALUES ({})",
            quoted(&table.name),
            table.column_list(),
            places.join(", ")
        );
        self.on_thread(move |connection| {
            let failed = |error: rusqlite::Error| engine(&name, &error);
            let mut statement = connection.prepare(&insert).map_err(failed)?;
            while let Some(batch) = rows.blocking_recv() {
                for row in &batch {
                    statement
                        .execute(params_from_iter(row.iter().map(bind)))
                        .map_err(failed)?;
                }
            }
            Ok(())
        })
        .await
    }
}

fn send_rows(
    connection: &Connection,
    name: &str,
    table: &Table,
    sender: &mpsc::Sender<Vec<Row>>,
) -> Result<(), CopyError> {
    let failed = |error: rusqlite::Error| engine(name, &error);
    let mut statement = connection.prepare(&table.select("")).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    let mut batch = Vec::with_capacity(ROWS_A_BATCH);
    while let Some(row) = rows.next().map_err(failed)? {
        let values = table.columns.iter().enumerate().map(|(place, column)| {
            let value = row.get_ref(place).map_err(failed)?;
            read(column, value).ok_or_else(|| CopyError::Value {
                table: table.name.clone(),
                column: column.name.clone(),
                reason: format!("a value of another type ({}) is there", value.data_type()),
            })
        });
        batch.push(values.collect::<Result<Row, _>>()?);
        if batch.len() == ROWS_A_BATCH && sender.blocking_send(std::mem::take(&mut batch)).is_err() {
            return Ok(());
        }
    }
    // Nobody takes the rest when the other side failed, which says so itself.
    drop(sender.blocking_send(batch));
    Ok(())
}

/// SQLite keeps what it is given, whatever the column says: here the column's type decides.
fn read(column: &Column, value: ValueRef<'_>) -> Option<Value<'static>> {
    Some(match (column.kind, value) {
        (_, ValueRef::Null) => Value::Null,
        (Kind::Integer, ValueRef::Integer(number)) => Value::Integer(number),
        (Kind::Bool, ValueRef::Integer(0)) => Value::Bool(false),
        (Kind::Bool, ValueRef::Integer(1)) => Value::Bool(true),
        (Kind::Real, ValueRef::Real(number)) => Value::Real(number),
        (Kind::Text, ValueRef::Text(bytes)) => {
            Value::Text(Cow::Owned(std::str::from_utf8(bytes).ok()?.to_owned()))
        }
        (Kind::Bytes, ValueRef::Blob(bytes)) => Value::Bytes(Cow::Owned(bytes.to_vec())),
        _ => return None,
    })
}
