//! A transaction as the services see it: SQL text and values in, rows out, on either engine.

use crate::error::Failure;
use crate::many::Asked;
use crate::postgres::PostgresTransaction;
use crate::sqlite::SqliteTransaction;
use crate::value::{ToValue, Value};
use crate::{Row, StoreError};

/// A statement with its values, for [`Tx::run_all`].
#[derive(Debug, Clone)]
pub struct Statement {
    pub(crate) sql: &'static str,
    pub(crate) values: Vec<Value<'static>>,
}

impl Statement {
    /// `sql` with values for `$1`, `$2`, ...
    #[must_use]
    pub fn new(sql: &'static str, values: &[&dyn ToValue]) -> Self {
        Self {
            sql,
            values: values.iter().map(|value| value.to_value().into_owned()).collect(),
        }
    }
}

/// What to call once a transaction is committed.
pub(crate) type AfterCommit = Vec<Box<dyn FnOnce() + Send>>;

pub(crate) enum Engine<'c> {
    Sqlite(SqliteTransaction<'c>),
    Postgres(PostgresTransaction<'c>),
}

/// One transaction: everything done through it is kept together or not at all.
///
/// A transaction may run more than once, so it reads and writes the store and nothing else: no HTTP, no clock. Its first failed statement poisons it: whatever the code makes of the error, the transaction
/// is rolled back. Expected failures are therefore met in SQL (`ON CONFLICT`), never by catching an error.
pub struct Tx<'c> {
    engine: Engine<'c>,
    poison: Option<Failure>,
    after_commit: AfterCommit,
    may_lag: bool,
    term: i64,
}

impl<'c> Tx<'c> {
    pub(crate) const fn new(engine: Engine<'c>) -> Self {
        Self {
            engine,
            poison: None,
            after_commit: Vec::new(),
            may_lag: false,
            term: 0,
        }
    }

    /// The same, at the primary of a term of leadership.
    pub(crate) const fn in_term(mut self, term: i64) -> Self {
        self.term = term;
        self
    }

    /// The term of leadership in which this transaction runs: [`crate::Term::create_revision`], which grows from term to
    /// term of one etcd. 0 where nobody is elected: in a file, on a single server, and on a host that was asked because nobody leads.
    ///
    /// What was read in one term may be gone in the next, if it was not acknowledged: the log that survives a primary
    /// need not hold it. Who hands out numbers that may not come again begins anew, further on, in each term.
    #[must_use]
    pub const fn term(&self) -> i64 {
        self.term
    }

    /// The same, on a host that may be a standby.
    pub(crate) const fn lagging(mut self, may_lag: bool) -> Self {
        self.may_lag = may_lag;
        self
    }

    /// Whether a standby may serve this transaction: what it does not find may have been written, acknowledged, and not
    /// have reached that host yet.
    #[must_use]
    pub const fn may_lag(&self) -> bool {
        self.may_lag
    }

    /// Runs a statement and returns its rows.
    ///
    /// # Errors
    /// [`StoreError`]; the transaction is then lost.
    pub async fn query(&mut self, sql: &str, values: &[&dyn ToValue]) -> Result<Vec<Row>, StoreError> {
        self.refuse_if_poisoned()?;
        let values: Vec<Value<'_>> = values.iter().map(|value| value.to_value()).collect();
        let outcome = match &mut self.engine {
            Engine::Sqlite(transaction) => transaction.query(sql, &values),
            Engine::Postgres(transaction) => transaction.query(sql, &values).await,
        };
        outcome.map_err(|failure| self.poisoned_by(failure))
    }

    /// Runs a statement whose answer is one row at the most.
    ///
    /// # Errors
    /// As [`Tx::query`], and [`StoreError::NotOneRow`].
    pub async fn query_optional(
        &mut self,
        sql: &str,
        values: &[&dyn ToValue],
    ) -> Result<Option<Row>, StoreError> {
        let mut rows = self.query(sql, values).await?;
        if rows.len() > 1 {
            return Err(StoreError::NotOneRow(rows.len()));
        }
        Ok(rows.pop())
    }

