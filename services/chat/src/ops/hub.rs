//! Who waits for news, and who is woken by what: in the memory of this node, which tells the others what it commits.
//!
//! A long poll is a parked task that watches one number of its person. A person who syncs is known here with the
//! rooms they are in, so that a message wakes those of its room who are there, without asking the store; and with what
//! their sync would find, so that one which has only messages to tell asks the store nothing (`mind`, `recent`).

#[cfg(test)]
mod for_tests;
mod mind;
mod pace;
mod recent;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use haechi_base::{PersonId, Time};
use haechi_service::Cluster;
use haechi_store::Store;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::pulse::Pulse;
use super::push::Committed;
use crate::model::{Membership, PEOPLE, STREAMS, Stream, SyncToken, stream_of};

pub(crate) use mind::{DeviceKeys, Memory, Question, Recalled};
use mind::{Mind, Touched};
use pace::Pace;
use recent::{Known, Log};
pub(crate) use recent::{Message, Plain};

/// The topic of [`News`] among the nodes.
const NEWS: &str = "chat.news";

/// What a committed batch brought, as all nodes are told of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct News {
    pub(crate) stream: Stream,
    /// The first of the positions that the batch drew.
    pub(crate) first_position: i64,
    /// How many it drew.
    pub(crate) positions: usize,
    /// Where something happened.
    pub(crate) room_ids: Vec<String>,
    /// Whose membership of which room changed, and to what.
    pub(crate) memberships: Vec<(PersonId, String, Membership)>,
    /// Whom else it concerns.
    pub(crate) people: Vec<PersonId>,
    /// What was said; nothing on other nodes, which read it from the store.
    #[serde(skip)]
    pub(crate) plain: Option<Plain>,
}

/// The topic of people whose keys were uploaded or handed out.
const KEYS_MOVED: &str = "chat.keys_moved";

/// How long a person who no longer syncs is kept in mind: a client comes back at once after each answer.
const KEPT: Duration = Duration::from_secs(120);

/// Between two looks for people who went away.
const SWEEP: Duration = Duration::from_secs(10);

/// What the messages that are kept may take up in all, in bytes.
const MESSAGES_BYTES_MAX: usize = 32 * 1024 * 1024;

/// The people of this node who sync, and their rooms.
pub(crate) struct Hub {
    state: Mutex<State>,
    pub(crate) pulse: Pulse,
    pub(crate) committed: Committed,
    cluster: Cluster,
}

#[derive(Default)]
struct State {
    people: HashMap<PersonId, Listener>,
    rooms: HashMap<Arc<str>, RoomEntry>,
    /// How far each stream is known without a gap.
    streams: [Option<Known>; STREAMS as usize + 1],
    message_bytes: usize,
    pace: Pace,
    swept_at: Option<Time>,
}

/// A room in which somebody syncs.
struct RoomEntry {
    stream: Stream,
    people: HashSet<PersonId>,
    log: Log,
}

struct Listener {
    news: watch::Sender<u64>,
    rooms: HashSet<Arc<str>>,
    /// Whether `rooms` was filled from the store.
    is_complete: bool,
    seen_at: Time,
    /// When they were last told of messages from memory.
    answered_at: Option<Instant>,
    /// When they were woken first since they began to wait.
    woken_at: Option<Instant>,
    /// Where something happened, each room once; all of it after `touched_from`.
    touched: Vec<Touched>,
    touched_from: SyncToken,
    mind: Option<Mind>,
    /// How often `mind` was forgotten: what was read from the store before is not kept after.
    turns: u64,
}

impl Hub {
    /// A hub that nobody waits at yet. It hears what other nodes commit.
    pub(crate) fn start(cluster: &Cluster, store: &Store) -> Arc<Self> {
        let hub = Arc::new(Self {
            state: Mutex::default(),
            pulse: Pulse::default(),
            committed: Committed::default(),
            cluster: cluster.clone(),
        });
        let (listener, store) = (Arc::clone(&hub), store.clone());
        cluster.subscribe(NEWS, move |news: News| {
            // A standby may not show yet what is told here. Then the look at the streams wakes once more.
            if !store.is_degraded() {
                listener.note_told(&news);
            }
            listener.committed.note(&news);
            listener.wake(news);
        });
        let listener = Arc::clone(&hub);
        cluster.subscribe(KEYS_MOVED, move |people: Vec<PersonId>| listener.forget(&people));
        let listener = Arc::clone(&hub);
        // Of keys that moved the streams do not tell.
        cluster.subscribe_to_gaps(move || {
            let mut state = listener.state.lock();
            state.people.values_mut().for_each(Listener::forget);
        });
        hub
    }

