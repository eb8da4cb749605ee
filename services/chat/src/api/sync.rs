//! What is new (client-server API, "Syncing").

use axum::extract::State;
use axum::{Json, Router};
use ruma::api::client::sync::sync_events;

use super::endpoint;
use super::error::MatrixError;
use super::presence::state_of;
use super::ruma::Signed;
use crate::Chat;
use crate::model::SyncFilter;
use crate::ops::{SyncAnswer, SyncWish};

pub(super) fn routes() -> Router<Chat> {
    endpoint::<sync_events::v3::Request, _, _>(Router::new(), sync)
}

async fn sync(
    State(chat): State<Chat>,
    Signed(actor, request): Signed<sync_events::v3::Request>,
) -> Result<Json<SyncAnswer>, MatrixError> {
    let filter = match request.filter {
        None => SyncFilter::default(),
        Some(sync_events::v3::Filter::FilterDefinition(definition)) => SyncFilter::new(definition),
        Some(sync_events::v3::Filter::FilterId(id)) => chat.sync_filter(actor.person, id).await?,
        Some(_) => {
            return Err(MatrixError::invalid_parameter(
                "the filter is neither an id nor a definition",
            ));
        }
    };
    let wish = SyncWish {
        since: request.since.filter(|since| !since.is_empty()),
        wait: request.timeout.unwrap_or_default(),
        full_state: request.full_state,
        state_after: request.use_state_after,
        filter,
    };
    chat.note_presence(&actor, state_of(&request.set_presence)?);
    Ok(Json(chat.sync(&actor, wish).await?))
}
