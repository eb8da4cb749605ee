//! What Patroni 4.1 does, step by step, and what PostgreSQL does under it.
//!
//! Names in brackets are Patroni's own functions.

use super::rules::{Bounds, Guard, Rules};
use super::state::{Cycle, Health, LeaderKey, Role, SiteId, State};

/// A step of one site's Patroni or PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// Sees the leader key free, and finds itself fit to lead.
    Compare,
    /// Takes the key it saw free.
    Take,
    /// Believing that it leads, finds its lease gone and the key free, and takes it again without comparing.
    TakeAgain,
    /// Promotes its PostgreSQL.
    Promote,
    /// Writes its name into `/sync` and its timeline into `/history`.
    Settle,
    /// Sees that another leads, or that it cannot: demotes its PostgreSQL, and forgets what it was about to do.
    GiveWay,
    /// Follows the leader, rewinding the log if need be.
    Follow,
    /// PostgreSQL takes the next record from the primary it follows.
    Stream,
}

impl Step {
    pub(crate) const ALL: [Self; 8] = [
        Self::Compare,
        Self::Take,
        Self::TakeAgain,
        Self::Promote,
        Self::Settle,
        Self::GiveWay,
        Self::Follow,
        Self::Stream,
    ];

    /// The state after this step at this site, or nothing if it cannot be taken.
    pub(crate) fn taken(self, before: &State, id: SiteId, rules: &Rules, bounds: &Bounds) -> Option<State> {
        match self {
            Self::Compare => compare(before, id, rules, bounds),
            Self::Take => take(before, id, rules, bounds),
            Self::TakeAgain => take_again(before, id, rules, bounds),
            Self::Promote => promote(before, id),
            Self::Settle => settle(before, id),
            Self::GiveWay => give_way(before, id, rules),
            Self::Follow => follow(before, id),
            Self::Stream => stream(before, id),
        }
    }
}

fn compare(before: &State, id: SiteId, rules: &Rules, bounds: &Bounds) -> Option<State> {
    let seen = before.etcd.epoch;
    let is_news = before.site(id).cycle != Cycle::Candidate { seen };
    let is_free = before.is_patroni_at_work(id) && before.etcd.leader.is_none();
    let is_fit = is_free && is_news && is_fit(before, id, rules, bounds);
    is_fit.then(|| {
        let mut after = before.clone();
        after.site_mut(id).cycle = Cycle::Candidate { seen };
        after
    })
}

/// Whether a site may lead, as it finds itself [`is_healthiest_node`].
fn is_fit(state: &State, id: SiteId, rules: &Rules, bounds: &Bounds) -> bool {
    let (site, etcd) = (state.site(id), &state.etcd);
    if site.is_primary() {
        let is_last_holder = rules.guard != Guard::EpochAndHolder || etcd.holder == id;
        return site.timeline >= etcd.history && is_last_holder;
    }
    if rules.are_timelines_compared && site.timeline < etcd.history {
        return false;
    }
    let (mut votes, mut is_anybody_ahead) = (0, false);
    for (other_id, other) in state.sites() {
        // A Patroni that hangs gives no answer, neither does one that is cut off, frozen or burnt.
        if other_id == id || !state.is_patroni_at_work(other_id) {
            continue;
        }
        if other.is_primary() {
            return false;
        }
        if other.log.position() > site.log.position() {
            is_anybody_ahead = true;
            // The former leader may be ahead by commits that nobody was told of.
            if etcd.sync_leader != other_id {
                return false;
            }
        } else {
            votes += 1;
        }
    }
    let quorum = bounds.sites - 1 - bounds.confirming_standbys;
    votes >= quorum || (etcd.sync_leader == id && !is_anybody_ahead)
}

fn take(before: &State, id: SiteId, rules: &Rules, bounds: &Bounds) -> Option<State> {
    let Cycle::Candidate { seen } = before.site(id).cycle else {
        return None;
    };
    let is_guarded = rules.guard != Guard::None && seen != before.etcd.epoch;
    (before.is_patroni_at_work(id) && !is_guarded).then_some(())?;
    let mut after = taken(before, id, bounds)?;
    if !after.site(id).is_primary() {
        after.site_mut(id).cycle = Cycle::Taker {
            term: after.etcd.epoch,
        };
    }
    Some(after)
}

/// Here a cached view of etcd and a long hang are the same thing [`_update_leader`].
fn take_again(before: &State, id: SiteId, rules: &Rules, bounds: &Bounds) -> Option<State> {
    let Cycle::Leader { term } = before.site(id).cycle else {
        return None;
    };
    let is_guarded = rules.guard != Guard::None && term != before.etcd.epoch;
    let is_due = before.is_patroni_at_work(id) && !before.site(id).is_lease_alive;
    (is_due && !is_guarded).then(|| taken(before, id, bounds))?
}

