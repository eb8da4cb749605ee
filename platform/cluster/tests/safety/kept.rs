//! With all rules nothing is lost: every order of events within the bounds is tried.
//!
//! Three sites are the smallest number in which a commit needs a majority, a promotion needs another, and a third
//! site can be behind; each part in the stories of loss (old primary, new primary, standby that confirms) has its own.
//! Four sites, as we run them, are searched too, a step less wide.

use super::rules::{Bounds, Rules, Sleep};
use super::search::nothing_is_lost;

/// Three sites, one write, one site in trouble, and two revocations for no reason.
pub(crate) fn three_sites() -> Bounds {
    Bounds {
        sites: 3,
        confirming_standbys: 1,
        writes: 1,
        log_records: 1,
        terms: 3,
        burns: 0,
        faults: 1,
        crashes: 0,
        revocations: 2,
        cancelled_waits: 0,
        sleep: Sleep::ShorterThanALease,
    }
}

/// The same with Patronis that sleep as long as they like.
pub(crate) fn three_sleepy_sites() -> Bounds {
    Bounds {
        sleep: Sleep::AsLongAsItLikes,
        ..three_sites()
    }
}

#[test]
fn nothing_is_lost_by_a_fault_and_two_revocations() {
    nothing_is_lost(Rules::without_guard(), three_sites());
}

#[test]
fn nothing_is_lost_by_a_fire_a_fault_a_revocation_and_a_cancelled_wait() {
    let bounds = Bounds {
        burns: 1,
        revocations: 1,
        cancelled_waits: 1,
        log_records: 2,
        ..three_sites()
    };
    nothing_is_lost(Rules::without_guard(), bounds);
}

#[test]
fn nothing_is_lost_where_two_clients_write() {
    let bounds = Bounds {
        writes: 2,
        burns: 1,
        revocations: 1,
        ..three_sites()
    };
    nothing_is_lost(Rules::without_guard(), bounds);
}

#[test]
fn nothing_is_lost_with_four_sites() {
    let bounds = Bounds {
        sites: 4,
        confirming_standbys: 2,
        ..three_sites()
    };
    nothing_is_lost(Rules::without_guard(), bounds);
}

#[test]
fn with_the_guard_nothing_is_lost_however_long_patroni_sleeps() {
    nothing_is_lost(Rules::with_guard(), three_sleepy_sites());
}

#[test]
fn with_the_guard_nothing_is_lost_by_a_fire_however_long_patroni_sleeps() {
    let bounds = Bounds {
        burns: 1,
        revocations: 1,
        ..three_sleepy_sites()
    };
    nothing_is_lost(Rules::with_guard(), bounds);
}
