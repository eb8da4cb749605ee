//! The tables to be copied, read from a store made new by the same migrations.

use std::borrow::Cow;

use rusqlite::{Connection, params_from_iter};

use super::{CopyError, Row, engine};
use crate::migrate::{CREATE, STORE};
use crate::value::Value;
use crate::{Migration, Migrations};

/// One of the five portable column types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Integer,
    Real,
    Bool,
    Text,
    Bytes,
}

impl Kind {
    /// The type by its name in SQL, on either engine.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_uppercase().as_str() {
            "BIGINT" => Self::Integer,
            "DOUBLE PRECISION" => Self::Real,
            "BOOLEAN" => Self::Bool,
            "TEXT" => Self::Text,
            "BYTEA" => Self::Bytes,
            _ => return None,
        })
    }
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
}

/// A table, with what is needed to read it in one order on either engine.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
    /// The columns of the primary key, by their place above.
    pub(super) key: Vec<usize>,
    /// The tables that its rows point to.
    pub(super) parents: Vec<String>,
}

impl Table {
    /// Its columns as a list in SQL.
    pub(super) fn column_list(&self) -> String {
        let names: Vec<String> = self.columns.iter().map(|column| quoted(&column.name)).collect();
        names.join(", ")
    }

    /// The statement that reads all rows in the order of their keys. `collate` follows each text of the key:
    /// PostgreSQL sorts by the rules of a language unless told otherwise, SQLite by bytes.
    pub(super) fn select(&self, collate: &str) -> String {
        let key: Vec<String> = self
            .key
            .iter()
            .filter_map(|place| self.columns.get(*place))
            .map(|column| match column.kind {
                Kind::Text => format!("{}{collate}", quoted(&column.name)),
                _ => quoted(&column.name),
            })
            .collect();
        format!(
            "SELECT {} FROM {} ORDER BY {}",
            self.column_list(),
            quoted(&self.name),
            key.join(", ")
        )
    }
}

/// A name in SQL, as it is.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A table's and a column's name and the name of its type, as a catalogue tells it.
pub(super) type CatalogueLine = (String, String, String);

/// The statements that make all tables, in order.
pub(super) fn scripts(services: &[Migrations]) -> Vec<&'static str> {
    let steps = every(services)
        .flat_map(|migrations| migrations.steps)
        .map(|step| step.sql);
    std::iter::once(CREATE).chain(steps).collect()
}

/// The list of steps that were applied.
pub(super) const MIGRATION_TABLE: &str = "store_migration";

/// That list without the time of each, which differs from store to store.
pub(super) fn migration_table() -> Table {
    let column = |name: &str, kind| Column {
        name: name.to_owned(),
        kind,
    };
    Table {
        name: MIGRATION_TABLE.to_owned(),
        columns: vec![
            column("service", Kind::Text),
            column("number", Kind::Integer),
            column("name", Kind::Text),
            column("checksum", Kind::Bytes),
        ],
        key: vec![0, 1],
        parents: Vec::new(),
    }
}

/// One step as a row of that list.
pub(super) fn step_row(service: &str, step: &Migration) -> Row {
    vec![
        Value::Text(Cow::Owned(service.to_owned())),
        Value::Integer(i64::from(step.number)),
        Value::Text(Cow::Borrowed(step.name)),
        Value::Bytes(Cow::Owned(step.checksum().to_vec())),
    ]
}

/// The store's own migrations and the services'.
pub(super) fn every(services: &[Migrations]) -> impl Iterator<Item = Migrations> {
    std::iter::once(STORE).chain(services.iter().copied())
}

/// An embedded store in memory, as new: what the migrations make, and the rows that they begin with.
pub(super) fn new_store(services: &[Migrations]) -> Result<Connection, CopyError> {
    let build = || {
        let connection = Connection::open_in_memory()?;
        for script in scripts(services) {
            connection.execute_batch(script)?;
        }
        Ok(connection)
    };
    build().map_err(|error: rusqlite::Error| engine("a new store", &error))
}

