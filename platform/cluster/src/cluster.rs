//! The cluster as services hold it.

use std::sync::Arc;

use axum::Router;
use haechi_base::{Clock, Secrets};
use haechi_store::{Leadership as _, Migration, Migrations, Store};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::PatroniLeadership;
use crate::beat;
use crate::joined::Joined;
use crate::node::{NodeId, NodeSettings, SeenNode};
use crate::owned::Lease;
use crate::routes;

/// The tables of the cluster.
pub const MIGRATIONS: Migrations = Migrations {
    service: "cluster",
    steps: &[Migration {
        number: 1,
        name: "node",
        sql: include_str!("../migrations/0001_node.sql"),
    }],
};

/// Why a node cannot take part in a cluster.
#[derive(Debug, Error)]
pub enum ClusterError {
    /// The HTTP client between nodes cannot be made.
    #[error("no HTTP client for the other nodes: {0}")]
    Client(#[from] reqwest::Error),
}

/// The nodes of all sites, as one of them sees them. Cheap to clone.
#[derive(Clone)]
pub struct Cluster(Arc<Inner>);

struct Inner {
    site: Option<String>,
    leadership: Option<PatroniLeadership>,
    /// `None` for a node that has no others.
    joined: Option<Arc<Joined>>,
}

impl Cluster {
    /// A node that has no others: an embedded store, a test, or a single machine.
    #[must_use]
    pub fn alone() -> Self {
        Self::of_site(None, None)
    }

    /// What a command at this site knows: who leads the database cluster, but no other nodes.
    #[must_use]
    pub fn of_site(site: Option<String>, leadership: Option<PatroniLeadership>) -> Self {
        Self(Arc::new(Inner {
            site,
            leadership,
            joined: None,
        }))
    }

    /// A node among others on one store. It takes no part until [`Cluster::run`].
    ///
    /// # Errors
    /// [`ClusterError`].
    pub fn join(
        settings: NodeSettings,
        leadership: Option<PatroniLeadership>,
        store: Store,
        clock: Arc<dyn Clock>,
        secrets: &Secrets,
    ) -> Result<Self, ClusterError> {
        let site = settings.site.clone();
        let joined = Joined::new(settings, store, clock, secrets)?;
        Ok(Self(Arc::new(Inner {
            site,
            leadership,
            joined: Some(Arc::new(joined)),
        })))
    }

    /// The site (data centre) that this node stands in, when it was told one.
    #[must_use]
    pub fn site(&self) -> Option<&str> {
        self.0.site.as_deref()
    }

    /// Who leads the database cluster; `None` for a node on a single database.
    #[must_use]
    pub fn leadership(&self) -> Option<&PatroniLeadership> {
        self.0.leadership.as_ref()
    }

    /// This run of the program, for a node that may have others.
    #[must_use]
    pub fn node_id(&self) -> Option<NodeId> {
        Some(self.joined()?.here.node_id)
    }

    /// All nodes, this one first; none for a node that has no others.
    #[must_use]
    pub fn nodes(&self) -> Vec<SeenNode> {
        self.joined().map(|joined| joined.nodes()).unwrap_or_default()
    }

    /// The routes by which other nodes reach this one, to be put beside those for people and outside their layers.
    pub fn router(&self) -> Router {
        self.joined()
            .map_or_else(Router::new, |joined| routes::router(Arc::clone(joined)))
    }

    /// Takes part, until `end` is cancelled. The tables must be there, and the routes be served.
    pub async fn run(&self, end: CancellationToken) {
        match self.joined() {
            Some(joined) => {
                tokio::join!(
                    beat::beat_until(Arc::clone(joined), end.clone()),
                    self.prefer_primary_until(&end)
                );
            }
            None => end.cancelled().await,
        }
    }

    /// Says that this node will end: others no longer hand it work, and it gives its leases away. It goes on
    /// answering whoever asks it.
    pub async fn hand_over(&self) {
        if let Some(joined) = self.joined() {
            beat::hand_over(joined).await;
        }
    }

    /// Ends this node's part: its streams of hints end, and its row is taken away.
    pub async fn leave(&self) {
        if let Some(joined) = self.joined() {
            beat::leave(joined).await;
        }
    }

    /// Whether this node's clock agrees with those of most others, to a second. One that does not must not judge
    /// when something happened.
    #[must_use]
    pub fn clock_is_trusted(&self) -> bool {
        self.joined()
            .is_none_or(|joined| *joined.clock_is_trusted.borrow())
    }

    /// Whether any other node can be spoken to.
    #[must_use]
    pub fn has_others(&self) -> bool {
        let Some(joined) = self.joined() else { return false };
        joined.peers.read().values().any(|peer| peer.link.is_up())
    }

    /// Says where the primary stands: there the leases are best held, next to the rows they are about.
    pub fn prefer_site(&self, site: Option<&str>) {
        let Some(joined) = self.joined() else { return };
        let has_changed = joined.preferred_site.send_if_modified(|preferred| {
            let has_changed = preferred.as_deref() != site;
            if has_changed {
                *preferred = site.map(str::to_owned);
            }
            has_changed
        });
        if has_changed {
            joined.look.notify_one();
        }
    }

    /// Tells every other node something, in milliseconds, and perhaps not at all: a hint is never relied on.
    pub fn publish(&self, topic: &str, payload: &impl Serialize) {
        if let Some(joined) = self.joined() {
            joined.hints.publish(topic, payload);
        }
    }

    /// Calls `listener` with each hint of a topic that another node publishes. It must not block. A hint of another
    /// shape than expected, as another version of the program may send it, is left out.
    pub fn subscribe<T: DeserializeOwned>(
        &self,
        topic: &'static str,
        listener: impl Fn(T) + Send + Sync + 'static,
    ) {
        let Some(joined) = self.joined() else { return };
        let read = move |from: NodeId, payload: &serde_json::value::RawValue| match serde_json::from_str(
            payload.get(),
        ) {
            Ok(payload) => listener(payload),
            Err(error) => tracing::warn!(%from, %error, topic, "a hint is not understood"),
        };
        joined.hints.listen(topic, Arc::new(read));
    }

    /// Calls `listener` whenever hints may have been missed: a node was lost and is there again, or told too much at
    /// once.
    pub fn subscribe_to_gaps(&self, listener: impl Fn() + Send + Sync + 'static) {
        if let Some(joined) = self.joined() {
            joined.hints.listen_for_gaps(Arc::new(listener));
        }
    }

    /// A lease that this program knows of from now on: `chat.stream.2`.
    #[must_use]
    pub fn lease(&self, name: &str) -> Lease {
        Lease::new(self.joined().cloned(), name)
    }

    pub(crate) fn joined(&self) -> Option<&Arc<Joined>> {
        self.0.joined.as_ref()
    }

    /// Keeps the leases where the primary stands: its member carries the name of its site.
    async fn prefer_primary_until(&self, end: &CancellationToken) {
        let Some(leadership) = self.leadership() else {
            return;
        };
        let mut present = leadership.term();
        let follow = async {
            loop {
                let term = present.borrow_and_update().clone();
                // Between two terms nobody knows where the next primary will stand: everything stays where it is.
                if let Some(term) = term {
                    self.prefer_site(Some(&term.member));
                }
                if present.changed().await.is_err() {
                    return;
                }
            }
        };
        end.run_until_cancelled(follow).await;
    }
}
