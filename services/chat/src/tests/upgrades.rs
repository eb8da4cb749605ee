//! Room versions, and rooms that take the place of others.

use haechi_testkit::{SignedUp, TestApp, TestStore};
use serde_json::{Value, json};

use super::{assert_matrix_error, client, get, make_room, post, put, say, segment, start};

async fn state(app: &TestApp, who: &SignedUp, room: &str, kind: &str) -> Value {
    get(app, who, &format!("rooms/{room}/state/{kind}")).await.json()
}

async fn rooms_are_made_in_each_version(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let told = get(&app, &minji, "capabilities").await.expect(200).json();
    let versions = &told["capabilities"]["m.room_versions"];
    assert_eq!(versions["default"], "11");
    for version in ["10", "11", "12"] {
        assert_eq!(versions["available"][version], "stable");
        let wish =
            json!({ "room_version": version, "preset": "trusted_private_chat", "invite": [joon.user_id] });
        let room = make_room(&app, &minji, wish).await;
        let creation = state(&app, &minji, &room, "m.room.create").await;
        assert_eq!(creation["room_version"], version);
        let levels = state(&app, &minji, &room, "m.room.power_levels").await;
        if version == "10" {
            assert_eq!(creation["creator"], minji.user_id.as_str());
        } else {
            assert_eq!(creation["creator"], Value::Null);
        }
        if version == "12" {
            assert_eq!(levels["users"], json!({}));
            assert_eq!(levels["events"]["m.room.tombstone"], 150);
            assert_eq!(creation["additional_creators"], json!([joon.user_id]));
            let event = get(
                &app,
                &minji,
                &format!("rooms/{room}/state/m.room.create?format=event"),
            )
            .await
            .json();
            let named = event["event_id"].as_str().unwrap().replace('$', "!");
            assert_eq!(
                event["room_id"],
                named.as_str(),
                "the room is named by its first event"
            );
        } else {
            assert_eq!(levels["users"][&minji.user_id], 100);
        }
        post(&app, &joon, &format!("rooms/{room}/join"), json!({}))
            .await
            .expect(200);
        say(&app, &joon, &room, "1", "hi").await;
        let name = format!("rooms/{room}/state/m.room.name");
        put(&app, &joon, &name, json!({ "name": version }))
            .await
            .expect(200);
    }
    for bad in ["1", "13", "x"] {
        let refused = post(&app, &minji, "createRoom", json!({ "room_version": bad })).await;
        assert_matrix_error(&refused, 400, "M_UNSUPPORTED_ROOM_VERSION");
    }
    let foreign =
        json!({ "room_version": "12", "creation_content": { "additional_creators": ["@x:elsewhere"] } });
    assert_matrix_error(
        &post(&app, &minji, "createRoom", foreign).await,
        400,
        "M_BAD_JSON",
    );
}

/// A space with a name, a place in the directory and a child, that one person is in and another is banned from.
async fn old_room(app: &TestApp, host: &SignedUp, guest: &SignedUp, banned: &SignedUp) -> String {
    let wish = json!({ "name": "Old", "topic": "Times", "visibility": "public", "room_alias_name": "times",
        "creation_content": { "type": "m.space" }, "power_level_content_override": { "invite": 7 } });
    let old = make_room(app, host, wish).await;
    post(app, guest, &format!("rooms/{old}/join"), json!({}))
        .await
        .expect(200);
    let banned = json!({ "user_id": banned.user_id });
    post(app, host, &format!("rooms/{old}/ban"), banned)
        .await
        .expect(200);
    let child = format!("rooms/{old}/state/m.space.child/%21child%3Alocalhost");
    put(app, host, &child, json!({ "via": ["localhost"] }))
        .await
        .expect(200);
    old
}

