//! Messages from device to device (client-server API, "Send-to-Device messaging").

use std::collections::BTreeMap;

use axum::extract::State;
use axum::{Json, Router};
use ruma::api::client::to_device::send_event_to_device;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::endpoint;
use super::error::MatrixError;
use super::json::Read;
use super::ruma::{Path, Who};
use crate::Chat;
use crate::ops::ToDeviceTarget;

pub(super) fn routes() -> Router<Chat> {
    endpoint::<send_event_to_device::v3::Request, _, _>(Router::new(), send)
}

#[derive(Deserialize)]
struct Messages {
    messages: BTreeMap<String, BTreeMap<String, Box<RawValue>>>,
}

async fn send(
    State(chat): State<Chat>,
    Who(actor): Who,
    Path((kind, transaction_id)): Path<(String, String)>,
    Read(body): Read<Messages>,
) -> Result<Json<Value>, MatrixError> {
    let target = |device: String| match device.as_str() {
        "*" => ToDeviceTarget::All,
        _ => ToDeviceTarget::One(device),
    };
    let messages = body.messages.into_iter().map(|(user_id, devices)| {
        let devices = devices.into_iter();
        let devices = devices
            .map(|(device, content)| (target(device), content))
            .collect();
        (user_id, devices)
    });
    chat.send_to_devices(&actor, &kind, &transaction_id, messages.collect())
        .await?;
    Ok(Json(json!({})))
}
