//! Whom a message mentions: by name, or by calling the whole room.

use std::collections::HashSet;

use haechi_base::PersonId;

use super::judge::Bench;
use crate::model::{Event, Mentions, person_of};
use crate::store::receipts::EVERYBODY;

/// People that one message can mention.
const MENTIONS_MAX: usize = 50;

impl Bench<'_> {
    /// Notes whom an allowed message mentions.
    pub(super) fn note_mentions(&mut self, event: &Event, mentions: &Mentions) {
        let named = mentions.user_ids.iter().take(MENTIONS_MAX);
        let people: HashSet<PersonId> = named
            .filter_map(|user| person_of(user, self.server_name))
            .filter(|person| *person != event.sender)
            .collect();
        let everybody = mentions.room && self.may_call_everybody(event);
        let people = people.into_iter().chain(everybody.then_some(EVERYBODY));
        let (room_id, position) = (&event.room_id, event.position);
        let mentions = people.map(|person| (event.event_id.clone(), room_id.clone(), person, position));
        self.out.mentions.extend(mentions);
    }

    /// Whether the sender has the level that calling the whole room needs (client-server API, "Push conditions").
    fn may_call_everybody(&self, event: &Event) -> bool {
        let Some(entry) = self.loaded.rooms.get(&event.room_id) else {
            return false;
        };
        let levels = entry
            .room
            .rules
            .as_ref()
            .and_then(|rules| rules.power_levels.as_ref());
        let needed = levels.and_then(|levels| levels.notifications.get("room").copied());
        entry.room.power(event.sender, self.server_name) >= needed.unwrap_or(50)
    }
}
