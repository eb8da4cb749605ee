//! Making rooms and changing their state, through the routes.

use haechi_testkit::TestStore;
use serde_json::json;

use super::{assert_matrix_error, get, make_room, make_room_of, post, put, start};

async fn a_room_is_made_as_wished(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room(
        &app,
        &minji,
        json!({
            "preset": "trusted_private_chat",
            "name": "Plan",
            "topic": "Secret",
            "invite": [joon.user_id],
            "is_direct": true,
            "room_version": "11",
            "creation_content": { "type": "kr.haechi.test", "m.federate": false },
            "initial_state": [{ "type": "kr.haechi.seat", "state_key": "1", "content": { "free": true } }],
            "power_level_content_override": { "events_default": 10 },
        }),
    )
    .await;
    let state = get(&app, &minji, &format!("rooms/{room}/state"))
        .await
        .expect(200)
        .json();
    let content = |kind: &str, key: &str| {
        let events = state.as_array().unwrap().iter();
        let found = events.filter(|event| event["type"] == kind && event["state_key"] == key);
        found.map(|event| event["content"].clone()).next().unwrap()
    };
    assert_eq!(content("m.room.create", "")["type"], "kr.haechi.test");
    assert_eq!(content("m.room.create", "")["room_version"], "11");
    assert_eq!(content("m.room.name", "")["name"], "Plan");
    assert_eq!(content("m.room.topic", "")["topic"], "Secret");
    assert_eq!(content("kr.haechi.seat", "1")["free"], true);
    assert_eq!(content("m.room.power_levels", "")["users"][&joon.user_id], 100);
    assert_eq!(content("m.room.power_levels", "")["events_default"], 10);
    assert_eq!(content("m.room.member", &joon.user_id)["is_direct"], true);
    assert_eq!(content("m.room.member", &minji.user_id)["displayname"], "Minji");
    let seat = get(
        &app,
        &minji,
        &format!("rooms/{room}/state/kr.haechi.seat/1?format=event"),
    )
    .await;
    assert_eq!(seat.expect(200).json()["sender"], minji.user_id.as_str());
}

async fn what_cannot_be_made_is_refused_whole(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let cases = [
        (json!({ "room_version": "1" }), 400, "M_UNSUPPORTED_ROOM_VERSION"),
        (json!({ "preset": "palace" }), 400, "M_INVALID_PARAM"),
        (json!({ "name": 7 }), 400, "M_BAD_JSON"),
        (json!({ "room_alias_name": "not here" }), 400, "M_INVALID_PARAM"),
        (
            json!({ "power_level_content_override": { "ban": "all" } }),
            400,
            "M_BAD_JSON",
        ),
        (
            json!({ "power_level_content_override": { "users": {} } }),
            403,
            "M_FORBIDDEN",
        ),
        (
            json!({ "initial_state": [{ "type": "a", "content": { "x": 0.5 } }] }),
            400,
            "M_BAD_JSON",
        ),
        (
            json!({ "initial_state": [{ "type": "a", "content": 1 }] }),
            400,
            "M_BAD_JSON",
        ),
        (
            json!({ "initial_state": [{ "type": "m.room.join_rules", "content": {} }] }),
            400,
            "M_BAD_JSON",
        ),
        (json!({ "topic": "x".repeat(70_000) }), 413, "M_TOO_LARGE"),
        (
            json!({ "initial_state": [{ "type": "m.room.member", "state_key": minji.user_id, "content": {} }] }),
            400,
            "M_INVALID_PARAM",
        ),
    ];
    for (wish, status, code) in cases {
        assert_matrix_error(&post(&app, &minji, "createRoom", wish).await, status, code);
    }
    assert_eq!(
        get(&app, &minji, "joined_rooms").await.json()["joined_rooms"],
        json!([])
    );
}

async fn state_moves_only_with_power(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    let name = format!("rooms/{room}/state/m.room.name");
    assert_matrix_error(
        &put(&app, &joon, &name, json!({ "name": "His" })).await,
        403,
        "M_FORBIDDEN",
    );
    let first = put(&app, &minji, &name, json!({ "name": "Hers" }))
        .await
        .expect(200)
        .json();
    let same = put(&app, &minji, &name, json!({ "name": "Hers" }))
        .await
        .expect(200)
        .json();
    assert_eq!(first, same, "what changes nothing is no new event");
    let second = put(&app, &minji, &name, json!({ "name": "Ours" }))
        .await
        .expect(200)
        .json();
    let event = super::segment(second["event_id"].as_str().unwrap());
    let told = get(&app, &joon, &format!("rooms/{room}/event/{event}"))
        .await
        .expect(200)
        .json();
    assert_eq!(told["unsigned"]["prev_content"]["name"], "Hers");
    assert_eq!(told["unsigned"]["replaces_state"], first["event_id"]);
    assert_eq!(
        get(&app, &joon, &name).await.expect(200).json(),
        json!({ "name": "Ours" })
    );
    assert_matrix_error(
        &get(&app, &joon, &format!("rooms/{room}/state/none")).await,
        404,
        "M_NOT_FOUND",
    );
    let levels = format!("rooms/{room}/state/m.room.power_levels");
    let coup = json!({ "users": { joon.user_id.clone(): 100 } });
    assert_matrix_error(&put(&app, &joon, &levels, coup.clone()).await, 403, "M_FORBIDDEN");
    let mut shared = get(&app, &minji, &levels).await.json();
    shared["users"][&joon.user_id] = 100.into();
    put(&app, &minji, &levels, shared).await.expect(200);
    put(&app, &joon, &name, json!({ "name": "His at last" }))
        .await
        .expect(200);
    assert_matrix_error(&put(&app, &joon, &levels, coup).await, 403, "M_FORBIDDEN");
}

haechi_testkit::on_both_engines!(
    a_room_is_made_as_wished,
    what_cannot_be_made_is_refused_whole,
    state_moves_only_with_power,
);
