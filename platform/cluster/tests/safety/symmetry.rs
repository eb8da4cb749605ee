//! Two states that differ only in which site bears which number are one and the same to the checker.

use super::state::{Cycle, Role, Site, SiteId, State};

/// The state of which all states with other numbers for the same sites are told by the checker to be copies.
///
/// Sites are sorted by what can be said of them without a number. Sites of which the same can be said keep their
/// order, so now and then two copies are both searched, which costs time and nothing else.
pub(crate) fn representative(state: &State) -> State {
    let mut order: Vec<SiteId> = (0..).take(state.sites.len()).collect();
    order.sort_by_cached_key(|&id| portrait(state, id));
    let mut number = vec![0; order.len()];
    for (new, &old) in (0..).zip(&order) {
        number[usize::from(old)] = new;
    }
    let renumbered = |old: SiteId| number[usize::from(old)];
    let mut copy = state.clone();
    copy.sites = order.iter().map(|&old| state.site(old).clone()).collect();
    for site in &mut copy.sites {
        if let Role::Standby { follows } = &mut site.role {
            *follows = follows.map(renumbered);
        }
    }
    copy.etcd.holder = renumbered(copy.etcd.holder);
    copy.etcd.sync_leader = renumbered(copy.etcd.sync_leader);
    if let Some(leader) = &mut copy.etcd.leader {
        leader.site = renumbered(leader.site);
    }
    for attempt in copy
        .clients
        .iter_mut()
        .filter_map(|client| client.attempt.as_mut())
    {
        attempt.site = renumbered(attempt.site);
    }
    copy
}

/// What can be said of a site without naming a number.
fn portrait(state: &State, id: SiteId) -> impl Ord + use<> {
    let site = state.site(id);
    let etcd = &state.etcd;
    let is_holder = (
        etcd.holder == id,
        etcd.sync_leader == id,
        etcd.leader.is_some_and(|leader| leader.site == id),
    );
    let attempts: Vec<bool> = state
        .clients
        .iter()
        .map(|client| client.attempt.is_some_and(|attempt| attempt.site == id))
        .collect();
    let follows = match site.role {
        Role::Primary => None,
        Role::Standby { follows } => Some(follows.map(|followed| looks(state.site(followed)))),
    };
    (is_holder, attempts, looks(site), follows)
}

fn looks(site: &Site) -> impl Ord + use<> {
    let cycle = match site.cycle {
        Cycle::Idle => (0, 0),
        Cycle::Candidate { seen } => (1, seen),
        Cycle::Taker { term } => (2, term),
        Cycle::Leader { term } => (3, term),
    };
    (
        site.health,
        site.is_primary(),
        site.timeline,
        cycle,
        site.is_lease_alive,
        site.log.clone(),
    )
}
