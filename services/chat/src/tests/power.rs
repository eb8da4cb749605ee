//! The authorisation rules against sequences of events: a room's state cannot be moved by who has not the power to.

use haechi_base::{PersonId, uuid::Uuid};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::model::{
    Content, Draft, JoinRule, Membership, NewRoom, PowerLevels, Preset, Room, authorise, drafts_of_new_room,
    user_id,
};

const SERVER: &str = "s";

fn person(number: u128) -> PersonId {
    PersonId::from_uuid(Uuid::from_u128(number))
}

fn user(number: u128) -> String {
    user_id(person(number), SERVER)
}

fn draft(sender: u128, kind: &str, state_key: Option<&str>, content: &Value) -> Draft {
    Draft {
        event_id: "$e".to_owned(),
        sender: person(sender),
        kind: kind.to_owned(),
        state_key: state_key.map(str::to_owned),
        content: Content::of(content),
        redacts: None,
        sent_as: None,
    }
}

fn member(sender: u128, target: u128, word: &str) -> Draft {
    draft(
        sender,
        "m.room.member",
        Some(&user(target)),
        &json!({ "membership": word }),
    )
}

/// Puts an event in when the rules allow it; returns whether they did.
fn put(room: &mut Room, event: &Draft) -> bool {
    let is_allowed = authorise(room, event, SERVER).is_ok();
    if is_allowed {
        room.apply(event, SERVER).unwrap();
    }
    is_allowed
}

/// A room that person 1 made.
fn room(preset: Preset) -> Room {
    let wish = NewRoom {
        creator: person(1),
        creator_profile: serde_json::Map::new(),
        preset,
        creation_content: serde_json::Map::new(),
        power_levels: serde_json::Map::new(),
        initial_state: Vec::new(),
        name: Some("Room".to_owned()),
        topic: None,
        is_direct: false,
        invited: Vec::new(),
        invited_join: false,
    };
    let mut room = Room::default();
    let mut number = 0;
    for event in drafts_of_new_room(&wish, SERVER, || {
        number += 1;
        format!("${number}")
    }) {
        assert!(put(&mut room, &event), "{event:?}");
    }
    room
}

#[test]
fn strangers_do_nothing_and_the_invited_come() {
    let mut room = room(Preset::Private);
    assert!(!put(&mut room, &member(2, 2, "join")));
    assert!(!put(&mut room, &draft(2, "m.room.message", None, &json!({}))));
    assert!(!put(&mut room, &member(2, 3, "invite")));
    assert!(put(&mut room, &member(1, 2, "invite")));
    assert!(
        !put(&mut room, &draft(2, "m.room.message", None, &json!({}))),
        "not in yet"
    );
    assert!(!put(&mut room, &member(1, 2, "join")), "nobody joins for another");
    assert!(put(&mut room, &member(2, 2, "join")));
    assert!(put(&mut room, &draft(2, "m.room.message", None, &json!({}))));
    assert!(
        put(&mut room, &member(2, 3, "invite")),
        "anybody may invite by default"
    );
    assert!(!put(
        &mut room,
        &draft(2, "m.room.name", Some(""), &json!({ "name": "Mine" }))
    ));
    assert!(!put(&mut room, &member(2, 1, "leave")), "no guest kicks the host");
    assert!(!put(&mut room, &member(2, 1, "ban")));
    assert!(
        !put(&mut room, &draft(2, "m.room.create", Some(""), &json!({}))),
        "a room is made once"
    );
}

#[test]
fn the_banned_stay_out_until_let_back() {
    let mut room = room(Preset::Public);
    assert!(put(&mut room, &member(2, 2, "join")));
    assert!(put(&mut room, &member(1, 2, "ban")));
    assert!(!put(&mut room, &member(2, 2, "join")));
    assert!(
        !put(&mut room, &member(2, 2, "leave")),
        "nobody lifts their own ban"
    );
    assert!(!put(&mut room, &member(1, 2, "invite")));
    assert!(put(&mut room, &member(1, 2, "leave")));
    assert!(put(&mut room, &member(2, 2, "join")));
}

#[test]
fn power_is_given_but_never_beyond_ones_own() {
    let mut room = room(Preset::Public);
    put(&mut room, &member(2, 2, "join"));
    put(&mut room, &member(3, 3, "join"));
    let levels = |users: Value| {
        draft(
            1,
            "m.room.power_levels",
            Some(""),
            &json!({
                "users": users, "events": { "m.room.power_levels": 50 },
            }),
        )
    };
    assert!(put(&mut room, &levels(json!({ user(1): 100, user(2): 50 }))));
    let by_two = |users: Value| Draft {
        sender: person(2),
        ..levels(users)
    };
    assert!(
        !put(&mut room, &by_two(json!({ user(1): 100, user(2): 100 }))),
        "not above oneself"
    );
    assert!(
        !put(&mut room, &by_two(json!({ user(1): 0, user(2): 50 }))),
        "not the host down"
    );
    assert!(
        !put(&mut room, &by_two(json!({ user(2): 50 }))),
        "not the host out"
    );
    assert!(put(
        &mut room,
        &by_two(json!({ user(1): 100, user(2): 50, user(3): 50 }))
    ));
    assert!(
        !put(&mut room, &by_two(json!({ user(1): 100, user(2): 50 }))),
        "no peer down"
    );
    assert!(
        put(
            &mut room,
            &by_two(json!({ user(1): 100, user(2): 0, user(3): 50 }))
        ),
        "oneself down"
    );
    assert!(
        !put(
            &mut room,
            &by_two(json!({ user(1): 100, user(2): 50, user(3): 50 }))
        ),
        "and not up again"
    );
}

