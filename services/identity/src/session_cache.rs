//! What this node remembers of sessions for half a minute, so that a request costs no look into the store.

use std::time::Duration;

use haechi_base::{Role, SessionId};
use haechi_service::Cluster;
use moka::sync::Cache;

/// How long another node's sign-out may go unnoticed here, should its hint be lost.
const KEPT: Duration = Duration::from_secs(30);

/// The topic by which nodes tell each other of ended sessions.
const ENDED: &str = "identity.ended";

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
pub(crate) struct SessionCache {
    known: Cache<SessionId, Known>,
    cluster: Cluster,
}

impl SessionCache {
    /// A cache that hears from other nodes which sessions were ended there.
    pub(crate) fn start(cluster: &Cluster) -> Self {
        let known = Cache::builder()
            .max_capacity(SESSIONS_MAX)
            .time_to_live(KEPT)
            .support_invalidation_closures()
            .build();
        let ended = known.clone();
        cluster.subscribe(ENDED, move |ids: Vec<SessionId>| {
            ids.into_iter().for_each(|id| ended.insert(id, Known::Ended));
        });
        let missed: Cache<SessionId, Known> = known.clone();
        cluster.subscribe_to_gaps(move || {
            // Which sessions were ended meanwhile nobody knows here: each is read again.
            if let Err(error) = missed.invalidate_entries_if(|_, known| *known != Known::Ended) {
                tracing::warn!(%error, "sessions that were ended elsewhere may go on here for a moment");
            }
        });
        Self {
            known,
            cluster: cluster.clone(),
        }
    }

    pub(crate) fn get(&self, id: SessionId) -> Option<Known> {
        self.known.get(&id)
    }

    /// Remembers what was read, unless something is known already: a sign-out that came while we were reading
    /// is newer than what we read.
    pub(crate) fn learn(&self, id: SessionId, known: Known) -> Known {
        self.known.entry(id).or_insert(known).into_value()
    }

    /// Remembers, on all nodes, that sessions were ended.
    pub(crate) fn end(&self, ids: &[SessionId]) {
        if ids.is_empty() {
            return;
        }
        ids.iter().for_each(|id| self.known.insert(*id, Known::Ended));
        self.cluster.publish(ENDED, &ids);
    }
}
