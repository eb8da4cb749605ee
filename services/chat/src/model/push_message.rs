//! What a push says: to a Matrix push gateway (push gateway API, `notify`), and to a browser.

use ruma::push::{Action, Tweak};
use serde_json::{Map, Value, json};

use super::limits::PUSHED_TEXT_CHARACTERS_MAX;
use super::{Content, Destination, KeptPusher, Verdict};

/// Longest name of a room or person in a push to a browser, in characters.
const NAME_CHARACTERS_MAX: usize = 100;

/// An event as it is pushed, to whomever.
#[derive(Debug, Clone)]
pub(crate) struct Notice {
    pub(crate) event_id: String,
    pub(crate) room_id: String,
    pub(crate) kind: String,
    pub(crate) sender: String,
    pub(crate) sender_name: String,
    /// What the room is called, or who is in it.
    pub(crate) room_name: Option<String>,
    /// Whose membership it is about.
    pub(crate) target: Option<String>,
    /// What it says; nothing where people trust that only they read it.
    pub(crate) content: Option<String>,
}

/// What one person is pushed of an event.
#[derive(Debug, Clone)]
pub(crate) struct Told<'t> {
    pub(crate) notice: &'t Notice,
    /// The person.
    pub(crate) user_id: &'t str,
    pub(crate) verdict: &'t Verdict,
    /// Unread messages everywhere.
    pub(crate) unread: u32,
}

impl Told<'_> {
    /// Whether it is worth to wake a device for it at once.
    pub(crate) fn is_urgent(&self) -> bool {
        self.verdict.highlights || self.tweaks().contains_key("sound")
    }

    /// The notification for a gateway that hands it on to a device.
    pub(crate) fn for_gateway(&self, pusher: &KeptPusher, destination: &Destination) -> Value {
        let notice = self.notice;
        let mut data = destination.data.clone();
        if destination.by_id_only {
            data.insert("format".to_owned(), "event_id_only".into());
        }
        let mut notification = json!({
            "event_id": notice.event_id,
            "room_id": notice.room_id,
            "prio": if self.is_urgent() { "high" } else { "low" },
            "counts": { "unread": self.unread },
            "devices": [{
                "app_id": pusher.name.app_id,
                "pushkey": pusher.name.push_key,
                "pushkey_ts": pusher.created_at.seconds(),
                "data": data,
                "tweaks": self.tweaks(),
            }],
        });
        if !destination.by_id_only {
            notification["type"] = notice.kind.as_str().into();
            notification["sender"] = notice.sender.as_str().into();
            notification["sender_display_name"] = notice.sender_name.as_str().into();
            if let Some(name) = &notice.room_name {
                notification["room_name"] = name.as_str().into();
            }
            if let Some(content) = &notice.content {
                notification["content"] = serde_json::from_str(content).unwrap_or_default();
            }
            if let Some(target) = &notice.target {
                notification["user_is_target"] = (target == self.user_id).into();
            }
        }
        json!({ "notification": notification })
    }

    /// What our own web app is told: short enough for every push service.
    pub(crate) fn for_browser(&self) -> Value {
        let notice = self.notice;
        let name = |text: &str| shortened(text, NAME_CHARACTERS_MAX);
        json!({
            "event_id": notice.event_id,
            "room_id": notice.room_id,
            "type": name(&notice.kind),
            "room_name": notice.room_name.as_deref().map(name),
            "sender": notice.sender,
            "sender_name": name(&notice.sender_name),
            "text": self.text(),
            "highlight": self.verdict.highlights,
            "unread": self.unread,
        })
    }

    fn text(&self) -> Option<String> {
        #[derive(serde::Deserialize)]
        struct Said {
            body: String,
        }
        let content = Content::of_stored(self.notice.content.clone()?);
        let said: Said = content.read()?;
        Some(shortened(&said.body, PUSHED_TEXT_CHARACTERS_MAX))
    }

    fn tweaks(&self) -> Map<String, Value> {
        let tweaks = self.verdict.actions.iter().filter_map(|action| match action {
            Action::SetTweak(tweak) => Some(tweak),
            _ => None,
        });
        tweaks
            .map(|tweak| {
                let value = match tweak {
                    Tweak::Highlight(_) => Value::Bool(self.verdict.highlights),
                    Tweak::Sound(sound) => sound.as_str().into(),
                    other => other
                        .value()
                        .and_then(|value| serde_json::from_str(value.get()).ok())
                        .unwrap_or_default(),
                };
                (tweak.set_tweak().to_owned(), value)
            })
            .collect()
    }
}

fn shortened(text: &str, characters_max: usize) -> String {
    match text.char_indices().nth(characters_max) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
