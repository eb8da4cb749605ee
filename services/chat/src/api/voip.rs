//! Calls (client-server API, "Voice over IP"): where a TURN server is found.

use axum::extract::State;
use axum::{Json, Router};
use ruma::api::client::voip::get_turn_server_info;
use serde_json::{Value, json};

use super::endpoint;
use super::error::MatrixError;
use super::ruma::Signed;
use crate::Chat;

pub(super) fn routes() -> Router<Chat> {
    endpoint::<get_turn_server_info::v3::Request, _, _>(Router::new(), turn_server)
}

/// Without a TURN server there is nothing to tell, which is no error: calls go from device to device then.
async fn turn_server(
    State(chat): State<Chat>,
    Signed(actor, _): Signed<get_turn_server_info::v3::Request>,
) -> Result<Json<Value>, MatrixError> {
    let credentials = chat.turn_credentials(actor.person);
    Ok(Json(
        credentials.map_or(json!({}), |credentials| json!(credentials)),
    ))
}
