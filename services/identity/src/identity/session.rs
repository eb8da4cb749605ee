//! Sessions: more devices, refreshed tokens, sign-out.

use std::time::Duration;

use haechi_base::{Actor, SessionId, Time, random};
use haechi_store::{StoreError, Tx, WriteKey};
use tokio::time::timeout;

use super::authenticate::SESSION_READ_TIMEOUT;
use super::{Identity, Result, end_after_commit};
use crate::model::{DeviceRequest, IdentityError, LOGIN_TOKEN_LIFE, LoginToken, SignedInSession};
use crate::ops::{self, ExtendOutcome, RefreshOutcome};
use crate::secret;

/// How long a refresh waits for a primary; then it does without one.
const ROTATION_WAIT: Duration = Duration::from_secs(2);

impl Identity {
    /// A token with which another device of the actor signs in, once, within two minutes.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn issue_login_token(&self, actor: &Actor) -> Result<LoginToken> {
        let token = random::token();
        let hash = secret::token_hash(&token);
        let expires_at = self.0.context.now() + LOGIN_TOKEN_LIFE;
        let actor = actor.clone();
        self.0
            .context
            .store
            .write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
                ops::keep_login_token(tx, &actor, &hash, expires_at).await
            })
            .await?;
        Ok(LoginToken { token, expires_at })
    }

    /// Signs in with a login token.
    ///
    /// # Errors
    /// [`IdentityError::UnknownToken`], [`IdentityError::Store`].
    pub async fn sign_in_with_login_token(
        &self,
        token: &str,
        device: DeviceRequest,
    ) -> Result<SignedInSession> {
        let now = self.0.context.now();
        let id = SessionId::new(now);
        let hash = secret::token_hash(token);
        let ending = self.0.ending.clone();
        let opened = self
            .0
            .context
            .store
            .write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
                let opened = ops::sign_in_with_login_token(tx, &hash, id, &device, now).await?;
                if let Some(opened) = &opened {
                    end_after_commit(tx, &ending, Some(opened.person.id), opened.ended.clone());
                }
                Ok::<_, IdentityError>(opened)
            })
            .await?;
        let opened = opened.ok_or(IdentityError::UnknownToken)?;
        self.end_by_answer(&opened.ended);
        self.give_tokens(opened, now)
    }

    /// The next access and refresh token for a refresh token. One that was used before ends its session: either
    /// now or then it was a thief who used it. Only one that was replaced a moment ago does not: it comes late.
    ///
    /// While nobody can write, it is a new access token with the same refresh token: an outage signs nobody out.
    ///
    /// # Errors
    /// [`IdentityError::UnknownToken`], [`IdentityError::Replaced`], [`IdentityError::Store`].
    pub async fn refresh(&self, refresh_token: &str) -> Result<SignedInSession> {
        let verified = self.0.tokens.verify_refresh_token(refresh_token);
        let (id, generation) = verified.ok_or(IdentityError::UnknownToken)?;
        let now = self.0.context.now();
        // A write that is not waited for any longer may still be done. Then the client has the pair before the
        // newest, of which nothing was used: that is good for the newest one. Or it is done when the client has a
        // newer one from another node: then it comes late, and does nothing.
        match timeout(ROTATION_WAIT, self.rotate(id, generation, now)).await {
            Err(_) | Ok(Err(IdentityError::Store(StoreError::Unavailable(_) | StoreError::Unknown(_)))) => {
                self.extend(id, generation, now).await
            }
            Ok(outcome) => outcome,
        }
    }

    async fn rotate(&self, id: SessionId, generation: u32, now: Time) -> Result<SignedInSession> {
        let ending = self.0.ending.clone();
        let outcome = self
            .0
            .context
            .store
            .write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
                let outcome = ops::refresh(tx, id, generation, now).await?;
                if let RefreshOutcome::Ended(ended) = &outcome {
                    end_after_commit(tx, &ending, None, ended.clone());
                    // Said here, because nobody may wait for the answer any more.
                    tx.after_commit(move || {
                        tracing::warn!(session = %id, "a refresh token was used twice; its session was ended");
                    });
                }
                Ok::<_, IdentityError>(outcome)
            })
            .await?;
        match outcome {
            RefreshOutcome::Refreshed(opened) => self.give_tokens(*opened, now),
            RefreshOutcome::Ended(ended) => {
                self.end_by_answer(&ended);
                Err(IdentityError::UnknownToken)
            }
            RefreshOutcome::Late => Err(IdentityError::Replaced),
            RefreshOutcome::Unknown => Err(IdentityError::UnknownToken),
        }
    }

    /// A new access token without a write, by what a standby knows of the session.
    ///
    /// The refresh token alone does not say whose it is, so nothing is given out unseen: without any database the
    /// client is told to wait (503), and keeps what it has.
    async fn extend(&self, id: SessionId, generation: u32, now: Time) -> Result<SignedInSession> {
        let unavailable = || StoreError::Unavailable("nobody can say whether the session lives".to_owned());
        let read = async move |tx: &mut Tx<'_>| ops::extend(tx, id, generation, now).await;
        let reading = self.0.context.store.read(read);
        let outcome = timeout(SESSION_READ_TIMEOUT, reading)
            .await
            .map_err(|_| unavailable())??;
        match outcome {
            ExtendOutcome::Extended(opened) => self.give_tokens(*opened, now),
            ExtendOutcome::Late => Err(IdentityError::Replaced),
            ExtendOutcome::Refused => Err(IdentityError::UnknownToken),
            // It was ended; or it is so new that the standby has not heard of it. A moment later somebody knows.
            ExtendOutcome::NotSeen => Err(unavailable().into()),
        }
    }

    /// Ends one of the actor's sessions.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchSession`], [`IdentityError::Store`].
    pub async fn end_session(&self, actor: &Actor, session: SessionId) -> Result<()> {
        let (actor, ending) = (actor.clone(), self.0.ending.clone());
        let ended = self
            .0
            .context
            .store
            .write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
                let ended = ops::end_session(tx, &actor, session).await?;
                end_after_commit(tx, &ending, Some(actor.person), ended.clone());
                Ok::<_, IdentityError>(ended)
            })
            .await?;
        self.end_by_answer(&ended);
        Ok(())
    }

    /// Ends the session the actor came in with.
    ///
    /// # Errors
    /// As [`Identity::end_session`].
    pub async fn sign_out(&self, actor: &Actor) -> Result<()> {
        self.end_session(actor, actor.session).await
    }

    /// Ends all sessions of the actor.
    ///
    /// # Errors
    /// [`IdentityError::Store`].
    pub async fn sign_out_all(&self, actor: &Actor) -> Result<()> {
        let (actor, ending) = (actor.clone(), self.0.ending.clone());
        let ended = self
            .0
            .context
            .store
            .write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
                let ended = ops::end_sessions(tx, &actor).await?;
                end_after_commit(tx, &ending, Some(actor.person), ended.clone());
                Ok::<_, IdentityError>(ended)
            })
            .await?;
        self.end_by_answer(&ended);
        Ok(())
    }
}
