//! What stock clients expect of answers, area by area, as the public test suites ask for it.

use haechi_testkit::TestStore;
use serde_json::{Value, json};

use super::{
    assert_matrix_error, client, get, joined, make_room, make_room_of, post, put, say, segment, start, sync,
    texts,
};

async fn filters_that_cannot_be_are_refused(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let path = format!("user/{}/filter", segment(&minji.user_id));
    let room = |part: &str, filter: Value| json!({ "room": { part: filter } });
    for bad in [
        json!({ "presence": "not_an_object" }),
        json!({ "room": "not_an_object" }),
        room("timeline", json!("not_an_object")),
        room("state", json!("not_an_object")),
        room("ephemeral", json!("not_an_object")),
        room("account_data", json!("not_an_object")),
        room("timeline", json!({ "rooms": "not_a_list" })),
        room("timeline", json!({ "not_rooms": "not_a_list" })),
        room("timeline", json!({ "senders": "not_a_list" })),
        room("timeline", json!({ "not_senders": "not_a_list" })),
        room("timeline", json!({ "types": "not_a_list" })),
        room("timeline", json!({ "not_types": "not_a_list" })),
        room("timeline", json!({ "types": [1] })),
        room("timeline", json!({ "rooms": ["not_a_room_id"] })),
        room("timeline", json!({ "senders": ["not_a_sender_id"] })),
        room("timeline", json!({ "limit": -1 })),
        room("state", json!({ "lazy_load_members": "true" })),
        room("state", json!({ "lazy_load_members": 1 })),
        room(
            "state",
            json!({ "lazy_load_members": true, "include_redundant_members": "true" }),
        ),
        room(
            "state",
            json!({ "lazy_load_members": true, "include_redundant_members": 1 }),
        ),
    ] {
        assert_matrix_error(&post(&app, &minji, &path, bad).await, 400, "M_BAD_JSON");
    }
    let limit = room("timeline", json!({ "limit": 10 }));
    let made = post(&app, &minji, &path, limit).await.expect(200).json();
    let path = format!("{path}/{}", made["filter_id"].as_str().unwrap());
    assert_eq!(
        get(&app, &minji, &path).await.expect(200).json()["room"]["timeline"]["limit"],
        10
    );
}

async fn unknown_endpoints_and_methods_are_told_apart(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    for path in [
        "/_matrix/unknown",
        "/_matrix/client/unknown",
        "/_matrix/client/v3/unknown",
        "/_matrix/client/unstable/unknown",
        "/_matrix/media/unknown",
        "/_matrix/media/v3/unknown",
        "/_matrix/key/unknown",
        "/_matrix/federation/unknown",
    ] {
        let answer = app.get(path).bearer(&minji.access_token).send().await;
        assert_matrix_error(&answer, 404, "M_UNRECOGNIZED");
    }
    // What stock clients ask at each start is known, though there is nothing to tell.
    assert_eq!(
        get(&app, &minji, "thirdparty/protocols").await.expect(200).json(),
        json!({})
    );
    for path in ["thirdparty/user?nick=x", "thirdparty/location?alias=%23a:b"] {
        assert_eq!(get(&app, &minji, path).await.expect(200).json(), json!([]));
    }
    for path in [
        "thirdparty/protocol/irc",
        "thirdparty/user/irc",
        "thirdparty/location/irc",
    ] {
        assert_matrix_error(&get(&app, &minji, path).await, 404, "M_NOT_FOUND");
        assert_matrix_error(&app.get(&client(path)).send().await, 401, "M_MISSING_TOKEN");
    }
    for (method, path) in [
        ("PATCH", "/_matrix/client/v3/login"),
        ("DELETE", "/_matrix/client/v3/register"),
        ("PUT", "/_matrix/client/v3/account/password"),
        ("PATCH", "/_matrix/media/v3/upload"),
    ] {
        let method = method.parse().unwrap();
        let answer = app.request(&method, path).bearer(&minji.access_token);
        assert_matrix_error(&answer.send().await, 405, "M_UNRECOGNIZED");
    }
}

