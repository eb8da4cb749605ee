//! Tests of the wiring: what a node serves besides its services, and that all of them are there.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use haechi_base::Role;
use haechi_continuity::model::{NewSite, SiteState};
use haechi_http::{Caller, Peer};
use haechi_identity::{DeviceRequest, ops};
use haechi_service::CancellationToken;
use haechi_store::Tx;
use haechi_testkit::{TestApp, TestStore, Wiring, every_route_refuses, on_both_engines, operator};
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt as _;

use crate::services::Services;
use crate::settings::Settings;

/// Routes for which nobody need sign in. A new one is written down here with a reason to be sure of.
const PUBLIC: [&str; 5] = [
    // A client asks where else to go when its own site burns.
    "GET /.well-known/haechi/sites",
    // The sign-in page asks what to show.
    "GET /api/identity/gateway",
    // These are the sign-in.
    "POST /api/identity/codes",
    "POST /api/identity/sessions",
    "POST /api/identity/sessions/refresh",
];

async fn every_route_of_every_service_refuses(store: TestStore) {
    let app = TestApp::start(store, |context| {
        let services = Services::new(context, &Settings::default()).unwrap();
        Wiring {
            services: services.all(),
            authenticator: Arc::new(services.identity),
        }
    })
    .await;
    every_route_refuses(&app, &PUBLIC).await;
}

on_both_engines!(every_route_of_every_service_refuses);

/// A whole node on an embedded store that goes with the folder.
async fn node() -> (Router, Services, TempDir) {
    node_until(&CancellationToken::new()).await
}

/// As [`node`], until it is told to end.
async fn node_until(told: &CancellationToken) -> (Router, Services, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings::on_store(&format!("sqlite:{}", folder.path().join("store").display()));
    let services = crate::program::open(&settings, settings.listen()).await.unwrap();
    services
        .context
        .store
        .migrate(&services.migrations())
        .await
        .unwrap();
    let metrics = PrometheusBuilder::new().build_recorder().handle();
    let router = crate::serve::router(&services, &settings, metrics, told);
    (router, services, folder)
}

async fn get(router: &Router, path: &str) -> (StatusCode, HeaderMap, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    (parts.status, parts.headers, text)
}

