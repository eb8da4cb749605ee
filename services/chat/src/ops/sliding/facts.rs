//! What filters of lists ask of a room beside the person: its type, and whether it is encrypted. Kept in the memory of the
//! node, so that not all rooms of a person are read with every request: a type never changes, encryption only begins.

use std::collections::HashMap;
use std::sync::Arc;

use haechi_store::Tx;
use parking_lot::Mutex;
use serde::Deserialize;

use crate::model::ChatError;
use crate::model::limits::SLIDING_FACTS_MAX;
use crate::store;
use crate::store::sliding::StandingRoom;

/// What is known of a room.
#[derive(Debug, Clone, Default)]
pub(super) struct Fact {
    pub(super) room_type: Option<Arc<str>>,
    pub(super) is_encrypted: bool,
    /// How far the room had come then.
    read_at: i64,
}

/// The facts that a node keeps in mind.
#[derive(Default)]
pub(crate) struct Facts {
    rooms: Mutex<HashMap<String, Fact>>,
}

#[derive(Deserialize)]
struct Creation {
    #[serde(rename = "type")]
    room_type: Option<String>,
}

impl Facts {
    /// What is known of these rooms, in their order. Those of which it is not known yet, or may have changed, are read
    /// together.
    pub(super) async fn of(&self, tx: &mut Tx<'_>, rooms: &[StandingRoom]) -> Result<Vec<Fact>, ChatError> {
        let found: Vec<Option<Fact>> = {
            let kept = self.rooms.lock();
            let current = |room: &StandingRoom| {
                let fact = kept.get(&room.found.room_id)?;
                (fact.is_encrypted || fact.read_at >= room.position).then(|| fact.clone())
            };
            rooms.iter().map(current).collect()
        };
        let missing: Vec<&StandingRoom> = rooms
            .iter()
            .zip(&found)
            .filter_map(|(room, fact)| fact.is_none().then_some(room))
            .collect();
        let read = read(tx, &missing).await?;
        let facts = rooms.iter().zip(found).map(|(room, fact)| {
            fact.or_else(|| read.get(room.found.room_id.as_str()).cloned())
                .unwrap_or_default()
        });
        let facts = facts.collect();
        let mut kept = self.rooms.lock();
        if kept.len() + read.len() > SLIDING_FACTS_MAX {
            kept.clear();
        }
        kept.extend(read.into_iter().map(|(room_id, fact)| (room_id.to_owned(), fact)));
        Ok(facts)
    }
}

async fn read<'r>(tx: &mut Tx<'_>, rooms: &[&'r StandingRoom]) -> Result<HashMap<&'r str, Fact>, ChatError> {
    let kinds = ["m.room.create", "m.room.encryption"];
    let keys: Vec<_> = rooms
        .iter()
        .flat_map(|room| kinds.map(|kind| (room.found.room_id.clone(), kind.to_owned(), String::new())))
        .collect();
    let mut facts: HashMap<&str, Fact> = rooms
        .iter()
        .map(|room| {
            let fact = Fact {
                read_at: room.position,
                ..Fact::default()
            };
            (room.found.room_id.as_str(), fact)
        })
        .collect();
    for event in store::state::current(tx, &keys).await? {
        let Some(fact) = facts.get_mut(event.room_id.as_str()) else {
            continue;
        };
        if event.kind == "m.room.encryption" {
            fact.is_encrypted = true;
        } else {
            let creation = serde_json::from_str::<Creation>(&event.content).ok();
            fact.room_type = creation.and_then(|creation| creation.room_type).map(Arc::from);
        }
    }
    Ok(facts)
}