    /// Wakes whom a committed batch concerns, on all nodes.
    pub(crate) fn announce(&self, news: News) {
        self.note_told(&news);
        self.committed.note(&news);
        self.cluster.publish(NEWS, &news);
        self.wake(news);
    }

    /// The counts of these people's keys have changed, of which nobody is woken.
    pub(crate) fn keys_moved(&self, people: &[PersonId]) {
        self.forget(people);
        self.cluster.publish(KEYS_MOVED, &people);
    }

    fn forget(&self, people: &[PersonId]) {
        let mut state = self.state.lock();
        for person in people {
            if let Some(listener) = state.people.get_mut(person) {
                listener.forget();
            }
        }
    }

    /// What is new to a person, when memory says so and it is nothing but messages.
    pub(crate) fn recall(&self, asked: &Question<'_>) -> Option<Recalled> {
        let recalled = self.state.lock().recall(asked)?;
        // Others have brought a stream further: the store tells what they did.
        let is_behind = self.pulse.seen().is_ahead_of(&recalled.reached);
        (!is_behind).then_some(recalled)
    }

    /// Notes that a person's wait has ended by news: how late it ended tells whether the node is busy.
    pub(crate) fn note_woken(&self, person: PersonId) {
        let now = Instant::now();
        let mut state = self.state.lock();
        let listener = state.people.get_mut(&person);
        if let Some(woken_at) = listener.and_then(|listener| listener.woken_at.take()) {
            state.pace.note(now.duration_since(woken_at), now);
        }
    }

    /// How long a person rests before they are told more, because the node is busy.
    pub(crate) fn rest(&self, person: PersonId) -> Duration {
        let state = self.state.lock();
        let listener = state.people.get(&person);
        let answered_at = listener.and_then(|listener| listener.answered_at);
        state.pace.rest(answered_at, Instant::now())
    }

    /// Notes that a person is told of messages from memory.
    pub(crate) fn note_answer(&self, person: PersonId) {
        if let Some(listener) = self.state.lock().people.get_mut(&person) {
            listener.answered_at = Some(Instant::now());
        }
    }

    /// To be asked before the store is read for a sync that is to be remembered.
    pub(crate) fn turn(&self, person: PersonId) -> Option<u64> {
        let state = self.state.lock();
        let listener = state.people.get(&person);
        listener
            .filter(|known| known.is_complete)
            .map(|known| known.turns)
    }

    /// Keeps in mind what a sync read from the store, unless something happened to the person since that `turn`.
    pub(crate) fn remember(&self, memory: Memory<'_>, turn: u64) {
        let seen = self.pulse.seen();
        let mut state = self.state.lock();
        let listener = state.people.get(&memory.person);
        if listener.is_some_and(|listener| listener.turns == turn) {
            state.remember(memory, &seen);
        }
    }

    /// Takes it up when streams have come to `now` a while ago and this was not told: how far they are known is asked
    /// of the store.
    pub(crate) fn lose_untold(&self, now: &SyncToken) {
        let mut state = self.state.lock();
        for (stream, known) in (0..).zip(state.streams.iter_mut()) {
            if known.is_some_and(|known| known.reach < now.position(stream)) {
                *known = None;
            }
        }
    }

    fn note_told(&self, news: &News) {
        self.pulse
            .note_told(news.stream, news.first_position, news.positions);
    }

    fn wake(&self, news: News) {
        let mut state = self.state.lock();
        for (person, room_id, membership) in &news.memberships {
            state.membership_changed(*person, room_id, *membership);
        }
        for person in &news.people {
            if let Some(listener) = state.people.get_mut(person) {
                listener.forget();
                listener.wake();
            }
        }
        state.take(news);
    }

