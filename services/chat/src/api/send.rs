//! Sending messages and taking them back (client-server API, "Sending events to a room").

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::put;
use axum::{Json, Router};
use ruma::api::client::redact::redact_event;
use serde::Serialize;

use super::delayed::{self, Delay};
use super::endpoint;
use super::error::MatrixError;
use super::ruma::{Body, Path, Query, Signed, Who};
use crate::Chat;
use crate::model::Content;

/// The id that an event was given.
#[derive(Serialize)]
pub(super) struct Sent {
    event_id: String,
}

type Answer = Result<Json<Sent>, MatrixError>;

pub(super) fn routes() -> Router<Chat> {
    let router = endpoint::<redact_event::v3::Request, _, _>(Router::new(), redact);
    router
        .route(
            "/_matrix/client/v3/rooms/{room_id}/send/{event_type}/{txn_id}",
            put(send),
        )
        .route(
            "/_matrix/client/r0/rooms/{room_id}/send/{event_type}/{txn_id}",
            put(send),
        )
}

impl Sent {
    pub(super) const fn json(event_id: String) -> Json<Self> {
        Json(Self { event_id })
    }
}

/// The content of an event: the body as it came, checked.
pub(super) fn content_of(body: &[u8]) -> Result<Content, MatrixError> {
    let text = std::str::from_utf8(body).map_err(|_| MatrixError::not_json("the body is not UTF-8"))?;
    let is_object = text.trim_start().starts_with('{');
    if !is_object && serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() {
        return Err(MatrixError::not_json("the body is not JSON"));
    }
    Content::check(text).map_err(|error| {
        match (&error, serde_json::from_str::<serde::de::IgnoredAny>(text)) {
            (crate::ChatError::BadJson(_), Err(fault)) => super::ruma::of_json(&fault),
            _ => error.into(),
        }
    })
}

/// Sends a message. The busiest route by far: it reads the address and the body itself and copies neither into
/// another type.
async fn send(
    State(chat): State<Chat>,
    Who(actor): Who,
    Path((room_id, kind, transaction_id)): Path<(String, String, String)>,
    Query(delay): Query<Delay>,
    Body(body): Body,
) -> Result<Response, MatrixError> {
    let content = content_of(&body)?;
    if let Some(delay_ms) = delay.delay_ms {
        return delayed::message(&chat, &actor, (room_id, kind, transaction_id), content, delay_ms).await;
    }
    if kind == "m.room.redaction" {
        let target = content
            .read::<Redaction>()
            .ok_or_else(|| MatrixError::bad_json("a redaction names the message in `redacts`"))?;
        let sent = chat
            .redact(&actor, room_id, target.redacts, &transaction_id, target.reason)
            .await?;
        return Ok(Sent::json(sent).into_response());
    }
    let event_id = chat
        .send_message(&actor, room_id, kind, &transaction_id, content)
        .await?;
    Ok(Sent::json(event_id).into_response())
}

#[derive(serde::Deserialize)]
struct Redaction {
    redacts: String,
    reason: Option<String>,
}

async fn redact(
    State(chat): State<Chat>,
    Signed(actor, request): Signed<redact_event::v3::Request>,
) -> Answer {
    let (room_id, target) = (request.room_id.to_string(), request.event_id.to_string());
    let event_id = chat
        .redact(&actor, room_id, target, request.txn_id.as_str(), request.reason)
        .await?;
    Ok(Sent::json(event_id))
}
