//! What is unread in threads, and receipts for them; and people who are ignored.

use haechi_testkit::{SignedUp, TestApp, TestStore};
use serde_json::{Value, json};

use super::relations::relate;
use super::{assert_matrix_error, get, joined, make_room_of, post, put, say, segment, start, sync, texts};

const BY_THREAD: &str = r#"{"room":{"timeline":{"unread_thread_notifications":true}}}"#;

/// What is unread in a room: of the room itself, and by thread.
async fn unread(app: &TestApp, who: &SignedUp, room: &str) -> (Value, Value) {
    let told = get(app, who, &format!("sync?filter={}", segment(BY_THREAD)))
        .await
        .expect(200)
        .json();
    let room = joined(&told, room);
    (
        room["unread_notifications"]["notification_count"].clone(),
        room["unread_thread_notifications"].clone(),
    )
}

/// What is unread for a client that knows of no threads.
async fn unread_in_all(app: &TestApp, who: &SignedUp, room: &str) -> Value {
    joined(&sync(app, who, "").await, room)["unread_notifications"]["notification_count"].clone()
}

async fn read(app: &TestApp, who: &SignedUp, room: &str, event_id: &str, body: Value) {
    let path = format!("rooms/{room}/receipt/m.read/{}", segment(event_id));
    post(app, who, &path, body).await.expect(200);
}

async fn threads_are_unread_and_read_for_themselves(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    let root = say(&app, &minji, &room, "0", "root").await;
    let other = say(&app, &minji, &room, "1", "other").await;
    let one = relate(&app, &minji, &room, "m.thread", &root, "one").await;
    let two = relate(&app, &minji, &room, "m.thread", &root, "two").await;
    relate(&app, &minji, &room, "m.thread", &other, "three").await;
    assert_eq!(unread_in_all(&app, &joon, &room).await, 5);
    let (main, threads) = unread(&app, &joon, &room).await;
    assert_eq!(main, 2);
    assert_eq!(threads[&root]["notification_count"], 2);
    assert_eq!(threads[&other]["notification_count"], 1);

    read(&app, &joon, &room, &one, json!({ "thread_id": root })).await;
    let (main, threads) = unread(&app, &joon, &room).await;
    assert_eq!(
        (main, &threads[&root]["notification_count"]),
        (json!(2), &json!(1))
    );
    assert_eq!(threads[&other]["notification_count"], 1);
    read(&app, &joon, &room, &other, json!({ "thread_id": "main" })).await;
    let (main, threads) = unread(&app, &joon, &room).await;
    assert_eq!((main, threads.as_object().unwrap().len()), (json!(0), 2));
    // A receipt without a thread reads everything up to there.
    read(&app, &joon, &room, &two, json!({})).await;
    let (main, threads) = unread(&app, &joon, &room).await;
    assert_eq!(
        (main, &threads),
        (
            json!(0),
            &json!({ other.clone(): { "notification_count": 1, "highlight_count": 0 } })
        )
    );
    // Who writes in a thread has read it.
    relate(&app, &joon, &room, "m.thread", &other, "mine").await;
    assert_eq!(unread(&app, &joon, &room).await.1, Value::Null);
    assert_eq!(unread_in_all(&app, &joon, &room).await, 0);
    // And an older receipt that comes late changes nothing.
    read(&app, &joon, &room, &one, json!({ "thread_id": root })).await;
    assert_eq!(unread_in_all(&app, &joon, &room).await, 0);
    relate(&app, &minji, &room, "m.thread", &root, "four").await;
    let (main, threads) = unread(&app, &joon, &room).await;
    assert_eq!(
        (main, &threads[&root]["notification_count"]),
        (json!(0), &json!(1))
    );
}

async fn a_receipt_for_a_thread_names_an_event_of_it(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let room = make_room_of(&app, &minji, &[]).await;
    let root = say(&app, &minji, &room, "0", "root").await;
    let other = say(&app, &minji, &room, "1", "other").await;
    let child = relate(&app, &minji, &room, "m.thread", &root, "child").await;
    let edit = relate(&app, &minji, &room, "m.replace", &child, "edit").await;
    for event in [&root, &child, &edit] {
        read(&app, &minji, &room, event, json!({ "thread_id": root })).await;
    }
    let path = format!("rooms/{room}/receipt/m.read/{}", segment(&other));
    let refused = post(&app, &minji, &path, json!({ "thread_id": root })).await;
    assert_matrix_error(&refused, 400, "M_INVALID_PARAM");
    let path = format!("rooms/{room}/receipt/m.read/{}", segment(&child));
    let refused = post(&app, &minji, &path, json!({ "thread_id": other })).await;
    assert_matrix_error(&refused, 400, "M_INVALID_PARAM");
}

