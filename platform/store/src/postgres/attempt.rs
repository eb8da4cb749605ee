//! One attempt at a transaction, on one connection, each step of it bounded in time.

use std::time::Duration;

use deadpool_postgres::{Object, PoolError, TimeoutType};
use tokio::time::timeout;
use tokio_postgres::IsolationLevel;
use tokio_postgres::error::SqlState;

use super::PostgresTransaction;
use super::connect::Warnings;
use super::failure::{at_commit, classify};
use super::patience::Attempt;
use super::reign::Reign;
use crate::error::Failure;
use crate::tx::{Engine, Tx};
use crate::{StoreError, StoreLimits};

/// Whether a transaction reads or writes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Read,
    /// Reads from any host, which may be a standby.
    ReadAnywhere,
    Write,
}

/// With what a transaction is run once.
pub(super) struct Means<'m> {
    /// Where its connection comes from, and in which term of leadership.
    pub(super) reign: &'m Reign,
    /// Whether it reads or writes.
    pub(super) mode: Mode,
    /// How long each step may take.
    pub(super) limits: &'m StoreLimits,
    /// What the servers warned of.
    pub(super) warnings: &'m Warnings,
    /// How long a read may take as a whole, where another host could answer it.
    pub(super) read_wait: Option<Duration>,
}

/// Runs a transaction once. What was committed is acknowledged once `confirm` agrees.
pub(super) async fn attempt<T, E, F>(
    means: &Means<'_>,
    confirm: impl AsyncFn(&Object) -> Result<(), Failure>,
    transaction: &F,
) -> Result<T, Attempt<E>>
where
    F: AsyncFn(&mut Tx<'_>) -> Result<T, E>,
    E: From<StoreError>,
{
    let read_wait = means.read_wait.filter(|_| means.mode == Mode::Read);
    let mut client = connection(means, read_wait).await?;
    let outcome = within(read_wait, attempt_on(&mut client, means, confirm, transaction)).await;
    if let Err(Attempt::Failed(Failure::Lost(_) | Failure::Unknown(_))) = &outcome {
        // Not back into the pool: a demoted primary still answers, but can no longer write.
        drop(Object::take(client));
    }
    outcome
}

async fn connection<E>(means: &Means<'_>, read_wait: Option<Duration>) -> Result<Object, Attempt<E>> {
    let mut timeouts = means.reign.pool.timeouts();
    if let Some(wait) = read_wait {
        timeouts.wait = Some(wait);
        timeouts.create = Some(wait);
    }
    let got = tokio::select! {
        got = means.reign.pool.timeout_get(&timeouts) => got,
        failure = means.reign.closed() => return Err(Attempt::Failed(failure)),
    };
    got.map_err(|error| {
        Attempt::Failed(match error {
            PoolError::Timeout(TimeoutType::Wait) => Failure::Busy {
                limit: means.limits.connections_max,
            },
            error => {
                if tells_of_the_server(&error) {
                    means.reign.note_unreachable(&error.to_string());
                }
                Failure::Lost(error.to_string())
            }
        })
    })
}

/// Whether nobody else can be expected to get a connection either. A server that has given out all it has goes on with
/// those.
fn tells_of_the_server(error: &PoolError) -> bool {
    matches!(error, PoolError::Backend(error) if error.code() != Some(&SqlState::TOO_MANY_CONNECTIONS))
}

async fn within<T, E>(
    wait: Option<Duration>,
    step: impl Future<Output = Result<T, Attempt<E>>>,
) -> Result<T, Attempt<E>> {
    let Some(wait) = wait else { return step.await };
    let late = || Attempt::Failed(Failure::Lost("the primary did not answer in time".to_owned()));
    timeout(wait, step).await.map_err(|_| late())?
}

async fn attempt_on<T, E, F>(
    client: &mut Object,
    means: &Means<'_>,
    confirm: impl AsyncFn(&Object) -> Result<(), Failure>,
    transaction: &F,
) -> Result<T, Attempt<E>>
where
    F: AsyncFn(&mut Tx<'_>) -> Result<T, E>,
    E: From<StoreError>,
{
    let Means { mode, warnings, .. } = *means;
    let answer_wait = means.limits.answer_wait;
    let builder = match mode {
        Mode::Read | Mode::ReadAnywhere => client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true),
        Mode::Write => client
            .build_transaction()
            .isolation_level(IsolationLevel::Serializable),
    };
    let begun = timeout(answer_wait, builder.start()).await;
    let begun = begun.map_err(|_| Attempt::Failed(Failure::Lost("no answer to BEGIN".to_owned())))?;
    let open = begun.map_err(|error| Attempt::Failed(classify("BEGIN", &error)))?;
    let mut tx = Tx::new(Engine::Postgres(PostgresTransaction::new(&open, answer_wait)))
        .lagging(mode == Mode::ReadAnywhere)
        .in_term(means.reign.revision());
    let outcome = transaction(&mut tx).await;
    let (poison, after_commit) = tx.finish();
    match (outcome, poison) {
        (Ok(value), None) => {
            let warned_before = warnings.seen();
            let committed = timeout(answer_wait, open.commit()).await;
            let committed =
                committed.map_err(|_| Attempt::Failed(Failure::Unknown("no answer to COMMIT".to_owned())))?;
            committed.map_err(|error| match at_commit(&error) {
                Failure::Final(error) => Attempt::Refused(error.into()),
                failure => Attempt::Failed(failure),
            })?;
            if mode == Mode::Write && warnings.seen() != warned_before {
                // It may be on the primary alone. Written again under its key, it waits for the standbys.
                let reason = "a commit did not wait for its standbys".to_owned();
                return Err(Attempt::Failed(Failure::Unknown(reason)));
            }
            if mode == Mode::Write {
                confirm(client).await.map_err(Attempt::Failed)?;
            }
            after_commit.into_iter().for_each(|action| action());
            Ok(value)
        }
        (outcome, poison) => {
            // PostgreSQL answers COMMIT of a failed transaction with success and keeps nothing, so it is never
            // sent one. A rollback that fails, or is not answered, leaves nothing either.
            if !matches!(poison, Some(Failure::Lost(_) | Failure::Unknown(_))) {
                drop(timeout(answer_wait, open.rollback()).await);
            }
            Err(match (outcome, poison) {
                (Err(error), None | Some(Failure::Final(_))) => Attempt::Refused(error),
                (Ok(_), Some(Failure::Final(error))) => Attempt::Refused(error.into()),
                (_, Some(failure)) => Attempt::Failed(failure),
                (Ok(_), None) => Attempt::Refused(StoreError::Panicked.into()),
            })
        }
    }
}
