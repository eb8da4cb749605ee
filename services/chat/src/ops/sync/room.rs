//! What is new in one room, for a sync.

use std::collections::{HashMap, HashSet};

use haechi_base::Actor;
use haechi_store::Tx;
use serde_json::json;
use serde_json::value::RawValue;

use super::super::Chat;
use super::super::messages::speakers;
use super::super::read_room::View;
use super::super::timeline::{Stretch, Timeline as Read};
use super::super::unread::{Counts, Preferences};
use super::answer::{Events, JoinedRoom, LeftRoom, Summary, Timeline, Unread};
use super::{SyncWish, account_data_event};
use crate::model::{ChatError, Event, Fields, Place, Reader, SyncToken, stream_of};
use crate::store;
use crate::store::account_data::Entry;
use crate::store::memberships::FoundMember;

/// State that is shown with an invitation.
pub(in crate::ops) const INVITE_STATE: [&str; 7] = [
    "m.room.create",
    "m.room.join_rules",
    "m.room.name",
    "m.room.avatar",
    "m.room.topic",
    "m.room.canonical_alias",
    "m.room.encryption",
];

/// One sync of one person.
pub(super) struct RoomReader<'s> {
    pub(super) chat: &'s Chat,
    pub(super) actor: &'s Actor,
    pub(super) wish: &'s SyncWish,
    pub(super) since: Option<SyncToken>,
    pub(super) now: SyncToken,
    /// Whom the person ignores, and their push rules.
    pub(super) preferences: Preferences,
    /// Which parts of events the client wants, when not all.
    pub(super) fields: Option<Fields>,
}