#[tokio::test]
async fn a_node_that_is_to_end_is_not_ready_and_still_answers() {
    let told = CancellationToken::new();
    let (router, _services, _folder) = node_until(&told).await;
    assert_eq!(get(&router, "/health/ready").await.0, StatusCode::OK);
    told.cancel();
    let (status, headers, text) = get(&router, "/health/ready").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{text}");
    assert!(
        headers.contains_key("retry-after") && text.contains("about to end"),
        "{text}"
    );
    assert_eq!(get(&router, "/health/live").await.0, StatusCode::OK);
    assert_eq!(get(&router, "/api/identity/gateway").await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_node_says_how_it_is() {
    let (router, _services, _folder) = node().await;
    for (path, word) in [("/health/live", "live"), ("/health/ready", "ready")] {
        let (status, _, text) = get(&router, path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {text}");
        let health: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&health["status"], &health["degraded"]),
            (&word.into(), &false.into())
        );
    }
}

#[tokio::test]
async fn metrics_are_for_this_machine_and_for_administrators() {
    let (router, services, _folder) = node().await;
    let ask = async |peer: &str, token: Option<&str>| {
        let mut request = Request::get("/metrics").body(Body::empty()).unwrap();
        let peer = Peer(peer.parse().unwrap());
        request.extensions_mut().insert(peer);
        if let Some(token) = token {
            let value = format!("Bearer {token}").parse().unwrap();
            request.headers_mut().insert("authorization", value);
        }
        router.clone().oneshot(request).await.unwrap().status()
    };
    assert_eq!(ask("127.0.0.1", None).await, StatusCode::OK);
    assert_eq!(ask("::1", None).await, StatusCode::OK);
    assert_eq!(ask("192.0.2.1", None).await, StatusCode::UNAUTHORIZED);
    for (phone, role, status) in [
        ("010-1000-0001", Role::Person, StatusCode::FORBIDDEN),
        ("010-1000-0002", Role::Administrator, StatusCode::OK),
    ] {
        let token = sign_in(&services, phone, role).await;
        assert_eq!(ask("192.0.2.1", Some(&token)).await, status, "{role:?}");
    }
}

/// A new person with a role; returns their access token.
async fn sign_in(services: &Services, phone: &str, role: Role) -> String {
    let identity = &services.identity;
    let caller = Caller("192.0.2.1".parse().unwrap());
    let phone = identity.parse_phone(phone).unwrap();
    let code = identity.request_code(&phone, caller).await.unwrap();
    let code = code.development_code.unwrap();
    let name = Some("Minji".parse().unwrap());
    let device = DeviceRequest::new(None, None, false).unwrap();
    let session = identity
        .sign_in_with_code(&phone, &code, name, device, caller)
        .await
        .unwrap();
    let person = session.person.id;
    let grant = async move |tx: &mut Tx<'_>| ops::grant_role(tx, &operator(), person, role).await;
    services.context.store.write_unkeyed(grant).await.unwrap();
    session.access_token
}

#[tokio::test]
async fn the_web_app_may_talk_to_every_site_that_is_there_and_to_nobody_else() {
    let (router, services, _folder) = node().await;
    let policy_of = async || {
        let (_, headers, _) = get(&router, "/").await;
        headers["content-security-policy"].to_str().unwrap().to_owned()
    };
    assert!(policy_of().await.ends_with("connect-src 'self'"));
    for (name, url) in [
        ("pangyo", "https://pangyo.example"),
        ("gasan", "http://127.0.1.2:8480"),
    ] {
        let new = NewSite::new(name, name, url, (37.4, 127.1)).unwrap();
        services.continuity.add_site(&operator(), new).await.unwrap();
    }
    let policy = policy_of().await;
    assert!(
        policy.ends_with("connect-src 'self' https://pangyo.example http://127.0.1.2:8480"),
        "{policy}"
    );
    let gasan = "gasan".parse().unwrap();
    for state in [SiteState::Draining, SiteState::Retired] {
        services
            .continuity
            .change_site(&operator(), &gasan, state)
            .await
            .unwrap();
    }
    assert!(
        policy_of()
            .await
            .ends_with("connect-src 'self' https://pangyo.example")
    );
}

#[tokio::test]
async fn the_page_about_the_routes_may_load_what_it_needs() {
    let (router, _services, _folder) = node().await;
    let (status, headers, page) = get(&router, "/api/docs/").await;
    assert_eq!(status, StatusCode::OK);
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("script-src 'self'"), "{policy}");
    // Its policy allows no script in the page itself, so there must be none.
    assert!(
        page.contains("<script src=") && !page.contains("<script>"),
        "{page}"
    );
    let (status, headers, _) = get(&router, "/api/docs/swagger-ui-bundle.js").await;
    assert_eq!(
        (status, &headers["content-type"]),
        (StatusCode::OK, &"text/javascript".parse().unwrap())
    );
}

#[tokio::test]
async fn the_document_names_every_service_and_says_who_may_call() {
    let (router, services, _folder) = node().await;
    let (_, _, text) = get(&router, "/api/openapi.json").await;
    let document: Value = serde_json::from_str(&text).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    assert_eq!(document["security"][0]["bearer"], Value::Array(Vec::new()));
    let paths = document["paths"].as_object().unwrap();
    for service in services.all() {
        let start = format!("/api/{}/", service.name());
        assert!(paths.keys().any(|path| path.starts_with(&start)), "no {start}");
    }
    assert_eq!(
        serde_json::to_value(crate::serve::document(&services.all())).unwrap(),
        document
    );
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_and_a_page_is_the_app() {
    let (router, _services, _folder) = node().await;
    for path in [
        "/api/nothing",
        "/health/nothing",
        "/.well-known/nothing",
        "/assets/nothing.js",
    ] {
        let (status, headers, text) = get(&router, path).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}: {text}");
        assert_eq!(headers["content-type"], "application/problem+json", "{path}");
    }
    let (status, headers, text) = get(&router, "/_matrix/nothing").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(headers["content-type"], "application/json");
    assert!(text.contains("M_UNRECOGNIZED"), "{text}");
    for path in ["/", "/chats/!room:localhost"] {
        let (status, headers, _) = get(&router, path).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert!(
            headers["content-type"].to_str().unwrap().starts_with("text/html"),
            "{path}"
        );
    }
}

/// The web app's types are made from this document: when a route changes, both change with it.
#[tokio::test]
async fn the_web_apps_document_is_the_programs_own() {
    let (_, services, _folder) = node().await;
    let own = serde_json::to_value(crate::serve::document(&services.all())).unwrap();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../web/openapi.json");
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(
        own == kept,
        "run `haechi openapi >web/openapi.json`, then `npm run api` in web/"
    );
}
