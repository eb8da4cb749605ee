//! The reader threads: each read runs on a snapshot of its own, beside the writer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::thread;

use rusqlite::Connection;

use super::connection::open_reader;
use crate::{StoreError, StoreLimits};

/// A read on its way to a thread; it answers its caller itself. It is handed the connection, or why there is
/// none to run on.
pub(super) type Read = Box<dyn FnOnce(Result<&Connection, StoreError>) + Send>;

/// The way to the reader threads, which end when this is dropped.
pub(super) struct Readers {
    queue: async_channel::Sender<Read>,
    limit: usize,
}

impl Readers {
    pub(super) fn start(path: &Path, limits: &StoreLimits) -> Result<Self, StoreError> {
        let limit = limits.transactions_waiting_max;
        let (queue, waiting) = async_channel::bounded(limit);
        for number in 0..limits.reader_threads {
            let connection = open_reader(path)?;
            let waiting = waiting.clone();
            thread::Builder::new()
                .name(format!("store-reader-{number}"))
                .spawn(move || run(&connection, &waiting))
                .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        }
        Ok(Self { queue, limit })
    }

    pub(super) fn submit(&self, read: Read) -> Result<(), StoreError> {
        self.queue.try_send(read).map_err(|refused| match refused {
            async_channel::TrySendError::Full(_) => StoreError::TooBusy { limit: self.limit },
            async_channel::TrySendError::Closed(_) => {
                StoreError::Unavailable("the store was closed".to_owned())
            }
        })
    }
}

fn run(connection: &Connection, waiting: &async_channel::Receiver<Read>) {
    while let Ok(read) = waiting.recv_blocking() {
        let snapshot = statement(connection, "BEGIN").map(|()| connection);
        // A read that panics drops its answer, and its caller is told so; the thread goes on.
        drop(catch_unwind(AssertUnwindSafe(|| read(snapshot))));
        if !connection.is_autocommit()
            && let Err(error) = statement(connection, "COMMIT")
        {
            tracing::error!(%error, "a read could not end");
        }
    }
}

fn statement(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    let run = || connection.prepare_cached(sql)?.raw_execute();
    run()
        .map(drop)
        .map_err(|error| StoreError::statement(sql, &error))
}
