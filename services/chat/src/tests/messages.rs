//! Sending, reading back, taking back.

use haechi_testkit::TestStore;
use serde_json::json;

use super::{assert_matrix_error, get, make_room, make_room_of, post, put, say, segment, start, sync, texts};

async fn a_message_reaches_the_other_and_is_read_back(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    let event_id = say(&app, &minji, &room, "1", "안녕").await;
    assert_eq!(event_id.len(), 44);

    let first = get(&app, &joon, "sync").await.expect(200).json();
    let timeline = &super::joined(&first, &room)["timeline"]["events"];
    assert_eq!(texts(timeline), ["안녕"]);
    let message = timeline.as_array().unwrap().last().unwrap();
    assert_eq!(message["sender"], minji.user_id.as_str());
    assert_eq!(message["event_id"], event_id.as_str());
    assert!(message["room_id"].is_null() && message["unsigned"]["transaction_id"].is_null());

    let own = get(
        &app,
        &minji,
        &format!("rooms/{room}/event/{}", segment(&event_id)),
    )
    .await
    .expect(200)
    .json();
    assert_eq!(own["unsigned"]["transaction_id"], "1");
    let page = get(&app, &joon, &format!("rooms/{room}/messages?dir=b&limit=1"))
        .await
        .expect(200)
        .json();
    assert_eq!(texts(&page["chunk"]), ["안녕"]);
}

async fn a_transaction_id_sends_once(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let room = make_room_of(&app, &minji, &[]).await;
    let first = say(&app, &minji, &room, "t", "once").await;
    let again = say(&app, &minji, &room, "t", "once").await;
    assert_eq!(first, again);
    // The same at the same moment, as an impatient client does it.
    let (one, two) = tokio::join!(
        say(&app, &minji, &room, "u", "twin"),
        say(&app, &minji, &room, "u", "twin")
    );
    assert_eq!(one, two);
    // Another device counts for itself.
    let phone = app.sign_in(&minji.phone, None).await;
    assert_ne!(say(&app, &phone, &room, "t", "once").await, first);
    let page = get(&app, &minji, &format!("rooms/{room}/messages?dir=f"))
        .await
        .expect(200)
        .json();
    let page = if page["end"].is_string() {
        get(&app, &minji, &format!("rooms/{room}/messages?dir=f&limit=100"))
            .await
            .expect(200)
            .json()
    } else {
        page
    };
    assert_eq!(texts(&page["chunk"]), ["once", "twin", "once"]);
}

async fn pages_lead_through_the_whole_room_both_ways(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let room = make_room_of(&app, &minji, &[]).await;
    let expected: Vec<String> = (0..25).map(|number| format!("message {number}")).collect();
    for (number, text) in expected.iter().enumerate() {
        say(&app, &minji, &room, &number.to_string(), text).await;
    }
    for direction in ["b", "f"] {
        let (mut read, mut from) = (Vec::new(), String::new());
        loop {
            let path = format!("rooms/{room}/messages?dir={direction}&limit=7{from}");
            let page = get(&app, &minji, &path).await.expect(200).json();
            read.extend(texts(&page["chunk"]));
            match page["end"].as_str() {
                Some(end) => from = format!("&from={end}"),
                None => break,
            }
        }
        if direction == "b" {
            read.reverse();
        }
        assert_eq!(read, expected, "direction {direction}");
    }
    let filter = segment(r#"{"types":["m.room.member"]}"#);
    let path = format!("rooms/{room}/messages?dir=b&limit=100&filter={filter}");
    let members = get(&app, &minji, &path).await.expect(200).json();
    assert_eq!(members["chunk"].as_array().unwrap().len(), 1);
}

async fn what_stands_around_a_message(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let room = make_room_of(&app, &minji, &[]).await;
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(say(&app, &minji, &room, &number.to_string(), &number.to_string()).await);
    }
    let path = format!("rooms/{room}/context/{}?limit=4", segment(&ids[2]));
    let context = get(&app, &minji, &path).await.expect(200).json();
    assert_eq!(context["event"]["event_id"], ids[2].as_str());
    assert_eq!(texts(&context["events_before"]), ["1", "0"]);
    assert_eq!(texts(&context["events_after"]), ["3", "4"]);
    let older = context["start"].as_str().unwrap();
    let page = get(&app, &minji, &format!("rooms/{room}/messages?dir=b&from={older}"))
        .await
        .expect(200)
        .json();
    assert_eq!(texts(&page["chunk"]), [""; 0]);
    let newer = context["end"].as_str().unwrap();
    let page = get(&app, &minji, &format!("rooms/{room}/messages?dir=f&from={newer}"))
        .await
        .expect(200)
        .json();
    assert_eq!(texts(&page["chunk"]), [""; 0]);
}

