//! Judges the requests of a batch in memory and notes what is to be written.

use std::collections::{BTreeMap, HashMap, HashSet};

use haechi_base::{PersonId, Time};

use super::super::stream::{Answer, Request, Wish};
use super::found::{Founded, is_in};
use super::needs::{Loaded, RoomEntry};
use super::relate::{Judged, NotedRelation, TakenBack, ThreadRead};
use crate::model::{
    ChatError, Draft, Event, Member, Membership, Mentions, Reader, authorise, bumps, notifies, person_of,
    redacted_content,
};
use crate::store::events::Placed;
use crate::store::receipts::Receipt;
use crate::store::state::StateKey;

/// The state of a batch while it is judged.
pub(super) struct Bench<'b> {
    pub(super) loaded: Loaded,
    next_position: i64,
    pub(super) server_name: &'b str,
    pub(super) out: Out,
}

/// How many messages of a room somebody has read.
#[derive(Debug, Clone, Copy)]
pub(super) enum ReadCount {
    /// All up to an event that was there before.
    Known(i64),
    /// All from before the batch, and so many of the batch's own.
    New(i64),
}

/// How far somebody has read.
pub(super) struct NotedRead {
    /// The event of this batch that says so; `None` for a receipt.
    pub(super) event_id: Option<String>,
    pub(super) room_id: String,
    pub(super) person: PersonId,
    pub(super) position: i64,
    pub(super) count: ReadCount,
    /// Whether the room's threads are read up to there as well.
    pub(super) has_read_threads: bool,
}

/// What is to be written.
#[derive(Default)]
pub(super) struct Out {
    pub(super) events: Vec<Event>,
    pub(super) event_ids: HashSet<String>,
    /// Events asked for again.
    pub(super) repeats: Vec<String>,
    pub(super) state: BTreeMap<StateKey, (String, i64)>,
    pub(super) members: BTreeMap<(String, PersonId), (Member, String, i64)>,
    /// What is taken back: (by which event, what, what stays of it, the redaction as clients read it).
    pub(super) redactions: Vec<(String, String, String, String)>,
    pub(super) reads: Vec<NotedRead>,
    pub(super) relations: Vec<NotedRelation>,
    pub(super) reactions: HashSet<[u8; 32]>,
    pub(super) thread_reads: Vec<ThreadRead>,
    pub(super) taken_back: Vec<TakenBack>,
    pub(super) receipts: HashMap<(String, PersonId, String, String), Receipt>,
    /// Who was mentioned: (by which event, room, person, position).
    pub(super) mentions: Vec<(String, String, PersonId, i64)>,
    /// Events that other services posted, with their places.
    pub(super) placed: Vec<Placed>,
    /// How many more are in a room.
    pub(super) joined: BTreeMap<String, i64>,
    pub(super) founded: Founded,
    /// The last position of each room where something happened.
    pub(super) touched: BTreeMap<String, i64>,
    /// When an event was posted that brings its room up in the lists.
    pub(super) bumped: HashMap<String, Time>,
}

impl<'b> Bench<'b> {
    pub(super) fn new(loaded: Loaded, first_position: i64, server_name: &'b str) -> Self {
        Self {
            loaded,
            next_position: first_position,
            server_name,
            out: Out::default(),
        }
    }

    /// Gives an event that was posted before its place.
    pub(super) fn place(&mut self, event: &Event) {
        let position = self.take_position();
        let entry = self.loaded.rooms.entry(event.room_id.clone()).or_default();
        if event.counts() {
            entry.new_messages += 1;
            self.out.reads.push(NotedRead {
                event_id: None,
                room_id: event.room_id.clone(),
                person: event.sender,
                position,
                count: ReadCount::New(entry.new_messages),
                has_read_threads: false,
            });
        }
        self.out.placed.push(Placed {
            event_id: event.event_id.clone(),
            room_id: event.room_id.clone(),
            position,
            ordinal: entry.new_messages,
        });
        self.out.touched.insert(event.room_id.clone(), position);
        if bumps(&event.kind) {
            self.out.bumped.insert(event.room_id.clone(), event.sent_at);
        }
    }

