//! What stays of an event that was taken back (room versions 10 and 11, "Redactions").

use serde_json::{Map, Value, json};

use super::RoomVersion;

/// What stays of power levels in rooms of version 10: all but `invite`.
const LEVELS_OF_VERSION_10: [&str; 8] = [
    "ban",
    "events",
    "events_default",
    "kick",
    "redact",
    "state_default",
    "users",
    "users_default",
];

/// The part of a content that survives a redaction of an event of this type, in a room of this version.
pub(crate) fn redacted_content(version: RoomVersion, kind: &str, content: &str) -> String {
    let Ok(Value::Object(mut content)) = serde_json::from_str::<Value>(content) else {
        return "{}".to_owned();
    };
    let keeps_more = version.keeps_more_of_redacted();
    let kept: &[&str] = match kind {
        "m.room.create" if !keeps_more => &["creator"],
        // Who created the room and how is never taken back.
        "m.room.create" => return Value::Object(content).to_string(),
        "m.room.member" => {
            let signed = content
                .get("third_party_invite")
                .map(|invite| invite["signed"].clone());
            if let Some(signed) = signed.filter(|signed| keeps_more && !signed.is_null()) {
                content.insert("third_party_invite".to_owned(), json!({ "signed": signed }));
                &[
                    "membership",
                    "join_authorised_via_users_server",
                    "third_party_invite",
                ]
            } else {
                &["membership", "join_authorised_via_users_server"]
            }
        }
        "m.room.join_rules" => &["join_rule", "allow"],
        "m.room.power_levels" if !keeps_more => &LEVELS_OF_VERSION_10,
        "m.room.power_levels" => &[
            "ban",
            "events",
            "events_default",
            "invite",
            "kick",
            "redact",
            "state_default",
            "users",
            "users_default",
        ],
        "m.room.history_visibility" => &["history_visibility"],
        "m.room.redaction" if keeps_more => &["redacts"],
        _ => &[],
    };
    content.retain(|name, _| kept.contains(&name.as_str()));
    Value::Object(content as Map<String, Value>).to_string()
}
