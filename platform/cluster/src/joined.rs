//! What a node of a cluster keeps in memory: its links, the leases as it last read them, who listens to what.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use haechi_base::{Clock, Secrets, Time};
use haechi_store::Store;
use parking_lot::RwLock;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use crate::calls::CallRefused;
use crate::clock_check::{Reading, is_trusted};
use crate::hints::Hints;
use crate::lease::{Candidate, LeaseRow};
use crate::link::{Link, keep_up};
use crate::node::{Node, NodeId, NodeSettings, SeenNode};
use crate::pass::Passes;

/// How long a connection to another node may take.
const CONNECT_WAIT: Duration = Duration::from_secs(1);

/// How long an idle connection is kept: shorter than the server keeps it.
const IDLE_KEPT: Duration = Duration::from_secs(30);

pub(crate) type CallHandler =
    Arc<dyn Fn(Bytes) -> BoxFuture<'static, Result<Vec<u8>, CallRefused>> + Send + Sync>;

/// A node in a cluster.
pub(crate) struct Joined {
    pub(crate) here: Node,
    pub(crate) store: Store,
    clock: Arc<dyn Clock>,
    pub(crate) passes: Passes,
    pub(crate) http: reqwest::Client,
    pub(crate) hints: Hints,
    pub(crate) calls: RwLock<HashMap<String, CallHandler>>,
    pub(crate) peers: RwLock<BTreeMap<NodeId, Peer>>,
    pub(crate) leases: RwLock<Leases>,
    /// Wakes the beat: something changed among the nodes or their leases.
    pub(crate) look: Notify,
    pub(crate) clock_is_trusted: watch::Sender<bool>,
    pub(crate) preferred_site: watch::Sender<Option<String>>,
    pub(crate) is_leaving: AtomicBool,
    /// Cancelled when the node ends: its peers are told by the end of the stream.
    pub(crate) ended: CancellationToken,
}

/// Another node.
pub(crate) struct Peer {
    pub(crate) node: Node,
    pub(crate) seen_at: Option<Time>,
    pub(crate) met_at: Time,
    pub(crate) link: Arc<Link>,
    pub(crate) task: AbortHandle,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The leases as this node last read them.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    /// Those that this program knows of, in order.
    pub(crate) names: Vec<String>,
    pub(crate) rows: BTreeMap<String, LeaseRow>,
    /// Owners that did not do what they were asked for, and until when they are not asked again.
    pub(crate) shunned: HashMap<String, Time>,
}

