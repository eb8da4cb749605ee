//! The beat of a node: once a second it says in the store that it lives, reads who else does, and sees to its leases.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use haechi_base::Time;
use haechi_store::{StoreError, Tx};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::hints::{LEASES, LEAVING};
use crate::joined::Joined;
use crate::lease::{Candidate, LEASE_LIFE, LeaseRow, Move, Outlook};
use crate::node::{BEAT, FORGOTTEN_AFTER, GONE_AFTER, Node, is_gone};
use crate::store;

/// Beats for which the nodes must have been the same before leases are spread anew.
const SETTLED_BEATS: u32 = 3;

/// Beats between two times that old rows are forgotten.
const BEATS_A_SWEEP: u32 = 60;

/// How soon a beat may follow another one when something changed among the nodes.
const BEAT_PAUSE_MIN: Duration = Duration::from_millis(50);

/// How long a node that ends tries to say so in the store; then the others notice by its silence.
const LEAVE_WAIT: Duration = Duration::from_secs(2);

/// What a node finds in the store.
struct Found {
    nodes: Vec<(Node, Time)>,
    leases: BTreeMap<String, LeaseRow>,
}

/// Beats until the node is to end.
pub(crate) async fn beat_until(joined: Arc<Joined>, end: CancellationToken) {
    let mut settled = Settled::default();
    for beat in 0_u32.. {
        let due = async {
            if beat > 0 {
                tokio::select! {
                    () = sleep(BEAT) => {}
                    () = async { joined.look.notified().await; sleep(BEAT_PAUSE_MIN).await } => {}
                }
            }
            if let Err(error) = beat_once(&joined, &mut settled, beat).await {
                tracing::debug!(%error, "the nodes cannot be read or renewed");
            }
        };
        if end.run_until_cancelled(due).await.is_none() {
            return;
        }
    }
}

/// How long the nodes have been the same ones.
#[derive(Default)]
struct Settled {
    candidates: Vec<Candidate>,
    site: Option<String>,
    beats: u32,
}

impl Settled {
    fn note(&mut self, candidates: &[Candidate], site: Option<&str>) -> bool {
        if self.candidates == candidates && self.site.as_deref() == site {
            self.beats = self.beats.saturating_add(1);
        } else {
            self.candidates = candidates.to_vec();
            self.site = site.map(str::to_owned);
            self.beats = 0;
        }
        self.beats >= SETTLED_BEATS
    }
}

async fn beat_once(joined: &Arc<Joined>, settled: &mut Settled, beat: u32) -> Result<(), StoreError> {
    // Others are looked for even when nobody can write: a standby knows them.
    let renewed = renew(joined).await;
    let found = read(joined).await?;
    take_up(joined, found);
    renewed?;
    if !*joined.clock_is_trusted.borrow() {
        // To a clock that is ahead every lease has run out, and every row is old.
        return Ok(());
    }
    if beat % BEATS_A_SWEEP == BEATS_A_SWEEP - 1 {
        forget_old(joined).await?;
    }
    let candidates = joined.candidates();
    metrics::gauge!("cluster_nodes_up").set(f64::from(u32::try_from(candidates.len()).unwrap_or(u32::MAX)));
    let site = joined.preferred_site.borrow().clone();
    let is_settled = settled.note(&candidates, site.as_deref());
    let moves = plan(joined, &candidates, site.as_deref(), is_settled);
    make(joined, moves).await
}

/// Says that this node lives, and renews its leases.
async fn renew(joined: &Joined) -> Result<(), StoreError> {
    let (node, now) = (joined.here.clone(), joined.now());
    let write = async move |tx: &mut Tx<'_>| store::renew(tx, &node, now, now + LEASE_LIFE).await;
    joined.store.write_unkeyed(write).await.map(drop)
}

async fn read(joined: &Joined) -> Result<Found, StoreError> {
    let read = async |tx: &mut Tx<'_>| {
        Ok::<_, StoreError>(Found {
            nodes: store::nodes(tx).await?,
            leases: store::leases(tx).await?,
        })
    };
    joined.store.read(read).await
}

/// Links to nodes that are new, lets those go that are gone, and takes up how the leases stand.
fn take_up(joined: &Arc<Joined>, found: Found) {
    let newest = found
        .nodes
        .iter()
        .map(|(_, seen_at)| *seen_at)
        .max()
        .unwrap_or_default();
    let mut living = Vec::new();
    for (node, seen_at) in found.nodes {
        if !is_gone(seen_at, newest) {
            living.push(node.node_id);
            joined.meet(node, Some(seen_at));
        }
    }
    joined.peers.write().retain(|node_id, peer| {
        // Who was met before its row was read has no row yet.
        let is_new = peer.seen_at.is_none() && joined.now().since(peer.met_at) < GONE_AFTER;
        peer.link.is_up() || is_new || living.contains(node_id)
    });
    joined.leases.write().rows = found.leases;
}

async fn forget_old(joined: &Joined) -> Result<(), StoreError> {
    let before = joined.now() - FORGOTTEN_AFTER;
    let write = async move |tx: &mut Tx<'_>| store::forget_before(tx, before).await;
    joined.store.write_unkeyed(write).await.map(drop)
}

fn plan(joined: &Joined, candidates: &[Candidate], site: Option<&str>, is_settled: bool) -> Vec<Move> {
    let leases = joined.leases.read();
    let outlook = Outlook {
        here: joined.here.node_id,
        now: joined.now(),
        names: &leases.names,
        rows: &leases.rows,
        candidates,
        preferred_site: site,
        is_settled,
    };
    outlook.moves()
}

/// Moves leases in the store, takes up what was moved, and tells the others.
async fn make(joined: &Joined, moves: Vec<Move>) -> Result<(), StoreError> {
    if moves.is_empty() {
        return Ok(());
    }
    let expires_at = joined.now() + LEASE_LIFE;
    let write = async move |tx: &mut Tx<'_>| {
        let mut moved = BTreeMap::new();
        for step in &moves {
            let row = LeaseRow {
                owner: step.to,
                expires_at,
            };
            if store::move_lease(tx, &step.name, step.seen, row).await? {
                moved.insert(step.name.clone(), row);
            }
        }
        Ok::<_, StoreError>(moved)
    };
    let moved = joined.store.write_unkeyed(write).await?;
    for (name, row) in &moved {
        tracing::info!(name, to = %row.owner, "a lease was moved");
    }
    if !moved.is_empty() {
        joined.hints.publish(LEASES, &moved);
        joined.leases.write().rows.extend(moved);
    }
    Ok(())
}

/// Tells the others that this node ends and gives its leases to them. It goes on answering.
pub(crate) async fn hand_over(joined: &Joined) {
    joined.is_leaving.store(true, Ordering::SeqCst);
    joined.hints.publish(LEAVING, &());
    let site = joined.preferred_site.borrow().clone();
    let moves = plan(joined, &joined.candidates(), site.as_deref(), true);
    if !matches!(timeout(LEAVE_WAIT, make(joined, moves)).await, Ok(Ok(()))) {
        tracing::warn!("the leases could not be handed over: they expire");
    }
}

/// Ends this node's part in the cluster: its row goes, its links end.
pub(crate) async fn leave(joined: &Joined) {
    let here = joined.here.node_id;
    let write = async move |tx: &mut Tx<'_>| store::forget(tx, here).await;
    if !matches!(
        timeout(LEAVE_WAIT, joined.store.write_unkeyed(write)).await,
        Ok(Ok(()))
    ) {
        tracing::warn!("this node's row could not be taken away: it grows old");
    }
    joined.ended.cancel();
    joined.peers.write().clear();
}
