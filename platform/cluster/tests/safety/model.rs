//! The whole as a model for the checker, and what must hold in every state.

use stateright::{Model, Property};

use super::fault::Fault;
use super::log::{Effect, Record};
use super::rules::{Bounds, Rules};
use super::state::{Client, SiteId, State};
use super::{node, patroni};

/// No acknowledged write is absent from the log of the primary that holds the leader key.
pub(crate) const NOTHING_IS_LOST: &str = "nothing is lost";
/// No write takes effect twice.
pub(crate) const NOTHING_IS_DOUBLED: &str = "nothing is doubled";
/// A write can be acknowledged by a later leader than the first: else the checks would prove nothing.
pub(crate) const LIFE_GOES_ON: &str = "life goes on";

/// A fail-over under some rules, within some bounds.
#[derive(Clone, Debug)]
pub(crate) struct FailOver {
    pub(crate) rules: Rules,
    pub(crate) bounds: Bounds,
}

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// Something goes wrong.
    Fault(Fault),
    /// A site's Patroni or PostgreSQL does something.
    Site(SiteId, patroni::Step),
    /// A node does something for the write with this key.
    Write(u8, node::Step),
}

impl Model for FailOver {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::healthy(&self.bounds)]
    }

    fn actions(&self, _: &State, actions: &mut Vec<Action>) {
        actions.extend(Fault::all(&self.bounds).map(Action::Fault));
        for id in 0..self.bounds.sites {
            actions.extend(patroni::Step::ALL.map(|step| Action::Site(id, step)));
        }
        for key in 0..self.bounds.writes {
            actions.extend(node::Step::all(&self.bounds).map(|step| Action::Write(key, step)));
        }
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let Self { rules, bounds } = self;
        let after = match action {
            Action::Fault(fault) => fault.struck(before, rules, bounds),
            Action::Site(id, step) => step.taken(before, id, rules, bounds),
            Action::Write(key, step) => step.taken(before, key, rules, bounds),
        };
        after.map(State::without_remains)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(NOTHING_IS_LOST, |_, state| is_nothing_lost(state)),
            Property::always(NOTHING_IS_DOUBLED, |_, state| is_nothing_doubled(state)),
            Property::sometimes(LIFE_GOES_ON, |_, state| does_life_go_on(state)),
        ]
    }
}

/// Whether the primary that holds the leader key has every acknowledged write in its log.
pub(crate) fn is_nothing_lost(state: &State) -> bool {
    let Some(leader) = state.etcd.leader.map(|leader| state.site(leader.site)) else {
        return true;
    };
    let is_kept = |(key, client): (u8, &Client)| !client.is_acknowledged || leader.log.effects(key) > 0;
    !leader.is_primary() || (0..).zip(&state.clients).all(is_kept)
}

fn is_nothing_doubled(state: &State) -> bool {
    (0..)
        .zip(&state.clients)
        .all(|(key, _)| state.sites.iter().all(|site| site.log.effects(key) < 2))
}

fn does_life_go_on(state: &State) -> bool {
    let Some(leader) = state.etcd.leader.map(|leader| state.site(leader.site)) else {
        return false;
    };
    let is_later = |record: &Record| match record.effect {
        Effect::Write(key) => record.timeline > 1 && state.clients[usize::from(key)].is_acknowledged,
        Effect::Repeat(_) => false,
    };
    leader.is_primary() && leader.log.0.iter().any(is_later)
}
