//! Trying again: with growing pauses that are spread at random, for a stated time by the clock.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::time::Instant;

use crate::StoreError;
use crate::error::Failure;

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
    let mut pauses = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(2))
        .with_max_delay(Duration::from_millis(250))
        .without_max_times()
        .with_jitter()
        .build();
    let end = Instant::now() + patience;
    let mut attempts = 0_u32;
    let mut unknown = None;
    loop {
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
        let pause = pauses.next().unwrap_or_default();
        if Instant::now() + pause >= end {
            let error = match (unknown, failure) {
                (Some(reason), _) => StoreError::Unknown(reason),
                (None, Failure::Conflict) => StoreError::Conflict { attempts },
                (None, failure) => failure.into_error(),
            };
            return Err(error.into());
        }
        tokio::time::sleep(pause).await;
    }
}
