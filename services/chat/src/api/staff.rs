//! What staff does to rooms: `/api/chat/rooms/{room_id}`. Administrators only.

use axum::extract::State;
use haechi_http::{Administrator, Json, Path, Problem};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Chat;

/// Why something is done.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Reason {
    /// In staff's words, for those who are in the room; at most 4,096 bytes.
    #[serde(default)]
    reason: Option<String>,
}

/// A room that was closed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Closed {
    room_id: String,
    /// How many left it by this request.
    people: u64,
}

/// A message that was taken away.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Removed {
    /// The event that says so.
    event_id: String,
}

/// Closes a room for good: everybody leaves, nobody joins or speaks again. Administrators only.
#[utoipa::path(post, path = "/api/chat/rooms/{room_id}/closure", tag = "chat", request_body = Reason,
    params(("room_id" = String, Path, description = "The room")),
    responses((status = 200, body = Closed)))]
pub(super) async fn close_room(
    State(chat): State<Chat>,
    Administrator(actor): Administrator,
    Path(room_id): Path<String>,
    Json(request): Json<Reason>,
) -> Result<Json<Closed>, Problem> {
    let people = chat.close_room(&actor, room_id.clone(), request.reason).await?;
    Ok(Json(Closed { room_id, people }))
}

/// Takes away what a message says. Administrators only.
#[utoipa::path(post, path = "/api/chat/rooms/{room_id}/events/{event_id}/removal", tag = "chat",
    request_body = Reason,
    params(("room_id" = String, Path, description = "The room"),
        ("event_id" = String, Path, description = "The message")),
    responses((status = 200, body = Removed)))]
pub(super) async fn remove_event(
    State(chat): State<Chat>,
    Administrator(actor): Administrator,
    Path((room_id, event_id)): Path<(String, String)>,
    Json(request): Json<Reason>,
) -> Result<Json<Removed>, Problem> {
    let event_id = chat
        .remove_event(&actor, room_id, event_id, request.reason)
        .await?;
    Ok(Json(Removed { event_id }))
}
