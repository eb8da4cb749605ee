//! Chats of KakaoTalk moved in.

use std::time::Duration;

use haechi_testkit::{SignedUp, TestApp, TestResponse, TestStore, assert_problem};
use serde_json::{Value, json};

use super::{assert_matrix_error, get, post, put, segment, start};
use crate::model::limits::{IMPORT_BATCH_MESSAGES, IMPORT_RUN_BATCHES, IMPORTS_A_DAY_MAX};

const TEXT: &str = "\
바다 모임 님과 카카오톡 대화
저장한 날짜 : 2022년 10월 17일 오전 9:01

2022년 10월 15일 오후 3:19
2022년 10월 15일 오후 3:19, 홍길동님이 김바다님을 초대했습니다.
2022년 10월 15일 오후 3:19, 홍길동 : 안녕
2022년 10월 15일 오후 3:20, 김바다 : 반가워요
두 줄이에요
";

async fn begin(app: &TestApp, who: &SignedUp, key: &str, query: &str, text: &str) -> TestResponse {
    app.post(&format!("/api/chat/imports?{query}"))
        .bearer(&who.access_token)
        .header("idempotency-key", key)
        .bytes("text/plain", text.to_owned())
        .send()
        .await
}

async fn standing(app: &TestApp, who: &SignedUp, import: &Value) -> Value {
    let import_id = import["import_id"].as_str().unwrap();
    let path = format!("/api/chat/imports/{import_id}");
    app.get(&path)
        .bearer(&who.access_token)
        .send()
        .await
        .expect(200)
        .json()
}

async fn messages(app: &TestApp, who: &SignedUp, room: &str) -> Vec<Value> {
    let path = format!("rooms/{room}/messages?dir=f&limit=500");
    let page = get(app, who, &path).await.expect(200).json();
    let events = page["chunk"].as_array().unwrap().iter();
    events
        .filter(|event| event["type"] == "m.room.message")
        .cloned()
        .collect()
}

async fn a_chat_is_moved_in_and_only_read_from_then_on(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let own_name = segment("홍길동");
    let begun = begin(&app, &minji, "k", &format!("own_name={own_name}"), TEXT)
        .await
        .expect(202)
        .json();
    assert_eq!(
        (&begun["state"], &begun["messages_total"]),
        (&json!("running"), &json!(3))
    );
    assert_eq!(begun["name"], "바다 모임");
    app.run_due_jobs().await;
    let done = standing(&app, &minji, &begun).await;
    assert_eq!(
        (&done["state"], &done["messages_done"]),
        (&json!("done"), &json!(3))
    );
    let room = segment(begun["room_id"].as_str().unwrap());
    let said = messages(&app, &minji, &room).await;
    let told: Vec<&str> = said
        .iter()
        .map(|event| event["content"]["body"].as_str().unwrap())
        .collect();
    assert_eq!(
        told,
        [
            "홍길동님이 김바다님을 초대했습니다. (2022-10-15 15:19)",
            "홍길동 (2022-10-15 15:19): 안녕",
            "김바다 (2022-10-15 15:20): 반가워요\n두 줄이에요",
        ]
    );
    let origin = &said[1]["content"]["org.haechi.imported"];
    assert_eq!(
        (&origin["author"], &origin["own"], &origin["text"]),
        (&json!("홍길동"), &json!(true), &json!("안녕"))
    );
    assert_eq!(said[2]["sender"], minji.user_id.as_str());
    // Nobody writes there any more, not even who moved it in; others may be asked in to read.
    let path = format!("rooms/{room}/send/m.room.message/1");
    let text = json!({ "msgtype": "m.text", "body": "x" });
    assert_matrix_error(&put(&app, &minji, &path, text.clone()).await, 403, "M_FORBIDDEN");
    let name = json!({ "name": "x" });
    let refused = put(&app, &minji, &format!("rooms/{room}/state/m.room.name/"), name).await;
    assert_matrix_error(&refused, 403, "M_FORBIDDEN");
    post(
        &app,
        &minji,
        &format!("rooms/{room}/invite"),
        json!({ "user_id": joon.user_id }),
    )
    .await
    .expect(200);
    post(&app, &joon, &format!("rooms/{room}/join"), json!({}))
        .await
        .expect(200);
    assert_matrix_error(&put(&app, &joon, &path, text).await, 403, "M_FORBIDDEN");
    assert_eq!(messages(&app, &joon, &room).await.len(), 3);
    let refused = app.get(&format!(
        "/api/chat/imports/{}",
        begun["import_id"].as_str().unwrap()
    ));
    let refused = refused.bearer(&joon.access_token).send().await;
    assert_problem(&refused, 404, "no-such-person");
}

