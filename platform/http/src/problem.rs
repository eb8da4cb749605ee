//! Refusals as a caller sees them: RFC 9457 problem documents.

use std::borrow::Cow;
use std::fmt::Display;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use haechi_store::StoreError;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::ToSchema;

/// A refusal: what a handler returns instead of an answer. Says nothing about the inside of the program.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{slug}: {detail}")]
pub struct Problem {
    status: StatusCode,
    slug: &'static str,
    detail: Cow<'static, str>,
    retry_after: Option<Duration>,
}

/// The JSON of a [`Problem`] (RFC 9457 section 3.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDocument {
    /// `/problems/SLUG`: the kind of problem, the same on every occasion.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What was wrong this time.
    pub detail: String,
}

impl Problem {
    /// A problem with a status of one's own choice. `slug` is lower case with hyphens and never changes.
    pub fn new(status: StatusCode, slug: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            slug,
            detail: detail.into(),
            retry_after: None,
        }
    }

    /// 400: the request cannot be read.
    pub fn bad_request(slug: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, slug, detail)
    }

    /// 401: who asks is not known.
    pub fn unauthorized(slug: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, slug, detail)
    }

    /// 403: who asks is known and may not.
    pub fn forbidden(slug: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, slug, detail)
    }

    /// 404: there is no such thing, or none that the caller may know of.
    pub fn not_found(slug: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, slug, detail)
    }

    /// 409: it contradicts what is there already.
    pub fn conflict(slug: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::CONFLICT, slug, detail)
    }

    /// 413: the request is larger than the limit.
    pub fn payload_too_large(slug: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, slug, detail)
    }

    /// 422: the request can be read and cannot be meant.
    pub fn unprocessable(slug: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, slug, detail)
    }

    /// 429: too much in too little time.
    #[must_use]
    pub fn too_many_requests(retry_after: Duration) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-requests",
                "Too many requests in a short time. Wait a moment and try again.",
            )
        }
    }

    /// 503: it cannot be done now, and may be tried again.
    pub fn unavailable(retry_after: Duration, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
        }
    }

    /// 500: a fault of ours. The cause goes to the log and nowhere else.
    pub fn internal(cause: &dyn Display) -> Self {
        tracing::error!(%cause, "a request failed inside");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something went wrong inside. The operator finds the cause in the log by the request id.",
        )
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The kind of problem: the last part of `type`.
    #[must_use]
    pub const fn slug(&self) -> &'static str {
        self.slug
    }

    /// What was wrong this time.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// How long to wait before trying again.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The JSON document.
    #[must_use]
    pub fn document(&self) -> ProblemDocument {
        ProblemDocument {
            kind: format!("/problems/{}", self.slug),
            title: title(self.slug),
            status: self.status.as_u16(),
            detail: self.detail.clone().into_owned(),
        }
    }

    /// Sets `Retry-After` (whole seconds, at least one) and `WWW-Authenticate` where they belong.
    pub fn add_headers(&self, headers: &mut HeaderMap) {
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
    }
}

/// `display-name-needed` becomes `Display name needed`.
fn title(slug: &str) -> String {
    let mut letters = slug.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first
        .into_iter()
        .chain(letters.map(|letter| if letter == '-' { ' ' } else { letter }))
        .collect()
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.document()).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        self.add_headers(headers);
        // The layers may tell it in the words of another standard: see `ErrorStyle`.
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::KeyReused => Self::conflict(
                "idempotency-key-reused",
                "This Idempotency-Key was used before with another request. Use a new key for a new request.",
            ),
            StoreError::Unavailable(_) | StoreError::Unknown(_) => {
                tracing::warn!(%error, "the store could not be used");
                Self::unavailable(
                    Duration::from_secs(2),
                    "The data cannot be reached now. Nothing is lost; try again with the same Idempotency-Key.",
                )
            }
            StoreError::TooBusy { .. } | StoreError::Conflict { .. } => {
                tracing::warn!(%error, "the store is busy");
                Self::unavailable(Duration::from_secs(1), "Too much is going on now. Try again.")
            }
            other => Self::internal(&other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_a_document_with_its_headers() {
        let response = Problem::too_many_requests(Duration::from_millis(1_200)).into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[RETRY_AFTER], "2");
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        let document = Problem::conflict("display-name-needed", "Say a name.").document();
        assert_eq!(document.kind, "/problems/display-name-needed");
        assert_eq!(document.title, "Display name needed");
        assert_eq!(document.status, 409);
    }

    #[test]
    fn a_store_failure_says_nothing_inside() {
        let lost = Problem::from(StoreError::Unavailable("10.0.0.7:5432 refused".to_owned()));
        assert_eq!(lost.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(lost.retry_after().is_some() && !lost.detail().contains("10.0.0.7"));
        let broken = Problem::from(StoreError::NoColumn("password".to_owned()));
        assert_eq!(broken.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!broken.detail().contains("password"));
        assert_eq!(
            Problem::from(StoreError::KeyReused).slug(),
            "idempotency-key-reused"
        );
    }
}
