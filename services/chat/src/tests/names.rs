//! Ids, tokens and filters: what is stored must never come out another way.

use haechi_base::{PersonId, Time, uuid::Uuid};
use proptest::prelude::*;

use crate::model::{
    EventFilter, Place, STREAMS, SyncToken, event_id_of_transaction, new_event_id, person_of, stream_of,
    user_id,
};

#[test]
fn a_rooms_stream_is_written_in_stone() {
    // Stored with every membership: these may not change.
    let streams = [
        "!a:localhost",
        "!b:localhost",
        "!c:localhost",
        "!d:localhost",
        "!e:localhost",
    ]
    .map(stream_of);
    assert_eq!(streams, [0, 1, 2, 3, 0]);
    let mut counts = [0; STREAMS as usize];
    for number in 0..4_000 {
        counts[usize::from(stream_of(&format!("!{number}:localhost")))] += 1;
    }
    assert!(
        counts.iter().all(|count| (900..1_100).contains(count)),
        "{counts:?}"
    );
}

#[test]
fn only_this_servers_canonical_user_ids_name_a_person() {
    let person = PersonId::new(Time::from_micros(1_700_000_000_000_000));
    let user = user_id(person, "haechi.example");
    assert_eq!(person_of(&user, "haechi.example"), Some(person));
    assert_eq!(person_of(&user, "other.example"), None);
    assert_eq!(person_of(&user.to_uppercase(), "haechi.example"), None);
    for bad in [
        "",
        "@",
        "@:haechi.example",
        "@X:haechi.example",
        "@2024:haechi.example",
        "0193:haechi.example",
        "@\u{0}:haechi.example",
    ] {
        assert_eq!(person_of(bad, "haechi.example"), None, "{bad:?}");
    }
}

#[test]
fn event_ids_look_like_those_of_room_version_11() {
    let person = PersonId::from_uuid(Uuid::nil());
    let id = event_id_of_transaction(person, "D", "!r:s", "m.room.message", "1");
    for id in [id.as_str(), &new_event_id()] {
        assert_eq!(id.len(), 44);
        assert!(ruma::EventId::parse(id).is_ok());
    }
    let others = [
        event_id_of_transaction(person, "D", "!r:s", "m.room.message", "2"),
        event_id_of_transaction(person, "E", "!r:s", "m.room.message", "1"),
        event_id_of_transaction(person, "D", "!q:s", "m.room.message", "1"),
        event_id_of_transaction(person, "D", "!r:s", "m.sticker", "1"),
        event_id_of_transaction(person, "D", "!r:", "sm.room.message", "1"),
    ];
    assert!(others.iter().all(|other| *other != id));
}

#[test]
fn filters_match_types_with_stars() {
    let wants = |pattern: &str, kind: &str| {
        let json = serde_json::json!({ "types": [pattern] });
        let filter = serde_json::from_value(json).unwrap();
        EventFilter(&filter).wants_type(kind, "!r:s")
    };
    for (pattern, kind, wanted) in [
        ("m.room.message", "m.room.message", true),
        ("m.room.message", "m.room.messages", false),
        ("m.room.*", "m.room.message", true),
        ("*", "anything", true),
        ("*.message", "m.room.message", true),
        ("*.message", "m.room.message.x", false),
        ("m.*.member", "m.room.member", true),
        ("m.*r*m*", "m.room.member", true),
        ("a*b*a", "aba", true),
        ("a*a", "a", false),
    ] {
        assert_eq!(wants(pattern, kind), wanted, "{pattern} on {kind}");
    }
}

proptest! {
    #[test]
    fn sync_tokens_survive_their_text(positions: [u32; 5], typing: u32) {
        let token = SyncToken::new(positions.map(i64::from), i64::from(typing));
        prop_assert_eq!(token.to_string().parse::<SyncToken>(), Ok(token));
    }

    #[test]
    fn any_text_is_a_token_or_refused(text in ".{0,64}") {
        let _ = text.parse::<SyncToken>();
        if let Ok(Place(position)) = Place::read(&text, 0) {
            prop_assert!(position >= 0);
        }
    }
}
