//! Who stands behind an access token, without a look into the store for each request.

use std::time::Duration;

use futures_util::future::BoxFuture;
use haechi_base::{Actor, Role, SessionId, Time};
use haechi_http::{AuthenticationError, Authenticator};
use haechi_store::{StoreError, Tx, is_written_since};
use tokio::time::timeout;

use super::Identity;
use crate::model::Session;
use crate::secret::Claims;
use crate::session_cache::Known;
use crate::store;

/// The time after which a session's last use is written down anew.
const TOUCH_AFTER: Duration = Duration::from_secs(10 * 60);

/// How long a request waits for the store to tell whether its session lives.
pub(super) const SESSION_READ_TIMEOUT: Duration = Duration::from_secs(2);

/// How much later than a token a write must have begun, so that a host that has this write must have the token's
/// session: longer than nodes' clocks differ, and than a sign-in waits for its commit.
const STANDBY_PROOF_AFTER: Duration = Duration::from_secs(60);

impl Identity {
    async fn actor_of(&self, token: &str) -> Result<Actor, AuthenticationError> {
        let claims = self
            .0
            .tokens
            .verify_access_token(token)
            .ok_or(AuthenticationError::Unknown)?;
        if claims.is_over(self.0.context.now()) {
            return Err(AuthenticationError::Expired);
        }
        let known = match self.0.sessions.get(claims.session()) {
            Some(known) => known,
            None => self.look_up(&claims).await?,
        };
        match known {
            Known::Alive { role } => Ok(claims.into_actor(role)),
            Known::Ended => Err(AuthenticationError::Unknown),
            // Nobody can say whether an administrator still is one: until then they are a person like others.
            Known::Unsure => Ok(claims.into_actor(Role::Person)),
        }
    }

    /// Reads the session and remembers it. During an outage the signature alone decides: people who are signed
    /// in stay so, and each request would otherwise wait for a store that does not answer.
    async fn look_up(&self, claims: &Claims) -> Result<Known, StoreError> {
        let (id, now) = (claims.session(), self.0.context.now());
        let proof_from =
            Time::from_micros(claims.issued_at().saturating_mul(1_000_000)) + STANDBY_PROOF_AFTER;
        let store = &self.0.context.store;
        let find = async move |tx: &mut Tx<'_>| find_session(tx, id, proof_from).await;
        let mut found = timeout(SESSION_READ_TIMEOUT, store.read(find)).await;
        if matches!(found, Ok(Ok(Seen::NotOnPrimary))) {
            // A write is answered only when its primary still leads: one that hung may not have heard that it does not.
            found = timeout(SESSION_READ_TIMEOUT, store.write_unkeyed(find)).await;
        }
        let known = match found {
            Ok(Ok(Seen::There(session, role))) if now < session.expires_at => {
                let used_generation = session.used_generation.max(claims.generation());
                let is_new = used_generation > session.used_generation;
                if is_new || now.since(session.last_used_at) >= TOUCH_AFTER {
                    self.touch(id, used_generation, now);
                }
                Known::Alive { role }
            }
            Ok(Ok(Seen::There(..) | Seen::Gone | Seen::NotOnPrimary)) => Known::Ended,
            Ok(Ok(Seen::NotOnStandby)) => Known::Unsure,
            Ok(Err(StoreError::Unavailable(_) | StoreError::Unknown(_))) | Err(_) => Known::Unsure,
            Ok(Err(error)) => return Err(error),
        };
        Ok(self.0.sessions.learn(id, known))
    }

    /// Writes down that a session is in use, beside the request: losing it does no harm.
    fn touch(&self, id: SessionId, used_generation: u32, now: Time) {
        let store = self.0.context.store.clone();
        tokio::spawn(async move {
            let touched = store
                .write_unkeyed(async move |tx: &mut Tx<'_>| {
                    store::touch_session(tx, id, used_generation, now).await
                })
                .await;
            if let Err(error) = touched {
                tracing::debug!(%error, "a session's use was not written down");
            }
        });
    }
}

/// What a host of the store shows of a session.
enum Seen {
    There(Session, Role),
    /// It was ended, or never was.
    Gone,
    /// A primary does not have it, nor anything that came after it.
    NotOnPrimary,
    /// A standby does not have it, nor anything that came after it: it may not have heard of it yet. After a restart a
    /// standby may show how things were minutes ago.
    NotOnStandby,
}

/// Finds a session. A host that has a write from `proof_from` or later has every session of tokens from well before.
async fn find_session(tx: &mut Tx<'_>, id: SessionId, proof_from: Time) -> Result<Seen, StoreError> {
    if let Some((session, role)) = store::find_session_and_role(tx, id).await? {
        return Ok(Seen::There(session, role));
    }
    if is_written_since(tx, proof_from).await? {
        return Ok(Seen::Gone);
    }
    Ok(if tx.may_lag() {
        Seen::NotOnStandby
    } else {
        Seen::NotOnPrimary
    })
}

impl Authenticator for Identity {
    fn authenticate<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Actor, AuthenticationError>> {
        Box::pin(self.actor_of(token))
    }
}
