//! The routes between nodes: `/cluster/...`. Nobody else is let in.
//!
//! They lie outside the layers for people: a node is no stranger whose requests are counted, and its stream of hints
//! has no end.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::stream::unfold;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::calls::{CALL_BYTES_MAX, CallRefused, NOT_MINE};
use crate::hints::{GAP, HELLO, Hello, line};
use crate::joined::Joined;
use crate::link::{HEARTBEAT, ToldTime};
use crate::node::Node;

/// The routes of a node.
pub(crate) fn router(joined: Arc<Joined>) -> Router {
    Router::new()
        .route("/cluster/hints", get(send_hints))
        .route("/cluster/clock", get(tell_time))
        .route("/cluster/calls/{name}", post(answer_call))
        .with_state(joined)
}

/// 401, as a problem document (RFC 9457).
fn refusal() -> Response {
    const BODY: &str = "{\"type\":\"/problems/node-pass-needed\",\"title\":\"Node pass needed\",\"status\":401,\
        \"detail\":\"This address is for the nodes of this cluster, which hold its master key.\"}";
    let headers = [
        (WWW_AUTHENTICATE, "Bearer"),
        (CONTENT_TYPE, "application/problem+json"),
        (CACHE_CONTROL, "no-store"),
    ];
    (StatusCode::UNAUTHORIZED, headers, BODY).into_response()
}

fn pass(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

fn caller(joined: &Joined, headers: &HeaderMap) -> Option<Node> {
    joined.passes.check(pass(headers)?, Some(joined.now()))
}

/// What time it is here. A pass that is over is good enough: whose clock is wrong must be able to ask.
async fn tell_time(State(joined): State<Arc<Joined>>, headers: HeaderMap) -> Response {
    if pass(&headers)
        .and_then(|pass| joined.passes.check(pass, None))
        .is_none()
    {
        return refusal();
    }
    axum::Json(ToldTime { now: joined.now() }).into_response()
}

/// All hints of this node from now on, and an empty line whenever there was none for a while.
async fn send_hints(State(joined): State<Arc<Joined>>, headers: HeaderMap) -> Response {
    let Some(node) = caller(&joined, &headers) else {
        return refusal();
    };
    // Who listens to us wants to be listened to: a new node is known before its row is read.
    joined.meet(node, None);
    let mut beats = interval(HEARTBEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let stream = Outgoing {
        hints: joined.hints.follow(),
        beats,
        is_greeted: false,
        joined,
    };
    let lines = unfold(stream, |mut stream| async move {
        let line = stream.next().await?;
        Some((Ok::<_, Infallible>(line), stream))
    });
    let headers = [
        (CONTENT_TYPE, "application/x-ndjson"),
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, Body::from_stream(lines)).into_response()
}

struct Outgoing {
    hints: Receiver<Bytes>,
    beats: Interval,
    is_greeted: bool,
    joined: Arc<Joined>,
}

impl Outgoing {
    async fn next(&mut self) -> Option<Bytes> {
        if !self.is_greeted {
            self.is_greeted = true;
            let hello = Hello {
                node: self.joined.here.clone(),
                is_leaving: self.joined.is_leaving(),
            };
            return line(HELLO, &hello).ok();
        }
        tokio::select! {
            biased;
            () = self.joined.ended.cancelled() => None,
            hint = self.hints.recv() => match hint {
                Ok(hint) => Some(hint),
                Err(RecvError::Lagged(missed)) => line(GAP, &missed).ok(),
                Err(RecvError::Closed) => None,
            },
            _ = self.beats.tick() => Some(Bytes::from_static(b"\n")),
        }
    }
}

async fn answer_call(
    State(joined): State<Arc<Joined>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if caller(&joined, &headers).is_none() {
        return refusal();
    }
    let Some(handler) = joined.calls.read().get(&name).cloned() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    // Read only now: nobody but a node makes us hold this much.
    let Ok(body) = axum::body::to_bytes(body, CALL_BYTES_MAX).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    match handler(body).await {
        Ok(answer) => answer.into_response(),
        Err(CallRefused::NotMine) => NOT_MINE.into_response(),
        Err(CallRefused::NotUnderstood) => StatusCode::UNPROCESSABLE_ENTITY.into_response(),
    }
}
