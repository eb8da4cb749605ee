//! Writes what a batch allowed, and says whom it concerns once it is committed.

use std::collections::btree_map::{BTreeMap, Entry};
use std::collections::{HashMap, HashSet};

use haechi_base::{PersonId, Time};
use haechi_store::{StoreError, Tx};

use super::super::hub::{Message, News, Plain};
use super::judge::{Bench, NotedRead, Out, ReadCount};
use super::needs::Loaded;
use super::relate;
use crate::model::{Event, Member, Membership, Rules, bumps};
use crate::store;
use crate::store::memberships::FoundMember;
use crate::store::receipts::Read;
use crate::store::rooms::Raised;

pub(super) async fn keep(
    tx: &mut Tx<'_>,
    bench: Bench<'_>,
    now: Time,
    mut news: News,
) -> Result<News, StoreError> {
    let (loaded, mut out) = (bench.loaded, bench.out);
    let touched = std::mem::take(&mut out.touched);
    let counted = counts(&loaded, &touched, &bumped(&out));
    let raised = store::rooms::raise_activity(tx, &counted).await?;
    let before: HashMap<&str, i64> = counted
        .iter()
        .map(|room| {
            let after = raised.get(room.room_id).copied().unwrap_or(0);
            (room.room_id, after - room.messages)
        })
        .collect();
    number(&mut out, &before);
    let new_rules = new_rules(&loaded);
    store::rooms::put(tx, &new_rules, now).await?;
    let repeated: HashSet<String> = store::events::insert(tx, &out.events)
        .await?
        .into_iter()
        .collect();
    if !repeated.is_empty() {
        // Messages are known as repetitions only now: a look before would read what other streams write.
        leave_out(tx, &mut out, &repeated).await?;
    }
    store::events::repeat(tx, &out.repeats).await?;
    if !out.placed.is_empty() {
        store::events::place(tx, &out.placed).await?;
    }
    let disturbed = disturbed(&out, &touched, &repeated);
    let mentioned = mentioned(&out.mentions);
    relate::keep(tx, &mut out, &repeated).await?;
    let reads = farthest(&out.reads, &before);
    let state: Vec<_> = out
        .state
        .into_iter()
        .map(|(key, (event_id, position))| (key, event_id, position))
        .collect();
    store::state::put(tx, &state).await?;
    let members = changed_members(out.members);
    store::memberships::put(tx, &members).await?;
    keep_redactions(tx, out.redactions).await?;
    store::receipts::put(tx, &out.receipts.values().collect::<Vec<_>>()).await?;
    keep_mentions(tx, out.mentions).await?;
    store::receipts::put_read(tx, &reads.iter().collect::<Vec<_>>()).await?;
    super::found::keep(tx, &loaded, &out.joined, &out.events, &out.founded, now).await?;

    // A message that was there already was counted then.
    take_back(tx, &counted_twice(&touched, &out.events, &repeated)).await?;

    news.plain = Some(plain(out.events, mentioned, disturbed));
    news.room_ids = touched.into_keys().collect();
    let memberships = members.into_iter();
    news.memberships = memberships
        .map(|found| (found.person, found.room_id, found.member.membership))
        .collect();
    Ok(news)
}

/// Memberships that the batch changed, as they stand after it.
fn changed_members(members: BTreeMap<(String, PersonId), (Member, String, i64)>) -> Vec<FoundMember> {
    members
        .into_iter()
        .map(|((room_id, person), (member, event_id, position))| FoundMember {
            room_id,
            person,
            member,
            event_id,
            position,
        })
        .collect()
}

