//! Uploads and downloads (client-server API, "Content repository").

use std::time::Duration;

use axum::extract::{DefaultBodyLimit, FromRequestParts, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use haechi_base::limits::UPLOAD_BYTES_MAX;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, IF_RANGE, RANGE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use ruma::http_headers::{ContentDisposition, ContentDispositionType};
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::MatrixError;
use super::ruma::{Body, Path, Query, Who};
use crate::Chat;
use crate::model::limits::ARRIVAL_WAIT_DEFAULT;
use crate::model::{ThumbnailMethod, ThumbnailSize, Wanted};
use crate::ops::{Download, MediaRoom, Upload};

/// Types that browsers show without running anything (client-server API, "Serving inline content").
const SHOWN_INLINE: [&str; 27] = [
    "text/css",
    "text/plain",
    "text/csv",
    "application/json",
    "application/ld+json",
    "image/jpeg",
    "image/gif",
    "image/png",
    "image/apng",
    "image/webp",
    "image/avif",
    "video/mp4",
    "video/webm",
    "video/ogg",
    "video/quicktime",
    "audio/mp4",
    "audio/webm",
    "audio/aac",
    "audio/mpeg",
    "audio/ogg",
    "audio/wave",
    "audio/wav",
    "audio/x-wav",
    "audio/x-pn-wav",
    "audio/flac",
    "audio/x-flac",
    "audio/opus",
];

pub(super) fn routes() -> Router<Chat> {
    let mut router = Router::new();
    for version in ["v3", "r0"] {
        let upload = post(upload).layer(DefaultBodyLimit::max(UPLOAD_BYTES_MAX));
        router = router.route(&format!("/_matrix/media/{version}/upload"), upload);
    }
    let announced = put(upload_announced).layer(DefaultBodyLimit::max(UPLOAD_BYTES_MAX));
    router = router
        .route("/_matrix/media/v1/create", post(create))
        .route("/_matrix/media/v3/upload/{server_name}/{media_id}", announced);
    // The paths of before 1.11 ask for a sign-in as well: nothing here is for strangers.
    for base in [
        "/_matrix/client/v1/media",
        "/_matrix/media/v3",
        "/_matrix/media/r0",
    ] {
        router = router
            .route(&format!("{base}/config"), get(config))
            .route(
                &format!("{base}/download/{{server_name}}/{{media_id}}"),
                get(download),
            )
            .route(
                &format!("{base}/download/{{server_name}}/{{media_id}}/{{filename}}"),
                get(download_as),
            )
            .route(
                &format!("{base}/thumbnail/{{server_name}}/{{media_id}}"),
                get(thumbnail),
            );
    }
    router
}

async fn config(_: Who) -> Json<Value> {
    Json(json!({ "m.upload.size": UPLOAD_BYTES_MAX }))
}

/// Room for a body that is about to be read.
struct RoomForBody {
    _held: MediaRoom,
}

impl FromRequestParts<Chat> for RoomForBody {
    type Rejection = MatrixError;

    async fn from_request_parts(parts: &mut Parts, chat: &Chat) -> Result<Self, MatrixError> {
        let length = parts.headers.get(CONTENT_LENGTH);
        let told = length.and_then(|length| length.to_str().ok()?.parse().ok());
        // Who does not tell may send as much as is allowed; who tells more is refused when the body is read.
        let bytes = told.unwrap_or(UPLOAD_BYTES_MAX).min(UPLOAD_BYTES_MAX);
        let held = chat.media_room(bytes)?;
        Ok(Self { _held: held })
    }
}

#[derive(Deserialize)]
struct Named {
    filename: Option<String>,
}

async fn upload(
    State(chat): State<Chat>,
    Who(actor): Who,
    Query(named): Query<Named>,
    headers: HeaderMap,
    _room: RoomForBody,
    Body(bytes): Body,
) -> Result<Json<Value>, MatrixError> {
    let upload = upload_of(bytes, &headers, named)?;
    Ok(Json(json!({ "content_uri": chat.upload(&actor, upload).await? })))
}

async fn create(State(chat): State<Chat>, Who(actor): Who) -> Result<Json<Value>, MatrixError> {
    let (uri, expires_at) = chat.reserve_media(&actor).await?;
    Ok(Json(
        json!({ "content_uri": uri, "unused_expires_at": expires_at.millis() }),
    ))
}

async fn upload_announced(
    State(chat): State<Chat>,
    Who(actor): Who,
    Path((server_name, media_id)): Path<(String, String)>,
    Query(named): Query<Named>,
    headers: HeaderMap,
    _room: RoomForBody,
    Body(bytes): Body,
) -> Result<Json<Value>, MatrixError> {
    let upload = upload_of(bytes, &headers, named)?;
    chat.fill_reservation(&actor, &server_name, media_id, upload)
        .await?;
    Ok(Json(json!({})))
}

fn upload_of(bytes: bytes::Bytes, headers: &HeaderMap, named: Named) -> Result<Upload, MatrixError> {
    let content_type = headers
        .get(CONTENT_TYPE)
        .map(|value| value.to_str().map(str::to_owned));
    let content_type = content_type
        .transpose()
        .map_err(|_| MatrixError::invalid_parameter("the content type is malformed"))?;
    Ok(Upload {
        bytes,
        content_type,
        file_name: named.filename,
    })
}

/// How long the client waits for an upload that was announced.
#[derive(Deserialize)]
struct Patience {
    timeout_ms: Option<u64>,
}

impl Patience {
    fn wait(&self) -> Duration {
        self.timeout_ms
            .map_or(ARRIVAL_WAIT_DEFAULT, Duration::from_millis)
    }
}

async fn download(
    State(chat): State<Chat>,
    _: Who,
    Path((server_name, media_id)): Path<(String, String)>,
    Query(patience): Query<Patience>,
    headers: HeaderMap,
) -> Result<Response, MatrixError> {
    let download = chat.download(&server_name, &media_id, patience.wait()).await?;
    served(download, &headers)
}

async fn download_as(
    State(chat): State<Chat>,
    _: Who,
    Path((server_name, media_id, file_name)): Path<(String, String, String)>,
    Query(patience): Query<Patience>,
    headers: HeaderMap,
) -> Result<Response, MatrixError> {
    let mut download = chat.download(&server_name, &media_id, patience.wait()).await?;
    download.file_name = Some(file_name);
    served(download, &headers)
}

/// Which thumbnail. Pictures here stand still: `animated` is taken, and what comes does not move, as the specification
/// allows.
#[derive(Deserialize)]
struct ThumbnailWish {
    width: u32,
    height: u32,
    method: Option<String>,
    timeout_ms: Option<u64>,
}

async fn thumbnail(
    State(chat): State<Chat>,
    _: Who,
    Path((server_name, media_id)): Path<(String, String)>,
    Query(wish): Query<ThumbnailWish>,
    headers: HeaderMap,
) -> Result<Response, MatrixError> {
    let method: ThumbnailMethod = wish.method.as_deref().unwrap_or("scale").parse()?;
    let size = ThumbnailSize::for_wish(method, wish.width, wish.height)?;
    let timeout_ms = wish.timeout_ms;
    let wait = Patience { timeout_ms }.wait();
    let made = chat.thumbnail(&server_name, &media_id, size, wait).await?;
    served(made, &headers)
}

/// Serves an upload, or the part that was asked for, or nothing when the client has it already.
fn served(download: Download, asked: &HeaderMap) -> Result<Response, MatrixError> {
    let text = |name: HeaderName| asked.get(name).and_then(|value| value.to_str().ok());
    let etag = format!("\"{}\"", download.etag);
    let has_it = text(IF_NONE_MATCH).is_some_and(|known| {
        let mut known = known.split(',').map(|tag| tag.trim().trim_start_matches("W/"));
        known.any(|tag| tag == etag || tag == "*")
    });
    let length = download.bytes.len();
    // A part of something else than the client knows is of no use to it.
    let wanted = match (text(RANGE), text(IF_RANGE)) {
        (Some(_), Some(known)) if known != etag => Wanted::Whole,
        (Some(range), _) => Wanted::read(range, length),
        (None, _) => Wanted::Whole,
    };
    let mut response = match wanted {
        _ if has_it => StatusCode::NOT_MODIFIED.into_response(),
        Wanted::Whole => download.bytes.clone().into_response(),
        Wanted::Part(part) => {
            let told = format!("bytes {}-{}/{length}", part.start, part.end - 1);
            let mut response = (StatusCode::PARTIAL_CONTENT, download.bytes.slice(part)).into_response();
            insert(response.headers_mut(), CONTENT_RANGE, &told);
            response
        }
        Wanted::Outside => {
            let error = MatrixError::new(
                StatusCode::RANGE_NOT_SATISFIABLE,
                "M_UNKNOWN",
                "the file is shorter than the range that was asked for",
            );
            let mut response = error.into_response();
            insert(
                response.headers_mut(),
                CONTENT_RANGE,
                &format!("bytes */{length}"),
            );
            return Ok(response);
        }
    };
    let headers = response.headers_mut();
    insert(headers, ETAG, &etag);
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    guard(headers, download);
    Ok(response)
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Sees to it that a browser runs nothing of an upload, whatever it is or claims to be.
fn guard(headers: &mut HeaderMap, download: Download) {
    const SANDBOX: &str = "sandbox; default-src 'none'; script-src 'none'; plugin-types application/pdf; \
                           style-src 'unsafe-inline'; object-src 'self'";
    const SHARED: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
    let essence = download
        .content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let kind = if SHOWN_INLINE.contains(&essence.as_str()) {
        ContentDispositionType::Inline
    } else {
        ContentDispositionType::Attachment
    };
    let disposition = ContentDisposition::new(kind).with_filename(download.file_name);
    let fallback = HeaderValue::from_static("application/octet-stream");
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_str(&download.content_type).unwrap_or(fallback),
    );
    let attachment = HeaderValue::from_static("attachment");
    headers.insert(
        CONTENT_DISPOSITION,
        HeaderValue::from_str(&disposition.to_string()).unwrap_or(attachment),
    );
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(SANDBOX));
    headers.insert(SHARED, HeaderValue::from_static("cross-origin"));
    // What a URI names never changes; but it is for who is signed in.
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("private, max-age=31536000, immutable"),
    );
}