    /// Begins to note what is new to a person; called before the store is read, so that nothing falls in
    /// between. Also says whether the person's rooms are yet to be told by [`Hub::learn_rooms`].
    pub(crate) fn listen(&self, person: PersonId, now: Time) -> (watch::Receiver<u64>, bool) {
        let mut state = self.state.lock();
        if state.swept_at.is_none_or(|at| now.since(at) > SWEEP) {
            state.swept_at = Some(now);
            state.sweep(now);
        }
        let reach = state.reach();
        let listener = state.people.entry(person).or_insert_with(|| Listener {
            news: watch::Sender::new(0),
            rooms: HashSet::new(),
            is_complete: false,
            seen_at: now,
            answered_at: None,
            woken_at: None,
            touched: Vec::new(),
            touched_from: reach,
            mind: None,
            turns: 0,
        });
        listener.seen_at = now;
        listener.woken_at = None;
        let mut receiver = listener.news.subscribe();
        receiver.mark_unchanged();
        (receiver, !listener.is_complete)
    }

    /// Tells the rooms a person is in, as the store knows them.
    pub(crate) fn learn_rooms<'r>(&self, person: PersonId, room_ids: impl Iterator<Item = &'r str>) {
        let mut state = self.state.lock();
        let mut has_new = false;
        for room_id in room_ids {
            has_new |= state.enter(person, room_id);
        }
        let reach = state.reach();
        if let Some(listener) = state.people.get_mut(&person) {
            if has_new || !listener.is_complete {
                // What happened there until now was not noted.
                listener.touched.clear();
                listener.touched_from = reach;
                listener.forget();
            }
            listener.is_complete = true;
        }
    }

    /// Whether anybody but this person syncs here.
    pub(crate) fn has_others(&self, person: PersonId) -> bool {
        let state = self.state.lock();
        state.people.len() > usize::from(state.people.contains_key(&person))
    }

    /// Who syncs here of those in these rooms, each once; rooms where more than `most` do are left out.
    pub(crate) fn listeners<'r>(
        &self,
        room_ids: impl Iterator<Item = &'r str>,
        most: usize,
    ) -> Vec<PersonId> {
        let state = self.state.lock();
        let rooms = room_ids.filter_map(|room_id| state.rooms.get(room_id));
        let people: HashSet<PersonId> = rooms
            .filter(|room| room.people.len() <= most)
            .flat_map(|room| &room.people)
            .copied()
            .collect();
        people.into_iter().collect()
    }

    /// There is news for these people.
    pub(crate) fn wake_people(&self, people: &[PersonId]) {
        let state = self.state.lock();
        let listeners = people.iter().filter_map(|person| state.people.get(person));
        listeners.for_each(Listener::wake);
    }

    /// Something happened in this room that is not kept: somebody types.
    pub(crate) fn wake_room(&self, room_id: &str) {
        let state = self.state.lock();
        let people = state.rooms.get(room_id).map(|room| &room.people);
        let listeners = people
            .into_iter()
            .flatten()
            .filter_map(|person| state.people.get(person));
        listeners.for_each(Listener::wake);
    }

    /// Whether the person is in one of these rooms, as far as is known here.
    pub(crate) fn is_in_any(&self, person: PersonId, room_ids: &[String]) -> bool {
        let state = self.state.lock();
        let listener = state.people.get(&person);
        listener.is_some_and(|listener| {
            room_ids
                .iter()
                .any(|room_id| listener.rooms.contains(room_id.as_str()))
        })
    }
}

impl Listener {
    fn wake(&self) {
        self.news.send_modify(|serial| *serial += 1);
    }
}

impl State {
    /// How far each stream is known; 0 where it is not.
    fn reach(&self) -> SyncToken {
        SyncToken::new(self.streams.map(|known| known.map_or(0, |known| known.reach)), 0)
    }

