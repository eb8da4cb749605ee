//! Sessions: more devices, refreshed tokens, sign-out.

use haechi_base::{Actor, SessionId, random};
use haechi_store::{Tx, WriteKey};

use super::{Identity, Result, end_after_commit};
use crate::model::{DeviceRequest, IdentityError, LOGIN_TOKEN_LIFE, LoginToken, SignedInSession};
use crate::ops::{self, RefreshOutcome};
use crate::secret;

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
        let cache = self.0.sessions.clone();
        let opened = self
            .0
            .context
            .store
            .write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
                let opened = ops::sign_in_with_login_token(tx, &hash, id, &device, now).await?;
                if let Some(opened) = &opened {
                    end_after_commit(tx, &cache, opened.ended.clone());
                }
                Ok::<_, IdentityError>(opened)
            })
            .await?;
        let opened = opened.ok_or(IdentityError::UnknownToken)?;
        self.end_by_answer(&opened.ended);
        self.give_tokens(opened, now)
    }

    /// The next access and refresh token for a refresh token. One that was used before ends its session: either
    /// now or then it was a thief who used it.
    ///
    /// # Errors
    /// [`IdentityError::UnknownToken`], [`IdentityError::Store`].
    pub async fn refresh(&self, refresh_token: &str) -> Result<SignedInSession> {
        let verified = self.0.tokens.verify_refresh_token(refresh_token);
        let (id, generation) = verified.ok_or(IdentityError::UnknownToken)?;
        let now = self.0.context.now();
        let cache = self.0.sessions.clone();
        let outcome = self
            .0
            .context
            .store
            .write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
                let outcome = ops::refresh(tx, id, generation, now).await?;
                if let RefreshOutcome::Ended(ended) = &outcome {
                    end_after_commit(tx, &cache, ended.clone());
                }
                Ok::<_, IdentityError>(outcome)
            })
            .await?;
        match outcome {
            RefreshOutcome::Refreshed(opened) => self.give_tokens(*opened, now),
            RefreshOutcome::Ended(ended) => {
                self.end_by_answer(&ended);
                tracing::warn!(session = %id, "a refresh token was used twice; its session was ended");
                Err(IdentityError::UnknownToken)
            }
            RefreshOutcome::Unknown => Err(IdentityError::UnknownToken),
        }
    }

    /// Ends one of the actor's sessions.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchSession`], [`IdentityError::Store`].
    pub async fn end_session(&self, actor: &Actor, session: SessionId) -> Result<()> {
        let (actor, cache) = (actor.clone(), self.0.sessions.clone());
        let ended = self
            .0
            .context
            .store
            .write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
                let ended = ops::end_session(tx, &actor, session).await?;
                end_after_commit(tx, &cache, ended.clone());
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
        let (actor, cache) = (actor.clone(), self.0.sessions.clone());
        let ended = self
            .0
            .context
            .store
            .write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
                let ended = ops::end_sessions(tx, &actor).await?;
                end_after_commit(tx, &cache, ended.clone());
                Ok::<_, IdentityError>(ended)
            })
            .await?;
        self.end_by_answer(&ended);
        Ok(())
    }
}
