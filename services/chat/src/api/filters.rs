//! Filters (client-server API, "Filtering").

use axum::extract::State;
use axum::{Json, Router};
use haechi_base::Actor;
use ruma::api::client::filter::{FilterDefinition, create_filter, get_filter};
use serde_json::{Value, json};

use super::endpoint;
use super::error::MatrixError;
use super::ruma::Signed;
use crate::Chat;

pub(super) fn routes() -> Router<Chat> {
    let router = endpoint::<create_filter::v3::Request, _, _>(Router::new(), create);
    endpoint::<get_filter::v3::Request, _, _>(router, show)
}

/// Refuses what is kept under another person's name.
pub(super) fn refuse_another(chat: &Chat, actor: &Actor, user: &str) -> Result<(), MatrixError> {
    if chat.person(user).ok() == Some(actor.person) {
        return Ok(());
    }
    Err(MatrixError::forbidden(
        "what people keep for themselves is theirs alone",
    ))
}

async fn create(
    State(chat): State<Chat>,
    Signed(actor, request): Signed<create_filter::v3::Request>,
) -> Result<Json<Value>, MatrixError> {
    refuse_another(&chat, &actor, request.user_id.as_str())?;
    let filter_id = chat.put_filter(actor.person, &request.filter).await?;
    Ok(Json(json!({ "filter_id": filter_id })))
}

async fn show(
    State(chat): State<Chat>,
    Signed(actor, request): Signed<get_filter::v3::Request>,
) -> Result<Json<FilterDefinition>, MatrixError> {
    refuse_another(&chat, &actor, request.user_id.as_str())?;
    Ok(Json(chat.filter(actor.person, request.filter_id).await?))
}
