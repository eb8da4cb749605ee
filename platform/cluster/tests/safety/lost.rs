//! Without any one of the rules an acknowledged write can be lost: the checker finds how.
//!
//! `cargo test -p haechi-cluster --test safety -- --nocapture` prints the stories.

use super::fault::Fault;
use super::kept::{three_sites, three_sleepy_sites};
use super::model::Action;
use super::node;
use super::patroni;
use super::rules::{Bounds, Confirmation, Guard, Quiet, Rules, Settled};
use super::search::{a_double, a_loss, is_lost_by, is_possible};

/// How many sites are promoted in a story.
fn promotions(story: &[Action]) -> usize {
    let is_promotion = |action: &&Action| matches!(action, Action::Site(_, patroni::Step::Promote));
    story.iter().filter(is_promotion).count()
}

#[test]
fn rule_0_without_recorded_keys_a_retry_takes_effect_twice() {
    let rules = Rules {
        are_keys_recorded: false,
        ..Rules::without_guard()
    };
    let bounds = Bounds {
        log_records: 2,
        ..three_sites()
    };
    let story = a_double(rules, bounds);
    assert!(story.contains(&Action::Write(0, node::Step::GiveUp)));
}

#[test]
fn rule_1_a_repeated_key_answered_without_writing_is_lost() {
    let rules = Rules {
        do_repeats_write: false,
        ..Rules::without_guard()
    };
    let story = a_loss(rules, three_sites());
    assert!(story.contains(&Action::Write(0, node::Step::GiveUp)));
    // The answer was given, and no standby ever took the write.
    assert!(!story.contains(&Action::Write(0, node::Step::Return)));
}

#[test]
fn rule_2_without_confirmation_the_old_primary_goes_on_acknowledging() {
    let rules = Rules {
        confirmation: Confirmation::None,
        settled: Settled::AtOnce,
        ..Rules::without_guard()
    };
    let bounds = Bounds {
        revocations: 1,
        ..three_sites()
    };
    a_loss(rules, bounds);
}

#[test]
fn rule_2_the_name_alone_does_not_tell_one_term_from_a_later_one_of_the_same_member() {
    let rules = Rules {
        confirmation: Confirmation::Name,
        ..Rules::without_guard()
    };
    let bounds = Bounds {
        burns: 1,
        revocations: 1,
        ..three_sites()
    };
    let story = a_loss(rules, bounds);
    assert_eq!(promotions(&story), 2, "another leads in between");
}

#[test]
fn rule_3_a_deleted_key_leaves_a_lease_on_which_the_old_leader_promotes_itself_again() {
    let rules = Rules {
        is_revocation_exact: false,
        ..Rules::without_guard()
    };
    let story = a_loss(rules, three_sites());
    assert_eq!(promotions(&story), 2, "two primaries on one timeline");
}

#[test]
fn rule_4_two_revocations_in_a_row_let_a_stalled_candidate_in() {
    let rules = Rules {
        quiet: Quiet::Never,
        ..Rules::without_guard()
    };
    let story = a_loss(rules, three_sites());
    let revocations = story
        .iter()
        .filter(|&&action| action == Action::Fault(Fault::Revoke));
    assert_eq!(revocations.count(), 2);
}

#[test]
fn rule_4_quiet_after_revocations_alone_is_too_little_as_a_lease_may_have_run_out_before() {
    let rules = Rules {
        quiet: Quiet::AfterRevocation,
        ..Rules::without_guard()
    };
    let story = a_loss(rules, three_sites());
    assert!(story.contains(&Action::Fault(Fault::LeaseRunsOut)));
    assert!(story.contains(&Action::Fault(Fault::Revoke)));
}

#[test]
fn rule_5_an_acknowledged_warning_is_lost() {
    let rules = Rules {
        is_warning_heeded: false,
        ..Rules::without_guard()
    };
    let bounds = Bounds {
        cancelled_waits: 1,
        ..three_sites()
    };
    let story = a_loss(rules, bounds);
    assert!(story.contains(&Action::Write(0, node::Step::CancelWait)));
}

#[test]
fn rule_7_a_term_that_acknowledges_before_it_is_settled_lets_the_former_leader_in_without_a_vote() {
    let rules = Rules {
        settled: Settled::AtOnce,
        ..Rules::with_guard()
    };
    let bounds = Bounds {
        burns: 1,
        faults: 2,
        revocations: 0,
        ..three_sites()
    };
    a_loss(rules, bounds);
}

