//! Events: as they are drafted, as they are kept, and as clients read them.

use haechi_base::{PersonId, Time};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{ChatError, Content, Membership, ids::user_id, limits::NAME_BYTES_MAX, relation::counts_in_room};

/// An event that wants to be put into a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Draft {
    /// Its id, chosen before the transaction so that a repetition has the same one.
    pub(crate) event_id: String,
    /// Who says it.
    pub(crate) sender: PersonId,
    /// Its type: `m.room.message`.
    pub(crate) kind: String,
    /// What part of the room's state it sets, for a state event.
    pub(crate) state_key: Option<String>,
    /// What it says.
    pub(crate) content: Content,
    /// The event that it takes back, for a redaction.
    pub(crate) redacts: Option<String>,
    /// Device and transaction id it was sent under, a space between (no device id holds one).
    pub(crate) sent_as: Option<String>,
}

impl Draft {
    /// A state event.
    pub(crate) fn state(
        event_id: String,
        sender: PersonId,
        kind: &str,
        state_key: &str,
        content: Content,
    ) -> Self {
        Self {
            event_id,
            sender,
            kind: kind.to_owned(),
            state_key: Some(state_key.to_owned()),
            content,
            redacts: None,
            sent_as: None,
        }
    }

    /// Whether the message counts as unread in the room for the others: what the default push rules notify of.
    pub(crate) fn counts(&self) -> bool {
        counts_in_room(&self.kind, self.state_key.as_deref(), self.content.as_str())
    }

    /// Refuses names that the specification or the store cannot take.
    ///
    /// # Errors
    /// [`ChatError::TooLarge`] and [`ChatError::InvalidParameter`].
    pub(crate) fn check_names(&self) -> Result<(), ChatError> {
        let names = [
            ("event type", self.kind.as_str()),
            ("state key", self.state_key.as_deref().unwrap_or_default()),
            ("transaction id", self.sent_as.as_deref().unwrap_or_default()),
        ];
        for (what, name) in names {
            if name.len() > NAME_BYTES_MAX * if what == "transaction id" { 2 } else { 1 } {
                return Err(ChatError::TooLarge(format!(
                    "the {what} has more than {NAME_BYTES_MAX} bytes"
                )));
            }
            if name.contains('\0') {
                return Err(ChatError::invalid(format!("the {what} holds a NUL character")));
            }
        }
        if self.kind.is_empty() {
            return Err(ChatError::invalid("the event type is empty"));
        }
        Ok(())
    }
}

/// Whether an event of this type is a message that people want to know of.
pub(crate) fn notifies(kind: &str, state_key: Option<&str>) -> bool {
    state_key.is_none()
        && matches!(
            kind,
            "m.room.message" | "m.room.encrypted" | "m.sticker" | "m.poll.start"
        )
}

/// An event as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) event_id: String,
    pub(crate) room_id: String,
    pub(crate) position: i64,
    pub(crate) ordinal: i64,
    pub(crate) sender: PersonId,
    pub(crate) kind: String,
    pub(crate) state_key: Option<String>,
    pub(crate) content: String,
    pub(crate) sent_at: Time,
    pub(crate) visible_to: String,
    pub(crate) redacts: Option<String>,
    /// The redaction, as clients read it, for an event that was taken back.
    pub(crate) redacted_because: Option<String>,
    /// The state event that this one replaced, and what it said.
    pub(crate) replaces: Option<String>,
    pub(crate) previous_content: Option<String>,
    pub(crate) sent_as: Option<String>,
    /// What is told of the events that relate to this one, as JSON: empty until it was looked up, `None` when there
    /// is nothing to look up.
    pub(crate) related: Option<String>,
    /// How its reader stood to the room when it was said: none until it was looked up.
    pub(crate) standing: Option<Membership>,
}

/// Who reads an event: the answer tells their device which of its own messages this is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'r> {
    pub(crate) person: PersonId,
    pub(crate) device: &'r str,
    pub(crate) server_name: &'r str,
    pub(crate) now: Time,
}

