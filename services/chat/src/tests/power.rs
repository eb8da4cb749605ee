//! The authorisation rules against sequences of events: a room's state cannot be moved by who has not the power to.

use haechi_base::{PersonId, uuid::Uuid};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::model::{
    Content, Draft, JoinRule, Membership, NewRoom, PowerLevels, Preset, Room, RoomVersion, authorise,
    authorising_user_of, drafts_of_new_room, person_of, redacted_content, user_id,
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
    room_of(preset, RoomVersion::V11)
}

fn room_of(preset: Preset, version: RoomVersion) -> Room {
    let wish = NewRoom {
        version,
        creator: person(1),
        creator_profile: serde_json::Map::new(),
        preset,
        creation_content: serde_json::Map::new(),
        power_levels: serde_json::Map::new(),
        initial_state: Vec::new(),
        name: Some("Room".to_owned()),
        topic: None,
        alias: None,
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
        ("m.room.join_rules", json!({ "join_rule": "whoever" })),
        ("m.room.history_visibility", json!({ "history_visibility": 1 })),
    ] {
        assert!(
            !put(&mut room, &draft(1, kind, Some(""), &content)),
            "{kind} {content}"
        );
    }
    for user in ["@X:s", "nobody", "", &user_id(person(2), "elsewhere")] {
        let event = draft(1, "m.room.member", Some(user), &json!({ "membership": "invite" }));
        assert!(!put(&mut room, &event), "{user}");
    }
    let others = draft(1, "kr.haechi.seat", Some(&user(2)), &json!({}));
    assert!(!put(&mut room, &others), "state under another's name");
}

/// Somebody comes in another's name.
fn vouched(sender: u128, voucher: u128) -> Draft {
    let content = json!({ "membership": "join", "join_authorised_via_users_server": user(voucher) });
    draft(sender, "m.room.member", Some(&user(sender)), &content)
}

fn join_rule(word: &str) -> Draft {
    draft(1, "m.room.join_rules", Some(""), &json!({ "join_rule": word }))
}

#[test]
fn who_knocks_is_let_in_or_not_by_those_inside() {
    let mut room = room(Preset::Private);
    assert!(!put(&mut room, &member(2, 2, "knock")), "nobody may knock here");
    assert!(put(&mut room, &join_rule("knock")));
    assert!(!put(&mut room, &member(3, 2, "knock")), "for another");
    assert!(put(&mut room, &member(2, 2, "knock")));
    assert!(put(&mut room, &member(2, 2, "knock")), "once more");
    assert!(
        !put(&mut room, &member(2, 2, "join")),
        "knocking is not yet coming in"
    );
    assert!(!put(&mut room, &draft(2, "m.room.message", None, &json!({}))));
    assert!(put(&mut room, &member(1, 2, "leave")), "not let in");
    assert!(put(&mut room, &member(2, 2, "knock")));
    assert!(put(&mut room, &member(2, 2, "leave")), "thought better of it");
    assert!(put(&mut room, &member(2, 2, "knock")));
    assert!(put(&mut room, &member(1, 2, "invite")));
    assert!(!put(&mut room, &member(2, 2, "knock")), "invited already");
    assert!(put(&mut room, &member(2, 2, "join")));
    assert!(!put(&mut room, &member(2, 2, "knock")), "in already");
    assert!(put(&mut room, &member(1, 2, "ban")));
    assert!(!put(&mut room, &member(2, 2, "knock")), "banned");
}

#[test]
fn into_a_restricted_room_one_comes_in_the_name_of_who_may_invite() {
    let mut room = room(Preset::Private);
    assert!(put(&mut room, &join_rule("restricted")));
    assert!(!put(&mut room, &member(2, 2, "join")), "in nobody's name");
    assert!(!put(&mut room, &vouched(2, 3)), "in a stranger's name");
    assert!(!put(&mut room, &member(2, 2, "knock")));
    assert!(put(&mut room, &vouched(2, 1)));
    let levels = json!({ "users": { user(1): 100 }, "invite": 50 });
    assert!(put(
        &mut room,
        &draft(1, "m.room.power_levels", Some(""), &levels)
    ));
    assert!(
        !put(&mut room, &vouched(3, 2)),
        "in the name of who may not invite"
    );
    assert!(put(&mut room, &vouched(3, 1)));
    assert!(put(&mut room, &join_rule("knock_restricted")));
    assert!(put(&mut room, &member(4, 4, "knock")));
    assert!(put(&mut room, &vouched(4, 1)), "from knocking too");
}

