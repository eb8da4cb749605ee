//! Requests as a client would send them, straight into the router.

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tower::ServiceExt as _;

/// A request that is being put together.
#[must_use = "a request does nothing until it is sent"]
pub struct TestRequest {
    router: Router,
    label: String,
    builder: http::request::Builder,
    body: Bytes,
}

impl TestRequest {
    pub(crate) fn new(router: Router, method: &Method, path: &str) -> Self {
        Self {
            router,
            label: format!("{method} {path}"),
            builder: Request::builder().method(method).uri(path),
            body: Bytes::new(),
        }
    }

    /// Signs the request with an access token.
    pub fn bearer(self, token: &str) -> Self {
        self.header(AUTHORIZATION.as_str(), &format!("Bearer {token}"))
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.builder = self.builder.header(name, value);
        self
    }

    /// Sends a value as JSON.
    ///
    /// # Panics
    /// When the value cannot be written as JSON.
    pub fn json(self, value: impl Serialize) -> Self {
        let bytes = serde_json::to_vec(&value).expect("JSON");
        self.bytes("application/json", bytes)
    }

    /// Sends bytes under a content type.
    pub fn bytes(self, content_type: &str, bytes: impl Into<Bytes>) -> Self {
        let mut request = self.header(CONTENT_TYPE.as_str(), content_type);
        request.body = bytes.into();
        request
    }

    /// Sends the request and reads the whole answer.
    ///
    /// # Panics
    /// When the request cannot be written, as with a malformed path.
    pub async fn send(self) -> TestResponse {
        let request = self
            .builder
            .body(Body::from(self.body))
            .expect("a well-formed request");
        let response = self
            .router
            .oneshot(request)
            .await
            .expect("the router never fails");
        let (parts, body) = response.into_parts();
        TestResponse {
            label: self.label,
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.expect("a whole body").to_bytes(),
        }
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct TestResponse {
    label: String,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl TestResponse {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Asserts the status and goes on with the answer.
    ///
    /// # Panics
    /// When the status is another.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(
            self.status.as_u16(),
            status,
            "{} answered {}",
            self.label,
            self.text()
        );
        self
    }

    /// The body read as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> Value {
        self.json_as()
    }

    /// The body read as JSON of a type.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    #[track_caller]
    pub fn json_as<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{} answered {}: {error}", self.label, self.text()))
    }

    /// What was asked, for messages.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }
}

/// Asserts that the answer is the problem (RFC 9457) of that status and kind.
///
/// # Panics
/// When it is not.
#[track_caller]
pub fn assert_problem(response: &TestResponse, status: u16, slug: &str) {
    let label = response.label();
    let text = response.text();
    assert_eq!(response.status.as_u16(), status, "{label} answered {text}");
    let kind = response
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    assert_eq!(kind, Some("application/problem+json"), "{label} answered {text}");
    let document = response.json();
    assert_eq!(
        document["type"],
        format!("/problems/{slug}"),
        "{label} answered {text}"
    );
    assert_eq!(document["status"], status, "{label} answered {text}");
}
