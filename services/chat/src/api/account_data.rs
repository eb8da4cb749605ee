//! What people keep for themselves (client-server API, "Client config").

use axum::extract::State;
use axum::routing::{delete, get};
use axum::{Json, Router};
use haechi_base::Actor;
use http::StatusCode;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::error::MatrixError;
use super::filters::refuse_another;
use super::ruma::{Body, Path, Who};
use super::send::content_of;
use crate::Chat;
use crate::model::limits::NAME_BYTES_MAX;
use crate::model::{Content, PUSH_RULES, QUIET_HOURS, QuietHours, raw_json};
use crate::ops::AccountData;

pub(super) fn routes() -> Router<Chat> {
    let unstable = "/_matrix/client/unstable/org.matrix.msc3391/user/{user_id}";
    let router = Router::new()
        .route(&format!("{unstable}/account_data/{{event_type}}"), delete(forget))
        .route(
            &format!("{unstable}/rooms/{{room_id}}/account_data/{{event_type}}"),
            delete(forget_of_room),
        );
    ["v3", "r0"].into_iter().fold(router, |router, version| {
        let user = format!("/_matrix/client/{version}/user/{{user_id}}");
        router
            .route(
                &format!("{user}/account_data/{{event_type}}"),
                get(show).put(keep),
            )
            .route(
                &format!("{user}/rooms/{{room_id}}/account_data/{{event_type}}"),
                get(show_of_room).put(keep_of_room),
            )
    })
}

async fn show(
    State(chat): State<Chat>,
    Who(actor): Who,
    Path((user, kind)): Path<(String, String)>,
) -> Result<Json<Box<RawValue>>, MatrixError> {
    refuse_another(&chat, &actor, &user)?;
    if kind == PUSH_RULES {
        let rules = chat.push_rules(actor.person).await?;
        return Ok(Json(raw_json(rules.to_content()?.as_str().to_owned())));
    }
    Ok(Json(raw_json(
        chat.account_data(actor.person, String::new(), kind).await?,
    )))
}

async fn show_of_room(
    State(chat): State<Chat>,
    Who(actor): Who,
    Path((user, room_id, kind)): Path<(String, String, String)>,
) -> Result<Json<Box<RawValue>>, MatrixError> {
    refuse_another(&chat, &actor, &user)?;
    Ok(Json(raw_json(
        chat.account_data(actor.person, room_id, kind).await?,
    )))
}

async fn keep(
    State(chat): State<Chat>,
    Who(actor): Who,
    Path((user, kind)): Path<(String, String)>,
    Body(body): Body,
) -> Result<Json<Value>, MatrixError> {
    put(&chat, &actor, &user, String::new(), kind, &body).await
}

async fn keep_of_room(
    State(chat): State<Chat>,
    Who(actor): Who,
    Path((user, room_id, kind)): Path<(String, String, String)>,
    Body(body): Body,
) -> Result<Json<Value>, MatrixError> {
    if !room_id.starts_with('!') || room_id.len() > NAME_BYTES_MAX {
        return Err(MatrixError::invalid_parameter("this is no room id"));
    }
    put(&chat, &actor, &user, room_id, kind, &body).await
}

async fn forget(
    State(chat): State<Chat>,
    Who(actor): Who,
    Path((user, kind)): Path<(String, String)>,
) -> Result<Json<Value>, MatrixError> {
    put_content(&chat, &actor, &user, String::new(), kind, Content::nothing()).await
}

async fn forget_of_room(
    State(chat): State<Chat>,
    Who(actor): Who,
    Path((user, room_id, kind)): Path<(String, String, String)>,
) -> Result<Json<Value>, MatrixError> {
    put_content(&chat, &actor, &user, room_id, kind, Content::nothing()).await
}

async fn put(
    chat: &Chat,
    actor: &Actor,
    user: &str,
    room_id: String,
    kind: String,
    body: &[u8],
) -> Result<Json<Value>, MatrixError> {
    refuse_another(chat, actor, user)?;
    put_content(chat, actor, user, room_id, kind, content_of(body)?).await
}

async fn put_content(
    chat: &Chat,
    actor: &Actor,
    user: &str,
    room_id: String,
    kind: String,
    content: Content,
) -> Result<Json<Value>, MatrixError> {
    refuse_another(chat, actor, user)?;
    if matches!(kind.as_str(), "m.fully_read" | PUSH_RULES) {
        let message = format!("{kind} has endpoints of its own");
        return Err(MatrixError::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "M_BAD_JSON",
            message,
        ));
    }
    // What is empty takes the hours away.
    if kind == QUIET_HOURS && !content.as_str().is_empty() {
        QuietHours::read(&content)?;
    }
    let entry = AccountData {
        person: actor.person,
        room_id,
        kind,
        content,
    };
    chat.put_account_data(entry).await?;
    Ok(Json(json!({})))
}
