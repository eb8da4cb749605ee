//! Waiting for a condition, with a bound, and an error that says what did not come.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How often a condition is looked at.
const LOOK_PAUSE: Duration = Duration::from_millis(100);

/// Looks again and again until there is something. An error of one look is told when the time is over.
///
/// # Errors
/// It did not come in time; the message says what, and what the last look found.
pub(crate) async fn wait_until<T>(
    what: &str,
    duration_max: Duration,
    look: impl AsyncFn() -> Result<Option<T>>,
) -> Result<T> {
    let deadline = Instant::now() + duration_max;
    loop {
        let last = match look().await {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => String::new(),
            Err(error) => format!(" ({error:#})"),
        };
        if Instant::now() > deadline {
            bail!("waited {duration_max:?} for this and it did not come: {what}{last}");
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
}

/// A yes or no as [`wait_until`] takes it.
#[allow(clippy::unnecessary_wraps)]
pub(crate) fn holds(condition: bool) -> Result<Option<()>> {
    Ok(condition.then_some(()))
}
