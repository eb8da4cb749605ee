//! The events that make a new room, in the order the specification gives (client-server API, `createRoom`).

use std::collections::BTreeMap;
use std::str::FromStr;

use haechi_base::PersonId;
use serde_json::{Map, Value, json};

use super::{ChatError, Content, Draft, RoomVersion, ids::user_id};

/// What a new room is like by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Preset {
    /// For the invited.
    Private,
    /// For the invited, who may do all that the creator may.
    TrustedPrivate,
    /// For everybody.
    Public,
}

impl FromStr for Preset {
    type Err = ChatError;

    fn from_str(word: &str) -> Result<Self, ChatError> {
        match word {
            "private_chat" => Ok(Self::Private),
            "trusted_private_chat" => Ok(Self::TrustedPrivate),
            "public_chat" => Ok(Self::Public),
            other => Err(ChatError::invalid(format!("{other:?} is no preset of a room"))),
        }
    }
}

/// State handed in with the wish for a room: type, state key, content.
pub(crate) type InitialState = (String, String, Content);

/// The wish for a room, checked.
#[derive(Debug, Clone)]
pub(crate) struct NewRoom {
    pub(crate) version: RoomVersion,
    pub(crate) creator: PersonId,
    /// Content of the creator's own membership: name and picture.
    pub(crate) creator_profile: Map<String, Value>,
    pub(crate) preset: Preset,
    /// More for `m.room.create`, such as the room's type.
    pub(crate) creation_content: Map<String, Value>,
    /// Changes to the power levels of the preset.
    pub(crate) power_levels: Map<String, Value>,
    pub(crate) initial_state: Vec<InitialState>,
    pub(crate) name: Option<String>,
    pub(crate) topic: Option<String>,
    /// The name by which it is found, told in its state.
    pub(crate) alias: Option<String>,
    pub(crate) is_direct: bool,
    /// Who is asked in, each with the content of their membership.
    pub(crate) invited: Vec<(PersonId, Map<String, Value>)>,
    /// Whether who is asked in comes in at once: the house's own direct chats.
    pub(crate) invited_join: bool,
}

/// All events of the new room, the first one first. `new_id` gives each its id.
pub(crate) fn drafts_of_new_room(
    room: &NewRoom,
    server_name: &str,
    mut new_id: impl FnMut() -> String,
) -> Vec<Draft> {
    let creator = room.creator;
    let mut drafts = Vec::new();
    let mut put = |sender, kind: &str, state_key: &str, content: &Value| {
        let content = Content::of(content);
        drafts.push(Draft::state(new_id(), sender, kind, state_key, content));
    };
    put(creator, "m.room.create", "", &creation(room, server_name).into());
    let joins = membership("join", &room.creator_profile, false);
    put(creator, "m.room.member", &user_id(creator, server_name), &joins);
    let levels = power_levels(room, server_name);
    put(creator, "m.room.power_levels", "", &levels);
    for (kind, state_key, content) in named_state(room) {
        put(creator, &kind, &state_key, &content);
    }
    for (person, profile) in &room.invited {
        let invited = user_id(*person, server_name);
        let is_invited = membership("invite", profile, room.is_direct);
        put(creator, "m.room.member", &invited, &is_invited);
        if room.invited_join {
            let joins = membership("join", profile, false);
            put(*person, "m.room.member", &invited, &joins);
        }
    }
    drafts
}

/// The content of `m.room.create`.
fn creation(room: &NewRoom, server_name: &str) -> Map<String, Value> {
    let mut creation = room.creation_content.clone();
    // From version 11 on the creator is named by the sender alone.
    creation.remove("creator");
    if room.version.names_creator() {
        creation.insert("creator".to_owned(), user_id(room.creator, server_name).into());
    }
    creation.insert("room_version".to_owned(), room.version.as_str().into());
    if room.version.privileges_creators() && room.preset == Preset::TrustedPrivate {
        // Who may do all that the creator may is one, where creators stand above all levels.
        let more = creation
            .entry("additional_creators")
            .or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(more) = more {
            let invited = room
                .invited
                .iter()
                .map(|(person, _)| user_id(*person, server_name));
            for user in invited.map(Value::from) {
                if !more.contains(&user) {
                    more.push(user);
                }
            }
        }
    }
    creation
}

/// The state between the power levels and the invitations: the preset's where it was not handed in, what was
/// handed in, name and topic.
fn named_state(room: &NewRoom) -> Vec<(String, String, Value)> {
    let mut state = Vec::new();
    let is_handed_in = |kind: &str| {
        let mut given = room.initial_state.iter();
        given.any(|(given, key, _)| given == kind && key.is_empty())
    };
    if let Some(alias) = &room.alias {
        state.push((
            "m.room.canonical_alias".to_owned(),
            String::new(),
            json!({ "alias": alias }),
        ));
    }
    for (kind, content) in preset_state(room.preset) {
        if !is_handed_in(kind) {
            state.push((kind.to_owned(), String::new(), content));
        }
    }
    for (kind, state_key, content) in &room.initial_state {
        let content = serde_json::from_str(content.as_str()).unwrap_or_else(|_| json!({}));
        state.push((kind.clone(), state_key.clone(), content));
    }
    if let Some(name) = &room.name {
        state.push(("m.room.name".to_owned(), String::new(), json!({ "name": name })));
    }
    if let Some(topic) = &room.topic {
        // Told in both forms: clients that know the newer one look there first.
        let content = json!({ "topic": topic, "m.topic": { "m.text": [{ "body": topic }] } });
        state.push(("m.room.topic".to_owned(), String::new(), content));
    }
    state
}

/// The content of a `m.room.member`.
pub(crate) fn membership(word: &str, profile: &Map<String, Value>, is_direct: bool) -> Value {
    let mut content = profile.clone();
    content.insert("membership".to_owned(), word.into());
    if is_direct {
        content.insert("is_direct".to_owned(), true.into());
    }
    Value::Object(content)
}

fn preset_state(preset: Preset) -> [(&'static str, Value); 3] {
    let (join_rule, guests) = match preset {
        Preset::Private | Preset::TrustedPrivate => ("invite", "can_join"),
        Preset::Public => ("public", "forbidden"),
    };
    [
        ("m.room.join_rules", json!({ "join_rule": join_rule })),
        (
            "m.room.history_visibility",
            json!({ "history_visibility": "shared" }),
        ),
        ("m.room.guest_access", json!({ "guest_access": guests })),
    ]
}

fn power_levels(room: &NewRoom, server_name: &str) -> Value {
    let mut users = BTreeMap::new();
    let is_by_level = !room.version.privileges_creators();
    if is_by_level {
        users.insert(user_id(room.creator, server_name), 100);
    }
    if room.preset == Preset::TrustedPrivate && is_by_level {
        users.extend(
            room.invited
                .iter()
                .map(|(person, _)| (user_id(*person, server_name), 100)),
        );
    }
    let mut levels = json!({
        "ban": 50,
        "events": {
            "m.room.avatar": 50,
            "m.room.canonical_alias": 50,
            "m.room.encryption": 100,
            "m.room.history_visibility": 100,
            "m.room.name": 50,
            "m.room.power_levels": 100,
            "m.room.server_acl": 100,
            "m.room.tombstone": if is_by_level { 100 } else { 150 },
        },
        "events_default": 0,
        "invite": 0,
        "kick": 50,
        "notifications": { "room": 50 },
        "redact": 50,
        "state_default": 50,
        "users": users,
        "users_default": 0,
    });
    if let Value::Object(levels) = &mut levels {
        levels.extend(room.power_levels.clone());
    }
    levels
}
