//! The end of an account: out of all rooms, off the directory, and then no way in again.

use haechi_base::Actor;
use haechi_identity::Person;
use haechi_store::Tx;

use super::profile::of_identity;
use super::{Chat, MembershipChange};
use crate::model::{ChatError, Membership};
use crate::store;

impl Chat {
    /// The actor as identity knows them.
    ///
    /// # Errors
    /// [`ChatError::NotFound`] and [`ChatError::Store`].
    pub(crate) async fn known_person(&self, actor: &Actor) -> Result<Person, ChatError> {
        let person = actor.person;
        let found = self
            .read(async move |tx: &mut Tx<'_>| {
                haechi_identity::ops::find_person(tx, person)
                    .await
                    .map_err(of_identity)
            })
            .await?;
        found.ok_or_else(|| ChatError::not_found("there is no such person on this server"))
    }

    /// Ends the actor's account. What they said stays where they said it. Their sign-in ends last, so that who is told of
    /// a failure can ask again.
    ///
    /// # Errors
    /// [`ChatError`]; then some of it may be done, and asking again does the rest.
    pub(crate) async fn end_account(&self, actor: &Actor) -> Result<(), ChatError> {
        let person = actor.person;
        let rooms = self
            .read(async move |tx: &mut Tx<'_>| {
                let mut rooms = Vec::new();
                for stands in [Membership::Join, Membership::Invite, Membership::Knock] {
                    rooms.extend(store::memberships::of_person(tx, person, stands).await?);
                }
                Ok(rooms)
            })
            .await?;
        for room in rooms {
            let left = self.change_membership(actor, room.room_id, person, MembershipChange::Leave, None);
            match left.await {
                // They may have been put out of it meanwhile.
                Ok(()) | Err(ChatError::Forbidden(_)) => {}
                Err(error) => return Err(error),
            }
        }
        self.write(async move |tx: &mut Tx<'_>| {
            store::findable::remove(tx, person).await?;
            store::friends::put_picture(tx, person, None).await?;
            for (name, _) in store::profile_fields::of_person(tx, person).await? {
                store::profile_fields::remove(tx, person, &name).await?;
            }
            Ok(())
        })
        .await?;
        self.identity().end_account(actor).await.map_err(of_identity)?;
        self.forget_ended(person).await
    }
}
