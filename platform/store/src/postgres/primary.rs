//! The host that writes: found among those of the URL, or told by who leads the cluster.

use std::sync::Arc;

use deadpool_postgres::{Object, Pool};
use parking_lot::Mutex;
use tokio::time::timeout;
use tokio_postgres::config::{Host, TargetSessionAttrs};

use super::PostgresUrl;
use super::connect::{Warnings, pool};
use super::reign::{Reign, TERM_WAIT};
use crate::error::Failure;
use crate::{Leadership, StoreError, StoreLimits};

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
            Self::Found(pool) => Ok(Reign::of_nobody(pool.clone())),
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

    /// Whether what was committed on one of these connections may be acknowledged.
    pub(super) async fn confirm(&self, reign: &Reign, client: &Object) -> Result<(), Failure> {
        let (Self::Led(led), Some(elected)) = (self, &reign.elected) else {
            return Ok(());
        };
        let timeline = timeout(led.limits.answer_wait, elected.timeline(client))
            .await
            .map_err(|_| "the primary did not say which timeline it writes".to_owned())
            .flatten();
        let confirmed = match timeline {
            Ok(timeline) => led.leadership.confirm(&elected.term, timeline).await,
            Err(reason) => Err(reason),
        };
        confirmed.map_err(|reason| Failure::Unknown(format!("the leader was not confirmed: {reason}")))
    }

    /// Tells those who follow the leader that its disk takes nothing more.
    pub(super) fn note_full(&self, reign: &Reign) {
        if let (Self::Led(led), Some(elected)) = (self, &reign.elected) {
            led.leadership.note_full_disk(&elected.term);
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

impl Led {
    fn reign(&self) -> Result<Reign, Failure> {
        // Read under the lock: else an old term could take the place of a newer one.
        let mut held = self.reign.lock();
        let Some(term) = self.leadership.term().borrow().clone() else {
            return Err(Failure::Lost(
                "nobody leads the database cluster at present".to_owned(),
            ));
        };
        if let Some(reign) = held.as_ref().filter(|reign| reign.is_of(&term)) {
            return Ok(reign.clone());
        }
        tracing::info!(primary = %term.member, revision = term.create_revision, "another term of leadership");
        let pool = pool(
            &self.url.at(&Host::Tcp(term.host.clone()), term.port),
            TargetSessionAttrs::ReadWrite,
            &self.limits,
            &self.warnings,
        )
        .map_err(Failure::Final)?;
        let reign = Reign::begin(pool, term, self.leadership.term());
        if let Some(over) = held.replace(reign.clone()) {
            over.pool.close();
        }
        Ok(reign)
    }
}
