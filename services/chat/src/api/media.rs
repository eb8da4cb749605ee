//! Uploads and downloads (client-server API, "Content repository").

use axum::extract::{DefaultBodyLimit, FromRequestParts, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use haechi_base::limits::UPLOAD_BYTES_MAX;
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use ruma::http_headers::{ContentDisposition, ContentDispositionType};
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::MatrixError;
use super::ruma::{Body, Path, Query, Who};
use crate::Chat;
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
                get(download),
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
    let content_type = headers
        .get(CONTENT_TYPE)
        .map(|value| value.to_str().map(str::to_owned));
    let content_type = content_type
        .transpose()
        .map_err(|_| MatrixError::invalid_parameter("the content type is malformed"))?;
    let upload = Upload {
        bytes,
        content_type,
        file_name: named.filename,
    };
    Ok(Json(json!({ "content_uri": chat.upload(&actor, upload).await? })))
}

async fn download(
    State(chat): State<Chat>,
    _: Who,
    Path((server_name, media_id)): Path<(String, String)>,
) -> Result<Response, MatrixError> {
    Ok(served(chat.download(&server_name, &media_id).await?))
}

async fn download_as(
    State(chat): State<Chat>,
    _: Who,
    Path((server_name, media_id, file_name)): Path<(String, String, String)>,
) -> Result<Response, MatrixError> {
    let mut download = chat.download(&server_name, &media_id).await?;
    download.file_name = Some(file_name);
    Ok(served(download))
}

/// Serves an upload so that a browser runs nothing of it, whatever it is or claims to be.
fn served(download: Download) -> Response {
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
    let mut response = download.bytes.into_response();
    let headers = response.headers_mut();
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
    response
}
