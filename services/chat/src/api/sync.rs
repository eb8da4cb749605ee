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

/// Not an `async fn`: what waits is not to carry the request as it was read.
fn sync(
    State(chat): State<Chat>,
    Signed(actor, request): Signed<sync_events::v3::Request>,
) -> impl Future<Output = Result<Json<SyncAnswer>, MatrixError>> + Send {
    let (filter, filter_id) = match request.filter {
        None => (Ok(SyncFilter::default()), None),
        Some(sync_events::v3::Filter::FilterDefinition(definition)) => {
            (Ok(SyncFilter::new(definition)), None)
        }
        Some(sync_events::v3::Filter::FilterId(id)) => (Ok(SyncFilter::default()), Some(id)),
        Some(_) => {
            let refusal = "the filter is neither an id nor a definition";
            (Err(MatrixError::invalid_parameter(refusal)), None)
        }
    };
    let presence = state_of(&request.set_presence);
    let since = request.since.filter(|since| !since.is_empty());
    let wait = request.timeout.unwrap_or_default();
    let (full_state, state_after) = (request.full_state, request.use_state_after);
    async move {
        let filter = match filter_id {
            Some(id) => Box::pin(chat.sync_filter(actor.person, id)).await?,
            None => filter?,
        };
        let wish = SyncWish {
            since,
            wait,
            full_state,
            state_after,
            filter,
        };
        chat.note_presence(&actor, presence?);
        Ok(Json(chat.sync(&actor, wish).await?))
    }
}
