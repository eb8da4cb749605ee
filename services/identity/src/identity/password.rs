//! Passwords: hashed and checked outside of transactions.

use haechi_base::{Actor, PersonId, SessionId};
use haechi_http::Caller;
use haechi_store::{Tx, WriteKey};

use super::{Identity, Result, end_after_commit, too_many};
use crate::model::{DeviceRequest, IdentityError, Password, PhoneNumber, SignedInSession};
use crate::{ops, secret, store};

/// A person who signs in with a password.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PasswordSubject {
    /// By user id.
    Person(PersonId),
    /// By number.
    Phone(PhoneNumber),
}

impl Identity {
    /// Signs in with a password. Tries are counted by caller and subject, before anyone is looked up: so the
    /// refusal does not tell who has signed up, and a stranger's tries do not lock the owner out.
    ///
    /// # Errors
    /// [`IdentityError::WrongPassword`] (also when there is no such person, or none with a password),
    /// [`IdentityError::TooMany`], [`IdentityError::TooBusy`], [`IdentityError::Store`].
    pub async fn sign_in_with_password(
        &self,
        subject: PasswordSubject,
        password: Password,
        device: DeviceRequest,
        caller: Caller,
    ) -> Result<SignedInSession> {
        self.count_caller(caller)?;
        let tried = (caller, subject.clone());
        too_many(self.0.password_sign_ins.check(&tried))?;
        let found = self
            .0
            .context
            .store
            .read(async move |tx: &mut Tx<'_>| {
                let person = match &subject {
                    PasswordSubject::Person(id) => ops::find_person(tx, *id).await?,
                    PasswordSubject::Phone(phone) => ops::find_by_phone(tx, phone).await?,
                };
                let Some(person) = person else {
                    return Ok::<_, IdentityError>(None);
                };
                let hash = store::password_hash(tx, person.id).await?.flatten();
                Ok(Some((person, hash)))
            })
            .await?;
        let Some((person, Some(hash))) = found else {
            // As long as a real try takes, so that the time does not tell who has signed up.
            self.hash(password).await?;
            return Err(IdentityError::WrongPassword);
        };
        if !self.is_password(password, hash).await? {
            return Err(IdentityError::WrongPassword);
        }
        let now = self.0.context.now();
        let id = SessionId::new(now);
        let ending = self.0.ending.clone();
        let opened = self
            .0
            .context
            .store
            .write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
                let opened = ops::open_session(tx, person.clone(), id, &device, now).await?;
                end_after_commit(tx, &ending, Some(opened.person.id), opened.ended.clone());
                Ok::<_, IdentityError>(opened)
            })
            .await?;
        self.end_by_answer(&opened.ended);
        self.give_tokens(opened, now)
    }

    /// Asks a signed-in person for their password once more, before something that a stolen token alone must not do.
    /// `subject` is whom the client says it belongs to. Tries are counted as those of signing in.
    ///
    /// # Errors
    /// As [`Identity::sign_in_with_password`]; also when the subject is somebody else.
    pub async fn confirm_password(
        &self,
        actor: &Actor,
        subject: Option<PasswordSubject>,
        password: Password,
        caller: Caller,
    ) -> Result<()> {
        let person = actor.person;
        self.count_caller(caller)?;
        too_many(
            self.0
                .password_sign_ins
                .check(&(caller, PasswordSubject::Person(person))),
        )?;
        let hash = self
            .0
            .context
            .store
            .read(async move |tx: &mut Tx<'_>| {
                let is_own = match &subject {
                    None => true,
                    Some(PasswordSubject::Person(id)) => *id == person,
                    Some(PasswordSubject::Phone(phone)) => ops::find_by_phone(tx, phone)
                        .await?
                        .is_some_and(|found| found.id == person),
                };
                let hash = store::password_hash(tx, person).await?.flatten();
                Ok::<_, IdentityError>(hash.filter(|_| is_own))
            })
            .await?
            .ok_or(IdentityError::WrongPassword)?;
        match self.is_password(password, hash).await? {
            true => Ok(()),
            false => Err(IdentityError::WrongPassword),
        }
    }

    async fn is_password(&self, password: Password, hash: String) -> Result<bool> {
        let verify = move || secret::verify_password(&password, &hash);
        self.0.hashing.run(verify).await
    }

    pub(super) async fn hash(&self, password: Password) -> Result<String> {
        let hash = move || secret::hash_password(&password);
        self.0.hashing.run(hash).await?
    }

    /// Gives the actor a password, or another one: then the one they have must be said.
    ///
    /// # Errors
    /// [`IdentityError::WrongPassword`], [`IdentityError::TooMany`], [`IdentityError::TooBusy`],
    /// [`IdentityError::NoSuchPerson`], [`IdentityError::Store`].
    pub async fn set_password(
        &self,
        actor: &Actor,
        password: Password,
        current: Option<Password>,
    ) -> Result<()> {
        let person = actor.person;
        let present = self
            .0
            .context
            .store
            .read(async move |tx: &mut Tx<'_>| store::password_hash(tx, person).await)
            .await?
            .ok_or(IdentityError::NoSuchPerson)?;
        if let Some(hash) = present {
            let current = current.ok_or(IdentityError::WrongPassword)?;
            too_many(self.0.password_changes.check(&person))?;
            if !self.is_password(current, hash).await? {
                return Err(IdentityError::WrongPassword);
            }
        }
        let hash = self.hash(password).await?;
        self.0
            .context
            .store
            .write_unkeyed(async move |tx: &mut Tx<'_>| store::set_password_hash(tx, person, &hash).await)
            .await?;
        Ok(())
    }
}