#[test]
fn who_made_a_room_of_version_12_stands_above_all_levels() {
    let mut room = room_of(Preset::Public, RoomVersion::V12);
    assert_eq!(room.power(person(1), SERVER), i64::MAX);
    assert!(put(&mut room, &member(2, 2, "join")));
    let own = json!({ "users": { user(1): 100 } });
    assert!(
        !put(&mut room, &draft(1, "m.room.power_levels", Some(""), &own)),
        "not listed"
    );
    let highest = json!({ "users": { user(2): 9_007_199_254_740_991_i64 } });
    assert!(put(
        &mut room,
        &draft(1, "m.room.power_levels", Some(""), &highest)
    ));
    assert!(!put(&mut room, &member(2, 1, "ban")));
    assert!(put(&mut room, &member(1, 2, "ban")));
}

#[test]
fn a_closed_room_can_only_be_left() {
    let mut room = room(Preset::Public);
    put(&mut room, &member(2, 2, "join"));
    room.rules.as_mut().unwrap().is_shut = true;
    assert!(!put(&mut room, &draft(1, "m.room.message", None, &json!({}))));
    assert!(!put(&mut room, &member(3, 3, "join")));
    assert!(!put(&mut room, &member(1, 3, "invite")));
    assert!(!put(&mut room, &member(1, 2, "leave")), "nor is anybody put out");
    assert!(put(&mut room, &member(2, 2, "leave")));
}

#[test]
fn redactions_leave_what_the_rooms_version_says() {
    let levels = r#"{"invite":1,"ban":2,"more":3}"#;
    let of = |version, kind: &str, content: &str| redacted_content(version, kind, content);
    assert_eq!(
        of(RoomVersion::V11, "m.room.power_levels", levels),
        r#"{"ban":2,"invite":1}"#
    );
    assert_eq!(
        of(RoomVersion::V10, "m.room.power_levels", levels),
        r#"{"ban":2}"#
    );
    let create = r#"{"creator":"@a:s","type":"x"}"#;
    assert_eq!(
        of(RoomVersion::V10, "m.room.create", create),
        r#"{"creator":"@a:s"}"#
    );
    assert_eq!(of(RoomVersion::V11, "m.room.create", create), create);
    let third = r#"{"membership":"join","third_party_invite":{"signed":{"a":1},"display_name":"x"}}"#;
    let signed = r#"{"membership":"join","third_party_invite":{"signed":{"a":1}}}"#;
    assert_eq!(of(RoomVersion::V11, "m.room.member", third), signed);
    assert_eq!(
        of(RoomVersion::V10, "m.room.member", third),
        r#"{"membership":"join"}"#
    );
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
    let word = prop::sample::select(vec![
        "public",
        "invite",
        "knock",
        "restricted",
        "knock_restricted",
    ]);
    let rules = (1..6_u128, word).prop_map(|(sender, word)| {
        let allow = json!([{ "type": "m.room_membership", "room_id": "!other:s" }]);
        draft(
            sender,
            "m.room.join_rules",
            Some(""),
            &json!({ "join_rule": word, "allow": allow }),
        )
    });
    let vouched = (1..6_u128, 1..6_u128).prop_map(|(sender, voucher)| vouched(sender, voucher));
    prop_oneof![4 => memberships, 2 => levels, 1 => names, 2 => rules, 1 => vouched]
}

fn levels_of(room: &Room) -> PowerLevels {
    room.rules.clone().unwrap().power_levels.unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn a_rooms_state_moves_only_by_who_has_the_power(
        events in prop::collection::vec(any_event(), 1..60),
        version in prop::sample::select(RoomVersion::ALL.to_vec()),
    ) {
        let mut room = room_of(Preset::Public, version);
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
                        // Nobody comes in or knocks for another, not even who stands above all levels.
                        Membership::Join | Membership::Knock => {
                            prop_assert!(false, "{was:?} to {is:?} by another");
                            i64::MAX
                        }
                    };
                    prop_assert!(own >= needed, "{was:?} to {is:?} by {own}");
                    prop_assert!(is == Membership::Invite || then < own, "no peer is put out");
                }
                let rules = before.rules.as_ref().unwrap();
                let is_new = matches!(was, Membership::Leave | Membership::Knock);
                if who == event.sender && is == Membership::Join && is_new {
                    let voucher = authorising_user_of(&event.content);
                    let voucher = voucher.and_then(|user| person_of(&user, SERVER));
                    let may_invite = |voucher| {
                        before.membership(voucher) == Membership::Join
                            && before.power(voucher, SERVER) >= levels.invite
                    };
                    let is_vouched = rules.join_rule.admits_by_room() && voucher.is_some_and(may_invite);
                    prop_assert!(rules.join_rule == JoinRule::Public || is_vouched, "{:?}", rules.join_rule);
                }
                if is == Membership::Knock && was != is {
                    prop_assert!(rules.join_rule.takes_knocks() && was == Membership::Leave, "from {was:?}");
                }
                if rules.has_all_power(who) && who != event.sender && is != Membership::Invite {
                    prop_assert_eq!(was, is, "who stands above all is moved by nobody");
                }
                prop_assert!(!(was == Membership::Ban && is == Membership::Join));
            }
        }
    }
}