async fn rooms_are_made_as_stock_clients_ask(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let create = |wish: Value| post(&app, &minji, "createRoom", wish);
    assert_matrix_error(&create(json!({ "room_version": 1 })).await, 400, "M_BAD_JSON");
    let unknown = json!({ "room_version": "ahfgwjyerhgiuveisbruvybseyrugvi" });
    assert_matrix_error(&create(unknown).await, 400, "M_UNSUPPORTED_ROOM_VERSION");
    let topic = |wish: Value| {
        let (app, minji) = (&app, &minji);
        async move {
            let room = make_room(app, minji, wish).await;
            get(app, minji, &format!("rooms/{room}/state/m.room.topic"))
                .await
                .expect(200)
                .json()
        }
    };
    let given = json!([{ "type": "m.room.topic", "state_key": "", "content": { "topic": "Given" } }]);
    let told = topic(json!({ "topic": "Test", "initial_state": given.clone() })).await;
    assert_eq!(
        told,
        json!({ "topic": "Test", "m.topic": { "m.text": [{ "body": "Test" }] } })
    );
    assert_eq!(
        topic(json!({ "initial_state": given })).await,
        json!({ "topic": "Given" })
    );
    let creation =
        json!({ "creation_content": { "test": "azerty", "room_version": "test", "m.federate": false } });
    let room = make_room(&app, &minji, creation).await;
    let creation = get(&app, &minji, &format!("rooms/{room}/state/m.room.create"))
        .await
        .json();
    assert_eq!(
        creation,
        json!({ "test": "azerty", "room_version": "11", "m.federate": false })
    );
    // Who is asked in sees by what name the room is found.
    let named =
        json!({ "room_alias_name": "tea", "name": "Tea", "invite": [joon.user_id], "is_direct": true });
    make_room(&app, &minji, named).await;
    let news = sync(&app, &joon, "").await;
    let invited = news["rooms"]["invite"]
        .as_object()
        .unwrap()
        .values()
        .next()
        .unwrap();
    let state = invited["invite_state"]["events"].as_array().unwrap();
    let of = |kind: &str| state.iter().find(|event| event["type"] == kind);
    assert_eq!(
        of("m.room.canonical_alias").unwrap()["content"]["alias"],
        "#tea:haechi.test"
    );
    assert_eq!(of("m.room.name").unwrap()["content"]["name"], "Tea");
    assert!(of("m.room.join_rules").is_some() && of("m.room.create").is_some());
    let own = |event: &&Value| event["state_key"] == joon.user_id.as_str();
    assert_eq!(state.iter().find(own).unwrap()["content"]["is_direct"], true);
    assert!(
        state
            .iter()
            .any(|event| event["state_key"] == minji.user_id.as_str())
    );
}

async fn state_set_twice_is_set_once(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room(&app, &minji, json!({ "preset": "public_chat" })).await;
    let path = format!("rooms/{room}/state/a.test.state.type");
    let set = async || {
        put(&app, &minji, &path, json!({ "a_key": "a_value" }))
            .await
            .expect(200)
            .json()
    };
    assert_eq!(set().await, set().await);
    let own = format!(
        "rooms/{room}/state/m.room.member/{}?format=event",
        segment(&joon.user_id)
    );
    let mut ids = Vec::new();
    for _ in 0..2 {
        post(&app, &joon, &format!("rooms/{room}/join"), json!({}))
            .await
            .expect(200);
        ids.push(get(&app, &joon, &own).await.expect(200).json()["event_id"].clone());
    }
    assert_eq!(ids[0], ids[1]);
    for path in ["state", "members", "messages?dir=b", "joined_members", "aliases"] {
        let path = format!("rooms/!nowhere:haechi.test/{path}");
        assert_matrix_error(&get(&app, &minji, &path).await, 403, "M_FORBIDDEN");
    }
}

async fn what_was_taken_back_is_told_with_its_redaction(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    let other = make_room(&app, &minji, json!({})).await;
    let said = say(&app, &minji, &room, "1", "spoken in haste").await;
    let elsewhere = say(&app, &minji, &other, "1", "another room").await;
    let redact = |who, room: &str, event: &str, transaction: &str| {
        let path = format!("rooms/{room}/redact/{}/{transaction}", segment(event));
        let app = &app;
        async move { put(app, who, &path, json!({ "reason": "haste" })).await }
    };
    let wrong_room = redact(&minji, &room, &elsewhere, "0").await;
    assert!(wrong_room.status.is_client_error(), "{}", wrong_room.text());
    assert_matrix_error(&redact(&joon, &room, &said, "0").await, 403, "M_FORBIDDEN");
    let first = redact(&minji, &room, &said, "1").await.expect(200).json();
    assert_eq!(redact(&minji, &room, &said, "1").await.expect(200).json(), first);
    let told = get(&app, &joon, &format!("rooms/{room}/event/{}", segment(&said)))
        .await
        .json();
    assert_eq!(told["content"], json!({}));
    let because = &told["unsigned"]["redacted_because"];
    assert_eq!(because["event_id"], first["event_id"]);
    assert_eq!(because["content"]["reason"], "haste");
    assert_eq!(because["sender"], minji.user_id.as_str());
    // The redaction itself is told in a sync, to its sender with its transaction id.
    let news = sync(&app, &minji, "").await;
    let events = joined(&news, &room)["timeline"]["events"]
        .as_array()
        .unwrap()
        .clone();
    let redaction = events
        .iter()
        .find(|event| event["type"] == "m.room.redaction")
        .unwrap();
    assert_eq!(redaction["unsigned"]["transaction_id"], "1");
    assert_eq!(redaction["content"]["redacts"], said);
    assert!(redaction["unsigned"]["age"].is_u64());
    assert_eq!(texts(&json!(events)), ["(none)"]);
}

