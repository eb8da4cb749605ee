//! What stays of an event that was taken back (room version 11, "Redactions").

use serde_json::{Map, Value};

/// The part of a content that survives a redaction of an event of this type.
pub(crate) fn redacted_content(kind: &str, content: &str) -> String {
    let Ok(Value::Object(mut content)) = serde_json::from_str::<Value>(content) else {
        return "{}".to_owned();
    };
    let kept: &[&str] = match kind {
        // Who created the room and how is never taken back.
        "m.room.create" => return Value::Object(content).to_string(),
        "m.room.member" => &["membership", "join_authorised_via_users_server"],
        "m.room.join_rules" => &["join_rule", "allow"],
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
        "m.room.redaction" => &["redacts"],
        _ => &[],
    };
    content.retain(|name, _| kept.contains(&name.as_str()));
    Value::Object(content as Map<String, Value>).to_string()
}
