//! Who is typing where: in the memory of each node, gone by itself after a while. Nodes tell each other.

use std::collections::HashMap;
use std::time::Duration;

use haechi_base::{PersonId, Time};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// The topic of [`TypingHint`] among the nodes.
pub(super) const TYPING: &str = "chat.typing";

/// How far the clocks of nodes may be apart: a serial from further ahead is nobody's.
const CLOCKS_APART_MAX: Duration = Duration::from_secs(5);

/// Somebody types, or has stopped, on another node.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TypingHint {
    pub(super) room_id: String,
    pub(super) person: PersonId,
    /// For how long at the most; `None` when they have stopped.
    pub(super) duration_ms: Option<u64>,
    /// The serial on that node.
    pub(super) serial: i64,
}

/// Typing notices of all rooms.
pub(crate) struct Typing {
    state: Mutex<State>,
}

struct State {
    rooms: HashMap<String, Room>,
    /// Rises with each change, and is a time in microseconds so that a restart does not set it back.
    serial: i64,
}

#[derive(Default)]
struct Room {
    people: HashMap<PersonId, Time>,
    changed: i64,
}

/// How long the memory of a change is kept after the last one stopped typing.
const KEPT: Duration = Duration::from_secs(300);

impl Typing {
    /// Nobody types yet.
    pub(crate) fn new(now: Time) -> Self {
        Self {
            state: Mutex::new(State {
                rooms: HashMap::new(),
                serial: now.micros(),
            }),
        }
    }

    /// Takes up how far another node's serial has come, so that a client from there misses nothing that changes here
    /// from now on.
    pub(crate) fn reach(&self, serial: i64, now: Time) {
        if serial <= (now + CLOCKS_APART_MAX).micros() {
            let mut state = self.state.lock();
            state.serial = state.serial.max(serial);
        }
    }

    /// Somebody types until `until`, or has stopped; returns whether that is news.
    pub(crate) fn set(&self, room_id: &str, person: PersonId, until: Option<Time>, now: Time) -> bool {
        let mut state = self.state.lock();
        let serial = state.serial.max(now.micros()).saturating_add(1);
        let room = state.rooms.entry(room_id.to_owned()).or_default();
        let was_typing = room.people.contains_key(&person);
        match until {
            Some(until) => drop(room.people.insert(person, until)),
            None => drop(room.people.remove(&person)),
        }
        let is_news = was_typing != until.is_some();
        if is_news {
            room.changed = serial;
            state.serial = serial;
        }
        is_news
    }

    /// Takes out who has not said so again in time; returns whether that is news.
    pub(crate) fn expire(&self, room_id: &str, now: Time) -> bool {
        let mut state = self.state.lock();
        let serial = state.serial.max(now.micros()).saturating_add(1);
        let Some(room) = state.rooms.get_mut(room_id) else {
            return false;
        };
        let before = room.people.len();
        room.people.retain(|_, until| *until > now);
        let is_news = room.people.len() != before;
        if is_news {
            room.changed = serial;
            state.serial = serial;
        }
        let oldest = (now - KEPT).micros();
        state
            .rooms
            .retain(|_, room| !room.people.is_empty() || room.changed > oldest);
        is_news
    }

    /// A serial for a change of another kind that is told like typing.
    pub(crate) fn draw(&self, now: Time) -> i64 {
        let mut state = self.state.lock();
        state.serial = state.serial.max(now.micros()).saturating_add(1);
        state.serial
    }

    /// The serial of the last change.
    pub(crate) fn serial(&self) -> i64 {
        self.state.lock().serial
    }

    /// Who types in a room, when that changed after `since`; for a first sync, when anybody does.
    pub(crate) fn news(&self, room_id: &str, since: Option<i64>) -> Option<Vec<PersonId>> {
        let state = self.state.lock();
        let room = state.rooms.get(room_id)?;
        let is_news = since.map_or(!room.people.is_empty(), |since| room.changed > since);
        is_news.then(|| room.people.keys().copied().collect())
    }

    /// The rooms where typing changed after `since`.
    pub(crate) fn rooms_with_news(&self, since: i64) -> Vec<String> {
        let state = self.state.lock();
        if state.serial <= since {
            return Vec::new();
        }
        let changed = state.rooms.iter().filter(|(_, room)| room.changed > since);
        changed.map(|(room_id, _)| room_id.clone()).collect()
    }
}
