//! Sliding sync: messages to the device, keys, account data, receipts and typing.

use haechi_testkit::{SignedUp, TestApp, TestStore};
use serde_json::{Value, json};

use super::crypto::upload_device;
use super::sliding::{ask, pos, slide};
use super::{assert_matrix_error, get, make_room, make_room_of, post, put, say, segment, start};

fn id_of(room: &str) -> String {
    room.replace("%21", "!").replace("%3A", ":")
}

/// A list of all rooms with these extensions.
fn wish(extensions: &Value) -> Value {
    json!({ "conn_id": "main", "lists": { "all": { "ranges": [[0, 9]], "timeline_limit": 1 } },
        "extensions": extensions })
}

async fn send(app: &TestApp, who: &SignedUp, to: &SignedUp, number: usize) {
    let path = format!("sendToDevice/m.test/{number}");
    let messages = json!({ &to.user_id: { &to.device_id: { "number": number } } });
    put(app, who, &path, json!({ "messages": messages }))
        .await
        .expect(200);
}

fn numbers(answer: &Value) -> Vec<i64> {
    let events = answer["extensions"]["to_device"]["events"]
        .as_array()
        .unwrap()
        .iter();
    events
        .map(|event| event["content"]["number"].as_i64().unwrap())
        .collect()
}

