//! Writes what a batch allowed, and wakes those who wait for it once it is committed.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use haechi_base::Time;
use haechi_store::{StoreError, Tx};

use super::super::hub::Hub;
use super::judge::Bench;
use super::needs::Loaded;
use crate::model::{Event, Rules, notifies};
use crate::store;
use crate::store::memberships::FoundMember;

pub(super) async fn keep(
    tx: &mut Tx<'_>,
    bench: Bench<'_>,
    now: Time,
    hub: &Arc<Hub>,
) -> Result<(), StoreError> {
    let reads = bench.reads();
    let (loaded, out) = (bench.loaded, bench.out);
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

    let activity = activity(&loaded, &out.touched, &out.events, &repeated);
    store::rooms::put_activity(tx, &activity).await?;

    let rooms: Vec<String> = out.touched.into_keys().collect();
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

/// How far each room has come: (room, position, messages that notify).
///
/// A message that was there already was counted then: it does not raise its room's count again.
fn activity<'b>(
    loaded: &Loaded,
    touched: &'b BTreeMap<String, i64>,
    events: &[Event],
    repeated: &HashSet<String>,
) -> Vec<(&'b str, i64, i64)> {
    let mut counted_twice: BTreeMap<&str, i64> = BTreeMap::new();
    for event in events.iter().filter(|event| repeated.contains(&event.event_id)) {
        let counts = i64::from(notifies(&event.kind, event.state_key.as_deref()));
        *counted_twice.entry(event.room_id.as_str()).or_default() += counts;
    }
    let rooms = touched.iter().map(|(room_id, position)| {
        let counted = loaded.rooms.get(room_id).map_or(0, |entry| entry.ordinal);
        let twice = counted_twice.get(room_id.as_str()).copied().unwrap_or(0);
        (room_id.as_str(), *position, counted - twice)
    });
    rooms.collect()
}
