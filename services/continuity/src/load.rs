//! How much each node does, told by every node to all others once a second. A hint: nothing is decided by it.

use std::collections::BTreeMap;
use std::time::Duration;

use haechi_base::Time;
use haechi_cluster::NodeId;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// The topic among nodes.
pub(crate) const TOPIC: &str = "continuity.load";

/// How long what a node told is believed.
const BELIEVED: Duration = Duration::from_secs(5);

/// Nodes remembered at the most: each run of a program is one.
const NODES_MAX: usize = 1_024;

/// What a node tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Load {
    pub(crate) node_id: NodeId,
    pub(crate) requests_per_s: u64,
}

/// What the nodes told last, and when.
#[derive(Debug, Default)]
pub(crate) struct Loads(Mutex<BTreeMap<NodeId, (u64, Time)>>);

impl Loads {
    pub(crate) fn note(&self, load: Load, now: Time) {
        let mut loads = self.0.lock();
        if loads.len() >= NODES_MAX {
            loads.retain(|_, (_, told_at)| now.since(*told_at) <= BELIEVED);
        }
        if loads.len() < NODES_MAX || loads.contains_key(&load.node_id) {
            loads.insert(load.node_id, (load.requests_per_s, now));
        }
    }

    /// Requests in the last second of that node, when it told of late.
    pub(crate) fn of(&self, node_id: NodeId, now: Time) -> Option<u64> {
        let loads = self.0.lock();
        let (requests_per_s, told_at) = loads.get(&node_id)?;
        (now.since(*told_at) <= BELIEVED).then_some(*requests_per_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_node_told_long_ago_is_not_believed() {
        let at = |second: i64| Time::from_micros(second * 1_000_000);
        let node_id = NodeId::new(at(0));
        let loads = Loads::default();
        assert_eq!(loads.of(node_id, at(0)), None);
        let load = Load {
            node_id,
            requests_per_s: 7,
        };
        loads.note(load, at(1));
        assert_eq!(loads.of(node_id, at(6)), Some(7));
        assert_eq!(loads.of(node_id, at(7)), None);
    }
}