async fn messages_to_a_device_wait_until_their_token_comes_back(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let inbox = |since: &Value, limit: usize| {
        let mut inbox = json!({ "enabled": true, "limit": limit });
        if !since.is_null() {
            inbox["since"] = since.clone();
        }
        wish(&json!({ "to_device": inbox }))
    };
    let none = Value::Null;
    let first = slide(&app, &joon, "", &inbox(&none, 100)).await;
    assert_eq!(numbers(&first), [] as [i64; 0]);
    let token = |answer: &Value| answer["extensions"]["to_device"]["next_batch"].clone();
    for number in 0..3 {
        send(&app, &minji, &joon, number).await;
    }
    let two = slide(&app, &joon, pos(&first), &inbox(&token(&first), 2)).await;
    assert_eq!(numbers(&two), [0, 1]);
    // A new connection without a token: nothing was proved to have come.
    assert_eq!(
        numbers(&slide(&app, &joon, "", &inbox(&none, 100)).await),
        [0, 1, 2]
    );
    let rest = slide(&app, &joon, "", &inbox(&token(&two), 2)).await;
    assert_eq!(numbers(&rest), [2]);
    let over = slide(&app, &joon, pos(&rest), &inbox(&token(&rest), 2)).await;
    assert_eq!(numbers(&over), [] as [i64; 0]);
    let mut left = vec![0];
    for _ in 0..500 {
        let anew = slide(&app, &joon, "", &inbox(&none, 100)).await;
        left = numbers(&anew);
        if left.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(left, [] as [i64; 0], "they came, and are forgotten");
    // A token from ahead proves nothing.
    send(&app, &minji, &joon, 7).await;
    let ahead = slide(&app, &joon, "", &inbox(&json!("d999999999"), 100)).await;
    assert_eq!(numbers(&ahead), [7]);
    // A message wakes who waits.
    let wait = slide(&app, &joon, "", &inbox(&token(&ahead), 100)).await;
    let query = format!("timeout=20000&pos={}", pos(&wait));
    let asked = inbox(&token(&wait), 100);
    let (woken, ()) = tokio::join!(ask(&app, &joon, &query, &asked), send(&app, &minji, &joon, 8));
    assert_eq!(numbers(&woken.expect(200).json()), [8]);
    let refused = ask(&app, &joon, "", &inbox(&json!("s1_2"), 100)).await;
    assert_matrix_error(&refused, 400, "M_INVALID_PARAM");
}

async fn keys_are_told_of_those_who_share_a_room(store: TestStore) {
    let (app, _) = start(store).await;
    let people = [
        app.sign_up("Minji").await,
        app.sign_up("Joon").await,
        app.sign_up("Sora").await,
    ];
    let [minji, joon, sora] = &people;
    let room = make_room_of(&app, minji, &[joon]).await;
    let keys = json!({ "conn_id": "encryption", "extensions": { "e2ee": { "enabled": true } } });
    let first = slide(&app, joon, "", &keys).await;
    let told = &first["extensions"]["e2ee"];
    assert_eq!(told["device_one_time_keys_count"]["signed_curve25519"], 0);
    assert_eq!(told["device_unused_fallback_key_types"], json!([]));
    assert!(told.get("device_lists").is_none(), "who begins asks for all");
    upload_device(&app, sora, 2).await;
    upload_device(&app, minji, 1).await;
    let query = format!("timeout=20000&pos={}", pos(&first));
    let changed = ask(&app, joon, &query, &keys).await.expect(200).json();
    let lists = |answer: &Value| answer["extensions"]["e2ee"]["device_lists"].clone();
    assert_eq!(lists(&changed), json!({ "changed": [minji.user_id], "left": [] }));
    assert_eq!(lists(&slide(&app, joon, pos(&changed), &keys).await), Value::Null);
    post(&app, minji, &format!("rooms/{room}/leave"), json!({}))
        .await
        .expect(200);
    let left = slide(&app, joon, pos(&changed), &keys).await;
    assert_eq!(lists(&left), json!({ "changed": [], "left": [minji.user_id] }));
    let other = make_room(&app, sora, json!({ "invite": [joon.user_id] })).await;
    post(&app, joon, &format!("join/{other}"), json!({}))
        .await
        .expect(200);
    let met = slide(&app, joon, pos(&left), &keys).await;
    assert_eq!(lists(&met), json!({ "changed": [sora.user_id], "left": [] }));
}

async fn account_data_is_told_in_general_and_of_rooms_in_sight(store: TestStore) {
    let (app, _) = start(store).await;
    let joon = app.sign_up("Joon").await;
    let room = make_room_of(&app, &joon, &[]).await;
    let user = segment(&joon.user_id);
    let general = format!("user/{user}/account_data/kr.haechi.theme");
    let about_room = format!("user/{user}/rooms/{room}/account_data/kr.haechi.note");
    put(&app, &joon, &general, json!({ "dark": true }))
        .await
        .expect(200);
    put(&app, &joon, &about_room, json!({ "n": 1 })).await.expect(200);
    let on = wish(&json!({ "account_data": { "enabled": true } }));
    let data = |answer: &Value| answer["extensions"]["account_data"].clone();
    let first = data(&slide(&app, &joon, "", &on).await);
    let kinds: Vec<&str> = first["global"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    assert!(
        kinds.contains(&"kr.haechi.theme") && kinds.contains(&"m.push_rules"),
        "{kinds:?}"
    );
    assert_eq!(first["rooms"][&id_of(&room)][0]["content"], json!({ "n": 1 }));
    // Switched on later, all is told; then only what changes.
    let off = slide(&app, &joon, "", &wish(&json!({}))).await;
    assert_eq!(data(&off), Value::Null);
    let late = slide(&app, &joon, pos(&off), &on).await;
    assert_eq!(
        data(&late)["rooms"][&id_of(&room)][0]["content"],
        json!({ "n": 1 })
    );
    assert_eq!(data(&late)["global"].as_array().unwrap().len(), kinds.len());
    put(&app, &joon, &about_room, json!({ "n": 2 })).await.expect(200);
    put(&app, &joon, &general, json!({ "dark": false }))
        .await
        .expect(200);
    let query = format!("timeout=20000&pos={}", pos(&late));
    let changed = ask(&app, &joon, &query, &on).await.expect(200).json();
    assert_eq!(
        data(&changed)["rooms"][&id_of(&room)],
        json!([{ "type": "kr.haechi.note", "content": { "n": 2 } }])
    );
    assert_eq!(
        data(&changed)["global"],
        json!([{ "type": "kr.haechi.theme", "content": { "dark": false } }])
    );
    // Of no list and no room: nothing about rooms.
    put(&app, &joon, &about_room, json!({ "n": 3 })).await.expect(200);
    let narrow = wish(&json!({ "account_data": { "enabled": true, "lists": [], "rooms": [] } }));
    let quiet = slide(&app, &joon, pos(&changed), &narrow).await;
    assert_eq!(data(&quiet), json!({ "global": [], "rooms": {} }));
    let again = slide(&app, &joon, pos(&quiet), &on).await;
    assert_eq!(
        data(&again)["rooms"][&id_of(&room)][0]["content"],
        json!({ "n": 3 })
    );
}

async fn receipts_and_typing_are_told_of_rooms_in_sight(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    let other = make_room_of(&app, &minji, &[&joon]).await;
    let event = say(&app, &minji, &room, "1", "one").await;
    let read = format!("rooms/{room}/receipt/m.read/{}", segment(&event));
    post(&app, &joon, &read, json!({})).await.expect(200);
    let types = format!("rooms/{room}/typing/{}", segment(&joon.user_id));
    put(&app, &joon, &types, json!({ "typing": true, "timeout": 20_000 }))
        .await
        .expect(200);
    let on = wish(&json!({ "receipts": { "enabled": true }, "typing": { "enabled": true } }));
    let first = slide(&app, &minji, "", &on).await;
    let told = |answer: &Value, what: &str| answer["extensions"][what]["rooms"][&id_of(&room)].clone();
    let receipt = told(&first, "receipts");
    assert_eq!(receipt["type"], "m.receipt");
    assert!(receipt["content"][&event]["m.read"][&joon.user_id]["ts"].is_i64());
    assert_eq!(
        told(&first, "typing")["content"]["user_ids"],
        json!([joon.user_id])
    );
    assert!(
        first["extensions"]["typing"]["rooms"]
            .get(id_of(&other))
            .is_none()
    );
    let quiet = slide(&app, &minji, pos(&first), &on).await;
    assert_eq!(
        quiet["extensions"],
        json!({ "receipts": { "rooms": {} }, "typing": { "rooms": {} } })
    );
    // Both wake who waits; a private receipt is nobody else's.
    put(&app, &joon, &types, json!({ "typing": false }))
        .await
        .expect(200);
    let query = format!("timeout=20000&pos={}", pos(&quiet));
    let stopped = ask(&app, &minji, &query, &on).await.expect(200).json();
    assert_eq!(told(&stopped, "typing")["content"]["user_ids"], json!([]));
    let second = say(&app, &minji, &room, "2", "two").await;
    let private = format!("rooms/{room}/receipt/m.read.private/{}", segment(&second));
    post(&app, &joon, &private, json!({})).await.expect(200);
    let spoke = slide(&app, &minji, pos(&stopped), &on).await;
    assert!(told(&spoke, "receipts").is_null());
    let read = format!("rooms/{room}/receipt/m.read/{}", segment(&second));
    post(&app, &joon, &read, json!({})).await.expect(200);
    let seen = slide(&app, &minji, pos(&spoke), &on).await;
    assert!(told(&seen, "receipts")["content"][&second]["m.read"][&joon.user_id]["ts"].is_i64());
    assert_eq!(seen["rooms"], json!({}));
}

async fn receipts_are_told_of_rooms_that_are_subscribed_to(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    let other = make_room_of(&app, &minji, &[&joon]).await;
    for room in [&room, &other] {
        let event = say(&app, &minji, room, "1", "one").await;
        let read = format!("rooms/{room}/receipt/m.read/{}", segment(&event));
        post(&app, &joon, &read, json!({})).await.expect(200);
    }
    let subscribed = json!({ "conn_id": "main", "room_subscriptions": { id_of(&room): { "timeline_limit": 1 } },
        "lists": { "all": { "ranges": [[0, 9]] } },
        "extensions": { "receipts": { "enabled": true, "lists": [], "rooms": ["*"] } } });
    let opened = slide(&app, &minji, "", &subscribed).await;
    let rooms: Vec<&String> = opened["extensions"]["receipts"]["rooms"]
        .as_object()
        .unwrap()
        .keys()
        .collect();
    assert_eq!(rooms, [&id_of(&room)]);
}

async fn who_is_ignored_types_unseen(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    let types = format!("rooms/{room}/typing/{}", segment(&joon.user_id));
    let on = wish(&json!({ "typing": { "enabled": true } }));
    let seen = slide(&app, &minji, "", &on).await;
    let path = format!(
        "user/{}/account_data/m.ignored_user_list",
        segment(&minji.user_id)
    );
    put(
        &app,
        &minji,
        &path,
        json!({ "ignored_users": { &joon.user_id: {} } }),
    )
    .await
    .expect(200);
    put(&app, &joon, &types, json!({ "typing": true, "timeout": 20_000 }))
        .await
        .expect(200);
    let ignoring = slide(&app, &minji, pos(&seen), &on).await;
    let typing = &ignoring["extensions"]["typing"]["rooms"][&id_of(&room)];
    assert_eq!(typing["content"]["user_ids"], json!([]));
    assert!(get(&app, &minji, "sync").await.status.is_success());
}

haechi_testkit::on_both_engines!(
    messages_to_a_device_wait_until_their_token_comes_back,
    keys_are_told_of_those_who_share_a_room,
    account_data_is_told_in_general_and_of_rooms_in_sight,
    receipts_and_typing_are_told_of_rooms_in_sight,
    receipts_are_told_of_rooms_that_are_subscribed_to,
    who_is_ignored_types_unseen,
);