impl RoomReader<'_> {
    /// A room the person is in.
    pub(super) async fn joined(
        &self,
        tx: &mut Tx<'_>,
        found: &FoundMember,
        entries: &[Entry],
    ) -> Result<JoinedRoom, ChatError> {
        let room_id = found.room_id.as_str();
        let view = View::of(Some(found))?.ignoring(&self.preferences.ignored);
        let since = self.known_until(found);
        let now = self.now.position(stream_of(room_id));
        let timeline = self
            .timeline(tx, room_id, (since.unwrap_or(0), now), &view)
            .await?;
        let state = self.state(tx, room_id, since, now, &timeline).await?;
        let has_new_members = state
            .iter()
            .chain(&timeline.events)
            .any(|event| event.kind == "m.room.member");
        let summary = if since.is_none() || has_new_members {
            self.summary(tx, room_id).await?
        } else {
            Summary::default()
        };
        let ephemeral = self.ephemeral(tx, room_id, since.unwrap_or(0), now).await?;
        let (unread, plain) = self.unread(tx, room_id).await?;
        let kept_in_mind = found.member.joined_from.zip(plain);
        let (unread, threads) = if self.wish.filter.counts_threads() {
            (unread.room, Some(unread.threads))
        } else {
            (unread.total(), None)
        };
        let wanted = self.wish.filter.room_account_data();
        let account_data = entries
            .iter()
            .filter(|entry| entry.room_id == room_id && wanted.wants_type(&entry.kind, room_id))
            .map(account_data_event)
            .collect();
        let state = Events {
            events: self.written(&state),
        };
        let (state, state_after) = if self.wish.state_after {
            (None, Some(state))
        } else {
            (Some(state), None)
        };
        Ok(JoinedRoom {
            summary,
            timeline: self.written_timeline(&timeline),
            state,
            state_after,
            account_data: Events { events: account_data },
            ephemeral: Events { events: ephemeral },
            unread_notifications: Unread::of(unread),
            unread_thread_notifications: threads
                .unwrap_or_default()
                .into_iter()
                .map(|(root, count)| (root, Unread::of(count)))
                .collect(),
            kept_in_mind,
        })
    }

    /// What is unread, and the numbers behind it where these alone say so.
    async fn unread(
        &self,
        tx: &mut Tx<'_>,
        room_id: &str,
    ) -> Result<(Counts, Option<store::receipts::Unread>), ChatError> {
        let person = self.actor.person;
        let taste = self.preferences.taste(self.chat, person);
        if self.since.is_none() {
            // Of a first sync nothing is kept in mind.
            return Ok((self.chat.unread(tx, person, room_id, taste).await?, None));
        }
        let unread = store::receipts::unread(tx, room_id, person).await?;
        let is_plain =
            !unread.has_threads && self.preferences.ignored.is_empty() && taste.own_rules(room_id).is_none();
        let counts = self
            .chat
            .complete_unread(tx, person, room_id, taste, &unread)
            .await?;
        Ok((counts, is_plain.then_some(unread)))
    }

    /// A room the person is out of since the last sync.
    pub(super) async fn left(&self, tx: &mut Tx<'_>, found: &FoundMember) -> Result<LeftRoom, ChatError> {
        let since = self
            .since
            .map_or(0, |since| since.position(stream_of(&found.room_id)));
        let timeline = match View::of(Some(found)) {
            Ok(view) => {
                let view = view.ignoring(&self.preferences.ignored);
                let mut read = self
                    .timeline(tx, &found.room_id, (since, found.position), &view)
                    .await?;
                if view.until < found.position {
                    // Out already, then banned: of what came after they see only this.
                    read.events
                        .extend(store::events::find(tx, &[&found.event_id]).await?);
                }
                read
            }
            // Who declined an invitation sees only that.
            Err(_) => Read {
                events: store::events::find(tx, &[&found.event_id]).await?,
                limited: false,
                start: found.position - 1,
            },
        };
        let state = self.state_of_left(tx, found, since, &timeline).await?;
        Ok(LeftRoom {
            timeline: self.written_timeline(&timeline),
            state: Events {
                events: self.written(&state),
            },
            account_data: Events::default(),
        })
    }

    /// Whether it is an invitation by somebody whom the person ignores.
    pub(super) async fn is_ignored_invitation(
        &self,
        tx: &mut Tx<'_>,
        found: &FoundMember,
    ) -> Result<bool, ChatError> {
        if self.preferences.ignored.is_empty() {
            return Ok(false);
        }
        let invitation = store::events::find(tx, &[&found.event_id]).await?.pop();
        Ok(invitation.is_some_and(|invitation| self.preferences.ignored.has(invitation.sender)))
    }

    /// What somebody outside is shown of a room they are asked into.
    pub(super) async fn invite_state(
        &self,
        tx: &mut Tx<'_>,
        found: &FoundMember,
    ) -> Result<Vec<Box<RawValue>>, ChatError> {
        let keys: Vec<_> = INVITE_STATE
            .iter()
            .map(|kind| (found.room_id.clone(), (*kind).to_owned(), String::new()))
            .collect();
        let mut events = store::state::current(tx, &keys).await?;
        let invitation = store::events::find(tx, &[&found.event_id]).await?;
        events.extend(speakers(tx, &found.room_id, &invitation, self.chat.server_name()).await?);
        events.retain(|event| event.event_id != found.event_id);
        events.extend(invitation);
        Ok(events
            .iter()
            .map(|event| event.stripped(self.chat.server_name()))
            .collect())
    }

    /// The position up to which the client knows the room; `None` when it is new to it.
    fn known_until(&self, found: &FoundMember) -> Option<i64> {
        let since = self.since?.position(stream_of(&found.room_id));
        let came_before = found
            .member
            .joined_from
            .is_some_and(|joined_from| joined_from <= since);
        came_before.then_some(since)
    }

    async fn timeline(
        &self,
        tx: &mut Tx<'_>,
        room_id: &str,
        (after, until): (i64, i64),
        view: &View,
    ) -> Result<Read, ChatError> {
        let filter = self.wish.filter.timeline();
        let stretch = Stretch {
            after,
            until,
            limit: filter.limit(),
        };
        let wants = |event: &Event| filter.wants(event, self.chat.server_name());
        self.chat
            .timeline(tx, (self.actor.person, room_id), stretch, view, wants)
            .await
    }

    /// The state at the start of the timeline, as far as it is new; or at its end when that is wanted.
    async fn state(
        &self,
        tx: &mut Tx<'_>,
        room_id: &str,
        since: Option<i64>,
        now: i64,
        timeline: &Read,
    ) -> Result<Vec<Event>, ChatError> {
        let filter = self.wish.filter.state();
        let is_lazy = filter.lazy_loads_members();
        let from = if self.wish.full_state {
            0
        } else {
            since.unwrap_or(0)
        };
        let mut state = store::state::of_room(tx, room_id, from, now, !is_lazy).await?;
        if !self.wish.state_after {
            state = state_before(tx, state, &timeline.events, from).await?;
        }
        if is_lazy {
            let known: HashSet<&str> = timeline
                .events
                .iter()
                .map(|event| event.event_id.as_str())
                .collect();
            let mut members = speakers(tx, room_id, &timeline.events, self.chat.server_name()).await?;
            if since.is_none() {
                let own = self.chat.user_id(self.actor.person);
                members.extend(store::state::current_one(tx, room_id, "m.room.member", &own).await?);
            }
            members.sort_by(|one, other| one.event_id.cmp(&other.event_id));
            members.dedup_by(|one, other| one.event_id == other.event_id);
            members.retain(|event| self.wish.state_after || !known.contains(event.event_id.as_str()));
            state.extend(members);
        }
        state.retain(|event| filter.wants(event, self.chat.server_name()));
        Ok(state)
    }

    async fn summary(&self, tx: &mut Tx<'_>, room_id: &str) -> Result<Summary, ChatError> {
        let (joined, invited) = store::memberships::count(tx, room_id).await?;
        Ok(Summary {
            heroes: self.chat.heroes(tx, self.actor.person, room_id).await?,
            joined: Some(joined),
            invited: Some(invited),
        })
    }

    /// Receipts and typing.
    async fn ephemeral(
        &self,
        tx: &mut Tx<'_>,
        room_id: &str,
        since: i64,
        now: i64,
    ) -> Result<Vec<Box<RawValue>>, ChatError> {
        let filter = self.wish.filter.ephemeral();
        let mut events = Vec::new();
        if filter.wants_type("m.receipt", room_id) {
            let receipts = store::receipts::of_room(tx, room_id, since, now, self.actor.person).await?;
            events.extend(self.receipt_events(receipts));
        }
        if filter.wants_type("m.typing", room_id)
            && let Some(people) = self
                .chat
                .0
                .typing
                .news(room_id, self.since.map(|since| since.typing))
        {
            let users: Vec<String> = people
                .into_iter()
                .filter(|person| !self.preferences.ignored.has(*person))
                .map(|person| self.chat.user_id(person))
                .collect();
            events.push(json!({ "type": "m.typing", "content": { "user_ids": users } }));
        }
        Ok(events
            .iter()
            .map(|event| crate::model::raw_json(event.to_string()))
            .collect())
    }

    fn reader(&self) -> Reader<'_> {
        self.chat.reader(self.actor.person, &self.actor.device)
    }

    fn written(&self, events: &[Event]) -> Vec<Box<RawValue>> {
        events
            .iter()
            .map(|event| event.for_client(self.reader(), false))
            .map(|event| match &self.fields {
                Some(fields) => fields.of_event(&event),
                None => event,
            })
            .collect()
    }

    fn written_timeline(&self, timeline: &Read) -> Timeline {
        Timeline {
            events: self.written(&timeline.events),
            limited: timeline.limited,
            prev_batch: Place(timeline.start).to_string(),
        }
    }
}

/// Takes the current state back to where the timeline begins: what the timeline changes is shown as it was
/// before.
pub(super) async fn state_before(
    tx: &mut Tx<'_>,
    state: Vec<Event>,
    timeline: &[Event],
    from: i64,
) -> Result<Vec<Event>, ChatError> {
    let mut replaced: HashMap<(&str, &str), Option<&str>> = HashMap::new();
    for event in timeline {
        if let Some(state_key) = event.state_key.as_deref() {
            // The first change in the timeline names what stood before it.
            replaced
                .entry((&event.kind, state_key))
                .or_insert(event.replaces.as_deref());
        }
    }
    if replaced.is_empty() {
        return Ok(state);
    }
    let before: Vec<&str> = replaced.values().filter_map(|replaces| *replaces).collect();
    let mut earlier = store::events::find(tx, &before).await?;
    earlier.retain(|event| event.position > from);
    let mut state = state;
    state.retain(|event| {
        let state_key = event.state_key.as_deref().unwrap_or_default();
        !replaced.contains_key(&(event.kind.as_str(), state_key))
    });
    state.extend(earlier);
    Ok(state)
}
