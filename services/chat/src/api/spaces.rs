//! Spaces, and summaries of rooms (client-server API, "Spaces" and "Room summary").

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use ruma::api::client::room::get_summary;
use ruma::api::client::space::get_hierarchy;
use serde_json::{Map, Value, json};

use super::endpoint;
use super::error::MatrixError;
use super::ruma::{Path, Perhaps, Signed};
use crate::Chat;
use crate::model::Walk;
use crate::model::limits::{LISTED_ROOMS_DEFAULT, LISTED_ROOMS_MAX};

pub(super) fn routes() -> Router<Chat> {
    let router = endpoint::<get_hierarchy::v1::Request, _, _>(Router::new(), hierarchy);
    let router = endpoint::<get_summary::v1::Request, _, _>(router, summary);
    // An older form of the proposal, which clients still ask for.
    router.route(
        "/_matrix/client/unstable/im.nheko.summary/summary/{room_id_or_alias}",
        get(summary),
    )
}

async fn hierarchy(
    State(chat): State<Chat>,
    Signed(actor, request): Signed<get_hierarchy::v1::Request>,
) -> Result<Json<Value>, MatrixError> {
    let walk = Walk {
        skipped: 0,
        depth_max: request.max_depth.map(u64::from),
        suggested_only: request.suggested_only,
    };
    let walk = walk.go_on(request.from.as_deref())?;
    let asked = request
        .limit
        .and_then(|limit| u32::try_from(u64::from(limit)).ok());
    let limit = match (request.limit, asked) {
        (None, _) => LISTED_ROOMS_DEFAULT,
        (Some(_), asked) => asked.unwrap_or(LISTED_ROOMS_MAX).clamp(1, LISTED_ROOMS_MAX),
    };
    let page = chat
        .hierarchy(actor.person, request.room_id.to_string(), walk, limit as usize)
        .await?;
    let mut answer = Map::new();
    answer.insert("rooms".to_owned(), json!(page.rooms));
    if let Some(next) = page.next {
        answer.insert("next_batch".to_owned(), next.into());
    }
    Ok(Json(answer.into()))
}

async fn summary(
    State(chat): State<Chat>,
    Perhaps(actor): Perhaps,
    Path(room): Path<String>,
) -> Result<Json<Map<String, Value>>, MatrixError> {
    let person = actor.map(|actor| actor.person);
    Ok(Json(chat.room_summary(person, &room).await?))
}