    /// Allows a request and notes its writes, or refuses it and notes nothing.
    pub(super) fn judge(&mut self, request: &Request) -> Answer {
        match &request.wish {
            Wish::Place => Ok(None),
            Wish::Receipt {
                kind,
                thread,
                event_id,
            } => self.receipt(request, kind, thread, event_id).map(|()| None),
            Wish::NewRoom(_) if self.is_known(&request.room_id) => Ok(None),
            Wish::Found(founding) => self.found(request, founding),
            Wish::Events(_) | Wish::Staff(_) if !self.is_known(&request.room_id) => {
                Err(ChatError::not_in_room())
            }
            Wish::Events(drafts) | Wish::NewRoom(drafts) | Wish::Staff(drafts) => {
                self.events(request, drafts).map(Some)
            }
        }
    }

    pub(super) fn is_known(&self, room_id: &str) -> bool {
        self.loaded
            .rooms
            .get(room_id)
            .is_some_and(|entry| entry.room.rules.is_some())
    }

    fn take_position(&mut self) -> i64 {
        let position = self.next_position;
        self.next_position += 1;
        position
    }

    /// All events of a request or none: they are judged on a copy of the room, which takes its place only when
    /// the last one was allowed.
    fn events(&mut self, request: &Request, drafts: &[Draft]) -> Result<String, ChatError> {
        let room_id = &request.room_id;
        let mut entry = match drafts {
            // A single draft changes the room only after it was allowed, so the room itself can be lent out.
            [_] => self.loaded.rooms.remove(room_id).unwrap_or_default(),
            _ => self.loaded.rooms.get(room_id).cloned().unwrap_or_default(),
        };
        let mut steps = Vec::with_capacity(drafts.len());
        let mut current = HashMap::new();
        let mut refused = None;
        for draft in drafts {
            match self.step(&mut entry, &mut current, request, draft) {
                Ok(step) => steps.push(step),
                Err(error) => {
                    refused = Some(error);
                    break;
                }
            }
        }
        if let Some(error) = refused {
            if drafts.len() == 1 {
                self.loaded.rooms.insert(room_id.clone(), entry);
            }
            return Err(error);
        }
        self.loaded.rooms.insert(room_id.clone(), entry);
        let mut last = String::new();
        for step in steps {
            last = self.note(step);
        }
        Ok(last)
    }

    /// Judges one event on the room as it stands, and takes it up there.
    pub(super) fn step(
        &mut self,
        entry: &mut RoomEntry,
        current: &mut HashMap<StateKey, Event>,
        request: &Request,
        draft: &Draft,
    ) -> Result<Step, ChatError> {
        if self.loaded.existing.contains(&draft.event_id) || self.out.event_ids.contains(&draft.event_id) {
            return Ok(Step::Repeat(draft.event_id.clone()));
        }
        let key = draft
            .state_key
            .as_ref()
            .map(|state_key| (request.room_id.clone(), draft.kind.clone(), state_key.clone()));
        let before = key
            .as_ref()
            .and_then(|key| current.get(key).or_else(|| self.loaded.state.get(key)));
        if let Some(before) = before
            && before.sender == draft.sender
            && before.content == draft.content.as_str()
        {
            return Ok(Step::Repeat(before.event_id.clone()));
        }
        if !matches!(request.wish, Wish::Staff(_)) {
            authorise(&entry.room, draft, self.server_name)?;
        }
        let redaction = draft
            .redacts
            .as_ref()
            .map(|target| self.redaction(entry, request, draft, target))
            .transpose()?;
        let related = self.relation(request, draft)?;
        let (replaces, previous_content) = before
            .map(|before| (before.event_id.clone(), before.content.clone()))
            .unzip();
        let was_in = is_in(entry, draft, self.server_name);
        entry.room.apply(draft, self.server_name)?;
        let joined = i64::from(is_in(entry, draft, self.server_name)) - i64::from(was_in);
        let position = self.take_position();
        entry.new_messages += i64::from(draft.counts());
        let event = event_of(entry, request, draft, position, replaces, previous_content);
        let member = take_member(entry, draft, position, self.server_name);
        entry.has_new_rules |= is_rule(draft);
        if let Some(key) = key {
            current.insert(key, event.clone());
        }
        Ok(Step::Put(Box::new(Put {
            event,
            member,
            joined,
            mentions: Mentions::of(&draft.content),
            related,
            redaction: redaction.map(|because| (draft.redacts.clone().unwrap_or_default(), because)),
        })))
    }

