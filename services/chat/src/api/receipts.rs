//! Receipts, read markers and typing notices (client-server API, "Receipts" and "Typing notifications").

use axum::extract::State;
use axum::{Json, Router};
use ruma::api::client::read_marker::set_read_marker;
use ruma::api::client::receipt::create_receipt;
use ruma::api::client::receipt::create_receipt::v3::ReceiptType;
use ruma::api::client::typing::create_typing_event;
use ruma::api::client::typing::create_typing_event::v3::Typing;
use serde_json::{Value, json};

use super::endpoint;
use super::error::MatrixError;
use super::filters::refuse_another;
use super::ruma::Signed;
use crate::Chat;
use crate::ops::ReceiptKind;

type Answer = Result<Json<Value>, MatrixError>;

pub(super) fn routes() -> Router<Chat> {
    let router = Router::new();
    let router = endpoint::<create_receipt::v3::Request, _, _>(router, receipt);
    let router = endpoint::<set_read_marker::v3::Request, _, _>(router, read_markers);
    endpoint::<create_typing_event::v3::Request, _, _>(router, typing)
}

async fn receipt(
    State(chat): State<Chat>,
    Signed(actor, request): Signed<create_receipt::v3::Request>,
) -> Answer {
    let (room_id, event_id) = (request.room_id.to_string(), request.event_id.to_string());
    let thread = request.thread.as_str().unwrap_or_default().to_owned();
    match request.receipt_type {
        ReceiptType::Read => {
            chat.put_receipt(&actor, room_id, ReceiptKind::Public, thread, event_id)
                .await?;
        }
        ReceiptType::ReadPrivate => {
            chat.put_receipt(&actor, room_id, ReceiptKind::Private, thread, event_id)
                .await?;
        }
        ReceiptType::FullyRead => chat.put_read_marker(&actor, room_id, event_id).await?,
        other => {
            return Err(MatrixError::invalid_parameter(format!(
                "{other} is no kind of receipt"
            )));
        }
    }
    Ok(Json(json!({})))
}

async fn read_markers(
    State(chat): State<Chat>,
    Signed(actor, request): Signed<set_read_marker::v3::Request>,
) -> Answer {
    let room_id = request.room_id.to_string();
    if let Some(event_id) = request.fully_read {
        chat.put_read_marker(&actor, room_id.clone(), event_id.to_string())
            .await?;
    }
    let receipts = [
        (request.read_receipt, ReceiptKind::Public),
        (request.private_read_receipt, ReceiptKind::Private),
    ];
    for (event_id, kind) in receipts {
        if let Some(event_id) = event_id {
            chat.put_receipt(&actor, room_id.clone(), kind, String::new(), event_id.to_string())
                .await?;
        }
    }
    Ok(Json(json!({})))
}

async fn typing(
    State(chat): State<Chat>,
    Signed(actor, request): Signed<create_typing_event::v3::Request>,
) -> Answer {
    refuse_another(&chat, &actor, request.user_id.as_str())?;
    let duration = match &request.state {
        Typing::Yes(info) => Some(info.timeout),
        _ => None,
    };
    chat.set_typing(&actor, request.room_id.to_string(), duration)
        .await?;
    Ok(Json(json!({})))
}