async fn timelines_are_limited_only_where_something_is_left_out(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let room = make_room(&app, &minji, json!({})).await;
    say(&app, &minji, &room, "1", "first").await;
    for number in 0..12 {
        let path = format!("rooms/{room}/send/a.filler/{number}");
        put(&app, &minji, &path, json!({})).await.expect(200);
    }
    let look = async |filter: &str, since: &str| {
        let path = format!("sync?filter={}&since={since}", segment(filter));
        let news = get(&app, &minji, &path).await.expect(200).json();
        (
            joined(&news, &room).clone(),
            news["next_batch"].as_str().unwrap().to_owned(),
        )
    };
    let messages = r#"{"room":{"timeline":{"limit":1,"types":["m.room.message"]},"state":{"types":[]}}}"#;
    let (told, since) = look(messages, "").await;
    assert_eq!(texts(&told["timeline"]["events"]), ["first"]);
    assert_eq!(
        (&told["timeline"]["limited"], &told["state"]["events"]),
        (&json!(false), &json!([]))
    );
    let (all, _) = look(r#"{"room":{"timeline":{"limit":100}}}"#, "").await;
    assert_eq!(all["timeline"]["limited"], false);
    let path = format!("rooms/{room}/state/a.test.state");
    put(&app, &minji, &path, json!({ "number": 1 })).await.expect(200);
    put(&app, &minji, &path, json!({ "number": 2 })).await.expect(200);
    say(&app, &minji, &room, "2", "second").await;
    say(&app, &minji, &room, "3", "third").await;
    // What changed in the gap is told as it is at its end; where the timeline goes back from is a place for /messages.
    let (told, _) = look(r#"{"room":{"timeline":{"limit":1}}}"#, &since).await;
    assert_eq!(texts(&told["timeline"]["events"]), ["third"]);
    assert_eq!(told["timeline"]["limited"], true);
    let state = told["state"]["events"].as_array().unwrap();
    assert_eq!(state.len(), 1);
    assert_eq!(state[0]["content"]["number"], 2);
    assert_eq!(state[0]["unsigned"]["prev_content"]["number"], 1);
    let from = segment(told["timeline"]["prev_batch"].as_str().unwrap());
    let page = get(
        &app,
        &minji,
        &format!("rooms/{room}/messages?dir=b&limit=1&from={from}"),
    )
    .await
    .json();
    assert_eq!(texts(&page["chunk"]), ["second"]);
    let page = get(&app, &minji, &format!("rooms/{room}/messages?dir=f&from={since}"))
        .await
        .json();
    assert_eq!(texts(&page["chunk"]), ["second", "third"]);
}

async fn typing_and_receipts_are_for_who_is_in_the_room(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room(&app, &minji, json!({})).await;
    let said = say(&app, &minji, &room, "1", "hello").await;
    let typing = format!("rooms/{room}/typing/{}", segment(&joon.user_id));
    let types = json!({ "typing": true, "timeout": 30_000 });
    assert_matrix_error(
        &put(&app, &joon, &typing, types.clone()).await,
        403,
        "M_FORBIDDEN",
    );
    assert_matrix_error(&put(&app, &minji, &typing, types).await, 403, "M_FORBIDDEN");
    let receipt = format!("rooms/{room}/receipt/m.read/{}", segment(&said));
    assert_matrix_error(&post(&app, &joon, &receipt, json!({})).await, 403, "M_FORBIDDEN");
    let odd = format!("rooms/{room}/receipt/m.odd/{}", segment(&said));
    assert_matrix_error(&post(&app, &minji, &odd, json!({})).await, 400, "M_INVALID_PARAM");
    // A client may say where it has read to without a body.
    let bare = app
        .post(&client(&receipt))
        .bearer(&minji.access_token)
        .send()
        .await;
    assert_eq!(bare.expect(200).json(), json!({}));
    for kind in ["m.fully_read", "m.push_rules"] {
        let path = format!(
            "user/{}/rooms/{room}/account_data/{kind}",
            segment(&minji.user_id)
        );
        let set = put(&app, &minji, &path, json!({ "event_id": said })).await;
        assert_matrix_error(&set, 405, "M_BAD_JSON");
    }
}

haechi_testkit::on_both_engines!(
    filters_that_cannot_be_are_refused,
    unknown_endpoints_and_methods_are_told_apart,
    rooms_are_made_as_stock_clients_ask,
    state_set_twice_is_set_once,
    what_was_taken_back_is_told_with_its_redaction,
    timelines_are_limited_only_where_something_is_left_out,
    typing_and_receipts_are_for_who_is_in_the_room,
);
