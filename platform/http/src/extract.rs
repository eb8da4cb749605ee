//! Path, query and header as typed values; what cannot be read is refused with a problem.

use axum::RequestPartsExt;
use axum::extract::FromRequestParts;
use haechi_base::limits::IDEMPOTENCY_KEY_BYTES_MAX;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::Problem;

/// The parameters of the path. A malformed one is a 404: there is nothing at that address.
#[derive(Debug, Clone, Copy)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send + 'static, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        match parts.extract::<axum::extract::Path<T>>().await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(refusal) => Err(Problem::not_found("malformed-path", refusal.body_text())),
        }
    }
}

/// The parameters after the `?`.
#[derive(Debug, Clone, Copy)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        match axum::extract::Query::<T>::try_from_uri(&parts.uri) {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(refusal) => Err(Problem::bad_request("invalid-query", refusal.body_text())),
        }
    }
}

/// The `Idempotency-Key` header: 1 to 128 printable ASCII characters. It is required where it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(pub String);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all("idempotency-key").iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(Problem::bad_request(
                "idempotency-key-needed",
                "Send one Idempotency-Key header, and the same one when you send the request again.",
            ));
        };
        match value.to_str() {
            Ok(key) if is_key(key) => Ok(Self(key.to_owned())),
            _ => Err(Problem::bad_request(
                "malformed-idempotency-key",
                "An Idempotency-Key is 1 to 128 printable ASCII characters.",
            )),
        }
    }
}

fn is_key(key: &str) -> bool {
    (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use http::Request;

    async fn key_of(values: &[&str]) -> Result<IdempotencyKey, Problem> {
        let mut request = Request::builder();
        for value in values {
            request = request.header("idempotency-key", *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        IdempotencyKey::from_request_parts(&mut parts, &()).await
    }

    #[tokio::test]
    async fn one_printable_key_is_taken_and_nothing_else() {
        assert_eq!(key_of(&["abc-123"]).await.unwrap().0, "abc-123");
        assert_eq!(key_of(&[]).await.unwrap_err().slug(), "idempotency-key-needed");
        assert_eq!(
            key_of(&["a", "b"]).await.unwrap_err().slug(),
            "idempotency-key-needed"
        );
        for bad in ["", "a b", "\u{e9}", &"x".repeat(129)] {
            assert!(key_of(&[bad]).await.is_err(), "{bad:?} was taken");
        }
        assert!(key_of(&[&"x".repeat(128)]).await.is_ok());
    }
}
