//! What is new in one room that the person is in, for a sliding sync.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use haechi_store::Tx;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::read_room::View;
use super::super::timeline::{Stretch, Timeline};
use super::super::unread::Count;
use super::answer::{Hero, RoomAnswer};
use super::connections::{Followed, SentRoom};
use super::look::Look;
use crate::model::{ChatError, Event, Membership, Place, RequiredState, RoomView, stream_of};
use crate::store;
use crate::store::sliding::StandingRoom;

/// The type of memberships.
const MEMBER: &str = "m.room.member";

/// What a room that is looked at asks for.
pub(super) enum Plan {
    /// The client knows all of it already.
    Known(SentRoom),
    /// The person is asked in, or asks to be let in.
    Outside,
    /// Something is new; from which position on, or `None` when the client does not know the room.
    Inside(Option<i64>),
}

impl Plan {
    pub(super) const fn is_known(&self) -> bool {
        matches!(self, Self::Known(_))
    }
}

/// What a look at a room found.
pub(super) struct Visit {
    pub(super) answer: Option<RoomAnswer>,
    /// What the client knows of it from now on.
    pub(super) sent: SentRoom,
    /// The position right before the first event that is told.
    pub(super) start: Option<i64>,
}

impl Visit {
    pub(super) const fn of(answer: Option<RoomAnswer>, sent: SentRoom) -> Self {
        Self {
            answer,
            sent,
            start: None,
        }
    }
}

/// The state that is told of a room, and what is told of it by name.
#[derive(Default)]
struct State {
    events: Vec<Event>,
    name: Option<Event>,
    avatar: Option<Event>,
}

#[derive(Default, Deserialize)]
struct Profile {
    name: Option<String>,
    url: Option<String>,
    displayname: Option<String>,
    avatar_url: Option<String>,
}

