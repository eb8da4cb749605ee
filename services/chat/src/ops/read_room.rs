//! What a person may read of a room.

use haechi_base::PersonId;
use haechi_store::Tx;

use crate::model::{ChatError, Event, IGNORED_USER_LIST, Ignored, Member, Membership, Reader};
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
}

impl View {
    /// The view of a member, or of who was one and may read up to where they left.
    ///
    /// # Errors
    /// [`ChatError::Forbidden`] for all others.
    pub(super) fn of(found: Option<&FoundMember>) -> Result<Self, ChatError> {
        let found = found.ok_or_else(ChatError::not_in_room)?;
        let until = match found.member.membership {
            Membership::Join => i64::MAX,
            Membership::Leave | Membership::Ban => found.member.left_at.ok_or_else(ChatError::not_in_room)?,
            Membership::Invite => return Err(ChatError::not_in_room()),
        };
        Ok(Self {
            member: found.member,
            ignored: Ignored::default(),
            until,
        })
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
        by_visibility && event.position <= self.until && !self.ignored.hides(event)
    }
}

/// The view of a person, from the store.
pub(super) async fn view(tx: &mut Tx<'_>, person: PersonId, room_id: &str) -> Result<View, ChatError> {
    let view = View::of(store::memberships::find_one(tx, person, room_id).await?.as_ref())?;
    Ok(view.ignoring(&ignored_by(tx, person).await?))
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

    /// The memberships of the room, as events.
    ///
    /// # Errors
    /// [`ChatError::Forbidden`] and [`ChatError::Store`].
    pub(crate) async fn member_events(
        &self,
        person: PersonId,
        room_id: String,
    ) -> Result<Vec<Event>, ChatError> {
        self.read(async move |tx: &mut Tx<'_>| {
            let view = view(tx, person, &room_id).await?;
            let mut events = store::state::of_type(tx, &room_id, "m.room.member").await?;
            events.retain(|event| event.position <= view.until);
            Ok(events)
        })
        .await
    }
}
