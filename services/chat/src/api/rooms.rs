//! Making rooms (client-server API, "Creation").

use axum::extract::State;
use axum::{Json, Router};
use haechi_base::{Actor, PersonId};
use ruma::api::client::room::{create_room, upgrade_room};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::endpoint;
use super::error::MatrixError;
use super::ruma::Signed;
use crate::Chat;
use crate::model::limits::INVITES_MAX;
use crate::model::{Content, InitialState, Preset, RoomVersion};
use crate::ops::RoomWish;

pub(super) fn routes() -> Router<Chat> {
    let router = endpoint::<create_room::v3::Request, _, _>(Router::new(), create);
    endpoint::<upgrade_room::v3::Request, _, _>(router, upgrade)
}

async fn create(
    State(chat): State<Chat>,
    Signed(actor, request): Signed<create_room::v3::Request>,
) -> Result<Json<Value>, MatrixError> {
    let version = request
        .room_version
        .as_ref()
        .map(|version| version.as_str().parse());
    let is_public = request.visibility == ruma::api::client::room::Visibility::Public;
    let preset = match &request.preset {
        Some(preset) => preset.as_str().parse()?,
        None if is_public => Preset::Public,
        None => Preset::Private,
    };
    let wish = RoomWish {
        version: version.transpose()?.unwrap_or_default(),
        alias_name: request.room_alias_name.clone().filter(|name| !name.is_empty()),
        is_listed: is_public,
        invited: invited(&chat, &actor, &request).await?,
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
    };
    let room_id = chat.create_room(&actor, wish).await?;
    Ok(Json(json!({ "room_id": room_id })))
}

/// The people who are asked in, by user id or by phone number.
async fn invited(
    chat: &Chat,
    actor: &Actor,
    request: &create_room::v3::Request,
) -> Result<Vec<PersonId>, MatrixError> {
    let mut invited = request
        .invite
        .iter()
        .map(|user| chat.person(user.as_str()))
        .collect::<Result<Vec<_>, _>>()?;
    if invited.len() + request.invite_3pid.len() > INVITES_MAX {
        return Err(MatrixError::invalid_parameter(format!(
            "a room is made with at most {INVITES_MAX} invitations"
        )));
    }
    for address in &request.invite_3pid {
        let person = chat.person_of_address(actor, address.medium.as_str(), &address.address);
        invited.push(person.await?);
    }
    Ok(invited)
}

async fn upgrade(
    State(chat): State<Chat>,
    Signed(actor, request): Signed<upgrade_room::v3::Request>,
) -> Result<Json<Value>, MatrixError> {
    let version: RoomVersion = request.new_version.as_str().parse()?;
    let more = request
        .additional_creators
        .iter()
        .map(|user| chat.person(user.as_str()))
        .collect::<Result<Vec<_>, _>>()?;
    let room_id = request.room_id.to_string();
    let replacement = chat.upgrade_room(&actor, room_id, version, more).await?;
    Ok(Json(json!({ "replacement_room": replacement })))
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