impl Joined {
    pub(crate) fn new(
        settings: NodeSettings,
        store: Store,
        clock: Arc<dyn Clock>,
        secrets: &Secrets,
    ) -> Result<Self, reqwest::Error> {
        let started_at = clock.now();
        let here = Node {
            node_id: NodeId::new(started_at),
            site: settings.site.unwrap_or_default(),
            url: settings.url.trim_end_matches('/').to_owned(),
            version: settings.version,
            started_at,
        };
        // Nodes speak to each other directly: a proxy for the outside world has no business between them.
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_WAIT)
            .pool_idle_timeout(IDLE_KEPT)
            .tcp_nodelay(true)
            .build()?;
        Ok(Self {
            here,
            store,
            clock,
            passes: Passes::new(secrets),
            http,
            hints: Hints::new(),
            calls: RwLock::default(),
            peers: RwLock::default(),
            leases: RwLock::default(),
            look: Notify::new(),
            clock_is_trusted: watch::Sender::new(true),
            preferred_site: watch::Sender::new(None),
            is_leaving: AtomicBool::new(false),
            ended: CancellationToken::new(),
        })
    }

    pub(crate) fn now(&self) -> Time {
        self.clock.now()
    }

    /// A GET request to another node, with our pass.
    pub(crate) fn ask(&self, url: &str) -> reqwest::RequestBuilder {
        self.http
            .get(url)
            .bearer_auth(self.passes.of(&self.here, self.now()))
    }

    /// Whether the node has said that it ends.
    pub(crate) fn is_leaving(&self) -> bool {
        self.is_leaving.load(Ordering::SeqCst)
    }

    /// Keeps a link to another node from now on. Does nothing for this node and for those that are known.
    pub(crate) fn meet(self: &Arc<Self>, node: Node, seen_at: Option<Time>) {
        if node.node_id == self.here.node_id || self.ended.is_cancelled() {
            return;
        }
        let mut peers = self.peers.write();
        if let Some(peer) = peers.get_mut(&node.node_id) {
            peer.seen_at = seen_at.or(peer.seen_at);
            return;
        }
        let link = Arc::new(Link::new());
        let task = tokio::spawn(keep_up(Arc::clone(self), node.clone(), Arc::clone(&link)));
        let peer = Peer {
            node,
            seen_at,
            met_at: self.now(),
            link,
            task: task.abort_handle(),
        };
        peers.insert(peer.node.node_id, peer);
    }

    /// The link to a node that can be asked for something.
    pub(crate) fn living_peer(&self, node: NodeId) -> Option<(Node, Arc<Link>)> {
        let peers = self.peers.read();
        let peer = peers.get(&node)?;
        let can_be_asked = peer.link.is_up() && !peer.link.is_leaving();
        can_be_asked.then(|| (peer.node.clone(), Arc::clone(&peer.link)))
    }

    /// The nodes that may hold leases, in the order of their ids.
    pub(crate) fn candidates(&self) -> Vec<Candidate> {
        let candidate = |node: &Node| Candidate {
            node_id: node.node_id,
            site: node.site.clone(),
        };
        let mut candidates: Vec<Candidate> = {
            let peers = self.peers.read();
            let living = peers
                .values()
                .filter(|peer| peer.link.is_up() && !peer.link.is_leaving());
            living.map(|peer| candidate(&peer.node)).collect()
        };
        if !self.is_leaving() {
            candidates.push(candidate(&self.here));
        }
        candidates.sort_by_key(|candidate| candidate.node_id);
        candidates
    }

    /// All nodes, this one first.
    pub(crate) fn nodes(&self) -> Vec<SeenNode> {
        let mut nodes = vec![SeenNode {
            node: self.here.clone(),
            seen_at: None,
            is_here: true,
            is_up: true,
            is_leaving: self.is_leaving(),
            clock_ahead_us: Some(0),
        }];
        let peers = self.peers.read();
        nodes.extend(peers.values().map(|peer| SeenNode {
            node: peer.node.clone(),
            seen_at: peer.seen_at,
            is_here: false,
            is_up: peer.link.is_up(),
            is_leaving: peer.link.is_leaving(),
            clock_ahead_us: peer.link.reading.lock().map(|reading| reading.ahead_us),
        }));
        nodes
    }

    /// Judges this node's clock by what the others' clocks said, and says so when the judgement changes.
    pub(crate) fn judge_clock(&self) {
        let readings: Vec<Reading> = {
            let peers = self.peers.read();
            peers
                .values()
                .filter_map(|peer| *peer.link.reading.lock())
                .collect()
        };
        let is_trusted = is_trusted(&readings);
        let changed = self.clock_is_trusted.send_if_modified(|trusted| {
            let has_changed = *trusted != is_trusted;
            *trusted = is_trusted;
            has_changed
        });
        metrics::gauge!("cluster_clock_trusted").set(f64::from(u8::from(is_trusted)));
        if !changed {
            return;
        }
        let mut ahead_ms: Vec<i64> = readings.iter().map(|reading| reading.ahead_us / 1_000).collect();
        ahead_ms.sort_unstable();
        let others_ahead_ms = ahead_ms.get(ahead_ms.len() / 2).copied().unwrap_or(0);
        if is_trusted {
            tracing::info!(others_ahead_ms, "this node's clock is right again");
        } else {
            tracing::error!(
                others_ahead_ms,
                "this node's clock is off: it stays out of the agreement until it is set right"
            );
        }
    }
}
