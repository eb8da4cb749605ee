//! Work beside the conversation that a node does a few at a time: pictures made smaller, pages looked at, rooms exported.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use haechi_base::PersonId;
use parking_lot::Mutex;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::previews::Previews;
use crate::model::ChatError;
use crate::model::limits::{EXPORTS_AT_ONCE_MAX, PICTURES_AT_ONCE_MAX, TURNS_WAITING_MAX};

/// Which pages the program fetches for the previews of links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PreviewReach {
    /// Those of the public internet.
    #[default]
    Internet,
    /// Those of this machine too, on any port. For tests: it opens every service of the machine to everybody.
    ThisMachine,
    /// None.
    Nowhere,
}

/// The desks of a node.
pub(super) struct Desk {
    pub(super) pictures: Turns,
    pub(super) previews: Previews,
    pub(super) exports: Exports,
    /// Told whenever an announced upload came.
    pub(super) arrivals: Notify,
}

impl Desk {
    pub(super) fn new(reach: PreviewReach) -> Self {
        Self {
            pictures: Turns::new(PICTURES_AT_ONCE_MAX),
            previews: Previews::new(reach),
            exports: Exports::default(),
            arrivals: Notify::new(),
        }
    }
}

/// Who has a room exported now: one a person, so that nobody holds all places by reading slowly.
#[derive(Default)]
pub(super) struct Exports(Arc<Mutex<HashSet<PersonId>>>);

/// A person's place, until it is dropped.
pub(super) struct ExportPlace {
    exports: Arc<Mutex<HashSet<PersonId>>>,
    person: PersonId,
}

/// After how long to try again while an export of one's own is under way.
const EXPORT_WAIT: Duration = Duration::from_secs(10);

impl Exports {
    /// Takes a place.
    ///
    /// # Errors
    /// [`ChatError::TooOften`] when the person has one, [`ChatError::MediaBusy`] when all are taken.
    pub(super) fn place(&self, person: PersonId) -> Result<ExportPlace, ChatError> {
        let mut people = self.0.lock();
        if people.contains(&person) {
            return Err(ChatError::TooOften(EXPORT_WAIT));
        }
        if people.len() >= EXPORTS_AT_ONCE_MAX {
            return Err(ChatError::MediaBusy);
        }
        people.insert(person);
        Ok(ExportPlace {
            exports: Arc::clone(&self.0),
            person,
        })
    }
}

impl Drop for ExportPlace {
    fn drop(&mut self) {
        self.exports.lock().remove(&self.person);
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