    /// Runs a statement whose answer is exactly one row.
    ///
    /// # Errors
    /// As [`Tx::query`], and [`StoreError::NotOneRow`].
    pub async fn query_one(&mut self, sql: &str, values: &[&dyn ToValue]) -> Result<Row, StoreError> {
        self.query_optional(sql, values)
            .await?
            .ok_or(StoreError::NotOneRow(0))
    }

    /// Runs a statement and returns how many rows it changed.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn execute(&mut self, sql: &str, values: &[&dyn ToValue]) -> Result<u64, StoreError> {
        self.refuse_if_poisoned()?;
        let values: Vec<Value<'_>> = values.iter().map(|value| value.to_value()).collect();
        let outcome = match &mut self.engine {
            Engine::Sqlite(transaction) => transaction.execute(sql, &values),
            Engine::Postgres(transaction) => transaction.execute(sql, &values).await,
        };
        outcome.map_err(|failure| self.poisoned_by(failure))
    }

    /// Runs statements, in their order, of which none needs the answer of another: one round trip for all of them
    /// on PostgreSQL. Returns the rows of each.
    ///
    /// # Errors
    /// As [`Tx::query`]; the first failure.
    pub async fn run_all(&mut self, statements: &[Statement]) -> Result<Vec<Vec<Row>>, StoreError> {
        self.refuse_if_poisoned()?;
        let outcome = match &mut self.engine {
            Engine::Sqlite(transaction) => statements
                .iter()
                .map(|statement| transaction.query(statement.sql, &statement.values))
                .collect(),
            Engine::Postgres(transaction) => transaction.run_all(statements).await,
        };
        outcome.map_err(|failure| self.poisoned_by(failure))
    }

    /// As [`Tx::run_all`], for statements that are made as they are needed.
    ///
    /// # Errors
    /// As [`Tx::run_all`].
    pub async fn ask_all(&mut self, asked: &[Asked<'_>]) -> Result<Vec<Vec<Row>>, StoreError> {
        self.refuse_if_poisoned()?;
        let outcome = match &mut self.engine {
            Engine::Sqlite(transaction) => asked
                .iter()
                .map(|asked| transaction.query(&asked.sql, &asked.values))
                .collect(),
            Engine::Postgres(transaction) => transaction.ask_all(asked).await,
        };
        outcome.map_err(|failure| self.poisoned_by(failure))
    }

    /// Runs several statements without values, separated by `;`. For migrations.
    pub(crate) async fn run_script(&mut self, sql: &str) -> Result<(), StoreError> {
        self.refuse_if_poisoned()?;
        let outcome = match &mut self.engine {
            Engine::Sqlite(transaction) => transaction.run_script(sql),
            Engine::Postgres(transaction) => transaction.run_script(sql).await,
        };
        outcome.map_err(|failure| self.poisoned_by(failure))
    }

    /// Asks the database for nothing but an answer.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn ping(&mut self) -> Result<(), StoreError> {
        self.query_one("SELECT 1 AS alive", &[]).await.map(drop)
    }

    /// Calls `action` once the transaction is committed, and never if it is not. For waking those who wait:
    /// what must not be lost belongs into the transaction itself.
    pub fn after_commit(&mut self, action: impl FnOnce() + Send + 'static) {
        self.after_commit.push(Box::new(action));
    }

    fn refuse_if_poisoned(&self) -> Result<(), StoreError> {
        self.poison
            .clone()
            .map_or(Ok(()), |failure| Err(failure.into_error()))
    }

    fn poisoned_by(&mut self, failure: Failure) -> StoreError {
        let error = failure.clone().into_error();
        self.poison = Some(failure);
        error
    }

    /// Ends the use of the transaction: what poisoned it, and what to call after its commit.
    pub(crate) fn finish(self) -> (Option<Failure>, AfterCommit) {
        (self.poison, self.after_commit)
    }
}
