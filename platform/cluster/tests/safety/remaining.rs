//! What can still be lost with all rules and Patroni as it is, without the guard: the decision record says so.

use super::fault::Fault;
use super::kept::{three_sites, three_sleepy_sites};
use super::model::Action;
use super::patroni::Step;
use super::rules::{Bounds, Rules};
use super::search::{a_loss, nothing_is_lost};

/// Whether some site compares, another event ends the term of somebody else, and only then it takes the key.
fn has_stalled_candidate(story: &[Action]) -> bool {
    let when = |is_it: &dyn Fn(&Action) -> bool| story.iter().position(is_it);
    (0..3).any(|id| {
        let compared = when(&|action| *action == Action::Site(id, Step::Compare));
        let took = when(&|action| *action == Action::Site(id, Step::Take));
        let other = when(
            &|action| matches!(action, Action::Site(other, Step::Take | Step::TakeAgain) if *other != id),
        );
        matches!((compared, other, took), (Some(a), Some(b), Some(c)) if a < b && b < c)
    })
}

#[test]
fn a_candidate_that_stalls_through_a_whole_term_takes_the_key_on_old_news() {
    let story = a_loss(Rules::without_guard(), three_sleepy_sites());
    assert!(has_stalled_candidate(&story), "{story:#?}");
}

#[test]
fn even_a_short_stall_is_long_enough_when_the_new_primary_crashes_at_once() {
    let bounds = Bounds {
        crashes: 1,
        revocations: 1,
        ..three_sites()
    };
    let story = a_loss(Rules::without_guard(), bounds.clone());
    assert!(has_stalled_candidate(&story), "{story:#?}");
    assert!(
        story
            .iter()
            .any(|action| matches!(action, Action::Fault(Fault::Crash(_))))
    );
    nothing_is_lost(Rules::with_guard(), bounds);
}