async fn a_room_takes_the_place_of_another(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let sora = app.sign_up("Sora").await;
    let old = old_room(&app, &minji, &joon, &sora).await;
    let upgrade = format!("rooms/{old}/upgrade");
    let to = |version: &str| json!({ "new_version": version });
    assert_matrix_error(&post(&app, &joon, &upgrade, to("11")).await, 403, "M_FORBIDDEN");
    assert_matrix_error(&post(&app, &sora, &upgrade, to("11")).await, 403, "M_FORBIDDEN");
    assert_matrix_error(
        &post(&app, &minji, &upgrade, to("1")).await,
        400,
        "M_UNSUPPORTED_ROOM_VERSION",
    );
    assert_eq!(
        get(&app, &minji, "joined_rooms").await.json()["joined_rooms"]
            .as_array()
            .unwrap()
            .len(),
        1
    );

    let answer = post(&app, &minji, &upgrade, to("10")).await.expect(200).json();
    let new_id = answer["replacement_room"].as_str().unwrap();
    let new = segment(new_id);
    let path = format!("rooms/{old}/state/m.room.tombstone?format=event");
    let tombstone = get(&app, &joon, &path).await.expect(200).json();
    assert_eq!(tombstone["content"]["replacement_room"], new_id);
    let creation = state(&app, &minji, &new, "m.room.create").await;
    assert_eq!(creation["type"], "m.space");
    assert_eq!(creation["room_version"], "10");
    assert_eq!(creation["predecessor"]["event_id"], tombstone["event_id"]);
    assert_eq!(segment(creation["predecessor"]["room_id"].as_str().unwrap()), old);
    assert_eq!(state(&app, &minji, &new, "m.room.name").await["name"], "Old");
    assert_eq!(state(&app, &minji, &new, "m.room.topic").await["topic"], "Times");
    let levels = state(&app, &minji, &new, "m.room.power_levels").await;
    assert_eq!(
        (&levels["users"][&minji.user_id], &levels["invite"]),
        (&json!(100), &json!(7))
    );
    assert_eq!(
        state(&app, &minji, &new, "m.space.child/%21child%3Alocalhost").await["via"],
        json!(["localhost"])
    );
    let refused = post(&app, &sora, &format!("rooms/{new}/join"), json!({})).await;
    assert_matrix_error(&refused, 403, "M_FORBIDDEN");
}

async fn the_name_and_the_listing_move_and_the_old_room_is_quiet(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let sora = app.sign_up("Sora").await;
    let old = old_room(&app, &minji, &joon, &sora).await;
    let upgrade = format!("rooms/{old}/upgrade");
    let answer = post(&app, &minji, &upgrade, json!({ "new_version": "11" })).await;
    let answer = answer.expect(200).json();
    let new_id = answer["replacement_room"].as_str().unwrap();
    let new = segment(new_id);
    let alias = format!("#times:{}", minji.user_id.split_once(':').unwrap().1);
    let found = app
        .get(&client(&format!("directory/room/{}", segment(&alias))))
        .send()
        .await;
    assert_eq!(found.expect(200).json()["room_id"], new_id);
    assert_eq!(
        state(&app, &minji, &new, "m.room.canonical_alias").await["alias"],
        alias.as_str()
    );
    assert_eq!(
        state(&app, &minji, &old, "m.room.canonical_alias").await,
        json!({})
    );
    let listed = get(&app, &joon, "publicRooms").await.json();
    assert_eq!(
        (
            listed["chunk"].as_array().unwrap().len(),
            &listed["chunk"][0]["room_id"]
        ),
        (1, &json!(new_id))
    );
    let text = json!({ "msgtype": "m.text", "body": "x" });
    let refused = put(&app, &joon, &format!("rooms/{old}/send/m.room.message/1"), text).await;
    assert_matrix_error(&refused, 403, "M_FORBIDDEN");
    post(&app, &joon, &format!("join/{}", segment(&alias)), json!({}))
        .await
        .expect(200);
}

async fn rooms_go_up_to_version_12_and_back(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let first = make_room(&app, &minji, json!({ "preset": "public_chat" })).await;
    let up = json!({ "new_version": "12", "additional_creators": [joon.user_id] });
    let answer = post(&app, &minji, &format!("rooms/{first}/upgrade"), up)
        .await
        .expect(200)
        .json();
    let second = segment(answer["replacement_room"].as_str().unwrap());
    let creation = state(&app, &minji, &second, "m.room.create").await;
    assert_eq!(creation["additional_creators"], json!([joon.user_id]));
    assert_eq!(creation["predecessor"]["event_id"], Value::Null);
    assert_eq!(
        state(&app, &minji, &second, "m.room.power_levels").await["users"],
        json!({})
    );
    post(&app, &joon, &format!("rooms/{second}/join"), json!({}))
        .await
        .expect(200);
    let down = json!({ "new_version": "11" });
    let answer = post(&app, &joon, &format!("rooms/{second}/upgrade"), down)
        .await
        .expect(200)
        .json();
    let third = segment(answer["replacement_room"].as_str().unwrap());
    let levels = state(&app, &joon, &third, "m.room.power_levels").await;
    assert_eq!(
        levels["users"],
        json!({ minji.user_id.clone(): 100, joon.user_id.clone(): 100 })
    );
}

haechi_testkit::on_both_engines!(
    rooms_are_made_in_each_version,
    a_room_takes_the_place_of_another,
    the_name_and_the_listing_move_and_the_old_room_is_quiet,
    rooms_go_up_to_version_12_and_back,
);
