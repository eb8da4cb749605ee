//! Uploads and downloads.

use haechi_base::limits::UPLOAD_BYTES_MAX;
use haechi_store::{StoreError, Tx};
use haechi_testkit::{SignedUp, TestStore};

use super::{assert_matrix_error, start};
use crate::model::limits::{MEDIA_IN_FLIGHT_BYTES_MAX, UPLOAD_PERIOD, UPLOADS_BYTES_MAX};
use crate::store::media;

const UPLOAD: &str = "/_matrix/media/v3/upload";

fn path_of(uri: &str) -> String {
    format!(
        "/_matrix/client/v1/media/download/{}",
        uri.strip_prefix("mxc://").unwrap()
    )
}

async fn an_upload_comes_back_and_runs_nothing(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let bytes: Vec<u8> = (0..700_000_u32)
        .map(|number| u8::try_from(number % 251).unwrap())
        .collect();
    let sent = app
        .post(&format!("{UPLOAD}?filename=%EC%82%AC%EC%A7%84.png"))
        .bearer(&minji.access_token)
        .bytes("image/png", bytes.clone())
        .send()
        .await
        .expect(200)
        .json();
    let path = path_of(sent["content_uri"].as_str().unwrap());
    let found = app
        .get(&path)
        .bearer(&minji.access_token)
        .send()
        .await
        .expect(200);
    assert_eq!(found.body, bytes);
    assert_eq!(found.headers["content-type"], "image/png");
    assert!(
        found.headers["content-disposition"]
            .to_str()
            .unwrap()
            .starts_with("inline; filename*=utf-8''")
    );
    assert!(
        found.headers["content-security-policy"]
            .to_str()
            .unwrap()
            .contains("sandbox")
    );
    assert_eq!(found.headers["x-content-type-options"], "nosniff");
    let named = app
        .get(&format!("{path}/other.png"))
        .bearer(&minji.access_token)
        .send()
        .await
        .expect(200);
    assert!(
        named.headers["content-disposition"]
            .to_str()
            .unwrap()
            .contains("other.png")
    );

    for kind in ["text/html", "image/svg+xml", "application/pdf", "nonsense"] {
        let sent = app
            .post(UPLOAD)
            .bearer(&minji.access_token)
            .bytes(kind, "<script>")
            .send()
            .await
            .expect(200);
        let path = path_of(sent.json()["content_uri"].as_str().unwrap());
        let found = app
            .get(&path)
            .bearer(&minji.access_token)
            .send()
            .await
            .expect(200);
        assert_eq!(found.headers["content-disposition"], "attachment", "{kind}");
    }
}

async fn uploads_have_their_limits(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let config = app
        .get("/_matrix/client/v1/media/config")
        .bearer(&minji.access_token)
        .send()
        .await
        .expect(200);
    assert_eq!(config.json()["m.upload.size"], UPLOAD_BYTES_MAX);
    let large = vec![0; UPLOAD_BYTES_MAX + 1];
    let refused = app
        .post(UPLOAD)
        .bearer(&minji.access_token)
        .bytes("image/png", large)
        .send()
        .await;
    assert_matrix_error(&refused, 413, "M_TOO_LARGE");
    let stranger = app.post(UPLOAD).bytes("image/png", "x").send().await;
    assert_matrix_error(&stranger, 401, "M_MISSING_TOKEN");
    for path in [
        "/_matrix/client/v1/media/download/localhost/none",
        "/_matrix/client/v1/media/download/elsewhere.example/none",
        "/_matrix/client/v1/media/thumbnail/localhost/none?width=32&height=32",
        "/_matrix/client/v1/media/download/localhost/..%2F..%2Fetc%2Fpasswd",
    ] {
        let missing = app.get(path).bearer(&minji.access_token).send().await;
        assert_matrix_error(&missing, 404, "M_NOT_FOUND");
        assert_matrix_error(&app.get(path).send().await, 401, "M_MISSING_TOKEN");
    }
}

async fn a_person_uploads_so_much_a_day(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let upload = async |who: &SignedUp| {
        let request = app.post(UPLOAD).bearer(&who.access_token);
        request.bytes("image/png", "picture").send().await
    };
    let sent = upload(&minji).await.expect(200).json();
    let uri = sent["content_uri"].as_str().unwrap();
    let media_id = uri.rsplit_once('/').unwrap().1.to_owned();
    let made_large = async move |tx: &mut Tx<'_>| -> Result<(), StoreError> {
        let mut media = media::find(tx, &media_id).await?.unwrap();
        media.size_bytes = UPLOADS_BYTES_MAX - 7;
        media::put(tx, &media).await
    };
    app.context.store.write_unkeyed(made_large).await.unwrap();
    upload(&minji).await.expect(200);
    let refused = upload(&minji).await;
    assert_matrix_error(&refused, 429, "M_LIMIT_EXCEEDED");
    assert!(refused.headers.contains_key("retry-after"));
    upload(&joon).await.expect(200);
    app.advance(UPLOAD_PERIOD);
    let next_day = app.sign_in(&minji.phone, None).await;
    upload(&next_day).await.expect(200);
}

async fn a_node_holds_so_much_media_at_once(store: TestStore) {
    let (app, chat) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let upload = async || {
        let request = app.post(UPLOAD).bearer(&minji.access_token);
        request.bytes("image/png", "picture").send().await
    };
    let sent = upload().await.expect(200).json();
    let path = path_of(sent["content_uri"].as_str().unwrap());
    let download = async || app.get(&path).bearer(&minji.access_token).send().await;
    let held = chat.media_room(MEDIA_IN_FLIGHT_BYTES_MAX).unwrap();
    for refused in [upload().await, download().await] {
        assert_matrix_error(&refused, 503, "M_LIMIT_EXCEEDED");
        assert!(refused.headers.contains_key("retry-after"));
    }
    drop(held);
    upload().await.expect(200);
    drop(download().await.expect(200));
    assert!(
        chat.media_room(MEDIA_IN_FLIGHT_BYTES_MAX).is_ok(),
        "all room was given back"
    );
}

haechi_testkit::on_both_engines!(
    an_upload_comes_back_and_runs_nothing,
    uploads_have_their_limits,
    a_person_uploads_so_much_a_day,
    a_node_holds_so_much_media_at_once,
);
