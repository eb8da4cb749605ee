//! What was said lately, as far as the hub knows it without a gap: how far each stream is known, and the newest messages
//! of rooms in which people wait.
//!
//! What stands here was told by the batch that committed it. What was not told of, or told of without its messages (by
//! another node), is not here, and it is known that it is not: then the store is read.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use haechi_base::PersonId;

use crate::model::Event;

/// Messages that are kept of one room.
const MESSAGES_MAX: usize = 64;

/// A message that relates to nothing, as its batch wrote it.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) event: Event,
    /// Whom it mentions, as the store keeps it.
    pub(crate) mentions: Vec<PersonId>,
}

impl Message {
    /// About how much memory it takes, in bytes.
    fn size(&self) -> usize {
        512 + self.event.content.len()
    }
}

/// The messages of a batch, and the rooms in which it did something else too.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plain {
    /// In the order of their positions.
    pub(crate) messages: Vec<Message>,
    /// Rooms of which the messages do not say all.
    pub(crate) disturbed: HashSet<String>,
}

/// A stretch of a stream of which all was told: all after `from` and up to `reach`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) from: i64,
    pub(super) reach: i64,
}

impl Known {
    pub(super) const fn at(position: i64) -> Self {
        Self {
            from: position,
            reach: position,
        }
    }

    /// Takes up a batch with these positions; returns whether it follows on what is known.
    pub(super) fn extend(known: &mut Option<Self>, first: i64, last: i64) -> bool {
        match known {
            Some(known) if known.reach + 1 == first => {
                known.reach = last;
                true
            }
            // Told late, or once more: what it did may be known, or not.
            Some(known) if last <= known.reach => false,
            _ => {
                *known = Some(Self {
                    from: first - 1,
                    reach: last,
                });
                true
            }
        }
    }
}

/// The newest messages of a room: all that happened there after `floor`, as far as its stream is known.
#[derive(Debug)]
pub(super) struct Log {
    floor: i64,
    messages: VecDeque<Arc<Message>>,
}

impl Log {
    pub(super) const fn after(floor: i64) -> Self {
        Self {
            floor,
            messages: VecDeque::new(),
        }
    }

    /// Takes a message up; returns by how many bytes the log grew, and by how many it shrank.
    pub(super) fn push(&mut self, message: Message) -> (usize, usize) {
        let position = message.event.position;
        let newest = self
            .messages
            .back()
            .map_or(self.floor, |last| last.event.position);
        if position <= newest {
            // Known already, or from before what is kept.
            return (0, 0);
        }
        let grown = message.size();
        self.messages.push_back(Arc::new(message));
        let mut shrunk = 0;
        if self.messages.len() > MESSAGES_MAX
            && let Some(oldest) = self.messages.pop_front()
        {
            self.floor = oldest.event.position;
            shrunk = oldest.size();
        }
        (grown, shrunk)
    }

    /// Something else happened, up to this position; returns how many bytes were forgotten.
    pub(super) fn forget(&mut self, until: i64) -> usize {
        let newest = self
            .messages
            .back()
            .map_or(self.floor, |last| last.event.position);
        self.floor = newest.max(until);
        self.messages.drain(..).map(|message| message.size()).sum()
    }

    /// The messages after a position; `None` when something else happened since, or more than is kept.
    pub(super) fn since(&self, position: i64) -> Option<impl DoubleEndedIterator<Item = &Arc<Message>>> {
        let start = self
            .messages
            .partition_point(|message| message.event.position <= position);
        (position >= self.floor).then(|| self.messages.range(start..))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_known_without_gaps_or_anew() {
        let mut known = None;
        assert!(Known::extend(&mut known, 5, 8));
        assert_eq!(known, Some(Known { from: 4, reach: 8 }));
        assert!(Known::extend(&mut known, 9, 9));
        assert!(!Known::extend(&mut known, 7, 9), "told once more");
        assert_eq!(known, Some(Known { from: 4, reach: 9 }));
        assert!(Known::extend(&mut known, 12, 13), "a gap");
        assert_eq!(known, Some(Known { from: 11, reach: 13 }));
        assert!(!Known::extend(&mut known, 10, 11), "what was missing comes late");
        assert_eq!(known, Some(Known { from: 11, reach: 13 }));
    }
}
