//! Statements on one SQLite connection, inside a transaction that its thread began.

use std::borrow::Cow;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, ErrorCode};

use crate::error::Failure;
use crate::value::Value;
use crate::{Row, StoreError};

// Extended result codes: https://www.sqlite.org/rescode.html
const SQLITE_CONSTRAINT_PRIMARYKEY: i32 = 1555;
const SQLITE_CONSTRAINT_UNIQUE: i32 = 2067;

/// A transaction on the connection of the thread that runs it.
pub(crate) struct SqliteTransaction<'c> {
    connection: &'c Connection,
}

impl<'c> SqliteTransaction<'c> {
    pub(super) const fn new(connection: &'c Connection) -> Self {
        Self { connection }
    }

    pub(crate) fn query(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, Failure> {
        let mut statement = self.prepare(sql, values)?;
        let columns: Arc<[String]> = statement.column_names().map(str::to_owned).collect();
        let mut answer = Vec::new();
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(|error| failure(sql, &error))? {
            let values = (0..columns.len())
                .map(|index| {
                    row.get_ref(index)
                        .map_err(|error| failure(sql, &error))
                        .and_then(|value| read(sql, value))
                })
                .collect::<Result<_, _>>()?;
            answer.push(Row::new(Arc::clone(&columns), values));
        }
        Ok(answer)
    }

    pub(crate) fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<u64, Failure> {
        let mut statement = self.prepare(sql, values)?;
        let changed = statement.raw_execute().map_err(|error| failure(sql, &error))?;
        Ok(changed as u64)
    }

    pub(crate) fn run_script(&self, sql: &str) -> Result<(), Failure> {
        self.connection
            .execute_batch(sql)
            .map_err(|error| failure(sql, &error))
    }

    /// Binds by name: to SQLite `$2` is a name, and names are numbered by their first appearance.
    fn prepare(&self, sql: &str, values: &[Value<'_>]) -> Result<CachedStatement<'c>, Failure> {
        let mut statement = self
            .connection
            .prepare_cached(sql)
            .map_err(|error| failure(sql, &error))?;
        for index in 1..=statement.parameter_count() {
            let number: Option<usize> = statement
                .parameter_name(index)
                .and_then(|name| name.strip_prefix('$'))
                .and_then(|digits| digits.parse().ok());
            let value = number
                .and_then(|number| values.get(number.checked_sub(1)?))
                .ok_or_else(|| Failure::Final(StoreError::statement(sql, "a $n parameter has no value")))?;
            statement
                .raw_bind_parameter(index, bind(value))
                .map_err(|error| failure(sql, &error))?;
        }
        Ok(statement)
    }
}

/// A value as the driver takes it.
pub(crate) fn bind<'v>(value: &'v Value<'_>) -> ToSqlOutput<'v> {
    ToSqlOutput::Borrowed(match value {
        Value::Null => ValueRef::Null,
        Value::Bool(value) => ValueRef::Integer(i64::from(*value)),
        Value::Integer(value) => ValueRef::Integer(*value),
        Value::Real(value) => ValueRef::Real(*value),
        Value::Text(value) => ValueRef::Text(value.as_bytes()),
        Value::Bytes(value) => ValueRef::Blob(value),
    })
}

fn read(sql: &str, value: ValueRef<'_>) -> Result<Value<'static>, Failure> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(value) => Value::Integer(value),
        ValueRef::Real(value) => Value::Real(value),
        ValueRef::Text(bytes) => {
            let text = std::str::from_utf8(bytes)
                .map_err(|error| Failure::Final(StoreError::statement(sql, &error)))?;
            Value::Text(Cow::Owned(text.to_owned()))
        }
        ValueRef::Blob(bytes) => Value::Bytes(Cow::Owned(bytes.to_vec())),
    })
}

pub(super) fn failure(sql: &str, error: &rusqlite::Error) -> Failure {
    let rusqlite::Error::SqliteFailure(code, message) = error else {
        return Failure::Final(StoreError::statement(sql, error));
    };
    let reason = message.clone().unwrap_or_else(|| code.to_string());
    match (code.code, code.extended_code) {
        (_, SQLITE_CONSTRAINT_PRIMARYKEY | SQLITE_CONSTRAINT_UNIQUE) => {
            Failure::Final(StoreError::Unique(reason))
        }
        (ErrorCode::ConstraintViolation, _) => Failure::Final(StoreError::Constraint(reason)),
        (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => Failure::Final(StoreError::Unavailable(
            "another process holds the database file".to_owned(),
        )),
        (ErrorCode::DiskFull, _) => Failure::Final(StoreError::Unavailable("the disk is full".to_owned())),
        (ErrorCode::SystemIoFailure, _) => {
            Failure::Final(StoreError::Unavailable("the disk does not work".to_owned()))
        }
        // SQLite has no code of its own for it.
        (ErrorCode::Unknown, _) if reason.starts_with("no such table") => {
            Failure::Final(StoreError::NoTable(reason))
        }
        _ => Failure::Final(StoreError::statement(sql, &reason)),
    }
}

/// Runs a transaction's future to its end without a runtime: every statement is ready at once here, so a
/// future that is not ready awaits something that does not belong into a transaction.
pub(super) fn poll_once<T>(future: impl Future<Output = T>) -> Result<T, StoreError> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => Ok(outcome),
        Poll::Pending => Err(StoreError::ForeignAwait),
    }
}