/// The leader key, created by this site in a transaction that demands that it is not there.
fn taken(before: &State, id: SiteId, bounds: &Bounds) -> Option<State> {
    (before.etcd.leader.is_none() && before.etcd.epoch < bounds.terms).then(|| {
        let mut after = before.clone();
        let term = before.etcd.epoch + 1;
        after.etcd.epoch = term;
        after.etcd.holder = id;
        after.etcd.leader = Some(LeaderKey { site: id, term });
        let site = after.site_mut(id);
        site.cycle = Cycle::Leader { term };
        site.is_lease_alive = true;
        after
    })
}

fn promote(before: &State, id: SiteId) -> Option<State> {
    let site = before.site(id);
    let term = match site.cycle {
        Cycle::Taker { term } => term,
        // A later cycle only asks whether its lease lives, and trusts its cache for the key.
        Cycle::Leader { term } if site.is_lease_alive => term,
        _ => return None,
    };
    (before.is_patroni_at_work(id) && !site.is_primary()).then(|| {
        let mut after = before.clone();
        let site = after.site_mut(id);
        site.role = Role::Primary;
        site.timeline += 1;
        site.cycle = Cycle::Leader { term };
        after
    })
}

/// [`update_cluster_history`, and in a later cycle `process_sync_replication`]
fn settle(before: &State, id: SiteId) -> Option<State> {
    let (site, etcd) = (before.site(id), &before.etcd);
    let is_leader = etcd.leader.is_some_and(|leader| leader.site == id) && site.is_primary();
    let is_news = etcd.history != site.timeline || etcd.sync_leader != id;
    (before.is_patroni_at_work(id) && is_leader && is_news).then(|| {
        let mut after = before.clone();
        if etcd.history == site.timeline {
            after.etcd.sync_leader = id;
        }
        after.etcd.history = site.timeline;
        after
    })
}

fn give_way(before: &State, id: SiteId, rules: &Rules) -> Option<State> {
    let site = before.site(id);
    let mut after = before.clone();
    if before.is_patroni_at_work(id) {
        let is_anothers = match before.etcd.leader {
            Some(leader) => leader.site != id,
            None => {
                let is_behind = site.timeline < before.etcd.history;
                let is_refused = rules.guard == Guard::EpochAndHolder && before.etcd.holder != id;
                site.is_primary() && (is_behind || is_refused)
            }
        };
        (is_anothers && (site.is_primary() || site.cycle != Cycle::Idle)).then_some(())?;
        after.site_mut(id).cycle = Cycle::Idle;
    } else {
        // Without etcd a primary is demoted; what its Patroni saw last stays in its cache.
        let is_without_etcd = site.health == Health::Cut;
        (is_without_etcd && site.is_primary()).then_some(())?;
    }
    if site.is_primary() {
        after.demote(id);
    }
    Some(after)
}

fn follow(before: &State, id: SiteId) -> Option<State> {
    let leader_id = before.etcd.leader?.site;
    let (site, leader) = (before.site(id), before.site(leader_id));
    let is_due = !site.is_primary()
        && site.role
            != Role::Standby {
                follows: Some(leader_id),
            };
    let is_possible = leader.is_primary() && leader.is_connected() && leader_id != id;
    (before.is_patroni_at_work(id) && is_due && is_possible).then_some(())?;
    let mut log = site.log.clone();
    if !log.is_prefix_of(&leader.log) {
        // Two logs on one timeline look the same to pg_rewind: such a site never comes back by itself.
        (site.timeline != leader.timeline).then(|| log.rewind_to(&leader.log))?;
    }
    let timeline = leader.timeline;
    let mut after = before.clone();
    let site = after.site_mut(id);
    site.log = log;
    site.timeline = timeline;
    site.role = Role::Standby {
        follows: Some(leader_id),
    };
    site.cycle = Cycle::Idle;
    Some(after)
}

fn stream(before: &State, id: SiteId) -> Option<State> {
    let site = before.site(id);
    let Role::Standby {
        follows: Some(primary_id),
    } = site.role
    else {
        return None;
    };
    let primary = before.site(primary_id);
    let is_connected = site.is_connected() && primary.is_connected() && primary.is_primary();
    let next = primary.log.0.get(site.log.position()).copied()?;
    (is_connected && site.log.is_prefix_of(&primary.log)).then(|| {
        let timeline = primary.timeline;
        let mut after = before.clone();
        let site = after.site_mut(id);
        site.log.0.push(next);
        site.timeline = timeline;
        after
    })
}
