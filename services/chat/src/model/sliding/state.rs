//! Which parts of a room's state a client wants with the room.

use std::collections::BTreeSet;

use crate::model::ChatError;
use crate::model::limits::{NAME_BYTES_MAX, SLIDING_REQUIRED_STATE_MAX};

/// The type of memberships.
const MEMBER: &str = "m.room.member";

/// Anything, as a type or as a state key.
const ANY: &str = "*";

/// The state key of one's own.
const ME: &str = "$ME";

/// The state key of memberships of those who speak in the timeline.
const LAZY: &str = "$LAZY";

/// The parts of the state that are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RequiredState {
    /// The memberships of who speaks in the timeline.
    pub(crate) is_lazy: bool,
    /// All of it; with lazy members, all but them.
    has_all: bool,
    /// Types under any key.
    kinds: BTreeSet<String>,
    /// Keys of any type.
    keys: BTreeSet<String>,
    exact: BTreeSet<(String, String)>,
}

impl RequiredState {
    /// Reads pairs of type and state key, for somebody of this user id.
    ///
    /// # Errors
    /// [`ChatError::InvalidParameter`] for too many, and for names that are too long.
    pub(crate) fn read(pairs: Vec<(String, String)>, user_id: &str) -> Result<Self, ChatError> {
        if pairs.len() > SLIDING_REQUIRED_STATE_MAX {
            return Err(ChatError::invalid(format!(
                "required_state has at most {SLIDING_REQUIRED_STATE_MAX} pairs"
            )));
        }
        let mut required = Self::default();
        for (kind, key) in pairs {
            if kind.len() > NAME_BYTES_MAX || key.len() > NAME_BYTES_MAX {
                return Err(ChatError::invalid(format!(
                    "a type and a state key have at most {NAME_BYTES_MAX} bytes"
                )));
            }
            let key = if key == ME { user_id.to_owned() } else { key };
            match (kind.as_str(), key.as_str()) {
                (ANY, ANY) => required.has_all = true,
                (MEMBER, LAZY) => required.is_lazy = true,
                (_, ANY) => drop(required.kinds.insert(kind)),
                (ANY, _) => {
                    // A membership is looked up by its key: of a large room nobody reads all members.
                    required.exact.insert((MEMBER.to_owned(), key.clone()));
                    required.keys.insert(key);
                }
                _ => drop(required.exact.insert((kind, key))),
            }
        }
        Ok(required)
    }

    /// Whether this part of the state is wanted, whoever speaks.
    pub(crate) fn wants(&self, kind: &str, key: &str) -> bool {
        let has_all = self.has_all && !(self.is_lazy && kind == MEMBER);
        has_all
            || self.kinds.contains(kind)
            || self.keys.contains(key)
            || self.exact.iter().any(|(exact, of)| exact == kind && of == key)
    }

    /// Whether it can be told only by a look at all of the state.
    pub(crate) fn has_wildcards(&self) -> bool {
        self.has_all || !self.kinds.is_empty() || !self.keys.is_empty()
    }

    /// Whether all memberships are wanted.
    pub(crate) fn wants_all_members(&self) -> bool {
        self.kinds.contains(MEMBER) || (self.has_all && !self.is_lazy)
    }

    /// The parts that are named by type and key.
    pub(crate) fn exact(&self) -> impl Iterator<Item = (&str, &str)> {
        self.exact.iter().map(|(kind, key)| (kind.as_str(), key.as_str()))
    }

    /// The memberships that are named by their key.
    pub(crate) fn exact_members(&self) -> impl Iterator<Item = &str> {
        self.exact()
            .filter(|(kind, _)| *kind == MEMBER)
            .map(|(_, key)| key)
    }

    /// Whether all that this wants is wanted by the other.
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        self == other
            || (self.is_lazy <= other.is_lazy
                && self.wants_all_members() <= other.wants_all_members()
                && self.has_all <= other.has_all
                && self.kinds.is_subset(&other.kinds)
                && self.keys.is_subset(&other.keys)
                && self.exact.is_subset(&other.exact))
    }

    /// What both want.
    pub(crate) fn with(&self, other: &Self) -> Self {
        // All of it for one and lazy members for the other: all of it, members too.
        let wants_all_members = self.wants_all_members() || other.wants_all_members();
        let mut kinds: BTreeSet<String> = self.kinds.union(&other.kinds).cloned().collect();
        if wants_all_members {
            kinds.insert(MEMBER.to_owned());
        }
        Self {
            is_lazy: self.is_lazy || other.is_lazy,
            has_all: self.has_all || other.has_all,
            kinds,
            keys: self.keys.union(&other.keys).cloned().collect(),
            exact: self.exact.union(&other.exact).cloned().collect(),
        }
    }
}
