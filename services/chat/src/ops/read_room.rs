//! What a person may read of a room.

use haechi_base::PersonId;
use haechi_store::Tx;

use crate::model::limits::MEMBERS_STEPS_MAX;
use crate::model::{
    ChatError, Content, Event, HistoryVisibility, IGNORED_USER_LIST, Ignored, Member, Membership, Place,
    Reader, membership_of, stream_of,
};
use crate::store;
use crate::store::memberships::FoundMember;

use super::Chat;

/// Changes of a membership that are followed back, to tell how somebody stood to a room.
const STANDINGS_MAX: usize = 50;

/// How far into a room somebody may look.
#[derive(Debug, Clone)]
pub(super) struct View {
    member: Member,
    /// The event that made them what they are to the room; none for who never was in it.
    membership_id: Option<String>,
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
            membership_id: Some(found.event_id.clone()),
            ignored: Ignored::default(),
            until,
            stayed_until: until,
        })
    }

    /// The view of somebody who is not in a room that everybody may read, with what they saw while they were.
    fn of_world(stay: Option<&Self>) -> Self {
        Self {
            member: stay.map_or(STRANGER, |stay| stay.member),
            membership_id: stay.and_then(|stay| stay.membership_id.clone()),
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

    /// Notes on each event how the reader stood to the room when it was said (client-server API, `UnsignedData`).
    pub(super) async fn note_standing(&self, tx: &mut Tx<'_>, events: &mut [Event]) -> Result<(), ChatError> {
        let joined_from = match self.member.membership {
            Membership::Join => self.member.joined_from,
            _ => None,
        };
        let mut earlier = Vec::new();
        for event in events {
            match joined_from {
                Some(joined_from) if event.position >= joined_from => event.standing = Some(Membership::Join),
                _ => earlier.push(event),
            }
        }
        if earlier.is_empty() {
            return Ok(());
        }
        let oldest = earlier.iter().map(|event| event.position).min().unwrap_or(0);
        let (changes, is_whole) = self.changes_until(tx, oldest).await?;
        for event in earlier {
            let then = changes.iter().find(|(position, _)| *position <= event.position);
            let before = is_whole.then_some(Membership::Leave);
            event.standing = then.map(|(_, membership)| *membership).or(before);
        }
        Ok(())
    }

    /// The changes of the reader's membership, the last one first, back to the one in force at a position; and whether
    /// they are all there are.
    async fn changes_until(
        &self,
        tx: &mut Tx<'_>,
        oldest: i64,
    ) -> Result<(Vec<(i64, Membership)>, bool), ChatError> {
        let (mut changes, mut next) = (Vec::new(), self.membership_id.clone());
        while let Some(event_id) = next {
            if changes.len() == STANDINGS_MAX {
                return Ok((changes, false));
            }
            let Some(event) = store::events::find(tx, &[&event_id]).await?.pop() else {
                return Ok((changes, false));
            };
            let content = Content::of_stored(event.content);
            changes.push((event.position, membership_of(&content)?));
            next = event.replaces.filter(|_| event.position > oldest);
        }
        Ok((changes, true))
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
///
/// # Errors
/// [`ChatError::InvalidParameter`] when something was set so often since that it is too far to go.
async fn step_back(tx: &mut Tx<'_>, state: Vec<Event>, until: i64) -> Result<Vec<Event>, ChatError> {
    let (found, is_whole) = walk_back(tx, state, until).await?;
    if is_whole {
        return Ok(found);
    }
    Err(ChatError::invalid(
        "too much has changed since that moment; ask for a later one",
    ))
}

/// The same, without what was set too often since.
pub(super) async fn state_at(
    tx: &mut Tx<'_>,
    state: Vec<Event>,
    until: i64,
) -> Result<Vec<Event>, ChatError> {
    walk_back(tx, state, until).await.map(|(found, _)| found)
}

async fn walk_back(tx: &mut Tx<'_>, state: Vec<Event>, until: i64) -> Result<(Vec<Event>, bool), ChatError> {
    let (mut found, mut later): (Vec<Event>, Vec<Event>) =
        state.into_iter().partition(|event| event.position <= until);
    for _ in 0..MEMBERS_STEPS_MAX {
        let before: Vec<&str> = later
            .iter()
            .filter_map(|event| event.replaces.as_deref())
            .collect();
        if before.is_empty() {
            return Ok((found, true));
        }
        let (earlier, still_later): (Vec<Event>, Vec<Event>) = store::events::find(tx, &before)
            .await?
            .into_iter()
            .partition(|event| event.position <= until);
        found.extend(earlier);
        later = still_later;
    }
    Ok((found, false))
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

    /// The room's state; for who has left it, as it was then.
    ///
    /// # Errors
    /// [`ChatError::Forbidden`] and [`ChatError::Store`].
    pub(crate) async fn state(&self, person: PersonId, room_id: String) -> Result<Vec<Event>, ChatError> {
        self.read(async move |tx: &mut Tx<'_>| {
            let view = view(tx, person, &room_id).await?;
            let state = store::state::of_room(tx, &room_id, 0, i64::MAX, true).await?;
            state_at(tx, state, view.until).await
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
            let mut then = state_at(tx, event.into_iter().collect(), view.until).await?;
            then.pop()
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
            let events = store::state::of_type(tx, &room_id, "m.room.member").await?;
            match at {
                Some(at) => step_back(tx, events, at.0.min(view.until)).await,
                None => state_at(tx, events, view.until).await,
            }
        })
        .await
    }
}
