//! The writer thread: takes all writes that wait, runs each in a savepoint, commits once, answers all.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use rusqlite::{Connection, ErrorCode};
use tokio::sync::mpsc;

use super::checkpoints::Checkpoints;
use super::transaction::failure;
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
    pub(super) fn start(
        connection: Connection,
        checkpoints: Checkpoints,
        limits: &StoreLimits,
    ) -> Result<Self, StoreError> {
        let limit = limits.transactions_waiting_max;
        let group_max = limits.group_commit_max;
        let (queue, waiting) = mpsc::channel(limit);
        thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || run(&connection, checkpoints, waiting, group_max))
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

fn run(
    connection: &Connection,
    mut checkpoints: Checkpoints,
    mut waiting: mpsc::Receiver<Write>,
    group_max: usize,
) {
    let mut group = VecDeque::with_capacity(group_max);
    while let Some(first) = waiting.blocking_recv() {
        group.push_back(first);
        while group.len() < group_max {
            let Ok(next) = waiting.try_recv() else { break };
            group.push_back(next);
        }
        metrics::histogram!("store_group_commit_size").record(u32::try_from(group.len()).unwrap_or(u32::MAX));
        while !group.is_empty() {
            commit_group(connection, &mut group);
        }
        checkpoints.after_group(connection);
    }
}

/// Runs members of the group in one transaction and commits it. Stops early, with members left over, when a
/// member's failure (a full disk, a disk that fails) took the whole transaction with it.
fn commit_group(connection: &Connection, group: &mut VecDeque<Write>) {
    let begun = statement(connection, "BEGIN IMMEDIATE");
    let mut settled = Vec::with_capacity(group.len());
    let mut outcome = begun.clone();
    while let Some(write) = group.pop_front() {
        if let Err(error) = &begun {
            settled.push(write(Err(error.clone())));
            continue;
        }
        settled.extend(run_member(connection, write));
        if connection.is_autocommit() {
            // Nothing of this transaction is left. Were the next member run now, it would be committed alone.
            outcome = Err(StoreError::Unavailable(
                "the disk is full or does not work".to_owned(),
            ));
            break;
        }
    }
    if outcome.is_ok() {
        outcome = commit(connection);
    }
    if let Err(error) = &outcome {
        tracing::error!(%error, "a group of writes was not committed");
    }
    for member in settled {
        let outcome = outcome.clone();
        // What follows a commit is the services' code: its panic must not end this thread.
        drop(catch_unwind(AssertUnwindSafe(|| (member.tell)(outcome))));
    }
}

fn commit(connection: &Connection) -> Result<(), StoreError> {
    let committed = run_statement(connection, "COMMIT");
    if committed.is_err() && !connection.is_autocommit() {
        drop(statement(connection, "ROLLBACK"));
    }
    committed.map_err(|error| match &error {
        // The log may have reached the disk or not: who opens the file next finds out.
        rusqlite::Error::SqliteFailure(code, _) if code.code == ErrorCode::SystemIoFailure => {
            StoreError::Unknown("the disk failed during COMMIT".to_owned())
        }
        error => failure("COMMIT", error).into_error(),
    })
}

/// Runs one write in a savepoint. A write that panics leaves nothing; its caller sees the answer dropped.
fn run_member(connection: &Connection, write: Write) -> Option<Settled> {
    if let Err(error) = statement(connection, "SAVEPOINT member") {
        return Some(write(Err(error)));
    }
    let settled = catch_unwind(AssertUnwindSafe(|| write(Ok(connection))));
    if connection.is_autocommit() {
        return settled.ok();
    }
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

fn run_statement(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.raw_execute().map(drop)
}

fn statement(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    run_statement(connection, sql).map_err(|error| failure(sql, &error).into_error())
}