async fn who_wrote_it_or_rules_the_room_takes_it_back(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    let hers = segment(&say(&app, &minji, &room, "1", "secret").await);
    let his = segment(&say(&app, &joon, &room, "1", "rude").await);
    let since = sync(&app, &joon, "").await["next_batch"]
        .as_str()
        .unwrap()
        .to_owned();

    let refused = put(&app, &joon, &format!("rooms/{room}/redact/{hers}/2"), json!({})).await;
    assert_matrix_error(&refused, 403, "M_FORBIDDEN");
    let path = format!("rooms/{room}/redact/{hers}/2");
    let redaction = put(&app, &minji, &path, json!({ "reason": "oops" }))
        .await
        .expect(200)
        .json();
    let again = put(&app, &minji, &path, json!({ "reason": "oops" }))
        .await
        .expect(200)
        .json();
    assert_eq!(redaction, again);
    put(&app, &minji, &format!("rooms/{room}/redact/{his}/3"), json!({}))
        .await
        .expect(200);

    let gone = get(&app, &joon, &format!("rooms/{room}/event/{hers}"))
        .await
        .expect(200);
    assert!(!gone.text().contains("secret"));
    assert_eq!(gone.json()["content"], json!({}));
    assert_eq!(
        gone.json()["unsigned"]["redacted_because"]["content"]["reason"],
        "oops"
    );
    let news = sync(&app, &joon, &since).await;
    let told = &super::joined(&news, &room)["timeline"]["events"][0];
    assert_eq!(told["type"], "m.room.redaction");
    assert_eq!(told["content"]["redacts"], told["redacts"]);
    let other_room = make_room_of(&app, &joon, &[]).await;
    let elsewhere = put(
        &app,
        &joon,
        &format!("rooms/{other_room}/redact/{his}/4"),
        json!({}),
    )
    .await;
    assert_matrix_error(&elsewhere, 404, "M_NOT_FOUND");
}

async fn history_is_seen_from_when_the_room_allows(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let visibility =
        json!({ "type": "m.room.history_visibility", "content": { "history_visibility": "joined" } });
    let wish = json!({ "preset": "public_chat", "initial_state": [visibility] });
    let room = make_room(&app, &minji, wish).await;
    let before = segment(&say(&app, &minji, &room, "1", "before").await);
    let outside = get(&app, &joon, &format!("rooms/{room}/messages?dir=b")).await;
    assert_matrix_error(&outside, 403, "M_FORBIDDEN");
    post(&app, &joon, &format!("join/{room}"), json!({}))
        .await
        .expect(200);
    say(&app, &minji, &room, "2", "while").await;
    post(&app, &joon, &format!("rooms/{room}/leave"), json!({}))
        .await
        .expect(200);
    say(&app, &minji, &room, "3", "after").await;
    let page = get(&app, &joon, &format!("rooms/{room}/messages?dir=b&limit=50"))
        .await
        .expect(200)
        .json();
    assert_eq!(texts(&page["chunk"]), ["while"]);
    let hidden = get(&app, &joon, &format!("rooms/{room}/event/{before}")).await;
    assert_matrix_error(&hidden, 404, "M_NOT_FOUND");
}

async fn a_state_that_was_taken_back_is_in_no_successor(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let room = make_room(&app, &minji, json!({})).await;
    let topic = format!("rooms/{room}/state/m.room.topic");
    let set = put(&app, &minji, &topic, json!({ "topic": "a secret" }))
        .await
        .expect(200);
    let set = segment(set.json()["event_id"].as_str().unwrap());
    put(&app, &minji, &topic, json!({ "topic": "nothing" }))
        .await
        .expect(200);
    put(&app, &minji, &format!("rooms/{room}/redact/{set}/1"), json!({}))
        .await
        .expect(200);
    let page = get(&app, &minji, &format!("rooms/{room}/messages?dir=b&limit=50")).await;
    assert!(!page.expect(200).text().contains("a secret"));
    let told = get(&app, &minji, "sync").await.expect(200);
    assert!(!told.text().contains("a secret"));
}

haechi_testkit::on_both_engines!(
    a_message_reaches_the_other_and_is_read_back,
    a_transaction_id_sends_once,
    pages_lead_through_the_whole_room_both_ways,
    what_stands_around_a_message,
    who_wrote_it_or_rules_the_room_takes_it_back,
    history_is_seen_from_when_the_room_allows,
    a_state_that_was_taken_back_is_in_no_successor,
);
