//! Previews of links (client-server API, "Content repository").

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::CONTENT_TYPE;
use serde::Deserialize;

use super::error::MatrixError;
use super::ruma::{Query, Who};
use crate::Chat;

pub(super) fn routes() -> Router<Chat> {
    let paths = [
        "/_matrix/client/v1/media/preview_url",
        "/_matrix/media/v3/preview_url",
        "/_matrix/media/r0/preview_url",
    ];
    paths
        .into_iter()
        .fold(Router::new(), |router, path| router.route(path, get(preview_url)))
}

/// Which page. What a page said at an earlier time is not kept, so `ts` is taken and means nothing.
#[derive(Deserialize)]
struct Wish {
    url: String,
}

async fn preview_url(
    State(chat): State<Chat>,
    Who(actor): Who,
    Query(wish): Query<Wish>,
) -> Result<Response, MatrixError> {
    let preview = chat.preview(&actor, &wish.url).await?;
    Ok(([(CONTENT_TYPE, "application/json")], preview).into_response())
}
