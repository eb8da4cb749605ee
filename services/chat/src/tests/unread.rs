//! Unread counts by the person's own rules, by thread and without ignored people; the list of what they were told of.

use haechi_testkit::{SignedUp, TestApp, TestStore};
use serde_json::{Value, json};

use super::relations::relate;
use super::{assert_matrix_error, get, joined, make_room_of, post, put, say, segment, start};

/// Unread messages of a room, and highlights, as a first sync tells them.
async fn unread(app: &TestApp, who: &SignedUp, room: &str) -> (u64, u64) {
    let told = get(app, who, "sync").await.expect(200).json();
    let counts = &joined(&told, room)["unread_notifications"];
    let number = |name: &str| counts[name].as_u64().unwrap();
    (number("notification_count"), number("highlight_count"))
}

async fn rule(app: &TestApp, who: &SignedUp, path: &str, body: Value) {
    put(app, who, &format!("pushrules/global/{path}"), body)
        .await
        .expect(200);
}

async fn send(app: &TestApp, who: &SignedUp, room: &str, name: &str, content: Value) {
    put(
        app,
        who,
        &format!("rooms/{room}/send/m.room.message/{name}"),
        content,
    )
    .await
    .expect(200);
}

async fn a_muted_room_counts_nothing_and_the_others_go_on(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let muted = make_room_of(&app, &minji, &[&joon]).await;
    let other = make_room_of(&app, &minji, &[&joon]).await;
    let room_id = muted.replace("%21", "!").replace("%3A", ":");
    let condition = json!({ "kind": "event_match", "key": "room_id", "pattern": room_id });
    let mute = json!({ "actions": [], "conditions": [condition] });
    for room in [&muted, &other] {
        say(&app, &minji, room, "1", "hello").await;
        say(&app, &minji, room, "2", "hello again").await;
    }
    assert_eq!(unread(&app, &joon, &muted).await, (2, 0));
    rule(&app, &joon, &format!("override/{muted}"), mute).await;
    assert_eq!(unread(&app, &joon, &muted).await, (0, 0));
    assert_eq!(unread(&app, &joon, &other).await, (2, 0));
}

async fn mentions_only_counts_mentions_only(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    rule(&app, &joon, &format!("room/{room}"), json!({ "actions": [] })).await;
    say(&app, &minji, &room, "1", "hello all").await;
    let mentioning =
        json!({ "body": "Joon?", "msgtype": "m.text", "m.mentions": { "user_ids": [joon.user_id] } });
    send(&app, &minji, &room, "2", mentioning).await;
    assert_eq!(unread(&app, &joon, &room).await, (1, 1));
}

async fn keywords_and_senders_count_as_their_rules_say(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let sora = app.sign_up("Sora").await;
    let room = make_room_of(&app, &minji, &[&joon, &sora]).await;
    let highlight = json!(["notify", { "set_tweak": "highlight" }]);
    rule(
        &app,
        &joon,
        "content/tea",
        json!({ "pattern": "tea", "actions": highlight }),
    )
    .await;
    rule(
        &app,
        &joon,
        &format!("sender/{}", segment(&sora.user_id)),
        json!({ "actions": [] }),
    )
    .await;
    say(&app, &minji, &room, "1", "Tea, anybody?").await;
    say(&app, &minji, &room, "2", "a team of three").await;
    say(&app, &sora, &room, "3", "no").await;
    assert_eq!(unread(&app, &joon, &room).await, (2, 1));
    // A receipt sets all of it back, whoever's rules count.
    let event_id = say(&app, &sora, &room, "4", "tea then").await;
    assert_eq!(unread(&app, &joon, &room).await, (3, 2));
    let path = format!("rooms/{room}/receipt/m.read/{}", segment(&event_id));
    post(&app, &joon, &path, json!({})).await.expect(200);
    assert_eq!(unread(&app, &joon, &room).await, (0, 0));
}

