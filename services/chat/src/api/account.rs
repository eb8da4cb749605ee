//! Who one is, and one's devices.

use axum::extract::State;
use axum::{Json, Router};
use haechi_identity::Session;
use ruma::api::client::account::whoami;
use ruma::api::client::device::{get_device, get_devices};
use serde_json::{Value, json};

use super::endpoint;
use super::error::MatrixError;
use super::ruma::{Signed, Who};
use crate::Chat;

type Answer = Result<Json<Value>, MatrixError>;

pub(super) fn routes() -> Router<Chat> {
    let router = Router::new();
    let router = endpoint::<whoami::v3::Request, _, _>(router, who_am_i);
    let router = endpoint::<get_devices::v3::Request, _, _>(router, devices);
    endpoint::<get_device::v3::Request, _, _>(router, device)
}

async fn who_am_i(State(chat): State<Chat>, Signed(actor, _): Signed<whoami::v3::Request>) -> Json<Value> {
    Json(json!({
        "user_id": chat.user_id(actor.person),
        "device_id": actor.device,
        "is_guest": false,
    }))
}

async fn devices(State(chat): State<Chat>, Who(actor): Who) -> Answer {
    let devices: Vec<Value> = sessions(&chat, &actor).await?.iter().map(told).collect();
    Ok(Json(json!({ "devices": devices })))
}

async fn device(State(chat): State<Chat>, Signed(actor, request): Signed<get_device::v3::Request>) -> Answer {
    let sessions = sessions(&chat, &actor).await?;
    let found = sessions
        .iter()
        .find(|session| session.device_id.as_str() == request.device_id.as_str());
    let found = found.ok_or_else(|| MatrixError::not_found("you have no such device"))?;
    Ok(Json(told(found)))
}

async fn sessions(chat: &Chat, actor: &haechi_base::Actor) -> Result<Vec<Session>, MatrixError> {
    let (actor, now) = (actor.clone(), chat.moment());
    Ok(chat.sessions(actor, now).await?)
}

fn told(session: &Session) -> Value {
    json!({
        "device_id": session.device_id,
        "display_name": session.device_name,
        "last_seen_ts": session.last_used_at.millis(),
    })
}
