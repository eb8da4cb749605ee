//! Friends: whom a person keeps on their list. One-sided, as people know it from their messenger.

use std::collections::HashMap;

use haechi_base::{Actor, PersonId};
use haechi_store::Tx;

use super::Chat;
use super::profile::{Profile, find_profiles, of_identity};
use crate::model::ChatError;
use crate::model::limits::FRIENDS_MAX;
use crate::store;

/// A friend, as they are shown on the list.
pub(crate) type Friend = Profile;

impl Chat {
    /// Up to `limit` friends of the actor after the one named, in the order of their ids.
    ///
    /// # Errors
    /// [`ChatError::Store`].
    pub(crate) async fn friends(
        &self,
        actor: &Actor,
        after: Option<PersonId>,
        limit: u32,
    ) -> Result<Vec<Friend>, ChatError> {
        let person = actor.person;
        let after = after.unwrap_or_else(|| PersonId::from_uuid(haechi_base::uuid::Uuid::nil()));
        self.read(async move |tx: &mut Tx<'_>| {
            let people = store::friends::of_person(tx, person, after, limit).await?;
            let found = find_profiles(tx, &people).await?;
            let mut profiles: HashMap<_, _> = found
                .into_iter()
                .map(|profile| (profile.person, profile))
                .collect();
            Ok(people
                .iter()
                .filter_map(|person| profiles.remove(person))
                .collect())
        })
        .await
    }

    /// Puts a friend on the actor's list, by user id.
    ///
    /// # Errors
    /// [`ChatError::NotFound`], [`ChatError::InvalidParameter`] for oneself, [`ChatError::Store`].
    pub(crate) async fn add_friend(&self, actor: &Actor, friend: PersonId) -> Result<Friend, ChatError> {
        let (person, now) = (actor.person, self.now());
        if person == friend {
            return Err(ChatError::invalid("you cannot be on your own list of friends"));
        }
        self.write(async move |tx: &mut Tx<'_>| {
            let profile = find_profiles(tx, &[friend])
                .await?
                .pop()
                .ok_or_else(|| ChatError::not_found("there is no such person on this server"))?;
            if store::friends::count(tx, person).await? >= FRIENDS_MAX as u64 {
                return Err(ChatError::TooLarge(format!(
                    "a list holds at most {FRIENDS_MAX} friends"
                )));
            }
            store::friends::put(tx, person, friend, now).await?;
            Ok(profile)
        })
        .await
    }

    /// Puts a friend on the actor's list: for the program itself.
    ///
    /// # Errors
    /// As [`Chat::add_friend`].
    pub async fn befriend(&self, actor: &Actor, friend: PersonId) -> Result<(), ChatError> {
        self.add_friend(actor, friend).await.map(drop)
    }

    /// Puts a friend on the actor's list, by phone number.
    ///
    /// # Errors
    /// As [`Chat::add_friend`].
    pub(crate) async fn add_friend_by_phone(&self, actor: &Actor, phone: &str) -> Result<Friend, ChatError> {
        let phone = self.identity().parse_phone(phone).map_err(of_identity)?;
        let found = self
            .read(async move |tx: &mut Tx<'_>| {
                haechi_identity::ops::find_by_phone(tx, &phone)
                    .await
                    .map_err(of_identity)
            })
            .await?;
        let friend = found.ok_or_else(|| ChatError::not_found("nobody has signed up with this number"))?;
        self.add_friend(actor, friend.id).await
    }

    /// Takes a friend off the actor's list; one who was not on it is off it as well.
    ///
    /// # Errors
    /// [`ChatError::Store`].
    pub(crate) async fn remove_friend(&self, actor: &Actor, friend: PersonId) -> Result<(), ChatError> {
        let person = actor.person;
        self.write(async move |tx: &mut Tx<'_>| Ok(store::friends::remove(tx, person, friend).await?))
            .await
    }
}
