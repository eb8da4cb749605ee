//! The answer of a sliding sync, as it is written out (MSC4186).

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::keys::DeviceNews;
use crate::model::Membership;

/// All that is new.
#[derive(Debug, Default, Serialize)]
pub(crate) struct SlidingAnswer {
    pub(super) pos: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) txn_id: Option<String>,
    pub(super) lists: BTreeMap<String, ListAnswer>,
    pub(super) rooms: BTreeMap<String, RoomAnswer>,
    pub(super) extensions: ExtensionsAnswer,
}

#[derive(Debug, Serialize)]
pub(super) struct ListAnswer {
    pub(super) count: usize,
}

/// What is new in a room.
#[derive(Debug, Default, Serialize)]
pub(super) struct RoomAnswer {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    /// `null` when it was taken away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) avatar: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) heroes: Option<Vec<Hero>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) initial: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_dm: bool,
    pub(super) membership: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) invite_state: Option<Vec<Box<RawValue>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) notification_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) highlight_count: Option<u32>,
    pub(super) required_state: Vec<Box<RawValue>>,
    pub(super) timeline: Vec<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) prev_batch: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) limited: bool,
    /// Whether the timeline reaches back behind what the client has.
    #[serde(
        rename = "unstable_expanded_timeline",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub(super) is_expanded: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) num_live: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) joined_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) invited_count: Option<u32>,
    pub(super) bump_stamp: i64,
}

impl RoomAnswer {
    /// The answer about a room to which the person stands so.
    pub(super) fn of(membership: Membership, bump_stamp: i64) -> Self {
        Self {
            membership: membership.as_str(),
            bump_stamp,
            ..Self::default()
        }
    }
}

/// Somebody who stands for a room without a name.
#[derive(Debug, Serialize)]
pub(super) struct Hero {
    pub(super) user_id: String,
    #[serde(rename = "displayname", skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(rename = "avatar_url", skip_serializing_if = "Option::is_none")]
    pub(super) avatar: Option<String>,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct ExtensionsAnswer {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) to_device: Option<InboxAnswer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) e2ee: Option<KeysAnswer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) account_data: Option<AccountDataAnswer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) receipts: Option<EphemeralAnswer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) typing: Option<EphemeralAnswer>,
}

#[derive(Debug, Serialize)]
pub(super) struct InboxAnswer {
    pub(super) next_batch: String,
    pub(super) events: Vec<Box<RawValue>>,
}

#[derive(Debug, Serialize)]
pub(super) struct KeysAnswer {
    #[serde(skip_serializing_if = "Option::is_none")]
    device_lists: Option<DeviceLists>,
    device_one_time_keys_count: BTreeMap<String, u32>,
    device_unused_fallback_key_types: Vec<String>,
}

#[derive(Debug, Serialize)]
struct DeviceLists {
    changed: Vec<String>,
    left: Vec<String>,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct AccountDataAnswer {
    pub(super) global: Vec<Box<RawValue>>,
    pub(super) rooms: BTreeMap<String, Vec<Box<RawValue>>>,
}

/// One event of each room.
#[derive(Debug, Default, Serialize)]
pub(super) struct EphemeralAnswer {
    pub(super) rooms: BTreeMap<String, Value>,
}

impl KeysAnswer {
    pub(super) fn of(news: DeviceNews) -> Self {
        let has_lists = !news.changed.is_empty() || !news.left.is_empty();
        Self {
            device_lists: has_lists.then_some(DeviceLists {
                changed: news.changed,
                left: news.left,
            }),
            device_one_time_keys_count: news.one_time_keys,
            device_unused_fallback_key_types: news.unused_fallbacks,
        }
    }
}

impl ExtensionsAnswer {
    /// Whether there is nothing that a client waits for. How many keys are left is told along, and not waited for.
    pub(super) fn is_empty(&self) -> bool {
        let has_messages = self
            .to_device
            .as_ref()
            .is_some_and(|inbox| !inbox.events.is_empty());
        let has_lists = self.e2ee.as_ref().is_some_and(|keys| keys.device_lists.is_some());
        let has_data = self
            .account_data
            .as_ref()
            .is_some_and(|data| !data.global.is_empty() || !data.rooms.is_empty());
        let has_rooms =
            |answer: &Option<EphemeralAnswer>| answer.as_ref().is_some_and(|one| !one.rooms.is_empty());
        !has_messages && !has_lists && !has_data && !has_rooms(&self.receipts) && !has_rooms(&self.typing)
    }
}
