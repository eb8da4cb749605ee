//! A room written out: `/api/chat/rooms/{room_id}/export`.

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use haechi_http::{Path, Problem, Query, SignedIn};
use http::HeaderValue;
use http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use serde::Deserialize;

use crate::Chat;
use crate::ops::{ExportFormat, ExportWish};

/// Minutes that Korea's clocks are ahead of UTC.
pub(super) const OFFSET_MINUTES_DEFAULT: i64 = 540;

/// How far clocks are ahead of UTC anywhere.
const OFFSET_MINUTES: std::ops::RangeInclusive<i64> = -720..=840;

/// In what form.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ExportQuery {
    /// `json` for programs, `html` for people.
    #[param(example = "html")]
    format: String,
    /// The language of the page's own words, `ko` or `en`: `ko` when it is not said.
    language: Option<String>,
    /// Minutes that the reader's clock is ahead of UTC: -720 to 840, and 540 (Korea) when it is not said.
    #[param(minimum = -720, maximum = 840)]
    offset_minutes: Option<i64>,
}

/// The offset that was said, if clocks anywhere are so.
pub(super) fn offset(minutes: Option<i64>) -> Result<i64, Problem> {
    let minutes = minutes.unwrap_or(OFFSET_MINUTES_DEFAULT);
    if OFFSET_MINUTES.contains(&minutes) {
        return Ok(minutes);
    }
    Err(Problem::bad_request(
        "invalid-query",
        "offset_minutes must lie between -720 and 840.",
    ))
}

/// Writes out all that one may see of a room. The answer comes in pieces, and ends early if one is sent out meanwhile.
#[utoipa::path(get, path = "/api/chat/rooms/{room_id}/export", tag = "chat",
    params(("room_id" = String, Path, description = "The room's id"), ExportQuery),
    responses((status = 200, content(
        (String = "application/json"),
        (String = "text/html")
    ))))]
pub(super) async fn export_room(
    State(chat): State<Chat>,
    SignedIn(actor): SignedIn,
    Path(room_id): Path<String>,
    Query(query): Query<ExportQuery>,
) -> Result<Response, Problem> {
    let (format, content_type, file_name) = match query.format.as_str() {
        "json" => (ExportFormat::Json, "application/json", "chat.json"),
        "html" => (ExportFormat::Html, "text/html; charset=utf-8", "chat.html"),
        _ => return Err(Problem::bad_request("invalid-query", "format is json or html.")),
    };
    let language = query.language.as_deref().unwrap_or("ko").parse()?;
    let wish = ExportWish {
        room_id,
        format,
        language,
        offset_minutes: offset(query.offset_minutes)?,
    };
    let pieces = chat.export(&actor, wish).await?;
    let mut response = Body::from_stream(pieces).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    let disposition = format!("attachment; filename=\"{file_name}\"");
    if let Ok(disposition) = HeaderValue::from_str(&disposition) {
        headers.insert(CONTENT_DISPOSITION, disposition);
    }
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("sandbox; default-src 'none'; style-src 'unsafe-inline'"),
    );
    Ok(response)
}
