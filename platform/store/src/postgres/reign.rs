//! The connections of one term of leadership, and the waiting until its leader takes writes.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Object, Pool, Timeouts};
use tokio::sync::{OnceCell, watch};
use tokio::time::{sleep, timeout};

use super::attempt::Mode;
use crate::Term;
use crate::error::Failure;

/// How long one attempt at a write waits for a leader, or for it to take writes. The write itself is tried again.
pub(super) const TERM_WAIT: Duration = Duration::from_millis(500);

/// How often a leader is asked whether it takes writes by now; and how often one that takes none for long.
const OPENING_LOOK_EVERY: Duration = Duration::from_millis(20);
const OPENING_LOOK_EVERY_LATER: Duration = Duration::from_millis(250);

/// After so many looks, three seconds or more, that is long: a promotion is done by then.
const OPENING_LOOKS_SOON: u32 = 150;

/// How long it may take to answer that.
const OPENING_ANSWER_WAIT: Duration = Duration::from_secs(2);

/// Connections to the primary of one term. They are never used in another: what was begun under one leader cannot be
/// confirmed under the next.
#[derive(Clone)]
pub(super) struct Reign {
    pub(super) pool: Pool,
    pub(super) elected: Option<Elected>,
}

/// What is known of a term and its leader.
#[derive(Clone)]
pub(super) struct Elected {
    pub(super) term: Arc<Term>,
    present: watch::Receiver<Option<Arc<Term>>>,
    opening: watch::Sender<Opening>,
    /// The timeline that the primary writes in this term, once it was asked.
    timeline: Arc<OnceCell<i64>>,
}

/// Whether a leader takes writes: it holds the key before it is promoted, and for a while after it began to stop.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Opening {
    /// It did not answer yet.
    Unheard,
    /// It took none when it was asked last, and why.
    Closed(Arc<str>),
    /// It takes them.
    Open,
    /// The term is over.
    Over,
}

impl Reign {
    /// Connections to hosts of which none is elected.
    pub(super) const fn of_nobody(pool: Pool) -> Self {
        Self { pool, elected: None }
    }

    /// A term of which it was just heard.
    pub(super) fn begin(pool: Pool, term: Arc<Term>, present: watch::Receiver<Option<Arc<Term>>>) -> Self {
        let elected = Elected {
            term,
            present,
            opening: watch::Sender::new(Opening::Unheard),
            timeline: Arc::default(),
        };
        tokio::spawn(elected.clone().open(pool.clone()));
        Self {
            pool,
            elected: Some(elected),
        }
    }

    /// The revision of the term in which these connections are used; 0 where nobody is elected.
    pub(super) fn revision(&self) -> i64 {
        self.elected
            .as_ref()
            .map_or(0, |elected| elected.term.create_revision)
    }

    /// Whether it is of this term.
    pub(super) fn is_of(&self, term: &Arc<Term>) -> bool {
        self.elected.as_ref().is_some_and(|elected| elected.term == *term)
    }

    /// Returns when the term is over: what is under way on its connections need not be waited for.
    pub(super) async fn end(&self) {
        let Some(elected) = &self.elected else {
            return std::future::pending().await;
        };
        let mut present = elected.present.clone();
        let ended = present
            .wait_for(|present| present.as_ref().is_none_or(|present| *present != elected.term))
            .await;
        if ended.is_err() {
            // Nobody tells any more: the program ends.
            std::future::pending::<()>().await;
        }
    }

    /// Waits until the leader takes writes, or the term is over. A read waits only to hear whether it does: a standby can
    /// answer it.
    pub(super) async fn opened(&self, mode: Mode, read_wait: Duration) -> Result<(), Failure> {
        let Some(elected) = &self.elected else {
            return Ok(());
        };
        let wait = if mode == Mode::Write { TERM_WAIT } else { read_wait };
        let mut opening = elected.opening.subscribe();
        let heard = opening.wait_for(|opening| match opening {
            Opening::Unheard => false,
            Opening::Closed(_) => mode != Mode::Write,
            Opening::Open | Opening::Over => true,
        });
        tokio::select! {
            heard = timeout(wait, heard) => {
                if heard.is_ok_and(|heard| heard.is_ok_and(|opening| *opening == Opening::Open)) {
                    return Ok(());
                }
            }
            () = self.end() => {}
        }
        Err(elected.closed())
    }

