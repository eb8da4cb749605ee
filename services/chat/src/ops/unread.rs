//! What somebody has not read: in a room itself, and in its threads.

use std::collections::{BTreeMap, HashMap, HashSet};

use haechi_base::PersonId;
use haechi_store::{StoreError, Tx};

use crate::model::limits::{THREADS_COUNTED_MAX, UNREAD_LOOKED_AT_MAX};
use crate::model::{Ignored, THREAD, notifies};
use crate::store;
use crate::store::receipts::{FoundSender, Unread};
use crate::store::relations::ThreadMember;

/// Unread messages, and those that mention the person.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) messages: u32,
    pub(crate) mentions: u32,
}

/// What somebody has not read of a room.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Of the room itself.
    pub(crate) room: Count,
    /// Of its threads, each by the event it begins at.
    pub(crate) threads: BTreeMap<String, Count>,
}

impl Counts {
    /// All together, for clients that know of no threads.
    pub(crate) fn total(&self) -> Count {
        self.threads.values().fold(self.room, |total, thread| Count {
            messages: total.messages.saturating_add(thread.messages),
            mentions: total.mentions.saturating_add(thread.mentions),
        })
    }
}

/// A thread with news, and up to where it is read.
struct Thread {
    root: String,
    read_to: i64,
    unread: i64,
}

/// Counts what a person has not read of a room. One statement, and a few more where the room has unread threads or
/// the person ignores somebody.
pub(crate) async fn of_room(
    tx: &mut Tx<'_>,
    room_id: &str,
    person: PersonId,
    ignored: &Ignored,
) -> Result<Counts, StoreError> {
    let unread = store::receipts::unread(tx, room_id, person).await?;
    complete(tx, room_id, person, ignored, unread).await
}

/// The same, when what is unread of the room itself was read already. Without unread threads and ignored people it asks
/// nothing more.
pub(crate) async fn complete(
    tx: &mut Tx<'_>,
    room_id: &str,
    person: PersonId,
    ignored: &Ignored,
    unread: Unread,
) -> Result<Counts, StoreError> {
    let mut counts = Counts {
        room: Count {
            messages: small(unread.messages),
            mentions: unread.mentions,
        },
        threads: BTreeMap::new(),
    };
    let has_ignored = !ignored.is_empty() && (unread.messages > 0 || unread.has_threads);
    if !unread.has_threads && !has_ignored {
        return Ok(counts);
    }
    let mut threads = if unread.has_threads {
        unread_threads(tx, room_id, person, &unread).await?
    } else {
        Vec::new()
    };
    if has_ignored {
        take_ignored_out(tx, room_id, ignored, &unread, &mut counts, &mut threads).await?;
    }
    for thread in &threads {
        if thread.unread > 0 {
            let count = counts.threads.entry(thread.root.clone()).or_default();
            count.messages = small(thread.unread);
        }
    }
    count_mentions(tx, room_id, person, ignored, &unread, &threads, &mut counts).await?;
    Ok(counts)
}

fn small(number: i64) -> u32 {
    u32::try_from(number.max(0)).unwrap_or(u32::MAX)
}

/// The threads with unread messages, the latest first.
async fn unread_threads(
    tx: &mut Tx<'_>,
    room_id: &str,
    person: PersonId,
    unread: &Unread,
) -> Result<Vec<Thread>, StoreError> {
    let floor = unread.threads_position;
    let found = store::relations::with_news(tx, room_id, floor, THREADS_COUNTED_MAX).await?;
    let roots: Vec<&str> = found.iter().map(|(root, ..)| root.as_str()).collect();
    let members = store::relations::members(tx, person, &roots).await?;
    let open: Vec<(&(String, i64, i64), ThreadMember)> = found
        .iter()
        .zip(members)
        .filter(|((_, latest, _), member)| member.position < *latest)
        .collect();
    // Where the room's receipt came further than the thread's own, the thread is counted from there.
    let asked: Vec<(&str, i64)> = open
        .iter()
        .filter(|(_, member)| member.position < floor)
        .map(|((root, ..), _)| (root.as_str(), floor))
        .collect();
    let ordinals = store::relations::ordinals_at(tx, &asked).await?;
    let at_floor: HashMap<&str, i64> = asked.iter().map(|(root, _)| *root).zip(ordinals).collect();
    let threads = open.iter().map(|((root, _, ordinal), member)| {
        let read = at_floor.get(root.as_str()).copied().unwrap_or(member.ordinal);
        Thread {
            root: root.clone(),
            read_to: member.position.max(floor),
            unread: ordinal - read,
        }
    });
    Ok(threads.collect())
}

/// Counts what ignored people said as read.
async fn take_ignored_out(
    tx: &mut Tx<'_>,
    room_id: &str,
    ignored: &Ignored,
    unread: &Unread,
    counts: &mut Counts,
    threads: &mut [Thread],
) -> Result<(), StoreError> {
    let from = unread.position.min(unread.threads_position);
    let found = store::receipts::senders(tx, room_id, from, UNREAD_LOOKED_AT_MAX).await?;
    let is_message = |found: &&FoundSender| notifies(&found.event_type, found.state_key.as_deref());
    for found in found
        .iter()
        .filter(is_message)
        .filter(|found| ignored.has(found.sender))
    {
        match found.kind.as_deref() {
            Some(THREAD) => {
                let thread = threads
                    .iter_mut()
                    .find(|thread| Some(&thread.root) == found.target.as_ref());
                if let Some(thread) = thread.filter(|thread| found.position > thread.read_to) {
                    thread.unread -= 1;
                }
            }
            Some("m.replace") => {}
            _ if found.position > unread.position => {
                counts.room.messages = counts.room.messages.saturating_sub(1);
            }
            _ => {}
        }
    }
    Ok(())
}

/// Counts the mentions of each thread apart.
async fn count_mentions(
    tx: &mut Tx<'_>,
    room_id: &str,
    person: PersonId,
    ignored: &Ignored,
    unread: &Unread,
    threads: &[Thread],
    counts: &mut Counts,
) -> Result<(), StoreError> {
    let from = unread.position.min(unread.threads_position);
    let found = store::receipts::mentions(tx, room_id, person, from, UNREAD_LOOKED_AT_MAX).await?;
    let mut seen = HashSet::new();
    counts.room.mentions = 0;
    for mention in found {
        if ignored.has(mention.sender) || !seen.insert(mention.position) {
            continue;
        }
        match &mention.thread {
            None if mention.position > unread.position => counts.room.mentions += 1,
            None => {}
            Some(root) => {
                let thread = threads.iter().find(|thread| thread.root == *root);
                if thread.is_some_and(|thread| mention.position > thread.read_to) {
                    counts.threads.entry(root.clone()).or_default().mentions += 1;
                }
            }
        }
    }
    Ok(())
}
