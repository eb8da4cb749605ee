//! What the hub knows of a person who syncs, so that a sync which has only messages to tell asks the store nothing.
//!
//! A [`Mind`] is made of what a sync read from the store, and holds as long as nothing happens to the person but
//! messages in their rooms. Everything else that concerns them makes the hub forget it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use haechi_base::{PersonId, Time};

use super::recent::{Known, Log, Message};
use super::{Listener, RoomEntry, State};
use crate::model::{STREAMS, Stream, SyncToken, notifies};
use crate::store::receipts::{EVERYBODY, Unread};

/// For how long what was read is held for true, at the most.
const BELIEVED: Duration = Duration::from_secs(60);

/// Rooms of a person in which it is known what they have read.
const ROOMS_MAX: usize = 48;

/// Devices of a person.
const DEVICES_MAX: usize = 6;

/// What a sync tells a device of its own keys.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeviceKeys {
    pub(crate) one_time_keys: BTreeMap<String, u32>,
    pub(crate) unused_fallbacks: Vec<String>,
}

/// What is known of a person.
pub(super) struct Mind {
    /// Since when all is known that happened to them.
    floor: SyncToken,
    read_at: Time,
    devices: Vec<(String, Arc<DeviceKeys>)>,
    rooms: Vec<RoomMind>,
}

/// How a person stands to a room they are in.
struct RoomMind {
    room: Arc<str>,
    joined_from: i64,
    /// Up to which position `unread` counts.
    counted_until: i64,
    unread: Unread,
}

/// What a sync read from the store, to be kept in mind.
#[derive(Debug)]
pub(crate) struct Memory<'m> {
    pub(crate) person: PersonId,
    pub(crate) device: &'m str,
    /// The snapshot.
    pub(crate) now: SyncToken,
    pub(crate) read_at: Time,
    pub(crate) keys: DeviceKeys,
    /// Rooms where everybody's rules count what is unread, and no thread is: (room, since when the person is in it,
    /// what is unread).
    pub(crate) rooms: Vec<(String, i64, Unread)>,
}

/// What a sync asks of the hub.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question<'q> {
    pub(crate) person: PersonId,
    pub(crate) device: &'q str,
    pub(crate) since: SyncToken,
    /// The serial of typing and presence, which nothing is to be told of.
    pub(crate) serial: i64,
    /// Most messages of a room.
    pub(crate) limit: usize,
    pub(crate) now: Time,
}

/// All that is new to a person, and it is nothing but messages.
#[derive(Debug)]
pub(crate) struct Recalled {
    pub(crate) reached: SyncToken,
    pub(crate) rooms: Vec<RecalledRoom>,
    pub(crate) keys: Arc<DeviceKeys>,
}

/// What is new in a room.
#[derive(Debug)]
pub(crate) struct RecalledRoom {
    pub(crate) room_id: Arc<str>,
    /// The newest messages, the oldest first.
    pub(crate) messages: Vec<Arc<Message>>,
    /// Whether there are more before them.
    pub(crate) limited: bool,
    pub(crate) unread: Unread,
}

impl State {
    /// How far all streams are known; `None` while one is not.
    fn known(&self) -> Option<[Known; STREAMS as usize + 1]> {
        let mut all = [Known::at(0); STREAMS as usize + 1];
        for (place, known) in all.iter_mut().zip(&self.streams) {
            *place = (*known)?;
        }
        Some(all)
    }

    /// What is new since a token; `None` when memory does not say.
    pub(super) fn recall(&mut self, asked: &Question<'_>) -> Option<Recalled> {
        let known = self.known()?;
        let State { people, rooms, .. } = self;
        let listener = people.get_mut(&asked.person).filter(|known| known.is_complete)?;
        let mind = listener.mind.as_mut()?;
        if asked.now.since(mind.read_at) > BELIEVED || !mind.is_kept_up(&known) {
            listener.mind = None;
            return None;
        }
        for (stream, known) in (0..).zip(&known) {
            let since = asked.since.position(stream);
            let told_from = listener.touched_from.position(stream).max(known.from);
            let is_covered =
                since >= mind.floor.position(stream) && since >= told_from && since <= known.reach;
            if !is_covered {
                return None;
            }
        }
        let keys = mind.devices.iter().find(|(device, _)| device == asked.device);
        let keys = Arc::clone(&keys?.1);
        let mut recalled = Vec::new();
        for touched in &listener.touched {
            if touched.position <= asked.since.position(touched.stream) {
                continue;
            }
            let entry = rooms.get(&touched.room)?;
            let reach = known.get(usize::from(touched.stream))?.reach;
            recalled.extend(mind.recall_room(entry, touched, asked, reach)?);
        }
        Some(Recalled {
            reached: SyncToken::new(known.map(|known| known.reach), asked.serial),
            rooms: recalled,
            keys,
        })
    }

