//! What was committed lately, noted by every node from the news it hears: the owner of a stream need not search for it.

use std::collections::{BTreeMap, BTreeSet};

use haechi_base::PersonId;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::super::hub::News;
use crate::model::{Membership, STREAMS, Stream};

/// Rooms and memberships that are noted of one stream; of more the newest, and the store is searched for the rest.
const NOTED_MAX: usize = 5_000;

/// Rooms that are handed out at once.
const TOUCHED_MAX: usize = 1_000;

/// What was committed, by streams.
pub(crate) struct Committed {
    streams: [Mutex<Noted>; STREAMS as usize],
    changed: [Notify; STREAMS as usize],
}

#[derive(Default)]
struct Noted {
    /// By the first position of each.
    batches: BTreeMap<i64, Batch>,
    size: usize,
}

struct Batch {
    last: i64,
    room_ids: Vec<String>,
    /// Who came in, or was asked in.
    members: Vec<(PersonId, String)>,
}

impl Batch {
    fn size(&self) -> usize {
        1 + self.room_ids.len() + self.members.len()
    }
}

/// Where something happened between two positions.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// The last position that is known without a gap.
    pub(super) until: i64,
    /// Whether more is noted after that.
    pub(super) has_more: bool,
    pub(super) room_ids: BTreeSet<String>,
    pub(super) members: BTreeSet<(PersonId, String)>,
}

impl Default for Committed {
    fn default() -> Self {
        Self {
            streams: std::array::from_fn(|_| Mutex::default()),
            changed: std::array::from_fn(|_| Notify::new()),
        }
    }
}

impl Committed {
    /// Notes a committed batch.
    pub(crate) fn note(&self, news: &News) {
        let stream = usize::from(news.stream);
        let (Some(noted), Some(changed)) = (self.streams.get(stream), self.changed.get(stream)) else {
            return;
        };
        let count = i64::try_from(news.positions).unwrap_or(i64::MAX);
        let comes_in = |membership: Membership| matches!(membership, Membership::Join | Membership::Invite);
        let members = news.memberships.iter();
        let batch = Batch {
            last: news.first_position.saturating_add(count - 1),
            room_ids: news.room_ids.clone(),
            members: members
                .filter(|(_, _, membership)| comes_in(*membership))
                .map(|(person, room_id, _)| (*person, room_id.clone()))
                .collect(),
        };
        noted.lock().add(news.first_position, batch);
        changed.notify_one();
    }

    /// Waits until something was noted of a stream.
    pub(super) async fn changed(&self, stream: Stream) {
        match self.changed.get(usize::from(stream)) {
            Some(changed) => changed.notified().await,
            None => std::future::pending().await,
        }
    }

    /// What is noted from right after a position on, up to the first gap. What lies before is forgotten.
    pub(super) fn after(&self, stream: Stream, position: i64) -> Touched {
        let mut touched = Touched {
            until: position,
            ..Touched::default()
        };
        let Some(noted) = self.streams.get(usize::from(stream)) else {
            return touched;
        };
        let mut noted = noted.lock();
        noted.forget_until(position);
        for (first, batch) in &noted.batches {
            if *first > touched.until + 1 || touched.room_ids.len() >= TOUCHED_MAX {
                touched.has_more = true;
                break;
            }
            touched.until = touched.until.max(batch.last);
            touched.room_ids.extend(batch.room_ids.iter().cloned());
            touched.members.extend(batch.members.iter().cloned());
        }
        touched
    }
}

impl Noted {
    fn add(&mut self, first: i64, batch: Batch) {
        self.size += batch.size();
        if let Some(known) = self.batches.insert(first, batch) {
            self.size -= known.size();
        }
        while self.size > NOTED_MAX && self.batches.len() > 1 {
            self.forget_first();
        }
    }

    fn forget_until(&mut self, position: i64) {
        while self
            .batches
            .first_key_value()
            .is_some_and(|(_, batch)| batch.last <= position)
        {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, batch)) = self.batches.pop_first() {
            self.size -= batch.size();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news(first_position: i64, positions: usize, room_id: &str) -> News {
        News {
            stream: 0,
            first_position,
            positions,
            room_ids: vec![room_id.to_owned()],
            memberships: Vec::new(),
            people: Vec::new(),
            plain: None,
        }
    }

    fn rooms(touched: &Touched) -> Vec<&str> {
        touched.room_ids.iter().map(String::as_str).collect()
    }

    #[test]
    fn nothing_is_handed_out_beyond_a_gap_until_it_is_filled() {
        let committed = Committed::default();
        committed.note(&news(1, 2, "a"));
        committed.note(&news(6, 1, "c"));
        let touched = committed.after(0, 0);
        assert_eq!((touched.until, rooms(&touched)), (2, vec!["a"]));
        assert!(touched.has_more);
        committed.note(&news(3, 3, "b"));
        let touched = committed.after(0, 2);
        assert_eq!((touched.until, rooms(&touched)), (6, vec!["b", "c"]));
        assert!(!touched.has_more);
        assert_eq!(committed.after(0, 6).until, 6);
    }

    #[test]
    fn what_nobody_takes_is_bounded() {
        let committed = Committed::default();
        for number in 0..10_000 {
            committed.note(&news(number + 1, 1, "a"));
        }
        assert!(committed.streams[0].lock().size <= NOTED_MAX);
        assert_eq!(committed.after(0, 0).until, 0, "the oldest were forgotten");
        assert_eq!(committed.after(0, 9_000).until, 10_000);
    }
}