/// All tables of a new store, those that others point to first.
pub(super) fn tables(new: &Connection) -> Result<Vec<Table>, CopyError> {
    let mut tables: Vec<Table> = Vec::new();
    for (table, column, kind) in sqlite_catalogue(new)? {
        let kind = Kind::named(&kind)
            .ok_or_else(|| CopyError::Tables(format!("{table}.{column} has the type {kind}")))?;
        let column = Column { name: column, kind };
        match tables.last_mut().filter(|last| last.name == table) {
            Some(last) => last.columns.push(column),
            None => tables.push(Table {
                key: Vec::new(),
                parents: parents(new, &table)?,
                columns: vec![column],
                name: table,
            }),
        }
    }
    for table in &mut tables {
        table.key = key(new, table)?;
        if table.key.is_empty() {
            return Err(CopyError::Tables(format!("{} has no primary key", table.name)));
        }
    }
    parents_first(tables)
}

/// Every column of every table, in the order of tables and, within one, of its columns.
pub(super) fn sqlite_catalogue(connection: &Connection) -> Result<Vec<CatalogueLine>, CopyError> {
    const LINES: &str = "
        SELECT t.name, c.name, c.type FROM sqlite_schema t JOIN pragma_table_info(t.name) c
        WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY t.name, c.cid";
    read(connection, LINES, &[], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })
}

fn parents(new: &Connection, table: &str) -> Result<Vec<String>, CopyError> {
    const PARENTS: &str = "SELECT DISTINCT \"table\" FROM pragma_foreign_key_list($1) WHERE \"table\" <> $1";
    read(new, PARENTS, &[table], |row| row.get(0))
}

fn key(new: &Connection, table: &Table) -> Result<Vec<usize>, CopyError> {
    const KEY: &str = "SELECT name FROM pragma_table_info($1) WHERE pk > 0 ORDER BY pk";
    let names: Vec<String> = read(new, KEY, &[table.name.as_str()], |row| row.get(0))?;
    let place = |name: &String| table.columns.iter().position(|column| column.name == *name);
    Ok(names.iter().filter_map(place).collect())
}

fn read<T>(
    connection: &Connection,
    sql: &str,
    values: &[&str],
    line: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, CopyError> {
    let read = || -> rusqlite::Result<Vec<T>> {
        let mut statement = connection.prepare(sql)?;
        statement.query_map(params_from_iter(values), line)?.collect()
    };
    read().map_err(|error| engine("the embedded file", &error))
}

/// Puts each table after those that its rows point to, as an engine demands that checks every row at once.
fn parents_first(mut waiting: Vec<Table>) -> Result<Vec<Table>, CopyError> {
    let mut ordered: Vec<Table> = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let is_ready = |table: &Table| {
            table
                .parents
                .iter()
                .all(|parent| ordered.iter().any(|before| before.name == *parent))
        };
        let (ready, rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(is_ready);
        if ready.is_empty() {
            let names: Vec<String> = rest.into_iter().map(|table| table.name).collect();
            return Err(CopyError::Tables(format!(
                "{} point to each other",
                names.join(", ")
            )));
        }
        ordered.extend(ready);
        waiting = rest;
    }
    Ok(ordered)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn made_by(sql: &'static str) -> Result<Vec<Table>, CopyError> {
        let steps: &'static [Migration] = Vec::leak(vec![Migration {
            number: 1,
            name: "test",
            sql,
        }]);
        let services = [Migrations {
            service: "test",
            steps,
        }];
        tables(&new_store(&services)?)
    }

    #[test]
    fn a_table_comes_after_those_it_points_to_and_is_read_by_its_key() {
        let found = made_by(
            "CREATE TABLE aa (b TEXT NOT NULL REFERENCES zz (id), a BIGINT NOT NULL, PRIMARY KEY (b, a));
             CREATE TABLE zz (id TEXT PRIMARY KEY NOT NULL, above TEXT REFERENCES zz (id));",
        )
        .unwrap();
        let place = |name: &str| found.iter().position(|table| table.name == name).unwrap();
        assert!(place("zz") < place("aa"));
        assert_eq!(
            found[place("aa")].select(" COLLATE \"C\""),
            "SELECT \"b\", \"a\" FROM \"aa\" ORDER BY \"b\" COLLATE \"C\", \"a\""
        );
    }

    #[test]
    fn a_table_that_cannot_be_read_in_one_order_is_refused_by_name() {
        for (sql, reason) in [
            ("CREATE TABLE heap (a BIGINT)", "heap has no primary key"),
            ("CREATE TABLE odd (a UUID PRIMARY KEY)", "odd.a has the type UUID"),
        ] {
            let error = made_by(sql).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
