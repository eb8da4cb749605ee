//! How often a node that is busy answers one person: messages that come close together go into one answer.
//!
//! Below a number of answers a second nobody rests. Above it the rests grow until it is kept, so that a node spends
//! its time on messages and not on answers that each hold one.

use std::num::NonZero;
use std::time::Duration;

use haechi_base::Time;

/// Answers a second and core at which rests begin.
const ANSWERS_A_CORE: u32 = 5_500;

/// Between two looks at how many answers were given.
const LOOK: Duration = Duration::from_millis(100);

/// By how much a look changes the rest.
const STEP: Duration = Duration::from_millis(5);

/// The longest rest.
const REST_MAX: Duration = Duration::from_millis(150);

/// The answers of a node, and how long a person rests after one.
pub(super) struct Pace {
    answers_a_look_max: u32,
    since: Option<Time>,
    answers: u32,
    rest: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self::of_cores(u32::try_from(cores).unwrap_or(1))
    }
}

impl Pace {
    fn of_cores(cores: u32) -> Self {
        let looks_a_second = u32::try_from(1_000 / LOOK.as_millis()).unwrap_or(1);
        Self {
            answers_a_look_max: ANSWERS_A_CORE.saturating_mul(cores) / looks_a_second,
            since: None,
            answers: 0,
            rest: Duration::ZERO,
        }
    }

    /// Notes an answer.
    pub(super) fn note(&mut self, now: Time) {
        let since = *self.since.get_or_insert(now);
        let elapsed = now.since(since);
        if elapsed >= LOOK {
            let looks = elapsed.as_secs_f64() / LOOK.as_secs_f64();
            let answers = f64::from(self.answers) / looks;
            let most = f64::from(self.answers_a_look_max);
            if answers > most {
                self.rest = (self.rest + STEP).min(REST_MAX);
            } else if answers < most * 0.9 {
                self.rest = self.rest.saturating_sub(STEP);
            }
            (self.since, self.answers) = (Some(now), 0);
        }
        self.answers = self.answers.saturating_add(1);
    }

    /// How long a person who was answered last at this moment is to rest from now on.
    pub(super) fn rest(&self, answered_at: Option<Time>, now: Time) -> Duration {
        let rested = answered_at.map_or(REST_MAX, |at| now.since(at));
        self.rest.saturating_sub(rested)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_grow_while_too_many_answers_are_given_and_end_after() {
        let mut pace = Pace::of_cores(1);
        let mut now = Time::from_micros(0);
        let mut run = |pace: &mut Pace, answers: u32, looks: u32| {
            for _ in 0..looks {
                (0..answers).for_each(|_| pace.note(now));
                now = now + LOOK;
            }
            pace.rest(Some(now), now)
        };
        assert_eq!(run(&mut pace, 400, 20), Duration::ZERO);
        let busy = run(&mut pace, 700, 10);
        assert!(
            busy > Duration::from_millis(30) && busy < Duration::from_millis(60),
            "{busy:?}"
        );
        assert_eq!(run(&mut pace, 700, 100), REST_MAX);
        assert_eq!(run(&mut pace, 100, 40), Duration::ZERO);
        assert_eq!(pace.rest(None, now), Duration::ZERO);
    }
}
