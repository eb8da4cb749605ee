//! What requests are taken for.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::*;

const ME: &str = "@me:house";

fn read(request: Value) -> Result<SlidingWish, ChatError> {
    serde_json::from_value::<SlidingRequest>(request)
        .unwrap()
        .read(ME)
}

fn required(pairs: &[(&str, &str)]) -> RequiredState {
    let pairs = pairs
        .iter()
        .map(|(kind, key)| ((*kind).to_owned(), (*key).to_owned()));
    RequiredState::read(pairs.collect(), ME).unwrap()
}

#[test]
fn what_is_left_out_is_no_filter_and_fields_nobody_knows_are_passed_over() {
    let wish = read(json!({
        "lists": { "all": { "ranges": [[0, 9], [5, 20]], "sort": ["by_recency"], "slow_get_all_rooms": false } },
        "room_subscriptions": { "!room": { "timeline_limit": 1_000_000 } },
        "extensions": { "typing": {}, "receipts": { "enabled": true, "rooms": ["*"], "lists": [] }, "new": 1 },
        "whatever": {},
    }))
    .unwrap();
    let list = &wish.lists[0];
    assert_eq!(list.ranges, [(0, 9), (5, 20)]);
    assert_eq!(list.view.timeline_limit, 1);
    assert!(!list.filter.needs_facts() && !list.filter.needs_tags());
    assert_eq!(wish.subscriptions["!room"].timeline_limit, SLIDING_TIMELINE_MAX);
    let receipts = wish.extensions.receipts.unwrap();
    assert!(wish.extensions.typing.is_none());
    assert_eq!(receipts.mask(&wish.lists), 0, "of no list");
    assert!(receipts.has_subscribed("!room") && !receipts.names("!room"));
}

#[test]
fn what_is_no_range_or_too_much_is_refused() {
    let many: BTreeMap<String, Value> = (0..=SLIDING_LISTS_MAX)
        .map(|number| (number.to_string(), json!({ "ranges": [[0, 1]] })))
        .collect();
    let rooms: BTreeMap<String, Value> = (0..=SLIDING_SUBSCRIPTIONS_MAX)
        .map(|number| (number.to_string(), json!({})))
        .collect();
    let state: Vec<(String, String)> = (0..300)
        .map(|number| (number.to_string(), String::new()))
        .collect();
    let ranges = vec![(0, 1); SLIDING_RANGES_MAX + 1];
    let refused = [
        json!({ "lists": { "a": { "ranges": [[-1, 3]] } } }),
        json!({ "lists": { "a": { "ranges": [[3, 1]] } } }),
        json!({ "lists": { "a": { "ranges": ranges } } }),
        json!({ "lists": { "a": { "timeline_limit": -1 } } }),
        json!({ "lists": { "a": { "required_state": state } } }),
        json!({ "lists": { "a": { "required_state": [["m.room.name", "k".repeat(256)]] } } }),
        json!({ "lists": { "a": { "filters": { "tags": (0..99).map(|tag| tag.to_string()).collect::<Vec<_>>() } } } }),
        json!({ "lists": many }),
        json!({ "lists": { "n".repeat(256): {} } }),
        json!({ "room_subscriptions": rooms }),
        json!({ "conn_id": "c".repeat(65) }),
        json!({ "txn_id": "t".repeat(256) }),
        json!({ "extensions": { "to_device": { "enabled": true, "since": "s1" } } }),
        json!({ "extensions": { "to_device": { "enabled": true, "since": "d-1" } } }),
        json!({ "extensions": { "to_device": { "enabled": true, "limit": -5 } } }),
    ];
    for request in refused {
        let outcome = read(request.clone());
        assert!(
            matches!(outcome, Err(ChatError::InvalidParameter(_))),
            "{request}"
        );
    }
}

#[test]
fn required_state_is_told_by_type_key_and_who_asks() {
    let named = required(&[
        ("m.room.name", ""),
        ("m.room.member", "$ME"),
        ("m.room.member", "$LAZY"),
    ]);
    assert!(named.wants("m.room.name", "") && named.wants("m.room.member", ME) && named.is_lazy);
    assert!(!named.wants("m.room.topic", "") && !named.wants("m.room.member", "@you:house"));
    assert!(!named.has_wildcards() && !named.wants_all_members());
    let all = required(&[("*", "*")]);
    assert!(all.wants("m.room.member", "@you:house") && all.wants_all_members());
    let all_but_members = required(&[("*", "*"), ("m.room.member", "$LAZY")]);
    assert!(all_but_members.wants("x", "y") && !all_but_members.wants("m.room.member", "@you:house"));
    let of_key = required(&[("*", "@you:house")]);
    assert!(of_key.wants("m.room.member", "@you:house") && of_key.wants("x", "@you:house"));
    assert!(!of_key.wants("x", ""));
    let of_kind = required(&[("m.space.child", "*")]);
    assert!(of_kind.wants("m.space.child", "!room") && of_kind.has_wildcards());
}

#[test]
fn two_wishes_together_are_wider_than_each() {
    let wishes = [
        required(&[]),
        required(&[("m.room.name", ""), ("m.room.member", "$LAZY")]),
        required(&[("*", "*"), ("m.room.member", "$LAZY")]),
        required(&[("*", "*")]),
        required(&[("m.room.member", "*")]),
        required(&[("*", "@you:house")]),
    ];
    let parts = [
        ("m.room.name", ""),
        ("m.room.member", "@you:house"),
        ("x", "@you:house"),
        ("x", "y"),
    ];
    for one in &wishes {
        for other in &wishes {
            let both = one.with(other);
            assert!(
                one.is_within(&both) && other.is_within(&both),
                "{one:?} {other:?}"
            );
            for (kind, key) in parts {
                let either = one.wants(kind, key) || other.wants(kind, key);
                assert!(!either || both.wants(kind, key), "{one:?} {other:?} {kind} {key}");
            }
        }
    }
    assert!(!wishes[3].is_within(&wishes[2]));
    assert!(!wishes[1].is_within(&wishes[0]) && wishes[0].is_within(&wishes[1]));
}

#[test]
fn a_filter_asks_what_it_names_and_nothing_else() {
    let filter = |text: Value| serde_json::from_value::<ListFilter>(text).unwrap();
    let tags = ["m.favourite".to_owned()];
    let space = Listed {
        is_dm: false,
        is_encrypted: true,
        is_invite: false,
        room_type: Some("m.space"),
        tags: &tags,
    };
    let plain = Listed {
        room_type: None,
        tags: &[],
        ..space
    };
    assert!(filter(json!({})).wants(space) && filter(json!({ "room_name_like": "x" })).wants(plain));
    let spaces = filter(json!({ "room_types": ["m.space"] }));
    assert!(spaces.wants(space) && !spaces.wants(plain) && spaces.needs_facts());
    let rooms = filter(json!({ "not_room_types": ["m.space"], "room_types": ["m.space", null] }));
    assert!(!rooms.wants(space) && rooms.wants(plain));
    assert!(!filter(json!({ "is_encrypted": false })).wants(space));
    assert!(
        !filter(json!({ "is_dm": true })).wants(space) && filter(json!({ "is_invite": false })).wants(space)
    );
    let loved = filter(json!({ "tags": ["m.favourite"] }));
    assert!(loved.wants(space) && !loved.wants(plain) && loved.needs_tags());
    assert!(!filter(json!({ "not_tags": ["m.favourite"] })).wants(space));
}