async fn a_long_chat_comes_bit_by_bit_and_an_interruption_doubles_nothing(store: TestStore) {
    let (app, chat) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let a_run = IMPORT_BATCH_MESSAGES * IMPORT_RUN_BATCHES;
    let count = a_run + IMPORT_BATCH_MESSAGES + 7;
    let text: String = (0..count)
        .map(|number| {
            format!(
                "2022년 10월 15일 오후 3:{:02}, 김바다 : 말 {number}\n",
                number % 60
            )
        })
        .collect();
    let begun = begin(&app, &minji, "k", "", &text).await.expect(202).json();
    app.run_due_jobs().await;
    let halfway = standing(&app, &minji, &begun).await;
    assert_eq!(
        (&halfway["state"], &halfway["messages_done"]),
        (&json!("running"), &json!(a_run))
    );
    // As if the node had died between the batch and the note of it: it is done again from an older place.
    let import_id = begun["import_id"].as_str().unwrap().to_owned();
    app.run_due_jobs().await;
    assert!(chat.run_import(&import_id).await.unwrap());
    let done = standing(&app, &minji, &begun).await;
    assert_eq!(
        (&done["state"], &done["messages_done"]),
        (&json!("done"), &json!(count))
    );
    let room = segment(begun["room_id"].as_str().unwrap());
    let export = app.get(&format!("/api/chat/rooms/{room}/export?format=json"));
    let export = export.bearer(&minji.access_token).send().await.expect(200).json();
    let said: Vec<&str> = export["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|event| event["content"]["org.haechi.imported"]["text"].as_str())
        .collect();
    let expected: Vec<String> = (0..count).map(|number| format!("말 {number}")).collect();
    assert_eq!(said, expected);
}

async fn messages_put_in_twice_are_there_once(store: TestStore) {
    let (app, chat) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let begun = begin(&app, &minji, "k", "", TEXT).await.expect(202).json();
    let import_id = begun["import_id"].as_str().unwrap().to_owned();
    // Two nodes at once, each from the beginning.
    let (one, other) = tokio::join!(chat.run_import(&import_id), chat.run_import(&import_id));
    assert!(one.is_ok() && other.is_ok());
    app.run_due_jobs().await;
    let room = segment(begun["room_id"].as_str().unwrap());
    assert_eq!(messages(&app, &minji, &room).await.len(), 3);
    assert_eq!(standing(&app, &minji, &begun).await["state"], "done");
}

async fn a_key_begins_one_import_and_bad_texts_begin_none(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let first = begin(&app, &minji, "k", "", TEXT).await.expect(202).json();
    let again = begin(&app, &minji, "k", "", TEXT).await.expect(202).json();
    assert_eq!(again["import_id"], first["import_id"]);
    let other = begin(&app, &minji, "k", "name=other", TEXT).await;
    assert_problem(&other, 409, "idempotency-key-reused");
    for text in ["", "hello", "\u{feff}\n\n"] {
        assert_problem(&begin(&app, &minji, "bad", "", text).await, 422, "invalid-body");
    }
    let bytes = app.post("/api/chat/imports").bearer(&minji.access_token);
    let bytes = bytes
        .header("idempotency-key", "bad")
        .bytes("text/plain", b"\xff\xfe".to_vec());
    assert_problem(&bytes.send().await, 422, "invalid-body");
    let long_name = format!("name={}", "x".repeat(101));
    assert_problem(
        &begin(&app, &minji, "bad", &long_name, TEXT).await,
        422,
        "invalid-body",
    );
    assert_problem(
        &begin(&app, &minji, "bad", "offset_minutes=1000", TEXT).await,
        400,
        "invalid-query",
    );
    assert_problem(
        &begin(&app, &minji, "bad", "x=1", TEXT).await,
        400,
        "invalid-query",
    );
    let without_key = app.post("/api/chat/imports").bearer(&minji.access_token);
    let without_key = without_key.bytes("text/plain", TEXT).send().await;
    assert_problem(&without_key, 400, "idempotency-key-needed");
    for number in 1..IMPORTS_A_DAY_MAX {
        begin(&app, &minji, &format!("k{number}"), "", TEXT)
            .await
            .expect(202);
    }
    assert_problem(
        &begin(&app, &minji, "one-more", "", TEXT).await,
        429,
        "too-many-requests",
    );
    begin(&app, &minji, "k", "", TEXT).await.expect(202);
    app.advance(Duration::from_secs(24 * 3600));
    let next_day = app.sign_in(&minji.phone, None).await;
    begin(&app, &next_day, "one-more", "", TEXT).await.expect(202);
}

async fn who_leaves_the_room_does_not_get_the_rest(store: TestStore) {
    let (app, chat) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let count = IMPORT_BATCH_MESSAGES * IMPORT_RUN_BATCHES + 1;
    let text = "2022년 10월 15일 오후 3:19, 김바다 : 말\n".repeat(count);
    let begun = begin(&app, &minji, "k", "", &text).await.expect(202).json();
    app.run_due_jobs().await;
    let room = segment(begun["room_id"].as_str().unwrap());
    post(&app, &minji, &format!("rooms/{room}/leave"), json!({}))
        .await
        .expect(200);
    app.run_due_jobs().await;
    assert_eq!(standing(&app, &minji, &begun).await["state"], "stopped");
    assert!(chat.run_import("none").await.unwrap());
}

haechi_testkit::on_both_engines!(
    a_chat_is_moved_in_and_only_read_from_then_on,
    a_long_chat_comes_bit_by_bit_and_an_interruption_doubles_nothing,
    messages_put_in_twice_are_there_once,
    a_key_begins_one_import_and_bad_texts_begin_none,
    who_leaves_the_room_does_not_get_the_rest,
);