#[test]
fn malformed_state_is_refused() {
    let mut room = room(Preset::Public);
    for (kind, content) in [
        ("m.room.power_levels", json!({ "ban": "50" })),
        ("m.room.power_levels", json!({ "users": { "nobody": 1 } })),
        ("m.room.power_levels", json!({ "ban": 9_007_199_254_740_992_i64 })),
        ("m.room.join_rules", json!({})),
        ("m.room.join_rules", json!({ "join_rule": "knock" })),
        ("m.room.history_visibility", json!({ "history_visibility": 1 })),
    ] {
        assert!(
            !put(&mut room, &draft(1, kind, Some(""), &content)),
            "{kind} {content}"
        );
    }
    for user in ["@x:s", "nobody", "", &user_id(person(2), "elsewhere")] {
        let event = draft(1, "m.room.member", Some(user), &json!({ "membership": "invite" }));
        assert!(!put(&mut room, &event), "{user}");
    }
    let others = draft(1, "kr.haechi.seat", Some(&user(2)), &json!({}));
    assert!(!put(&mut room, &others), "state under another's name");
}

/// An event that anybody of five people might try.
fn any_event() -> impl Strategy<Value = Draft> {
    let word = prop::sample::select(vec!["join", "invite", "leave", "ban", "knock"]);
    let memberships =
        (1..6_u128, 1..6_u128, word).prop_map(|(sender, target, word)| member(sender, target, word));
    let levels = (
        1..6_u128,
        0..120_i64,
        0..120_i64,
        prop::collection::btree_map(1..6_u128, 0..120_i64, 0..5),
    )
        .prop_map(|(sender, ban, default, users)| {
            let users: serde_json::Map<String, Value> = users
                .into_iter()
                .map(|(number, level)| (user(number), level.into()))
                .collect();
            let content = json!({ "ban": ban, "users": users, "state_default": default });
            draft(sender, "m.room.power_levels", Some(""), &content)
        });
    let names =
        (1..6_u128).prop_map(|sender| draft(sender, "m.room.name", Some(""), &json!({ "name": "x" })));
    let rules = (1..6_u128, prop::bool::ANY).prop_map(|(sender, public)| {
        let word = if public { "public" } else { "invite" };
        draft(
            sender,
            "m.room.join_rules",
            Some(""),
            &json!({ "join_rule": word }),
        )
    });
    prop_oneof![4 => memberships, 2 => levels, 1 => names, 1 => rules]
}

fn levels_of(room: &Room) -> PowerLevels {
    room.rules.clone().unwrap().power_levels.unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn a_rooms_state_moves_only_by_who_has_the_power(events in prop::collection::vec(any_event(), 1..60)) {
        let mut room = room(Preset::Public);
        for event in events {
            let before = room.clone();
            let (own, levels) = (before.power(event.sender, SERVER), levels_of(&before));
            if !put(&mut room, &event) {
                prop_assert_eq!(&before.rules, &room.rules, "a refused event changes nothing");
                continue;
            }
            let is_own_membership =
                event.kind == "m.room.member" && event.state_key.as_deref() == Some(&user_id(event.sender, SERVER));
            prop_assert!(is_own_membership || before.membership(event.sender) == Membership::Join);
            if event.kind != "m.room.member" {
                prop_assert!(own >= levels.needed_to_send(&event.kind, true));
            }
            for number in 1..6 {
                let (who, then) = (person(number), before.power(person(number), SERVER));
                let now = room.power(who, SERVER);
                if now != then {
                    prop_assert!(now <= own && (then < own || who == event.sender), "{then} to {now} by {own}");
                }
                let (was, is) = (before.membership(who), room.membership(who));
                if who != event.sender && was != is {
                    let needed = match is {
                        Membership::Ban => levels.ban,
                        Membership::Leave if was == Membership::Ban => levels.ban.max(levels.kick),
                        Membership::Leave => levels.kick,
                        Membership::Invite => levels.invite,
                        Membership::Join => i64::MAX,
                    };
                    prop_assert!(own >= needed, "{was:?} to {is:?} by {own}");
                    prop_assert!(is == Membership::Invite || then < own, "no peer is put out");
                }
                if who == event.sender && is == Membership::Join && was == Membership::Leave {
                    prop_assert_eq!(before.rules.as_ref().unwrap().join_rule, JoinRule::Public);
                }
                prop_assert!(!(was == Membership::Ban && is == Membership::Join));
            }
        }
    }
}
