//! What a node does for a client: commit, wait, confirm, acknowledge.

use super::log::{Effect, Record};
use super::rules::{Bounds, Confirmation, Rules, Settled};
use super::state::{Attempt, Progress, Role, SiteId, State};

/// A step of the write with one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// A transaction is committed in the log of the primary at this site, and waits for standbys.
    Commit(SiteId),
    /// Enough standbys have it: COMMIT returns.
    Return,
    /// The wait for the standbys is cancelled: COMMIT returns with a warning.
    CancelWait,
    /// The node tells the client that its write is kept.
    Acknowledge,
    /// The node, or the connection to it, is given up: the client will send its key again.
    GiveUp,
}

impl Step {
    /// All that can be tried.
    pub(crate) fn all(bounds: &Bounds) -> impl Iterator<Item = Self> + use<> {
        [Self::Return, Self::CancelWait, Self::Acknowledge, Self::GiveUp]
            .into_iter()
            .chain((0..bounds.sites).map(Self::Commit))
    }

    /// The state after this step for this key, or nothing if it cannot be taken.
    pub(crate) fn taken(self, before: &State, key: u8, rules: &Rules, bounds: &Bounds) -> Option<State> {
        let client = before.clients[usize::from(key)];
        match (self, client.attempt) {
            (Self::Commit(site), None) if !client.is_acknowledged => commit(before, key, site, rules, bounds),
            (Self::Return, Some(attempt)) => wait_is_over(before, key, attempt, bounds),
            (Self::CancelWait, Some(attempt)) => cancel_wait(before, key, attempt, rules, bounds),
            (Self::Acknowledge, Some(attempt)) => acknowledge(before, key, attempt, rules),
            (Self::GiveUp, Some(_)) => Some(with_attempt(before, key, None)),
            _ => None,
        }
    }
}

/// Any PostgreSQL that accepts writes may be written to: a node may not know yet that another one leads.
fn commit(before: &State, key: u8, id: SiteId, rules: &Rules, bounds: &Bounds) -> Option<State> {
    let site = before.site(id);
    (site.is_postgres_up() && site.is_primary()).then_some(())?;
    let is_repeat = rules.are_keys_recorded && site.log.effects(key) > 0;
    let leader = before.etcd.leader.filter(|leader| leader.site == id);
    let mut attempt = Attempt {
        site: id,
        term: leader.map(|leader| leader.term),
        progress: Progress::Returned,
    };
    let timeline = site.timeline;
    let mut after = before.clone();
    if !is_repeat || rules.do_repeats_write {
        (site.log.position() < bounds.log_records).then_some(())?;
        let effect = if is_repeat {
            Effect::Repeat(key)
        } else {
            Effect::Write(key)
        };
        let log = &mut after.site_mut(id).log;
        log.0.push(Record { timeline, effect });
        attempt.progress = Progress::Waiting(log.position());
    }
    after.clients[usize::from(key)].attempt = Some(attempt);
    Some(after)
}

fn wait_is_over(before: &State, key: u8, attempt: Attempt, bounds: &Bounds) -> Option<State> {
    let Progress::Waiting(position) = attempt.progress else {
        return None;
    };
    let primary = before.site(attempt.site);
    let follows = Role::Standby {
        follows: Some(attempt.site),
    };
    let confirming = before
        .sites
        .iter()
        .filter(|site| site.role == follows && site.log.holds(&primary.log, position));
    let is_over = confirming.count() >= usize::from(bounds.confirming_standbys);
    (primary.is_postgres_up() && is_over).then(|| with_progress(before, key, attempt, Progress::Returned))
}

fn cancel_wait(before: &State, key: u8, attempt: Attempt, rules: &Rules, bounds: &Bounds) -> Option<State> {
    let is_waiting = matches!(attempt.progress, Progress::Waiting(_));
    let is_within = before.spent.cancelled_waits < bounds.cancelled_waits;
    (is_waiting && is_within && before.site(attempt.site).is_postgres_up()).then(|| {
        let mut after = if rules.is_warning_heeded {
            with_attempt(before, key, None)
        } else {
            with_progress(before, key, attempt, Progress::Returned)
        };
        after.spent.cancelled_waits += 1;
        after
    })
}

fn acknowledge(before: &State, key: u8, attempt: Attempt, rules: &Rules) -> Option<State> {
    let is_confirmed = match (rules.confirmation, before.etcd.leader) {
        (Confirmation::None, _) => true,
        (_, None) => false,
        (Confirmation::Name, Some(leader)) => leader.site == attempt.site,
        (Confirmation::Term, Some(leader)) => {
            leader.site == attempt.site && Some(leader.term) == attempt.term
        }
    };
    let is_reachable = rules.confirmation == Confirmation::None || before.has_etcd();
    let etcd = &before.etcd;
    let is_in_history = etcd.history == before.site(attempt.site).timeline;
    let is_settled = match rules.settled {
        Settled::AtOnce => true,
        Settled::InHistory => is_in_history,
        Settled::InHistoryAndSync => is_in_history && etcd.sync_leader == attempt.site,
    };
    let is_kept = is_confirmed && is_reachable && is_settled;
    (attempt.progress == Progress::Returned && is_kept).then(|| {
        let mut after = with_attempt(before, key, None);
        after.clients[usize::from(key)].is_acknowledged = true;
        after
    })
}

fn with_progress(before: &State, key: u8, attempt: Attempt, progress: Progress) -> State {
    with_attempt(before, key, Some(Attempt { progress, ..attempt }))
}

fn with_attempt(before: &State, key: u8, attempt: Option<Attempt>) -> State {
    let mut after = before.clone();
    after.clients[usize::from(key)].attempt = attempt;
    after
}
