//! The same within wider bounds: minutes with optimisation, so they are asked for by name.
//!
//! `cargo test --release -p haechi-cluster --test safety -- --ignored --nocapture`

use super::kept::{three_sites, three_sleepy_sites};
use super::rules::{Bounds, Rules};
use super::search::nothing_is_lost;

#[test]
#[ignore = "takes minutes"]
fn nothing_is_lost_where_two_clients_write_and_a_wait_is_cancelled() {
    let bounds = Bounds {
        writes: 2,
        log_records: 2,
        burns: 1,
        revocations: 1,
        cancelled_waits: 1,
        ..three_sites()
    };
    nothing_is_lost(Rules::without_guard(), bounds);
}

#[test]
#[ignore = "takes minutes"]
fn nothing_is_lost_over_four_terms() {
    let bounds = Bounds {
        terms: 4,
        revocations: 3,
        ..three_sites()
    };
    nothing_is_lost(Rules::without_guard(), bounds);
}

#[test]
#[ignore = "takes minutes"]
fn nothing_is_lost_by_a_fire_with_four_sites() {
    let bounds = Bounds {
        sites: 4,
        confirming_standbys: 2,
        burns: 1,
        ..three_sites()
    };
    nothing_is_lost(Rules::without_guard(), bounds);
}

#[test]
#[ignore = "takes minutes"]
fn nothing_is_lost_by_two_faults_and_a_fire() {
    let bounds = Bounds {
        faults: 2,
        burns: 1,
        ..three_sites()
    };
    nothing_is_lost(Rules::without_guard(), bounds);
}

#[test]
#[ignore = "takes minutes"]
fn with_the_guard_nothing_is_lost_by_two_faults_a_fire_and_a_crash() {
    let bounds = Bounds {
        faults: 2,
        burns: 1,
        crashes: 1,
        revocations: 1,
        ..three_sleepy_sites()
    };
    nothing_is_lost(Rules::with_guard(), bounds);
}

#[test]
#[ignore = "takes minutes"]
fn with_the_guard_nothing_is_lost_over_four_terms() {
    let bounds = Bounds {
        terms: 4,
        revocations: 3,
        ..three_sleepy_sites()
    };
    nothing_is_lost(Rules::with_guard(), bounds);
}

#[test]
#[ignore = "takes minutes"]
fn with_the_guard_nothing_is_lost_by_a_fire_with_four_sites() {
    let bounds = Bounds {
        sites: 4,
        confirming_standbys: 2,
        burns: 1,
        ..three_sleepy_sites()
    };
    nothing_is_lost(Rules::with_guard(), bounds);
}

#[test]
#[ignore = "takes minutes"]
fn with_the_guard_nothing_is_lost_by_two_crashes() {
    let bounds = Bounds {
        crashes: 2,
        revocations: 0,
        ..three_sleepy_sites()
    };
    nothing_is_lost(Rules::with_guard(), bounds);
}
