//! Writes what a batch allowed, and wakes those who wait for it once it is committed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use haechi_base::Time;
use haechi_store::{StoreError, Tx};

use super::super::hub::Hub;
use super::judge::{Bench, Out, ReadCount};
use super::needs::Loaded;
use crate::model::{Event, Rules, notifies};
use crate::store;
use crate::store::memberships::FoundMember;
use crate::store::receipts::Read;

pub(super) async fn keep(
    tx: &mut Tx<'_>,
    bench: Bench<'_>,
    now: Time,
    hub: &Arc<Hub>,
) -> Result<(), StoreError> {
    let (loaded, mut out) = (bench.loaded, bench.out);
    let touched = std::mem::take(&mut out.touched);
    let counted = counts(&loaded, &touched);
    let raised = store::rooms::raise_activity(tx, &counted).await?;
    let before: HashMap<&str, i64> = counted
        .iter()
        .map(|(room_id, _, count)| (*room_id, raised.get(*room_id).copied().unwrap_or(0) - count))
        .collect();
    let reads = number(&mut out, &before);
    let new_rules = new_rules(&loaded);
    store::rooms::put(tx, &new_rules, now).await?;
    let repeated: HashSet<String> = store::events::insert(tx, &out.events)
        .await?
        .into_iter()
        .collect();
    store::events::repeat(tx, &out.repeats).await?;
    if !out.placed.is_empty() {
        store::events::place(tx, &out.placed).await?;
    }
    let state: Vec<_> = out
        .state
        .into_iter()
        .map(|(key, (event_id, position))| (key, event_id, position))
        .collect();
    store::state::put(tx, &state).await?;
    let members: Vec<FoundMember> = out
        .members
        .into_iter()
        .map(|((room_id, person), (member, event_id, position))| FoundMember {
            room_id,
            person,
            member,
            event_id,
            position,
        })
        .collect();
    store::memberships::put(tx, &members).await?;
    store::events::redact(tx, &out.redactions).await?;
    store::receipts::put(tx, &out.receipts.values().collect::<Vec<_>>()).await?;
    store::receipts::put_mentions(tx, &out.mentions).await?;
    store::receipts::put_read(tx, &reads.iter().collect::<Vec<_>>()).await?;

    // A message that was there already was counted then.
    let recount = counted_twice(&touched, &out.events, &repeated);
    store::rooms::raise_activity(tx, &recount).await?;

    let rooms: Vec<String> = touched.into_keys().collect();
    let hub = Arc::clone(hub);
    tx.after_commit(move || {
        for found in &members {
            hub.membership_changed(found.person, &found.room_id, found.member.membership);
        }
        hub.wake_rooms(rooms.iter().map(String::as_str));
    });
    Ok(())
}

fn new_rules(loaded: &Loaded) -> Vec<(&str, &Rules)> {
    let changed = loaded.rooms.iter().filter(|(_, entry)| entry.has_new_rules);
    changed
        .filter_map(|(room_id, entry)| Some((room_id.as_str(), entry.room.rules.as_ref()?)))
        .collect()
}

/// How far each room comes by this batch: (room, position, messages that notify).
fn counts<'b>(loaded: &Loaded, touched: &'b BTreeMap<String, i64>) -> Vec<(&'b str, i64, i64)> {
    let rooms = touched.iter().map(|(room_id, position)| {
        let count = loaded.rooms.get(room_id).map_or(0, |entry| entry.new_messages);
        (room_id.as_str(), *position, count)
    });
    rooms.collect()
}

/// Numbers the batch's messages on from those each room had before; returns how far people have read.
fn number(out: &mut Out, before: &HashMap<&str, i64>) -> Vec<Read> {
    let start = |room_id: &str| before.get(room_id).copied().unwrap_or(0);
    for event in &mut out.events {
        event.ordinal += start(&event.room_id);
    }
    for placed in &mut out.placed {
        placed.ordinal += start(&placed.room_id);
    }
    let reads = out
        .reads
        .iter()
        .map(|((room_id, person), (position, count))| Read {
            room_id: room_id.clone(),
            person: *person,
            position: *position,
            ordinal: match count {
                ReadCount::Known(ordinal) => *ordinal,
                ReadCount::New(count) => start(room_id) + count,
            },
        });
    reads.collect()
}

/// What to take back of each room's count: (room, position, minus the messages that were there already).
fn counted_twice<'b>(
    touched: &'b BTreeMap<String, i64>,
    events: &[Event],
    repeated: &HashSet<String>,
) -> Vec<(&'b str, i64, i64)> {
    let mut twice: BTreeMap<&str, i64> = BTreeMap::new();
    for event in events.iter().filter(|event| repeated.contains(&event.event_id)) {
        let counts = i64::from(notifies(&event.kind, event.state_key.as_deref()));
        *twice.entry(event.room_id.as_str()).or_default() -= counts;
    }
    let rooms = touched.iter().filter_map(|(room_id, position)| {
        let count = twice.get(room_id.as_str())?;
        Some((room_id.as_str(), *position, *count))
    });
    rooms.collect()
}
