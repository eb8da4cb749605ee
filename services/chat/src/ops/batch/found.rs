//! A new room with its name and its place in the directory, which may take the place of another; and what the directory
//! keeps of all rooms.

use std::collections::{BTreeMap, HashMap};

use haechi_base::Time;
use haechi_store::{StoreError, Tx};

use super::super::stream::{Answer, Founding, Request, Wish};
use super::judge::{Bench, Step};
use super::needs::{Loaded, RoomEntry};
use crate::model::{ChatError, Draft, Event, Membership, person_of};
use crate::ops::directory::{searched_word, words_of_state};
use crate::store;
use crate::store::aliases::Alias;
use crate::store::listing::Word;

/// What is written beside the events of new rooms.
#[derive(Default)]
pub(super) struct Founded {
    /// Aliases that are taken, each for its room.
    aliases: BTreeMap<String, Alias>,
    /// Rooms for the directory.
    listed: Vec<String>,
    /// Rooms whose place another takes: (old, new).
    replaced: Vec<(String, String)>,
}

/// Whether the person whom a membership is about is in the room.
pub(super) fn is_in(entry: &RoomEntry, draft: &Draft, server_name: &str) -> bool {
    let state_key = draft
        .state_key
        .as_deref()
        .filter(|_| draft.kind == "m.room.member");
    let person = state_key.and_then(|user| person_of(user, server_name));
    person.is_some_and(|person| entry.room.membership(person) == Membership::Join)
}

impl Bench<'_> {
    /// Makes a room, and puts it into the place of another when it is to take one. Nothing is noted before all of
    /// it was allowed.
    pub(super) fn found(&mut self, request: &Request, founding: &Founding) -> Answer {
        if self.is_known(&request.room_id) {
            return Ok(None);
        }
        if let Some(alias) = &founding.alias
            && (self.loaded.aliases.contains_key(alias) || self.out.founded.aliases.contains_key(alias))
        {
            return Err(ChatError::RoomInUse(alias.clone()));
        }
        let fresh = self.steps(request, &founding.drafts)?;
        let mut all = vec![(request.room_id.clone(), fresh)];
        if let Some((room_id, drafts)) = &founding.replaces {
            if !self.is_known(room_id) {
                return Err(ChatError::not_in_room());
            }
            let old = Request {
                room_id: room_id.clone(),
                person: request.person,
                now: request.now,
                wish: Wish::Events(Vec::new()),
            };
            all.push((room_id.clone(), self.steps(&old, drafts)?));
            let replaced = (room_id.clone(), request.room_id.clone());
            self.out.founded.replaced.push(replaced);
        }
        let mut last = String::new();
        for (room_id, (entry, steps)) in all {
            self.loaded.rooms.insert(room_id, entry);
            for step in steps {
                last = self.note(step);
            }
        }
        if founding.is_listed {
            self.out.founded.listed.push(request.room_id.clone());
        }
        if let Some(alias) = &founding.alias {
            let taken = Alias {
                alias: alias.clone(),
                room_id: request.room_id.clone(),
                creator: request.person,
            };
            self.out.founded.aliases.insert(alias.clone(), taken);
        }
        Ok(Some(last))
    }

    /// Judges events on a copy of their room.
    fn steps(&mut self, request: &Request, drafts: &[Draft]) -> Result<(RoomEntry, Vec<Step>), ChatError> {
        let known = self.loaded.rooms.get(&request.room_id);
        let mut entry = known.cloned().unwrap_or_default();
        let mut current = HashMap::new();
        let steps: Result<Vec<Step>, ChatError> = drafts
            .iter()
            .map(|draft| self.step(&mut entry, &mut current, request, draft))
            .collect();
        Ok((entry, steps?))
    }
}

/// Writes what the directory keeps of the batch's rooms.
pub(super) async fn keep(
    tx: &mut Tx<'_>,
    loaded: &Loaded,
    joined: &BTreeMap<String, i64>,
    events: &[Event],
    founded: &Founded,
    now: Time,
) -> Result<(), StoreError> {
    let counted: Vec<(&str, i64)> = joined
        .iter()
        .filter(|(_, count)| **count != 0)
        .map(|(room_id, count)| (room_id.as_str(), *count))
        .collect();
    store::listing::add_joined(tx, &counted).await?;
    let words: Vec<(String, Word, String)> = events.iter().filter_map(searched_word).collect();
    if !words.is_empty() {
        store::listing::set_words(tx, &words).await?;
    }
    for alias in founded.aliases.values() {
        // The room's id was made for this request: a request that is run again finds its own.
        store::aliases::put(tx, alias, &alias.room_id, now).await?;
    }
    for (old, new) in &founded.replaced {
        store::aliases::move_to(tx, old, new).await?;
        store::listing::unlist(tx, old).await?;
    }
    for room_id in &founded.listed {
        let state = loaded.state.iter().filter(|((room, ..), _)| room == room_id);
        let words = words_of_state(state.map(|(_, event)| event));
        let joined = store::listing::joined(tx, &[room_id]).await?;
        let joined = joined.get(room_id).copied().unwrap_or(0);
        store::listing::list(tx, room_id, joined, &words).await?;
    }
    Ok(())
}
