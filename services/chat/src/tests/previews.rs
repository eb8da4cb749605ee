//! Previews of links, of pages on this machine, which only tests may reach.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::response::{IntoResponse, Redirect};
use axum::routing::get;
use haechi_testkit::{SignedUp, TestApp, TestResponse, TestStore};
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::{assert_matrix_error, segment, start_with};
use crate::model::limits::{PREVIEW_BYTES_MAX, PREVIEW_KEPT, PREVIEWS_MAX};
use crate::{ChatSettings, PreviewReach};

async fn start(store: TestStore, previews: PreviewReach) -> TestApp {
    let settings = ChatSettings {
        previews,
        ..ChatSettings::default()
    };
    start_with(store, settings).await.0
}

fn page(body: impl Into<Vec<u8>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/html; charset=utf-8")], body.into())
}

/// A site on a free port; returns its address, and how often it was asked.
async fn site() -> (String, Arc<AtomicU32>) {
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let cover = {
        let mut bytes = Vec::new();
        let image: image::DynamicImage = image::RgbImage::new(40, 30).into();
        image
            .write_to(&mut std::io::Cursor::new(&mut bytes), image::ImageFormat::Png)
            .unwrap();
        bytes
    };
    let routes = Router::new()
        .route(
            "/page",
            get(|| async {
                page(
                    "<title>Plain</title><meta property=og:title content='해치 &lt;3'>
                     <meta property=og:description content='about'><meta property=og:image content=/cover.png>",
                )
            }),
        )
        .route("/cover.png", get(async move || ([(CONTENT_TYPE, "image/png")], cover.clone())))
        .route(
            "/old",
            get(|| async {
                let (text, ..) = encoding_rs::EUC_KR.encode("<meta charset=euc-kr><title>옛 한글</title>");
                ([(CONTENT_TYPE, "text/html")], text.into_owned())
            }),
        )
        .route("/empty", get(|| async { page("<p>nothing to tell") }))
        .route(
            "/badpicture",
            get(|| async { page("<title>T</title><meta property=og:image content=/page>") }),
        )
        .route(
            "/metadata",
            get(|| async { page("<title>T</title><meta property=og:image content='http://169.254.169.254/x'>") }),
        )
        .route(
            "/long",
            get(|| async { page([b"<title>Long</title>".as_slice(), &vec![b' '; PREVIEW_BYTES_MAX * 2]].concat()) }),
        )
        .route("/json", get(|| async { ([(CONTENT_TYPE, "application/json")], "{}") }))
        .route("/away", get(|| async { Redirect::temporary("/page") }))
        .route("/inside", get(|| async { Redirect::temporary("http://10.0.0.1/") }))
        .route("/file", get(|| async { Redirect::temporary("file:///etc/passwd") }))
        .route("/loop", get(|| async { Redirect::temporary("/loop") }))
        .layer(axum::middleware::map_request(move |request: axum::extract::Request| {
            count.fetch_add(1, Ordering::SeqCst);
            async move { request }
        }));
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (address, asked)
}

async fn preview(app: &TestApp, who: &SignedUp, url: &str) -> TestResponse {
    app.get(&format!(
        "/_matrix/client/v1/media/preview_url?url={}",
        segment(url)
    ))
    .bearer(&who.access_token)
    .send()
    .await
}

async fn a_link_is_told_with_its_picture_and_kept_for_an_hour(store: TestStore) {
    let app = start(store, PreviewReach::ThisMachine).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let (site, asked) = site().await;
    let told = preview(&app, &minji, &format!("{site}/page"))
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&told["og:title"], &told["og:description"]),
        (&json!("해치 <3"), &json!("about"))
    );
    assert_eq!(
        (&told["og:image:width"], &told["og:image:height"]),
        (&json!(40), &json!(30))
    );
    assert_eq!(told["og:image:type"], "image/png");
    let image = told["og:image"].as_str().unwrap().strip_prefix("mxc://").unwrap();
    let picture = app.get(&format!("/_matrix/client/v1/media/download/{image}"));
    let picture = picture.bearer(&joon.access_token).send().await.expect(200);
    assert_eq!(told["matrix:image:size"], picture.body.len());
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    // Others are told the same, under the old path as well, and the site is not asked again.
    let old = app.get(&format!(
        "/_matrix/media/v3/preview_url?ts=1&url={}",
        segment(&format!("{site}/page#there"))
    ));
    assert_eq!(
        old.bearer(&joon.access_token).send().await.expect(200).json(),
        told
    );
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    app.advance(PREVIEW_KEPT);
    let joon = app.sign_in(&joon.phone, None).await;
    assert_eq!(
        preview(&app, &joon, &format!("{site}/page"))
            .await
            .expect(200)
            .json(),
        told
    );
    assert_eq!(asked.load(Ordering::SeqCst), 4);
}

