//! What all clients of a load share: the sites, the time, the counts that the view shows.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::options::{Live, Phase, SiteAddress, SiteLive};

/// Different refusals and failures that are told in words; more are only counted.
const WORDS_MAX: usize = 20;

/// How long a write that is under way when the load ends is still tried.
const LAST_WRITES_WAIT: Duration = Duration::from_secs(10);

/// The services whose writes are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// Messages sent.
    Chat,
    /// Transfers.
    Pay,
    /// Sign-ins refreshed.
    SignIn,
    /// Uploads.
    Media,
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Chat, Self::Pay, Self::SignIn, Self::Media];

    /// Its name in the report.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Pay => "pay",
            Self::SignIn => "sign_in",
            Self::Media => "media",
        }
    }
}

/// What is counted about a site while the load runs.
#[derive(Default)]
struct SiteCounts {
    answered: AtomicU64,
    answered_at_us: AtomicU64,
    stall_us: AtomicU64,
    /// Since when the site says without a break that it is ready; 0 while it does not.
    ready_since_us: AtomicU64,
}

/// What went wrong, counted, and the first ones in words.
#[derive(Debug, Clone, Default)]
pub struct Troubles {
    /// How many.
    pub count: u64,
    /// The first different ones.
    pub words: Vec<String>,
}

/// What all clients share.
pub(crate) struct Shared {
    pub(crate) sites: Vec<SiteAddress>,
    began: Instant,
    marks: Mutex<Vec<(Phase, u64)>>,
    struck_us: AtomicU64,
    acknowledged: AtomicU64,
    acknowledged_at_us: AtomicU64,
    pub(crate) reads: AtomicU64,
    pub(crate) read_failures: AtomicU64,
    pub(crate) unavailable: AtomicU64,
    pub(crate) unknown_retried: AtomicU64,
    pub(crate) change_overs: AtomicU64,
    refused: Mutex<Troubles>,
    signin_failures: Mutex<Troubles>,
    counts: Vec<SiteCounts>,
    has_begun: AtomicBool,
    stopping: AtomicBool,
    stopped_at_us: AtomicU64,
}

impl Shared {
    pub(crate) fn new(sites: &[SiteAddress]) -> Self {
        Self {
            sites: sites.to_vec(),
            began: Instant::now(),
            marks: Mutex::default(),
            struck_us: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
            acknowledged_at_us: AtomicU64::new(0),
            reads: AtomicU64::new(0),
            read_failures: AtomicU64::new(0),
            unavailable: AtomicU64::new(0),
            unknown_retried: AtomicU64::new(0),
            change_overs: AtomicU64::new(0),
            refused: Mutex::default(),
            signin_failures: Mutex::default(),
            counts: sites.iter().map(|_| SiteCounts::default()).collect(),
            has_begun: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            stopped_at_us: AtomicU64::new(0),
        }
    }

    /// Microseconds since the load was made.
    pub(crate) fn now_us(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Everybody is there: the load begins now.
    pub(crate) fn begin(&self) {
        *self.marks.lock() = vec![(Phase::WarmUp, self.now_us())];
        self.acknowledged_at_us.store(self.now_us(), Ordering::Relaxed);
        for count in [&self.unavailable, &self.unknown_retried, &self.change_overs] {
            count.store(0, Ordering::Relaxed);
        }
        self.has_begun.store(true, Ordering::Release);
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun.load(Ordering::Acquire)
    }

    pub(crate) fn mark(&self, phase: Phase) {
        let now_us = self.now_us();
        if phase == Phase::Struck {
            self.struck_us.store(now_us, Ordering::Relaxed);
        }
        self.marks.lock().push((phase, now_us));
    }

    pub(crate) fn marks(&self) -> Vec<(Phase, u64)> {
        self.marks.lock().clone()
    }

    pub(crate) fn stop(&self) {
        self.stopped_at_us.store(self.now_us(), Ordering::Relaxed);
        self.stopping.store(true, Ordering::Release);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub(crate) fn stopped_at_us(&self) -> u64 {
        self.stopped_at_us.load(Ordering::Relaxed)
    }

    /// Whether a write that is still unacknowledged is given up: the load ended a while ago.
    pub(crate) fn gives_up(&self) -> bool {
        self.is_stopping() && self.now_us().saturating_sub(self.stopped_at_us()) > micros(LAST_WRITES_WAIT)
    }

    pub(crate) fn note_acknowledged(&self, at_us: u64) {
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
        self.acknowledged_at_us.fetch_max(at_us, Ordering::Relaxed);
    }

    /// A site answered something useful.
    pub(crate) fn note_answered(&self, site: usize) {
        let Some(counts) = self.counts.get(site) else {
            return;
        };
        let now_us = self.now_us();
        counts.answered.fetch_add(1, Ordering::Relaxed);
        let before_us = counts.answered_at_us.fetch_max(now_us, Ordering::Relaxed);
        if self.struck_us.load(Ordering::Relaxed) > 0 && before_us > 0 {
            counts
                .stall_us
                .fetch_max(now_us.saturating_sub(before_us), Ordering::Relaxed);
        }
    }

    pub(crate) fn note_ready(&self, site: usize, is_ready: bool) {
        let Some(counts) = self.counts.get(site) else {
            return;
        };
        if is_ready {
            let now_us = self.now_us().max(1);
            // Stays as it is when it was ready before.
            let _ = counts
                .ready_since_us
                .compare_exchange(0, now_us, Ordering::Relaxed, Ordering::Relaxed);
        } else {
            counts.ready_since_us.store(0, Ordering::Relaxed);
        }
    }

    /// Whether the site has said for this long that it is ready.
    pub(crate) fn is_ready_for(&self, site: usize, span: Duration) -> bool {
        let since_us = self
            .counts
            .get(site)
            .map_or(0, |counts| counts.ready_since_us.load(Ordering::Relaxed));
        since_us > 0 && self.now_us().saturating_sub(since_us) >= micros(span)
    }

    pub(crate) fn note_refused(&self, words: impl FnOnce() -> String) {
        note(&self.refused, words);
    }

    pub(crate) fn note_signin_failure(&self, words: impl FnOnce() -> String) {
        note(&self.signin_failures, words);
    }

    pub(crate) fn refused(&self) -> Troubles {
        self.refused.lock().clone()
    }

    pub(crate) fn signin_failures(&self) -> Troubles {
        self.signin_failures.lock().clone()
    }

    pub(crate) fn live(&self) -> Live {
        let acknowledged_at_us = self.acknowledged_at_us.load(Ordering::Relaxed);
        Live {
            acknowledged: self.acknowledged.load(Ordering::Relaxed),
            since_acknowledged: Duration::from_micros(self.now_us().saturating_sub(acknowledged_at_us)),
            reads: self.reads.load(Ordering::Relaxed),
            read_failures: self.read_failures.load(Ordering::Relaxed),
            signin_failures: self.signin_failures.lock().count,
            sites: self
                .counts
                .iter()
                .map(|counts| SiteLive {
                    answered: counts.answered.load(Ordering::Relaxed),
                    stall: Duration::from_micros(counts.stall_us.load(Ordering::Relaxed)),
                })
                .collect(),
        }
    }
}

fn note(troubles: &Mutex<Troubles>, words: impl FnOnce() -> String) {
    let mut troubles = troubles.lock();
    troubles.count += 1;
    if troubles.words.len() < WORDS_MAX {
        let words = words();
        if !troubles.words.contains(&words) {
            troubles.words.push(words);
        }
    }
}

/// A span in whole microseconds.
pub(crate) fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
