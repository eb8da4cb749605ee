//! How often a node that is busy answers one person: messages that come close together go into one answer.
//!
//! A node is busy when who waits runs late: some time after they were woken. Then the rests between two answers to one
//! person grow until it is no more, so that a node spends its time on messages and not on answers that each hold one.

use std::time::{Duration, Instant};

/// How late who waits runs, on average, on a node that is busy.
const LATE: Duration = Duration::from_micros(3_000);

/// How late on one that is not.
const IN_TIME: Duration = Duration::from_micros(1_500);

/// Between two looks at how late they run.
const LOOK: Duration = Duration::from_millis(100);

/// By how much a look changes the rest.
const STEP: Duration = Duration::from_millis(5);

/// The longest rest.
const REST_MAX: Duration = Duration::from_millis(150);

/// How late those run who wait at a node, and how long a person rests after an answer.
#[derive(Default)]
pub(super) struct Pace {
    since: Option<Instant>,
    late: Duration,
    woken: u32,
    rest: Duration,
}

impl Pace {
    /// Notes that somebody runs who was woken so long ago.
    pub(super) fn note(&mut self, late: Duration, now: Instant) {
        let since = *self.since.get_or_insert(now);
        if now.duration_since(since) >= LOOK {
            let (late, in_time) = (LATE * self.woken, IN_TIME * self.woken);
            if self.late > late {
                self.rest = (self.rest + STEP).min(REST_MAX);
            } else if self.late <= in_time {
                self.rest = self.rest.saturating_sub(STEP);
            }
            (self.since, self.late, self.woken) = (Some(now), Duration::ZERO, 0);
        }
        self.late += late;
        self.woken = self.woken.saturating_add(1);
    }

    /// How long a person who was answered last at this moment is to rest from now on.
    pub(super) fn rest(&self, answered_at: Option<Instant>, now: Instant) -> Duration {
        let rested = answered_at.map_or(REST_MAX, |at| now.duration_since(at));
        self.rest.saturating_sub(rested)
    }

    /// As if the node had been busy until a rest is as long as this.
    #[cfg(test)]
    pub(super) fn set_rest(&mut self, rest: Duration) {
        self.rest = rest;
    }

    /// How many were woken since the last look.
    #[cfg(test)]
    pub(super) const fn woken(&self) -> u32 {
        self.woken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_grow_while_those_who_wait_run_late_and_end_after() {
        let mut pace = Pace::default();
        let mut now = Instant::now();
        let mut run = |pace: &mut Pace, late_ms: u64, looks: u32| {
            for _ in 0..looks {
                (0..400).for_each(|_| pace.note(Duration::from_millis(late_ms), now));
                now += LOOK;
            }
            pace.rest(Some(now), now)
        };
        assert_eq!(run(&mut pace, 1, 20), Duration::ZERO);
        let busy = run(&mut pace, 20, 10);
        assert!(
            busy > Duration::from_millis(30) && busy < Duration::from_millis(60),
            "{busy:?}"
        );
        let held = run(&mut pace, 2, 50);
        assert!(held.abs_diff(busy) <= STEP, "{held:?} is as before");
        assert_eq!(run(&mut pace, 20, 100), REST_MAX);
        assert_eq!(run(&mut pace, 1, 40), Duration::ZERO);
        assert_eq!(pace.rest(None, now), Duration::ZERO);
    }
}
