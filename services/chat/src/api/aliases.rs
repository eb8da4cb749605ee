//! Names of rooms (client-server API, "Room aliases").

use axum::extract::State;
use axum::{Json, Router};
use ruma::api::client::alias::{create_alias, delete_alias, get_alias};
use ruma::api::client::room::aliases;
use serde_json::{Value, json};

use super::endpoint;
use super::error::MatrixError;
use super::ruma::{Anyone, Signed};
use crate::Chat;

type Answer = Result<Json<Value>, MatrixError>;

pub(super) fn routes() -> Router<Chat> {
    let router = Router::new();
    let router = endpoint::<create_alias::v3::Request, _, _>(router, create);
    let router = endpoint::<get_alias::v3::Request, _, _>(router, find);
    let router = endpoint::<delete_alias::v3::Request, _, _>(router, remove);
    endpoint::<aliases::v3::Request, _, _>(router, of_room)
}

async fn create(
    State(chat): State<Chat>,
    Signed(actor, request): Signed<create_alias::v3::Request>,
) -> Answer {
    let room_id = request.room_id.to_string();
    chat.put_alias(&actor, request.room_alias.as_str(), room_id)
        .await?;
    Ok(Json(json!({})))
}

async fn find(State(chat): State<Chat>, Anyone(request): Anyone<get_alias::v3::Request>) -> Answer {
    let room_id = chat.room_named(request.room_alias.as_str()).await?;
    Ok(Json(
        json!({ "room_id": room_id, "servers": [chat.server_name()] }),
    ))
}

async fn remove(
    State(chat): State<Chat>,
    Signed(actor, request): Signed<delete_alias::v3::Request>,
) -> Answer {
    chat.remove_alias(&actor, request.room_alias.as_str()).await?;
    Ok(Json(json!({})))
}

async fn of_room(State(chat): State<Chat>, Signed(actor, request): Signed<aliases::v3::Request>) -> Answer {
    let aliases = chat.aliases_of(&actor, request.room_id.to_string()).await?;
    Ok(Json(json!({ "aliases": aliases })))
}
