//! Devices, renamed and signed out (client-server API, "Device Management").

use axum::extract::State;
use axum::{Json, Router};
use haechi_http::Caller;
use ruma::api::client::device::{delete_device, delete_devices, update_device};
use serde::Deserialize;
use serde_json::{Value, json};

use super::endpoint;
use super::error::MatrixError;
use super::json::Read;
use super::ruma::{Path, Who};
use super::uia::{Auth, Refusal, confirm};
use crate::model::limits::ADDRESSED_DEVICES_MAX;
use crate::{Chat, ChatError};

pub(super) fn routes() -> Router<Chat> {
    let router = endpoint::<update_device::v3::Request, _, _>(Router::new(), rename);
    let router = endpoint::<delete_device::v3::Request, _, _>(router, delete);
    endpoint::<delete_devices::v3::Request, _, _>(router, delete_many)
}

#[derive(Deserialize)]
struct Renamed {
    display_name: Option<String>,
}

async fn rename(
    State(chat): State<Chat>,
    Who(actor): Who,
    Path(device_id): Path<String>,
    Read(renamed): Read<Renamed>,
) -> Result<Json<Value>, MatrixError> {
    chat.rename_device(&actor, device_id, renamed.display_name)
        .await?;
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
struct Deleted {
    auth: Option<Auth>,
}

async fn delete(
    State(chat): State<Chat>,
    Who(actor): Who,
    caller: Caller,
    Path(device_id): Path<String>,
    Read(deleted): Read<Deleted>,
) -> Result<Json<Value>, Refusal> {
    confirm(&chat, &actor, caller, deleted.auth).await?;
    chat.delete_devices(&actor, &[device_id]).await?;
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
struct DeletedMany {
    devices: Vec<String>,
    auth: Option<Auth>,
}

async fn delete_many(
    State(chat): State<Chat>,
    Who(actor): Who,
    caller: Caller,
    Read(deleted): Read<DeletedMany>,
) -> Result<Json<Value>, Refusal> {
    if deleted.devices.len() > ADDRESSED_DEVICES_MAX {
        let error = format!("at most {ADDRESSED_DEVICES_MAX} devices are deleted at once");
        return Err(ChatError::TooLarge(error).into());
    }
    confirm(&chat, &actor, caller, deleted.auth).await?;
    chat.delete_devices(&actor, &deleted.devices).await?;
    Ok(Json(json!({})))
}
