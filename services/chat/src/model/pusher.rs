//! Pushers: where a person's devices want to be told (client-server API, "Pushers").

use haechi_base::{PersonId, SessionId, Time};
use ruma::api::client::push::{Pusher, PusherKind};
use ruma::push::PushFormat;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ChatError;
use super::limits::{NAME_BYTES_MAX, PUSHER_DATA_BYTES_MAX};

/// The app id of pushers that are browsers' own push subscriptions: they are told straight by this server.
pub(crate) const WEB_APP_ID: &str = "org.haechi.web";

/// Longest app id and push key, in bytes (client-server API, "Pushers").
const APP_ID_BYTES_MAX: usize = 64;
const PUSH_KEY_BYTES_MAX: usize = 512;

/// What tells a pusher from all others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct PusherName {
    pub(crate) person: PersonId,
    pub(crate) app_id: String,
    pub(crate) push_key: String,
}

/// A pusher as it is kept.
#[derive(Debug, Clone)]
pub(crate) struct KeptPusher {
    pub(crate) name: PusherName,
    /// The sign-in it was set with: it ends with that.
    pub(crate) session: SessionId,
    /// It as clients read it, as JSON.
    pub(crate) definition: String,
    pub(crate) created_at: Time,
}

/// Where and how a pusher is told.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Destination {
    pub(crate) url: String,
    /// Whether the event is told by its id alone.
    pub(crate) by_id_only: bool,
    /// All else that the client wants handed on.
    pub(crate) data: Map<String, Value>,
}

impl KeptPusher {
    /// Where it is told; `None` for what cannot be read.
    pub(crate) fn destination(&self) -> Option<Destination> {
        let pusher: Pusher = serde_json::from_str(&self.definition).ok()?;
        destination(&pusher).ok()
    }

    /// Whether it is a browser's own subscription.
    pub(crate) fn is_web(&self) -> bool {
        self.name.app_id == WEB_APP_ID
    }
}

/// Checks a pusher that a client sets, and says where it is told.
///
/// # Errors
/// [`ChatError::InvalidParameter`] and [`ChatError::TooLarge`].
pub(crate) fn check_pusher(pusher: &Pusher) -> Result<Destination, ChatError> {
    check_pusher_ids(&pusher.ids.app_id, &pusher.ids.pushkey)?;
    let texts = [
        pusher.app_display_name.as_str(),
        pusher.device_display_name.as_str(),
        pusher.profile_tag.as_deref().unwrap_or_default(),
        pusher.lang.as_str(),
    ];
    if texts
        .iter()
        .any(|text| text.len() > NAME_BYTES_MAX || text.contains('\0'))
    {
        return Err(ChatError::TooLarge(format!(
            "a text of a pusher has at most {NAME_BYTES_MAX} bytes, and no NUL among them"
        )));
    }
    let destination = destination(pusher)?;
    let data_bytes = serde_json::to_string(&destination.data).map_or(usize::MAX, |text| text.len());
    if data_bytes > PUSHER_DATA_BYTES_MAX || destination.url.len() > PUSHER_DATA_BYTES_MAX {
        return Err(ChatError::TooLarge(format!(
            "the data of a pusher has at most {PUSHER_DATA_BYTES_MAX} bytes"
        )));
    }
    Ok(destination)
}

/// Checks what tells a pusher from others.
///
/// # Errors
/// [`ChatError::InvalidParameter`].
pub(crate) fn check_pusher_ids(app_id: &str, push_key: &str) -> Result<(), ChatError> {
    for (what, text, bytes_max) in [
        ("app_id", app_id, APP_ID_BYTES_MAX),
        ("pushkey", push_key, PUSH_KEY_BYTES_MAX),
    ] {
        if text.is_empty() || text.len() > bytes_max || text.contains('\0') {
            return Err(ChatError::invalid(format!(
                "{what} has 1 to {bytes_max} bytes, and no NUL among them"
            )));
        }
    }
    Ok(())
}

fn destination(pusher: &Pusher) -> Result<Destination, ChatError> {
    let PusherKind::Http(http) = &pusher.kind else {
        return Err(ChatError::invalid("pushers here are of the kind http"));
    };
    let by_id_only = match &http.format {
        None => false,
        Some(PushFormat::EventIdOnly) => true,
        Some(_) => {
            return Err(ChatError::invalid(
                "the format of a pusher is event_id_only or left out",
            ));
        }
    };
    let data: Map<String, Value> = http
        .data
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    Ok(Destination {
        url: http.url.clone(),
        by_id_only,
        data,
    })
}