/// The rooms in which the batch did something else than to put in messages that relate to nothing.
fn disturbed(out: &Out, touched: &BTreeMap<String, i64>, repeated: &HashSet<String>) -> HashSet<String> {
    if !repeated.is_empty() {
        return touched.keys().cloned().collect();
    }
    let of_events = out
        .events
        .iter()
        .filter(|event| event.state_key.is_some() || event.redacts.is_some())
        .map(|event| &event.room_id);
    let of_state = out.state.keys().map(|(room_id, ..)| room_id);
    let of_members = out.members.keys().map(|(room_id, _)| room_id);
    let of_receipts = out.receipts.keys().map(|(room_id, ..)| room_id);
    let of_placed = out.placed.iter().map(|placed| &placed.room_id);
    let of_relations = out.relations.iter().map(relate::NotedRelation::room_id);
    of_events
        .chain(of_state)
        .chain(of_members)
        .chain(of_receipts)
        .chain(of_placed)
        .chain(of_relations)
        .cloned()
        .collect()
}

/// Whom each event mentions.
fn mentioned(mentions: &[(String, String, PersonId, i64)]) -> HashMap<String, Vec<PersonId>> {
    let mut mentioned: HashMap<String, Vec<PersonId>> = HashMap::new();
    for (event_id, _, person, _) in mentions {
        mentioned.entry(event_id.clone()).or_default().push(*person);
    }
    mentioned
}

/// The messages of the rooms that are not disturbed, with whom each mentions.
fn plain(
    events: Vec<Event>,
    mut mentioned: HashMap<String, Vec<PersonId>>,
    disturbed: HashSet<String>,
) -> Plain {
    let messages = events
        .into_iter()
        .filter(|event| !disturbed.contains(&event.room_id))
        .map(|event| Message {
            mentions: mentioned.remove(&event.event_id).unwrap_or_default(),
            // Memory tells only those who were in the room before.
            event: Event {
                standing: Some(Membership::Join),
                ..event
            },
        })
        .collect();
    Plain { messages, disturbed }
}

/// Takes back what rooms were raised by messages that were there already.
async fn take_back(tx: &mut Tx<'_>, recount: &[Raised<'_>]) -> Result<(), StoreError> {
    store::rooms::raise_activity(tx, recount).await?;
    let room_ids: Vec<&str> = recount.iter().map(|room| room.room_id).collect();
    store::rooms::settle_bumps(tx, &room_ids).await
}

async fn keep_redactions(
    tx: &mut Tx<'_>,
    redactions: Vec<(String, String, String, String)>,
) -> Result<(), StoreError> {
    let rows: Vec<_> = redactions
        .into_iter()
        .map(|(_, target, content, because)| (target, content, because))
        .collect();
    store::events::redact(tx, &rows).await
}

async fn keep_mentions(
    tx: &mut Tx<'_>,
    mentions: Vec<(String, String, PersonId, i64)>,
) -> Result<(), StoreError> {
    let rows: Vec<_> = mentions
        .into_iter()
        .map(|(_, room_id, person, position)| (room_id, person, position))
        .collect();
    store::receipts::put_mentions(tx, &rows).await
}

fn new_rules(loaded: &Loaded) -> Vec<(&str, &Rules)> {
    let changed = loaded.rooms.iter().filter(|(_, entry)| entry.has_new_rules);
    changed
        .filter_map(|(room_id, entry)| Some((room_id.as_str(), entry.room.rules.as_ref()?)))
        .collect()
}

/// When the last event of each room was sent that brings it up in the lists.
fn bumped(out: &Out) -> HashMap<String, Time> {
    let mut bumped = out.bumped.clone();
    for event in out.events.iter().filter(|event| bumps(&event.kind)) {
        let at = bumped.entry(event.room_id.clone()).or_insert(event.sent_at);
        *at = event.sent_at.max(*at);
    }
    bumped
}

/// How far each room comes by this batch.
fn counts<'b>(
    loaded: &Loaded,
    touched: &'b BTreeMap<String, i64>,
    bumped: &HashMap<String, Time>,
) -> Vec<Raised<'b>> {
    let rooms = touched.iter().map(|(room_id, position)| Raised {
        room_id,
        position: *position,
        messages: loaded.rooms.get(room_id).map_or(0, |entry| entry.new_messages),
        bumped_at: bumped.get(room_id).copied(),
    });
    rooms.collect()
}

