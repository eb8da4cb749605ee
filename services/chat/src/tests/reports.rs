//! Reports for staff, and what staff does to rooms.

use std::time::Duration;

use haechi_testkit::{SignedUp, TestApp, TestResponse, TestStore, assert_problem};
use serde_json::{Value, json};

use super::{
    assert_matrix_error, client, get, make_room, make_room_of, post, put, say, segment, sign_up_staff, start,
    sync, texts,
};

async fn reports(app: &TestApp, staff: &SignedUp, query: &str) -> Value {
    let path = format!("/api/chat/reports{query}");
    app.get(&path)
        .bearer(&staff.access_token)
        .send()
        .await
        .expect(200)
        .json()
}

async fn ask(app: &TestApp, who: &SignedUp, path: &str, body: Value) -> TestResponse {
    app.post(path).bearer(&who.access_token).json(body).send().await
}

async fn what_people_report_reaches_staff(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let (sora, staff) = (app.sign_up("Sora").await, sign_up_staff(&app).await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    let event = say(&app, &minji, &room, "1", "rude").await;
    let about = format!("rooms/{room}/report/{}", segment(&event));
    let why = json!({ "reason": "rude", "score": -100 });
    assert_matrix_error(&post(&app, &sora, &about, why.clone()).await, 404, "M_NOT_FOUND");
    let none = format!("rooms/{room}/report/%24none");
    assert_matrix_error(&post(&app, &joon, &none, why.clone()).await, 404, "M_NOT_FOUND");
    post(&app, &joon, &about, why.clone()).await.expect(200);
    app.advance(Duration::from_millis(2));
    post(&app, &joon, &format!("rooms/{room}/report"), why.clone())
        .await
        .expect(200);
    app.advance(Duration::from_millis(2));
    post(
        &app,
        &joon,
        &format!("users/{}/report", segment(&minji.user_id)),
        why.clone(),
    )
    .await
    .expect(200);
    for path in [
        "rooms/%21none%3Alocalhost/report",
        "users/%40none%3Alocalhost/report",
    ] {
        assert_matrix_error(&post(&app, &joon, path, why.clone()).await, 404, "M_NOT_FOUND");
        let nobody = app.post(&client(path)).json(why.clone()).send().await;
        assert_matrix_error(&nobody, 401, "M_MISSING_TOKEN");
    }
    let long = json!({ "reason": "x".repeat(5_000) });
    assert_matrix_error(&post(&app, &joon, &about, long).await, 413, "M_TOO_LARGE");

    let first = reports(&app, &staff, "?limit=2").await;
    let next = first["next"].as_str().unwrap();
    let second = reports(&app, &staff, &format!("?limit=2&before={next}")).await;
    assert_eq!(second["next"], Value::Null);
    let told = &second["items"][0];
    assert_eq!(told["event_id"], event.as_str());
    assert_eq!(
        (&told["user_id"], &told["reporter"]),
        (&json!(minji.user_id), &json!(joon.user_id))
    );
    assert!(told["content"].as_str().unwrap().contains("rude"));
    assert_eq!(first["items"][0]["user_id"], minji.user_id.as_str());
}

async fn staff_notes_what_came_of_a_report(store: TestStore) {
    let (app, _) = start(store).await;
    let (joon, staff) = (app.sign_up("Joon").await, sign_up_staff(&app).await);
    let room = make_room(&app, &joon, json!({})).await;
    let about = format!("rooms/{room}/report");
    for _ in 0..2 {
        post(&app, &joon, &about, json!({ "reason": "rude" }))
            .await
            .expect(200);
    }
    let refused = app
        .get("/api/chat/reports")
        .bearer(&joon.access_token)
        .send()
        .await;
    assert_problem(&refused, 403, "administrator-needed");
    let told = reports(&app, &staff, "").await["items"][0].clone();
    let path = format!(
        "/api/chat/reports/{}/resolution",
        told["report_id"].as_str().unwrap()
    );
    let note = json!({ "resolution": "warned" });
    assert_problem(
        &ask(&app, &joon, &path, note.clone()).await,
        403,
        "administrator-needed",
    );
    let resolved = ask(&app, &staff, &path, note).await.expect(200).json();
    assert_eq!(
        (&resolved["resolution"], &resolved["resolved_by"]),
        (&json!("warned"), &json!(staff.user_id))
    );
    let again = ask(&app, &staff, &path, json!({ "resolution": "other" }))
        .await
        .expect(200)
        .json();
    assert_eq!(again, resolved, "what was noted first stands");
    assert_eq!(
        reports(&app, &staff, "?open=true").await["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        reports(&app, &staff, "").await["items"].as_array().unwrap().len(),
        2
    );
    let none = "/api/chat/reports/01900000-0000-7000-8000-000000000000/resolution";
    assert_eq!(ask(&app, &staff, none, json!({})).await.status, 404);
    let odd = app
        .get("/api/chat/reports?limit=0")
        .bearer(&staff.access_token)
        .send()
        .await;
    assert_problem(&odd, 400, "invalid-query");
}

async fn reports_have_a_rate(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, staff) = (app.sign_up("Minji").await, sign_up_staff(&app).await);
    let room = make_room(&app, &minji, json!({})).await;
    let report = async || {
        post(
            &app,
            &minji,
            &format!("rooms/{room}/report"),
            json!({ "reason": "" }),
        )
        .await
    };
    let mut filed = 0;
    let refused = loop {
        let answer = report().await;
        if answer.status != 200 {
            break answer;
        }
        filed += 1;
        assert!(filed < 100, "there is no end to it");
    };
    assert_matrix_error(&refused, 429, "M_LIMIT_EXCEEDED");
    assert!(refused.headers.contains_key("retry-after"));
    assert_eq!(
        reports(&app, &staff, "?limit=200").await["items"]
            .as_array()
            .unwrap()
            .len(),
        filed
    );
}

async fn staff_closes_a_room_for_good(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let (sora, staff) = (app.sign_up("Sora").await, sign_up_staff(&app).await);
    let wish = json!({ "preset": "public_chat", "visibility": "public", "room_alias_name": "bad",
        "invite": [sora.user_id] });
    let room = make_room(&app, &minji, wish).await;
    post(&app, &joon, &format!("rooms/{room}/join"), json!({}))
        .await
        .expect(200);
    let path = format!("/api/chat/rooms/{room}/closure");
    let why = json!({ "reason": "fraud" });
    assert_problem(
        &ask(&app, &minji, &path, why.clone()).await,
        403,
        "administrator-needed",
    );
    let closed = ask(&app, &staff, &path, why.clone()).await.expect(200).json();
    assert_eq!(
        (
            closed["people"].as_u64(),
            segment(closed["room_id"].as_str().unwrap())
        ),
        (Some(3), room.clone())
    );
    assert_eq!(
        ask(&app, &staff, &path, why.clone()).await.expect(200).json()["people"],
        0
    );
    for who in [&minji, &joon, &sora] {
        let told = sync(&app, who, "").await;
        assert_eq!(
            (&told["rooms"]["join"], &told["rooms"]["invite"]),
            (&json!({}), &json!({}))
        );
        let refused = post(&app, who, &format!("rooms/{room}/join"), json!({})).await;
        assert_matrix_error(&refused, 403, "M_FORBIDDEN");
    }
    assert_eq!(get(&app, &joon, "publicRooms").await.json()["chunk"], json!([]));
    let alias = segment(&format!("#bad:{}", minji.user_id.split_once(':').unwrap().1));
    let gone = app.get(&client(&format!("directory/room/{alias}"))).send().await;
    assert_matrix_error(&gone, 404, "M_NOT_FOUND");
    let none = ask(&app, &staff, "/api/chat/rooms/%21none%3Alocalhost/closure", why).await;
    assert_eq!(none.status, 404);
}

async fn staff_takes_a_message_away(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, staff) = (app.sign_up("Minji").await, sign_up_staff(&app).await);
    let room = make_room(&app, &minji, json!({})).await;
    let event = say(&app, &minji, &room, "1", "awful").await;
    let path = |event: &str| format!("/api/chat/rooms/{room}/events/{}/removal", segment(event));
    let why = json!({ "reason": "unlawful" });
    assert_problem(
        &ask(&app, &minji, &path(&event), why.clone()).await,
        403,
        "administrator-needed",
    );
    ask(&app, &staff, &path(&event), why.clone()).await.expect(200);
    let page = get(&app, &minji, &format!("rooms/{room}/messages?dir=b"))
        .await
        .expect(200)
        .json();
    assert_eq!(texts(&page["chunk"]), ["(none)"]);
    let told = get(&app, &minji, &format!("rooms/{room}/event/{}", segment(&event)))
        .await
        .json();
    assert_eq!(
        told["unsigned"]["redacted_because"]["content"]["reason"],
        "unlawful"
    );
    assert_eq!(
        told["unsigned"]["redacted_because"]["sender"],
        staff.user_id.as_str()
    );
    assert_eq!(ask(&app, &staff, &path("$none"), why.clone()).await.status, 404);
    // They are no members for that: they neither read nor write there.
    let text = json!({ "msgtype": "m.text", "body": "x" });
    let refused = put(&app, &staff, &format!("rooms/{room}/send/m.room.message/1"), text).await;
    assert_matrix_error(&refused, 403, "M_FORBIDDEN");
}

haechi_testkit::on_both_engines!(
    what_people_report_reaches_staff,
    staff_notes_what_came_of_a_report,
    reports_have_a_rate,
    staff_closes_a_room_for_good,
    staff_takes_a_message_away,
);
