//! The state of rooms (client-server API, "Getting events for a room" and "State events").

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use haechi_base::Actor;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::delayed::{self, Delay};
use super::error::MatrixError;
use super::ruma::{Body, Path, Query, Who};
use super::send::{Sent, content_of};
use crate::Chat;
use crate::model::raw_json;

pub(super) fn routes() -> Router<Chat> {
    ["v3", "r0"].into_iter().fold(Router::new(), |router, version| {
        let path = |rest: &str| format!("/_matrix/client/{version}/rooms/{{room_id}}/state{rest}");
        router
            .route(&path(""), get(all))
            // An empty state key may be left out, with its slash or without.
            .route(&path("/{event_type}"), get(one_without_key).put(set_without_key))
            .route(&path("/{event_type}/"), get(one_without_key).put(set_without_key))
            .route(&path("/{event_type}/{state_key}"), get(one).put(set))
    })
}

#[derive(Deserialize)]
struct Form {
    format: Option<String>,
}

async fn all(
    State(chat): State<Chat>,
    Who(actor): Who,
    Path(room_id): Path<String>,
) -> Result<Json<Vec<Box<RawValue>>>, MatrixError> {
    let reader = chat.reader(actor.person, &actor.device);
    let events = chat.state(actor.person, room_id).await?;
    Ok(Json(
        events
            .iter()
            .map(|event| event.for_client(reader, true))
            .collect(),
    ))
}

async fn one(
    State(chat): State<Chat>,
    Who(actor): Who,
    Path((room_id, kind, state_key)): Path<(String, String, String)>,
    Query(form): Query<Form>,
) -> Result<Json<Box<RawValue>>, MatrixError> {
    show(&chat, &actor, room_id, kind, state_key, form.format.as_deref()).await
}

async fn one_without_key(
    State(chat): State<Chat>,
    Who(actor): Who,
    Path((room_id, kind)): Path<(String, String)>,
    Query(form): Query<Form>,
) -> Result<Json<Box<RawValue>>, MatrixError> {
    show(
        &chat,
        &actor,
        room_id,
        kind,
        String::new(),
        form.format.as_deref(),
    )
    .await
}

async fn show(
    chat: &Chat,
    actor: &Actor,
    room_id: String,
    kind: String,
    state_key: String,
    format: Option<&str>,
) -> Result<Json<Box<RawValue>>, MatrixError> {
    let event = chat.state_event(actor.person, room_id, kind, state_key).await?;
    Ok(Json(match format {
        Some("event") => event.for_client(chat.reader(actor.person, &actor.device), true),
        _ => raw_json(event.content),
    }))
}

async fn set(
    State(chat): State<Chat>,
    Who(actor): Who,
    Path((room_id, kind, state_key)): Path<(String, String, String)>,
    Query(delay): Query<Delay>,
    Body(body): Body,
) -> Result<Response, MatrixError> {
    put(&chat, &actor, (room_id, kind, state_key), &delay, &body).await
}

async fn set_without_key(
    State(chat): State<Chat>,
    Who(actor): Who,
    Path((room_id, kind)): Path<(String, String)>,
    Query(delay): Query<Delay>,
    Body(body): Body,
) -> Result<Response, MatrixError> {
    put(&chat, &actor, (room_id, kind, String::new()), &delay, &body).await
}

async fn put(
    chat: &Chat,
    actor: &Actor,
    key: (String, String, String),
    delay: &Delay,
    body: &[u8],
) -> Result<Response, MatrixError> {
    let content = content_of(body)?;
    if let Some(delay_ms) = delay.delay_ms {
        return delayed::state(chat, actor, key, content, delay_ms).await;
    }
    let (room_id, kind, state_key) = key;
    let set = chat.set_state(actor, room_id, &kind, &state_key, content).await?;
    Ok(Sent::json(set).into_response())
}
