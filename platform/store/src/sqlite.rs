//! The embedded engine: one file, one writer thread that commits in groups, and a few reader threads.

mod checkpoints;
mod connection;
mod readers;
mod transaction;
mod writer;

use std::path::Path;

use haechi_base::Time;
use rusqlite::Connection;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use crate::tx::{AfterCommit, Engine, Tx};
use crate::write_key::{WriteKey, run_once};
use crate::{StoreError, StoreLimits};

use checkpoints::Checkpoints;
pub(crate) use connection::create_private;
use readers::Readers;
use transaction::poll_once;
pub(crate) use transaction::{SqliteTransaction, bind};
use writer::{Settled, Writer};

/// The embedded database: where transactions are sent to be run.
pub(crate) struct Sqlite {
    writer: Writer,
    readers: Readers,
}

impl Sqlite {
    /// Opens or creates the file and starts the threads.
    pub(crate) fn open(path: &Path, limits: &StoreLimits) -> Result<Self, StoreError> {
        let mut connection = connection::open_writer(path)?;
        let checkpoints = Checkpoints::start(&mut connection, path)?;
        let writer = Writer::start(connection, checkpoints, limits)?;
        let readers = Readers::start(path, limits)?;
        Ok(Self { writer, readers })
    }

    /// Runs a write on the writer thread, in a group with those that wait beside it.
    pub(crate) async fn write<T, E, F>(
        &self,
        key: Option<WriteKey>,
        now: Time,
        transaction: F,
    ) -> Result<T, E>
    where
        F: AsyncFn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Serialize + DeserializeOwned + Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        // Nothing is tried again here: the store's own keys would have nothing to tell apart.
        let key = key.filter(|key| !key.is_fresh());
        self.write_unkeyed(async move |tx: &mut Tx<'_>| match &key {
            Some(key) => run_once(tx, key, now, &transaction).await,
            None => transaction(tx).await,
        })
        .await
    }

    /// Runs a write that needs no key.
    pub(crate) async fn write_unkeyed<T, E, F>(&self, transaction: F) -> Result<T, E>
    where
        F: AsyncFn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        self.writer.submit(Box::new(move |connection| {
            let (outcome, after_commit) = match connection {
                Ok(connection) => run(connection, &transaction),
                Err(error) => (Err(error.into()), Vec::new()),
            };
            let keep = outcome.is_ok();
            let tell = move |committed: Result<(), StoreError>| {
                let outcome = committed.map_err(E::from).and(outcome);
                if outcome.is_ok() {
                    after_commit.into_iter().for_each(|action| action());
                }
                // Nobody listens when the caller was dropped; the write stands all the same.
                drop(answer.send(outcome));
            };
            Settled {
                keep,
                tell: Box::new(tell),
            }
        }))?;
        answered
            .await
            .unwrap_or_else(|_| Err(StoreError::Panicked.into()))
    }

    /// Runs a read on a snapshot.
    pub(crate) async fn read<T, E, F>(&self, transaction: F) -> Result<T, E>
    where
        F: AsyncFn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        self.readers.submit(Box::new(move |connection| {
            let outcome = connection
                .map_err(E::from)
                .and_then(|connection| run(connection, &transaction).0);
            drop(answer.send(outcome));
        }))?;
        answered
            .await
            .unwrap_or_else(|_| Err(StoreError::Panicked.into()))
    }
}

/// Runs a transaction's code on this thread. Its first failed statement decides, whatever the code made of it.
fn run<T, E, F>(connection: &Connection, transaction: &F) -> (Result<T, E>, AfterCommit)
where
    F: AsyncFn(&mut Tx<'_>) -> Result<T, E>,
    E: From<StoreError>,
{
    let mut tx = Tx::new(Engine::Sqlite(SqliteTransaction::new(connection)));
    let outcome = poll_once(transaction(&mut tx)).unwrap_or_else(|error| Err(error.into()));
    let (poison, after_commit) = tx.finish();
    let outcome = match (outcome, poison) {
        (Ok(_), Some(failure)) => Err(failure.into_error().into()),
        (outcome, _) => outcome,
    };
    (outcome, after_commit)
}
