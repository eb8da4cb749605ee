//! What the clients of this node know, connection by connection: in its memory and nowhere else.
//!
//! A client that comes with a `pos` this node does not know is told so and begins anew, which the protocol provides for.
//! An answer is taken as received when its `pos` comes back; until then the state before it is kept, so that a request
//! whose answer was lost is answered again.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use haechi_base::{PersonId, Time, random};
use parking_lot::Mutex;

use super::super::unread::Count;
use crate::model::limits::{
    SLIDING_ANSWERS_KEPT, SLIDING_CONNECTION_KEPT, SLIDING_CONNECTIONS_A_DEVICE_MAX, SLIDING_CONNECTIONS_MAX,
    SLIDING_ROOMS_KEPT_MAX,
};
use crate::model::{ChatError, Membership, RoomView, SyncToken};

/// Answers between two looks for connections that went quiet.
const ANSWERS_A_SWEEP: u64 = 256;

/// Which extensions a client follows a room by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Followed {
    pub(super) account_data: bool,
    pub(super) receipts: bool,
    pub(super) typing: bool,
}

/// What a client knows of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SentRoom {
    /// How the person stood to it.
    pub(super) membership: Membership,
    /// Up to which position; `None` for all up to the connection's token.
    pub(super) until: Option<i64>,
    /// What was wanted of it.
    pub(super) view: Arc<RoomView>,
    pub(super) unread: Count,
    pub(super) followed: Followed,
}

/// What a client knows.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// Up to where; `None` before the first answer.
    pub(super) token: Option<SyncToken>,
    pub(super) rooms: HashMap<Arc<str>, SentRoom>,
    /// How many rooms each list holds.
    pub(super) counts: BTreeMap<String, usize>,
    pub(super) subscriptions: BTreeMap<String, Arc<RoomView>>,
    /// Whether it follows the account data that is about no room.
    pub(super) has_account_data: bool,
    /// What was last wanted of rooms: kept, so that the same wish again is found to be the same at a glance.
    pub(super) views: Vec<Arc<RoomView>>,
}

/// What an answer adds to that.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) token: SyncToken,
    /// Rooms of which the client knows something else now; `None` for those it is done with.
    pub(super) rooms: Vec<(Arc<str>, Option<SentRoom>)>,
    pub(super) counts: BTreeMap<String, usize>,
    pub(super) subscriptions: BTreeMap<String, Arc<RoomView>>,
    pub(super) has_account_data: bool,
    pub(super) views: Vec<Arc<RoomView>>,
}

/// Where a request goes on from.
#[derive(Debug, Clone, Default)]
pub(super) struct Base {
    pub(super) known: Arc<Known>,
    /// The connection's own name and the number of the answer; `None` for a new connection.
    place: Option<(String, u64)>,
}

/// Which connection of whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller<'c> {
    pub(super) person: PersonId,
    pub(super) device: &'c str,
    pub(super) connection: &'c str,
}

struct Connection {
    name: String,
    /// Drawn anew with each beginning, so that no `pos` of another one fits.
    id: String,
    known: Arc<Known>,
    /// The answer that the client is known to have.
    received: u64,
    /// Answers that it may have got, the latest last.
    pending: VecDeque<(u64, Step)>,
    last: u64,
    seen_at: Time,
}

/// The connections of a node.
#[derive(Default)]
pub(crate) struct Connections {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    devices: HashMap<(PersonId, String), Vec<Connection>>,
    answers: u64,
}

impl Known {
    fn take(&mut self, step: Step) {
        self.token = Some(step.token);
        for (room_id, sent) in step.rooms {
            match sent {
                Some(sent) => drop(self.rooms.insert(room_id, sent)),
                None => drop(self.rooms.remove(&room_id)),
            }
        }
        self.counts = step.counts;
        self.subscriptions = step.subscriptions;
        self.has_account_data = step.has_account_data;
        self.views = step.views;
    }
}

