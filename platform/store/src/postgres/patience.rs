//! Trying again: with growing pauses that are spread at random, for a stated time by the clock.

use std::ops::RangeInclusive;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::time::Instant;

use crate::StoreError;
use crate::error::Failure;

/// A transaction that took this long is logged.
const SLOW: Duration = Duration::from_secs(1);

/// The shortest and the longest pause after a conflict: whoever was first is done in a moment.
const CONFLICT_PAUSE_MS: RangeInclusive<u64> = 2..=50;

/// The shortest and the longest pause after a server was lost. Where a leader is elected its connections are waited for
/// besides (`reign.rs`); elsewhere each attempt at a new one costs the server a process.
const LOST_PAUSE_MS: RangeInclusive<u64> = 30..=250;

/// Why one attempt brought no result.
pub(super) enum Attempt<E> {
    /// The rules or the store said no; trying again will not help.
    Refused(E),
    /// The same may work next time.
    Failed(Failure),
}

/// Repeats `attempt` until it is done or refused, or until `patience` is at its end. An attempt under way is
/// never cut: each has bounds of its own.
pub(super) async fn until_done<T, E: From<StoreError>>(
    patience: Duration,
    attempt: impl AsyncFn() -> Result<T, Attempt<E>>,
) -> Result<T, E> {
    let mut conflict_pauses = pauses(CONFLICT_PAUSE_MS);
    let mut lost_pauses = pauses(LOST_PAUSE_MS);
    let begun = Instant::now();
    let end = begun + patience;
    let mut attempts = 0_u32;
    let mut unknown = None;
    let mut last = None;
    loop {
        attempts = attempts.saturating_add(1);
        let failure = match attempt().await {
            Ok(value) => {
                note_slow(begun.elapsed(), attempts, last.as_ref());
                return Ok(value);
            }
            Err(Attempt::Refused(error)) => return Err(error),
            Err(Attempt::Failed(failure)) => failure,
        };
        metrics::counter!("store_retries").increment(1);
        if let Failure::Unknown(reason) = &failure {
            unknown = Some(reason.clone());
        }
        let pauses = match &failure {
            Failure::Conflict => &mut conflict_pauses,
            _ => &mut lost_pauses,
        };
        let pause = pauses.next().unwrap_or_default();
        if Instant::now() + pause >= end {
            let error = match (unknown, failure) {
                (Some(reason), _) => StoreError::Unknown(reason),
                (None, Failure::Conflict) => StoreError::Conflict { attempts },
                (None, failure) => failure.into_error(),
            };
            return Err(error.into());
        }
        last = Some(failure);
        tokio::time::sleep(pause).await;
    }
}

/// Growing pauses, each up to as much again at random.
fn pauses(pause_ms: RangeInclusive<u64>) -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(*pause_ms.start()))
        .with_max_delay(Duration::from_millis(*pause_ms.end()))
        .without_max_times()
        .with_jitter()
        .build()
}

/// Tells the operator of a transaction that took long, and of what held it up last.
fn note_slow(took: Duration, attempts: u32, last: Option<&Failure>) {
    if took >= SLOW {
        let took_ms = took.as_millis();
        tracing::info!(took_ms, attempts, ?last, "a transaction took long");
    }
}
