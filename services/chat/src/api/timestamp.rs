//! Jumping to a date (client-server API, `timestamp_to_event`).

use axum::extract::State;
use axum::{Json, Router};
use ruma::api::Direction;
use ruma::api::client::room::get_event_by_timestamp;
use serde_json::{Value, json};

use super::endpoint;
use super::error::MatrixError;
use super::ruma::Signed;
use crate::Chat;

pub(super) fn routes() -> Router<Chat> {
    endpoint::<get_event_by_timestamp::v1::Request, _, _>(Router::new(), nearest)
}

async fn nearest(
    State(chat): State<Chat>,
    Signed(actor, request): Signed<get_event_by_timestamp::v1::Request>,
) -> Result<Json<Value>, MatrixError> {
    let moment_ms = i64::try_from(u64::from(request.ts.get())).unwrap_or(i64::MAX);
    let is_forward = request.dir == Direction::Forward;
    let event = chat
        .event_at(actor.person, request.room_id.to_string(), moment_ms, is_forward)
        .await?;
    Ok(Json(json!({
        "event_id": event.event_id,
        "origin_server_ts": event.sent_at.millis(),
    })))
}