    /// Whether the sender may take the target back; returns the redaction as the target's readers see it.
    fn redaction(
        &self,
        entry: &RoomEntry,
        request: &Request,
        draft: &Draft,
        target: &str,
    ) -> Result<String, ChatError> {
        let found = self
            .loaded
            .targets
            .get(target)
            .filter(|event| event.room_id == request.room_id);
        let Some(event) = found else {
            return Err(ChatError::not_found("there is no such event in this room"));
        };
        let levels = entry
            .room
            .rules
            .as_ref()
            .and_then(|rules| rules.power_levels.as_ref());
        let needed = levels.map_or(50, |levels| levels.redact);
        let own = entry.room.power(draft.sender, self.server_name);
        let is_staff = matches!(request.wish, Wish::Staff(_));
        if event.sender != draft.sender && own < needed && !is_staff {
            return Err(ChatError::forbidden(format!(
                "to take back another's message needs power level {needed}, and yours is {own}"
            )));
        }
        let because = event_of(entry, request, draft, 0, None, None);
        let reader = Reader {
            person: draft.sender,
            device: "",
            server_name: self.server_name,
            now: request.now,
        };
        Ok(because.for_client(reader, true).get().to_owned())
    }

    /// Notes what an allowed event writes; returns its id.
    pub(super) fn note(&mut self, step: Step) -> String {
        let put = match step {
            Step::Repeat(event_id) => {
                self.out.repeats.push(event_id.clone());
                return event_id;
            }
            Step::Put(put) => put,
        };
        let event = put.event;
        let (room_id, position) = (event.room_id.clone(), event.position);
        self.out.touched.insert(room_id.clone(), position);
        if let Some(state_key) = &event.state_key {
            let key = (room_id.clone(), event.kind.clone(), state_key.clone());
            self.out
                .state
                .insert(key.clone(), (event.event_id.clone(), position));
            self.loaded.state.insert(key, event.clone());
        }
        if let Some((person, member)) = put.member {
            if member.joined_from == Some(position) {
                // What was said before one came is not unread.
                self.out.reads.push(read_by(&event, person, true));
            }
            let noted = (member, event.event_id.clone(), position);
            self.out.members.insert((room_id.clone(), person), noted);
            *self.out.joined.entry(room_id.clone()).or_default() += put.joined;
        }
        if let Some((target, because)) = put.redaction
            && let Some(redacted) = self.loaded.targets.get(&target)
        {
            let rules = self
                .loaded
                .rooms
                .get(&room_id)
                .and_then(|entry| entry.room.rules.as_ref());
            let version = rules.map(|rules| rules.version).unwrap_or_default();
            let content = redacted_content(version, &redacted.kind, &redacted.content);
            let by = event.event_id.clone();
            self.out.taken_back.push(TakenBack::of(&by, redacted));
            self.out.redactions.push((by, target, content, because));
        }
        if notifies(&event.kind, event.state_key.as_deref()) {
            if !put.related.as_ref().is_some_and(Judged::is_thread) {
                // Who writes has read; in a thread, that thread.
                self.out.reads.push(read_by(&event, event.sender, false));
            }
            self.note_mentions(&event, &put.mentions);
        }
        if let Some(related) = put.related {
            self.note_relation(&event, related);
        }
        self.out.event_ids.insert(event.event_id.clone());
        let event_id = event.event_id.clone();
        self.out.events.push(event);
        event_id
    }

