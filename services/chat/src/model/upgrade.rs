//! The room that takes the place of another: what is carried over, and what the old one is told (client-server API,
//! "Room upgrades").

use haechi_base::PersonId;
use serde_json::{Map, Value, json};

use super::{Content, Draft, PowerLevels, RoomVersion, Rules, ids::person_of, ids::user_id, membership};

/// State that is carried over under the empty key. The power levels come last, when everything else is set.
pub(crate) const CARRIED: [&str; 9] = [
    "m.room.server_acl",
    "m.room.encryption",
    "m.room.name",
    "m.room.avatar",
    "m.room.topic",
    "m.room.guest_access",
    "m.room.history_visibility",
    "m.room.join_rules",
    "m.room.canonical_alias",
];

/// A part of the old room's state.
#[derive(Debug, Clone)]
pub(crate) struct Carried {
    pub(crate) kind: String,
    pub(crate) state_key: String,
    pub(crate) content: String,
}

/// A room that is to take the place of another.
#[derive(Debug, Clone)]
pub(crate) struct Successor<'s> {
    pub(crate) version: RoomVersion,
    /// Who makes it.
    pub(crate) person: PersonId,
    /// Content of their membership.
    pub(crate) profile: Map<String, Value>,
    /// Who else counts as its maker (room version 12).
    pub(crate) more_creators: Vec<PersonId>,
    pub(crate) old_room_id: &'s str,
    pub(crate) old_rules: &'s Rules,
    /// The content of the old `m.room.create`.
    pub(crate) old_creation: Map<String, Value>,
    /// The event that says so in the old room.
    pub(crate) tombstone_id: &'s str,
    /// What is carried over: the state of [`CARRIED`], the children and parents of a space, and the banned.
    pub(crate) state: Vec<Carried>,
}

impl Successor<'_> {
    /// All events of the new room, the first one first.
    pub(crate) fn drafts(&self, server_name: &str, mut new_id: impl FnMut() -> String) -> Vec<Draft> {
        let mut drafts = Vec::new();
        let mut put = |kind: &str, state_key: &str, content: Content| {
            drafts.push(Draft::state(new_id(), self.person, kind, state_key, content));
        };
        let own = user_id(self.person, server_name);
        put("m.room.create", "", Content::of(&self.creation(server_name)));
        put(
            "m.room.member",
            &own,
            Content::of(&membership("join", &self.profile, false)),
        );
        // Before there are power levels their author may set everything, whatever the old ones say.
        for carried in &self.state {
            let content = Content::of_stored(carried.content.clone());
            put(&carried.kind, &carried.state_key, content);
        }
        put("m.room.power_levels", "", Content::of(&self.levels(server_name)));
        drafts
    }

    fn creation(&self, server_name: &str) -> Map<String, Value> {
        let mut creation = self.old_creation.clone();
        for unfit in ["creator", "additional_creators", "predecessor", "room_version"] {
            creation.remove(unfit);
        }
        creation.insert("room_version".to_owned(), self.version.as_str().into());
        let mut predecessor = json!({ "room_id": self.old_room_id });
        if self.version.privileges_creators() {
            let more = self
                .more_creators
                .iter()
                .map(|person| user_id(*person, server_name));
            let more: Vec<String> = more.collect();
            if !more.is_empty() {
                creation.insert("additional_creators".to_owned(), more.into());
            }
        } else {
            predecessor["event_id"] = self.tombstone_id.into();
        }
        if self.version.names_creator() {
            creation.insert("creator".to_owned(), user_id(self.person, server_name).into());
        }
        creation.insert("predecessor".to_owned(), predecessor);
        creation
    }

    /// The old power levels, with those who stand above all levels put in or taken out as the version wants it.
    fn levels(&self, server_name: &str) -> PowerLevels {
        let mut levels = self.old_rules.power_levels.clone().unwrap_or_default();
        if self.version.privileges_creators() {
            levels.users.retain(|user, _| {
                let person = person_of(user, server_name);
                !person.is_some_and(|person| person == self.person || self.more_creators.contains(&person))
            });
            let tombstone = levels.events.entry("m.room.tombstone".to_owned()).or_insert(150);
            *tombstone = (*tombstone).max(150);
        } else if self.old_rules.power_levels.is_none() || self.old_rules.version.privileges_creators() {
            let makers = std::iter::once(self.old_rules.creator).chain(self.old_rules.more_creators.clone());
            for person in makers {
                levels.users.entry(user_id(person, server_name)).or_insert(100);
            }
        }
        levels
    }
}

/// What the old room says of its successor.
pub(crate) fn tombstone(new_room_id: &str) -> Value {
    json!({ "body": "This room has been replaced", "replacement_room": new_room_id })
}

/// The levels of a room that is to be quiet from now on: to speak and to invite needs more than most have.
pub(crate) fn quiet_levels(levels: &PowerLevels) -> PowerLevels {
    let above = levels.users_default.saturating_add(1).max(50);
    PowerLevels {
        events_default: levels.events_default.max(above),
        invite: levels.invite.max(above),
        ..levels.clone()
    }
}