    /// Takes up what a batch did in its rooms, and wakes who is there.
    fn take(&mut self, news: News) {
        let last = news.first_position + i64::try_from(news.positions).unwrap_or(i64::MAX) - 1;
        let is_next = match self.streams.get_mut(usize::from(news.stream)) {
            Some(known) => Known::extend(known, news.first_position, last),
            None => false,
        };
        let plain = news.plain.filter(|_| is_next);
        let now = Instant::now();
        for room_id in &news.room_ids {
            let is_told = plain
                .as_ref()
                .is_some_and(|plain| !plain.disturbed.contains(room_id));
            self.wake_room(room_id, (news.stream, last), is_told, now);
        }
        for message in plain.into_iter().flat_map(|plain| plain.messages) {
            if let Some(room) = self.rooms.get_mut(message.event.room_id.as_str()) {
                let (grown, shrunk) = room.log.push(message);
                self.message_bytes = (self.message_bytes + grown).saturating_sub(shrunk);
            }
        }
        if self.message_bytes > MESSAGES_BYTES_MAX {
            let reach = self.reach();
            let rooms = self.rooms.values_mut();
            rooms.for_each(|room| {
                room.log.forget(reach.position(room.stream));
            });
            self.message_bytes = 0;
        }
    }

    /// Wakes who is in a room; unless messages tell all that happened there, what was kept of it is forgotten.
    fn wake_room(&mut self, room_id: &str, (stream, last): (Stream, i64), is_told: bool, now: Instant) {
        let Some((name, _)) = self.rooms.get_key_value(room_id) else {
            return;
        };
        let name = Arc::clone(name);
        let Some(room) = self.rooms.get_mut(room_id) else {
            return;
        };
        // What happened to a member concerns all who share a room with them.
        let is_of_people = stream == PEOPLE;
        if !is_told && !is_of_people {
            let forgotten = room.log.forget(last);
            self.message_bytes = self.message_bytes.saturating_sub(forgotten);
        }
        for person in &room.people {
            let Some(listener) = self.people.get_mut(person) else {
                continue;
            };
            if is_of_people {
                listener.forget();
            } else {
                listener.touch(&name, stream, last);
            }
            listener.woken_at.get_or_insert(now);
            listener.wake();
        }
    }

    /// A person's membership changed.
    fn membership_changed(&mut self, person: PersonId, room_id: &str, membership: Membership) {
        if membership == Membership::Join {
            self.enter(person, room_id);
        } else {
            self.leave(person, room_id);
        }
        if let Some(listener) = self.people.get_mut(&person) {
            listener.forget();
            listener.wake();
        }
    }

    /// Notes that somebody is in a room; returns whether that is new.
    fn enter(&mut self, person: PersonId, room_id: &str) -> bool {
        if !self.people.contains_key(&person) {
            return false;
        }
        let known = self
            .rooms
            .get_key_value(room_id)
            .map(|(name, _)| Arc::clone(name));
        let name = known.unwrap_or_else(|| Arc::from(room_id));
        let stream = stream_of(room_id);
        let reach = self.reach().position(stream);
        let room = self.rooms.entry(Arc::clone(&name)).or_insert_with(|| RoomEntry {
            stream,
            people: HashSet::new(),
            log: Log::after(reach),
        });
        room.people.insert(person);
        let listener = self.people.get_mut(&person);
        listener.is_some_and(|listener| listener.rooms.insert(name))
    }

    fn leave(&mut self, person: PersonId, room_id: &str) {
        if let Some(listener) = self.people.get_mut(&person) {
            listener.rooms.remove(room_id);
            listener.touched.retain(|touched| *touched.room != *room_id);
        }
        if let Some(room) = self.rooms.get_mut(room_id) {
            room.people.remove(&person);
            if room.people.is_empty() {
                let forgotten = room.log.forget(0);
                self.message_bytes = self.message_bytes.saturating_sub(forgotten);
                self.rooms.remove(room_id);
            }
        }
    }

    fn sweep(&mut self, now: Time) {
        let gone: Vec<PersonId> = self
            .people
            .iter()
            .filter(|(_, listener)| listener.news.receiver_count() == 0 && now.since(listener.seen_at) > KEPT)
            .map(|(person, _)| *person)
            .collect();
        for person in gone {
            let rooms = self
                .people
                .get(&person)
                .map(|listener| listener.rooms.clone())
                .unwrap_or_default();
            for room_id in rooms {
                self.leave(person, &room_id);
            }
            self.people.remove(&person);
        }
    }
}
