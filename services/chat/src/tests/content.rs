//! What an event may say, and how it is read back.

use haechi_base::{PersonId, Time, uuid::Uuid};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::ChatError;
use crate::limits::{EVENT_BYTES_MAX, INTEGER_MAX, JSON_DEPTH_MAX};
use crate::model::{Content, Event, Mentions, Reader, RoomVersion, redacted_content};

fn nested(depth: usize) -> String {
    format!("{{\"a\":{}1{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1))
}

#[test]
fn canonical_json_is_taken_as_it_came() {
    let deepest = nested(JSON_DEPTH_MAX);
    for text in [
        "{}",
        " { \"a\" : 1 } ",
        r#"{"body":"\u0000 and \ud83d\ude00"}"#,
        &format!("{{\"a\":{INTEGER_MAX},\"b\":-{INTEGER_MAX}}}"),
        &deepest,
    ] {
        assert_eq!(Content::check(text).unwrap().as_str(), text);
    }
}

#[test]
fn other_json_is_refused() {
    let too_deep = nested(JSON_DEPTH_MAX + 1);
    let far_too_deep = "{\"a\":".repeat(10_000);
    for text in [
        "",
        "[]",
        "1",
        "null",
        "\"{}\"",
        "{",
        "{}{}",
        "{\"a\":1.5}",
        "{\"a\":1.0}",
        "{\"a\":1e3}",
        "{\"a\":-0}",
        "{\"a\":9007199254740992}",
        "{\"a\":-9007199254740992}",
        "{\"a\":99999999999999999999}",
        "{\"a\":NaN}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\n\"}",
        "{'a':1}",
        "{\"a\":[{\"b\":0.1}]}",
        &too_deep,
        &far_too_deep,
    ] {
        assert!(
            matches!(Content::check(text), Err(ChatError::BadJson(_))),
            "{:.60}",
            text
        );
    }
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(EVENT_BYTES_MAX));
    assert!(matches!(Content::check(&large), Err(ChatError::TooLarge(_))));
}

#[test]
fn mentions_are_read_and_nonsense_mentions_nobody() {
    let of = |text: &str| Mentions::of(&Content::check(text).unwrap()).user_ids;
    assert_eq!(of(r#"{"m.mentions":{"user_ids":["@a:b"]}}"#), ["@a:b"]);
    for text in [
        r#"{"body":"m.mentions"}"#,
        r#"{"m.mentions":7}"#,
        r#"{"m.mentions":{"user_ids":"@a:b"}}"#,
        "{}",
    ] {
        assert_eq!(of(text), [""; 0], "{text}");
    }
}

#[test]
fn a_redaction_keeps_what_the_room_needs() {
    let kept = |kind: &str, content: Value| -> Value {
        serde_json::from_str(&redacted_content(RoomVersion::V11, kind, &content.to_string())).unwrap()
    };
    assert_eq!(kept("m.room.message", json!({ "body": "x" })), json!({}));
    let member = json!({ "membership": "join", "displayname": "x" });
    assert_eq!(kept("m.room.member", member), json!({ "membership": "join" }));
    assert_eq!(
        kept("m.room.create", json!({ "room_version": "11" })),
        json!({ "room_version": "11" })
    );
    let levels = json!({ "users": {}, "notifications": {}, "x": 1 });
    assert_eq!(kept("m.room.power_levels", levels), json!({ "users": {} }));
}

proptest! {
    #[test]
    fn any_bytes_are_judged(text in "\\PC{0,200}") {
        let _ = Content::check(&text);
        let _ = Content::check(&format!("{{\"a\":{text}}}"));
    }

    #[test]
    fn an_event_is_written_as_valid_json(kind in ".{1,40}", state_key in proptest::option::of(".{0,40}"), body in ".{0,60}") {
        let event = Event {
            event_id: "$e".to_owned(),
            room_id: "!r:s".to_owned(),
            position: 1,
            ordinal: 0,
            sender: PersonId::from_uuid(Uuid::nil()),
            kind: kind.clone(),
            state_key: state_key.clone(),
            content: json!({ "body": body }).to_string(),
            sent_at: Time::from_micros(5_000),
            visible_to: "shared".to_owned(),
            redacts: None,
            redacted_because: None,
            replaces: None,
            previous_content: Some(json!({ "body": body }).to_string()),
            sent_as: Some("D \"quoted\"".to_owned()),
            related: None,
            standing: None,
        };
        let reader = Reader { person: event.sender, device: "D", server_name: "s", now: Time::from_micros(9_000) };
        let read: Value = serde_json::from_str(event.for_client(reader, true).get()).unwrap();
        prop_assert_eq!(&read["type"], &json!(kind));
        prop_assert_eq!(&read["content"]["body"], &json!(body));
        prop_assert_eq!(&read["state_key"], &json!(state_key));
        prop_assert_eq!(&read["unsigned"]["transaction_id"], &json!("\"quoted\""));
        prop_assert_eq!(&read["unsigned"]["age"], &json!(4));
    }
}
