//! Who asks: the bearer token of a request (RFC 6750) and the person behind it.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use futures_util::future::BoxFuture;
use haechi_base::{Actor, Role};
use haechi_store::StoreError;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{Extensions, HeaderMap};
use thiserror::Error;

use crate::Problem;

/// Tells the person behind an access token. Implemented by identity.
pub trait Authenticator: Send + Sync + 'static {
    /// The actor that `token` stands for.
    ///
    /// # Errors
    /// [`AuthenticationError`].
    fn authenticate<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Actor, AuthenticationError>>;
}

/// Why a token stands for nobody.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AuthenticationError {
    /// It was never given out, or its session was ended.
    #[error("the access token is not known")]
    Unknown,
    /// It was given out and its time is over: refresh it.
    #[error("the access token has expired")]
    Expired,
    /// The store was needed and failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<AuthenticationError> for Problem {
    fn from(error: AuthenticationError) -> Self {
        match error {
            AuthenticationError::Unknown => sign_in_needed(),
            AuthenticationError::Expired => Self::unauthorized(
                "token-expired",
                "The access token has expired. Refresh it, or sign in again.",
            ),
            AuthenticationError::Store(error) => error.into(),
        }
    }
}

fn sign_in_needed() -> Problem {
    Problem::unauthorized(
        "sign-in-needed",
        "Sign in first, and send `Authorization: Bearer TOKEN`.",
    )
}

/// What the layers found out about the token of this request; a request extension. Without a token there is none.
#[derive(Debug, Clone)]
pub struct Authenticated(pub Result<Actor, AuthenticationError>);

/// The token of `Authorization: Bearer TOKEN`.
#[must_use]
pub fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Looks the token up, once a request; `None` when the request carries none.
pub(crate) async fn authenticate(
    headers: &HeaderMap,
    authenticator: &dyn Authenticator,
) -> Option<Authenticated> {
    let token = bearer_token(headers)?;
    Some(Authenticated(authenticator.authenticate(token).await))
}

/// The signed-in person; a request without one is refused with 401.
#[derive(Debug, Clone)]
pub struct SignedIn(pub Actor);

impl<S: Send + Sync> FromRequestParts<S> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        if let Some(Authenticated(outcome)) = parts.extensions.get() {
            return Ok(Self(outcome.clone()?));
        }
        // Behind the layers the answer stands there already; without them (a small test) it is asked for here.
        let Some(authenticator) = authenticator(&parts.extensions) else {
            return Err(sign_in_needed());
        };
        match authenticate(&parts.headers, &*authenticator).await {
            Some(Authenticated(outcome)) => Ok(Self(outcome?)),
            None => Err(sign_in_needed()),
        }
    }
}

fn authenticator(extensions: &Extensions) -> Option<Arc<dyn Authenticator>> {
    extensions.get::<Arc<dyn Authenticator>>().cloned()
}

/// A signed-in administrator; anyone else who is signed in is refused with 403.
#[derive(Debug, Clone)]
pub struct Administrator(pub Actor);

impl<S: Send + Sync> FromRequestParts<S> for Administrator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let SignedIn(actor) = SignedIn::from_request_parts(parts, state).await?;
        match actor.role {
            Role::Administrator => Ok(Self(actor)),
            Role::Person | Role::Service => Err(Problem::forbidden(
                "administrator-needed",
                "Only an administrator may do this.",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn the_bearer_token_is_found_and_nothing_else_is() {
        let mut headers = HeaderMap::new();
        assert_eq!(bearer_token(&headers), None);
        for (value, token) in [
            ("Bearer abc", Some("abc")),
            ("bearer abc", Some("abc")),
            ("Bearer  abc", Some("abc")),
            ("Bearer ", None),
            ("Bearer", None),
            ("Basic abc", None),
        ] {
            headers.insert(AUTHORIZATION, HeaderValue::from_static(value));
            assert_eq!(bearer_token(&headers), token, "{value:?}");
        }
    }
}
