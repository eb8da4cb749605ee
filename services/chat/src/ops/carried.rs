//! What people set for a room goes with them into the room that takes its place: tags, the push rule, `m.direct`
//! (client-server API, "Room upgrades").

use std::collections::HashMap;
use std::sync::Arc;

use haechi_base::PersonId;
use haechi_store::{Tx, WriteKey};
use serde::Deserialize;

use super::account_data::keep;
use super::{AccountData, Chat};
use crate::model::{ChatError, Content, PUSH_RULES};
use crate::store;

const TAGS: &str = "m.tag";
const DIRECT: &str = "m.direct";

#[derive(Deserialize)]
struct Creation {
    predecessor: Predecessor,
}

#[derive(Deserialize)]
struct Predecessor {
    room_id: String,
}

impl Chat {
    /// Copies what somebody who has come into a room set for the room before it. They are in, whatever comes of this.
    pub(super) async fn carry_settings_over(&self, person: PersonId, room_id: &str) {
        if let Err(error) = self.try_to_carry_over(person, room_id).await {
            tracing::debug!(%error, "what was set for a room before was not carried over");
        }
    }

    async fn try_to_carry_over(&self, person: PersonId, room_id: &str) -> Result<(), ChatError> {
        let new_room = room_id.to_owned();
        let old_room = self
            .read(async move |tx: &mut Tx<'_>| predecessor_of(tx, person, &new_room).await)
            .await?;
        let Some(old_room) = old_room else { return Ok(()) };
        let (chat, hub, new_room) = (self.clone(), Arc::clone(&self.0.hub), room_id.to_owned());
        self.store()
            .write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
                for entry in chat.carried(tx, person, &old_room, &new_room).await? {
                    keep(tx, entry, &hub).await?;
                }
                Ok::<_, ChatError>(())
            })
            .await
    }

    /// The entries that the new room is to have, as far as it has none of its own.
    async fn carried(
        &self,
        tx: &mut Tx<'_>,
        person: PersonId,
        old_room: &str,
        new_room: &str,
    ) -> Result<Vec<AccountData>, ChatError> {
        let entry = |room_id: &str, kind: &str, content: Content| AccountData {
            person,
            room_id: room_id.to_owned(),
            kind: kind.to_owned(),
            content,
        };
        let mut carried = Vec::new();
        let tags = store::account_data::find(tx, person, old_room, TAGS).await?;
        let has_tags = store::account_data::find(tx, person, new_room, TAGS)
            .await?
            .is_some();
        if let Some(tags) = tags.filter(|tags| !has_tags && !tags.content.is_empty()) {
            carried.push(entry(new_room, TAGS, Content::of_stored(tags.content)));
        }
        let mut rules = self.push_rules_in(tx, person).await?;
        if rules.carry_over(old_room, new_room) {
            carried.push(entry("", PUSH_RULES, rules.to_content()?));
        }
        let direct = store::account_data::find(tx, person, "", DIRECT).await?;
        // What cannot be read is somebody's own matter, and is left as it is.
        let direct = direct.and_then(|direct| serde_json::from_str(&direct.content).ok());
        let mut direct: HashMap<String, Vec<String>> = direct.unwrap_or_default();
        let mut is_direct = false;
        for rooms in direct.values_mut() {
            if rooms.iter().any(|room| room == old_room) && !rooms.iter().any(|room| room == new_room) {
                rooms.push(new_room.to_owned());
                is_direct = true;
            }
        }
        if is_direct {
            carried.push(entry("", DIRECT, Content::of(&direct)));
        }
        Ok(carried)
    }
}

/// The room before this one, when the person was in it: what a creation says of a room that is another's is nothing.
async fn predecessor_of(
    tx: &mut Tx<'_>,
    person: PersonId,
    room_id: &str,
) -> Result<Option<String>, ChatError> {
    let Some(creation) = store::state::current_one(tx, room_id, "m.room.create", "").await? else {
        return Ok(None);
    };
    let Ok(Creation { predecessor }) = serde_json::from_str(&creation.content) else {
        return Ok(None);
    };
    let known = store::memberships::find_one(tx, person, &predecessor.room_id).await?;
    Ok(known.map(|known| known.room_id))
}
