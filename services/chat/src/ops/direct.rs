//! The one chat of two people: found, made, or entered again.

use haechi_base::{Actor, PersonId};
use haechi_store::Tx;
use serde_json::Map;

use super::Chat;
use super::profile::Profile;
use crate::model::{
    ChatError, Content, Draft, Membership, NewRoom, Preset, RoomVersion, membership, new_event_id,
    new_room_id, pair_key,
};
use crate::store;

impl Chat {
    /// The room of the actor and another, both of whom are in it afterwards. Who left it is brought back: a
    /// chat of two comes back with the next word, as people know it from their messenger.
    ///
    /// # Errors
    /// [`ChatError::NotFound`], [`ChatError::InvalidParameter`] for a chat with oneself, [`ChatError::Store`].
    pub async fn open_direct(&self, actor: &Actor, other: PersonId) -> Result<String, ChatError> {
        let person = actor.person;
        if person == other {
            return Err(ChatError::invalid("a direct chat is with somebody else"));
        }
        let profiles = self.profiles_with(person, &[other]).await?;
        let profile_of = |person| {
            profiles
                .get(&person)
                .map(Profile::member_content)
                .unwrap_or_default()
        };
        let (pair, fresh) = (pair_key(person, other), new_room_id(self.server_name()));
        let (room_id, own, others) = self
            .write(async move |tx: &mut Tx<'_>| {
                let room_id = store::rooms::claim_direct(tx, &pair, &fresh).await?;
                let own = membership_in(tx, person, &room_id).await?;
                let others = membership_in(tx, other, &room_id).await?;
                // Nobody is left who could ask the other back in: they begin anew.
                if own.is_some_and(is_out) && others.is_some_and(is_out) {
                    store::rooms::replace_direct(tx, &pair, &fresh).await?;
                    return Ok((fresh.clone(), None, None));
                }
                Ok((room_id, own, others))
            })
            .await?;
        match (own, others) {
            (None, _) | (_, None) => {
                let room = direct_room(person, other, profile_of);
                self.make_room(room_id.clone(), &room).await?;
            }
            (Some(own), Some(others)) => {
                let who_is_out = [(person, other, own), (other, person, others)];
                for (missing, host, _) in who_is_out
                    .into_iter()
                    .filter(|(.., found)| *found != Membership::Join)
                {
                    let drafts = self.return_drafts(missing, host, &profile_of(missing));
                    self.put_events(host, room_id.clone(), drafts).await?;
                }
            }
        }
        self.note_direct(person, other, &room_id).await?;
        self.note_direct(other, person, &room_id).await?;
        Ok(room_id)
    }

    /// `host` asks `missing` in, who comes in at once.
    fn return_drafts(
        &self,
        missing: PersonId,
        host: PersonId,
        profile: &Map<String, serde_json::Value>,
    ) -> Vec<Draft> {
        let user = self.user_id(missing);
        let state = |sender, word, is_direct| {
            let content = Content::of(&membership(word, profile, is_direct));
            Draft::state(new_event_id(), sender, "m.room.member", &user, content)
        };
        vec![state(host, "invite", true), state(missing, "join", false)]
    }
}

fn direct_room(
    person: PersonId,
    other: PersonId,
    profile_of: impl Fn(PersonId) -> Map<String, serde_json::Value>,
) -> NewRoom {
    NewRoom {
        version: RoomVersion::default(),
        creator: person,
        creator_profile: profile_of(person),
        preset: Preset::TrustedPrivate,
        creation_content: Map::new(),
        power_levels: Map::new(),
        initial_state: Vec::new(),
        name: None,
        topic: None,
        alias: None,
        is_direct: true,
        invited: vec![(other, profile_of(other))],
        invited_join: true,
    }
}

async fn membership_in(
    tx: &mut Tx<'_>,
    person: PersonId,
    room_id: &str,
) -> Result<Option<Membership>, ChatError> {
    let found = store::memberships::find_one(tx, person, room_id).await?;
    Ok(found.map(|found| found.member.membership))
}

fn is_out(membership: Membership) -> bool {
    membership != Membership::Join
}
