//! Hashes passwords on threads of their own: few at a time, and not many who wait for their turn.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::Result;
use crate::model::IdentityError;

/// Passwords that are hashed at the same time: each takes 19 MiB and a core.
const PASSWORDS_AT_ONCE_MAX: usize = 2;

/// Passwords that wait for their turn, which takes them about a second at the most; the next is refused.
const PASSWORDS_WAITING_MAX: usize = 64;

pub(super) struct Hashing {
    /// One permit for each that runs.
    turns: Arc<Semaphore>,
    /// One permit for each that runs or waits.
    places: Arc<Semaphore>,
}

impl Hashing {
    pub(super) fn new() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(PASSWORDS_AT_ONCE_MAX)),
            places: Arc::new(Semaphore::new(PASSWORDS_AT_ONCE_MAX + PASSWORDS_WAITING_MAX)),
        }
    }

    /// Runs what takes a core for a while.
    ///
    /// # Errors
    /// [`IdentityError::TooBusy`] when too many wait already, [`IdentityError::Internal`].
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let inside = |error: &dyn std::fmt::Display| IdentityError::Internal(error.to_string());
        let place = Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_| IdentityError::TooBusy)?;
        let turn = Arc::clone(&self.turns)
            .acquire_owned()
            .await
            .map_err(|error| inside(&error))?;
        tokio::task::spawn_blocking(move || {
            // The thread holds them, not the request: it works on when the request was given up.
            let _held = (turn, place);
            work()
        })
        .await
        .map_err(|error| inside(&error))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_request_that_was_given_up_keeps_its_turn_until_its_work_has_ended() {
        let hashing = Arc::new(Hashing::new());
        let (started, mut starts) = tokio::sync::mpsc::unbounded_channel();
        let (finish, finished) = mpsc::channel::<()>();
        let request = tokio::spawn({
            let hashing = Arc::clone(&hashing);
            async move {
                let work = move || {
                    started.send(()).unwrap();
                    let _ = finished.recv();
                };
                hashing.run(work).await
            }
        });
        starts.recv().await.unwrap();
        request.abort();
        assert!(request.await.unwrap_err().is_cancelled());
        assert_eq!(hashing.turns.available_permits(), PASSWORDS_AT_ONCE_MAX - 1);
        finish.send(()).unwrap();
        let all = u32::try_from(PASSWORDS_AT_ONCE_MAX).unwrap();
        let back = hashing.turns.acquire_many(all);
        let _all = tokio::time::timeout(Duration::from_secs(10), back).await.unwrap();
    }

    #[tokio::test]
    async fn so_many_wait_and_the_next_is_refused() {
        let hashing = Arc::new(Hashing::new());
        let all = u32::try_from(PASSWORDS_AT_ONCE_MAX).unwrap();
        let busy = Arc::clone(&hashing.turns).acquire_many_owned(all).await.unwrap();
        let _running = Arc::clone(&hashing.places).acquire_many_owned(all).await.unwrap();
        let waiting: Vec<_> = (0..PASSWORDS_WAITING_MAX)
            .map(|_| {
                let hashing = Arc::clone(&hashing);
                tokio::spawn(async move { hashing.run(|| ()).await })
            })
            .collect();
        while hashing.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(hashing.run(|| ()).await, Err(IdentityError::TooBusy));
        drop(busy);
        for one in waiting {
            assert_eq!(one.await.unwrap(), Ok(()));
        }
    }
}
