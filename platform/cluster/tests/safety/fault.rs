//! What goes wrong, and what ends a term: faults, the ordinary lease, and the detector.

use super::rules::{Bounds, Quiet, Rules, Sleep};
use super::state::{Cycle, Health, SiteId, State};

/// Something that nobody asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fault {
    /// A site dies for good.
    Burn(SiteId),
    /// A site stands still.
    Freeze(SiteId),
    /// A site is cut off from all others.
    Cut(SiteId),
    /// A site's Patroni stands still; its PostgreSQL goes on.
    Hang(SiteId),
    /// A site is thawed, healed or woken.
    Recover(SiteId),
    /// A primary's PostgreSQL crashes, and its Patroni hands the leader key back (`primary_start_timeout: 0`).
    Crash(SiteId),
    /// The leader's lease runs out.
    LeaseRunsOut,
    /// The detector revokes the leader's lease, rightly or wrongly.
    Revoke,
}

impl Fault {
    /// All that can be tried.
    pub(crate) fn all(bounds: &Bounds) -> impl Iterator<Item = Self> + use<> {
        let of_site = |id| {
            [
                Self::Burn(id),
                Self::Freeze(id),
                Self::Cut(id),
                Self::Hang(id),
                Self::Recover(id),
                Self::Crash(id),
            ]
        };
        [Self::LeaseRunsOut, Self::Revoke]
            .into_iter()
            .chain((0..bounds.sites).flat_map(of_site))
    }

    /// The state after this fault, or nothing if it cannot be, or must not by the bounds.
    pub(crate) fn struck(self, before: &State, rules: &Rules, bounds: &Bounds) -> Option<State> {
        match self {
            Self::Burn(id) => burn(before, id, bounds),
            Self::Freeze(id) => disturb(before, id, Health::Frozen, bounds),
            // To all others a standby that is cut off is like one that is frozen.
            Self::Cut(id) if before.site(id).is_primary() => disturb(before, id, Health::Cut, bounds),
            Self::Cut(_) => None,
            Self::Hang(id) => disturb(before, id, Health::Hung, bounds),
            Self::Recover(id) => recover(before, id),
            Self::Crash(id) => crash(before, id, bounds),
            Self::LeaseRunsOut => lease_runs_out(before, bounds),
            Self::Revoke => revoke(before, rules, bounds),
        }
    }
}

fn burn(before: &State, id: SiteId, bounds: &Bounds) -> Option<State> {
    let is_within = before.spent.burns < bounds.burns;
    (is_within && before.site(id).health == Health::Well).then(|| {
        let mut after = before.clone();
        after.site_mut(id).health = Health::Burnt;
        after.spent.burns += 1;
        after
    })
}

fn disturb(before: &State, id: SiteId, health: Health, bounds: &Bounds) -> Option<State> {
    let is_within = before.spent.faults < bounds.faults;
    (is_within && before.site(id).health == Health::Well).then(|| {
        let mut after = before.clone();
        after.site_mut(id).health = health;
        after.spent.faults += 1;
        after
    })
}

fn recover(before: &State, id: SiteId) -> Option<State> {
    let is_ill = !matches!(before.site(id).health, Health::Well | Health::Burnt);
    is_ill.then(|| {
        let mut after = before.clone();
        after.site_mut(id).health = Health::Well;
        after
    })
}

fn crash(before: &State, id: SiteId, bounds: &Bounds) -> Option<State> {
    let leads = before.etcd.leader.is_some_and(|leader| leader.site == id);
    let is_within = before.spent.crashes < bounds.crashes;
    (is_within && leads && before.site(id).is_primary() && before.is_patroni_at_work(id)).then(|| {
        let mut after = before.clone();
        after.etcd.leader = None;
        after.demote(id);
        after.site_mut(id).cycle = Cycle::Idle;
        after.spent.crashes += 1;
        after
    })
}

/// A Patroni that works renews its lease in time. A lease lasts 20 s after its last renewal, so somebody who sleeps
/// less has woken before a term ends in this way that began after he fell asleep.
fn lease_runs_out(before: &State, bounds: &Bounds) -> Option<State> {
    let leader = before.etcd.leader?;
    let is_renewed = before.site(leader.site).health == Health::Well;
    let is_too_soon = bounds.sleep == Sleep::ShorterThanALease && before.has_sleeper();
    (before.has_etcd() && !is_renewed && !is_too_soon).then(|| {
        let mut after = before.clone();
        after.etcd.leader = None;
        after.site_mut(leader.site).is_lease_alive = false;
        after
    })
}

fn revoke(before: &State, rules: &Rules, bounds: &Bounds) -> Option<State> {
    let leader = before.etcd.leader?;
    let is_within = before.spent.revocations < bounds.revocations;
    (is_within && before.has_etcd() && !is_quiet(before, rules, bounds)).then(|| {
        let mut after = before.clone();
        after.etcd.leader = None;
        after.etcd.is_revoked = true;
        if rules.is_revocation_exact {
            after.site_mut(leader.site).is_lease_alive = false;
        }
        after.spent.revocations += 1;
        after
    })
}

/// Quiet is a matter of seconds, of which the model knows nothing but this: nobody sleeps for 60 s unless sleep is
/// without bound, so at the end of the quiet nobody is left who looked before it began.
fn is_quiet(state: &State, rules: &Rules, bounds: &Bounds) -> bool {
    if bounds.sleep == Sleep::AsLongAsItLikes {
        return false;
    }
    match rules.quiet {
        Quiet::Never => false,
        Quiet::AfterRevocation => state.etcd.is_revoked && state.has_sleeper(),
        Quiet::WhileTermIsYoung => state.has_sleeper(),
    }
}
