//! Statements on one PostgreSQL connection, inside a transaction of the driver.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Transaction;
use futures_util::future::join_all;
use tokio_postgres::types::ToSql;

use super::failure::classify;
use crate::Row;
use crate::error::Failure;
use crate::many::Asked;
use crate::tx::Statement;
use crate::value::Value;

/// An open transaction. Statements are prepared once a connection.
pub(crate) struct PostgresTransaction<'c> {
    open: &'c Transaction<'c>,
    answer_wait: Duration,
}

impl<'c> PostgresTransaction<'c> {
    pub(super) const fn new(open: &'c Transaction<'c>, answer_wait: Duration) -> Self {
        Self { open, answer_wait }
    }

    /// Waits for an answer, not for ever: a frozen server keeps its connections open.
    async fn answer<T>(
        &self,
        sql: &str,
        asked: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Failure> {
        let answered = tokio::time::timeout(self.answer_wait, asked).await;
        answered
            .map_err(|_| Failure::Lost("the database did not answer in time".to_owned()))?
            .map_err(|error| classify(sql, &error))
    }

    async fn prepare(&self, sql: &str) -> Result<tokio_postgres::Statement, Failure> {
        self.answer(sql, self.open.prepare_cached(sql)).await
    }

    pub(crate) async fn query(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, Failure> {
        let statement = self.prepare(sql).await?;
        self.query_prepared(sql, &statement, values).await
    }

    async fn query_prepared(
        &self,
        sql: &str,
        statement: &tokio_postgres::Statement,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, Failure> {
        let rows = self
            .answer(sql, self.open.query(statement, &parameters(values)))
            .await?;
        let columns: Arc<[String]> = statement
            .columns()
            .iter()
            .map(|column| column.name().to_owned())
            .collect();
        rows.iter()
            .map(|row| {
                let values = (0..columns.len())
                    .map(|index| row.try_get(index).map_err(|error| classify(sql, &error)))
                    .collect::<Result<_, _>>()?;
                Ok(Row::new(Arc::clone(&columns), values))
            })
            .collect()
    }

    pub(crate) async fn execute(&self, sql: &str, values: &[Value<'_>]) -> Result<u64, Failure> {
        let statement = self.prepare(sql).await?;
        self.answer(sql, self.open.execute(&statement, &parameters(values)))
            .await
    }

    pub(crate) async fn run_all(&self, statements: &[Statement]) -> Result<Vec<Vec<Row>>, Failure> {
        self.pipeline(
            statements
                .iter()
                .map(|statement| (statement.sql, statement.values.as_slice())),
        )
        .await
    }

    pub(crate) async fn ask_all(&self, asked: &[Asked<'_>]) -> Result<Vec<Vec<Row>>, Failure> {
        self.pipeline(
            asked
                .iter()
                .map(|asked| (asked.sql.as_str(), asked.values.as_slice())),
        )
        .await
    }

    /// Sends statements one after the other without waiting for an answer between them. They run in their order.
    ///
    /// All are prepared before the first is sent. One that this connection has not seen yet would otherwise wait for
    /// its preparation, and be overtaken by those after it.
    async fn pipeline<'s>(
        &self,
        asked: impl Iterator<Item = (&'s str, &'s [Value<'s>])> + Clone,
    ) -> Result<Vec<Vec<Row>>, Failure> {
        let prepared = join_all(asked.clone().map(|(sql, _)| self.prepare(sql))).await;
        let prepared = prepared.into_iter().collect::<Result<Vec<_>, _>>()?;
        let answers = join_all(
            asked
                .zip(&prepared)
                .map(|((sql, values), statement)| self.query_prepared(sql, statement, values)),
        )
        .await;
        // The first failure in their order, not the first to be seen: those after it fail too, only because the
        // transaction is lost, and would hide a conflict that is to be tried again.
        answers.into_iter().collect()
    }

    /// A migration takes as long as it takes.
    pub(crate) async fn run_script(&self, sql: &str) -> Result<(), Failure> {
        self.open
            .batch_execute(sql)
            .await
            .map_err(|error| classify(sql, &error))
    }
}

fn parameters<'v>(values: &'v [Value<'_>]) -> Vec<&'v (dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}
