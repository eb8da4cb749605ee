//! The layers around a small router.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::IpAddr;

use axum::body::Body;
use axum::routing::{get, post};
use futures_util::future::BoxFuture;
use haechi_base::{Actor, PersonId, Role, Time};
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;
use crate::{Administrator, AuthenticationError, Json, Peer, Rate, SignedIn};

struct OneToken;

impl Authenticator for OneToken {
    fn authenticate<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Actor, AuthenticationError>> {
        let now = Time::from_micros(0);
        let outcome = match token {
            "old" => Err(AuthenticationError::Expired),
            "good" => Ok(Actor {
                person: PersonId::new(now),
                session: SessionId::from_uuid(haechi_base::uuid::Uuid::nil()),
                device: "D".to_owned(),
                role: Role::Person,
            }),
            _ => Err(AuthenticationError::Unknown),
        };
        Box::pin(async move { outcome })
    }
}

fn teapot(problem: &Problem) -> Response {
    format!("other words for {}", problem.slug()).into_response()
}

fn app(limits: &HttpLimits) -> Router {
    let router = Router::new()
        .route("/open", get(async || "open"))
        .route("/me", get(async |SignedIn(actor): SignedIn| actor.device))
        .route("/rule", get(async |_: Administrator| "ruled"))
        .route(
            "/echo",
            post(async |Json(value): Json<serde_json::Value>| Json(value)),
        )
        .route("/api/echo", post(async |_: SignedIn| "echo"))
        .route("/other/me", get(async |_: SignedIn| "me"))
        .route("/panic", get(async || if true { panic!("no") } else { "" }))
        .route(
            "/slow",
            get(async || tokio::time::sleep(Duration::from_secs(60)).await),
        )
        .route(
            "/poll",
            get(async || tokio::time::sleep(Duration::from_secs(60)).await),
        );
    let style = ErrorStyle {
        path_prefix: "/other/",
        render: teapot,
    };
    layers(router, limits, Arc::new(OneToken), vec![style])
}

async fn send(app: &Router, request: http::request::Builder) -> (Response<()>, String) {
    send_body(app, request, Body::empty()).await
}

