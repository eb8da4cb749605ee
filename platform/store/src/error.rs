//! What can go wrong in the store, by what the caller can do about it.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a transaction has no result. Nothing of it was kept, but for [`StoreError::Unknown`].
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum StoreError {
    /// Another transaction came first, again and again until the bound on retries was reached.
    #[error("other transactions came first {attempts} times in a row")]
    Conflict {
        /// How often the transaction was tried.
        attempts: u32,
    },
    /// No writable (or, for a read, no) database could be reached in time.
    #[error("the database cannot be reached: {0}")]
    Unavailable(String),
    /// The connection was lost during COMMIT and the outcome could not be learned in time. The same write with
    /// the same key gives the one result later.
    #[error("the outcome of the write is unknown: {0}")]
    Unknown(String),
    /// The queue of waiting transactions is full.
    #[error("more than {limit} transactions are waiting")]
    TooBusy {
        /// How many may wait.
        limit: usize,
    },
    /// The idempotency key was used before with another request.
    #[error("the idempotency key was used before with another request")]
    KeyReused,
    /// A row with this key is there already. Expected ones are met by ON CONFLICT instead.
    #[error("a row with this key is there already: {0}")]
    Unique(String),
    /// A CHECK, NOT NULL or foreign key constraint was broken.
    #[error("a constraint was broken: {0}")]
    Constraint(String),
    /// The statement is wrong, or the engine failed.
    #[error("the database refused {statement:?}: {reason}")]
    Statement {
        /// The beginning of the SQL text.
        statement: String,
        /// What the engine said.
        reason: String,
    },
    /// A table is not there: its migration was not applied.
    #[error("a table is not there: {0}")]
    NoTable(String),
    /// A column holds another type than its reader asked for.
    #[error("expected {expected}, found {found}")]
    Type {
        /// The type asked for, and the column.
        expected: String,
        /// The type found.
        found: String,
    },
    /// The answer has no such column.
    #[error("the answer has no column {0:?}")]
    NoColumn(String),
    /// `query_one` found no row, or several.
    #[error("expected one row, found {0}")]
    NotOneRow(usize),
    /// The transaction awaited something other than its `tx`, which would have kept the store waiting.
    #[error("a transaction may await nothing but its tx")]
    ForeignAwait,
    /// The recorded answer cannot be read back, or the answer cannot be recorded.
    #[error("the answer of a write cannot be recorded: {0}")]
    Answer(String),
    /// The transaction's code panicked.
    #[error("the transaction panicked")]
    Panicked,
    /// The URL names no store.
    #[error("{url:?} names no store: {reason}")]
    Url {
        /// The URL, without a password.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The tables do not fit this program.
    #[error("the store does not fit this program: {0}")]
    Migration(String),
    /// A blob is not there, or a chunk of it is missing or damaged.
    #[error("the blob {0} is damaged")]
    DamagedBlob(String),
}

impl StoreError {
    pub(crate) fn in_column(self, column: &str) -> Self {
        match self {
            Self::Type { expected, found } => Self::Type {
                expected: format!("{expected} in {column}"),
                found,
            },
            other => other,
        }
    }

    pub(crate) fn statement(sql: &str, reason: &(impl ToString + ?Sized)) -> Self {
        Self::Statement {
            statement: sql.chars().take(120).collect(),
            reason: reason.to_string(),
        }
    }
}

/// What the retry loop makes of a failed transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Nothing was kept and the same may work next time: a conflict.
    Conflict,
    /// The database went away, before anything could have been kept.
    Lost(String),
    /// The database went away during COMMIT.
    Unknown(String),
    /// The database is there, and its disk takes nothing more.
    Full(String),
    /// The database is there, and all connections to it are at work.
    Busy {
        /// How many there may be.
        limit: usize,
    },
    /// Trying again will not help.
    Final(StoreError),
}

impl Failure {
    /// What the caller is told.
    pub(crate) fn into_error(self) -> StoreError {
        match self {
            Self::Conflict => StoreError::Conflict { attempts: 1 },
            Self::Lost(reason) | Self::Full(reason) => StoreError::Unavailable(reason),
            Self::Unknown(reason) => StoreError::Unknown(reason),
            Self::Busy { limit } => StoreError::TooBusy { limit },
            Self::Final(error) => error,
        }
    }
}
