//! Who leads the PostgreSQL cluster, as Patroni keeps it in etcd.

mod confirm;
mod follow;
mod full_disk;
mod record;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::BoxFuture;
use haechi_store::{Leadership, Term};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::Etcd;
use confirm::Confirmation;
use full_disk::FullDisk;
pub use record::{MemberState, PatroniKeys};

/// Commits that may wait for one confirmation: more than the store has connections.
const CONFIRMATIONS_WAITING_MAX: usize = 1_024;

/// The leader key of one PostgreSQL cluster, followed and asked. Cheap to clone.
#[derive(Clone)]
pub struct PatroniLeadership(Arc<Inner>);

struct Inner {
    etcd: Etcd,
    keys: PatroniKeys,
    term: watch::Sender<Option<Arc<Term>>>,
    members: watch::Sender<Vec<MemberState>>,
    confirmations: mpsc::Sender<Confirmation>,
    is_primary_silent: AtomicBool,
    is_etcd_silent: AtomicBool,
    full_disk: watch::Sender<Option<FullDisk>>,
}

impl PatroniLeadership {
    /// Follows the leader of the cluster of this name (Patroni's scope) until `shutdown`.
    #[must_use]
    pub fn follow(etcd: Etcd, scope: &str, shutdown: &CancellationToken) -> Self {
        let (confirmations, waiting) = mpsc::channel(CONFIRMATIONS_WAITING_MAX);
        let leadership = Self(Arc::new(Inner {
            etcd,
            keys: PatroniKeys::of(scope),
            term: watch::Sender::new(None),
            members: watch::Sender::new(Vec::new()),
            confirmations,
            is_primary_silent: AtomicBool::new(false),
            is_etcd_silent: AtomicBool::new(false),
            full_disk: watch::Sender::new(None),
        }));
        tokio::spawn(
            shutdown
                .clone()
                .run_until_cancelled_owned(follow::run(leadership.clone())),
        );
        // It answers until nobody can ask any more: writes under way at the end are confirmed too.
        tokio::spawn(confirm::run(
            leadership.0.etcd.clone(),
            leadership.0.keys.clone(),
            waiting,
        ));
        leadership
    }

    /// etcd, for others who ask it about the cluster.
    #[must_use]
    pub fn etcd(&self) -> &Etcd {
        &self.0.etcd
    }

    /// Where Patroni keeps what.
    #[must_use]
    pub fn keys(&self) -> &PatroniKeys {
        &self.0.keys
    }

    /// The members of the cluster as Patroni last told of them, those that are silent included.
    #[must_use]
    pub fn members(&self) -> Vec<MemberState> {
        self.0.members.borrow().clone()
    }

    /// Whether etcd has not answered for a while: then nobody can say who leads.
    #[must_use]
    pub fn is_etcd_silent(&self) -> bool {
        self.0.is_etcd_silent.load(Ordering::Relaxed)
    }

    /// Waits until the disk of the present primary has been full for a second; returns the primary's name.
    pub async fn full_disk(&self) -> String {
        let mut refusals = self.0.full_disk.subscribe();
        let lasting = refusals.wait_for(|full| {
            let full = full.as_ref().filter(|full| full.is_lasting(Instant::now()));
            full.is_some_and(|full| self.0.term.borrow().as_ref() == Some(&full.term))
        });
        let member = match lasting.await {
            Ok(full) => full.as_ref().map(|full| full.term.member.clone()),
            Err(_) => None,
        };
        match member {
            Some(member) => member,
            // Nobody can tell any more: the program ends.
            None => std::future::pending().await,
        }
    }

    /// Notes whether the primary's site answers at present.
    pub(crate) fn note_primary_silent(&self, is_silent: bool) {
        self.0.is_primary_silent.store(is_silent, Ordering::Relaxed);
    }
}

impl Leadership for PatroniLeadership {
    fn term(&self) -> watch::Receiver<Option<Arc<Term>>> {
        self.0.term.subscribe()
    }

    fn confirm<'a>(&'a self, term: &'a Term, timeline: i64) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(confirm::ask(&self.0.confirmations, term, timeline))
    }

    fn is_primary_silent(&self) -> bool {
        self.0.is_primary_silent.load(Ordering::Relaxed) || self.is_etcd_silent()
    }

    fn note_full_disk(&self, term: &Arc<Term>) {
        self.0
            .full_disk
            .send_modify(|held| FullDisk::note(held, term, Instant::now()));
    }
}
