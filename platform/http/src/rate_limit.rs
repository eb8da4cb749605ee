//! Rates by caller, in memory: each node counts for itself.

use std::hash::Hash;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::Rate;

/// Checks between two clean-ups: callers who have gone are forgotten, so that the memory stays bounded by the
/// callers of the last while.
const CHECKS_BETWEEN_CLEANUPS: u32 = 65_536;

/// Counts what each `K` does and says when it is too much (generic cell rate algorithm).
#[derive(Debug)]
pub struct KeyedLimiter<K: Hash + Eq + Clone> {
    limiter: DefaultKeyedRateLimiter<K>,
    clock: DefaultClock,
    checks: AtomicU32,
}

impl<K: Hash + Eq + Clone> KeyedLimiter<K> {
    /// Allows each key `rate`.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self::with_quota(Quota::per_second(rate.per_second).allow_burst(rate.burst))
    }

    /// Allows each key `burst` at once, all of which are there again after `period`; a period too short to
    /// measure counts as a second for each.
    #[must_use]
    pub fn per_period(burst: std::num::NonZeroU32, period: Duration) -> Self {
        let quota = Quota::with_period(period / burst.get()).unwrap_or_else(|| Quota::per_second(burst));
        Self::with_quota(quota.allow_burst(burst))
    }

    fn with_quota(quota: Quota) -> Self {
        Self {
            limiter: RateLimiter::keyed(quota),
            clock: DefaultClock::default(),
            checks: AtomicU32::new(0),
        }
    }

    /// Counts one for `key`.
    ///
    /// # Errors
    /// How long to wait, when it is one too many.
    pub fn check(&self, key: &K) -> Result<(), Duration> {
        if self.checks.fetch_add(1, Ordering::Relaxed) % CHECKS_BETWEEN_CLEANUPS
            == CHECKS_BETWEEN_CLEANUPS - 1
        {
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
        self.limiter
            .check_key(key)
            .map_err(|refusal| refusal.wait_time_from(self.clock.now()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_key_has_its_own_burst_and_is_told_how_long_to_wait() {
        let limiter = KeyedLimiter::new(Rate::new(1, 3));
        for _ in 0..3 {
            limiter.check(&"a").unwrap();
        }
        let wait = limiter.check(&"a").unwrap_err();
        assert!(
            wait > Duration::ZERO && wait <= Duration::from_secs(1),
            "{wait:?}"
        );
        limiter.check(&"b").unwrap();
    }
}
