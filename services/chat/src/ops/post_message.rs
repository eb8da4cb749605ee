//! What other services call inside their own transaction: a payment and its message are kept together or not.

use haechi_base::{Actor, PersonId, Time};
use haechi_store::Tx;
use serde_json::Value;

use super::Chat;
use super::batch::MEMBERS_LISTED_MAX;
use crate::model::{
    ChatError, Content, Draft, Event, Membership, Room, authorise, event_id_of_message, stream_of,
};
use crate::store;

impl Chat {
    /// Posts a `m.room.message` of the actor inside the caller's transaction; returns the event's id.
    ///
    /// The event is kept without a position. Once the caller's transaction is committed the room's stream is
    /// woken and gives it its place, milliseconds later; only then does anybody see it. The same content at the
    /// same `now` is the same message, so a transaction that runs twice posts once.
    ///
    /// # Errors
    /// [`ChatError::Forbidden`] when the actor is not in the room or may not speak there, and
    /// [`ChatError::Store`].
    pub async fn post_message(
        &self,
        tx: &mut Tx<'_>,
        actor: &Actor,
        room_id: &str,
        content: &Value,
        now: Time,
    ) -> Result<String, ChatError> {
        let content = Content::check(Content::of(content).as_str())?;
        let draft = Draft {
            event_id: event_id_of_message(actor.person, room_id, content.as_str(), now),
            sender: actor.person,
            kind: "m.room.message".to_owned(),
            state_key: None,
            content,
            redacts: None,
            sent_as: None,
        };
        let room = load_room(tx, room_id, actor.person).await?;
        authorise(&room, &draft, self.server_name())?;
        let visible_to = room
            .rules
            .map_or("shared", |rules| rules.history_visibility.as_str());
        let event = Event {
            event_id: draft.event_id.clone(),
            room_id: room_id.to_owned(),
            position: 0,
            ordinal: 0,
            sender: draft.sender,
            kind: draft.kind,
            state_key: None,
            content: draft.content.as_str().to_owned(),
            sent_at: now,
            visible_to: visible_to.to_owned(),
            redacts: None,
            redacted_because: None,
            replaces: None,
            previous_content: None,
            sent_as: None,
            related: None,
            standing: None,
        };
        let stream = stream_of(room_id);
        store::events::insert_unplaced(tx, &event, stream).await?;
        let chat = self.clone();
        tx.after_commit(move || chat.0.streams.note_unplaced(stream));
        Ok(draft.event_id)
    }

    /// Who is in a room: the first 10,000, in the order they came.
    ///
    /// # Errors
    /// [`ChatError::Store`].
    pub async fn joined_members(&self, tx: &mut Tx<'_>, room_id: &str) -> Result<Vec<PersonId>, ChatError> {
        let people = store::memberships::of_room(tx, room_id, Membership::Join, MEMBERS_LISTED_MAX).await?;
        Ok(people)
    }

    /// Whether a person is in a room; nobody is in a room that is not there.
    ///
    /// # Errors
    /// [`ChatError::Store`].
    pub async fn is_joined(
        &self,
        tx: &mut Tx<'_>,
        room_id: &str,
        person: PersonId,
    ) -> Result<bool, ChatError> {
        let found = store::memberships::find_one(tx, person, room_id).await?;
        Ok(found.is_some_and(|found| found.member.membership == Membership::Join))
    }
}

/// A room with one of its people, for the rules to judge what they want to do.
pub(super) async fn load_room(tx: &mut Tx<'_>, room_id: &str, person: PersonId) -> Result<Room, ChatError> {
    let mut room = Room {
        rules: store::rooms::find(tx, &[room_id])
            .await?
            .pop()
            .map(|found| found.rules),
        ..Room::default()
    };
    if let Some(found) = store::memberships::find_one(tx, person, room_id).await? {
        room.members.insert(person, found.member);
    }
    Ok(room)
}