impl Event {
    /// Whether the message counts as unread in the room for the others.
    pub(crate) fn counts(&self) -> bool {
        counts_in_room(&self.kind, self.state_key.as_deref(), &self.content)
    }

    /// The event in the form clients read (client-server API, "Room event format"), with the room's id or, in a
    /// sync, without it.
    pub(crate) fn for_client(&self, reader: Reader<'_>, with_room_id: bool) -> Box<RawValue> {
        let mut text = String::with_capacity(self.content.len() + 384);
        text.push_str("{\"content\":");
        text.push_str(&self.content);
        let sender = user_id(self.sender, reader.server_name);
        push_text(&mut text, "event_id", &self.event_id);
        push_number(&mut text, "origin_server_ts", self.sent_at.millis());
        push_text(&mut text, "sender", &sender);
        push_text(&mut text, "type", &self.kind);
        if let Some(state_key) = &self.state_key {
            push_text(&mut text, "state_key", state_key);
        }
        if let Some(redacts) = &self.redacts {
            push_text(&mut text, "redacts", redacts);
        }
        if with_room_id {
            push_text(&mut text, "room_id", &self.room_id);
        }
        self.push_unsigned(&mut text, reader);
        text.push('}');
        raw_json(text)
    }

    /// The part that the server adds for this reader (client-server API, `UnsignedData`).
    fn push_unsigned(&self, text: &mut String, reader: Reader<'_>) {
        let age = reader.now.millis().saturating_sub(self.sent_at.millis());
        text.push_str(",\"unsigned\":{\"age\":");
        text.push_str(&age.max(0).to_string());
        if let Some(standing) = self.standing {
            push_text(text, "membership", standing.as_str());
        }
        if self.sender == reader.person
            && let Some((device, transaction_id)) = self
                .sent_as
                .as_deref()
                .and_then(|sent_as| sent_as.split_once(' '))
            && device == reader.device
        {
            push_text(text, "transaction_id", transaction_id);
        }
        if let Some(replaces) = &self.replaces {
            push_text(text, "replaces_state", replaces);
        }
        if let Some(previous) = &self.previous_content {
            text.push_str(",\"prev_content\":");
            text.push_str(previous);
        }
        if let Some(because) = &self.redacted_because {
            text.push_str(",\"redacted_because\":");
            text.push_str(because);
        }
        if let Some(related) = self.related.as_deref().filter(|related| !related.is_empty()) {
            text.push_str(",\"m.relations\":");
            text.push_str(related);
        }
        text.push('}');
    }

    /// The event as it is shown to somebody outside the room (client-server API, "Stripped state").
    pub(crate) fn stripped(&self, server_name: &str) -> Box<RawValue> {
        let mut text = String::with_capacity(self.content.len() + 128);
        text.push_str("{\"content\":");
        text.push_str(&self.content);
        push_text(&mut text, "sender", &user_id(self.sender, server_name));
        push_text(
            &mut text,
            "state_key",
            self.state_key.as_deref().unwrap_or_default(),
        );
        push_text(&mut text, "type", &self.kind);
        text.push('}');
        raw_json(text)
    }
}

fn push_text(text: &mut String, name: &str, value: &str) {
    text.push_str(",\"");
    text.push_str(name);
    text.push_str("\":");
    // Plain names need no escaping; everything else goes through the JSON writer.
    if value
        .bytes()
        .all(|byte| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\')
    {
        text.push('"');
        text.push_str(value);
        text.push('"');
    } else {
        text.push_str(&serde_json::Value::from(value).to_string());
    }
}

fn push_number(text: &mut String, name: &str, value: i64) {
    text.push_str(",\"");
    text.push_str(name);
    text.push_str("\":");
    text.push_str(&value.to_string());
}

/// Wraps JSON that this program wrote, or that was checked when it came in.
pub(crate) fn raw_json(text: String) -> Box<RawValue> {
    RawValue::from_string(text).unwrap_or_else(|error| {
        tracing::error!(%error, "an event in the store is no JSON");
        RawValue::NULL.to_owned()
    })
}