    /// Returns when the leader was found to take no writes, with what to tell: who waits for a connection need not find
    /// out by itself.
    pub(super) async fn closed(&self) -> Failure {
        let Some(elected) = &self.elected else {
            return std::future::pending().await;
        };
        let mut opening = elected.opening.subscribe();
        drop(opening.wait_for(|opening| *opening != Opening::Open).await);
        elected.closed()
    }

    /// A connection could not be opened: until one can be, nobody else needs to try.
    pub(super) fn note_unreachable(&self, why: &str) {
        let Some(elected) = &self.elected else { return };
        let is_first = elected.opening.send_if_modified(|opening| {
            let was_open = *opening == Opening::Open;
            if was_open {
                *opening = Opening::Closed(why.into());
            }
            was_open
        });
        if is_first {
            tokio::spawn(elected.clone().open(self.pool.clone()));
        }
    }
}

impl Elected {
    /// Asks the leader until it takes writes or another leads, for all who wait for that: each asking costs it a
    /// process, just when it is being promoted, or stops. While nobody leads it is not asked: when etcd was out of reach,
    /// the same may lead again.
    async fn open(mut self, pool: Pool) {
        let bounds = Timeouts {
            create: Some(OPENING_ANSWER_WAIT),
            ..pool.timeouts()
        };
        let mut looks = 0_u32;
        while self
            .present
            .wait_for(Option::is_some)
            .await
            .is_ok_and(|present| present.as_ref() == Some(&self.term))
        {
            match pool.timeout_get(&bounds).await {
                Ok(_) => {
                    self.opening.send_replace(Opening::Open);
                    return;
                }
                Err(error) => self.note_closed(&error.to_string()),
            }
            looks = looks.saturating_add(1);
            let is_long = looks > OPENING_LOOKS_SOON;
            let pause = if is_long {
                OPENING_LOOK_EVERY_LATER
            } else {
                OPENING_LOOK_EVERY
            };
            sleep(pause).await;
        }
        self.opening.send_replace(Opening::Over);
    }

    /// Wakes nobody, and tells the operator nothing, unless it is something new.
    fn note_closed(&self, why: &str) {
        let is_new = self.opening.send_if_modified(|opening| {
            let is_new = !matches!(opening, Opening::Closed(known) if **known == *why);
            if is_new {
                *opening = Opening::Closed(why.into());
            }
            is_new
        });
        if is_new {
            tracing::info!(primary = %self.term.member, why, "the leader takes no writes at present");
        }
    }

    /// What a transaction is told that needs the leader meanwhile.
    fn closed(&self) -> Failure {
        Failure::Lost(match &*self.opening.borrow() {
            Opening::Closed(why) => format!("the leader takes no writes at present: {why}"),
            _ => "the leader takes no writes at present".to_owned(),
        })
    }

    /// The timeline that the primary writes in this term. It is asked once.
    pub(super) async fn timeline(&self, client: &Object) -> Result<i64, String> {
        let asked = self.timeline.get_or_try_init(|| timeline_of(client));
        asked.await.copied()
    }
}

/// The timeline that a primary writes: the first eight hexadecimal digits in the name of its log's segment.
async fn timeline_of(client: &Object) -> Result<i64, String> {
    const SEGMENT: &str = "SELECT pg_walfile_name(pg_current_wal_lsn())";
    let row = client
        .query_one(SEGMENT, &[])
        .await
        .map_err(|error| error.to_string())?;
    let segment: String = row.try_get(0).map_err(|error| error.to_string())?;
    let timeline = segment
        .get(..8)
        .and_then(|digits| i64::from_str_radix(digits, 16).ok());
    timeline.ok_or_else(|| format!("{segment} is no segment of a log"))
}
