//! How much a person is yet to read. Whose rules are those of everybody is told by the numbers that are kept (messages and
//! mentions after what was read last); whose own rules are about a room, by what the rules say of its unread events.

use std::collections::HashMap;

use haechi_base::PersonId;
use haechi_store::Tx;
use serde::Deserialize;

use super::Chat;
use crate::model::limits::{UNREAD_JUDGED_MAX, UNREAD_ROOMS_MAX};
use crate::model::{ChatError, Content, Event, JudgedEvent, JudgedRoom, PushRules};
use crate::store;

impl Chat {
    /// Messages of a room that the person is to be told of, and those among them that concern them most.
    pub(super) async fn unread(
        &self,
        tx: &mut Tx<'_>,
        person: PersonId,
        room_id: &str,
        rules: &PushRules,
    ) -> Result<(u32, u32), ChatError> {
        if !rules.differ_in(room_id) {
            return Ok(store::receipts::unread(tx, room_id, person).await?);
        }
        let read = store::pushes::read_until(tx, person, room_id).await?;
        let events = store::events::backward(tx, room_id, read, i64::MAX, UNREAD_JUDGED_MAX).await?;
        if events.is_empty() {
            return Ok((0, 0));
        }
        let Some(room) = self.judged_room(tx, person, room_id).await? else {
            return Ok((0, 0));
        };
        let (mut notified, mut highlighted) = (0, 0);
        for event in &events {
            let verdict = rules.judge(&JudgedEvent::of(event, self.server_name()), &room);
            notified += u32::from(verdict.notifies);
            highlighted += u32::from(verdict.highlights);
        }
        Ok((notified, highlighted))
    }

    /// Unread messages of all rooms, for the number on an app's icon.
    pub(super) async fn unread_everywhere(
        &self,
        tx: &mut Tx<'_>,
        person: PersonId,
        rules: &PushRules,
    ) -> Result<u32, ChatError> {
        let mut sum: u32 = 0;
        for (room_id, unread) in store::receipts::unread_rooms(tx, person, UNREAD_ROOMS_MAX).await? {
            let unread = if rules.differ_in(&room_id) {
                self.unread(tx, person, &room_id, rules).await?.0
            } else {
                unread
            };
            sum = sum.saturating_add(unread);
        }
        Ok(sum)
    }

    /// A room as a person's rules look at it.
    pub(super) async fn judged_room(
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
    pub(super) async fn judged_by_nobody(
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
    pub(super) async fn names_in(
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

/// The user id of a membership, and the name it gives.
fn name_of(member: &Event) -> Option<(String, String)> {
    #[derive(Deserialize)]
    struct Named {
        displayname: String,
    }
    let named: Named = Content::of_stored(member.content.clone()).read()?;
    Some((member.state_key.clone()?, named.displayname))
}
