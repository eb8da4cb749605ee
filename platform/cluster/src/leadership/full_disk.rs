//! A primary whose disk is full: it lives, keeps the leader key and refuses whatever needs room, so nobody takes over.

use std::sync::Arc;
use std::time::Duration;

use haechi_store::Term;
use tokio::time::Instant;

/// For so long it must have refused writes: a moment's lack may be over at the next checkpoint, which frees the log.
const LASTING: Duration = Duration::from_secs(1);

/// Refusals further apart are not one lack of room.
const GAP_MAX: Duration = Duration::from_secs(5);

/// The refusals of one primary that followed one another.
#[derive(Debug)]
pub(super) struct FullDisk {
    pub(super) term: Arc<Term>,
    since: Instant,
    last: Instant,
}

impl FullDisk {
    /// Notes a refusal.
    pub(super) fn note(held: &mut Option<Self>, term: &Arc<Term>, now: Instant) {
        match held {
            Some(full) if full.term == *term && full.is_recent(now) => full.last = now,
            _ => {
                *held = Some(Self {
                    term: Arc::clone(term),
                    since: now,
                    last: now,
                });
            }
        }
    }

    /// Whether it has been so for a while, and still is.
    pub(super) fn is_lasting(&self, now: Instant) -> bool {
        self.is_recent(now) && self.last.duration_since(self.since) >= LASTING
    }

    fn is_recent(&self, now: Instant) -> bool {
        now.duration_since(self.last) <= GAP_MAX
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn term(create_revision: i64) -> Arc<Term> {
        Arc::new(Term {
            member: "pangyo".to_owned(),
            host: "127.0.0.1".to_owned(),
            port: 5_432,
            lease: create_revision,
            create_revision,
        })
    }

    #[test]
    fn only_refusals_that_go_on_for_a_while_in_one_term_are_a_full_disk() {
        let (begun, second) = (Instant::now(), Duration::from_secs(1));
        let mut held = None;
        FullDisk::note(&mut held, &term(1), begun);
        assert!(!held.as_ref().unwrap().is_lasting(begun));
        FullDisk::note(&mut held, &term(1), begun + second);
        assert!(held.as_ref().unwrap().is_lasting(begun + second));
        // Nothing was refused since: there is room again.
        assert!(!held.as_ref().unwrap().is_lasting(begun + 7 * second));

        FullDisk::note(&mut held, &term(1), begun + 7 * second);
        assert!(
            !held.as_ref().unwrap().is_lasting(begun + 7 * second),
            "two moments far apart"
        );
        FullDisk::note(&mut held, &term(1), begun + 8 * second);
        FullDisk::note(&mut held, &term(2), begun + 8 * second);
        assert!(
            !held.as_ref().unwrap().is_lasting(begun + 8 * second),
            "the next primary"
        );
    }
}
