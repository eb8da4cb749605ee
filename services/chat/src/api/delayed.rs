//! Events that are sent later (MSC4140, unstable).

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use haechi_base::Actor;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::error::MatrixError;
use super::ruma::{Body, Path, Who, of_json};
use crate::Chat;
use crate::model::{Content, raw_json};
use crate::ops::DelayedAction;

/// Where clients find the endpoints.
const PREFIX: &str = "/_matrix/client/unstable/org.matrix.msc4140/delayed_events";

pub(super) fn routes() -> Router<Chat> {
    Router::new()
        .route(PREFIX, get(all))
        // The id is a secret, and whoever knows it may: the request needs no sign-in.
        .route(&format!("{PREFIX}/{{delay_id}}"), post(change_by_body))
        .route(&format!("{PREFIX}/{{delay_id}}/{{action}}"), post(change))
}

/// How long an event is to wait, in the query of the endpoints that send one.
#[derive(Deserialize)]
pub(super) struct Delay {
    #[serde(rename = "org.matrix.msc4140.delay")]
    pub(super) delay_ms: Option<u64>,
}

/// Has a message sent later.
pub(super) async fn message(
    chat: &Chat,
    actor: &Actor,
    (room_id, kind, transaction_id): (String, String, String),
    content: Content,
    delay_ms: u64,
) -> Result<Response, MatrixError> {
    let delay_id = chat
        .delay_message(actor, room_id, kind, &transaction_id, content, delay_ms)
        .await?;
    Ok(Json(json!({ "delay_id": delay_id })).into_response())
}

/// Has a part of the state set later.
pub(super) async fn state(
    chat: &Chat,
    actor: &Actor,
    (room_id, kind, state_key): (String, String, String),
    content: Content,
    delay_ms: u64,
) -> Result<Response, MatrixError> {
    let delay_id = chat
        .delay_state(actor, room_id, &kind, &state_key, content, delay_ms)
        .await?;
    Ok(Json(json!({ "delay_id": delay_id })).into_response())
}

async fn all(State(chat): State<Chat>, Who(actor): Who) -> Result<Json<Box<RawValue>>, MatrixError> {
    let delayed = chat.delayed(actor.person).await?;
    let told = delayed.iter().map(|delayed| {
        let mut told = json!({
            "delay_id": delayed.delay_id,
            "room_id": delayed.room_id,
            "type": delayed.draft.kind,
            "delay": delayed.delay_ms,
            "running_since": delayed.started_at.millis(),
            "content": delayed.draft.content.read::<Value>(),
        });
        if let Some(state_key) = &delayed.draft.state_key {
            told["state_key"] = state_key.as_str().into();
        }
        told
    });
    let told: Vec<Value> = told.collect();
    Ok(Json(raw_json(json!({ "delayed_events": told }).to_string())))
}

#[derive(Deserialize)]
struct Change {
    action: String,
}

async fn change_by_body(
    State(chat): State<Chat>,
    Path(delay_id): Path<String>,
    Body(body): Body,
) -> Result<Json<Value>, MatrixError> {
    let change: Change = serde_json::from_slice(&body).map_err(|error| of_json(&error))?;
    apply(&chat, delay_id, &change.action).await
}

async fn change(
    State(chat): State<Chat>,
    Path((delay_id, action)): Path<(String, String)>,
) -> Result<Json<Value>, MatrixError> {
    apply(&chat, delay_id, &action).await
}

async fn apply(chat: &Chat, delay_id: String, action: &str) -> Result<Json<Value>, MatrixError> {
    let action = match action {
        "restart" => DelayedAction::Restart,
        "send" => DelayedAction::Send,
        "cancel" => DelayedAction::Cancel,
        _ => {
            return Err(MatrixError::invalid_parameter(
                "the action is restart, send or cancel",
            ));
        }
    };
    if delay_id.contains('\0') {
        return Err(MatrixError::not_found("no event of this id waits to be sent"));
    }
    chat.change_delayed(delay_id, action).await?;
    Ok(Json(json!({})))
}
