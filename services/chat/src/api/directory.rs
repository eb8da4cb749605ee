//! The directory of rooms (client-server API, "Published room directory").

use axum::extract::State;
use axum::{Json, Router};
use ruma::api::client::directory::{
    get_public_rooms, get_public_rooms_filtered, get_room_visibility, set_room_visibility,
};
use ruma::api::client::room::Visibility;
use ruma::directory::RoomNetwork;
use serde_json::{Map, Value, json};

use super::endpoint;
use super::error::MatrixError;
use super::ruma::{Anyone, Signed};
use crate::Chat;
use crate::model::ListingFilter;
use crate::ops::ListingPage;

type Answer = Result<Json<Value>, MatrixError>;

pub(super) fn routes() -> Router<Chat> {
    let router = Router::new();
    let router = endpoint::<get_public_rooms::v3::Request, _, _>(router, all);
    let router = endpoint::<get_public_rooms_filtered::v3::Request, _, _>(router, search);
    let router = endpoint::<get_room_visibility::v3::Request, _, _>(router, visibility);
    endpoint::<set_room_visibility::v3::Request, _, _>(router, set_visibility)
}

fn told(page: ListingPage) -> Json<Value> {
    let mut answer = Map::new();
    answer.insert("chunk".to_owned(), json!(page.rooms));
    answer.insert("total_room_count_estimate".to_owned(), page.total.into());
    for (name, place) in [("next_batch", page.next), ("prev_batch", page.previous)] {
        if let Some(place) = place {
            answer.insert(name.to_owned(), place.to_string().into());
        }
    }
    Json(answer.into())
}

/// The rooms of other servers are not known here.
fn refuse_other_server(chat: &Chat, server: Option<&ruma::ServerName>) -> Result<(), MatrixError> {
    match server {
        Some(server) if server.as_str() != chat.server_name() => {
            Err(MatrixError::not_found("this server knows its own rooms only"))
        }
        _ => Ok(()),
    }
}

fn count(limit: Option<ruma::UInt>) -> Option<u32> {
    limit.map(|limit| u32::try_from(u64::from(limit)).unwrap_or(u32::MAX))
}

async fn all(State(chat): State<Chat>, Anyone(request): Anyone<get_public_rooms::v3::Request>) -> Answer {
    refuse_other_server(&chat, request.server.as_deref())?;
    let filter = ListingFilter::default();
    let page = chat.listing(filter, request.since.as_deref(), count(request.limit));
    Ok(told(page.await?))
}

async fn search(
    State(chat): State<Chat>,
    Signed(_, request): Signed<get_public_rooms_filtered::v3::Request>,
) -> Answer {
    refuse_other_server(&chat, request.server.as_deref())?;
    if matches!(request.room_network, RoomNetwork::ThirdParty(_)) {
        return Ok(Json(json!({ "chunk": [], "total_room_count_estimate": 0 })));
    }
    let types = request.filter.room_types.iter();
    let filter = ListingFilter {
        term: request.filter.generic_search_term,
        room_types: types
            .map(|kind| kind.as_str().unwrap_or_default().to_owned())
            .collect(),
    };
    let page = chat.listing(filter, request.since.as_deref(), count(request.limit));
    Ok(told(page.await?))
}

async fn visibility(
    State(chat): State<Chat>,
    Anyone(request): Anyone<get_room_visibility::v3::Request>,
) -> Answer {
    let is_listed = chat.is_listed(request.room_id.to_string()).await?;
    let word = if is_listed { "public" } else { "private" };
    Ok(Json(json!({ "visibility": word })))
}

async fn set_visibility(
    State(chat): State<Chat>,
    Signed(actor, request): Signed<set_room_visibility::v3::Request>,
) -> Answer {
    let is_listed = match request.visibility {
        Visibility::Public => true,
        Visibility::Private => false,
        _ => return Err(MatrixError::invalid_parameter("a room is public or private")),
    };
    chat.set_listed(&actor, request.room_id.to_string(), is_listed)
        .await?;
    Ok(Json(json!({})))
}