async fn odd_pages_are_told_as_far_as_they_go(store: TestStore) {
    let app = start(store, PreviewReach::ThisMachine).await;
    let minji = app.sign_up("Minji").await;
    let (site, _) = site().await;
    let told = async |path: &str| -> Value {
        preview(&app, &minji, &format!("{site}{path}"))
            .await
            .expect(200)
            .json()
    };
    assert_eq!(told("/old").await["og:title"], "옛 한글");
    assert_eq!(told("/empty").await, json!({}));
    assert_eq!(told("/long").await["og:title"], "Long");
    assert_eq!(told("/away").await["og:url"], format!("{site}/page"));
    for without_picture in ["/badpicture", "/metadata"] {
        let told = told(without_picture).await;
        assert_eq!((&told["og:title"], told.get("og:image")), (&json!("T"), None));
    }
    for refused in ["/json", "/inside", "/file", "/loop", "/nothing"] {
        let refused = preview(&app, &minji, &format!("{site}{refused}")).await;
        assert_matrix_error(&refused, 502, "M_UNKNOWN");
    }
}

async fn nobody_reaches_the_operators_network(store: TestStore) {
    let app = start(store, PreviewReach::Internet).await;
    let minji = app.sign_up("Minji").await;
    let (site, asked) = site().await;
    let port = site.rsplit_once(':').unwrap().1.to_owned();
    for inside in [
        format!("{site}/page"),
        format!("http://localhost:{port}/page"),
        format!("http://[::1]:{port}/"),
        "http://localhost/".to_owned(),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://192.168.0.1/".to_owned(),
    ] {
        let refused = preview(&app, &minji, &inside).await;
        assert_matrix_error(&refused, 502, "M_UNKNOWN");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0, "nothing was called");
    for malformed in [
        "",
        "nonsense",
        "ftp://example.org/",
        "file:///etc/passwd",
        "javascript:alert(1)",
    ] {
        assert_matrix_error(&preview(&app, &minji, malformed).await, 400, "M_INVALID_PARAM");
    }
    let long = format!("http://example.org/{}", "x".repeat(3_000));
    assert_matrix_error(&preview(&app, &minji, &long).await, 400, "M_INVALID_PARAM");
    let path = "/_matrix/client/v1/media/preview_url";
    let without = app.get(path).bearer(&minji.access_token).send().await;
    assert_matrix_error(&without, 400, "M_INVALID_PARAM");
    assert_matrix_error(&app.get(path).send().await, 401, "M_MISSING_TOKEN");
}

async fn a_person_asks_so_often(store: TestStore) {
    let app = start(store, PreviewReach::Internet).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let mut last = preview(&app, &minji, "nonsense").await;
    for _ in 0..PREVIEWS_MAX + 5 {
        last = preview(&app, &minji, "nonsense").await;
    }
    assert_matrix_error(&last, 429, "M_LIMIT_EXCEEDED");
    assert!(last.headers.contains_key("retry-after"));
    assert_matrix_error(&preview(&app, &joon, "nonsense").await, 400, "M_INVALID_PARAM");
}

async fn an_operator_can_switch_previews_off(store: TestStore) {
    let app = start(store, PreviewReach::Nowhere).await;
    let minji = app.sign_up("Minji").await;
    let refused = preview(&app, &minji, "https://example.org/").await;
    assert_matrix_error(&refused, 404, "M_UNRECOGNIZED");
}

haechi_testkit::on_both_engines!(
    a_link_is_told_with_its_picture_and_kept_for_an_hour,
    odd_pages_are_told_as_far_as_they_go,
    nobody_reaches_the_operators_network,
    a_person_asks_so_often,
    an_operator_can_switch_previews_off,
);
