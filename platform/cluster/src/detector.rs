//! The detector: takes the leader key away from a primary whose whole site is silent, so that Patroni's own race need
//! not wait for the key's lease to run out.
//!
//! It only ever hastens what Patroni would do by itself. It acts when nodes in a majority of sites agree; it revokes
//! the lease of exactly the session they voted against, so that a newer leader is not touched; it leaves a site alone
//! that answers in any way; and after each revocation it stays quiet for a while
//! (docs/decisions/0006-never-a-lost-write.md).

mod etcd_leader;
mod members;
mod probe;
#[cfg(test)]
mod tests;
mod vote;

use std::sync::Arc;
use std::time::Duration;

use haechi_store::{Leadership, Term};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::PatroniLeadership;
use members::EtcdMembers;
use probe::Probe;
use vote::Voter;

/// Between two looks at the primary's site.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A site that did not answer for so long is silent.
const SILENT_AFTER: Duration = Duration::from_secs(1);

/// A term that this node has known for less is left alone, however the one before it ended: whoever still acts on
/// what was before it must have come to an end (rule 4 of docs/decisions/0006-never-a-lost-write.md).
const TERM_YOUNG_FOR: Duration = Duration::from_secs(60);

/// Reads go to a standby sooner: nothing is lost if that was a mistake.
const READ_ELSEWHERE_AFTER: Duration = Duration::from_millis(500);

/// How the detector of one node is set.
pub struct DetectorSettings {
    /// The site this node stands in.
    pub site: String,
    /// Whether it votes. Without a vote it still sees to the reads of its own node.
    pub votes: bool,
    /// Asked before each vote: a node whose clock is off stays out of the agreement.
    pub may_vote: Box<dyn Fn() -> bool + Send + Sync>,
}

/// Watches the primary's site until `shutdown`.
pub fn start(leadership: PatroniLeadership, settings: DetectorSettings, shutdown: &CancellationToken) {
    let members = EtcdMembers::default();
    tokio::spawn(
        shutdown
            .clone()
            .run_until_cancelled_owned(members.clone().follow(leadership.etcd().clone())),
    );
    tokio::spawn(shutdown.clone().run_until_cancelled_owned(etcd_leader::keep_away(
        leadership.clone(),
        members.clone(),
        settings.site.clone(),
    )));
    tokio::spawn(
        shutdown
            .clone()
            .run_until_cancelled_owned(watch(leadership, members, settings)),
    );
}

async fn watch(leadership: PatroniLeadership, members: EtcdMembers, settings: DetectorSettings) {
    let probe = Probe::new();
    let mut voter = Voter::new(leadership.clone(), members.clone(), settings.site.clone());
    let present = leadership.term();
    let mut watched: Option<Watched> = None;
    loop {
        sleep(LOOK_EVERY).await;
        let Some(term) = present.borrow().clone() else {
            leadership.note_primary_silent(false);
            watched = None;
            continue;
        };
        if watched.as_ref().is_none_or(|before| before.term != term) {
            watched = Some(Watched::begin(Arc::clone(&term)));
        }
        let state = leadership
            .members()
            .into_iter()
            .find(|member| member.name == term.member);
        let answers = match state {
            Some(state) => probe.answers(&state, members.url_of(&term.member)).await,
            None => false,
        };
        let Some(watched) = &mut watched else {
            continue;
        };
        if answers {
            watched.answered_at = Instant::now();
        }
        let silent_for = watched.answered_at.elapsed();
        leadership.note_primary_silent(silent_for >= READ_ELSEWHERE_AFTER);
        let may_act = settings.votes && term.member != settings.site;
        if may_act && watched.is_to_be_ended(Instant::now()) && (settings.may_vote)() {
            voter.vote_against(&term).await;
        }
    }
}

/// A term, as far as this node has seen it.
struct Watched {
    term: Arc<Term>,
    since: Instant,
    answered_at: Instant,
}

impl Watched {
    fn begin(term: Arc<Term>) -> Self {
        let now = Instant::now();
        Self {
            term,
            since: now,
            answered_at: now,
        }
    }

    /// Whether its site has been silent for long enough, and the term is old enough to be touched.
    fn is_to_be_ended(&self, now: Instant) -> bool {
        let is_silent = now.duration_since(self.answered_at) >= SILENT_AFTER;
        is_silent && now.duration_since(self.since) >= TERM_YOUNG_FOR
    }
}
