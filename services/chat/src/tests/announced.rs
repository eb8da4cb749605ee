//! Uploads that are announced first and sent later.

use haechi_testkit::{SignedUp, TestApp, TestResponse, TestStore};

use super::{assert_matrix_error, start};
use crate::model::limits::{RESERVATION_KEPT, RESERVATIONS_MAX};

const CREATE: &str = "/_matrix/media/v1/create";

async fn announce(app: &TestApp, who: &SignedUp) -> String {
    let made = app
        .post(CREATE)
        .bearer(&who.access_token)
        .send()
        .await
        .expect(200)
        .json();
    let until = made["unused_expires_at"].as_i64().unwrap();
    assert_eq!(until, (app.context.now() + RESERVATION_KEPT).millis());
    let uri = made["content_uri"].as_str().unwrap();
    uri.strip_prefix("mxc://").unwrap().to_owned()
}

async fn send(app: &TestApp, who: &SignedUp, media: &str, text: &str) -> TestResponse {
    app.put(&format!("/_matrix/media/v3/upload/{media}?filename=a.txt"))
        .bearer(&who.access_token)
        .bytes("text/plain", text.to_owned())
        .send()
        .await
}

async fn fetch(app: &TestApp, who: &SignedUp, media: &str, timeout_ms: u32) -> TestResponse {
    app.get(&format!(
        "/_matrix/client/v1/media/download/{media}?timeout_ms={timeout_ms}"
    ))
    .bearer(&who.access_token)
    .send()
    .await
}

async fn an_announced_upload_is_waited_for(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let media = announce(&app, &minji).await;
    assert_matrix_error(&fetch(&app, &joon, &media, 0).await, 504, "M_NOT_YET_UPLOADED");
    assert_matrix_error(&fetch(&app, &joon, &media, 1).await, 504, "M_NOT_YET_UPLOADED");
    let (found, sent) = tokio::join!(
        fetch(&app, &joon, &media, 20_000),
        send(&app, &minji, &media, "hello")
    );
    assert_eq!(sent.expect(200).json(), serde_json::json!({}));
    let found = found.expect(200);
    assert_eq!(
        (found.text().as_str(), &found.headers["content-type"]),
        ("hello", &"text/plain".parse().unwrap())
    );
    assert!(
        found.headers["content-disposition"]
            .to_str()
            .unwrap()
            .contains("a.txt")
    );
    let refused = send(&app, &minji, &media, "hello").await;
    assert_matrix_error(&refused, 409, "M_CANNOT_OVERWRITE_MEDIA");
    assert_matrix_error(&send(&app, &joon, &media, "other").await, 403, "M_FORBIDDEN");
    assert_eq!(fetch(&app, &joon, &media, 0).await.expect(200).text(), "hello");
}

async fn what_nobody_announced_is_not_taken(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let media = announce(&app, &minji).await;
    assert_matrix_error(&send(&app, &joon, &media, "x").await, 403, "M_FORBIDDEN");
    assert_matrix_error(&fetch(&app, &joon, &media, 0).await, 504, "M_NOT_YET_UPLOADED");
    for other in ["haechi.test/none", "elsewhere.example/none"] {
        assert_matrix_error(&send(&app, &minji, other, "x").await, 404, "M_NOT_FOUND");
    }
    let stranger = app.put(&format!("/_matrix/media/v3/upload/{media}"));
    assert_matrix_error(
        &stranger.bytes("text/plain", "x").send().await,
        401,
        "M_MISSING_TOKEN",
    );
    assert_matrix_error(&app.post(CREATE).send().await, 401, "M_MISSING_TOKEN");
    let large = app
        .put(&format!("/_matrix/media/v3/upload/{media}"))
        .bearer(&minji.access_token);
    let large = large.bytes("text/plain", vec![0; haechi_base::limits::UPLOAD_BYTES_MAX + 1]);
    assert_matrix_error(&large.send().await, 413, "M_TOO_LARGE");
    app.advance(RESERVATION_KEPT);
    let (minji, joon) = (
        app.sign_in(&minji.phone, None).await,
        app.sign_in(&joon.phone, None).await,
    );
    assert_matrix_error(&send(&app, &minji, &media, "x").await, 404, "M_NOT_FOUND");
    assert_matrix_error(&fetch(&app, &joon, &media, 0).await, 404, "M_NOT_FOUND");
}

async fn a_person_announces_so_many(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let first = announce(&app, &minji).await;
    for _ in 1..RESERVATIONS_MAX {
        announce(&app, &minji).await;
    }
    let refused = app.post(CREATE).bearer(&minji.access_token).send().await;
    assert_matrix_error(&refused, 429, "M_LIMIT_EXCEEDED");
    assert!(refused.headers.contains_key("retry-after"));
    send(&app, &minji, &first, "there it is").await.expect(200);
    announce(&app, &minji).await;
    app.advance(RESERVATION_KEPT);
    let next_day = app.sign_in(&minji.phone, None).await;
    app.run_due_jobs().await;
    announce(&app, &next_day).await;
}

haechi_testkit::on_both_engines!(
    an_announced_upload_is_waited_for,
    what_nobody_announced_is_not_taken,
    a_person_announces_so_many,
);
