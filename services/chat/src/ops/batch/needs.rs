//! What a batch has to know before it can judge, and one look-up for each kind of it.

use std::collections::{BTreeSet, HashMap, HashSet};

use haechi_base::PersonId;
use haechi_store::{Row, StoreError, Tx};

use super::super::stream::{Request, Wish};
use super::relate;
use crate::model::{Draft, Event, Relation, Room, Stream, authorising_user_of, person_of, stream_of};
use crate::store;
use crate::store::state::StateKey;

/// The names of what is needed, each once and in one order.
#[derive(Default)]
pub(super) struct Needs {
    rooms: BTreeSet<String>,
    members: BTreeSet<(PersonId, String)>,
    state: BTreeSet<StateKey>,
    /// Events that are redacted, read up to, or related to.
    targets: BTreeSet<String>,
    /// Reactions that may be there already.
    reactions: BTreeSet<[u8; 32]>,
    /// Threads that are read, and up to which event.
    thread_reads: BTreeSet<(String, String)>,
    /// Ids of new state events: what is there of them already is a repetition.
    new_state: BTreeSet<String>,
    /// Names that rooms are to be given.
    aliases: BTreeSet<String>,
    /// How many positions to draw.
    pub(super) positions: usize,
}

impl Needs {
    pub(super) fn of(requests: &[Request], server_name: &str) -> Self {
        let mut needs = Self::default();
        for request in requests {
            match &request.wish {
                Wish::Events(drafts) | Wish::NewRoom(drafts) | Wish::Staff(drafts) => {
                    needs.add_drafts(&request.room_id, drafts, server_name);
                }
                Wish::Found(founding) => {
                    needs.add_drafts(&request.room_id, &founding.drafts, server_name);
                    if let Some((room_id, drafts)) = &founding.replaces {
                        needs.add_drafts(room_id, drafts, server_name);
                    }
                    needs.aliases.extend(founding.alias.clone());
                }
                Wish::Receipt { event_id, thread, .. } => {
                    if thread.starts_with('$') {
                        needs.thread_reads.insert((thread.clone(), event_id.clone()));
                    }
                    needs.rooms.insert(request.room_id.clone());
                    needs.members.insert((request.person, request.room_id.clone()));
                    needs.targets.insert(event_id.clone());
                    needs.positions += 1;
                }
                Wish::Place => {}
            }
        }
        needs
    }

    pub(super) fn add_unplaced(&mut self, events: &[Event]) {
        self.positions += events.len();
        self.rooms
            .extend(events.iter().map(|event| event.room_id.clone()));
    }

    fn add_drafts(&mut self, room_id: &str, drafts: &[Draft], server_name: &str) {
        self.rooms.insert(room_id.to_owned());
        for draft in drafts {
            self.add_draft(room_id, draft, server_name);
        }
    }

    fn add_draft(&mut self, room_id: &str, draft: &Draft, server_name: &str) {
        self.positions += 1;
        self.members.insert((draft.sender, room_id.to_owned()));
        if let Some(state_key) = &draft.state_key {
            self.state
                .insert((room_id.to_owned(), draft.kind.clone(), state_key.clone()));
            self.new_state.insert(draft.event_id.clone());
            if draft.kind == "m.room.member"
                && let Some(person) = person_of(state_key, server_name)
            {
                self.members.insert((person, room_id.to_owned()));
                let voucher = authorising_user_of(&draft.content);
                if let Some(voucher) = voucher.and_then(|user| person_of(&user, server_name)) {
                    self.members.insert((voucher, room_id.to_owned()));
                }
            }
        }
        self.targets.extend(draft.redacts.clone());
        if let Some(relation) = Relation::of_draft(draft) {
            let stream = stream_of(room_id);
            self.reactions
                .extend(relation.reaction(draft.sender, &draft.kind, stream));
            self.targets.insert(relation.target);
        }
    }
}

/// A room as the batch goes along.
#[derive(Debug, Clone, Default)]
pub(super) struct RoomEntry {
    pub(super) room: Room,
    /// Messages that notify, counted from the beginning of the batch.
    pub(super) new_messages: i64,
    /// Whether its rules are new or changed.
    pub(super) has_new_rules: bool,
}

