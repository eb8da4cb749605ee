//! News that nobody told of: written by `haechi admin` beside a server, or by a node whose hint was lost.
//!
//! What this node commits wakes its long polls at once, through the hub, and so does what others commit, by their
//! hints. Hints may be lost; so one task a node looks, once a second and only while somebody polls, how far the streams
//! have come, and wakes the polls that have not seen that yet. Positions that were told of do not count: they woke
//! whom they concern.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use haechi_store::{Store, StoreError, Tx};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::hub::Hub;
use crate::model::{STREAMS, Stream, SyncToken};
use crate::store;

/// How often a node looks for what others wrote.
const BEAT: Duration = Duration::from_secs(1);

const COUNTERS: usize = STREAMS as usize + 1;

/// Positions that were committed and told of: (first, last), apart from each other.
type Ranges = Vec<(i64, i64)>;

/// How far others have brought each stream.
pub(crate) struct Pulse {
    reach: watch::Sender<SyncToken>,
    told: Mutex<[Ranges; COUNTERS]>,
    /// Whether a sync was answered from memory since the last look.
    was_used: AtomicBool,
}

impl Default for Pulse {
    fn default() -> Self {
        Self {
            reach: watch::Sender::new(SyncToken::new([0; COUNTERS], 0)),
            told: Mutex::default(),
            was_used: AtomicBool::new(false),
        }
    }
}

impl Pulse {
    /// How far others have brought the streams, as far as is known; while somebody holds it, the node looks.
    pub(crate) fn follow(&self) -> watch::Receiver<SyncToken> {
        self.reach.subscribe()
    }

    /// How far others have brought the streams; said to a sync that is answered from memory, which keeps the node
    /// looking though nobody should wait.
    pub(crate) fn seen(&self) -> SyncToken {
        self.was_used.store(true, Ordering::Relaxed);
        *self.reach.borrow()
    }

    /// Notes positions that were told of, once they are committed.
    pub(crate) fn note_told(&self, stream: Stream, first: i64, count: usize) {
        let last = first + i64::try_from(count).unwrap_or(i64::MAX) - 1;
        let mut told = self.told.lock();
        let Some(ranges) = told.get_mut(usize::from(stream)) else {
            return;
        };
        match ranges.last_mut() {
            Some(range) if range.1 + 1 == first => range.1 = last,
            _ => ranges.push((first, last)),
        }
    }

    /// Takes a new look at the streams up: wakes whoever has not seen what others wrote since the last one.
    /// Without a last one all may be by others.
    fn take_up(&self, before: Option<SyncToken>, now: SyncToken) {
        let mut told = self.told.lock();
        let mut by_others = Vec::new();
        for (stream, ranges) in (0..).zip(told.iter_mut()) {
            let from = before.map_or(0, |before| before.position(stream));
            let to = now.position(stream);
            if count_told(ranges, from, to) < to - from {
                by_others.push(stream);
            }
            ranges.retain(|(_, last)| *last > to);
        }
        drop(told);
        self.reach.send_if_modified(|reach| {
            // A host may have shown more, whose log did not survive: nobody can come so far, and all would be woken for ever.
            *reach = reach.at_most(&now);
            let mut has_moved = false;
            for stream in by_others {
                has_moved |= reach.raise(stream, &now);
            }
            has_moved
        });
    }

    fn forget_told(&self) {
        self.told.lock().iter_mut().for_each(Vec::clear);
    }
}

/// How many of the positions after `from` and up to `to` lie in the ranges.
fn count_told(ranges: &Ranges, from: i64, to: i64) -> i64 {
    let within = ranges
        .iter()
        .map(|(first, last)| ((*last).min(to) - (*first - 1).max(from)).max(0));
    within.sum()
}

/// Looks for what others wrote, while anybody waits for it.
pub(super) async fn beat_until_shutdown(hub: Arc<Hub>, store: Store, shutdown: CancellationToken) {
    let mut before = None;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(BEAT) => {}
        }
        let was_used = hub.pulse.was_used.swap(false, Ordering::Relaxed);
        if hub.pulse.reach.receiver_count() == 0 && !was_used {
            hub.pulse.forget_told();
            before = None;
            continue;
        }
        let found: Result<SyncToken, StoreError> = store
            .read(async move |tx: &mut Tx<'_>| store::streams::positions(tx, 0).await)
            .await;
        match found {
            Ok(now) => {
                hub.pulse.take_up(before, now);
                if let Some(before) = before {
                    hub.lose_untold(&before);
                }
                before = Some(now);
            }
            Err(error) => tracing::warn!(%error, "cannot look for what other nodes wrote"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(position: i64) -> SyncToken {
        SyncToken::new([0; COUNTERS], 0).with_position(2, position)
    }

    #[test]
    fn what_others_wrote_wakes_and_what_did_not_survive_a_fail_over_wakes_no_more() {
        let pulse = Pulse::default();
        pulse.take_up(Some(at(3)), at(8));
        assert!(pulse.seen().is_ahead_of(&at(7)));
        pulse.take_up(Some(at(8)), at(5));
        assert!(!pulse.seen().is_ahead_of(&at(5)), "nobody can come so far");
        pulse.take_up(Some(at(5)), at(9));
        assert!(pulse.seen().is_ahead_of(&at(8)));
    }

    #[test]
    fn what_was_told_of_wakes_nobody_again() {
        let pulse = Pulse::default();
        pulse.note_told(2, 4, 5);
        pulse.take_up(Some(at(3)), at(8));
        assert!(!pulse.seen().is_ahead_of(&at(0)));
    }
}