async fn mentions_in_threads_are_told_with_the_thread(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    let root = say(&app, &minji, &room, "0", "root").await;
    let mention = |related: bool| {
        let mut content =
            json!({ "msgtype": "m.text", "body": "Joon", "m.mentions": { "user_ids": [joon.user_id] } });
        if related {
            content["m.relates_to"] = json!({ "rel_type": "m.thread", "event_id": root });
        }
        content
    };
    for (number, related) in [false, true, true].into_iter().enumerate() {
        let path = format!("rooms/{room}/send/m.room.message/m{number}");
        put(&app, &minji, &path, mention(related)).await.expect(200);
    }
    let told = get(&app, &joon, &format!("sync?filter={}", segment(BY_THREAD)))
        .await
        .json();
    let told = joined(&told, &room);
    assert_eq!(told["unread_notifications"]["highlight_count"], 1);
    assert_eq!(told["unread_thread_notifications"][&root]["highlight_count"], 2);
    let told = sync(&app, &joon, "").await;
    assert_eq!(joined(&told, &room)["unread_notifications"]["highlight_count"], 3);
}

async fn who_is_ignored_is_neither_heard_nor_counted(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon, sora) = (
        app.sign_up("Minji").await,
        app.sign_up("Joon").await,
        app.sign_up("Sora").await,
    );
    let room = make_room_of(&app, &minji, &[&joon, &sora]).await;
    let root = say(&app, &minji, &room, "0", "hello").await;
    let rude = say(&app, &sora, &room, "1", "rude").await;
    relate(&app, &minji, &room, "m.thread", &root, "kind").await;
    relate(&app, &sora, &room, "m.thread", &root, "rude-too").await;
    let list = json!({ "ignored_users": { sora.user_id.clone(): {} } });
    let path = format!("user/{}/account_data/m.ignored_user_list", segment(&joon.user_id));
    put(&app, &joon, &path, list).await.expect(200);

    let told = sync(&app, &joon, "").await;
    assert_eq!(
        texts(&joined(&told, &room)["timeline"]["events"]),
        ["hello", "kind"]
    );
    let page = get(&app, &joon, &format!("rooms/{room}/messages?dir=b&limit=50"))
        .await
        .json();
    assert_eq!(texts(&page["chunk"]), ["kind", "hello"]);
    assert_eq!(unread_in_all(&app, &joon, &room).await, 2);
    let (main, threads) = unread(&app, &joon, &room).await;
    assert_eq!(
        (main, &threads[&root]["notification_count"]),
        (json!(1), &json!(1))
    );
    let found = get(&app, &joon, &format!("rooms/{room}/event/{}", segment(&root)))
        .await
        .json();
    let thread = &found["unsigned"]["m.relations"]["m.thread"];
    assert_eq!(thread["latest_event"]["content"]["body"], "kind");
    let hidden = get(&app, &joon, &format!("rooms/{room}/event/{}", segment(&rude))).await;
    assert_matrix_error(&hidden, 404, "M_NOT_FOUND");
    // Others hear them as ever.
    assert_eq!(unread_in_all(&app, &minji, &room).await, 2);
}

async fn who_is_ignored_cannot_invite_nor_be_seen_typing_until_they_are_heard_again(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon, sora) = (
        app.sign_up("Minji").await,
        app.sign_up("Joon").await,
        app.sign_up("Sora").await,
    );
    let room = make_room_of(&app, &minji, &[&joon, &sora]).await;
    let list = json!({ "ignored_users": { sora.user_id.clone(): {} } });
    let path = format!("user/{}/account_data/m.ignored_user_list", segment(&joon.user_id));
    put(&app, &joon, &path, list).await.expect(200);
    let since = sync(&app, &joon, "").await["next_batch"]
        .as_str()
        .unwrap()
        .to_owned();
    let wish = json!({ "preset": "private_chat", "invite": [joon.user_id] });
    post(&app, &sora, "createRoom", wish.clone()).await.expect(200);
    post(&app, &minji, "createRoom", wish).await.expect(200);
    say(&app, &sora, &room, "2", "again").await;
    let told = sync(&app, &joon, &since).await;
    assert_eq!(told["rooms"]["invite"].as_object().unwrap().len(), 1, "{told}");
    assert!(!told.to_string().contains("again"), "{told}");
    let typing = format!("rooms/{room}/typing/{}", segment(&sora.user_id));
    put(&app, &sora, &typing, json!({ "typing": true, "timeout": 20_000 }))
        .await
        .expect(200);
    let told = sync(&app, &joon, &since).await;
    let ephemeral = joined(&told, &room)["ephemeral"]["events"].to_string();
    assert!(!ephemeral.contains(&sora.user_id), "{ephemeral}");
    // Heard again once the list is empty.
    put(&app, &joon, &path, json!({ "ignored_users": {} }))
        .await
        .expect(200);
    let page = get(&app, &joon, &format!("rooms/{room}/messages?dir=b&limit=50"))
        .await
        .json();
    assert_eq!(texts(&page["chunk"]), ["again"]);
}

haechi_testkit::on_both_engines!(
    threads_are_unread_and_read_for_themselves,
    a_receipt_for_a_thread_names_an_event_of_it,
    mentions_in_threads_are_told_with_the_thread,
    who_is_ignored_is_neither_heard_nor_counted,
    who_is_ignored_cannot_invite_nor_be_seen_typing_until_they_are_heard_again,
);
