//! What a room shows of itself to people outside: in the directory, in a space, in a summary.

use std::collections::{HashMap, HashSet};

use haechi_base::PersonId;
use haechi_store::Tx;
use serde_json::{Map, Value, json};

use crate::model::{ChatError, HistoryVisibility, Membership, Rules};
use crate::store;

/// The state that is shown.
const SHOWN: [&str; 7] = [
    "m.room.create",
    "m.room.name",
    "m.room.topic",
    "m.room.avatar",
    "m.room.canonical_alias",
    "m.room.guest_access",
    "m.room.encryption",
];

/// A room as people outside are shown it.
#[derive(Debug, Clone)]
pub(super) struct RoomCard {
    pub(super) room_id: String,
    pub(super) rules: Rules,
    joined: i64,
    /// Contents by type.
    state: HashMap<String, Value>,
}

impl RoomCard {
    fn word(&self, kind: &str, field: &str) -> Option<&str> {
        let word = self.state.get(kind)?[field].as_str()?;
        Some(word).filter(|word| !word.is_empty())
    }

    /// Whether the room is a space.
    pub(super) fn is_space(&self) -> bool {
        self.word("m.room.create", "type") == Some("m.space")
    }

    /// Whether everybody may read the room.
    pub(super) fn is_world_readable(&self) -> bool {
        self.rules.history_visibility == HistoryVisibility::WorldReadable
    }

    /// Whether strangers may be shown the room.
    pub(super) fn is_public(&self) -> bool {
        !self.rules.is_shut && (self.rules.join_rule.is_open_to_strangers() || self.is_world_readable())
    }

    /// The card as clients read it (client-server API, `PublishedRoomsChunk`).
    pub(super) fn told(&self) -> Map<String, Value> {
        let guests = self.word("m.room.guest_access", "guest_access");
        let mut told = Map::new();
        told.insert("room_id".to_owned(), self.room_id.clone().into());
        told.insert("num_joined_members".to_owned(), self.joined.max(0).into());
        told.insert("world_readable".to_owned(), self.is_world_readable().into());
        told.insert("guest_can_join".to_owned(), (guests == Some("can_join")).into());
        told.insert("join_rule".to_owned(), self.rules.join_rule.as_str().into());
        for (name, kind, field) in [
            ("name", "m.room.name", "name"),
            ("topic", "m.room.topic", "topic"),
            ("canonical_alias", "m.room.canonical_alias", "alias"),
            ("avatar_url", "m.room.avatar", "url"),
            ("room_type", "m.room.create", "type"),
        ] {
            if let Some(word) = self.word(kind, field) {
                told.insert(name.to_owned(), word.into());
            }
        }
        told
    }

    /// The card with what a summary says beside (client-server API, "Room summary").
    pub(super) fn summary(&self) -> Map<String, Value> {
        let mut told = self.told();
        told.insert("room_version".to_owned(), self.rules.version.as_str().into());
        if let Some(algorithm) = self.word("m.room.encryption", "algorithm") {
            told.insert("encryption".to_owned(), algorithm.into());
        }
        if self.rules.join_rule.admits_by_room() {
            let rooms = json!(self.rules.allowed_rooms);
            told.insert("allowed_room_ids".to_owned(), rooms);
        }
        told
    }
}

/// The cards of those of these rooms that are there.
pub(super) async fn cards(
    tx: &mut Tx<'_>,
    room_ids: &[&str],
) -> Result<HashMap<String, RoomCard>, ChatError> {
    let found = store::rooms::find(tx, room_ids).await?;
    let joined = store::listing::joined(tx, room_ids).await?;
    let keys: Vec<_> = found
        .iter()
        .flat_map(|room| SHOWN.map(|kind| (room.room_id.clone(), kind.to_owned(), String::new())))
        .collect();
    let mut states: HashMap<String, HashMap<String, Value>> = HashMap::new();
    for event in store::state::current(tx, &keys).await? {
        let content = serde_json::from_str(&event.content).unwrap_or_default();
        states
            .entry(event.room_id)
            .or_default()
            .insert(event.kind, content);
    }
    let cards = found.into_iter().map(|room| {
        let card = RoomCard {
            joined: joined.get(&room.room_id).copied().unwrap_or(0),
            state: states.remove(&room.room_id).unwrap_or_default(),
            rules: room.rules,
            room_id: room.room_id.clone(),
        };
        (room.room_id, card)
    });
    Ok(cards.collect())
}

/// How a person stands to each of these rooms, and which of them they may be shown.
pub(super) async fn shown_to(
    tx: &mut Tx<'_>,
    person: PersonId,
    cards: &HashMap<String, RoomCard>,
) -> Result<(HashMap<String, Membership>, HashSet<String>), ChatError> {
    // The rooms themselves, and those whose members may join them.
    let admitting = cards
        .values()
        .filter(|card| card.rules.join_rule.admits_by_room());
    let mut asked: Vec<&str> = admitting
        .flat_map(|card| card.rules.allowed_rooms.iter().map(String::as_str))
        .chain(cards.keys().map(String::as_str))
        .collect();
    asked.sort_unstable();
    asked.dedup();
    let pairs: Vec<(PersonId, &str)> = asked.iter().map(|room_id| (person, *room_id)).collect();
    let found = store::memberships::find(tx, &pairs).await?;
    let memberships: HashMap<String, Membership> = found
        .into_iter()
        .map(|found| (found.room_id, found.member.membership))
        .collect();
    let stands = |room_id: &str| memberships.get(room_id).copied();
    let is_shown = |card: &RoomCard| {
        let rules = &card.rules;
        let is_known = matches!(
            stands(&card.room_id),
            Some(Membership::Join | Membership::Invite | Membership::Knock)
        );
        let comes_from = |room_id: &String| stands(room_id) == Some(Membership::Join);
        is_known
            || card.is_public()
            || (rules.join_rule.admits_by_room()
                && rules.allowed_rooms.iter().any(comes_from)
                && !rules.is_shut)
    };
    let shown = cards.values().filter(|card| is_shown(card));
    let shown = shown.map(|card| card.room_id.clone()).collect();
    Ok((memberships, shown))
}
