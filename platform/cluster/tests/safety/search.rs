//! The checker: everything within the bounds is tried, or the shortest way to a loss is told.

use stateright::{Checker, HasDiscoveries, Model};

use super::model::{Action, FailOver, LIFE_GOES_ON, NOTHING_IS_DOUBLED, NOTHING_IS_LOST, is_nothing_lost};
use super::rules::{Bounds, Rules};
use super::state::State;
use super::symmetry::representative;

/// Tries everything; nothing may be lost or doubled, and writes must go on after a fail-over.
pub(crate) fn nothing_is_lost(rules: Rules, bounds: Bounds) {
    let checker = FailOver { rules, bounds }
        .checker()
        .symmetry_fn(representative)
        .spawn_dfs()
        .join();
    println!(
        "{} states, {} steps deep",
        checker.unique_state_count(),
        checker.max_depth()
    );
    for never in [NOTHING_IS_LOST, NOTHING_IS_DOUBLED] {
        if let Some(path) = checker.discovery(never) {
            panic!("not true that {never}: {:#?}", path.into_actions());
        }
    }
    assert!(checker.is_done(), "the search ended early");
    assert!(
        checker.discovery(LIFE_GOES_ON).is_some(),
        "the model stands still"
    );
}

/// The shortest story in which an acknowledged write is lost. There must be one.
pub(crate) fn a_loss(rules: Rules, bounds: Bounds) -> Vec<Action> {
    shortest(rules, bounds, NOTHING_IS_LOST)
}

/// The shortest story in which a write takes effect twice. There must be one.
pub(crate) fn a_double(rules: Rules, bounds: Bounds) -> Vec<Action> {
    shortest(rules, bounds, NOTHING_IS_DOUBLED)
}

/// Whether this story can happen.
pub(crate) fn is_possible(rules: &Rules, bounds: &Bounds, story: &[Action]) -> bool {
    end_of(rules, bounds, story).is_some()
}

/// Whether this story can happen, and an acknowledged write is lost at its end.
pub(crate) fn is_lost_by(rules: &Rules, bounds: &Bounds, story: &[Action]) -> bool {
    end_of(rules, bounds, story).is_some_and(|state| !is_nothing_lost(&state))
}

fn end_of(rules: &Rules, bounds: &Bounds, story: &[Action]) -> Option<State> {
    let (rules, bounds) = (rules.clone(), bounds.clone());
    let beginning = State::healthy(&bounds);
    let model = FailOver { rules, bounds };
    story
        .iter()
        .try_fold(beginning, |state, &action| model.next_state(&state, action))
}

fn shortest(rules: Rules, bounds: Bounds, never: &'static str) -> Vec<Action> {
    // One thread: then breadth first finds the shortest.
    let checker = FailOver { rules, bounds }
        .checker()
        .finish_when(HasDiscoveries::AllOf([never].into()))
        .spawn_bfs()
        .join();
    let Some(path) = checker.discovery(never) else {
        let states = checker.unique_state_count();
        panic!("within these bounds it is true that {never}: {states} states");
    };
    let story = path.into_actions();
    println!("{} states searched. The story:", checker.unique_state_count());
    for action in &story {
        println!("  {action:?}");
    }
    story
}