impl Connections {
    /// Where a client goes on from that comes with this `pos`.
    ///
    /// # Errors
    /// [`ChatError::UnknownPosition`] when this node did not give it out to this connection, or no longer knows.
    pub(super) fn resume(&self, caller: Caller<'_>, pos: &str, now: Time) -> Result<Base, ChatError> {
        let (number, id) = pos.split_once('.').ok_or(ChatError::UnknownPosition)?;
        let number: u64 = number.parse().map_err(|_| ChatError::UnknownPosition)?;
        let mut state = self.state.lock();
        let connection = state
            .devices
            .get_mut(&(caller.person, caller.device.to_owned()))
            .and_then(|device| device.iter_mut().find(|one| one.name == caller.connection))
            .filter(|connection| connection.id == id)
            .ok_or(ChatError::UnknownPosition)?;
        connection.receive(number)?;
        connection.seen_at = now;
        Ok(Base {
            known: Arc::clone(&connection.known),
            place: Some((connection.id.clone(), number)),
        })
    }

    /// Notes what an answer adds to a base; returns its `pos`. A new connection takes the place of an earlier one of
    /// its name.
    pub(super) fn answer(&self, caller: Caller<'_>, base: &Base, step: Step, now: Time) -> String {
        let mut state = self.state.lock();
        state.answers += 1;
        if state.answers.is_multiple_of(ANSWERS_A_SWEEP) {
            state.sweep(now);
        }
        let device = state
            .devices
            .entry((caller.person, caller.device.to_owned()))
            .or_default();
        let Some((id, received)) = &base.place else {
            device.retain(|connection| connection.name != caller.connection);
            let connection = Connection::begin(caller.connection, step, now);
            let pos = connection.pos();
            device.push(connection);
            if device.len() > SLIDING_CONNECTIONS_A_DEVICE_MAX {
                let quietest =
                    (0..device.len()).min_by_key(|index| device.get(*index).map(|one| one.seen_at));
                device.remove(quietest.unwrap_or_default());
            }
            return pos;
        };
        let connection = device
            .iter_mut()
            .find(|connection| connection.id == *id && connection.received == *received);
        match connection {
            Some(connection) => connection.offer(step, now),
            // It began anew meanwhile, or went on from another answer: nobody waits for this one.
            None => format!("0.{id}"),
        }
    }
}

impl Connection {
    fn begin(name: &str, step: Step, now: Time) -> Self {
        let mut known = Known::default();
        known.take(step);
        Self {
            name: name.to_owned(),
            id: random::name(),
            known: Arc::new(known),
            received: 1,
            pending: VecDeque::new(),
            last: 1,
            seen_at: now,
        }
    }

    fn pos(&self) -> String {
        format!("{}.{}", self.last, self.id)
    }

    /// The client has this answer.
    fn receive(&mut self, number: u64) -> Result<(), ChatError> {
        if number == self.received {
            return Ok(());
        }
        let place = self.pending.iter().position(|(pending, _)| *pending == number);
        let found = place.and_then(|place| self.pending.remove(place));
        let (_, step) = found.ok_or(ChatError::UnknownPosition)?;
        // Others were answers to the same request, which it did not get.
        self.pending.clear();
        Arc::make_mut(&mut self.known).take(step);
        self.received = number;
        Ok(())
    }

    fn offer(&mut self, step: Step, now: Time) -> String {
        self.last += 1;
        self.pending.push_back((self.last, step));
        if self.pending.len() > SLIDING_ANSWERS_KEPT {
            self.pending.pop_front();
        }
        self.seen_at = now;
        self.pos()
    }
}

impl State {
    /// Forgets connections that went quiet, and when there are too many those that were quiet longest.
    fn sweep(&mut self, now: Time) {
        let mut standing: Vec<(Time, usize)> = Vec::new();
        for device in self.devices.values_mut() {
            device.retain(|connection| now.since(connection.seen_at) <= SLIDING_CONNECTION_KEPT);
            let facts = device.iter().map(|one| (one.seen_at, one.known.rooms.len()));
            standing.extend(facts);
        }
        standing.sort_unstable_by(|one, other| other.cmp(one));
        let mut rooms = 0;
        let fitting = standing
            .iter()
            .take(SLIDING_CONNECTIONS_MAX)
            .take_while(|(_, count)| {
                rooms += count;
                rooms <= SLIDING_ROOMS_KEPT_MAX
            });
        let fitting = fitting.count();
        if let Some((first_too_many, _)) = standing.get(fitting) {
            for device in self.devices.values_mut() {
                device.retain(|connection| connection.seen_at > *first_too_many);
            }
        }
        self.devices.retain(|_, device| !device.is_empty());
    }
}

#[cfg(test)]
mod tests;
