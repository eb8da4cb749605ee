//! Rooms written out: whole, safe, and only what one may see.

use haechi_testkit::{SignedUp, TestApp, TestResponse, TestStore, assert_problem};
use serde_json::{Value, json};

use super::{make_room, make_room_of, post, put, say, start};
use crate::model::Language;
use crate::model::limits::EXPORT_PAGE_EVENTS;
use crate::ops::{ExportFormat, ExportWish};

async fn export(app: &TestApp, who: &SignedUp, room: &str, query: &str) -> TestResponse {
    app.get(&format!("/api/chat/rooms/{room}/export?{query}"))
        .bearer(&who.access_token)
        .send()
        .await
}

fn bodies(export: &Value) -> Vec<&str> {
    let events = export["events"].as_array().unwrap().iter();
    events
        .filter_map(|event| event["content"]["body"].as_str())
        .collect()
}

async fn a_room_is_written_out_whole(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    let count = EXPORT_PAGE_EVENTS + 30;
    for number in 0..count {
        say(&app, &joon, &room, &number.to_string(), &format!("m{number}")).await;
    }
    let found = export(&app, &minji, &room, "format=json").await.expect(200);
    assert_eq!(found.headers["content-type"], "application/json");
    assert!(
        found.headers["content-disposition"]
            .to_str()
            .unwrap()
            .starts_with("attachment")
    );
    let told = found.json();
    assert_eq!(told["exported_by"], minji.user_id.as_str());
    let expected: Vec<String> = (0..count).map(|number| format!("m{number}")).collect();
    assert_eq!(bodies(&told), expected);
    assert_eq!(told["events"][0]["type"], "m.room.create");
    let page = export(&app, &minji, &room, "format=html&language=en")
        .await
        .expect(200);
    let text = page.text();
    assert!(text.ends_with("</main></body></html>\n"));
    assert_eq!(text.matches("<article>").count(), count as usize);
    assert!(text.contains("Joon joined."));
}

async fn a_page_shows_people_what_was_said_and_runs_nothing(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji <b>").await;
    let room = make_room(&app, &minji, json!({ "name": "<script>alert(1)</script>" })).await;
    say(&app, &minji, &room, "1", "<img src=x onerror=alert(1)>\n\"둘째\"").await;
    let photo = json!({ "msgtype": "m.image", "body": "바다.jpg", "url": "mxc://haechi.test/abc" });
    put(
        &app,
        &minji,
        &format!("rooms/{room}/send/m.room.message/2"),
        photo,
    )
    .await
    .expect(200);
    let gone = say(&app, &minji, &room, "3", "secret words").await;
    put(
        &app,
        &minji,
        &format!("rooms/{room}/redact/{}/4", super::segment(&gone)),
        json!({}),
    )
    .await
    .expect(200);
    let found = export(&app, &minji, &room, "format=html").await.expect(200);
    assert_eq!(found.headers["content-type"], "text/html; charset=utf-8");
    let policy = found.headers["content-security-policy"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        policy.contains("sandbox") && policy.contains("default-src 'none'"),
        "{policy}"
    );
    let text = found.text();
    assert!(
        text.contains("&lt;img src=x onerror=alert(1)&gt;\n&quot;둘째&quot;"),
        "{text}"
    );
    assert!(text.contains("/_matrix/client/v1/media/download/haechi.test/abc\""));
    assert!(text.contains("Minji &lt;b&gt;") && text.contains("<h1>&lt;script&gt;"));
    assert!(text.contains("삭제된 메시지입니다.") && !text.contains("secret words"));
    for forbidden in ["<script", "<img", "javascript:", "src="] {
        let written = text.replace("src=x", "");
        assert!(!written.contains(forbidden), "{forbidden}");
    }
}

async fn an_export_shows_what_its_reader_may_see(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let yuna = app.sign_up("Yuna").await;
    let visibility = json!([{ "type": "m.room.history_visibility", "state_key": "",
        "content": { "history_visibility": "joined" } }]);
    let wish = json!({ "initial_state": visibility, "invite": [joon.user_id], "preset": "private_chat" });
    let room = make_room(&app, &minji, wish).await;
    say(&app, &minji, &room, "1", "before").await;
    post(&app, &joon, &format!("rooms/{room}/join"), json!({}))
        .await
        .expect(200);
    say(&app, &minji, &room, "2", "while").await;
    post(&app, &joon, &format!("rooms/{room}/leave"), json!({}))
        .await
        .expect(200);
    say(&app, &minji, &room, "3", "after").await;
    let told = export(&app, &joon, &room, "format=json").await.expect(200).json();
    assert_eq!(bodies(&told), ["while"]);
    let told = export(&app, &minji, &room, "format=json")
        .await
        .expect(200)
        .json();
    assert_eq!(bodies(&told), ["before", "while", "after"]);
    for format in ["json", "html"] {
        let refused = export(&app, &yuna, &room, &format!("format={format}")).await;
        assert_problem(&refused, 403, "not-allowed");
        let nowhere = export(&app, &yuna, "%21none%3Ahaechi.test", &format!("format={format}")).await;
        assert_problem(&nowhere, 403, "not-allowed");
    }
    for odd in [
        "",
        "format=pdf",
        "format=html&offset_minutes=9999",
        "format=json&x=1",
    ] {
        assert_problem(&export(&app, &minji, &room, odd).await, 400, "invalid-query");
    }
    assert_problem(
        &export(&app, &minji, &room, "format=html&language=fr").await,
        422,
        "invalid-body",
    );
}

async fn a_person_exports_one_room_at_a_time(store: TestStore) {
    let (app, chat) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    let wish = ExportWish {
        room_id: room.replace("%21", "!").replace("%3A", ":"),
        format: ExportFormat::Json,
        language: Language::Korean,
        offset_minutes: 540,
    };
    let under_way = chat.export(&minji.actor(), wish).await.unwrap();
    let refused = export(&app, &minji, &room, "format=json").await;
    assert_problem(&refused, 429, "too-many-requests");
    export(&app, &joon, &room, "format=json").await.expect(200);
    drop(under_way);
    export(&app, &minji, &room, "format=json").await.expect(200);
    let documented = &app.openapi["paths"]["/api/chat/rooms/{room_id}/export"]["get"]["parameters"];
    let names = documented.as_array().unwrap().iter();
    let names: Vec<&str> = names
        .map(|parameter| parameter["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["room_id", "format", "language", "offset_minutes"]);
}

haechi_testkit::on_both_engines!(
    a_room_is_written_out_whole,
    a_page_shows_people_what_was_said_and_runs_nothing,
    an_export_shows_what_its_reader_may_see,
    a_person_exports_one_room_at_a_time,
);