impl Look<'_> {
    /// What is to be done for a room that is looked at.
    pub(super) fn plan(&self, room: &StandingRoom, view: &Arc<RoomView>) -> Plan {
        let found = &room.found;
        let record = self.known.rooms.get(found.room_id.as_str());
        let record = record.filter(|record| record.membership == found.member.membership);
        if found.member.membership != Membership::Join {
            // An invitation is known by its position.
            return match record.filter(|record| record.until == Some(found.position)) {
                Some(record) => Plan::Known(record.clone()),
                None => Plan::Outside,
            };
        }
        let since = self.since_of(&found.room_id);
        let known = record.map(|record| (record, record.until.unwrap_or(since)));
        let came_before = |until: i64| found.member.joined_from.is_some_and(|from| from <= until);
        let Some((record, until)) = known.filter(|(_, until)| came_before(*until)) else {
            return Plan::Inside(None);
        };
        let is_wider = view.timeline_limit > record.view.timeline_limit
            || !view.required.is_within(&record.view.required);
        if room.position > until || is_wider {
            return Plan::Inside(Some(until));
        }
        Plan::Known(SentRoom {
            until: None,
            view: Arc::clone(view),
            ..record.clone()
        })
    }

    /// A room the person is in.
    pub(super) async fn inside(
        &self,
        tx: &mut Tx<'_>,
        room: &StandingRoom,
        view: &Arc<RoomView>,
        from: Option<i64>,
    ) -> Result<Visit, ChatError> {
        let room_id = room.found.room_id.as_str();
        let record = from.and_then(|_| self.known.rooms.get(room_id));
        let now = self.now.position(stream_of(room_id));
        let is_expanded = record.is_some_and(|record| view.timeline_limit > record.view.timeline_limit);
        let is_wider = record.is_none_or(|record| !view.required.is_within(&record.view.required));
        let low = from.filter(|_| !is_expanded).unwrap_or(0);
        let seen = View::of(Some(&room.found))?.ignoring(&self.preferences.ignored);
        let stretch = Stretch {
            after: low,
            until: now,
            limit: view.timeline_limit,
        };
        let timeline = self.timeline(tx, room_id, stretch, &seen).await?;
        let low = from.filter(|_| !is_wider).unwrap_or(0);
        let speakers = self.speakers(&timeline.events);
        let state = self
            .state(tx, room_id, (low, now), &view.required, &speakers)
            .await?;
        let unread = self.unread(tx, room_id).await?;
        let mut answer = self.answer_of(room);
        answer.initial = from.is_none();
        let has_new_names = self
            .tell_names(tx, &mut answer, (room_id, from), (&timeline, &state))
            .await?;
        let is_empty = from.is_some()
            && timeline.events.is_empty()
            && !timeline.limited
            && state.events.is_empty()
            && !has_new_names
            && record.is_some_and(|record| record.unread == unread);
        let since = self.since_of(room_id);
        let live = timeline.events.iter().filter(|event| event.position > since);
        answer.num_live = Some(self.since.map_or(0, |_| live.count()));
        // Who gets what they may have already has to look for where it joins on.
        answer.is_expanded = is_expanded;
        answer.limited = timeline.limited || is_expanded;
        answer.prev_batch = Some(Place(timeline.start).to_string());
        (answer.notification_count, answer.highlight_count) = (Some(unread.messages), Some(unread.mentions));
        answer.timeline = self.written(&timeline.events);
        answer.required_state = self.written(&state.events);
        Ok(Visit {
            answer: (!is_empty).then_some(answer),
            sent: SentRoom {
                membership: Membership::Join,
                until: None,
                view: Arc::clone(view),
                unread,
                followed: record.map_or_else(Followed::default, |record| record.followed),
            },
            start: Some(timeline.start),
        })
    }

    /// Tells the name, the picture and who is in the room, where the client does not have them; returns whether the
    /// name or the picture is new.
    async fn tell_names(
        &self,
        tx: &mut Tx<'_>,
        answer: &mut RoomAnswer,
        (room_id, from): (&str, Option<i64>),
        (timeline, state): (&Timeline, &State),
    ) -> Result<bool, ChatError> {
        let is_new = |event: &&Event| from.is_none_or(|from| event.position > from);
        let new_name = state.name.as_ref().filter(is_new);
        let new_avatar = state.avatar.as_ref().filter(is_new);
        answer.name = content(new_name).name.filter(|name| !name.is_empty());
        answer.avatar = new_avatar.map(|event| content(Some(event)).url.map_or(Value::Null, Value::String));
        let mut told = timeline.events.iter().chain(&state.events);
        let have_moved =
            from.is_none() || timeline.limited || told.any(|event| event.kind == MEMBER && is_new(&event));
        if have_moved {
            let (joined, invited) = store::memberships::count(tx, room_id).await?;
            (answer.joined_count, answer.invited_count) = (Some(joined), Some(invited));
        }
        let is_nameless = content(state.name.as_ref())
            .name
            .is_none_or(|name| name.is_empty());
        if is_nameless && (have_moved || new_name.is_some()) {
            answer.heroes = Some(self.heroes(tx, room_id).await?);
        }
        Ok(new_name.is_some() || new_avatar.is_some())
    }

    /// The latest events of a stretch of a room.
    pub(super) async fn timeline(
        &self,
        tx: &mut Tx<'_>,
        room_id: &str,
        stretch: Stretch,
        seen: &View,
    ) -> Result<Timeline, ChatError> {
        let person = self.actor.person;
        self.chat
            .timeline(tx, (person, room_id), stretch, seen, |_| true)
            .await
    }

    /// The user ids of who speaks in these events.
    fn speakers(&self, events: &[Event]) -> BTreeSet<String> {
        let speakers = events.iter().map(|event| self.chat.user_id(event.sender));
        speakers.collect()
    }

    /// The state that is wanted, as far as it was set after a position, with the memberships of the speakers.
    async fn state(
        &self,
        tx: &mut Tx<'_>,
        room_id: &str,
        (low, now): (i64, i64),
        required: &RequiredState,
        speakers: &BTreeSet<String>,
    ) -> Result<State, ChatError> {
        let key = |kind: &str, key: &str| (room_id.to_owned(), kind.to_owned(), key.to_owned());
        let names = ["m.room.name", "m.room.avatar"];
        let mut keys: HashSet<_> = names.iter().map(|name| key(name, "")).collect();
        keys.extend(required.exact_members().map(|member| key(MEMBER, member)));
        if required.is_lazy {
            keys.extend(speakers.iter().map(|speaker| key(MEMBER, speaker)));
        }
        let mut found = if low == 0 && !required.has_wildcards() {
            keys.extend(required.exact().map(|(kind, of)| key(kind, of)));
            Vec::new()
        } else {
            store::state::of_room(tx, room_id, low, now, required.wants_all_members()).await?
        };
        let keys: Vec<_> = keys.into_iter().collect();
        found.extend(store::state::current(tx, &keys).await?);
        found.sort_by(|one, other| {
            let by_position = one.position.cmp(&other.position);
            by_position.then_with(|| one.event_id.cmp(&other.event_id))
        });
        found.dedup_by(|one, other| one.event_id == other.event_id);
        let mut state = State::default();
        for event in found {
            let of = event.state_key.as_deref().unwrap_or_default();
            let is_spoken = required.is_lazy && event.kind == MEMBER && speakers.contains(of);
            let is_wanted = is_spoken || (event.position > low && required.wants(&event.kind, of));
            match event.kind.as_str() {
                "m.room.name" if of.is_empty() => state.name = Some(event.clone()),
                "m.room.avatar" if of.is_empty() => state.avatar = Some(event.clone()),
                _ => {}
            }
            if is_wanted {
                state.events.push(event);
            }
        }
        Ok(state)
    }

    /// People who stand for a room without a name, as they call themselves there.
    async fn heroes(&self, tx: &mut Tx<'_>, room_id: &str) -> Result<Vec<Hero>, ChatError> {
        let users = self.chat.heroes(tx, self.actor.person, room_id).await?;
        let keys: Vec<_> = users
            .iter()
            .map(|user| (room_id.to_owned(), MEMBER.to_owned(), user.clone()))
            .collect();
        let members = store::state::current(tx, &keys).await?;
        let heroes = users.into_iter().map(|user| {
            let of_user = |event: &&Event| event.state_key.as_deref() == Some(user.as_str());
            let profile = content(members.iter().find(of_user));
            Hero {
                user_id: user,
                name: profile.displayname,
                avatar: profile.avatar_url,
            }
        });
        Ok(heroes.collect())
    }

    async fn unread(&self, tx: &mut Tx<'_>, room_id: &str) -> Result<Count, ChatError> {
        let person = self.actor.person;
        let taste = self.preferences.taste(self.chat, person);
        Ok(self.chat.unread(tx, person, room_id, taste).await?.total())
    }

    pub(super) fn written(&self, events: &[Event]) -> Vec<Box<RawValue>> {
        let reader = self.chat.reader(self.actor.person, &self.actor.device);
        events
            .iter()
            .map(|event| event.for_client(reader, false))
            .collect()
    }
}

/// The name of a room, among its state.
pub(super) fn name_of(state: &[Event]) -> Option<String> {
    let event = state.iter().find(|event| event.kind == "m.room.name");
    content(event).name.filter(|name| !name.is_empty())
}

/// What an event says of names and pictures; nothing when there is none.
fn content(event: Option<&Event>) -> Profile {
    let read = event.and_then(|event| serde_json::from_str(&event.content).ok());
    read.unwrap_or_default()
}