/// What was found.
#[derive(Default)]
pub(super) struct Loaded {
    pub(super) rooms: HashMap<String, RoomEntry>,
    pub(super) state: HashMap<StateKey, Event>,
    pub(super) targets: HashMap<String, Event>,
    pub(super) existing: HashSet<String>,
    /// The rooms that aliases point to.
    pub(super) aliases: HashMap<String, String>,
    pub(super) reactions: HashSet<[u8; 32]>,
    /// How many messages threads have up to where they were read: by (root, event).
    pub(super) thread_ordinals: HashMap<(String, String), i64>,
}

/// Draws the positions that are needed and looks everything up; returns the first position.
pub(super) async fn load(
    tx: &mut Tx<'_>,
    stream: Stream,
    needs: &Needs,
) -> Result<(i64, Loaded), StoreError> {
    let room_ids: Vec<&str> = needs.rooms.iter().map(String::as_str).collect();
    let pairs: Vec<(PersonId, &str)> = needs
        .members
        .iter()
        .map(|(person, room_id)| (*person, room_id.as_str()))
        .collect();
    let member_keys = store::memberships::keys_of(&pairs);
    // What every batch asks goes out at once. The counter comes first: who draws from it at the same time waits there.
    let mut asked = vec![store::streams::asked_draw(stream, needs.positions, tx.term())];
    asked.extend(store::rooms::asked(&room_ids));
    let of_rooms = asked.len();
    asked.extend(store::memberships::asked(&member_keys));
    let answers = tx.ask_all(&asked).await?;
    let (drawn, answers) = answers.split_at(1.min(answers.len()));
    let (rooms, members) = answers.split_at((of_rooms - 1).min(answers.len()));
    let first_position = store::streams::first_drawn(&drawn.concat(), needs.positions)?;
    let mut loaded = loaded_rooms(&rooms.concat(), &members.concat())?;
    load_more(tx, needs, &mut loaded).await?;
    Ok((first_position, loaded))
}

fn loaded_rooms(rooms: &[Row], members: &[Row]) -> Result<Loaded, StoreError> {
    let mut loaded = Loaded::default();
    for found in store::rooms::read_all(rooms)? {
        let entry = RoomEntry {
            room: Room {
                rules: Some(found.rules),
                members: HashMap::new(),
            },
            new_messages: 0,
            has_new_rules: false,
        };
        loaded.rooms.insert(found.room_id, entry);
    }
    for found in store::memberships::read_all(members)? {
        let entry = loaded.rooms.entry(found.room_id).or_default();
        entry.room.members.insert(found.person, found.member);
    }
    Ok(loaded)
}

/// What only some batches ask.
async fn load_more(tx: &mut Tx<'_>, needs: &Needs, loaded: &mut Loaded) -> Result<(), StoreError> {
    if !needs.state.is_empty() {
        let keys: Vec<StateKey> = needs.state.iter().cloned().collect();
        for event in store::state::current(tx, &keys).await? {
            let state_key = event.state_key.clone().unwrap_or_default();
            loaded
                .state
                .insert((event.room_id.clone(), event.kind.clone(), state_key), event);
        }
        let new_state: Vec<&str> = needs.new_state.iter().map(String::as_str).collect();
        loaded.existing = store::events::existing(tx, &new_state)
            .await?
            .into_iter()
            .collect();
    }
    if !needs.aliases.is_empty() {
        let aliases: Vec<&str> = needs.aliases.iter().map(String::as_str).collect();
        let found = store::aliases::find(tx, &aliases).await?;
        loaded.aliases = found
            .into_iter()
            .map(|alias| (alias.alias, alias.room_id))
            .collect();
    }
    if !needs.targets.is_empty() {
        let targets: Vec<&str> = needs.targets.iter().map(String::as_str).collect();
        let found = store::events::find(tx, &targets).await?;
        loaded.targets = found
            .into_iter()
            .map(|event| (event.event_id.clone(), event))
            .collect();
    }
    if !needs.reactions.is_empty() {
        let reactions: Vec<[u8; 32]> = needs.reactions.iter().copied().collect();
        loaded.reactions = store::relations::reactions(tx, &reactions)
            .await?
            .into_iter()
            .collect();
    }
    if !needs.thread_reads.is_empty() {
        relate::load_threads(tx, &needs.thread_reads, loaded).await?;
    }
    Ok(())
}
