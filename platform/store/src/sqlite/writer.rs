//! The writer thread: takes all writes that wait, runs each in a savepoint, commits once, answers all.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use rusqlite::Connection;
use tokio::sync::mpsc;

use crate::{StoreError, StoreLimits};

/// A write that was run but not yet committed.
pub(super) struct Settled {
    /// Whether its changes are kept, or rolled back to its savepoint.
    pub(super) keep: bool,
    /// Answers the caller, with the fate of the commit. Also a refusal is answered only then: it may rest on
    /// what an earlier member of the same group wrote.
    pub(super) tell: Box<dyn FnOnce(Result<(), StoreError>)>,
}

/// A write on its way to the thread. It is handed the connection, or why there is none to run on.
pub(super) type Write = Box<dyn FnOnce(Result<&Connection, StoreError>) -> Settled + Send>;

/// The way to the writer thread, which ends when this is dropped.
pub(super) struct Writer {
    queue: mpsc::Sender<Write>,
    limit: usize,
}

impl Writer {
    pub(super) fn start(connection: Connection, limits: &StoreLimits) -> Result<Self, StoreError> {
        let limit = limits.transactions_waiting_max;
        let group_max = limits.group_commit_max;
        let (queue, waiting) = mpsc::channel(limit);
        thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || run(&connection, waiting, group_max))
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self { queue, limit })
    }

    pub(super) fn submit(&self, write: Write) -> Result<(), StoreError> {
        self.queue.try_send(write).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => StoreError::TooBusy { limit: self.limit },
            mpsc::error::TrySendError::Closed(_) => {
                StoreError::Unavailable("the store was closed".to_owned())
            }
        })
    }
}

fn run(connection: &Connection, mut waiting: mpsc::Receiver<Write>, group_max: usize) {
    let mut group = Vec::with_capacity(group_max);
    while let Some(first) = waiting.blocking_recv() {
        group.push(first);
        while group.len() < group_max {
            let Ok(next) = waiting.try_recv() else { break };
            group.push(next);
        }
        commit_group(connection, &mut group);
    }
}

fn commit_group(connection: &Connection, group: &mut Vec<Write>) {
    metrics::histogram!("store_group_commit_size").record(u32::try_from(group.len()).unwrap_or(u32::MAX));
    let begun = statement(connection, "BEGIN IMMEDIATE");
    let mut settled = Vec::with_capacity(group.len());
    for write in group.drain(..) {
        settled.extend(match &begun {
            Ok(()) => run_member(connection, write),
            Err(error) => Some(write(Err(error.clone()))),
        });
    }
    let committed = begun.and_then(|()| statement(connection, "COMMIT"));
    if committed.is_err() && !connection.is_autocommit() {
        drop(statement(connection, "ROLLBACK"));
    }
    if let Err(error) = &committed {
        tracing::error!(%error, "a group of writes was not committed");
    }
    for member in settled {
        (member.tell)(committed.clone());
    }
}

/// Runs one write in a savepoint. A write that panics leaves nothing; its caller sees the answer dropped.
fn run_member(connection: &Connection, write: Write) -> Option<Settled> {
    if let Err(error) = statement(connection, "SAVEPOINT member") {
        return Some(write(Err(error)));
    }
    let settled = catch_unwind(AssertUnwindSafe(|| write(Ok(connection))));
    let keep = settled.as_ref().is_ok_and(|settled| settled.keep);
    let undone = if keep {
        Ok(())
    } else {
        statement(connection, "ROLLBACK TO member")
    };
    let released = undone.and_then(|()| statement(connection, "RELEASE member"));
    match (settled, released) {
        (Ok(settled), Err(error)) => {
            let tell = settled.tell;
            Some(Settled {
                keep: false,
                tell: Box::new(move |_| tell(Err(error))),
            })
        }
        (settled, _) => settled.ok(),
    }
}

fn statement(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    let run = || connection.prepare_cached(sql)?.raw_execute();
    match run() {
        Ok(_) => Ok(()),
        Err(rusqlite::Error::SqliteFailure(code, _)) if code.code == rusqlite::ErrorCode::DatabaseBusy => {
            Err(StoreError::Unavailable(
                "another process holds the database file".to_owned(),
            ))
        }
        Err(error) => Err(StoreError::statement(sql, &error)),
    }
}
