//! Names and pictures of people.

use haechi_base::{Actor, PersonId};
use haechi_identity::{DisplayName, IdentityError};
use haechi_store::Tx;
use serde_json::{Map, Value};

use super::Chat;
use crate::model::{ChatError, Content, Draft, Membership, membership, new_event_id};
use crate::store;

/// Most people that one search of the directory looks through.
const DIRECTORY_LOOKED_AT_MAX: u32 = 2_000;

/// A person as others see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Profile {
    pub(crate) person: PersonId,
    pub(crate) display_name: String,
    pub(crate) avatar_url: Option<String>,
    /// Whether they have ended their account.
    pub(crate) has_gone: bool,
}

impl Profile {
    /// What a membership says of the person (client-server API, `m.room.member`).
    pub(crate) fn member_content(&self) -> Map<String, Value> {
        let mut content = Map::new();
        content.insert("displayname".to_owned(), self.display_name.clone().into());
        if let Some(avatar_url) = &self.avatar_url {
            content.insert("avatar_url".to_owned(), avatar_url.clone().into());
        }
        content
    }
}

/// The profiles of those of these people who are here, or were.
pub(super) async fn find_profiles(tx: &mut Tx<'_>, people: &[PersonId]) -> Result<Vec<Profile>, ChatError> {
    let found = haechi_identity::ops::find_people(tx, people)
        .await
        .map_err(of_identity)?;
    let pictures = store::friends::pictures(tx, people).await?;
    let picture = |person| {
        pictures
            .iter()
            .find(|(owner, _)| *owner == person)
            .map(|(_, url)| url.clone())
    };
    let profiles = found.into_iter().map(|found| Profile {
        has_gone: found.is_ended(),
        person: found.id,
        display_name: found.display_name.as_str().to_owned(),
        avatar_url: picture(found.id),
    });
    Ok(profiles.collect())
}

/// Identity's errors in chat's words.
pub(super) fn of_identity(error: IdentityError) -> ChatError {
    match error {
        IdentityError::Store(error) => error.into(),
        IdentityError::NoSuchPerson => ChatError::not_found("there is no such person on this server"),
        IdentityError::NotAllowed => ChatError::forbidden(error.to_string()),
        other => ChatError::invalid(other.to_string()),
    }
}

impl Chat {
    /// The profile of a person.
    ///
    /// # Errors
    /// [`ChatError::NotFound`] and [`ChatError::Store`].
    pub(crate) async fn profile(&self, person: PersonId) -> Result<Profile, ChatError> {
        let found = self
            .read(async move |tx: &mut Tx<'_>| find_profiles(tx, &[person]).await)
            .await?;
        found
            .into_iter()
            .find(|profile| !profile.has_gone)
            .ok_or_else(|| ChatError::not_found("there is no such person on this server"))
    }

    /// Gives the actor another name, and tells it in all their rooms.
    ///
    /// # Errors
    /// [`ChatError::InvalidParameter`] for a name that cannot be shown, and [`ChatError::Store`].
    pub(crate) async fn set_display_name(&self, actor: &Actor, name: &str) -> Result<(), ChatError> {
        let name: DisplayName = name.parse().map_err(of_identity)?;
        let who = actor.clone();
        self.write(async move |tx: &mut Tx<'_>| {
            haechi_identity::ops::set_display_name(tx, &who, &name)
                .await
                .map(drop)
                .map_err(of_identity)
        })
        .await?;
        self.tell_profile(actor.person).await
    }

    /// Gives the actor another picture or none, and tells it in all their rooms.
    ///
    /// # Errors
    /// [`ChatError::InvalidParameter`] for what is no `mxc://` URI, and [`ChatError::Store`].
    pub(crate) async fn set_picture(
        &self,
        actor: &Actor,
        avatar_url: Option<String>,
    ) -> Result<(), ChatError> {
        let avatar_url = avatar_url.filter(|url| !url.is_empty());
        if let Some(url) = &avatar_url {
            let is_plain = url.len() <= 1_000 && url.bytes().all(|byte| byte.is_ascii_graphic());
            if !is_plain || !url.starts_with("mxc://") {
                return Err(ChatError::invalid(
                    "a picture is named by an mxc:// URI; upload it first",
                ));
            }
        }
        let person = actor.person;
        self.write(async move |tx: &mut Tx<'_>| {
            Ok(store::friends::put_picture(tx, person, avatar_url.as_deref()).await?)
        })
        .await?;
        self.tell_profile(person).await
    }

    /// Puts a person's name and picture, as they are now, into the rooms they are in. For whoever changes a name
    /// past chat: identity's own route.
    ///
    /// # Errors
    /// [`ChatError::Store`].
    pub async fn tell_profile(&self, person: PersonId) -> Result<(), ChatError> {
        let (profile, rooms) = self
            .read(async move |tx: &mut Tx<'_>| {
                let profile = find_profiles(tx, &[person]).await?.pop();
                Ok((
                    profile,
                    store::memberships::of_person(tx, person, Membership::Join).await?,
                ))
            })
            .await?;
        let Some(profile) = profile else { return Ok(()) };
        let content = Content::of(&membership("join", &profile.member_content(), false));
        let told = rooms.into_iter().map(|room| {
            let state_key = self.user_id(person);
            let draft = Draft::state(
                new_event_id(),
                person,
                "m.room.member",
                &state_key,
                content.clone(),
            );
            self.put_events(person, room.room_id, vec![draft])
        });
        for outcome in futures_util::future::join_all(told).await {
            match outcome {
                // They may have left the room, or been banned from it, in between.
                Err(ChatError::Forbidden(_)) | Ok(_) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// People whose name or user id holds `term`, among those the actor shares a room with; and whoever has it as
    /// their user id.
    ///
    /// # Errors
    /// [`ChatError::Store`].
    pub(crate) async fn search_people(
        &self,
        actor: &Actor,
        term: &str,
        limit: usize,
    ) -> Result<Vec<Profile>, ChatError> {
        let (person, term) = (actor.person, term.trim().to_lowercase());
        let named = self.person(&term).ok();
        let met = self
            .read(async move |tx: &mut Tx<'_>| {
                let mut people = store::memberships::people_met(tx, person, DIRECTORY_LOOKED_AT_MAX).await?;
                let nobody = PersonId::from_uuid(haechi_base::uuid::Uuid::nil());
                people.extend(store::friends::of_person(tx, person, nobody, DIRECTORY_LOOKED_AT_MAX).await?);
                people.extend(named);
                people.sort_unstable();
                people.dedup();
                find_profiles(tx, &people).await
            })
            .await?;
        let matching = met.into_iter().filter(|profile| {
            let is_named = profile.display_name.to_lowercase().contains(&term);
            let is_meant = || self.user_id(profile.person).contains(&term);
            profile.person != person && !profile.has_gone && (is_named || is_meant())
        });
        Ok(matching.take(limit).collect())
    }
}
