//! How far people have read, and who is typing.

use std::time::Duration;

use haechi_base::{Actor, PersonId};
use haechi_store::Tx;
use serde_json::json;

use super::stream::Wish;
use super::typing::{TYPING, TypingHint};
use super::{AccountData, Chat};
use crate::model::limits::TYPING_MAX;
use crate::model::{ChatError, Content};

/// Who is told how far somebody has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReceiptKind {
    /// All in the room.
    Public,
    /// Only the person's own devices.
    Private,
}

impl ReceiptKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "m.read",
            Self::Private => "m.read.private",
        }
    }
}

impl Chat {
    /// Notes that the actor has read a room up to an event.
    ///
    /// # Errors
    /// [`ChatError::Forbidden`], [`ChatError::NotFound`] and [`ChatError::Store`].
    pub(crate) async fn put_receipt(
        &self,
        actor: &Actor,
        room_id: String,
        kind: ReceiptKind,
        thread: String,
        event_id: String,
    ) -> Result<(), ChatError> {
        let is_thread = thread.is_empty() || thread == "main" || thread.starts_with('$');
        if !is_thread || thread.len() > 255 || thread.contains('\0') {
            return Err(ChatError::invalid("the thread is malformed"));
        }
        let wish = Wish::Receipt {
            kind: kind.as_str().to_owned(),
            thread,
            event_id,
        };
        self.submit(actor.person, room_id, wish).await.map(drop)
    }

    /// Keeps the place where the actor stopped reading (`m.fully_read`).
    ///
    /// # Errors
    /// As [`Chat::put_receipt`].
    pub(crate) async fn put_read_marker(
        &self,
        actor: &Actor,
        room_id: String,
        event_id: String,
    ) -> Result<(), ChatError> {
        self.refuse_outsider(room_id.clone(), actor.person).await?;
        let entry = AccountData {
            person: actor.person,
            room_id,
            kind: "m.fully_read".to_owned(),
            content: Content::of(&json!({ "event_id": event_id })),
        };
        self.put_account_data(entry).await
    }

    /// Tells the room that the actor types, for `duration` at the most, or has stopped.
    ///
    /// # Errors
    /// [`ChatError::Forbidden`] and [`ChatError::Store`].
    pub(crate) async fn set_typing(
        &self,
        actor: &Actor,
        room_id: String,
        duration: Option<Duration>,
    ) -> Result<(), ChatError> {
        self.refuse_outsider(room_id.clone(), actor.person).await?;
        let duration = duration.map(|duration| duration.min(TYPING_MAX));
        let (typing, person) = (&self.0.typing, actor.person);
        self.note_typing(room_id.clone(), person, duration);
        let hint = TypingHint {
            room_id,
            person,
            duration_ms: duration.and_then(|duration| u64::try_from(duration.as_millis()).ok()),
            serial: typing.serial(),
        };
        self.0.context.cluster.publish(TYPING, &hint);
        Ok(())
    }

    /// Hears from other nodes who types there.
    pub(super) fn listen_for_typing(&self) {
        let chat = self.clone();
        self.0.context.cluster.subscribe(TYPING, move |hint: TypingHint| {
            chat.0.typing.reach(hint.serial, chat.now());
            let duration = hint.duration_ms.map(Duration::from_millis);
            let duration = duration.map(|duration| duration.min(TYPING_MAX));
            chat.note_typing(hint.room_id, hint.person, duration);
        });
    }

    fn note_typing(&self, room_id: String, person: PersonId, duration: Option<Duration>) {
        let now = self.now();
        let until = duration.map(|duration| now + duration);
        if self.0.typing.set(&room_id, person, until, now) {
            self.0.hub.wake_room(&room_id);
        }
        if let Some(duration) = duration {
            let chat = self.clone();
            tokio::spawn(async move {
                tokio::time::sleep(duration + Duration::from_millis(5)).await;
                if chat.0.typing.expire(&room_id, chat.now()) {
                    chat.0.hub.wake_room(&room_id);
                }
            });
        }
    }

    /// Refuses who is not in a room.
    ///
    /// # Errors
    /// [`ChatError::Forbidden`] and [`ChatError::Store`].
    pub(crate) async fn refuse_outsider(&self, room_id: String, person: PersonId) -> Result<(), ChatError> {
        let chat = self.clone();
        let is_in = self
            .read(async move |tx: &mut Tx<'_>| chat.is_joined(tx, &room_id, person).await)
            .await?;
        if is_in {
            Ok(())
        } else {
            Err(ChatError::not_in_room())
        }
    }
}
