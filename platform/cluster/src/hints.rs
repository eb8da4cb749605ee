//! Hints: short messages from each node to all others, a line of JSON each.
//!
//! A hint makes things quick and nothing right: it may be lost, come late or come twice. Who relies on news looks for
//! it in the store as well.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::broadcast;

use crate::node::{Node, NodeId};

/// Hints that wait for a slow peer; beyond that the oldest are dropped, and the peer is told that some are missing.
const WAITING_MAX: usize = 4_096;

/// Longest line that is read, in bytes; whoever sends a longer one is no node of ours.
pub(crate) const LINE_BYTES_MAX: usize = 1024 * 1024;

/// The topics of the cluster's own.
pub(crate) const HELLO: &str = "cluster.hello";
pub(crate) const GAP: &str = "cluster.gap";
pub(crate) const LEASES: &str = "cluster.leases";
pub(crate) const LEAVING: &str = "cluster.leaving";

/// A line as it is sent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Line<'l> {
    pub(crate) topic: &'l str,
    #[serde(borrow)]
    pub(crate) payload: &'l RawValue,
}

/// The first line of each stream: who is speaking.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) node: Node,
    pub(crate) is_leaving: bool,
}

type Listener = Arc<dyn Fn(NodeId, &RawValue) + Send + Sync>;
type GapListener = Arc<dyn Fn() + Send + Sync>;

/// What goes out to the peers, and who listens to what comes in.
pub(crate) struct Hints {
    outgoing: broadcast::Sender<Bytes>,
    listeners: RwLock<HashMap<&'static str, Vec<Listener>>>,
    gap_listeners: RwLock<Vec<GapListener>>,
}

impl Hints {
    pub(crate) fn new() -> Self {
        Self {
            outgoing: broadcast::Sender::new(WAITING_MAX),
            listeners: RwLock::default(),
            gap_listeners: RwLock::default(),
        }
    }

    /// Sends a hint to every node that listens now.
    pub(crate) fn publish(&self, topic: &str, payload: &impl Serialize) {
        if self.outgoing.receiver_count() == 0 {
            return;
        }
        match line(topic, payload).and_then(|line| bounded(topic, line)) {
            // Nobody listens any more: then nobody misses it.
            Ok(line) => drop(self.outgoing.send(line)),
            Err(error) => tracing::error!(%error, topic, "a hint cannot be written as JSON"),
        }
    }

    /// What is published from now on.
    pub(crate) fn follow(&self) -> broadcast::Receiver<Bytes> {
        self.outgoing.subscribe()
    }

    pub(crate) fn listen(&self, topic: &'static str, listener: Listener) {
        self.listeners.write().entry(topic).or_default().push(listener);
    }

    pub(crate) fn listen_for_gaps(&self, listener: GapListener) {
        self.gap_listeners.write().push(listener);
    }

    /// Hands a hint that came in to those who listen.
    pub(crate) fn hand_out(&self, from: NodeId, line: &Line<'_>) {
        // Called outside the lock: a listener may take its time, or listen to more.
        let listeners = self.listeners.read().get(line.topic).cloned().unwrap_or_default();
        for listener in listeners {
            listener(from, line.payload);
        }
    }

    /// Says that hints of a peer may have been missed.
    pub(crate) fn tell_of_gap(&self) {
        metrics::counter!("cluster_hint_gaps").increment(1);
        let listeners = self.gap_listeners.read().clone();
        listeners.iter().for_each(|listener| listener());
    }
}

/// The line, or when it is too long to be read that something was missed.
fn bounded(topic: &str, text: Bytes) -> Result<Bytes, serde_json::Error> {
    if text.len() <= LINE_BYTES_MAX {
        return Ok(text);
    }
    tracing::debug!(topic, bytes = text.len(), "a hint is too long to be told");
    line(GAP, &1)
}

/// A hint as a line, with its end.
pub(crate) fn line(topic: &str, payload: &impl Serialize) -> Result<Bytes, serde_json::Error> {
    let payload = serde_json::value::to_raw_value(payload)?;
    let line = Line {
        topic,
        payload: &payload,
    };
    let mut bytes = serde_json::to_vec(&line)?;
    bytes.push(b'\n');
    Ok(bytes.into())
}
