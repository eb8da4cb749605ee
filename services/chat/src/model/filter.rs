//! What a client wants to hear of (client-server API, "Filtering").

use std::sync::Arc;

use ruma::api::client::filter::{FilterDefinition, LazyLoadOptions, RoomEventFilter, UrlFilter};
use serde::Deserialize;

use super::ids::user_id;
use super::limits::{PAGE_EVENTS_MAX, TIMELINE_EVENTS_DEFAULT};
use super::{Event, Fields};

/// What a sync is to hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct SyncFilter(Arc<FilterDefinition>);

impl SyncFilter {
    /// Reads a definition.
    pub(crate) fn new(definition: FilterDefinition) -> Self {
        Self(Arc::new(definition))
    }

    /// Whether the room is wanted.
    pub(crate) fn wants_room(&self, room_id: &str) -> bool {
        let room = &self.0.room;
        room.rooms
            .as_ref()
            .is_none_or(|rooms| rooms.iter().any(|wanted| wanted == room_id))
            && !room.not_rooms.iter().any(|unwanted| unwanted == room_id)
    }

    /// Whether rooms one has left are wanted in a first sync.
    pub(crate) fn wants_left_rooms(&self) -> bool {
        self.0.room.include_leave
    }

    /// Whether it leaves messages as they are, and asks for nothing to be told with them.
    pub(crate) fn is_plain(&self) -> bool {
        let room = &self.0.room;
        let mut timeline = room.timeline.clone();
        // What these two ask for is told all the same.
        (timeline.limit, timeline.unread_thread_notifications) = (None, false);
        timeline.is_empty()
            && self.0.event_fields.is_none()
            && room.rooms.is_none()
            && room.not_rooms.is_empty()
            && !self.state().lazy_loads_members()
    }

    /// For the timelines.
    pub(crate) fn timeline(&self) -> EventFilter<'_> {
        EventFilter(&self.0.room.timeline)
    }

    /// For the state.
    pub(crate) fn state(&self) -> EventFilter<'_> {
        EventFilter(&self.0.room.state)
    }

    /// For receipts and typing.
    pub(crate) fn ephemeral(&self) -> EventFilter<'_> {
        EventFilter(&self.0.room.ephemeral)
    }

    /// For what the person keeps about a room.
    pub(crate) fn room_account_data(&self) -> EventFilter<'_> {
        EventFilter(&self.0.room.account_data)
    }

    /// Which parts of events are wanted, when not all are.
    pub(crate) fn fields(&self) -> Option<Fields> {
        self.0.event_fields.as_ref().map(Fields::read)
    }

    /// Whether unread messages are counted for each thread apart.
    pub(crate) fn counts_threads(&self) -> bool {
        self.0.room.timeline.unread_thread_notifications
    }

    /// Whether the presence of this person is wanted.
    pub(crate) fn wants_presence_of(&self, user: &str) -> bool {
        let filter = &self.0.presence;
        let senders = filter.senders.as_ref();
        matches_types("m.presence", filter.types.as_deref(), &filter.not_types)
            && senders.is_none_or(|senders| senders.iter().any(|wanted| wanted == user))
            && !filter.not_senders.iter().any(|unwanted| unwanted == user)
    }

    /// Whether global account data of this type is wanted.
    pub(crate) fn wants_account_data(&self, kind: &str) -> bool {
        let filter = &self.0.account_data;
        matches_types(kind, filter.types.as_deref(), &filter.not_types)
    }
}

/// Which events of a room are wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventFilter<'f>(pub(crate) &'f RoomEventFilter);

impl EventFilter<'_> {
    /// How many events at the most.
    pub(crate) fn limit(self) -> u32 {
        let asked = self
            .0
            .limit
            .map(u64::from)
            .and_then(|limit| u32::try_from(limit).ok());
        match (self.0.limit, asked) {
            (None, _) => TIMELINE_EVENTS_DEFAULT,
            (Some(_), Some(asked)) => asked.clamp(1, PAGE_EVENTS_MAX),
            (Some(_), None) => PAGE_EVENTS_MAX,
        }
    }

    /// Whether only those members are wanted who said something.
    pub(crate) fn lazy_loads_members(self) -> bool {
        matches!(self.0.lazy_load_options, LazyLoadOptions::Enabled { .. })
    }

    /// Whether something of this type in this room is wanted.
    pub(crate) fn wants_type(self, kind: &str, room_id: &str) -> bool {
        matches_types(kind, self.0.types.as_deref(), &self.0.not_types)
            && self
                .0
                .rooms
                .as_ref()
                .is_none_or(|rooms| rooms.iter().any(|wanted| wanted == room_id))
            && !self.0.not_rooms.iter().any(|unwanted| unwanted == room_id)
    }

    /// Whether the event is wanted.
    pub(crate) fn wants(self, event: &Event, server_name: &str) -> bool {
        if !self.wants_type(&event.kind, &event.room_id) {
            return false;
        }
        if self.0.senders.is_some() || !self.0.not_senders.is_empty() {
            let sender = user_id(event.sender, server_name);
            let wanted = self
                .0
                .senders
                .as_ref()
                .is_none_or(|senders| senders.iter().any(|wanted| *wanted == sender));
            if !wanted || self.0.not_senders.iter().any(|unwanted| *unwanted == sender) {
                return false;
            }
        }
        match &self.0.url_filter {
            Some(UrlFilter::EventsWithUrl) => has_url(event),
            Some(UrlFilter::EventsWithoutUrl) => !has_url(event),
            _ => true,
        }
    }
}

fn has_url(event: &Event) -> bool {
    #[derive(Deserialize)]
    struct Linking {
        url: Option<serde::de::IgnoredAny>,
    }
    serde_json::from_str::<Linking>(&event.content).is_ok_and(|content| content.url.is_some())
}

fn matches_types(kind: &str, wanted: Option<&[String]>, unwanted: &[String]) -> bool {
    wanted.is_none_or(|wanted| wanted.iter().any(|pattern| matches_type(kind, pattern)))
        && !unwanted.iter().any(|pattern| matches_type(kind, pattern))
}

/// `*` in a pattern stands for any letters.
fn matches_type(kind: &str, pattern: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return kind == pattern;
    };
    let Some(mut left) = kind.strip_prefix(first) else {
        return false;
    };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*') {
        match left.find(part) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    left.ends_with(last)
}
