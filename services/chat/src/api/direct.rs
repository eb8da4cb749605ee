//! The one chat of two people: `/api/chat/direct` finds or makes it.

use axum::extract::State;
use haechi_http::{Json, Problem, SignedIn};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Chat;

/// With whom.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DirectRequest {
    /// The other person.
    user_id: String,
}

/// The room of the two.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DirectRoom {
    /// Its id.
    room_id: String,
}

/// Finds the one chat of two people, or makes it; both are in it afterwards.
#[utoipa::path(post, path = "/api/chat/direct", tag = "chat", request_body = DirectRequest,
    responses((status = 200, body = DirectRoom)))]
pub(super) async fn open_direct(
    State(chat): State<Chat>,
    SignedIn(actor): SignedIn,
    Json(request): Json<DirectRequest>,
) -> Result<Json<DirectRoom>, Problem> {
    let other = chat.person(&request.user_id)?;
    let room_id = chat.open_direct(&actor, other).await?;
    Ok(Json(DirectRoom { room_id }))
}
