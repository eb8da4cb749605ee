//! The replicated engine: serializable transactions on the writable one of several hosts, tried again until
//! they are done, refused or out of time.

mod attempt;
mod connect;
mod failure;
mod patience;
mod primary;
mod reign;
mod tls;
mod transaction;
mod value;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deadpool_postgres::Object;
use haechi_base::Time;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_util::task::LocalPoolHandle;

use crate::error::Failure;
use crate::tx::Tx;
use crate::write_key::{WriteKey, run_once};
use crate::{Leadership, StoreError, StoreLimits};

use attempt::{Means, Mode, attempt};
use connect::pool;
pub(crate) use connect::{APPLICATION, Warnings, connect_alone, connect_any};
pub(crate) use failure::may_be_committed;
use patience::{Attempt, until_done};
use primary::Primary;
use reign::Reign;
pub use tls::PostgresUrl;
pub(crate) use transaction::PostgresTransaction;

/// How long reads go straight to any host after no primary could be reached.
const PRIMARY_SHUNNED_FOR: Duration = Duration::from_secs(1);

/// A PostgreSQL cluster: pools of connections and the threads that transactions run on.
pub(crate) struct Postgres {
    shared: Arc<Shared>,
    /// A transaction's code need not be `Send`: it is born on one of these threads and ends there. It also
    /// outlives a caller that goes away, so that nobody can cut it half-way.
    workers: LocalPoolHandle,
    waiting: Arc<Semaphore>,
}

struct Shared {
    primary: Primary,
    any: Reign,
    warnings: Warnings,
    degraded: AtomicBool,
    primary_lost_at: Mutex<Option<Instant>>,
    limits: StoreLimits,
}

impl Postgres {
    /// Prepares the pools. Connects to nobody yet: a node starts even when no database can be reached.
    pub(crate) fn open(
        url: &PostgresUrl,
        limits: &StoreLimits,
        leadership: Option<Arc<dyn Leadership>>,
    ) -> Result<Self, StoreError> {
        let warnings = Warnings::default();
        let shared = Shared {
            primary: Primary::open(url, limits, &warnings, leadership)?,
            any: Reign::of_nobody(pool(url, TargetSessionAttrs::Any, limits, &warnings)?),
            warnings,
            degraded: AtomicBool::new(false),
            primary_lost_at: Mutex::new(None),
            limits: limits.clone(),
        };
        Ok(Self {
            shared: Arc::new(shared),
            workers: LocalPoolHandle::new(limits.worker_threads),
            waiting: Arc::new(Semaphore::new(limits.transactions_waiting_max)),
        })
    }

    /// Whether the last read had to be served by a host that cannot write.
    pub(crate) fn is_degraded(&self) -> bool {
        self.shared.degraded.load(Ordering::Relaxed)
    }

    /// Runs a write under its key.
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
        // Without a key of its own a write could not tell, after a connection lost in COMMIT, whether it was done.
        let key = key.unwrap_or_else(WriteKey::fresh);
        self.write_unkeyed(async move |tx: &mut Tx<'_>| run_once(tx, &key, now, &transaction).await)
            .await
    }

    /// Runs a write that may be repeated even after it was committed.
    pub(crate) async fn write_unkeyed<T, E, F>(&self, transaction: F) -> Result<T, E>
    where
        F: AsyncFn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        self.on_worker(move || async move {
            let patience = shared.limits.unavailable_wait;
            until_done(patience, async || {
                shared.primary.led_by_somebody().await;
                shared.attempt_on_primary(Mode::Write, &transaction).await
            })
            .await
        })
        .await
    }

    /// Runs a read on a snapshot of the primary, or of any host that answers when there is no primary.
    pub(crate) async fn read<T, E, F>(&self, transaction: F) -> Result<T, E>
    where
        F: AsyncFn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        self.on_worker(move || async move {
            let patience = shared.limits.unavailable_wait;
            until_done(patience, async || shared.attempt_read(&transaction).await).await
        })
        .await
    }

    async fn on_worker<T, E, M, R>(&self, make: M) -> Result<T, E>
    where
        M: FnOnce() -> R + Send + 'static,
        R: Future<Output = Result<T, E>> + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let Ok(permit) = Arc::clone(&self.waiting).try_acquire_owned() else {
            let limit = self.shared.limits.transactions_waiting_max;
            return Err(StoreError::TooBusy { limit }.into());
        };
        let task = self.workers.spawn_pinned(move || async move {
            let outcome = make().await;
            drop(permit);
            outcome
        });
        task.await.unwrap_or_else(|_| Err(StoreError::Panicked.into()))
    }
}

impl Shared {
    async fn attempt_on_primary<T, E, F>(&self, mode: Mode, transaction: &F) -> Result<T, Attempt<E>>
    where
        F: AsyncFn(&mut Tx<'_>) -> Result<T, E>,
        E: From<StoreError>,
    {
        let reign = self.primary.reign().map_err(Attempt::Failed)?;
        let opened = reign.opened(mode, self.limits.primary_read_wait).await;
        opened.map_err(Attempt::Failed)?;
        let means = Means {
            reign: &reign,
            mode,
            limits: &self.limits,
            warnings: &self.warnings,
            read_wait: self.primary.is_led().then_some(self.limits.primary_read_wait),
        };
        let confirm = async |client: &Object| self.primary.confirm(&reign, client).await;
        tokio::select! {
            biased;
            () = reign.end() => {
                // Whether it was committed, nobody here will learn. Its connections are closed with their pool.
                Err(Attempt::Failed(Failure::Unknown("another term of leadership began".to_owned())))
            }
            outcome = attempt(&means, confirm, transaction) => {
                if let Err(Attempt::Failed(Failure::Full(_))) = &outcome {
                    self.primary.note_full(&reign);
                }
                outcome
            }
        }
    }

    /// Reads from the primary, and from any host when there is none. For a moment after that the primary is not
    /// asked first: each read would wait for hosts that do not answer.
    async fn attempt_read<T, E, F>(&self, transaction: &F) -> Result<T, Attempt<E>>
    where
        F: AsyncFn(&mut Tx<'_>) -> Result<T, E>,
        E: From<StoreError>,
    {
        if !self.shuns_primary() && !self.primary.is_silent() {
            match self.attempt_on_primary(Mode::Read, transaction).await {
                Err(Attempt::Failed(Failure::Lost(_) | Failure::Unknown(_))) => self.lose_primary(),
                // The next read may find a connection: the primary has not gone away.
                Err(Attempt::Failed(Failure::Busy { .. })) if self.primary.is_led() => {}
                outcome => {
                    self.degraded.store(false, Ordering::Relaxed);
                    return outcome;
                }
            }
        }
        self.degraded.store(true, Ordering::Relaxed);
        let means = Means {
            reign: &self.any,
            mode: Mode::ReadAnywhere,
            limits: &self.limits,
            warnings: &self.warnings,
            read_wait: None,
        };
        attempt(&means, async |_: &Object| Ok(()), transaction).await
    }

    fn shuns_primary(&self) -> bool {
        let lost_at = *self
            .primary_lost_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        lost_at.is_some_and(|lost_at| lost_at.elapsed() < PRIMARY_SHUNNED_FOR)
    }

    fn lose_primary(&self) {
        self.degraded.store(true, Ordering::Relaxed);
        *self
            .primary_lost_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}
