//! Who is here (client-server API, "Presence").

use axum::extract::State;
use axum::{Json, Router};
use ruma::api::client::presence::{get_presence, set_presence};
use serde_json::{Value, json};

use super::endpoint;
use super::error::MatrixError;
use super::filters::refuse_another;
use super::ruma::Signed;
use crate::Chat;
use crate::ops::PresenceState;

type Answer = Result<Json<Value>, MatrixError>;

pub(super) fn routes() -> Router<Chat> {
    let router = endpoint::<get_presence::v3::Request, _, _>(Router::new(), show);
    endpoint::<set_presence::v3::Request, _, _>(router, set)
}

/// The state of a word.
pub(super) fn state_of(word: &::ruma::presence::PresenceState) -> Result<PresenceState, MatrixError> {
    match word.as_str() {
        "online" => Ok(PresenceState::Online),
        "unavailable" => Ok(PresenceState::Unavailable),
        "offline" => Ok(PresenceState::Offline),
        other => Err(MatrixError::invalid_parameter(format!(
            "{:?} is no presence: say online, unavailable or offline",
            other.chars().take(64).collect::<String>()
        ))),
    }
}

async fn show(State(chat): State<Chat>, Signed(actor, request): Signed<get_presence::v3::Request>) -> Answer {
    let person = chat.person(request.user_id.as_str())?;
    let presence = chat.presence(&actor, person).await?;
    Ok(Json(chat.told_presence(&presence)))
}

async fn set(State(chat): State<Chat>, Signed(actor, request): Signed<set_presence::v3::Request>) -> Answer {
    refuse_another(&chat, &actor, request.user_id.as_str())?;
    chat.set_presence(&actor, state_of(&request.presence)?, request.status_msg)?;
    Ok(Json(json!({})))
}
