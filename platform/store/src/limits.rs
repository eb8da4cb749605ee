//! The bounds of the store, each with the number that is right for a small machine.

use std::time::Duration;

/// How much the store takes on at once.
#[derive(Debug, Clone)]
pub struct StoreLimits {
    /// Transactions that may wait or run; one more is refused as too busy.
    pub transactions_waiting_max: usize,
    /// Writes that the embedded engine commits together.
    pub group_commit_max: usize,
    /// Threads that read the embedded file.
    pub reader_threads: usize,
    /// Threads that run transactions against PostgreSQL.
    pub worker_threads: usize,
    /// Connections to PostgreSQL, for writing and again for reading from a standby.
    pub connections_max: usize,
    /// How long a transaction waits for a database that cannot be reached, or fights over a conflict.
    pub unavailable_wait: Duration,
    /// How long one statement may take until PostgreSQL is taken for dead: a frozen server keeps its connections
    /// open. Migrations are not bounded by it.
    pub answer_wait: Duration,
    /// How long a read waits for the primary of a cluster before a standby answers it.
    pub primary_read_wait: Duration,
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self {
            transactions_waiting_max: 8_192,
            group_commit_max: 64,
            reader_threads: 4,
            worker_threads: 2,
            connections_max: 16,
            unavailable_wait: Duration::from_secs(10),
            answer_wait: Duration::from_secs(5),
            primary_read_wait: Duration::from_millis(600),
        }
    }
}
