//! The threads of a room that somebody has not read all of.

use std::collections::HashMap;

use haechi_base::PersonId;
use haechi_store::{StoreError, Tx};

use crate::model::limits::THREADS_COUNTED_MAX;
use crate::store;
use crate::store::receipts::Unread;
use crate::store::relations::ThreadMember;

/// A thread with news, and up to where it is read.
pub(super) struct Thread {
    pub(super) root: String,
    pub(super) read_to: i64,
    pub(super) unread: i64,
}

/// The threads with unread messages, the latest first.
pub(super) async fn unread_threads(
    tx: &mut Tx<'_>,
    room_id: &str,
    person: PersonId,
    unread: &Unread,
) -> Result<Vec<Thread>, StoreError> {
    if !unread.has_threads {
        return Ok(Vec::new());
    }
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

/// The position after which something is unread, in the room itself or in one of these threads.
pub(super) fn first_unread_after(unread: &Unread, threads: &[Thread]) -> i64 {
    let read_to = threads.iter().map(|thread| thread.read_to);
    read_to.fold(unread.position, i64::min)
}