#[test]
fn rule_7_the_history_alone_leaves_the_former_leader_its_office_without_a_vote() {
    let rules = Rules {
        settled: Settled::InHistory,
        ..Rules::without_guard()
    };
    let bounds = Bounds {
        burns: 1,
        faults: 2,
        ..three_sites()
    };
    // The former leader follows the new one, and so is on its timeline, but has nothing of it yet. Then the new one
    // burns before `/sync` names it, and the one that has the write cannot be asked.
    let story = [
        Action::Write(0, node::Step::Commit(0)),
        Action::Write(0, node::Step::GiveUp),
        Action::Fault(Fault::Hang(0)),
        Action::Fault(Fault::LeaseRunsOut),
        Action::Site(1, patroni::Step::Compare),
        Action::Site(1, patroni::Step::Take),
        Action::Site(1, patroni::Step::Promote),
        Action::Write(0, node::Step::Commit(1)),
        Action::Site(2, patroni::Step::Follow),
        Action::Site(2, patroni::Step::Stream),
        Action::Write(0, node::Step::Return),
        Action::Site(1, patroni::Step::Settle),
        Action::Write(0, node::Step::Acknowledge),
        Action::Fault(Fault::Recover(0)),
        Action::Site(0, patroni::Step::GiveWay),
        Action::Site(0, patroni::Step::Follow),
        Action::Fault(Fault::Burn(1)),
        Action::Fault(Fault::LeaseRunsOut),
        Action::Fault(Fault::Hang(2)),
        Action::Site(0, patroni::Step::Compare),
        Action::Site(0, patroni::Step::Take),
        Action::Site(0, patroni::Step::Promote),
        Action::Site(0, patroni::Step::Settle),
    ];
    assert!(is_lost_by(&rules, &bounds, &story));
    assert!(!is_possible(&Rules::without_guard(), &bounds, &story));
}

#[test]
fn rule_8_where_timelines_are_not_compared_the_longer_log_wins_though_nobody_was_told_of_it() {
    let rules = Rules {
        are_timelines_compared: false,
        ..Rules::with_guard()
    };
    let bounds = Bounds {
        writes: 2,
        burns: 1,
        revocations: 1,
        ..three_sites()
    };
    a_loss(rules, bounds);
}

#[test]
fn a_guard_that_counts_terms_but_not_who_held_them_lets_a_sleeping_primary_wake_into_its_old_office() {
    let rules = Rules {
        guard: Guard::Epoch,
        ..Rules::with_guard()
    };
    let bounds = Bounds {
        faults: 2,
        ..three_sleepy_sites()
    };
    // Cut off for a moment, the leader was demoted; it still held the key and promoted itself, to timeline 2, and
    // froze before it wrote that down. The next leader is on a timeline 2 as well: nobody can tell that 0 is behind.
    let mut story = vec![
        Action::Fault(Fault::Cut(0)),
        Action::Site(0, patroni::Step::GiveWay),
        Action::Fault(Fault::Recover(0)),
        Action::Site(0, patroni::Step::Promote),
        Action::Fault(Fault::Freeze(0)),
        Action::Fault(Fault::LeaseRunsOut),
        Action::Site(1, patroni::Step::Compare),
        Action::Site(1, patroni::Step::Take),
        Action::Site(1, patroni::Step::Promote),
        Action::Site(1, patroni::Step::Settle),
        Action::Site(1, patroni::Step::Settle),
        Action::Site(2, patroni::Step::Follow),
        Action::Write(0, node::Step::Commit(1)),
        Action::Site(2, patroni::Step::Stream),
        Action::Write(0, node::Step::Return),
        Action::Write(0, node::Step::Acknowledge),
        Action::Fault(Fault::Revoke),
        Action::Fault(Fault::Recover(0)),
        Action::Site(0, patroni::Step::Compare),
    ];
    assert!(
        !is_possible(&Rules::with_guard(), &bounds, &story),
        "the holder is known"
    );
    story.push(Action::Site(0, patroni::Step::Take));
    assert!(is_lost_by(&rules, &bounds, &story));
}
