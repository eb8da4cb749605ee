//! What is unread by a person's own rules: what these say of each unread event, and what they need to know of the room.

use std::collections::HashMap;

use haechi_base::PersonId;
use haechi_store::Tx;
use serde::Deserialize;

use super::super::Chat;
use super::Counts;
use super::threads::{Thread, first_unread_after, unread_threads};
use crate::model::limits::UNREAD_JUDGED_MAX;
use crate::model::{ChatError, Content, Event, Ignored, JudgedEvent, JudgedRoom, PushRules, Relation};
use crate::store;
use crate::store::receipts::Unread;

/// Where an unread event counts.
enum Place<'t> {
    Room,
    Thread(&'t Thread),
}

impl Chat {
    /// Counts what a person's rules tell them of, among the newest unread events of a room.
    ///
    /// # Errors
    /// [`ChatError::Store`].
    pub(super) async fn unread_by_rules(
        &self,
        tx: &mut Tx<'_>,
        person: PersonId,
        room_id: &str,
        (rules, ignored): (&PushRules, &Ignored),
        unread: &Unread,
    ) -> Result<Counts, ChatError> {
        let mut counts = Counts::default();
        let threads = unread_threads(tx, room_id, person, unread).await?;
        let from = first_unread_after(unread, &threads);
        let mut events = store::events::backward(tx, room_id, from, i64::MAX, UNREAD_JUDGED_MAX).await?;
        events.retain(|event| !ignored.has(event.sender) && event.redacted_because.is_none());
        if events.is_empty() {
            return Ok(counts);
        }
        let Some(room) = self.judged_room(tx, person, room_id).await? else {
            return Ok(counts);
        };
        for event in &events {
            let Some(place) = place_of(event, unread, &threads) else {
                continue;
            };
            let verdict = rules.judge(&JudgedEvent::of(event, self.server_name()), &room);
            if !verdict.notifies {
                continue;
            }
            let count = match place {
                Place::Room => &mut counts.room,
                Place::Thread(thread) => counts.threads.entry(thread.root.clone()).or_default(),
            };
            count.messages += 1;
            count.mentions += u32::from(verdict.highlights);
        }
        Ok(counts)
    }

    /// A room as a person's rules look at it.
    ///
    /// # Errors
    /// [`ChatError::Store`].
    pub(in crate::ops) async fn judged_room(
        &self,
        tx: &mut Tx<'_>,
        person: PersonId,
        room_id: &str,
    ) -> Result<Option<JudgedRoom>, ChatError> {
        let user_id = self.user_id(person);
        let names = self.names_in(tx, room_id, std::slice::from_ref(&user_id)).await?;
        let mut room = self.judged_by_nobody(tx, room_id).await?;
        if let Some(room) = &mut room {
            room.seen_by(&user_id, names.get(&user_id).unwrap_or(&user_id));
        }
        Ok(room)
    }

    /// The same before it is said who looks.
    ///
    /// # Errors
    /// [`ChatError::Store`].
    pub(in crate::ops) async fn judged_by_nobody(
        &self,
        tx: &mut Tx<'_>,
        room_id: &str,
    ) -> Result<Option<JudgedRoom>, ChatError> {
        let (joined, _) = store::memberships::count(tx, room_id).await?;
        let rules = store::rooms::find(tx, &[room_id]).await?.pop();
        let rules = rules.as_ref().map(|found| &found.rules);
        Ok(JudgedRoom::of(room_id, joined, rules, self.server_name()))
    }

    /// The names that these people go by in a room, by their user ids; who has none there is left out.
    ///
    /// # Errors
    /// [`ChatError::Store`].
    pub(in crate::ops) async fn names_in(
        &self,
        tx: &mut Tx<'_>,
        room_id: &str,
        user_ids: &[String],
    ) -> Result<HashMap<String, String>, ChatError> {
        let keys: Vec<_> = user_ids
            .iter()
            .map(|user_id| (room_id.to_owned(), "m.room.member".to_owned(), user_id.clone()))
            .collect();
        let members = store::state::current(tx, &keys).await?;
        Ok(members.iter().filter_map(name_of).collect())
    }
}

/// Where an event counts; `None` when it was read.
fn place_of<'t>(event: &Event, unread: &Unread, threads: &'t [Thread]) -> Option<Place<'t>> {
    match Relation::of_event(event).filter(Relation::is_thread) {
        Some(relation) => threads
            .iter()
            .find(|thread| thread.root == relation.target && event.position > thread.read_to)
            .map(Place::Thread),
        None => (event.position > unread.position).then_some(Place::Room),
    }
}

/// The user id of a membership, and the name it gives.
fn name_of(member: &Event) -> Option<(String, String)> {
    #[derive(Deserialize)]
    struct Named {
        displayname: String,
    }
    let named: Named = Content::of_stored(member.content.clone()).read()?;
    Some((member.state_key.clone()?, named.displayname))
}
