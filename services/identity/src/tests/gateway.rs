//! The webhook against a real HTTP server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use haechi_testkit::{TestStore, assert_problem, on_both_engines};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::start_with;
use crate::{IdentitySettings, Webhook};

struct Desk {
    failures_left: AtomicU32,
    failure: StatusCode,
    taken: mpsc::UnboundedSender<(Option<String>, Value)>,
}

async fn take(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    axum::Json(body): axum::Json<Value>,
) -> StatusCode {
    let failed = desk
        .failures_left
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
    if failed.is_ok() {
        return desk.failure;
    }
    let authorization = headers
        .get("authorization")
        .map(|value| value.to_str().unwrap().to_owned());
    desk.taken.send((authorization, body)).unwrap();
    StatusCode::ACCEPTED
}

/// A webhook that fails some times, and what it takes after that.
async fn webhook(
    failures: u32,
    failure: StatusCode,
) -> (Webhook, mpsc::UnboundedReceiver<(Option<String>, Value)>) {
    let (taken, received) = mpsc::unbounded_channel();
    let desk = Desk {
        failures_left: AtomicU32::new(failures),
        failure,
        taken,
    };
    let router = Router::new()
        .route("/send", post(take))
        .with_state(Arc::new(desk));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/send", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (Webhook::new(&url, Some("secret")).unwrap(), received)
}

fn settings(webhook: Webhook) -> IdentitySettings {
    IdentitySettings {
        gateway: Arc::new(webhook),
        tries_per_caller_hourly: None,
        ..IdentitySettings::default()
    }
}

async fn the_code_goes_to_the_webhook_and_not_into_the_answer(store: TestStore) {
    let (webhook, mut received) = webhook(1, StatusCode::BAD_GATEWAY).await;
    let (app, _) = start_with(store, settings(webhook)).await;
    let gateway = app.get("/api/identity/gateway").send().await.expect(200).json();
    assert_eq!(gateway, json!({"kind": "webhook"}));
    let answer = app
        .post("/api/identity/codes")
        .json(json!({"phone": "010-1000-0001"}));
    let answer = answer.send().await.expect(201).json();
    assert_eq!(answer.get("development_code"), None);
    let (authorization, body) = received.recv().await.unwrap();
    assert_eq!(authorization.as_deref(), Some("Bearer secret"));
    assert_eq!(body["phone"], "+821010000001");
    assert_eq!(body["expires_at"], answer["expires_at"]);
    let sign_in =
        json!({"phone": "010-1000-0001", "code": body["code"], "device_name": "A", "display_name": "Minji"});
    app.post("/api/identity/sessions")
        .json(sign_in)
        .send()
        .await
        .expect(201);
}

async fn a_webhook_that_fails_is_told(store: TestStore) {
    let (webhook, mut received) = webhook(u32::MAX, StatusCode::BAD_REQUEST).await;
    let (app, _) = start_with(store, settings(webhook)).await;
    let response = app
        .post("/api/identity/codes")
        .json(json!({"phone": "010-1000-0001"}))
        .send()
        .await;
    assert_problem(&response, 503, "unavailable");
    assert!(received.try_recv().is_err());
}

on_both_engines!(
    the_code_goes_to_the_webhook_and_not_into_the_answer,
    a_webhook_that_fails_is_told,
);

#[test]
fn a_webhook_needs_an_address() {
    for bad in ["", "not a url", "ftp://x", "file:///etc/passwd"] {
        assert!(Webhook::new(bad, None).is_err(), "{bad:?} was taken");
    }
}
