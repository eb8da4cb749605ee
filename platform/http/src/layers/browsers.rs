//! Browsers may call from pages of any origin (CORS, the Fetch standard section 3.2): the web app of one site goes
//! on with the next one when its own burns, and Matrix clients come from anywhere (client-server API, "Web browser
//! clients"). A call is signed by a token that the page holds itself. There are no cookies, so a foreign page can
//! do nothing in somebody's name.

use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
};
use http::{HeaderMap, HeaderValue, Uri};

/// Where there is something to call, and no page.
const OPEN: [&str; 3] = ["/api/", "/_matrix/", "/.well-known/"];

const ORIGINS: HeaderValue = HeaderValue::from_static("*");
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
const HEADERS: HeaderValue =
    HeaderValue::from_static("Authorization, Content-Type, Idempotency-Key, X-Request-Id, X-Requested-With");

/// What a page may read of an answer beside its body: when to come again, and what to name in a report.
const EXPOSED: HeaderValue = HeaderValue::from_static("Retry-After, X-Request-Id");

/// How long a browser may remember a preflight, in seconds: a day.
const REMEMBERED_S: HeaderValue = HeaderValue::from_static("86400");

/// Whether pages of any origin may call this address.
pub(super) fn may_call(uri: &Uri) -> bool {
    OPEN.iter().any(|start| uri.path().starts_with(start))
}

/// The answer to the question whether one may ask. It is the same for everybody, so nobody is counted for it.
pub(super) fn preflight() -> Response {
    let mut response = ().into_response();
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
    headers.insert(ACCESS_CONTROL_MAX_AGE, REMEMBERED_S);
    response
}

/// Lets the page have the answer.
pub(super) fn allow(headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, ORIGINS);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
}
