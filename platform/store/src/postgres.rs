//! The replicated engine: serializable transactions on the writable one of several hosts, tried again until
//! they are done, refused or out of time.

mod failure;
mod transaction;
mod value;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use haechi_base::Time;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::{Config, IsolationLevel, NoTls};
use tokio_util::task::LocalPoolHandle;

use crate::error::Failure;
use crate::tx::{Engine, Tx};
use crate::write_key::{WriteKey, run_once};
use crate::{StoreError, StoreLimits};

use failure::{at_commit, classify};
pub(crate) use transaction::PostgresTransaction;

/// How long to wait for one host to answer before the next is tried.
const CONNECT_WAIT: Duration = Duration::from_secs(2);

/// A PostgreSQL cluster: pools of connections and the threads that transactions run on.
pub(crate) struct Postgres {
    shared: Arc<Shared>,
    /// A transaction's code need not be `Send`: it is born on one of these threads and ends there. It also
    /// outlives a caller that goes away, so that nobody can cut it half-way.
    workers: LocalPoolHandle,
    waiting: Arc<Semaphore>,
    limits: StoreLimits,
}

struct Shared {
    primary: Pool,
    any: Pool,
    degraded: AtomicBool,
    patience: Duration,
}

/// Why one attempt brought no result.
enum Attempt<E> {
    /// The rules or the store said no; trying again will not help.
    Refused(E),
    /// The same may work next time.
    Failed(Failure),
}

impl Postgres {
    /// Prepares the pools. Connects to nobody yet: a node starts even when no database can be reached.
    pub(crate) fn open(config: &Config, limits: &StoreLimits) -> Result<Self, StoreError> {
        let shared = Shared {
            primary: pool(config, TargetSessionAttrs::ReadWrite, limits)?,
            any: pool(config, TargetSessionAttrs::Any, limits)?,
            degraded: AtomicBool::new(false),
            patience: limits.unavailable_wait,
        };
        Ok(Self {
            shared: Arc::new(shared),
            workers: LocalPoolHandle::new(limits.worker_threads),
            waiting: Arc::new(Semaphore::new(limits.transactions_waiting_max)),
            limits: limits.clone(),
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
            shared
                .until_done(async || shared.attempt(&shared.primary, Mode::Write, &transaction).await)
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
            shared
                .until_done(
                    async || match shared.attempt(&shared.primary, Mode::Read, &transaction).await {
                        Err(Attempt::Failed(Failure::Lost(_) | Failure::Unknown(_))) => {
                            shared.degraded.store(true, Ordering::Relaxed);
                            shared.attempt(&shared.any, Mode::Read, &transaction).await
                        }
                        outcome => {
                            shared.degraded.store(false, Ordering::Relaxed);
                            outcome
                        }
                    },
                )
                .await
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
            return Err(StoreError::TooBusy {
                limit: self.limits.transactions_waiting_max,
            }
            .into());
        };
        let task = self.workers.spawn_pinned(move || async move {
            let outcome = make().await;
            drop(permit);
            outcome
        });
        task.await.unwrap_or_else(|_| Err(StoreError::Panicked.into()))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Read,
    Write,
}

impl Shared {
    /// Repeats an attempt, with growing pauses that are spread at random, until it is done or refused, or
    /// until the patience is at its end.
    async fn until_done<T, E: From<StoreError>>(
        &self,
        attempt: impl AsyncFn() -> Result<T, Attempt<E>>,
    ) -> Result<T, E> {
        let pauses = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(2))
            .with_max_delay(Duration::from_millis(250))
            .with_total_delay(Some(self.patience))
            .without_max_times()
            .with_jitter()
            .build();
        let mut attempts = 0_u32;
        let mut unknown = None;
        for pause in pauses.map(Some).chain([None]) {
            attempts = attempts.saturating_add(1);
            let failure = match attempt().await {
                Ok(value) => return Ok(value),
                Err(Attempt::Refused(error)) => return Err(error),
                Err(Attempt::Failed(failure)) => failure,
            };
            metrics::counter!("store_retries").increment(1);
            if let Failure::Unknown(reason) = &failure {
                unknown = Some(reason.clone());
            }
            let Some(pause) = pause else {
                let error = match (unknown, failure) {
                    (Some(reason), _) => StoreError::Unknown(reason),
                    (None, Failure::Conflict) => StoreError::Conflict { attempts },
                    (None, failure) => failure.into_error(),
                };
                return Err(error.into());
            };
            tokio::time::sleep(pause).await;
        }
        Err(StoreError::Conflict { attempts }.into())
    }

    async fn attempt<T, E, F>(&self, pool: &Pool, mode: Mode, transaction: &F) -> Result<T, Attempt<E>>
    where
        F: AsyncFn(&mut Tx<'_>) -> Result<T, E>,
        E: From<StoreError>,
    {
        let lost = |reason: String| Attempt::Failed(Failure::Lost(reason));
        let mut client = pool.get().await.map_err(|error| lost(error.to_string()))?;
        let outcome = attempt_on(&mut client, mode, transaction).await;
        if let Err(Attempt::Failed(Failure::Lost(_) | Failure::Unknown(_))) = &outcome {
            // Not back into the pool: a demoted primary still answers, but can no longer write.
            drop(Object::take(client));
        }
        outcome
    }
}

async fn attempt_on<T, E, F>(client: &mut Object, mode: Mode, transaction: &F) -> Result<T, Attempt<E>>
where
    F: AsyncFn(&mut Tx<'_>) -> Result<T, E>,
    E: From<StoreError>,
{
    let failed = |error: &tokio_postgres::Error| Attempt::Failed(classify("BEGIN", error));
    let builder = match mode {
        Mode::Read => client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true),
        Mode::Write => client
            .build_transaction()
            .isolation_level(IsolationLevel::Serializable),
    };
    let open = builder.start().await.map_err(|error| failed(&error))?;
    let mut tx = Tx::new(Engine::Postgres(PostgresTransaction::new(&open)));
    let outcome = transaction(&mut tx).await;
    let (poison, after_commit) = tx.finish();
    match (outcome, poison) {
        (Ok(value), None) => {
            open.commit().await.map_err(|error| match at_commit(&error) {
                Failure::Final(error) => Attempt::Refused(error.into()),
                failure => Attempt::Failed(failure),
            })?;
            after_commit.into_iter().for_each(|action| action());
            Ok(value)
        }
        (outcome, poison) => {
            // PostgreSQL answers COMMIT of a failed transaction with success and keeps nothing, so it is never
            // sent one. A rollback that fails leaves nothing either.
            drop(open.rollback().await);
            Err(match (outcome, poison) {
                (Err(error), None | Some(Failure::Final(_))) => Attempt::Refused(error),
                (Ok(_), Some(Failure::Final(error))) => Attempt::Refused(error.into()),
                (_, Some(failure)) => Attempt::Failed(failure),
                (Ok(_), None) => Attempt::Refused(StoreError::Panicked.into()),
            })
        }
    }
}

fn pool(config: &Config, target: TargetSessionAttrs, limits: &StoreLimits) -> Result<Pool, StoreError> {
    let mut config = config.clone();
    config.target_session_attrs(target);
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_WAIT);
    }
    config.application_name("haechi");
    let manager = Manager::from_config(
        config,
        NoTls,
        ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        },
    );
    Pool::builder(manager)
        .max_size(limits.connections_max)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(limits.unavailable_wait))
        .create_timeout(Some(limits.unavailable_wait))
        .build()
        .map_err(|error| StoreError::Unavailable(error.to_string()))
}
