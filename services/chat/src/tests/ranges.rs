//! Parts of uploads, and uploads that a client has already.

use haechi_testkit::{SignedUp, TestApp, TestResponse, TestStore};

use super::{assert_matrix_error, start};

async fn upload(app: &TestApp, who: &SignedUp) -> String {
    let sent = app.post("/_matrix/media/v3/upload").bearer(&who.access_token);
    let sent = sent
        .bytes("video/mp4", "0123456789")
        .send()
        .await
        .expect(200)
        .json();
    let uri = sent["content_uri"].as_str().unwrap();
    format!(
        "/_matrix/client/v1/media/download/{}",
        uri.strip_prefix("mxc://").unwrap()
    )
}

async fn ask(app: &TestApp, who: &SignedUp, path: &str, headers: &[(&str, &str)]) -> TestResponse {
    let request = app.get(path).bearer(&who.access_token);
    let request = headers
        .iter()
        .fold(request, |request, (name, value)| request.header(name, value));
    request.send().await
}

async fn a_part_of_an_upload_is_sent_alone(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let path = upload(&app, &minji).await;
    let whole = ask(&app, &minji, &path, &[]).await.expect(200);
    assert_eq!(whole.headers["accept-ranges"], "bytes");
    for (range, text, told) in [
        ("bytes=0-3", "0123", "bytes 0-3/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-2", "89", "bytes 8-9/10"),
        ("bytes=5-999", "56789", "bytes 5-9/10"),
    ] {
        let part = ask(&app, &minji, &path, &[("range", range)]).await.expect(206);
        assert_eq!(
            (
                part.text().as_str(),
                part.headers["content-range"].to_str().unwrap()
            ),
            (text, told)
        );
        assert_eq!(part.headers["content-type"], "video/mp4");
        assert!(
            part.headers["content-security-policy"]
                .to_str()
                .unwrap()
                .contains("sandbox")
        );
    }
    let outside = ask(&app, &minji, &path, &[("range", "bytes=10-")]).await;
    assert_matrix_error(&outside, 416, "M_UNKNOWN");
    assert_eq!(outside.headers["content-range"], "bytes */10");
    for odd in ["bytes=0-1,4-5", "bytes=x", "lines=1-2"] {
        assert_eq!(
            ask(&app, &minji, &path, &[("range", odd)])
                .await
                .expect(200)
                .text(),
            "0123456789"
        );
    }
    let other = ask(
        &app,
        &minji,
        &path,
        &[("range", "bytes=0-3"), ("if-range", "\"other\"")],
    )
    .await;
    assert_eq!(other.expect(200).text(), "0123456789");
}

async fn what_a_client_has_is_not_sent_again(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let path = upload(&app, &minji).await;
    let whole = ask(&app, &minji, &path, &[]).await.expect(200);
    let etag = whole.headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(
        whole.headers["cache-control"],
        "private, max-age=31536000, immutable"
    );
    assert_eq!(whole.headers["cross-origin-resource-policy"], "cross-origin");
    for known in [etag.clone(), format!("\"x\", W/{etag}"), "*".to_owned()] {
        let same = ask(&app, &minji, &path, &[("if-none-match", &known)])
            .await
            .expect(304);
        assert!(same.body.is_empty() && same.headers["etag"] == etag.as_str());
    }
    ask(&app, &minji, &path, &[("if-none-match", "\"x\"")])
        .await
        .expect(200);
    let part = ask(
        &app,
        &minji,
        &path,
        &[("range", "bytes=0-3"), ("if-range", &etag)],
    )
    .await;
    assert_eq!(part.expect(206).text(), "0123");
    let stranger = app.get(&path).header("if-none-match", &etag).send().await;
    assert_matrix_error(&stranger, 401, "M_MISSING_TOKEN");
}

haechi_testkit::on_both_engines!(
    a_part_of_an_upload_is_sent_alone,
    what_a_client_has_is_not_sent_again,
);
