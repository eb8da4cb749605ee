//! Pushers and the list of notifications (client-server API, "Push notifications").

use axum::extract::State;
use axum::{Json, Router};
use haechi_base::limits::{PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX};
use ruma::api::client::push::set_pusher::v3::PusherAction;
use ruma::api::client::push::{get_notifications, get_pushers, set_pusher};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::endpoint;
use super::error::MatrixError;
use super::ruma::Signed;
use crate::Chat;
use crate::model::raw_json;
use crate::ops::{Notification, NotificationPage};

type Answer = Result<Json<Value>, MatrixError>;

pub(super) fn routes() -> Router<Chat> {
    let router = Router::new();
    let router = endpoint::<get_pushers::v3::Request, _, _>(router, list);
    let router = endpoint::<set_pusher::v3::Request, _, _>(router, set);
    endpoint::<get_notifications::v3::Request, _, _>(router, notifications)
}

async fn list(State(chat): State<Chat>, Signed(actor, _): Signed<get_pushers::v3::Request>) -> Answer {
    let pushers = chat.pushers(&actor).await?;
    let pushers: Vec<Box<RawValue>> = pushers
        .into_iter()
        .map(|pusher| raw_json(pusher.definition))
        .collect();
    Ok(Json(json!({ "pushers": pushers })))
}

async fn set(State(chat): State<Chat>, Signed(actor, request): Signed<set_pusher::v3::Request>) -> Answer {
    match request.action {
        PusherAction::Post(set) => chat.set_pusher(&actor, &set.pusher, set.append).await?,
        PusherAction::Delete(ids) => chat.remove_pusher(&actor, &ids).await?,
        _ => return Err(MatrixError::invalid_parameter("a pusher is set or taken away")),
    }
    Ok(Json(json!({})))
}

async fn notifications(
    State(chat): State<Chat>,
    Signed(actor, request): Signed<get_notifications::v3::Request>,
) -> Answer {
    let only_highlights = request.only.as_deref() == Some("highlight");
    let limit = request.limit.map_or(PAGE_ITEMS_DEFAULT, |limit| {
        u32::try_from(limit).unwrap_or(PAGE_ITEMS_MAX)
    });
    let limit = usize::try_from(limit.clamp(1, PAGE_ITEMS_MAX)).unwrap_or(1);
    let page = chat
        .notifications(&actor, request.from.as_deref(), limit, only_highlights)
        .await?;
    let NotificationPage { items, next } = page;
    let reader = chat.reader(actor.person, &actor.device);
    let told = |item: &Notification| {
        json!({
            "actions": item.actions,
            "event": item.event.for_client(reader, false),
            "read": item.is_read,
            "room_id": item.event.room_id,
            "ts": item.event.sent_at.millis(),
        })
    };
    let items: Vec<Value> = items.iter().map(told).collect();
    let mut answer = json!({ "notifications": items });
    if let Some(next) = next {
        answer["next_token"] = next.into();
    }
    Ok(Json(answer))
}
