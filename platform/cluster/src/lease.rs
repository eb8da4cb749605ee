//! Leases: which node does what one node at a time should do, such as the batches of one chat stream.
//!
//! A lease is about speed and never about safety: two nodes that work at the same rows make each other try again.
//! So whoever is in doubt does the work: a lease points to another node only while that node can be spoken to.

use std::collections::BTreeMap;
use std::time::Duration;

use haechi_base::Time;
use serde::{Deserialize, Serialize};

use crate::node::NodeId;

/// How long a lease lasts unless it is renewed; it is renewed with every beat.
pub(crate) const LEASE_LIFE: Duration = Duration::from_secs(3);

/// A lease unrenewed for so long has missed a beat. With an owner that is silent too, who should take it does so.
const MISSED_BEAT: Duration = Duration::from_millis(1500);

/// How long an expired lease waits for the node that should take it, before any other does.
const WAIT_FOR_HEIR: Duration = Duration::from_secs(2);

/// After how long an expired lease is taken even from a node that still speaks: it does not renew it.
const WAIT_FOR_OWNER: Duration = Duration::from_secs(10);

/// A lease as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LeaseRow {
    pub(crate) owner: NodeId,
    pub(crate) expires_at: Time,
}

/// A node that may hold leases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) node_id: NodeId,
    pub(crate) site: String,
}

/// What one node knows when it thinks about leases.
#[derive(Debug)]
pub(crate) struct Outlook<'o> {
    pub(crate) here: NodeId,
    pub(crate) now: Time,
    /// All leases that this program knows of.
    pub(crate) names: &'o [String],
    pub(crate) rows: &'o BTreeMap<String, LeaseRow>,
    /// The nodes that may hold leases, this one among them if it may, in the order of their ids.
    pub(crate) candidates: &'o [Candidate],
    /// Where the work is nearest to its rows: the primary's site, when it is known.
    pub(crate) preferred_site: Option<&'o str>,
    /// Whether the candidates have been the same for a while.
    pub(crate) is_settled: bool,
}

/// A lease that this node takes, or gives to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Move {
    pub(crate) name: String,
    pub(crate) seen: Option<LeaseRow>,
    pub(crate) to: NodeId,
}

impl Outlook<'_> {
    /// What is to be done now.
    pub(crate) fn moves(&self) -> Vec<Move> {
        let heirs = self.heirs();
        let mut moves = Vec::new();
        for (index, name) in self.names.iter().enumerate() {
            let heir = heirs.get(index % heirs.len().max(1)).copied();
            let seen = self.rows.get(name).copied();
            let to = match seen {
                Some(row) if row.owner == self.here => {
                    heir.filter(|heir| *heir != self.here && self.is_settled)
                }
                seen => self.takes(seen, heir).then_some(self.here),
            };
            if let Some(to) = to {
                moves.push(Move {
                    name: name.clone(),
                    seen,
                    to,
                });
            }
        }
        moves
    }

    /// The nodes over which leases are spread: those of the preferred site, or all when it has none.
    fn heirs(&self) -> Vec<NodeId> {
        let of_site = |site: &str| -> Vec<NodeId> {
            let there = self.candidates.iter().filter(|candidate| candidate.site == site);
            there.map(|candidate| candidate.node_id).collect()
        };
        let preferred = self.preferred_site.map(of_site).unwrap_or_default();
        if preferred.is_empty() {
            return self
                .candidates
                .iter()
                .map(|candidate| candidate.node_id)
                .collect();
        }
        preferred
    }

    /// Whether this node takes a lease that is nobody's or another's.
    fn takes(&self, seen: Option<LeaseRow>, heir: Option<NodeId>) -> bool {
        let is_candidate = self.is_candidate(self.here);
        let Some(row) = seen else {
            return is_candidate && heir == Some(self.here);
        };
        if !is_candidate {
            return false;
        }
        let unrenewed_for = (self.now + LEASE_LIFE).since(row.expires_at);
        let patience = if self.is_candidate(row.owner) {
            LEASE_LIFE + WAIT_FOR_OWNER
        } else if heir == Some(self.here) {
            MISSED_BEAT
        } else {
            LEASE_LIFE + WAIT_FOR_HEIR
        };
        unrenewed_for > patience
    }

    fn is_candidate(&self, node: NodeId) -> bool {
        self.candidates.iter().any(|candidate| candidate.node_id == node)
    }
}

#[cfg(test)]
mod tests;
