//! How often a person may do what troubles others: each node counts for itself.

use std::time::Duration;

use haechi_base::PersonId;
use haechi_http::KeyedLimiter;

use crate::model::ChatError;
use crate::model::limits::{INVITES_BURST, INVITES_PERIOD, REPORTS_BURST, REPORTS_PERIOD};

/// What is counted.
pub(super) struct Rates {
    invites: KeyedLimiter<PersonId>,
    reports: KeyedLimiter<PersonId>,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            invites: KeyedLimiter::per_period(INVITES_BURST, INVITES_PERIOD),
            reports: KeyedLimiter::per_period(REPORTS_BURST, REPORTS_PERIOD),
        }
    }
}

impl Rates {
    /// Counts invitations that a person sends; a request to be let in counts as one.
    ///
    /// # Errors
    /// [`ChatError::TooOften`].
    pub(super) fn invite(&self, person: PersonId, count: usize) -> Result<(), ChatError> {
        (0..count)
            .try_for_each(|_| self.invites.check(&person))
            .map_err(too_often)
    }

    /// Uses up a person's invitations.
    #[cfg(test)]
    pub(super) fn use_up(&self, person: PersonId) {
        while self.invites.check(&person).is_ok() {}
    }

    /// Counts a report.
    ///
    /// # Errors
    /// [`ChatError::TooOften`].
    pub(super) fn report(&self, person: PersonId) -> Result<(), ChatError> {
        self.reports.check(&person).map_err(too_often)
    }
}

const fn too_often(wait: Duration) -> ChatError {
    ChatError::TooOften(wait)
}
