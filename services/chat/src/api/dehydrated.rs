//! Dehydrated devices (MSC3814), at the unstable paths that clients use.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::MatrixError;
use super::json::Read;
use super::ruma::{Path, Query, Who};
use crate::Chat;
use crate::ops::{DehydratedDevice, FoundDehydrated, InboxPage};

const PATH: &str = "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device";

pub(super) fn routes() -> Router<Chat> {
    Router::new()
        .route(PATH, get(show).put(keep).delete(forget))
        // matrix-js-sdk asks by GET, the proposal and the Rust SDK by POST.
        .route(
            &format!("{PATH}/{{device_id}}/events"),
            get(inbox_by_query).post(inbox_by_body),
        )
}

async fn show(State(chat): State<Chat>, Who(actor): Who) -> Result<Json<FoundDehydrated>, MatrixError> {
    Ok(Json(chat.dehydrated_device(&actor).await?))
}

async fn keep(
    State(chat): State<Chat>,
    Who(actor): Who,
    Read(device): Read<DehydratedDevice>,
) -> Result<Json<Value>, MatrixError> {
    let device_id = chat.dehydrate(&actor, device).await?;
    Ok(Json(json!({ "device_id": device_id })))
}

async fn forget(State(chat): State<Chat>, Who(actor): Who) -> Result<Json<Value>, MatrixError> {
    let device_id = chat.forget_dehydrated_device(&actor).await?;
    Ok(Json(json!({ "device_id": device_id })))
}

#[derive(Deserialize)]
struct From {
    #[serde(alias = "next_batch")]
    from: Option<String>,
}

async fn inbox_by_query(
    State(chat): State<Chat>,
    Who(actor): Who,
    Path(device_id): Path<String>,
    Query(From { from }): Query<From>,
) -> Result<Json<InboxPage>, MatrixError> {
    Ok(Json(chat.dehydrated_inbox(&actor, device_id, from).await?))
}

async fn inbox_by_body(
    State(chat): State<Chat>,
    Who(actor): Who,
    Path(device_id): Path<String>,
    Read(From { from }): Read<From>,
) -> Result<Json<InboxPage>, MatrixError> {
    Ok(Json(chat.dehydrated_inbox(&actor, device_id, from).await?))
}
