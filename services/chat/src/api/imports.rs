//! Chats of KakaoTalk moved in: `/api/chat/imports`.

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use haechi_base::Time;
use haechi_http::{IdempotencyKey, Json, Path, Problem, Query, SignedIn};
use haechi_service::OpenApiRouter;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::exports::offset;
use crate::Chat;
use crate::model::limits::IMPORT_BYTES_MAX;
use crate::ops::{ImportWish, MediaRoom};
use crate::store::imports::Import;

pub(super) fn routes() -> OpenApiRouter<Chat> {
    OpenApiRouter::new()
        .routes(routes!(begin_import))
        .layer(DefaultBodyLimit::max(IMPORT_BYTES_MAX))
        .routes(routes!(find_import))
}

/// What belongs to the text.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ImportQuery {
    /// The room's name, at most 100 characters: the chat's own when it is not said.
    name: Option<String>,
    /// The name under which one stands in the text oneself, at most 100 characters.
    own_name: Option<String>,
    /// Minutes that the clock of the phone was ahead of UTC: -720 to 840, and 540 (Korea) when it is not said.
    #[param(minimum = -720, maximum = 840)]
    offset_minutes: Option<i64>,
}

/// How an import stands.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ImportState {
    /// Messages are being put in.
    Running,
    /// All are in.
    Done,
    /// The importer left the room before all were.
    Stopped,
}

/// An import.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ImportDocument {
    import_id: String,
    /// The room into which the messages come. It is there as soon as the first are.
    room_id: String,
    /// The room's name.
    name: String,
    state: ImportState,
    messages_total: i64,
    messages_done: i64,
    created_at: Time,
    finished_at: Option<Time>,
}

impl From<Import> for ImportDocument {
    fn from(import: Import) -> Self {
        let state = match import.finished_at {
            None => ImportState::Running,
            Some(_) if import.done < import.total => ImportState::Stopped,
            Some(_) => ImportState::Done,
        };
        Self {
            import_id: import.import_id,
            room_id: import.room_id,
            name: import.name,
            state,
            messages_total: import.total,
            messages_done: import.done,
            created_at: import.created_at,
            finished_at: import.finished_at,
        }
    }
}

/// A text as it came, and the room that it takes on this node until the request is answered.
pub(super) struct Text(Bytes, MediaRoom);

impl FromRequest<Chat> for Text {
    type Rejection = Problem;

    async fn from_request(request: Request, chat: &Chat) -> Result<Self, Problem> {
        // Room for the whole of it is taken before the first byte is read.
        let room = chat.media_room(IMPORT_BYTES_MAX)?;
        let read = Bytes::from_request(request, chat).await;
        read.map(|text| Self(text, room))
            .map_err(|refusal| match refusal.status() {
                StatusCode::PAYLOAD_TOO_LARGE => {
                    Problem::payload_too_large("body-too-large", "The text is larger than this route takes.")
                }
                _ => Problem::bad_request("body-cut-off", "The body did not arrive in full."),
            })
    }
}

/// Begins to put a chat, as KakaoTalk exports it as text, into a new room that is only read from then on.
#[utoipa::path(post, path = "/api/chat/imports", tag = "chat",
    params(ImportQuery,
        ("Idempotency-Key" = String, Header, description = "The same request sent again with it is done once.")),
    request_body(content = String, content_type = "text/plain"),
    responses((status = 202, body = ImportDocument)))]
pub(super) async fn begin_import(
    State(chat): State<Chat>,
    SignedIn(actor): SignedIn,
    IdempotencyKey(key): IdempotencyKey,
    Query(query): Query<ImportQuery>,
    Text(text, _room): Text,
) -> Result<(StatusCode, Json<ImportDocument>), Problem> {
    let wish = ImportWish {
        text,
        name: query.name,
        own_name: query.own_name,
        offset_minutes: offset(query.offset_minutes)?,
    };
    let import = chat.begin_import(&actor, &key, wish).await?;
    Ok((StatusCode::ACCEPTED, Json(import.into())))
}

/// How far an import has come.
#[utoipa::path(get, path = "/api/chat/imports/{import_id}", tag = "chat",
    params(("import_id" = String, Path, description = "The import's id")),
    responses((status = 200, body = ImportDocument)))]
pub(super) async fn find_import(
    State(chat): State<Chat>,
    SignedIn(actor): SignedIn,
    Path(import_id): Path<String>,
) -> Result<Json<ImportDocument>, Problem> {
    Ok(Json(chat.import(&actor, import_id).await?.into()))
}
