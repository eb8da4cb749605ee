//! Making rooms (client-server API, "Creation").

use axum::extract::State;
use axum::{Json, Router};
use ruma::api::client::room::create_room;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::endpoint;
use super::error::MatrixError;
use super::ruma::Signed;
use crate::Chat;
use crate::model::{ChatError, Content, InitialState, Preset, ROOM_VERSION};
use crate::ops::RoomWish;

pub(super) fn routes() -> Router<Chat> {
    endpoint::<create_room::v3::Request, _, _>(Router::new(), create)
}

async fn create(
    State(chat): State<Chat>,
    Signed(actor, request): Signed<create_room::v3::Request>,
) -> Result<Json<Value>, MatrixError> {
    if let Some(version) = request
        .room_version
        .as_ref()
        .filter(|version| version.as_str() != ROOM_VERSION)
    {
        return Err(ChatError::UnsupportedRoomVersion(version.to_string()).into());
    }
    if request.room_alias_name.is_some() || !request.invite_3pid.is_empty() {
        return Err(MatrixError::invalid_parameter(
            "rooms have no aliases here yet, and people are invited by id",
        ));
    }
    let is_public = request.visibility == ruma::api::client::room::Visibility::Public;
    let preset = match &request.preset {
        Some(preset) => preset.as_str().parse()?,
        None if is_public => Preset::Public,
        None => Preset::Private,
    };
    let invited = request
        .invite
        .iter()
        .map(|user| chat.person(user.as_str()))
        .collect::<Result<_, _>>()?;
    let wish = RoomWish {
        preset,
        creation_content: object(request.creation_content.as_ref().map(ruma::serde::Raw::json))?,
        power_levels: object(
            request
                .power_level_content_override
                .as_ref()
                .map(ruma::serde::Raw::json),
        )?,
        initial_state: request
            .initial_state
            .iter()
            .map(|state| initial_state(state.json()))
            .collect::<Result<_, _>>()?,
        name: request.name.filter(|name| !name.is_empty()),
        topic: request.topic,
        is_direct: request.is_direct,
        invited,
    };
    let room_id = chat.create_room(&actor, wish).await?;
    Ok(Json(json!({ "room_id": room_id })))
}

fn object(text: Option<&RawValue>) -> Result<Map<String, Value>, MatrixError> {
    text.map_or_else(
        || Ok(Map::new()),
        |text| serde_json::from_str(text.get()).map_err(|error| MatrixError::bad_json(error.to_string())),
    )
}

fn initial_state(text: &RawValue) -> Result<InitialState, MatrixError> {
    #[derive(Deserialize)]
    struct State<'s> {
        #[serde(rename = "type")]
        kind: String,
        #[serde(default)]
        state_key: String,
        #[serde(borrow)]
        content: &'s RawValue,
    }
    let state: State<'_> =
        serde_json::from_str(text.get()).map_err(|error| MatrixError::bad_json(error.to_string()))?;
    Ok((state.kind, state.state_key, Content::check(state.content.get())?))
}
