//! Reading requests: with ruma's types where it has one, and who asks.

use axum::RequestExt;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use haechi_base::Actor;
use haechi_http::{Authenticated, AuthenticationError, Problem, has_nul};
use http::StatusCode;
use http::request::Parts;
use ruma::api::error::{DeserializationError, FromHttpRequestError};
use ruma::api::{IncomingRequest, IncomingRequestExt};
use serde::de::DeserializeOwned;

use super::error::MatrixError;

/// A request of the specification, by whoever.
pub(super) struct Anyone<T>(pub(super) T);

/// A request of the specification, by somebody who is signed in.
pub(super) struct Signed<T>(pub(super) Actor, pub(super) T);

/// Who asks; a request without a valid token is refused.
pub(super) struct Who(pub(super) Actor);

/// Who asks, when it is somebody; a false token is refused.
pub(super) struct Perhaps(pub(super) Option<Actor>);

/// The parameters in the address.
pub(super) struct Path<T>(pub(super) T);

/// The parameters behind the question mark.
pub(super) struct Query<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = MatrixError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, MatrixError> {
        let read = axum::extract::Path::from_request_parts(parts, state).await;
        read.map(|axum::extract::Path(value)| Self(value))
            .map_err(|rejection| MatrixError::invalid_parameter(rejection.body_text()))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = MatrixError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, MatrixError> {
        let read = axum::extract::Query::from_request_parts(parts, state).await;
        read.map(|axum::extract::Query(value)| Self(value))
            .map_err(|rejection| MatrixError::invalid_parameter(rejection.body_text()))
    }
}

/// The body, whatever it holds.
pub(super) struct Body(pub(super) Bytes);

impl<S: Send + Sync> FromRequestParts<S> for Who {
    type Rejection = MatrixError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, MatrixError> {
        match parts.extensions.get() {
            Some(Authenticated(Ok(actor))) => Ok(Self(actor.clone())),
            Some(Authenticated(Err(error))) => Err(refuse(error)),
            None => Err(MatrixError::new(
                StatusCode::UNAUTHORIZED,
                "M_MISSING_TOKEN",
                "send the access token in the header Authorization",
            )),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Perhaps {
    type Rejection = MatrixError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, MatrixError> {
        if parts.extensions.get::<Authenticated>().is_none() {
            return Ok(Self(None));
        }
        let Who(actor) = Who::from_request_parts(parts, state).await?;
        Ok(Self(Some(actor)))
    }
}

fn refuse(error: &AuthenticationError) -> MatrixError {
    match error {
        AuthenticationError::Unknown => {
            MatrixError::new(StatusCode::UNAUTHORIZED, "M_UNKNOWN_TOKEN", error.to_string())
        }
        AuthenticationError::Expired => MatrixError::expired_token(error.to_string()),
        AuthenticationError::Store(error) => Problem::from(error.clone()).into(),
    }
}

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = MatrixError;

    async fn from_request(request: Request, state: &S) -> Result<Self, MatrixError> {
        let read = Bytes::from_request(request, state).await;
        read.map(Self).map_err(|rejection: BytesRejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                MatrixError::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "M_TOO_LARGE",
                    "the body is too large",
                )
            } else {
                MatrixError::new(StatusCode::BAD_REQUEST, "M_UNKNOWN", "the body cannot be read")
            }
        })
    }
}

impl<S: Send + Sync, T: IncomingRequest> FromRequest<S> for Anyone<T> {
    type Rejection = MatrixError;

    async fn from_request(request: Request, state: &S) -> Result<Self, MatrixError> {
        read(request, state).await.map(Self)
    }
}

impl<S: Send + Sync, T: IncomingRequest> FromRequest<S> for Signed<T> {
    type Rejection = MatrixError;

    async fn from_request(mut request: Request, state: &S) -> Result<Self, MatrixError> {
        let Who(actor) = request.extract_parts().await?;
        Ok(Self(actor, read(request, state).await?))
    }
}

async fn read<S: Send + Sync, T: IncomingRequest>(mut request: Request, state: &S) -> Result<T, MatrixError> {
    let path: RawPathParams = request
        .extract_parts()
        .await
        .map_err(|_| MatrixError::invalid_parameter("the address is not UTF-8"))?;
    let arguments: Vec<&str> = path.iter().map(|(_, value)| value).collect();
    let (method, uri, headers) = (
        request.method().clone(),
        request.uri().clone(),
        request.headers().clone(),
    );
    let Body(body) = Body::from_request(request, state).await?;
    if has_nul(&body) {
        return Err(MatrixError::bad_json("the body holds the character U+0000"));
    }
    // Some clients send nothing where all fields may be left out.
    let body = if body.is_empty() {
        b"{}".as_slice()
    } else {
        body.as_ref()
    };
    let mut plain = http::Request::new(body);
    *plain.method_mut() = method;
    *plain.uri_mut() = uri;
    *plain.headers_mut() = headers;
    T::try_from_http_request(plain, &arguments).map_err(|error| match error {
        FromHttpRequestError::Deserialization(DeserializationError::Json(error)) => of_json(&error),
        FromHttpRequestError::Deserialization(DeserializationError::Utf8(_)) => {
            MatrixError::not_json("the body is not UTF-8")
        }
        other => MatrixError::invalid_parameter(other.to_string()),
    })
}

/// What is no JSON at all, and what is JSON of another shape.
pub(super) fn of_json(error: &serde_json::Error) -> MatrixError {
    if error.is_data() {
        MatrixError::bad_json(error.to_string())
    } else {
        MatrixError::not_json(error.to_string())
    }
}
