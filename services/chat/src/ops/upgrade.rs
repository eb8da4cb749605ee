//! Upgrading a room: another takes its place, in one transaction with the word of it in the old one.

use haechi_base::{Actor, PersonId};
use haechi_store::Tx;
use serde_json::{Map, Value};

use super::Chat;
use super::post_message::load_room;
use super::profile::find_profiles;
use super::stream::{Founding, Wish};
use crate::model::limits::CARRIED_STATE_MAX;
use crate::model::{
    CARRIED, Carried, ChatError, Content, Draft, Membership, Room, RoomVersion, Successor, authorise,
    membership, new_event_id, quiet_levels, stream_of, tombstone, user_id,
};
use crate::store;

/// Ids that are drawn until one belongs to the stream of the old room: one in four does.
const IDS_DRAWN_MAX: usize = 1_000;

/// What is read of a room that is to be replaced.
struct Old {
    room: Room,
    profile: Map<String, Value>,
    creation: Map<String, Value>,
    state: Vec<Carried>,
    is_listed: bool,
}

impl Chat {
    /// Puts a new room of a version into the place of another; returns the new room's id.
    ///
    /// # Errors
    /// [`ChatError::Forbidden`] and [`ChatError::Store`]; then nothing has changed.
    pub(crate) async fn upgrade_room(
        &self,
        actor: &Actor,
        old_room_id: String,
        version: RoomVersion,
        more_creators: Vec<PersonId>,
    ) -> Result<String, ChatError> {
        let (person, server_name) = (actor.person, self.server_name().to_owned());
        let tombstone_id = new_event_id();
        let (room_id, first_id) = id_beside(&old_room_id, version, &server_name)?;
        let more_creators = self.present_creators(person, version, more_creators).await?;
        let read_id = old_room_id.clone();
        let replaced = self
            .read(async move |tx: &mut Tx<'_>| read_old(tx, &read_id, person, &server_name).await)
            .await?;
        let old_drafts = self.last_drafts(person, &replaced, &room_id, tombstone_id.clone())?;
        let Some(old_rules) = &replaced.room.rules else {
            return Err(ChatError::not_in_room());
        };
        let successor = Successor {
            version,
            person,
            profile: replaced.profile,
            more_creators,
            old_room_id: &old_room_id,
            old_rules,
            old_creation: replaced.creation,
            tombstone_id: &tombstone_id,
            state: replaced.state,
        };
        let mut first_id = Some(first_id);
        let drafts = successor.drafts(self.server_name(), || {
            first_id.take().unwrap_or_else(new_event_id)
        });
        let founding = Founding {
            drafts,
            alias: None,
            is_listed: replaced.is_listed,
            replaces: Some((old_room_id.clone(), old_drafts)),
        };
        self.submit(person, room_id.clone(), Wish::Found(Box::new(founding)))
            .await?;
        self.carry_settings_over(person, &room_id).await;
        Ok(room_id)
    }

    /// Who else is to count as the new room's maker, where that is known at all.
    async fn present_creators(
        &self,
        person: PersonId,
        version: RoomVersion,
        mut more: Vec<PersonId>,
    ) -> Result<Vec<PersonId>, ChatError> {
        if !version.privileges_creators() {
            return Ok(Vec::new());
        }
        more.sort_unstable();
        more.dedup();
        more.retain(|other| *other != person);
        self.profiles_with(person, &more).await?;
        Ok(more)
    }

    /// What is put into the old room: that it is replaced, and, where the actor may, that it is quiet from now on and
    /// tells no aliases any more.
    fn last_drafts(
        &self,
        person: PersonId,
        old: &Old,
        new_room_id: &str,
        tombstone_id: String,
    ) -> Result<Vec<Draft>, ChatError> {
        let draft =
            |event_id, kind: &str, content: Content| Draft::state(event_id, person, kind, "", content);
        let replaced = draft(
            tombstone_id,
            "m.room.tombstone",
            Content::of(&tombstone(new_room_id)),
        );
        authorise(&old.room, &replaced, self.server_name())?;
        let mut drafts = Vec::new();
        if old
            .state
            .iter()
            .any(|carried| carried.kind == "m.room.canonical_alias")
        {
            let empty = Content::of(&Map::new());
            drafts.push(draft(new_event_id(), "m.room.canonical_alias", empty));
        }
        let levels = old
            .room
            .rules
            .as_ref()
            .and_then(|rules| rules.power_levels.as_ref());
        if let Some(levels) = levels {
            let quiet = Content::of(&quiet_levels(levels));
            drafts.push(draft(new_event_id(), "m.room.power_levels", quiet));
        }
        drafts.retain(|draft| authorise(&old.room, draft, self.server_name()).is_ok());
        drafts.push(replaced);
        Ok(drafts)
    }
}

/// A new room's id in the same stream as another's, so that one transaction can write both; with the id of its first
/// event.
fn id_beside(
    old_room_id: &str,
    version: RoomVersion,
    server_name: &str,
) -> Result<(String, String), ChatError> {
    let drawn = (0..IDS_DRAWN_MAX).map(|_| {
        let first_id = new_event_id();
        (version.room_id(&first_id, server_name), first_id)
    });
    let stream = stream_of(old_room_id);
    let mut fitting = drawn.filter(|(room_id, _)| stream_of(room_id) == stream);
    fitting
        .next()
        .ok_or_else(|| ChatError::InvalidRoomState("no id was found for the new room; try again".to_owned()))
}

async fn read_old(
    tx: &mut Tx<'_>,
    room_id: &str,
    person: PersonId,
    server_name: &str,
) -> Result<Old, ChatError> {
    let room = load_room(tx, room_id, person).await?;
    let profile = find_profiles(tx, &[person]).await?.pop();
    let creation = store::state::current_one(tx, room_id, "m.room.create", "").await?;
    let creation = creation.and_then(|event| serde_json::from_str(&event.content).ok());
    let keys = CARRIED.map(|kind| (room_id.to_owned(), kind.to_owned(), String::new()));
    let mut events = store::state::current(tx, &keys).await?;
    for kind in ["m.space.child", "m.space.parent"] {
        events.extend(store::state::of_type(tx, room_id, kind).await?);
    }
    // What was taken back, or set to nothing, says nothing in the new room either.
    events.retain(|event| event.content != "{}");
    events.truncate(CARRIED_STATE_MAX);
    let mut state: Vec<Carried> = events
        .into_iter()
        .map(|event| Carried {
            kind: event.kind,
            state_key: event.state_key.unwrap_or_default(),
            content: event.content,
        })
        .collect();
    // Who is banned here does not come in there.
    let limit = u32::try_from(CARRIED_STATE_MAX).unwrap_or(u32::MAX);
    for banned in store::memberships::of_room(tx, room_id, Membership::Ban, limit).await? {
        let content = Content::of(&membership("ban", &Map::new(), false));
        state.push(Carried {
            kind: "m.room.member".to_owned(),
            state_key: user_id(banned, server_name),
            content: content.as_str().to_owned(),
        });
    }
    Ok(Old {
        room,
        profile: profile
            .map(|profile| profile.member_content())
            .unwrap_or_default(),
        creation: creation.unwrap_or_default(),
        state,
        is_listed: store::listing::is_listed(tx, room_id).await?,
    })
}
