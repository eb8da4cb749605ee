//! One side of a copy that is a PostgreSQL cluster: its primary, written by nobody else meanwhile.

use std::pin::pin;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use tokio::sync::mpsc;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error};

use super::schema::{CatalogueLine, Kind, Table, quoted};
use super::{CopyError, ROWS_A_BATCH, Role, Row, engine};
use crate::postgres::{APPLICATION, PostgresUrl, Warnings, connect_alone, may_be_committed};
use crate::value::Value;

const SIDE: &str = "PostgreSQL";

const CATALOGUE: &str = "
    SELECT CAST(t.relname AS TEXT), CAST(c.attname AS TEXT), format_type(c.atttypid, NULL)
    FROM pg_catalog.pg_class t JOIN pg_catalog.pg_attribute c ON c.attrelid = t.oid
    WHERE t.relnamespace = CAST(current_schema() AS regnamespace) AND t.relkind IN ('r', 'p')
        AND c.attnum > 0 AND NOT c.attisdropped
    ORDER BY 1, c.attnum";
const SERVERS: &str = "
    SELECT COUNT(*) FROM pg_catalog.pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = $1";

/// How often it is looked whether nodes are connected, and how long it is waited in between.
const LOOKS_MAX: u32 = 20;
const LOOK_PAUSE: Duration = Duration::from_millis(100);

/// How long somebody else may hold a table.
const LOCK_WAIT_MS: u32 = 10_000;

/// The primary, inside one transaction.
pub(super) struct Replicated {
    client: Client,
    warnings: Warnings,
    role: Role,
}

impl Replicated {
    /// Connects to the primary, and makes sure that no node is connected to it.
    pub(super) async fn open(url: &PostgresUrl, role: Role) -> Result<Self, CopyError> {
        let (client, warnings) = connect_alone(url, "haechi migrate")
            .await
            .map_err(|error| failed(&error))?;
        let mut looks = 1;
        while count_servers(&client).await? > 0 {
            if looks == LOOKS_MAX {
                let database = url.get_dbname().unwrap_or_default();
                return Err(CopyError::InUse(format!("the PostgreSQL database {database:?}")));
            }
            // A node that has just ended: its connections end a moment later.
            tokio::time::sleep(LOOK_PAUSE).await;
            looks += 1;
        }
        Ok(Self {
            client,
            warnings,
            role,
        })
    }

    /// Begins the transaction, in which nobody else writes to these tables.
    pub(super) async fn begin(&self, tables: &[Table]) -> Result<(), CopyError> {
        let begin = format!("BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL lock_timeout = {LOCK_WAIT_MS}");
        self.run(begin).await?;
        if tables.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = tables.iter().map(|table| quoted(&table.name)).collect();
        let mode = match self.role {
            Role::Source => "SHARE",
            Role::Target => "EXCLUSIVE",
        };
        // Before the first query, which takes the snapshot.
        self.run(format!("LOCK TABLE {} IN {mode} MODE", names.join(", ")))
            .await
    }

    pub(super) async fn catalogue(&self) -> Result<Vec<CatalogueLine>, CopyError> {
        let rows = self
            .client
            .query(CATALOGUE, &[])
            .await
            .map_err(|error| failed(&error))?;
        rows.iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)))
            .collect::<Result<_, Error>>()
            .map_err(|error| failed(&error))
    }

    pub(super) async fn run(&self, sql: String) -> Result<(), CopyError> {
        self.client
            .batch_execute(&sql)
            .await
            .map_err(|error| failed(&error))
    }

    /// Commits, and makes sure that PostgreSQL did not give up waiting for its standbys.
    pub(super) async fn commit(&self) -> Result<(), CopyError> {
        match self.client.batch_execute("COMMIT").await {
            Err(error) if may_be_committed(&error) => return Err(CopyError::Unconfirmed),
            outcome => outcome.map_err(|error| failed(&error))?,
        }
        if self.warnings.seen() > 0 {
            return Err(CopyError::Unconfirmed);
        }
        Ok(())
    }

    /// Sends all rows of a table in the order of their keys; ends early when nobody takes them.
    pub(super) async fn send_rows(
        &self,
        table: &Table,
        sender: mpsc::Sender<Vec<Row>>,
    ) -> Result<(), CopyError> {
        let select = table.select(" COLLATE \"C\"");
        let none: [&(dyn ToSql + Sync); 0] = [];
        let mut rows = pin!(
            self.client
                .query_raw(&select, none)
                .await
                .map_err(|error| failed(&error))?
        );
        let mut batch = Vec::with_capacity(ROWS_A_BATCH);
        while let Some(row) = rows.try_next().await.map_err(|error| failed(&error))? {
            let values = (0..table.columns.len()).map(|place| row.try_get::<_, Value<'static>>(place));
            batch.push(
                values
                    .collect::<Result<Row, _>>()
                    .map_err(|error| failed(&error))?,
            );
            if batch.len() == ROWS_A_BATCH && sender.send(std::mem::take(&mut batch)).await.is_err() {
                return Ok(());
            }
        }
        // Nobody takes the rest when the other side failed, which says so itself.
        drop(sender.send(batch).await);
        Ok(())
    }

    /// Writes all rows that come, by one COPY.
    pub(super) async fn take_rows(
        &self,
        table: &Table,
        mut rows: mpsc::Receiver<Vec<Row>>,
    ) -> Result<(), CopyError> {
        let copy = format!(
            "COPY {} ({}) FROM STDIN BINARY",
            quoted(&table.name),
            table.column_list()
        );
        let types: Vec<Type> = table.columns.iter().map(|column| sql_type(column.kind)).collect();
        let sink = self.client.copy_in(&copy).await.map_err(|error| failed(&error))?;
        let mut writer = pin!(BinaryCopyInWriter::new(sink, &types));
        while let Some(batch) = rows.recv().await {
            for row in &batch {
                let fields = row.iter().map(|field| field as &(dyn ToSql + Sync));
                writer
                    .as_mut()
                    .write_raw(fields)
                    .await
                    .map_err(|error| failed(&error))?;
            }
        }
        writer.finish().await.map_err(|error| failed(&error))?;
        Ok(())
    }
}

const fn sql_type(kind: Kind) -> Type {
    match kind {
        Kind::Integer => Type::INT8,
        Kind::Real => Type::FLOAT8,
        Kind::Bool => Type::BOOL,
        Kind::Text => Type::TEXT,
        Kind::Bytes => Type::BYTEA,
    }
}

/// How many connections of nodes there are.
async fn count_servers(client: &Client) -> Result<i64, CopyError> {
    let row = client.query_one(SERVERS, &[&APPLICATION]).await;
    row.and_then(|row| row.try_get(0)).map_err(|error| failed(&error))
}

/// With the table, line and column that PostgreSQL names, as for a text that holds a NUL.
fn failed(error: &Error) -> CopyError {
    let reason = match error.as_db_error() {
        Some(refusal) => match refusal.where_() {
            Some(place) => format!("{} ({place})", refusal.message()),
            None => refusal.message().to_owned(),
        },
        None => std::error::Error::source(error)
            .map_or_else(|| error.to_string(), |source| format!("{error}: {source}")),
    };
    engine(SIDE, &reason)
}
