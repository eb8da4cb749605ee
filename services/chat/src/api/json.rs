//! Reading bodies whose parts stay as their clients wrote them: with our own types, where ruma's would read too much.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use haechi_http::has_nul;
use serde::de::DeserializeOwned;

use super::error::MatrixError;
use super::ruma::{Body, of_json};

/// A JSON body; nothing at all counts as an empty object.
pub(super) struct Read<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Read<T> {
    type Rejection = MatrixError;

    async fn from_request(request: Request, state: &S) -> Result<Self, MatrixError> {
        let Body(body): Body = Body::from_request(request, state).await?;
        read(&body).map(Self)
    }
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, MatrixError> {
    if has_nul(body) {
        return Err(MatrixError::bad_json("the body holds the character U+0000"));
    }
    let text = std::str::from_utf8(body).map_err(|_| MatrixError::not_json("the body is not UTF-8"))?;
    let text = if text.is_empty() { "{}" } else { text };
    serde_json::from_str(text).map_err(|error| of_json(&error))
}