    fn receipt(
        &mut self,
        request: &Request,
        kind: &str,
        thread: &str,
        event_id: &str,
    ) -> Result<(), ChatError> {
        let room_id = &request.room_id;
        let entry = self
            .loaded
            .rooms
            .get(room_id)
            .ok_or_else(ChatError::not_in_room)?;
        if entry.room.membership(request.person) != Membership::Join {
            return Err(ChatError::not_in_room());
        }
        let target = self
            .loaded
            .targets
            .get(event_id)
            .filter(|event| event.room_id == *room_id);
        let Some(target) = target else {
            return Err(ChatError::not_found("there is no such event in this room"));
        };
        let (read_to, ordinal) = (target.position, target.ordinal);
        if thread.starts_with('$') {
            self.read_thread(request.person, thread, event_id, read_to)?;
        } else {
            self.out.reads.push(NotedRead {
                event_id: None,
                room_id: room_id.clone(),
                person: request.person,
                position: read_to,
                count: ReadCount::Known(ordinal),
                has_read_threads: thread.is_empty(),
            });
        }
        let position = self.take_position();
        let receipt = Receipt {
            room_id: room_id.clone(),
            person: request.person,
            kind: kind.to_owned(),
            thread: thread.to_owned(),
            event_id: event_id.to_owned(),
            sent_at: request.now,
            position,
        };
        let key = (
            room_id.clone(),
            request.person,
            kind.to_owned(),
            thread.to_owned(),
        );
        self.out.receipts.insert(key, receipt);
        self.out.touched.insert(room_id.clone(), position);
        Ok(())
    }
}

/// Who has read all up to an event of this batch.
fn read_by(event: &Event, person: PersonId, has_read_threads: bool) -> NotedRead {
    NotedRead {
        event_id: Some(event.event_id.clone()),
        room_id: event.room_id.clone(),
        person,
        position: event.position,
        count: ReadCount::New(event.ordinal),
        has_read_threads,
    }
}

/// What an allowed event comes to.
pub(super) enum Step {
    /// It is there already, or would change nothing.
    Repeat(String),
    /// It is to be put in.
    Put(Box<Put>),
}

pub(super) struct Put {
    event: Event,
    member: Option<(PersonId, Member)>,
    /// How many more are in the room.
    joined: i64,
    mentions: Mentions,
    related: Option<Judged>,
    redaction: Option<(String, String)>,
}

/// The event as it is kept, in the room as it stands after it.
fn event_of(
    entry: &RoomEntry,
    request: &Request,
    draft: &Draft,
    position: i64,
    replaces: Option<String>,
    previous_content: Option<String>,
) -> Event {
    let visible_to = entry
        .room
        .rules
        .as_ref()
        .map_or("shared", |rules| rules.history_visibility.as_str());
    Event {
        event_id: draft.event_id.clone(),
        room_id: request.room_id.clone(),
        position,
        ordinal: entry.new_messages,
        sender: draft.sender,
        kind: draft.kind.clone(),
        state_key: draft.state_key.clone(),
        content: draft.content.as_str().to_owned(),
        sent_at: request.now,
        visible_to: visible_to.to_owned(),
        redacts: draft.redacts.clone(),
        redacted_because: None,
        replaces,
        previous_content,
        sent_as: draft.sent_as.clone(),
        related: None,
        standing: None,
    }
}

/// The membership that the event made, with the positions from which its person may read.
fn take_member(
    entry: &mut RoomEntry,
    draft: &Draft,
    position: i64,
    server_name: &str,
) -> Option<(PersonId, Member)> {
    let state_key = draft
        .state_key
        .as_deref()
        .filter(|_| draft.kind == "m.room.member")?;
    let person = person_of(state_key, server_name)?;
    let member = entry.room.members.get_mut(&person)?;
    let place = match member.membership {
        Membership::Join => &mut member.joined_from,
        Membership::Invite => &mut member.invited_from,
        Membership::Leave | Membership::Ban if member.joined_from.is_some() => &mut member.left_at,
        Membership::Leave | Membership::Ban | Membership::Knock => return Some((person, *member)),
    };
    place.get_or_insert(position);
    Some((person, *member))
}

/// Whether the event sets what is kept in the room's own row.
fn is_rule(draft: &Draft) -> bool {
    draft.state_key.as_deref() == Some("")
        && matches!(
            draft.kind.as_str(),
            "m.room.create" | "m.room.power_levels" | "m.room.join_rules" | "m.room.history_visibility"
        )
}
