//! What is unread by the rules of everybody: from the numbers that are kept of rooms, threads and mentions.

use std::collections::{BTreeMap, HashSet};

use haechi_base::PersonId;
use haechi_store::{StoreError, Tx};

use super::threads::{Thread, first_unread_after, unread_threads};
use super::{Count, Counts, small};
use crate::model::limits::UNREAD_LOOKED_AT_MAX;
use crate::model::{Ignored, THREAD, notifies};
use crate::store;
use crate::store::receipts::{FoundSender, Unread};

/// Counts what a person has not read of a room, from what was read of the room itself.
pub(super) async fn complete(
    tx: &mut Tx<'_>,
    room_id: &str,
    person: PersonId,
    ignored: &Ignored,
    unread: &Unread,
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
    let mut threads = unread_threads(tx, room_id, person, unread).await?;
    if has_ignored {
        take_ignored_out(tx, room_id, ignored, unread, &mut counts, &mut threads).await?;
    }
    for thread in &threads {
        if thread.unread > 0 {
            let count = counts.threads.entry(thread.root.clone()).or_default();
            count.messages = small(thread.unread);
        }
    }
    count_mentions(tx, room_id, person, ignored, unread, &threads, &mut counts).await?;
    Ok(counts)
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
    let from = first_unread_after(unread, threads);
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

/// Counts the mentions of each thread apart. Who is named in a call to everybody is mentioned once.
async fn count_mentions(
    tx: &mut Tx<'_>,
    room_id: &str,
    person: PersonId,
    ignored: &Ignored,
    unread: &Unread,
    threads: &[Thread],
    counts: &mut Counts,
) -> Result<(), StoreError> {
    let from = first_unread_after(unread, threads);
    let found = store::receipts::mentions(tx, room_id, person, from, UNREAD_LOOKED_AT_MAX).await?;
    let mut seen = HashSet::new();
    counts.room.mentions = 0;
    for mention in found {
        let is_told = mention.sender != person && !ignored.has(mention.sender);
        if !is_told || !seen.insert(mention.position) {
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
