//! What an event says of another one (client-server API, "Forming relationships between events").

use haechi_base::PersonId;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::limits::{NAME_BYTES_MAX, REACTION_BYTES_MAX};
use super::{ChatError, Draft, Event, Stream, event::notifies};

/// The relation of a reaction.
pub(crate) const ANNOTATION: &str = "m.annotation";
/// The relation of an edit.
pub(crate) const REPLACE: &str = "m.replace";
/// The relation of a message in a thread.
pub(crate) const THREAD: &str = "m.thread";
/// The relation of what names another event for a reason of its own: the answers of a poll.
pub(crate) const REFERENCE: &str = "m.reference";

/// The `m.relates_to` of an event, when it has a type. A mere reply has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Relation {
    /// Its type: `m.thread`.
    pub(crate) kind: String,
    /// The event that it is about.
    pub(crate) target: String,
    /// What a reaction says.
    key: Option<String>,
}

impl Relation {
    /// Reads the relation of a content; what is malformed relates to nothing.
    pub(crate) fn of(content: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Relating {
            #[serde(rename = "m.relates_to")]
            relates_to: Related,
        }
        #[derive(Deserialize)]
        struct Related {
            rel_type: String,
            event_id: String,
            key: Option<String>,
        }
        // Nearly all messages end here.
        if !content.contains("m.relates_to") {
            return None;
        }
        let related = serde_json::from_str::<Relating>(content).ok()?.relates_to;
        let is_plain = |name: &str| !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.contains('\0');
        (is_plain(&related.rel_type) && is_plain(&related.event_id)).then_some(Self {
            kind: related.rel_type,
            target: related.event_id,
            key: related.key,
        })
    }

    /// The relation of a message; state relates to nothing.
    pub(crate) fn of_draft(draft: &Draft) -> Option<Self> {
        draft
            .state_key
            .is_none()
            .then(|| Self::of(draft.content.as_str()))
            .flatten()
    }

    /// The relation of an event; state relates to nothing.
    pub(crate) fn of_event(event: &Event) -> Option<Self> {
        event
            .state_key
            .is_none()
            .then(|| Self::of(&event.content))
            .flatten()
    }

    pub(crate) fn is_thread(&self) -> bool {
        self.kind == THREAD
    }

    pub(crate) fn is_edit(&self) -> bool {
        self.kind == REPLACE
    }

    /// Whether readers of the target are told of it with the target. Reactions are asked for.
    pub(crate) fn is_bundled(&self) -> bool {
        matches!(self.kind.as_str(), REPLACE | THREAD | REFERENCE)
    }

    /// Allows the relation to the event it is about, or says why not.
    ///
    /// # Errors
    /// [`ChatError::InvalidParameter`].
    pub(crate) fn authorise(&self, room_id: &str, target: Option<&Event>) -> Result<(), ChatError> {
        let Some(target) = target.filter(|target| target.room_id == room_id) else {
            return Err(ChatError::invalid(
                "the event that this one relates to is not in this room",
            ));
        };
        if self.is_thread() && Self::of_event(target).is_some() {
            return Err(ChatError::invalid(
                "a thread cannot begin at an event that relates to another",
            ));
        }
        if self.kind == ANNOTATION {
            match self.key.as_deref() {
                None | Some("") => return Err(ChatError::invalid("a reaction needs a key")),
                Some(key) if key.len() > REACTION_BYTES_MAX => {
                    return Err(ChatError::invalid(format!(
                        "the key of a reaction has at most {REACTION_BYTES_MAX} bytes"
                    )));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Names the reaction: who reacts to what with which type of event and which key. `None` for other relations.
    /// The stream of its room comes first, so that streams look for theirs on pages of their own.
    pub(crate) fn reaction(&self, sender: PersonId, kind: &str, stream: Stream) -> Option<[u8; 32]> {
        let key = self.key.as_deref().filter(|_| self.kind == ANNOTATION)?;
        let mut hash = Sha256::new();
        hash.update(sender.uuid().as_bytes());
        for part in [self.target.as_str(), kind, key] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        let mut name: [u8; 32] = hash.finalize().into();
        if let Some(first) = name.first_mut() {
            *first = stream;
        }
        Some(name)
    }

    /// Whether this is an edit that stands (client-server API, "Validity of replacement events"): by the sender of
    /// the original, of its type, with something new, and the original is neither state nor an edit itself.
    pub(crate) fn is_edit_of(&self, draft: &Draft, target: &Event) -> bool {
        let has_something_new =
            draft.kind == "m.room.encrypted" || draft.content.as_str().contains("m.new_content");
        self.is_edit()
            && target.sender == draft.sender
            && target.kind == draft.kind
            && target.state_key.is_none()
            && has_something_new
            && Self::of_event(target).is_none_or(|of_target| !of_target.is_edit())
    }
}

/// Whether an event is among the unread messages of the room itself: what is said in a thread counts there, and an
/// edit tells nothing new.
pub(crate) fn counts_in_room(kind: &str, state_key: Option<&str>, content: &str) -> bool {
    notifies(kind, state_key)
        && Relation::of(content).is_none_or(|relation| !relation.is_thread() && !relation.is_edit())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_relation_is_read_and_nonsense_relates_to_nothing() {
        let of = Relation::of(r#"{"m.relates_to":{"rel_type":"m.annotation","event_id":"$a","key":"👍"}}"#);
        assert_eq!(of.unwrap().key.as_deref(), Some("👍"));
        let long = "x".repeat(300);
        for content in [
            r#"{"body":"m.relates_to"}"#.to_owned(),
            r#"{"m.relates_to":7}"#.to_owned(),
            r#"{"m.relates_to":{"m.in_reply_to":{"event_id":"$a"}}}"#.to_owned(),
            r#"{"m.relates_to":{"rel_type":"m.thread"}}"#.to_owned(),
            r#"{"m.relates_to":{"rel_type":"m.thread","event_id":"a\u0000b"}}"#.to_owned(),
            r#"{"m.relates_to":{"rel_type":1,"event_id":"$a"}}"#.to_owned(),
            format!(r#"{{"m.relates_to":{{"rel_type":"{long}","event_id":"$a"}}}}"#),
        ] {
            assert_eq!(Relation::of(&content), None, "{content}");
        }
    }

    #[test]
    fn what_is_said_in_threads_and_edits_do_not_count_in_the_room() {
        let counts = |content: &str| counts_in_room("m.room.message", None, content);
        assert!(counts("{}"));
        assert!(counts(r#"{"m.relates_to":{"m.in_reply_to":{"event_id":"$a"}}}"#));
        for kind in [THREAD, REPLACE] {
            let content = format!(r#"{{"m.relates_to":{{"rel_type":"{kind}","event_id":"$a"}}}}"#);
            assert!(!counts(&content), "{kind}");
        }
    }
}
