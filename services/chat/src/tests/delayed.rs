//! Events that are sent later.

use std::time::Duration;

use haechi_testkit::{SignedUp, TestApp, TestResponse, TestStore};
use serde_json::{Value, json};

use super::{assert_matrix_error, get, make_room_of, put, start, texts};

const DELAYED: &str = "/_matrix/client/unstable/org.matrix.msc4140/delayed_events";

async fn delay(
    app: &TestApp,
    who: &SignedUp,
    room: &str,
    transaction_id: &str,
    delay_ms: u64,
) -> TestResponse {
    let path =
        format!("rooms/{room}/send/m.room.message/{transaction_id}?org.matrix.msc4140.delay={delay_ms}");
    put(
        app,
        who,
        &path,
        json!({ "msgtype": "m.text", "body": transaction_id }),
    )
    .await
}

fn id_of(response: &TestResponse) -> String {
    response.json()["delay_id"].as_str().unwrap().to_owned()
}

async fn waiting(app: &TestApp, who: &SignedUp) -> Vec<Value> {
    let told = app
        .get(DELAYED)
        .bearer(&who.access_token)
        .send()
        .await
        .expect(200)
        .json();
    told["delayed_events"].as_array().unwrap().clone()
}

async fn said(app: &TestApp, who: &SignedUp, room: &str) -> Vec<String> {
    let page = get(app, who, &format!("rooms/{room}/messages?dir=f&limit=50"))
        .await
        .expect(200)
        .json();
    texts(&page["chunk"])
}

async fn an_event_is_sent_when_its_time_has_come_and_once(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let room = make_room_of(&app, &minji, &[]).await;
    let first = delay(&app, &minji, &room, "later", 10_000).await.expect(200);
    let again = delay(&app, &minji, &room, "later", 10_000).await.expect(200);
    assert_eq!(id_of(&first), id_of(&again), "the same request waits once");
    let path = format!("rooms/{room}/state/m.room.topic?org.matrix.msc4140.delay=20000");
    put(&app, &minji, &path, json!({ "topic": "gone home" }))
        .await
        .expect(200);
    let list = waiting(&app, &minji).await;
    assert_eq!(list.len(), 2);
    assert_eq!(
        (&list[0]["delay"], &list[0]["content"]["body"]),
        (&json!(10_000), &json!("later"))
    );
    assert_eq!(list[1]["state_key"], "");
    app.run_due_jobs().await;
    assert!(said(&app, &minji, &room).await.is_empty());
    app.advance(Duration::from_secs(11));
    app.run_due_jobs().await;
    app.run_due_jobs().await;
    assert_eq!(said(&app, &minji, &room).await, ["later"]);
    assert_eq!(waiting(&app, &minji).await.len(), 1);
    app.advance(Duration::from_secs(10));
    app.run_due_jobs().await;
    let topic = get(&app, &minji, &format!("rooms/{room}/state/m.room.topic"))
        .await
        .expect(200)
        .json();
    assert_eq!(topic["topic"], "gone home");
    assert!(waiting(&app, &minji).await.is_empty());
}

async fn who_knows_its_id_restarts_sends_or_cancels_it(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let room = make_room_of(&app, &minji, &[]).await;
    let restarted = id_of(&delay(&app, &minji, &room, "restarted", 10_000).await.expect(200));
    let sent = id_of(&delay(&app, &minji, &room, "sent", 10_000).await.expect(200));
    let cancelled = id_of(&delay(&app, &minji, &room, "cancelled", 10_000).await.expect(200));
    app.advance(Duration::from_secs(8));
    app.post(&format!("{DELAYED}/{restarted}/restart"))
        .send()
        .await
        .expect(200);
    app.post(&format!("{DELAYED}/{sent}"))
        .json(json!({ "action": "send" }))
        .send()
        .await
        .expect(200);
    app.post(&format!("{DELAYED}/{cancelled}/cancel"))
        .send()
        .await
        .expect(200);
    assert_eq!(said(&app, &minji, &room).await, ["sent"]);
    app.advance(Duration::from_secs(8));
    for _ in 0..4 {
        app.run_due_jobs().await;
    }
    assert_eq!(said(&app, &minji, &room).await, ["sent"]);
    app.advance(Duration::from_secs(8));
    app.run_due_jobs().await;
    assert_eq!(said(&app, &minji, &room).await, ["sent", "restarted"]);
    for id in [&sent, &cancelled, &restarted] {
        let gone = app.post(&format!("{DELAYED}/{id}/cancel")).send().await;
        assert_matrix_error(&gone, 404, "M_NOT_FOUND");
    }
    let odd = app.post(&format!("{DELAYED}/x/explode")).send().await;
    assert_matrix_error(&odd, 400, "M_INVALID_PARAM");
    let odd = app.post(&format!("{DELAYED}/x")).json(json!({})).send().await;
    assert_matrix_error(&odd, 400, "M_BAD_JSON");
}

async fn what_may_not_wait_is_refused(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[]).await;
    let too_long = delay(&app, &minji, &room, "1", 25 * 3_600 * 1_000).await;
    assert_matrix_error(&too_long, 400, "M_MAX_DELAY_EXCEEDED");
    assert_matrix_error(&delay(&app, &joon, &room, "1", 1_000).await, 403, "M_FORBIDDEN");
    let odd = put(
        &app,
        &minji,
        &format!("rooms/{room}/send/m.room.message/1?org.matrix.msc4140.delay=soon"),
        json!({}),
    )
    .await;
    assert_matrix_error(&odd, 400, "M_INVALID_PARAM");
    for number in 0..100 {
        delay(&app, &minji, &room, &number.to_string(), 1_000_000)
            .await
            .expect(200);
    }
    let too_many = delay(&app, &minji, &room, "one-more", 1_000).await;
    assert_matrix_error(&too_many, 400, "M_MAX_DELAYED_EVENTS_EXCEEDED");
    assert_eq!(waiting(&app, &minji).await.len(), 100);
    assert!(waiting(&app, &joon).await.is_empty());
    let nobody = app.get(DELAYED).send().await;
    assert_matrix_error(&nobody, 401, "M_MISSING_TOKEN");
}

haechi_testkit::on_both_engines!(
    an_event_is_sent_when_its_time_has_come_and_once,
    who_knows_its_id_restarts_sends_or_cancels_it,
    what_may_not_wait_is_refused,
);
