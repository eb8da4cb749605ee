//! Work beside the conversation that a node does a few at a time: pictures made smaller, pages looked at, rooms exported.

use std::sync::Arc;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::previews::Previews;
use crate::model::ChatError;
use crate::model::limits::{EXPORTS_AT_ONCE_MAX, PICTURES_AT_ONCE_MAX, TURNS_WAITING_MAX};

/// What an operator can set for chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChatSettings {
    /// Whether the program fetches the pages that people link to, for their previews.
    pub url_previews: bool,
    /// Whether these may lie on this machine, on any port. For tests: it opens every service of the machine to everybody.
    pub previews_of_this_machine: bool,
}

impl Default for ChatSettings {
    fn default() -> Self {
        Self {
            url_previews: true,
            previews_of_this_machine: false,
        }
    }
}

/// The desks of a node.
pub(super) struct Desk {
    pub(super) pictures: Turns,
    pub(super) previews: Previews,
    pub(super) exports: Arc<Semaphore>,
    /// Told whenever an announced upload came.
    pub(super) arrivals: Notify,
}

impl Desk {
    pub(super) fn new(settings: ChatSettings) -> Self {
        Self {
            pictures: Turns::new(PICTURES_AT_ONCE_MAX),
            previews: Previews::new(settings),
            exports: Arc::new(Semaphore::new(EXPORTS_AT_ONCE_MAX)),
            arrivals: Notify::new(),
        }
    }
}

/// A few at a time, and a bounded number who wait.
pub(super) struct Turns {
    waiting: Arc<Semaphore>,
    working: Arc<Semaphore>,
}

/// Somebody's turn, until it is dropped.
pub(super) struct Turn {
    _working: OwnedSemaphorePermit,
    _waiting: OwnedSemaphorePermit,
}

impl Turns {
    pub(super) fn new(at_once: usize) -> Self {
        Self {
            waiting: Arc::new(Semaphore::new(at_once + TURNS_WAITING_MAX)),
            working: Arc::new(Semaphore::new(at_once)),
        }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// [`ChatError::MediaBusy`] when too many wait already.
    pub(super) async fn turn(&self) -> Result<Turn, ChatError> {
        let busy = |_| ChatError::MediaBusy;
        let waiting = Arc::clone(&self.waiting)
            .try_acquire_owned()
            .map_err(|_| ChatError::MediaBusy)?;
        let working = Arc::clone(&self.working).acquire_owned().await.map_err(busy)?;
        Ok(Turn {
            _working: working,
            _waiting: waiting,
        })
    }
}
