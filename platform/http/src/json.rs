//! JSON bodies: read strictly, written plainly.

use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Problem;

/// A JSON body, asked or answered.
///
/// Refused: another content type (415), what is no JSON (400 `malformed-json`), JSON of another shape (422
/// `unknown-field` or `invalid-body`), a body over the limit (413).
#[derive(Debug, Clone, Copy, Default)]
pub struct Json<T>(pub T);

/// A JSON body together with its bytes: the fingerprint of a request with an idempotency key.
#[derive(Debug, Clone)]
pub struct JsonWithBytes<T> {
    /// What was asked.
    pub value: T,
    /// The very bytes.
    pub bytes: Bytes,
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonWithBytes<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(
                http::StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "json-needed",
                "Send the body as JSON, with `Content-Type: application/json`.",
            ));
        }
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|refusal| match refusal.status() {
                http::StatusCode::PAYLOAD_TOO_LARGE => {
                    Problem::payload_too_large("body-too-large", "The body is larger than this route takes.")
                }
                _ => Problem::bad_request("body-cut-off", "The body did not arrive in full."),
            })?;
        let value = parse(&bytes)?;
        Ok(Self { value, bytes })
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = JsonWithBytes::from_request(request, state).await?;
        Ok(Self(body.value))
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(bytes) => {
                let json = HeaderValue::from_static("application/json");
                ([(CONTENT_TYPE, json)], bytes).into_response()
            }
            Err(error) => Problem::internal(&error).into_response(),
        }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let is_suffixed = || {
        let start = kind.get(.."application/".len()).unwrap_or_default();
        let end = kind
            .len()
            .checked_sub("+json".len())
            .and_then(|at| kind.get(at..));
        start.eq_ignore_ascii_case("application/") && end.is_some_and(|end| end.eq_ignore_ascii_case("+json"))
    };
    kind.eq_ignore_ascii_case("application/json") || is_suffixed()
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if has_nul(bytes) {
        return Err(Problem::unprocessable(
            "nul-character",
            "A text must not hold the character U+0000.",
        ));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        let detail = error.to_string();
        match error.classify() {
            serde_json::error::Category::Data if detail.starts_with("unknown field") => {
                Problem::unprocessable("unknown-field", detail)
            }
            serde_json::error::Category::Data => Problem::unprocessable("invalid-body", detail),
            _ => Problem::bad_request("malformed-json", detail),
        }
    })
}

/// Whether a JSON text holds U+0000, which JSON can only write as an escape. PostgreSQL keeps no such text,
/// so it is refused at the door.
#[must_use]
pub fn has_nul(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        // An escape is a backslash and what it escapes: `\\u0000` is a backslash before the letters u0000.
        let escape = rest.get(at + 1..).unwrap_or_default();
        if escape.starts_with(b"u0000") {
            return true;
        }
        rest = escape.get(1..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use axum::body::Body;
    use proptest::prelude::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Greeting {
        #[expect(dead_code, reason = "only its type is of interest")]
        name: String,
    }

    async fn slug_of(kind: &str, body: impl Into<Body>) -> Result<(), &'static str> {
        let request = Request::builder()
            .header(CONTENT_TYPE, kind)
            .body(body.into())
            .unwrap();
        match Json::<Greeting>::from_request(request, &()).await {
            Ok(_) => Ok(()),
            Err(problem) => Err(problem.slug()),
        }
    }

    #[tokio::test]
    async fn what_is_wrong_with_a_body_is_said() {
        let json = "application/json";
        assert_eq!(slug_of(json, r#"{"name":"Minji"}"#).await, Ok(()));
        assert_eq!(
            slug_of("Application/JSON; charset=utf-8", r#"{"name":"Minji"}"#).await,
            Ok(())
        );
        assert_eq!(
            slug_of("text/plain", r#"{"name":"Minji"}"#).await,
            Err("json-needed")
        );
        assert_eq!(slug_of(json, "{").await, Err("malformed-json"));
        assert_eq!(slug_of(json, "").await, Err("malformed-json"));
        assert_eq!(
            slug_of(json, b"{\"name\":\"\xff\"}".to_vec()).await,
            Err("malformed-json")
        );
        assert_eq!(slug_of(json, r#"{"name":1}"#).await, Err("invalid-body"));
        assert_eq!(
            slug_of(json, r#"{"name":"a","age":1}"#).await,
            Err("unknown-field")
        );
        assert_eq!(slug_of(json, r#"{"name":"a\u0000"}"#).await, Err("nul-character"));
        assert_eq!(slug_of(json, r#"{"name":"a\\u0000"}"#).await, Ok(()));
        assert_eq!(
            slug_of(json, vec![b' '; 3 * 1024 * 1024]).await,
            Err("body-too-large")
        );
    }

    proptest! {
        #[test]
        fn nul_is_found_exactly_when_a_text_holds_it(text in "[a\\\\u0\"\u{0}]{0,12}") {
            let json = serde_json::to_vec(&text).unwrap();
            prop_assert_eq!(has_nul(&json), text.contains('\0'));
        }

        #[test]
        fn no_bytes_make_the_parser_panic(bytes: Vec<u8>) {
            let _ = parse::<Greeting>(&bytes);
        }
    }
}
