//! People with a username instead of a phone number; and the end of an account.

use haechi_base::{PersonId, Role, SessionId, Time};
use haechi_store::Tx;

use super::{Opened, Result, open_session};
use crate::model::{DeviceRequest, DisplayName, IdentityError, Person, PhoneNumber, localpart};
use crate::store;

/// Somebody who signs up with a username; the session's id is given out when they are signed in at once.
#[derive(Debug, Clone)]
pub(crate) struct Newcomer {
    pub(crate) person: PersonId,
    pub(crate) password_hash: String,
    pub(crate) session: SessionId,
    pub(crate) device: Option<DeviceRequest>,
}

/// Adds a person who has no number.
///
/// # Errors
/// [`IdentityError::UsernameTaken`], [`IdentityError::Store`].
pub(crate) async fn add_newcomer(tx: &mut Tx<'_>, newcomer: &Newcomer, now: Time) -> Result<Option<Opened>> {
    if store::find_person(tx, newcomer.person).await?.is_some() {
        return Err(IdentityError::UsernameTaken);
    }
    let new = Person {
        id: newcomer.person,
        phone: PhoneNumber::of_username(newcomer.person),
        display_name: plain_name(newcomer.person)?,
        role: Role::Person,
        created_at: now,
    };
    let person = store::add_person(tx, &new).await?;
    store::set_password_hash(tx, person.id, &newcomer.password_hash).await?;
    match &newcomer.device {
        Some(device) => open_session(tx, person, newcomer.session, device, now)
            .await
            .map(Some),
        None => Ok(None),
    }
}

/// Takes away what a person signs in with and is known by; returns the sessions that ended.
pub(crate) async fn end_account(tx: &mut Tx<'_>, person: PersonId) -> Result<Vec<SessionId>> {
    store::find_person(tx, person)
        .await?
        .ok_or(IdentityError::NoSuchPerson)?;
    store::end_account(tx, person, &PhoneNumber::of_ended(person), &plain_name(person)?).await?;
    Ok(store::end_sessions(tx, person).await?)
}

/// What somebody is called who chose no name: as their user id has it.
fn plain_name(person: PersonId) -> Result<DisplayName> {
    localpart(person).parse()
}