    /// Keeps what a sync read from the store.
    pub(super) fn remember(&mut self, memory: Memory<'_>, seen_by_pulse: &SyncToken) {
        for (stream, known) in (0..).zip(self.streams.iter_mut()) {
            let position = memory.now.position(stream);
            if known.is_none() && position >= seen_by_pulse.position(stream) {
                *known = Some(Known::at(position));
            }
        }
        let State { people, rooms, .. } = self;
        let Some(listener) = people.get_mut(&memory.person) else {
            return;
        };
        let mind = listener.mind.get_or_insert_with(|| Mind {
            floor: memory.now,
            read_at: memory.read_at,
            devices: Vec::new(),
            rooms: Vec::new(),
        });
        mind.devices.retain(|(device, _)| device != memory.device);
        if mind.devices.len() >= DEVICES_MAX {
            mind.devices.remove(0);
        }
        mind.devices
            .push((memory.device.to_owned(), Arc::new(memory.keys)));
        for (room_id, joined_from, unread) in memory.rooms {
            if let Some((room, entry)) = rooms.get_key_value(room_id.as_str()) {
                let counted_until = memory.now.position(entry.stream);
                mind.take_room(RoomMind {
                    room: Arc::clone(room),
                    joined_from,
                    counted_until,
                    unread,
                });
            }
        }
    }
}

impl Mind {
    /// Whether all was told that happened since it was made.
    fn is_kept_up(&self, known: &[Known]) -> bool {
        let mut streams = (0..).zip(known);
        streams.all(|(stream, known)| self.floor.position(stream) >= known.from)
    }

    fn take_room(&mut self, room: RoomMind) {
        if let Some(known) = self.rooms.iter_mut().find(|known| known.room == room.room) {
            if known.counted_until <= room.counted_until {
                *known = room;
            }
            return;
        }
        if self.rooms.len() >= ROOMS_MAX {
            self.rooms.remove(0);
        }
        self.rooms.push(room);
    }

    /// What is new in a room: `None` when memory does not say, `Some(None)` when it is nothing.
    fn recall_room(
        &mut self,
        entry: &RoomEntry,
        touched: &Touched,
        asked: &Question<'_>,
        reach: i64,
    ) -> Option<Option<RecalledRoom>> {
        let since = asked.since.position(touched.stream);
        let mut newest = entry.log.since(since)?.rev();
        let mut messages: Vec<Arc<Message>> = newest.by_ref().take(asked.limit).cloned().collect();
        if messages.is_empty() {
            return Some(None);
        }
        messages.reverse();
        let limited = newest.next().is_some();
        let room = self
            .rooms
            .iter_mut()
            .find(|room| Arc::ptr_eq(&room.room, &touched.room))?;
        if room.joined_from > since {
            return None;
        }
        room.count_on(&entry.log, asked.person, reach)?;
        Some(Some(RecalledRoom {
            room_id: Arc::clone(&room.room),
            messages,
            limited,
            unread: room.unread,
        }))
    }
}

impl RoomMind {
    /// Counts on what was said since; `None` when that is not known.
    fn count_on(&mut self, log: &Log, person: PersonId, reach: i64) -> Option<()> {
        for message in log.since(self.counted_until)? {
            let event = &message.event;
            if event.sender == person && notifies(&event.kind, event.state_key.as_deref()) {
                // Who writes has read.
                self.unread.messages = 0;
                self.unread.mentions = 0;
                self.unread.position = event.position;
                continue;
            }
            self.unread.messages += i64::from(event.counts());
            let concerns = |mentioned: &PersonId| *mentioned == person || *mentioned == EVERYBODY;
            self.unread.mentions += u32::from(message.mentions.iter().any(concerns));
        }
        self.counted_until = reach.max(self.counted_until);
        Some(())
    }
}

/// Where something happened, of the rooms of one person.
pub(super) struct Touched {
    pub(super) room: Arc<str>,
    pub(super) stream: Stream,
    pub(super) position: i64,
}

/// Rooms that are noted of one person.
const TOUCHED_MAX: usize = 64;

impl Listener {
    /// Notes that something happened in a room of theirs.
    pub(super) fn touch(&mut self, room: &Arc<str>, stream: Stream, position: i64) {
        let known = self
            .touched
            .iter_mut()
            .find(|touched| Arc::ptr_eq(&touched.room, room));
        if let Some(touched) = known {
            touched.position = touched.position.max(position);
            return;
        }
        if self.touched.len() >= TOUCHED_MAX {
            self.forget_touched();
        }
        self.touched.push(Touched {
            room: Arc::clone(room),
            stream,
            position,
        });
    }

    /// Forgets where something happened: a sync from before is answered by the store.
    fn forget_touched(&mut self) {
        for touched in self.touched.drain(..) {
            let position = self.touched_from.position(touched.stream).max(touched.position);
            self.touched_from = self.touched_from.with_position(touched.stream, position);
        }
    }

    /// Forgets what is known of the person.
    pub(super) fn forget(&mut self) {
        self.mind = None;
        self.turns += 1;
    }
}