async fn calling_the_room_needs_the_power(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let sora = app.sign_up("Sora").await;
    let room = make_room_of(&app, &minji, &[&joon, &sora]).await;
    let call = json!({ "body": "@room", "msgtype": "m.text", "m.mentions": { "room": true } });
    send(&app, &sora, &room, "1", call.clone()).await;
    assert_eq!(unread(&app, &joon, &room).await, (1, 0), "Sora may not");
    send(&app, &minji, &room, "2", call).await;
    assert_eq!(unread(&app, &joon, &room).await, (2, 1), "Minji may");
    // The same for somebody with rules of their own.
    rule(&app, &joon, "content/x", json!({ "pattern": "x", "actions": [] })).await;
    assert_eq!(unread(&app, &joon, &room).await, (2, 1));
}

async fn the_rules_know_how_many_are_in_a_room_and_by_what_name(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let sora = app.sign_up("Sora").await;
    let two = make_room_of(&app, &minji, &[&joon]).await;
    let three = make_room_of(&app, &minji, &[&joon, &sora]).await;
    let quiet = json!({ "actions": [], "conditions": [{ "kind": "room_member_count", "is": ">2" }] });
    let named = json!({
        "actions": ["notify", { "set_tweak": "highlight" }],
        "conditions": [{ "kind": "contains_display_name" }],
    });
    rule(&app, &joon, "override/large", quiet).await;
    rule(&app, &joon, "override/name", named).await;
    for room in [&two, &three] {
        say(&app, &minji, room, "1", "hello").await;
        say(&app, &minji, room, "2", "hello joon").await;
    }
    assert_eq!(unread(&app, &joon, &two).await, (2, 1));
    assert_eq!(unread(&app, &joon, &three).await, (1, 1));
}

async fn with_rules_of_ones_own_counts_are_capped(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    let max = u64::from(crate::limits::UNREAD_JUDGED_MAX);
    for number in 0..max + 5 {
        say(&app, &minji, &room, &number.to_string(), "hello").await;
    }
    assert_eq!(unread(&app, &joon, &room).await, (max + 5, 0));
    rule(&app, &joon, "content/x", json!({ "pattern": "x", "actions": [] })).await;
    assert_eq!(unread(&app, &joon, &room).await, (max, 0));
}

/// What is unread of a room itself, and by thread, in (messages, highlights).
async fn unread_by_thread(app: &TestApp, who: &SignedUp, room: &str) -> ((u64, u64), Value) {
    let filter = r#"{"room":{"timeline":{"unread_thread_notifications":true}}}"#;
    let told = get(app, who, &format!("sync?filter={}", segment(filter))).await;
    let told = told.expect(200).json();
    let told = joined(&told, room).clone();
    let number = |name: &str| told["unread_notifications"][name].as_u64().unwrap();
    (
        (number("notification_count"), number("highlight_count")),
        told["unread_thread_notifications"].clone(),
    )
}

async fn rules_of_ones_own_count_by_thread_and_nobody_ignored(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let sora = app.sign_up("Sora").await;
    let room = make_room_of(&app, &minji, &[&joon, &sora]).await;
    let highlight = json!(["notify", { "set_tweak": "highlight" }]);
    let tea = json!({ "pattern": "tea", "actions": highlight });
    rule(&app, &joon, "content/tea", tea).await;
    let root = say(&app, &minji, &room, "0", "who comes?").await;
    say(&app, &sora, &room, "1", "tea, I hope").await;
    let first = relate(&app, &minji, &room, "m.thread", &root, "green-tea").await;
    relate(&app, &sora, &room, "m.thread", &root, "black-tea").await;
    assert_eq!(unread(&app, &joon, &room).await, (4, 3));
    let (main, threads) = unread_by_thread(&app, &joon, &room).await;
    assert_eq!(main, (2, 1));
    assert_eq!(
        threads[&root],
        json!({ "notification_count": 2, "highlight_count": 2 })
    );

    let path = format!("user/{}/account_data/m.ignored_user_list", segment(&joon.user_id));
    let list = json!({ "ignored_users": { sora.user_id.clone(): {} } });
    put(&app, &joon, &path, list).await.expect(200);
    let (main, threads) = unread_by_thread(&app, &joon, &room).await;
    assert_eq!(main, (1, 0));
    assert_eq!(
        threads[&root],
        json!({ "notification_count": 1, "highlight_count": 1 })
    );
    // A receipt for the thread sets the thread back, and nothing else.
    let path = format!("rooms/{room}/receipt/m.read/{}", segment(&first));
    let of_thread = json!({ "thread_id": root });
    post(&app, &joon, &path, of_thread).await.expect(200);
    let (main, threads) = unread_by_thread(&app, &joon, &room).await;
    assert_eq!((main, threads), ((1, 0), Value::Null));
    assert_eq!(unread(&app, &joon, &room).await, (1, 0));
}

