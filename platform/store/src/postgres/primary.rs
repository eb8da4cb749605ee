//! The host that writes: found among those of the URL, or told by who leads the cluster.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Object, Pool};
use parking_lot::Mutex;
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tokio_postgres::config::{Host, TargetSessionAttrs};

use super::PostgresUrl;
use super::connect::{Warnings, pool};
use crate::error::Failure;
use crate::{Leadership, StoreError, StoreLimits, Term};

/// How long one attempt at a write waits for somebody to lead. The write itself is tried again.
const TERM_WAIT: Duration = Duration::from_millis(500);

/// How the primary is known.
pub(super) enum Primary {
    /// One of the hosts of the URL: whichever takes writes.
    Found(Pool),
    /// The one that holds the leader key.
    Led(Box<Led>),
}

/// The primaries of a cluster, one term after the other.
pub(super) struct Led {
    leadership: Arc<dyn Leadership>,
    url: PostgresUrl,
    limits: StoreLimits,
    warnings: Warnings,
    reign: Mutex<Option<Reign>>,
}

/// Connections to the primary of one term. They are never used in another: what was begun under one leader cannot be
/// confirmed under the next.
#[derive(Clone)]
pub(super) struct Reign {
    pub(super) pool: Pool,
    term: Option<Arc<Term>>,
    /// The timeline that the primary writes in this term, once it was asked.
    timeline: Arc<OnceCell<i64>>,
}

impl Primary {
    /// Prepares the pool, or the place for it. Connects to nobody yet.
    pub(super) fn open(
        url: &PostgresUrl,
        limits: &StoreLimits,
        warnings: &Warnings,
        leadership: Option<Arc<dyn Leadership>>,
    ) -> Result<Self, StoreError> {
        Ok(match leadership {
            None => Self::Found(pool(url, TargetSessionAttrs::ReadWrite, limits, warnings)?),
            Some(leadership) => Self::Led(Box::new(Led {
                leadership,
                url: url.clone(),
                limits: limits.clone(),
                warnings: warnings.clone(),
                reign: Mutex::new(None),
            })),
        })
    }

    /// Whether it is told who leads.
    pub(super) const fn is_led(&self) -> bool {
        matches!(self, Self::Led(_))
    }

    /// The connections to the present primary, without waiting for one.
    pub(super) fn reign(&self) -> Result<Reign, Failure> {
        match self {
            Self::Found(pool) => Ok(Reign {
                pool: pool.clone(),
                term: None,
                timeline: Arc::default(),
            }),
            Self::Led(led) => led.reign(),
        }
    }

    /// Waits, not for long, until somebody leads.
    pub(super) async fn led_by_somebody(&self) {
        if let Self::Led(led) = self {
            let mut term = led.leadership.term();
            drop(timeout(TERM_WAIT, term.wait_for(Option::is_some)).await);
        }
    }

    /// Returns when the term of `reign` is over: what is under way on its connections need not be waited for.
    pub(super) async fn end_of(&self, reign: &Reign) {
        let (Self::Led(led), Some(term)) = (self, &reign.term) else {
            return std::future::pending().await;
        };
        let mut present = led.leadership.term();
        let ended = present
            .wait_for(|present| present.as_ref().is_none_or(|present| present != term))
            .await;
        if ended.is_err() {
            // Nobody tells any more: the program ends.
            std::future::pending::<()>().await;
        }
    }

    /// Whether what was committed on one of these connections may be acknowledged.
    pub(super) async fn confirm(&self, reign: &Reign, client: &Object) -> Result<(), Failure> {
        let (Self::Led(led), Some(term)) = (self, &reign.term) else {
            return Ok(());
        };
        let asked = reign.timeline.get_or_try_init(|| timeline_of(client));
        let timeline = timeout(led.limits.answer_wait, asked)
            .await
            .map_err(|_| "the primary did not say which timeline it writes".to_owned())
            .flatten();
        let confirmed = match timeline {
            Ok(timeline) => led.leadership.confirm(term, *timeline).await,
            Err(reason) => Err(reason),
        };
        confirmed.map_err(|reason| Failure::Unknown(format!("the leader was not confirmed: {reason}")))
    }

    /// Tells those who follow the leader that its disk takes nothing more.
    pub(super) fn note_full(&self, reign: &Reign) {
        if let (Self::Led(led), Some(term)) = (self, &reign.term) {
            led.leadership.note_full_disk(term);
        }
    }

    /// Whether reads had better go to a standby at once.
    pub(super) fn is_silent(&self) -> bool {
        match self {
            Self::Found(_) => false,
            Self::Led(led) => led.leadership.is_primary_silent(),
        }
    }
}

impl Reign {
    /// The revision of the term in which these connections are used; 0 where nobody is elected.
    pub(super) fn revision(&self) -> i64 {
        self.term.as_ref().map_or(0, |term| term.create_revision)
    }
}

impl Led {
    fn reign(&self) -> Result<Reign, Failure> {
        // Read under the lock: else an old term could take the place of a newer one.
        let mut held = self.reign.lock();
        let Some(term) = self.leadership.term().borrow().clone() else {
            return Err(Failure::Lost(
                "nobody leads the database cluster at present".to_owned(),
            ));
        };
        if let Some(reign) = held.as_ref().filter(|reign| reign.term.as_ref() == Some(&term)) {
            return Ok(reign.clone());
        }
        tracing::info!(primary = %term.member, revision = term.create_revision, "another term of leadership");
        let reign = Reign {
            pool: pool(
                &self.url.at(&Host::Tcp(term.host.clone()), term.port),
                TargetSessionAttrs::ReadWrite,
                &self.limits,
                &self.warnings,
            )
            .map_err(Failure::Final)?,
            term: Some(term),
            timeline: Arc::default(),
        };
        if let Some(over) = held.replace(reign.clone()) {
            over.pool.close();
        }
        Ok(reign)
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
