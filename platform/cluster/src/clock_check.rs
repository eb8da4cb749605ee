//! Whether this node's clock is right, judged by the clocks of the others.
//!
//! A clock is asked for over the network as NTP does it (RFC 5905 section 8): what it said is compared with the middle
//! between question and answer, and the truth lies within half the way there and back.

use std::time::Duration;

use haechi_base::Time;

/// How far clocks may differ.
pub(crate) const DIFFERENCE_MAX: Duration = Duration::from_secs(1);

/// What a peer's clock said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    /// How far it is ahead of ours, in microseconds; negative when it is behind.
    pub(crate) ahead_us: i64,
    /// How wrong this can be at the most: half the way there and back, in microseconds.
    pub(crate) error_us: i64,
}

impl Reading {
    /// Of an answer `told` to a question that was sent at `asked_at` by our clock and took `way` there and back.
    pub(crate) fn new(asked_at: Time, way: Duration, told: Time) -> Self {
        let middle = asked_at + way / 2;
        Self {
            ahead_us: told.micros().saturating_sub(middle.micros()),
            error_us: i64::try_from(way.as_micros() / 2).unwrap_or(i64::MAX),
        }
    }

    /// Whether the two clocks differ by more than they may, whatever way the answer took.
    fn differs(self) -> bool {
        let allowed = i64::try_from(DIFFERENCE_MAX.as_micros()).unwrap_or(i64::MAX);
        self.ahead_us.saturating_abs().saturating_sub(self.error_us) > allowed
    }
}

/// Whether this node's clock is to be trusted: unless it differs from those of more than half of all nodes, itself
/// counted. Of two nodes that differ nobody can say which is right.
pub(crate) fn is_trusted(readings: &[Reading]) -> bool {
    let differing = readings.iter().filter(|reading| reading.differs()).count();
    differing * 2 <= readings.len() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ahead(millis: i64) -> Reading {
        Reading {
            ahead_us: millis * 1_000,
            error_us: 10_000,
        }
    }

    #[test]
    fn the_difference_is_taken_from_the_middle_of_the_way() {
        let asked_at = Time::from_micros(5_000_000);
        let told = Time::from_micros(7_050_000);
        let reading = Reading::new(asked_at, Duration::from_millis(100), told);
        assert_eq!((reading.ahead_us, reading.error_us), (2_000_000, 50_000));
    }

    #[test]
    fn the_one_that_differs_from_most_is_not_trusted() {
        assert!(is_trusted(&[]), "alone");
        assert!(is_trusted(&[ahead(5_000)]), "of two nobody knows which");
        assert!(!is_trusted(&[ahead(5_000), ahead(5_001)]));
        assert!(!is_trusted(&[ahead(-1_200), ahead(-1_201), ahead(-1_203)]));
        assert!(
            is_trusted(&[ahead(5_000), ahead(3), ahead(-900)]),
            "it is the other"
        );
        assert!(is_trusted(&[ahead(5_000), ahead(5_000), ahead(0)]), "two and two");
    }

    #[test]
    fn a_slow_answer_accuses_nobody() {
        let slow = Reading {
            ahead_us: 1_500_000,
            error_us: 600_000,
        };
        assert!(is_trusted(&[slow, slow, slow]));
    }
}
