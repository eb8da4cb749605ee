//! What this node remembers of sessions for half a minute, so that a request costs no look into the store.

use std::time::Duration;

use haechi_base::{Role, SessionId};
use moka::sync::Cache;

/// How long another node's sign-out may go unnoticed here.
const KEPT: Duration = Duration::from_secs(30);

const SESSIONS_MAX: u64 = 200_000;

/// What is known of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// It lives.
    Alive {
        /// What the person behind it may do.
        role: Role,
    },
    /// It was ended, or never was.
    Ended,
    /// The store could not be asked: the token's signature alone decides.
    Unsure,
}

/// The sessions seen of late.
#[derive(Clone)]
pub(crate) struct SessionCache(Cache<SessionId, Known>);

impl SessionCache {
    pub(crate) fn new() -> Self {
        Self(
            Cache::builder()
                .max_capacity(SESSIONS_MAX)
                .time_to_live(KEPT)
                .build(),
        )
    }

    pub(crate) fn get(&self, id: SessionId) -> Option<Known> {
        self.0.get(&id)
    }

    /// Remembers what was read, unless something is known already: a sign-out that came while we were reading
    /// is newer than what we read.
    pub(crate) fn learn(&self, id: SessionId, known: Known) -> Known {
        self.0.entry(id).or_insert(known).into_value()
    }

    /// Remembers that a session was ended.
    pub(crate) fn end(&self, id: SessionId) {
        self.0.insert(id, Known::Ended);
    }
}
