//! A node: one run of the program, as the table of nodes and the others know it.

use std::time::Duration;

use haechi_base::{Time, define_id};
use serde::{Deserialize, Serialize};

/// How often a node renews its row, and looks at those of the others.
pub(crate) const BEAT: Duration = Duration::from_secs(1);

/// A node whose row is this much older than the newest is gone, unless it still speaks to us.
pub(crate) const GONE_AFTER: Duration = Duration::from_secs(10);

/// After how long without a sign a row is forgotten.
pub(crate) const FORGOTTEN_AFTER: Duration = Duration::from_secs(10 * 60);

define_id! {
    /// One run of the program on one machine.
    pub NodeId, NodeNoun, "node"
}

/// What an operator says of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeSettings {
    /// The site (data centre) it stands in.
    pub site: Option<String>,
    /// Where other nodes reach it: `http://10.0.0.7:8480`, without a slash at the end.
    pub url: String,
    /// The version of the program.
    pub version: String,
}

/// A node as it tells of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// This run of the program.
    pub node_id: NodeId,
    /// The site it stands in; empty when it was told none.
    pub site: String,
    /// Where other nodes reach it.
    pub url: String,
    /// The version of the program.
    pub version: String,
    /// When it started.
    pub started_at: Time,
}

/// A node as another one sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenNode {
    /// What it tells of itself.
    pub node: Node,
    /// When it last renewed its row, by its own clock; `None` when it was met before its row was read.
    pub seen_at: Option<Time>,
    /// Whether it is this very node.
    pub is_here: bool,
    /// Whether it can be spoken to: its stream of hints was not silent for a second.
    pub is_up: bool,
    /// Whether it has said that it ends.
    pub is_leaving: bool,
    /// How far its clock is ahead of ours, in microseconds, when that was measured of late.
    pub clock_ahead_us: Option<i64>,
}

/// Whether a node that was last seen then is gone, when the newest row of all was seen at `newest`. Rows are compared
/// with each other, not with the clock: while nobody can write, all of them grow old, and nobody is gone.
pub(crate) fn is_gone(seen_at: Time, newest: Time) -> bool {
    newest.since(seen_at) > GONE_AFTER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_gone_only_when_others_were_seen_long_after_it() {
        let at = |seconds: i64| Time::from_micros(seconds * 1_000_000);
        assert!(is_gone(at(100), at(111)));
        assert!(!is_gone(at(100), at(110)));
        assert!(!is_gone(at(100), at(90)));
    }
}
