//! Putting events into a room.

use haechi_base::{Actor, PersonId};

use super::Chat;
use super::stream::{Answer, Request, Wish};
use crate::model::{ChatError, Content, Draft, event_id_of_transaction, new_event_id};

impl Chat {
    /// Sends a message under the device's transaction id: the same id sends it once, and is answered alike.
    ///
    /// # Errors
    /// [`ChatError`]; then nothing was kept.
    pub(crate) async fn send_message(
        &self,
        actor: &Actor,
        room_id: String,
        kind: String,
        transaction_id: &str,
        content: Content,
    ) -> Result<String, ChatError> {
        if kind == "m.room.redaction" {
            return Err(ChatError::invalid(
                "take a message back by /redact, which names the message",
            ));
        }
        self.send_draft(actor, room_id, kind, transaction_id, content, None)
            .await
    }

    /// Says something of the actor's in a room, as [`Chat::send_message`] does: for the program itself.
    ///
    /// # Errors
    /// As [`Chat::send_message`].
    pub async fn say(
        &self,
        actor: &Actor,
        room_id: &str,
        transaction_id: &str,
        content: &serde_json::Value,
    ) -> Result<String, ChatError> {
        let content = Content::check(Content::of(content).as_str())?;
        self.send_message(
            actor,
            room_id.to_owned(),
            "m.room.message".to_owned(),
            transaction_id,
            content,
        )
        .await
    }

    /// Takes a message back.
    ///
    /// # Errors
    /// As [`Chat::send_message`], and [`ChatError::NotFound`].
    pub(crate) async fn redact(
        &self,
        actor: &Actor,
        room_id: String,
        target: String,
        transaction_id: &str,
        reason: Option<String>,
    ) -> Result<String, ChatError> {
        let mut content = serde_json::Map::new();
        content.insert("redacts".to_owned(), target.clone().into());
        if let Some(reason) = reason {
            content.insert("reason".to_owned(), reason.into());
        }
        let content = Content::check(Content::of(&content).as_str())?;
        let kind = "m.room.redaction".to_owned();
        self.send_draft(actor, room_id, kind, transaction_id, content, Some(target))
            .await
    }

    async fn send_draft(
        &self,
        actor: &Actor,
        room_id: String,
        kind: String,
        transaction_id: &str,
        content: Content,
        redacts: Option<String>,
    ) -> Result<String, ChatError> {
        let scope = redacts.as_deref().unwrap_or(&kind);
        let event_id = event_id_of_transaction(actor.person, &actor.device, &room_id, scope, transaction_id);
        let draft = Draft {
            event_id,
            sender: actor.person,
            kind,
            state_key: None,
            content,
            redacts,
            sent_as: Some(format!("{} {transaction_id}", actor.device)),
        };
        draft.check_names()?;
        self.put_events(actor.person, room_id, vec![draft]).await
    }

    /// Sets a part of a room's state. Memberships go by the same rules as through their own verbs.
    ///
    /// # Errors
    /// As [`Chat::send_message`].
    pub(crate) async fn set_state(
        &self,
        actor: &Actor,
        room_id: String,
        kind: &str,
        state_key: &str,
        content: Content,
    ) -> Result<String, ChatError> {
        let mut draft = Draft::state(new_event_id(), actor.person, kind, state_key, content);
        draft.check_names()?;
        if kind == "m.room.member" {
            // Nobody is asked in who is not here.
            let person = self.person(state_key)?;
            self.profile(person).await?;
            draft.content = self.vouched(actor, &room_id, person, draft.content).await?;
        }
        if kind == "m.room.canonical_alias" && state_key.is_empty() {
            self.refuse_bad_aliases(&room_id, &draft.content).await?;
        }
        self.put_events(actor.person, room_id, vec![draft]).await
    }

    pub(super) async fn put_events(
        &self,
        person: PersonId,
        room_id: String,
        drafts: Vec<Draft>,
    ) -> Result<String, ChatError> {
        let answer = self.submit(person, room_id, Wish::Events(drafts)).await?;
        Ok(answer.unwrap_or_default())
    }

    pub(crate) async fn submit(&self, person: PersonId, room_id: String, wish: Wish) -> Answer {
        let request = Request {
            room_id,
            person,
            now: self.now(),
            wish,
        };
        self.0.streams.submit(request).await
    }
}
