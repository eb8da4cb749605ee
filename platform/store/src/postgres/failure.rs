//! What an error of PostgreSQL means for the transaction, by its SQLSTATE.

use tokio_postgres::error::SqlState;

use crate::StoreError;
use crate::error::Failure;

/// The meaning of an error before COMMIT was sent: nothing was kept.
pub(super) fn classify(sql: &str, error: &tokio_postgres::Error) -> Failure {
    let Some(database) = error.as_db_error() else {
        // No SQLSTATE: the connection broke, or the driver could not convert a value.
        let lost = error.is_closed()
            || std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>());
        return if lost {
            Failure::Lost(error.to_string())
        } else {
            Failure::Final(StoreError::statement(sql, &reason(error)))
        };
    };
    let code = database.code();
    let message = database.message();
    if *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED {
        Failure::Conflict
    } else if *code == SqlState::UNIQUE_VIOLATION {
        Failure::Final(StoreError::Unique(format!(
            "{message} ({})",
            database.constraint().unwrap_or_default()
        )))
    } else if *code == SqlState::UNDEFINED_TABLE {
        Failure::Final(StoreError::NoTable(message.to_owned()))
    } else if *code == SqlState::DISK_FULL {
        Failure::Full(message.to_owned())
    } else if is_lost(code) {
        Failure::Lost(message.to_owned())
    } else if code.code().starts_with("23") {
        Failure::Final(StoreError::Constraint(message.to_owned()))
    } else {
        Failure::Final(StoreError::statement(sql, message))
    }
}

/// The meaning of an error in answer to COMMIT: when the connection went with it, nobody knows.
pub(super) fn at_commit(error: &tokio_postgres::Error) -> Failure {
    match classify("COMMIT", error) {
        Failure::Lost(reason) | Failure::Full(reason) => Failure::Unknown(reason),
        failure => failure,
    }
}

/// Whether what was to be committed may be there in spite of this error in answer to COMMIT.
pub(crate) fn may_be_committed(error: &tokio_postgres::Error) -> bool {
    matches!(at_commit(error), Failure::Unknown(_))
}

/// The server is going away, is not there yet, or is no longer the one that writes.
fn is_lost(code: &SqlState) -> bool {
    code.code().starts_with("08")
        || [
            SqlState::READ_ONLY_SQL_TRANSACTION,
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::TOO_MANY_CONNECTIONS,
        ]
        .contains(code)
}

fn reason(error: &tokio_postgres::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}
