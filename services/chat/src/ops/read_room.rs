//! What a person may read of a room.

use haechi_base::PersonId;
use haechi_store::Tx;

use crate::model::limits::MEMBERS_STEPS_MAX;
use crate::model::{
    ChatError, Event, HistoryVisibility, IGNORED_USER_LIST, Ignored, Member, Membership, Place, Reader,
    stream_of,
};
use crate::store;
use crate::store::memberships::FoundMember;

use super::Chat;

/// How far into a room somebody may look.
#[derive(Debug, Clone)]
pub(super) struct View {
    member: Member,
    /// Whose messages are kept from them, by their own wish.
    ignored: Ignored,
    /// The last position they may read: where they left, or no end.
    pub(super) until: i64,
    /// The last position of their own stay; beyond it they read what everybody may.
    stayed_until: i64,
}

/// Somebody who never was in the room.
const STRANGER: Member = Member {
    membership: Membership::Leave,
    joined_from: None,
    invited_from: None,
    left_at: None,
};

impl View {
    /// The view of a member, or of who was one and may read up to where they left.
    ///
    /// # Errors
    /// [`ChatError::Forbidden`] for all others.
    pub(super) fn of(found: Option<&FoundMember>) -> Result<Self, ChatError> {
        let found = found.ok_or_else(ChatError::not_in_room)?;
        let until = match found.member.membership {
            Membership::Join => i64::MAX,
            Membership::Leave | Membership::Ban | Membership::Knock => {
                found.member.left_at.ok_or_else(ChatError::not_in_room)?
            }
            Membership::Invite => return Err(ChatError::not_in_room()),
        };
        Ok(Self {
            member: found.member,
            ignored: Ignored::default(),
            until,
            stayed_until: until,
        })
    }

    /// The view of somebody who is not in a room that everybody may read, with what they saw while they were.
    fn of_world(stay: Option<&Self>) -> Self {
        Self {
            member: stay.map_or(STRANGER, |stay| stay.member),
            ignored: Ignored::default(),
            until: i64::MAX,
            stayed_until: stay.map_or(0, |stay| stay.until),
        }
    }

    /// The same, without what these people say.
    pub(super) fn ignoring(mut self, ignored: &Ignored) -> Self {
        self.ignored = ignored.clone();
        self
    }

    /// Whether the event may be read: by the visibility the room had when it was said.
    pub(super) fn shows(&self, event: &Event) -> bool {
        let since = |from: Option<i64>| from.is_some_and(|from| event.position >= from);
        let by_visibility = match event.visible_to.as_str() {
            "joined" => since(self.member.joined_from),
            "invited" => since(self.member.joined_from) || since(self.member.invited_from),
            _ => true,
        };
        let in_stay = by_visibility && event.position <= self.stayed_until;
        let by_world = event.visible_to == "world_readable" && event.position <= self.until;
        (in_stay || by_world) && !self.ignored.hides(event)
    }
}

/// Takes state back to a position: what was set later is followed to what it replaced.
async fn step_back(tx: &mut Tx<'_>, state: Vec<Event>, until: i64) -> Result<Vec<Event>, ChatError> {
    let (mut found, mut later): (Vec<Event>, Vec<Event>) =
        state.into_iter().partition(|event| event.position <= until);
    for _ in 0..MEMBERS_STEPS_MAX {
        let before: Vec<&str> = later
            .iter()
            .filter_map(|event| event.replaces.as_deref())
            .collect();
        if before.is_empty() {
            return Ok(found);
        }
        let (earlier, still_later): (Vec<Event>, Vec<Event>) = store::events::find(tx, &before)
            .await?
            .into_iter()
            .partition(|event| event.position <= until);
        found.extend(earlier);
        later = still_later;
    }
    Err(ChatError::invalid(
        "too much has changed since that moment; ask for a later one",
    ))
}