async fn who_is_named_in_a_call_to_everybody_is_mentioned_once(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    let root = say(&app, &minji, &room, "0", "hello").await;
    let call = |thread: Option<&str>| {
        let mentions = json!({ "room": true, "user_ids": [joon.user_id] });
        let mut call = json!({ "body": "@room", "msgtype": "m.text", "m.mentions": mentions });
        if let Some(root) = thread {
            call["m.relates_to"] = json!({ "rel_type": "m.thread", "event_id": root });
        }
        call
    };
    send(&app, &minji, &room, "1", call(None)).await;
    assert_eq!(unread(&app, &joon, &room).await, (2, 1));
    send(&app, &minji, &room, "2", call(Some(&root))).await;
    assert_eq!(unread(&app, &joon, &room).await, (3, 2));
    let (main, threads) = unread_by_thread(&app, &joon, &room).await;
    assert_eq!(main, (2, 1));
    assert_eq!(
        threads[&root],
        json!({ "notification_count": 1, "highlight_count": 1 })
    );
    // Who calls is not mentioned by it.
    assert_eq!(unread(&app, &minji, &room).await, (0, 0));
}

async fn notifications_come_in_pages_and_highlights_alone(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let one = make_room_of(&app, &minji, &[&joon]).await;
    let two = make_room_of(&app, &minji, &[&joon]).await;
    for (number, room) in [&one, &two, &one, &two, &one].into_iter().enumerate() {
        app.advance(std::time::Duration::from_millis(1));
        say(
            &app,
            &minji,
            room,
            &number.to_string(),
            &format!("message {number}"),
        )
        .await;
    }
    say(&app, &joon, &one, "own", "my own").await;
    app.advance(std::time::Duration::from_millis(1));
    let mentioning =
        json!({ "body": "you", "msgtype": "m.text", "m.mentions": { "user_ids": [joon.user_id] } });
    send(&app, &minji, &two, "mention", mentioning).await;
    let bodies = |page: &Value| -> Vec<String> {
        let items = page["notifications"].as_array().unwrap().iter();
        items
            .map(|item| item["event"]["content"]["body"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = get(&app, &joon, "notifications?limit=4").await.expect(200).json();
    assert_eq!(bodies(&first), ["you", "message 4", "message 3", "message 2"]);
    assert_eq!(first["notifications"][0]["read"], json!(false));
    // In room one they wrote themselves, so they have read what was there.
    assert_eq!(first["notifications"][1]["read"], json!(true));
    let next = format!(
        "notifications?limit=4&from={}",
        segment(first["next_token"].as_str().unwrap())
    );
    let second = get(&app, &joon, &next).await.expect(200).json();
    assert_eq!(bodies(&second), ["message 1", "message 0"]);
    assert_eq!(second["next_token"], Value::Null);
    let loud = get(&app, &joon, "notifications?only=highlight")
        .await
        .expect(200)
        .json();
    assert_eq!(bodies(&loud), ["you"]);
    for token in ["x", "n", "n1", "nx.y", "n-1.y"] {
        let refused = get(&app, &joon, &format!("notifications?from={token}")).await;
        assert_matrix_error(&refused, 400, "M_INVALID_PARAM");
    }
    let others = get(&app, &minji, "notifications").await.expect(200).json();
    assert_eq!(bodies(&others), ["my own"]);
}

haechi_testkit::on_both_engines!(
    a_muted_room_counts_nothing_and_the_others_go_on,
    mentions_only_counts_mentions_only,
    keywords_and_senders_count_as_their_rules_say,
    calling_the_room_needs_the_power,
    the_rules_know_how_many_are_in_a_room_and_by_what_name,
    with_rules_of_ones_own_counts_are_capped,
    rules_of_ones_own_count_by_thread_and_nobody_ignored,
    who_is_named_in_a_call_to_everybody_is_mentioned_once,
    notifications_come_in_pages_and_highlights_alone,
);
