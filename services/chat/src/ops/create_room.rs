//! Making a room.

use std::collections::HashMap;
use std::sync::Arc;

use haechi_base::{Actor, PersonId};
use haechi_store::Tx;
use serde_json::{Map, Value};

use super::profile::{Profile, find_profiles};
use super::stream::{Founding, Wish};
use super::{AccountData, Chat, account_data};
use crate::model::limits::{INITIAL_STATE_MAX, INVITES_MAX};
use crate::model::{
    CanonicalAlias, ChatError, Content, InitialState, NewRoom, Preset, RoomVersion, alias_of_name,
    drafts_of_new_room, new_event_id,
};
use crate::store;

/// The wish for a room, as a client says it.
#[derive(Debug, Clone)]
pub(crate) struct RoomWish {
    pub(crate) version: RoomVersion,
    /// The local part of the alias it is to be found by.
    pub(crate) alias_name: Option<String>,
    /// Whether it is to stand in the directory.
    pub(crate) is_listed: bool,
    pub(crate) preset: Preset,
    pub(crate) creation_content: Map<String, Value>,
    pub(crate) power_levels: Map<String, Value>,
    pub(crate) initial_state: Vec<InitialState>,
    pub(crate) name: Option<String>,
    pub(crate) topic: Option<String>,
    pub(crate) is_direct: bool,
    pub(crate) invited: Vec<PersonId>,
}

/// Refuses state that is not handed in with the wish for a room.
fn refuse_unfit_state(state: &[InitialState], alias: Option<&str>) -> Result<(), ChatError> {
    for (kind, state_key, content) in state {
        if ["m.room.create", "m.room.member"].contains(&kind.as_str()) {
            return Err(ChatError::invalid(
                "a room's creation and memberships are not handed in; name who is invited",
            ));
        }
        if kind == "m.room.canonical_alias" && state_key.is_empty() {
            let told = CanonicalAlias::read(content)?;
            if let Some(bad) = told.all().find(|told| Some(*told) != alias) {
                return Err(ChatError::BadAlias(bad.to_owned()));
            }
        }
    }
    Ok(())
}

impl Chat {
    /// Makes a room with the actor in it; returns its id. All of its first events are there or none.
    ///
    /// # Errors
    /// [`ChatError`]; then there is no room.
    pub(crate) async fn create_room(&self, actor: &Actor, wish: RoomWish) -> Result<String, ChatError> {
        if wish.invited.len() > INVITES_MAX {
            return Err(ChatError::invalid(format!(
                "a room is made with at most {INVITES_MAX} invitations"
            )));
        }
        if wish.initial_state.len() > INITIAL_STATE_MAX {
            return Err(ChatError::invalid(format!(
                "a room is made with at most {INITIAL_STATE_MAX} events of state"
            )));
        }
        let alias_name = wish.alias_name.as_deref();
        let alias = alias_name
            .map(|name| alias_of_name(name, self.server_name()))
            .transpose()?;
        refuse_unfit_state(&wish.initial_state, alias.as_deref())?;
        self.0.rates.invite(actor.person, wish.invited.len())?;
        let profiles = self.profiles_with(actor.person, &wish.invited).await?;
        let profile_of = |person| {
            profiles
                .get(&person)
                .map(Profile::member_content)
                .unwrap_or_default()
        };
        let mut invited: Vec<_> = wish
            .invited
            .iter()
            .map(|person| (*person, profile_of(*person)))
            .collect();
        invited.retain(|(person, _)| *person != actor.person);
        invited.dedup_by_key(|(person, _)| *person);
        let is_listed = wish.is_listed;
        let is_successor = wish.creation_content.contains_key("predecessor");
        let room = NewRoom {
            version: wish.version,
            creator: actor.person,
            creator_profile: profile_of(actor.person),
            preset: wish.preset,
            creation_content: wish.creation_content,
            power_levels: wish.power_levels,
            initial_state: wish.initial_state,
            name: wish.name,
            topic: wish.topic,
            alias,
            is_direct: wish.is_direct,
            invited,
            invited_join: false,
        };
        let room_id = self.found_room(&room, is_listed).await?;
        if is_successor {
            self.carry_settings_over(actor.person, &room_id).await;
        }
        Ok(room_id)
    }

    /// Makes a room with its alias and its place in the directory; returns its id.
    async fn found_room(&self, room: &NewRoom, is_listed: bool) -> Result<String, ChatError> {
        let drafts = drafts_of_new_room(room, self.server_name(), new_event_id);
        for draft in &drafts {
            draft.check_names()?;
            Content::check(draft.content.as_str())?;
        }
        let first_id = drafts
            .first()
            .map(|draft| draft.event_id.as_str())
            .unwrap_or_default();
        let room_id = room.version.room_id(first_id, self.server_name());
        let wish = if room.alias.is_none() && !is_listed {
            Wish::NewRoom(drafts)
        } else {
            Wish::Found(Box::new(Founding {
                drafts,
                alias: room.alias.clone(),
                is_listed,
                replaces: None,
            }))
        };
        self.submit(room.creator, room_id.clone(), wish).await?;
        Ok(room_id)
    }

    /// Makes the room, or leaves it as it is when it is there already.
    pub(super) async fn make_room(&self, room_id: String, room: &NewRoom) -> Result<(), ChatError> {
        let drafts = drafts_of_new_room(room, self.server_name(), new_event_id);
        for draft in &drafts {
            draft.check_names()?;
            Content::check(draft.content.as_str())?;
        }
        self.submit(room.creator, room_id, Wish::NewRoom(drafts))
            .await
            .map(drop)
    }

    /// The profiles of the actor and of others, all of whom must be here.
    pub(super) async fn profiles_with(
        &self,
        actor: PersonId,
        others: &[PersonId],
    ) -> Result<HashMap<PersonId, Profile>, ChatError> {
        let mut people = others.to_vec();
        people.push(actor);
        people.sort_unstable();
        people.dedup();
        let count = people.len();
        let profiles = self
            .read(async move |tx: &mut Tx<'_>| find_profiles(tx, &people).await)
            .await?;
        let profiles: Vec<_> = profiles.into_iter().filter(|profile| !profile.has_gone).collect();
        if profiles.len() < count {
            return Err(ChatError::not_found("somebody you name is not on this server"));
        }
        Ok(profiles
            .into_iter()
            .map(|profile| (profile.person, profile))
            .collect())
    }

    /// Notes in a person's `m.direct` that a room is their direct chat with another, for clients that look there.
    pub(super) async fn note_direct(
        &self,
        person: PersonId,
        other: PersonId,
        room_id: &str,
    ) -> Result<(), ChatError> {
        let (hub, other, room_id) = (Arc::clone(&self.0.hub), self.user_id(other), room_id.to_owned());
        self.write(async move |tx: &mut Tx<'_>| {
            let found = store::account_data::find(tx, person, "", "m.direct").await?;
            let text = found.map_or_else(|| "{}".to_owned(), |entry| entry.content);
            // What cannot be read is somebody's own matter, and is left as it is.
            let Ok(mut direct) = serde_json::from_str::<HashMap<String, Vec<String>>>(&text) else {
                return Ok(());
            };
            let rooms = direct.entry(other.clone()).or_default();
            if rooms.contains(&room_id) {
                return Ok(());
            }
            rooms.push(room_id.clone());
            let entry = AccountData {
                person,
                room_id: String::new(),
                kind: "m.direct".to_owned(),
                content: Content::of(&direct),
            };
            account_data::keep(tx, entry, &hub).await
        })
        .await
    }
}