async fn send_body(app: &Router, request: http::request::Builder, body: Body) -> (Response<()>, String) {
    let response = app.clone().oneshot(request.body(body).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    (Response::from_parts(parts, ()), text)
}

type Response<T = Body> = http::Response<T>;

fn get_as(path: &str, token: &str) -> http::request::Builder {
    Request::get(path).header("authorization", format!("Bearer {token}"))
}

#[tokio::test]
async fn who_asks_decides() {
    let app = app(&HttpLimits::default());
    for (path, token, status, part) in [
        ("/open", "bad", 200, "open"),
        ("/me", "good", 200, "D"),
        ("/me", "bad", 401, "/problems/sign-in-needed"),
        ("/me", "old", 401, "/problems/token-expired"),
        ("/rule", "good", 403, "/problems/administrator-needed"),
        ("/other/me", "bad", 401, "other words for sign-in-needed"),
        ("/me?a=%00", "good", 400, "/problems/nul-character"),
    ] {
        let (response, body) = send(&app, get_as(path, token)).await;
        assert_eq!(response.status().as_u16(), status, "{path} {token}: {body}");
        assert!(body.contains(part), "{path} {token}: {body}");
    }
    let (response, _) = send(&app, Request::get("/me")).await;
    assert_eq!(response.headers()["www-authenticate"], "Bearer");
    let (response, body) = send(&app, Request::post("/me")).await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert!(body.contains("method-not-allowed"));
}

#[tokio::test]
async fn each_answer_has_an_id_and_the_headers() {
    let app = app(&HttpLimits::default());
    let (response, _) = send(&app, Request::get("/open")).await;
    assert_eq!(response.headers()["x-request-id"].len(), 16);
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let (response, _) = send(&app, Request::get("/open").header("x-request-id", "abc")).await;
    assert_eq!(response.headers()["x-request-id"], "abc");
    let (response, _) = send(&app, Request::get("/open").header("x-request-id", "a b")).await;
    assert_eq!(response.headers()["x-request-id"].len(), 16);
}

#[tokio::test]
async fn browsers_are_told_to_come_by_https_where_people_do() {
    let header = "strict-transport-security";
    let plain = app(&HttpLimits::default());
    assert!(
        !send(&plain, Request::get("/open"))
            .await
            .0
            .headers()
            .contains_key(header)
    );
    let limits = HttpLimits {
        https_only: true,
        ..HttpLimits::default()
    };
    assert!(
        send(&app(&limits), Request::get("/open"))
            .await
            .0
            .headers()
            .contains_key(header)
    );
}

#[tokio::test]
async fn a_panic_is_a_500_and_the_next_request_is_served() {
    let app = app(&HttpLimits::default());
    let (response, body) = send(&app, Request::get("/panic")).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(
        body.contains("/problems/internal") && !body.contains("no\""),
        "{body}"
    );
    assert_eq!(send(&app, Request::get("/open")).await.0.status(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_takes_too_long_is_given_up_and_a_long_poll_is_not() {
    let limits = HttpLimits {
        slow_routes: vec!["/poll"],
        ..HttpLimits::default()
    };
    let app = app(&limits);
    let (response, _) = send(&app, Request::get("/slow")).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!(send(&app, Request::get("/poll")).await.0.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let app = app(&HttpLimits::default());
    let request = || Request::post("/echo").header("content-type", "application/json");
    let large = format!("\"{}\"", "x".repeat(1024 * 1024));
    let (response, body) = send_body(&app, request(), large.into()).await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert!(body.contains("body-too-large"));
    let small = format!("\"{}\"", "x".repeat(4_000));
    let compressed = request().header("accept-encoding", "gzip");
    let (response, _) = send_body(&app, compressed, small.into()).await;
    assert_eq!(response.headers()["content-encoding"], "gzip");
}

#[tokio::test]
async fn strangers_are_counted_by_address_and_a_bad_token_does_not_help() {
    let limits = HttpLimits {
        stranger_rate: Some(Rate::new(1, 2)),
        session_rate: Some(Rate::new(1, 3)),
        ..HttpLimits::default()
    };
    let app = app(&limits);
    let from = |address: &str, token: &str| {
        let peer = Peer(address.parse::<IpAddr>().unwrap());
        get_as("/open", token).extension(peer)
    };
    let mut statuses = Vec::new();
    for token in ["one", "two", "three"] {
        statuses.push(send(&app, from("10.0.0.1", token)).await.0.status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 429]);
    assert_eq!(
        send(&app, from("10.0.0.2", "one")).await.0.status(),
        StatusCode::OK
    );
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(send(&app, from("10.0.0.1", "good")).await.0.status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 200, 429]);
}

#[tokio::test]
async fn pages_of_any_origin_may_call_what_is_no_page() {
    let limits = HttpLimits {
        stranger_rate: Some(Rate::new(1, 1)),
        ..HttpLimits::default()
    };
    let app = app(&limits);
    for _ in 0..3 {
        let asked = Request::options("/api/echo")
            .header("origin", "https://gasan.example")
            .header("access-control-request-method", "POST");
        let (response, _) = send(&app, asked).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["access-control-allow-origin"], "*");
        let headers = response.headers()["access-control-allow-headers"]
            .to_str()
            .unwrap();
        for needed in ["Authorization", "Content-Type", "Idempotency-Key"] {
            assert!(headers.contains(needed), "{headers}");
        }
        let methods = response.headers()["access-control-allow-methods"]
            .to_str()
            .unwrap();
        assert!(methods.contains("PUT") && methods.contains("PATCH"), "{methods}");
    }
    // A refusal, also one of the layers themselves, can be read by the page too.
    for status in [401, 429] {
        let (response, _) = send(&app, Request::post("/api/echo")).await;
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.headers()["access-control-allow-origin"], "*");
        let exposed = response.headers()["access-control-expose-headers"]
            .to_str()
            .unwrap();
        assert!(exposed.contains("Retry-After"), "{exposed}");
    }
    let (response, _) = send(&app, Request::get("/open")).await;
    assert!(!response.headers().contains_key("access-control-allow-origin"));
}