/// Numbers the batch's messages on from those each room had before.
fn number(out: &mut Out, before: &HashMap<&str, i64>) {
    let start = |room_id: &str| before.get(room_id).copied().unwrap_or(0);
    for event in &mut out.events {
        event.ordinal += start(&event.room_id);
    }
    for placed in &mut out.placed {
        placed.ordinal += start(&placed.room_id);
    }
}

/// Takes everything back that follows from messages which were there already, and numbers those after them anew.
async fn leave_out(tx: &mut Tx<'_>, out: &mut Out, repeated: &HashSet<String>) -> Result<(), StoreError> {
    let counted = |event: &&Event| repeated.contains(&event.event_id) && event.counts();
    let places: Vec<(String, i64)> = out
        .events
        .iter()
        .filter(counted)
        .map(|event| (event.room_id.clone(), event.position))
        .collect();
    let too_many = |room_id: &str, position: i64| {
        let earlier = places
            .iter()
            .filter(|(room, place)| room == room_id && *place < position);
        i64::try_from(earlier.count()).unwrap_or(i64::MAX)
    };
    out.redactions.retain(|(by, ..)| !repeated.contains(by));
    out.mentions.retain(|(by, ..)| !repeated.contains(by));
    out.reads
        .retain(|read| !read.event_id.as_ref().is_some_and(|by| repeated.contains(by)));
    for read in &mut out.reads {
        if let ReadCount::New(count) = &mut read.count {
            *count -= too_many(&read.room_id, read.position);
        }
    }
    let mut moved = Vec::new();
    for event in out
        .events
        .iter_mut()
        .filter(|event| !repeated.contains(&event.event_id))
    {
        let surplus = too_many(&event.room_id, event.position);
        event.ordinal -= surplus;
        if surplus > 0 {
            moved.push(&*event);
        }
    }
    store::events::renumber(tx, &moved).await
}

/// How far people have read, each person and room once. Nobody unreads: of two the later one stands.
fn farthest(noted: &[NotedRead], before: &HashMap<&str, i64>) -> Vec<Read> {
    let mut reads: BTreeMap<(&str, PersonId), Read> = BTreeMap::new();
    for noted in noted {
        let room_id = noted.room_id.as_str();
        let mut read = Read {
            room_id: noted.room_id.clone(),
            person: noted.person,
            position: noted.position,
            ordinal: match noted.count {
                ReadCount::Known(ordinal) => ordinal,
                ReadCount::New(count) => before.get(room_id).copied().unwrap_or(0) + count,
            },
            threads_position: if noted.has_read_threads { noted.position } else { 0 },
        };
        match reads.entry((room_id, noted.person)) {
            Entry::Occupied(mut known) if known.get().position >= read.position => {
                let known = known.get_mut();
                known.threads_position = known.threads_position.max(read.threads_position);
            }
            Entry::Occupied(mut known) => {
                read.threads_position = read.threads_position.max(known.get().threads_position);
                known.insert(read);
            }
            Entry::Vacant(place) => {
                place.insert(read);
            }
        }
    }
    reads.into_values().collect()
}

/// What to take back of each room's count: minus the messages that were there already.
fn counted_twice<'b>(
    touched: &'b BTreeMap<String, i64>,
    events: &[Event],
    repeated: &HashSet<String>,
) -> Vec<Raised<'b>> {
    let mut twice: BTreeMap<&str, i64> = BTreeMap::new();
    for event in events.iter().filter(|event| repeated.contains(&event.event_id)) {
        let counts = i64::from(event.counts());
        *twice.entry(event.room_id.as_str()).or_default() -= counts;
    }
    let rooms = touched.iter().filter_map(|(room_id, position)| {
        Some(Raised {
            room_id,
            position: *position,
            messages: *twice.get(room_id.as_str())?,
            bumped_at: None,
        })
    });
    rooms.collect()
}
