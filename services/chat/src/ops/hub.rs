//! Who waits for news, and who is woken by what: in the memory of this node, which tells the others what it commits.
//!
//! A long poll is a parked task that watches one number of its person. A person who syncs is known here with the
//! rooms they are in, so that a message wakes those of its room who are there, without asking the store.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use haechi_base::{PersonId, Time};
use haechi_service::Cluster;
use haechi_store::Store;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::pulse::Pulse;
use super::push::Committed;
use crate::model::{Membership, Stream};

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
}

/// How long a person who no longer syncs is kept in mind: a client comes back at once after each answer.
const KEPT: Duration = Duration::from_secs(120);

/// Syncs between two looks for people who went away.
const SYNCS_A_SWEEP: u64 = 256;

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
    rooms: HashMap<Arc<str>, HashSet<PersonId>>,
    syncs: u64,
}

struct Listener {
    news: watch::Sender<u64>,
    rooms: HashSet<Arc<str>>,
    /// Whether `rooms` was filled from the store.
    is_complete: bool,
    seen_at: Time,
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
            listener.wake(&news);
        });
        hub
    }

    /// Wakes whom a committed batch concerns, on all nodes.
    pub(crate) fn announce(&self, news: &News) {
        self.note_told(news);
        self.committed.note(news);
        self.wake(news);
        self.cluster.publish(NEWS, news);
    }

    fn note_told(&self, news: &News) {
        self.pulse
            .note_told(news.stream, news.first_position, news.positions);
    }

    fn wake(&self, news: &News) {
        for (person, room_id, membership) in &news.memberships {
            self.membership_changed(*person, room_id, *membership);
        }
        self.wake_rooms(news.room_ids.iter().map(String::as_str));
        let state = self.state.lock();
        news.people.iter().for_each(|person| state.wake(*person));
    }

    /// Begins to note what is new to a person; called before the store is read, so that nothing falls in
    /// between. Also says whether the person's rooms are yet to be told by [`Hub::learn_rooms`].
    pub(crate) fn listen(&self, person: PersonId, now: Time) -> (watch::Receiver<u64>, bool) {
        let mut state = self.state.lock();
        state.syncs += 1;
        if state.syncs.is_multiple_of(SYNCS_A_SWEEP) {
            state.sweep(now);
        }
        let listener = state.people.entry(person).or_insert_with(|| Listener {
            news: watch::Sender::new(0),
            rooms: HashSet::new(),
            is_complete: false,
            seen_at: now,
        });
        listener.seen_at = now;
        let mut receiver = listener.news.subscribe();
        receiver.mark_unchanged();
        (receiver, !listener.is_complete)
    }

    /// Tells the rooms a person is in, as the store knows them.
    pub(crate) fn learn_rooms<'r>(&self, person: PersonId, room_ids: impl Iterator<Item = &'r str>) {
        let mut state = self.state.lock();
        for room_id in room_ids {
            state.enter(person, room_id);
        }
        if let Some(listener) = state.people.get_mut(&person) {
            listener.is_complete = true;
        }
    }

    /// A person's membership changed.
    fn membership_changed(&self, person: PersonId, room_id: &str, membership: Membership) {
        let mut state = self.state.lock();
        if membership == Membership::Join {
            state.enter(person, room_id);
        } else {
            state.leave(person, room_id);
        }
        state.wake(person);
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
            .filter(|room| room.len() <= most)
            .flatten()
            .copied()
            .collect();
        people.into_iter().collect()
    }

    /// There is news for these people.
    pub(crate) fn wake_people(&self, people: &[PersonId]) {
        let state = self.state.lock();
        people.iter().for_each(|person| state.wake(*person));
    }

    /// Something happened in these rooms.
    pub(crate) fn wake_rooms<'r>(&self, room_ids: impl Iterator<Item = &'r str>) {
        let state = self.state.lock();
        for person in room_ids.filter_map(|room_id| state.rooms.get(room_id)).flatten() {
            state.wake(*person);
        }
    }
}

impl State {
    fn enter(&mut self, person: PersonId, room_id: &str) {
        let Some(listener) = self.people.get_mut(&person) else {
            return;
        };
        let known = self
            .rooms
            .get_key_value(room_id)
            .map(|(name, _)| Arc::clone(name));
        let name = known.unwrap_or_else(|| Arc::from(room_id));
        listener.rooms.insert(Arc::clone(&name));
        self.rooms.entry(name).or_default().insert(person);
    }

    fn leave(&mut self, person: PersonId, room_id: &str) {
        if let Some(listener) = self.people.get_mut(&person) {
            listener.rooms.remove(room_id);
        }
        if let Some(people) = self.rooms.get_mut(room_id) {
            people.remove(&person);
            if people.is_empty() {
                self.rooms.remove(room_id);
            }
        }
    }

    fn wake(&self, person: PersonId) {
        if let Some(listener) = self.people.get(&person) {
            listener.news.send_modify(|serial| *serial += 1);
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
