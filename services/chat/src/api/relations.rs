//! What relates to events, and threads (client-server API, "Relationships API" and "Threading").

use axum::extract::State;
use axum::{Json, Router};
use haechi_base::Actor;
use ruma::api::Direction;
use ruma::api::client::relations::{
    get_relating_events, get_relating_events_with_rel_type, get_relating_events_with_rel_type_and_event_type,
};
use ruma::api::client::threads::get_threads;
use ruma::api::client::threads::get_threads::v1::IncludeThreads;
use serde::Serialize;
use serde_json::value::RawValue;

use super::endpoint;
use super::error::MatrixError;
use super::ruma::Signed;
use crate::Chat;
use crate::ops::{RelationsPage, RelationsWish, ThreadsWish};

pub(super) fn routes() -> Router<Chat> {
    let router = Router::new();
    let router = endpoint::<get_relating_events::v1::Request, _, _>(router, all);
    let router = endpoint::<get_relating_events_with_rel_type::v1::Request, _, _>(router, of_kind);
    let router =
        endpoint::<get_relating_events_with_rel_type_and_event_type::v1::Request, _, _>(router, of_type);
    endpoint::<get_threads::v1::Request, _, _>(router, threads)
}

#[derive(Serialize)]
struct Page {
    chunk: Vec<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_batch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prev_batch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recursion_depth: Option<u32>,
}

fn told(chat: &Chat, actor: &Actor, page: &RelationsPage) -> Json<Page> {
    let reader = chat.reader(actor.person, &actor.device);
    let events = page.events.iter();
    Json(Page {
        chunk: events.map(|event| event.for_client(reader, true)).collect(),
        next_batch: page.next.map(|place| place.to_string()),
        prev_batch: page.start.map(|place| place.to_string()),
        recursion_depth: page.depth,
    })
}

fn count(limit: ::ruma::UInt) -> u32 {
    u32::try_from(u64::from(limit)).unwrap_or(u32::MAX)
}

/// The wish that the three endpoints have in common.
macro_rules! wish {
    ($request:ident, $kind:expr, $event_type:expr) => {
        RelationsWish {
            room_id: $request.room_id.to_string(),
            event_id: $request.event_id.to_string(),
            kind: $kind,
            event_type: $event_type,
            from: $request.from,
            to: $request.to,
            is_forward: $request.dir == Direction::Forward,
            limit: $request.limit.map(count),
            recurses: $request.recurse,
        }
    };
}

async fn all(
    State(chat): State<Chat>,
    Signed(actor, request): Signed<get_relating_events::v1::Request>,
) -> Result<Json<Page>, MatrixError> {
    let page = chat.relations(actor.person, wish!(request, None, None)).await?;
    Ok(told(&chat, &actor, &page))
}

async fn of_kind(
    State(chat): State<Chat>,
    Signed(actor, request): Signed<get_relating_events_with_rel_type::v1::Request>,
) -> Result<Json<Page>, MatrixError> {
    let kind = Some(request.rel_type.to_string());
    let page = chat.relations(actor.person, wish!(request, kind, None)).await?;
    Ok(told(&chat, &actor, &page))
}

async fn of_type(
    State(chat): State<Chat>,
    Signed(actor, request): Signed<get_relating_events_with_rel_type_and_event_type::v1::Request>,
) -> Result<Json<Page>, MatrixError> {
    let kind = Some(request.rel_type.to_string());
    let event_type = Some(request.event_type.to_string());
    let page = chat
        .relations(actor.person, wish!(request, kind, event_type))
        .await?;
    Ok(told(&chat, &actor, &page))
}

async fn threads(
    State(chat): State<Chat>,
    Signed(actor, request): Signed<get_threads::v1::Request>,
) -> Result<Json<Page>, MatrixError> {
    let wish = ThreadsWish {
        room_id: request.room_id.to_string(),
        participated: request.include == IncludeThreads::Participated,
        from: request.from,
        limit: request.limit.map(count),
    };
    let mut page = chat.threads(actor.person, wish).await?;
    page.start = None;
    Ok(told(&chat, &actor, &page))
}
