//! Simplified sliding sync (MSC4186): what is new in the rooms a client looks at.

use std::time::Duration;

use axum::extract::State;
use axum::{Json, Router};
use ruma::api::client::sync::sync_events;
use ruma::presence::PresenceState;
use serde::Deserialize;

use super::endpoint;
use super::error::MatrixError;
use super::json::Read;
use super::presence::state_of;
use super::ruma::{Query, Who};
use crate::Chat;
use crate::model::SlidingRequest;
use crate::ops::SlidingAnswer;

#[derive(Deserialize)]
struct SlidingQuery {
    pos: Option<String>,
    /// How long to wait when there is nothing new, in milliseconds; not at all when it is left out.
    #[serde(default)]
    timeout: u64,
    #[serde(default)]
    set_presence: PresenceState,
}

pub(super) fn routes() -> Router<Chat> {
    endpoint::<sync_events::v5::Request, _, _>(Router::new(), sliding_sync)
}

async fn sliding_sync(
    State(chat): State<Chat>,
    Who(actor): Who,
    Query(query): Query<SlidingQuery>,
    Read(request): Read<SlidingRequest>,
) -> Result<Json<SlidingAnswer>, MatrixError> {
    let wish = request.read(&chat.user_id(actor.person))?;
    chat.note_presence(&actor, state_of(&query.set_presence)?);
    let pos = query.pos.as_deref().filter(|pos| !pos.is_empty());
    let wait = Duration::from_millis(query.timeout);
    Ok(Json(chat.sliding_sync(&actor, pos, wait, wish).await?))
}