/// The view of a person, from the store. Who is not in a room reads it all the same when everybody may.
pub(super) async fn view(tx: &mut Tx<'_>, person: PersonId, room_id: &str) -> Result<View, ChatError> {
    let ignored = ignored_by(tx, person).await?;
    let stay = View::of(store::memberships::find_one(tx, person, room_id).await?.as_ref());
    let view = if stay.as_ref().is_ok_and(|view| view.until == i64::MAX) {
        stay?
    } else {
        let found = store::rooms::find(tx, &[room_id]).await?.pop();
        let is_open = found.is_some_and(|room| {
            room.rules.history_visibility == HistoryVisibility::WorldReadable && !room.rules.is_shut
        });
        if is_open {
            View::of_world(stay.as_ref().ok())
        } else {
            stay?
        }
    };
    Ok(view.ignoring(&ignored))
}

/// Whom a person ignores.
pub(super) async fn ignored_by(tx: &mut Tx<'_>, person: PersonId) -> Result<Ignored, ChatError> {
    let list = store::account_data::find(tx, person, "", IGNORED_USER_LIST).await?;
    Ok(list.map_or_else(Ignored::default, |list| Ignored::of(&list.content)))
}

impl Chat {
    pub(crate) fn reader<'r>(&'r self, person: PersonId, device: &'r str) -> Reader<'r> {
        Reader {
            person,
            device,
            server_name: self.server_name(),
            now: self.now(),
        }
    }

    /// One event.
    ///
    /// # Errors
    /// [`ChatError::NotFound`] also when it may not be read, and [`ChatError::Store`].
    pub(crate) async fn event(
        &self,
        person: PersonId,
        room_id: String,
        event_id: String,
    ) -> Result<Event, ChatError> {
        let not_found = || ChatError::not_found("there is no such event in this room");
        let chat = self.clone();
        self.read(async move |tx: &mut Tx<'_>| {
            let view = view(tx, person, &room_id).await.map_err(|_| not_found())?;
            let event = store::events::find(tx, &[&event_id]).await?.pop();
            let mut event = event
                .filter(|event| event.room_id == room_id && view.shows(event))
                .ok_or_else(not_found)?;
            chat.bundle(tx, person, &view, std::slice::from_mut(&mut event))
                .await?;
            Ok(event)
        })
        .await
    }

    /// The room's state; for who has left it, as it is now but for what was set since.
    ///
    /// # Errors
    /// [`ChatError::Forbidden`] and [`ChatError::Store`].
    pub(crate) async fn state(&self, person: PersonId, room_id: String) -> Result<Vec<Event>, ChatError> {
        self.read(async move |tx: &mut Tx<'_>| {
            let view = view(tx, person, &room_id).await?;
            Ok(store::state::of_room(tx, &room_id, 0, view.until, true).await?)
        })
        .await
    }

    /// One part of the room's state.
    ///
    /// # Errors
    /// [`ChatError::Forbidden`], [`ChatError::NotFound`] and [`ChatError::Store`].
    pub(crate) async fn state_event(
        &self,
        person: PersonId,
        room_id: String,
        kind: String,
        state_key: String,
    ) -> Result<Event, ChatError> {
        self.read(async move |tx: &mut Tx<'_>| {
            let view = view(tx, person, &room_id).await?;
            let event = store::state::current_one(tx, &room_id, &kind, &state_key).await?;
            event
                .filter(|event| event.position <= view.until)
                .ok_or_else(|| ChatError::not_found("this part of the state was never set"))
        })
        .await
    }

    /// The memberships of the room, as events; as they were at a moment, when a token names one.
    ///
    /// # Errors
    /// [`ChatError::Forbidden`], [`ChatError::InvalidParameter`] for a foreign token or one from long ago, and
    /// [`ChatError::Store`].
    pub(crate) async fn member_events(
        &self,
        person: PersonId,
        room_id: String,
        at: Option<&str>,
    ) -> Result<Vec<Event>, ChatError> {
        let at = at.map(|at| Place::read(at, stream_of(&room_id))).transpose()?;
        self.read(async move |tx: &mut Tx<'_>| {
            let view = view(tx, person, &room_id).await?;
            let mut events = store::state::of_type(tx, &room_id, "m.room.member").await?;
            match at {
                Some(at) => step_back(tx, events, at.0.min(view.until)).await,
                None => {
                    events.retain(|event| event.position <= view.until);
                    Ok(events)
                }
            }
        })
        .await
    }
}
