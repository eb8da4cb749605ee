//! Names by which rooms are found.

use haechi_base::{Actor, random};
use haechi_store::Tx;

use super::Chat;
use super::post_message::load_room;
use super::read_room::view;
use crate::model::limits::ALIASES_MAX;
use crate::model::{CanonicalAlias, ChatError, Content, Draft, Membership, authorise, check_alias};
use crate::store;
use crate::store::aliases::Alias;

/// What tells a room's aliases in its state; who may set it may also take others' aliases away.
const CANONICAL_ALIAS: &str = "m.room.canonical_alias";

impl Chat {
    /// Lets an alias point to a room that the actor is in.
    ///
    /// # Errors
    /// [`ChatError::AliasTaken`], [`ChatError::Forbidden`], [`ChatError::InvalidParameter`], [`ChatError::Store`].
    pub(crate) async fn put_alias(
        &self,
        actor: &Actor,
        alias: &str,
        room_id: String,
    ) -> Result<(), ChatError> {
        let alias = Alias {
            alias: check_alias(alias, self.server_name())?,
            room_id,
            creator: actor.person,
        };
        let (claim, now) = (random::name(), self.now());
        self.write(async move |tx: &mut Tx<'_>| {
            let room = load_room(tx, &alias.room_id, alias.creator).await?;
            if room.membership(alias.creator) != Membership::Join {
                return Err(ChatError::not_in_room());
            }
            if room.rules.as_ref().is_some_and(|rules| rules.is_shut) {
                return Err(ChatError::forbidden(
                    "this room was closed by the staff of this server",
                ));
            }
            if store::aliases::count(tx, &alias.room_id).await? >= ALIASES_MAX {
                return Err(ChatError::forbidden(format!(
                    "a room has at most {ALIASES_MAX} aliases"
                )));
            }
            if store::aliases::put(tx, &alias, &claim, now).await? {
                Ok(())
            } else {
                Err(ChatError::AliasTaken(alias.alias.clone()))
            }
        })
        .await
    }

    /// The aliases that point to a room, for who is in it or when everybody may read it.
    ///
    /// # Errors
    /// [`ChatError::Forbidden`] and [`ChatError::Store`].
    pub(crate) async fn aliases_of(&self, actor: &Actor, room_id: String) -> Result<Vec<String>, ChatError> {
        let person = actor.person;
        self.read(async move |tx: &mut Tx<'_>| {
            if view(tx, person, &room_id).await?.until != i64::MAX {
                return Err(ChatError::not_in_room());
            }
            let found = store::aliases::of_room(tx, &room_id, ALIASES_MAX).await?;
            Ok(found.into_iter().map(|alias| alias.alias).collect())
        })
        .await
    }

    /// Takes an alias away: by who made it, or who may tell the room's aliases. A room that tells it tells it no
    /// longer.
    ///
    /// # Errors
    /// [`ChatError::NotFound`], [`ChatError::Forbidden`] and [`ChatError::Store`].
    pub(crate) async fn remove_alias(&self, actor: &Actor, alias: &str) -> Result<(), ChatError> {
        let not_found = || ChatError::not_found("no room has this alias");
        let alias = check_alias(alias, self.server_name()).map_err(|_| not_found())?;
        let (person, server_name) = (actor.person, self.server_name().to_owned());
        let (told, name) = (alias.clone(), alias);
        let found = self
            .write(async move |tx: &mut Tx<'_>| {
                let found = store::aliases::find_one(tx, &name).await?.ok_or_else(not_found)?;
                if found.creator != person {
                    let room = load_room(tx, &found.room_id, person).await?;
                    let telling = telling(person, Content::of(&serde_json::Map::new()));
                    authorise(&room, &telling, &server_name)?;
                }
                store::aliases::remove(tx, &name).await?;
                let told = store::state::current_one(tx, &found.room_id, CANONICAL_ALIAS, "").await?;
                Ok((found.room_id, told))
            })
            .await;
        let (room_id, event) = found?;
        let content = event.map(|event| Content::of_stored(event.content));
        let Some(rest) = content.and_then(|content| CanonicalAlias::without(&content, &told)) else {
            return Ok(());
        };
        match self.set_state(actor, room_id, CANONICAL_ALIAS, "", rest).await {
            // Who made an alias may take it away, also where they may not tell it.
            Err(ChatError::Forbidden(_) | ChatError::BadAlias(_)) | Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Refuses to tell aliases that do not point to the room. Those that were told before may stay.
    ///
    /// # Errors
    /// [`ChatError::BadAlias`], [`ChatError::InvalidParameter`] and [`ChatError::Store`].
    pub(super) async fn refuse_bad_aliases(&self, room_id: &str, content: &Content) -> Result<(), ChatError> {
        let told = CanonicalAlias::read(content)?;
        if told.all().count() > ALIASES_MAX as usize {
            return Err(ChatError::invalid(format!(
                "a room tells at most {ALIASES_MAX} aliases"
            )));
        }
        let room_id = room_id.to_owned();
        self.read(async move |tx: &mut Tx<'_>| {
            let before = store::state::current_one(tx, &room_id, CANONICAL_ALIAS, "").await?;
            let before = before.map(|event| Content::of_stored(event.content));
            let before = before
                .and_then(|content| CanonicalAlias::read(&content).ok())
                .unwrap_or_default();
            let fresh: Vec<&str> = told
                .all()
                .filter(|told| !before.all().any(|before| before == *told))
                .collect();
            let found = store::aliases::find(tx, &fresh).await?;
            for alias in fresh {
                let points_here = |found: &Alias| found.alias == alias && found.room_id == room_id;
                if !found.iter().any(points_here) {
                    return Err(ChatError::BadAlias(alias.to_owned()));
                }
            }
            Ok(())
        })
        .await
    }
}

/// The event by which a person would tell a room's aliases, for the rules to judge.
pub(super) fn telling(person: haechi_base::PersonId, content: Content) -> Draft {
    Draft::state(String::new(), person, CANONICAL_ALIAS, "", content)
}
