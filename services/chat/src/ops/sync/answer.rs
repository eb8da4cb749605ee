//! The answer of a sync, as it is written out (client-server API, `GET /sync`).
//!
//! Written here rather than with the types of ruma: those leave out empty parts that stock clients insist on.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use super::super::keys::DeviceNews;
use super::super::unread::Count;
use crate::model::{PEOPLE, SyncToken};
use crate::store;

/// All that is new.
#[derive(Debug, Serialize)]
pub(crate) struct SyncAnswer {
    next_batch: String,
    /// The same, for who waits.
    #[serde(skip)]
    pub(super) reached: SyncToken,
    pub(super) account_data: Events,
    pub(super) rooms: Rooms,
    pub(super) presence: Events,
    to_device: Events,
    device_lists: DeviceLists,
    pub(super) device_one_time_keys_count: BTreeMap<String, u32>,
    pub(super) device_unused_fallback_key_types: Vec<String>,
    /// Whether messages to the device are still kept that its token proves to have come.
    #[serde(skip)]
    pub(super) has_received: bool,
    /// Whether the hub may keep in mind what it says: it holds until something happens to the person.
    #[serde(skip)]
    pub(super) is_memorable: bool,
}

impl SyncAnswer {
    pub(super) fn new(now: SyncToken) -> Self {
        Self {
            next_batch: now.to_string(),
            reached: now,
            account_data: Events::default(),
            rooms: Rooms::default(),
            presence: Events::default(),
            to_device: Events::default(),
            device_lists: DeviceLists::default(),
            device_one_time_keys_count: BTreeMap::new(),
            device_unused_fallback_key_types: Vec::new(),
            has_received: false,
            is_memorable: false,
        }
    }

    /// Takes up what is new to the device. When not all messages to it are told, the token stays behind at the last one
    /// in the people's stream: the next sync goes on from there, and tells once more what else happened since.
    pub(super) fn take_devices(&mut self, news: DeviceNews) {
        if let Some(position) = news.told_until {
            self.reached = self.reached.with_position(PEOPLE, position);
            self.next_batch = self.reached.to_string();
        }
        // Messages that wait, or are to be forgotten, are looked for again.
        self.is_memorable &= news.to_device.is_empty() && !news.has_received;
        self.to_device.events = news.to_device;
        self.device_lists = DeviceLists {
            changed: news.changed,
            left: news.left,
        };
        self.device_one_time_keys_count = news.one_time_keys;
        self.device_unused_fallback_key_types = news.unused_fallbacks;
        self.has_received = news.has_received;
    }

    /// Whether there is nothing new.
    pub(super) fn is_empty(&self) -> bool {
        let rooms = &self.rooms;
        self.account_data.events.is_empty()
            && self.to_device.events.is_empty()
            && self.device_lists.changed.is_empty()
            && self.device_lists.left.is_empty()
            && self.presence.events.is_empty()
            && rooms.join.is_empty()
            && rooms.invite.is_empty()
            && rooms.knock.is_empty()
            && rooms.leave.is_empty()
    }
}

/// A list of events.
#[derive(Debug, Default, Serialize)]
pub(super) struct Events {
    pub(super) events: Vec<Box<RawValue>>,
}

#[derive(Debug, Default, Serialize)]
struct DeviceLists {
    changed: Vec<String>,
    left: Vec<String>,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Rooms {
    pub(super) join: BTreeMap<String, JoinedRoom>,
    pub(super) invite: BTreeMap<String, InvitedRoom>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) knock: BTreeMap<String, KnockedRoom>,
    pub(super) leave: BTreeMap<String, LeftRoom>,
}

/// What is new in a room the person is in.
#[derive(Debug, Serialize)]
pub(super) struct JoinedRoom {
    pub(super) summary: Summary,
    pub(super) timeline: Timeline,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) state: Option<Events>,
    #[serde(rename = "state_after", skip_serializing_if = "Option::is_none")]
    pub(super) state_after: Option<Events>,
    pub(super) account_data: Events,
    pub(super) ephemeral: Events,
    pub(super) unread_notifications: Unread,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) unread_thread_notifications: BTreeMap<String, Unread>,
    /// Since when the person is in the room and what they have not read, where messages alone change that.
    #[serde(skip)]
    pub(super) kept_in_mind: Option<(i64, store::receipts::Unread)>,
}

impl JoinedRoom {
    pub(super) fn is_empty(&self) -> bool {
        let is_stateless =
            |state: &Option<Events>| state.as_ref().is_none_or(|state| state.events.is_empty());
        self.timeline.events.is_empty()
            && is_stateless(&self.state)
            && is_stateless(&self.state_after)
            && self.account_data.events.is_empty()
            && self.ephemeral.events.is_empty()
    }
}

#[derive(Debug, Serialize)]
pub(super) struct InvitedRoom {
    pub(super) invite_state: Events,
}

/// A room that the person asks to be let into.
#[derive(Debug, Serialize)]
pub(super) struct KnockedRoom {
    pub(super) knock_state: Events,
}

#[derive(Debug, Serialize)]
pub(super) struct LeftRoom {
    pub(super) timeline: Timeline,
    pub(super) state: Events,
    pub(super) account_data: Events,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Timeline {
    pub(super) events: Vec<Box<RawValue>>,
    pub(super) limited: bool,
    pub(super) prev_batch: String,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Summary {
    #[serde(rename = "m.heroes", skip_serializing_if = "Vec::is_empty")]
    pub(super) heroes: Vec<String>,
    #[serde(rename = "m.joined_member_count", skip_serializing_if = "Option::is_none")]
    pub(super) joined: Option<u32>,
    #[serde(rename = "m.invited_member_count", skip_serializing_if = "Option::is_none")]
    pub(super) invited: Option<u32>,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Unread {
    pub(super) notification_count: u32,
    pub(super) highlight_count: u32,
}

impl Unread {
    pub(super) const fn of(count: Count) -> Self {
        Self {
            notification_count: count.messages,
            highlight_count: count.mentions,
        }
    }
}
