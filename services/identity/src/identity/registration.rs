//! Signing up with a username and a password, where the operator offers it; another password; the end of an account.

use std::fmt;
use std::num::NonZeroU32;

use haechi_base::{Actor, PersonId, SessionId};
use haechi_http::Caller;
use haechi_store::{Tx, WriteKey};

use super::{Identity, Result, end_after_commit, too_many};
use crate::model::{DeviceRequest, IdentityError, Password, SignedInSession, Username};
use crate::ops::{self, Newcomer};
use crate::{secret, store};

/// Who may sign up with a username and a password.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Registration {
    /// Nobody: people sign up with their phone number.
    #[default]
    Closed,
    /// Who knows this token, which the operator hands out.
    Token(String),
    /// Everybody.
    Open,
}

impl fmt::Debug for Registration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Closed => "Closed",
            Self::Token(_) => "Token(hidden)",
            Self::Open => "Open",
        })
    }
}

/// How many people sign up from one address where this many codes are tried.
pub(super) fn accounts_of(tries: NonZeroU32) -> NonZeroU32 {
    NonZeroU32::new(tries.get() / 10).unwrap_or(NonZeroU32::MIN)
}

impl Identity {
    /// Who may sign up with a username.
    #[must_use]
    pub fn registration(&self) -> &Registration {
        &self.0.settings.registration
    }

    /// Whether this is the token that the operator hands out. Tries are counted by caller.
    ///
    /// # Errors
    /// [`IdentityError::RegistrationClosed`] where no token is asked for, [`IdentityError::TooMany`].
    pub fn is_registration_token(&self, token: &str, caller: Caller) -> Result<bool> {
        let Registration::Token(wanted) = self.registration() else {
            return Err(IdentityError::RegistrationClosed);
        };
        self.count_caller(caller)?;
        Ok(secret::is_equal(
            &secret::token_hash(token),
            &secret::token_hash(wanted),
        ))
    }

    /// Refuses a username that somebody has, or had. Questions are counted by caller.
    ///
    /// # Errors
    /// [`IdentityError::RegistrationClosed`], [`IdentityError::UsernameTaken`], [`IdentityError::TooMany`],
    /// [`IdentityError::Store`].
    pub async fn refuse_taken(&self, name: &Username, caller: Caller) -> Result<()> {
        if *self.registration() == Registration::Closed {
            return Err(IdentityError::RegistrationClosed);
        }
        self.count_caller(caller)?;
        let person = name.person();
        let find = async move |tx: &mut Tx<'_>| ops::find_person(tx, person).await;
        match self.0.context.store.read(find).await? {
            Some(_) => Err(IdentityError::UsernameTaken),
            None => Ok(()),
        }
    }

    /// Adds a person with a username, or with an id that is made up for who names none. Whether they may is for the
    /// caller to have asked.
    ///
    /// # Errors
    /// [`IdentityError::RegistrationClosed`], [`IdentityError::UsernameTaken`], [`IdentityError::TooMany`],
    /// [`IdentityError::TooBusy`], [`IdentityError::Store`].
    pub async fn register(
        &self,
        name: Option<Username>,
        password: Password,
        caller: Caller,
    ) -> Result<PersonId> {
        Ok(self.add(name, password, None, caller).await?.0)
    }

    /// The same, signed in on a device.
    ///
    /// # Errors
    /// As [`Identity::register`].
    pub async fn register_and_sign_in(
        &self,
        name: Option<Username>,
        password: Password,
        device: DeviceRequest,
        caller: Caller,
    ) -> Result<SignedInSession> {
        let (_, session) = self.add(name, password, Some(device), caller).await?;
        session.ok_or_else(|| IdentityError::Internal("a new person was not signed in".to_owned()))
    }

    async fn add(
        &self,
        name: Option<Username>,
        password: Password,
        device: Option<DeviceRequest>,
        caller: Caller,
    ) -> Result<(PersonId, Option<SignedInSession>)> {
        if *self.registration() == Registration::Closed {
            return Err(IdentityError::RegistrationClosed);
        }
        if let Some(limiter) = &self.0.registrations {
            too_many(limiter.check(&caller))?;
        }
        let now = self.0.context.now();
        let person = name.map_or_else(|| PersonId::new(now), |name| name.person());
        let newcomer = Newcomer {
            person,
            password_hash: self.hash(password).await?,
            session: SessionId::new(now),
            device,
        };
        let opened = self
            .0
            .context
            .store
            .write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
                ops::add_newcomer(tx, &newcomer, now).await
            })
            .await?;
        let session = opened.map(|opened| self.give_tokens(opened, now)).transpose()?;
        Ok((person, session))
    }

    /// Gives the actor another password, after they were asked for the present one; ends their other sessions too, when
    /// that is wanted.
    ///
    /// # Errors
    /// [`IdentityError::TooBusy`], [`IdentityError::Store`].
    pub async fn replace_password(&self, actor: &Actor, password: Password, ends_others: bool) -> Result<()> {
        let hash = self.hash(password).await?;
        let (actor, ending) = (actor.clone(), self.0.ending.clone());
        let ended = self
            .0
            .context
            .store
            .write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
                store::set_password_hash(tx, actor.person, &hash).await?;
                let ended = match ends_others {
                    true => store::end_other_sessions(tx, actor.person, actor.session).await?,
                    false => Vec::new(),
                };
                end_after_commit(tx, &ending, Some(actor.person), ended.clone());
                Ok::<_, IdentityError>(ended)
            })
            .await?;
        self.end_by_answer(&ended);
        Ok(())
    }

    /// Ends the actor's account for good: their sessions, password, name and number. The number is free for a new
    /// account; the user id is not.
    ///
    /// # Errors
    /// [`IdentityError::NoSuchPerson`], [`IdentityError::Store`].
    pub async fn end_account(&self, actor: &Actor) -> Result<()> {
        let (actor, ending) = (actor.clone(), self.0.ending.clone());
        let ended = self
            .0
            .context
            .store
            .write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
                let ended = ops::end_account(tx, actor.person).await?;
                end_after_commit(tx, &ending, Some(actor.person), ended.clone());
                Ok::<_, IdentityError>(ended)
            })
            .await?;
        self.end_by_answer(&ended);
        Ok(())
    }
}
