//! Tags on rooms (client-server API, "Room Tagging").

use axum::extract::State;
use axum::routing::{get, put};
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use super::error::MatrixError;
use super::filters::refuse_another;
use super::ruma::{Body, Path, Who};
use super::send::content_of;
use crate::Chat;
use crate::model::limits::NAME_BYTES_MAX;

type Answer = Result<Json<Value>, MatrixError>;

pub(super) fn routes() -> Router<Chat> {
    ["v3", "r0"].into_iter().fold(Router::new(), |router, version| {
        let tags = format!("/_matrix/client/{version}/user/{{user_id}}/rooms/{{room_id}}/tags");
        router
            .route(&tags, get(all))
            .route(&format!("{tags}/{{tag}}"), put(set).delete(remove))
    })
}

fn refuse_no_room(room_id: &str) -> Result<(), MatrixError> {
    if room_id.starts_with('!') && room_id.len() <= NAME_BYTES_MAX && !room_id.contains('\0') {
        return Ok(());
    }
    Err(MatrixError::invalid_parameter("this is no room id"))
}

async fn all(
    State(chat): State<Chat>,
    Who(actor): Who,
    Path((user, room_id)): Path<(String, String)>,
) -> Answer {
    refuse_another(&chat, &actor, &user)?;
    refuse_no_room(&room_id)?;
    let tags = chat.tags(actor.person, room_id).await?;
    Ok(Json(json!({ "tags": tags })))
}

async fn set(
    State(chat): State<Chat>,
    Who(actor): Who,
    Path((user, room_id, tag)): Path<(String, String, String)>,
    Body(body): Body,
) -> Answer {
    refuse_another(&chat, &actor, &user)?;
    refuse_no_room(&room_id)?;
    let info = info_of(&body)?;
    chat.set_tag(actor.person, room_id, tag, Some(info.into()))
        .await?;
    Ok(Json(json!({})))
}

async fn remove(
    State(chat): State<Chat>,
    Who(actor): Who,
    Path((user, room_id, tag)): Path<(String, String, String)>,
) -> Answer {
    refuse_another(&chat, &actor, &user)?;
    refuse_no_room(&room_id)?;
    chat.set_tag(actor.person, room_id, tag, None).await?;
    Ok(Json(json!({})))
}

/// What is said of a tag. Its `order` is a number between 0 and 1, so that the rules for events do not hold for it.
fn info_of(body: &[u8]) -> Result<Map<String, Value>, MatrixError> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    let mut info: Map<String, Value> =
        serde_json::from_slice(body).map_err(|error| super::ruma::of_json(&error))?;
    let order = info.remove("order");
    let rest = Value::Object(info.clone()).to_string();
    content_of(rest.as_bytes())?;
    match order {
        None | Some(Value::Null) => {}
        Some(order) if order.as_f64().is_some_and(|order| (0.0..=1.0).contains(&order)) => {
            info.insert("order".to_owned(), order);
        }
        Some(_) => {
            return Err(MatrixError::invalid_parameter(
                "the order of a tag is a number between 0 and 1",
            ));
        }
    }
    Ok(info)
}
