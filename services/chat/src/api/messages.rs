//! Reading back (client-server API, "Getting events for a room").

use axum::extract::State;
use axum::{Json, Router};
use haechi_base::Actor;
use ruma::api::Direction;
use ruma::api::client::context::get_context;
use ruma::api::client::message::get_message_events;
use ruma::api::client::room::get_room_event;
use serde::Serialize;
use serde_json::value::RawValue;

use super::endpoint;
use super::error::MatrixError;
use super::ruma::Signed;
use crate::Chat;
use crate::model::Event;
use crate::ops::PageWish;

pub(super) fn routes() -> Router<Chat> {
    let router = Router::new();
    let router = endpoint::<get_message_events::v3::Request, _, _>(router, messages);
    let router = endpoint::<get_context::v3::Request, _, _>(router, context);
    endpoint::<get_room_event::v3::Request, _, _>(router, event)
}

type Told = Vec<Box<RawValue>>;

fn told(chat: &Chat, actor: &Actor, events: &[Event]) -> Told {
    let reader = chat.reader(actor.person, &actor.device);
    events
        .iter()
        .map(|event| event.for_client(reader, true))
        .collect()
}

#[derive(Serialize)]
struct Page {
    start: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<String>,
    chunk: Told,
    state: Told,
}

fn count(limit: ruma::UInt) -> u32 {
    u32::try_from(u64::from(limit)).unwrap_or(u32::MAX)
}

async fn messages(
    State(chat): State<Chat>,
    Signed(actor, request): Signed<get_message_events::v3::Request>,
) -> Result<Json<Page>, MatrixError> {
    let wish = PageWish {
        room_id: request.room_id.to_string(),
        from: request.from,
        to: request.to,
        is_forward: request.dir == Direction::Forward,
        limit: count(request.limit),
        filter: request.filter,
    };
    let page = chat.page(actor.person, wish).await?;
    Ok(Json(Page {
        start: page.start.to_string(),
        end: page.end.map(|end| end.to_string()),
        chunk: told(&chat, &actor, &page.events),
        state: told(&chat, &actor, &page.members),
    }))
}

#[derive(Serialize)]
struct Context {
    start: String,
    end: String,
    event: Box<RawValue>,
    events_before: Told,
    events_after: Told,
    state: Told,
}

async fn context(
    State(chat): State<Chat>,
    Signed(actor, request): Signed<get_context::v3::Request>,
) -> Result<Json<Context>, MatrixError> {
    let (room_id, event_id) = (request.room_id.to_string(), request.event_id.to_string());
    let limit = count(request.limit);
    let around = chat
        .surroundings(actor.person, room_id, event_id, limit, request.filter)
        .await?;
    Ok(Json(Context {
        start: around.start.to_string(),
        end: around.end.to_string(),
        event: around
            .event
            .for_client(chat.reader(actor.person, &actor.device), true),
        events_before: told(&chat, &actor, &around.before),
        events_after: told(&chat, &actor, &around.after),
        state: told(&chat, &actor, &around.state),
    }))
}

async fn event(
    State(chat): State<Chat>,
    Signed(actor, request): Signed<get_room_event::v3::Request>,
) -> Result<Json<Box<RawValue>>, MatrixError> {
    let found = chat
        .event(
            actor.person,
            request.room_id.to_string(),
            request.event_id.to_string(),
        )
        .await?;
    Ok(Json(
        found.for_client(chat.reader(actor.person, &actor.device), true),
    ))
}
