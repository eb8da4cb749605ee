//! Signing up by way of Matrix: refused. People sign up with their phone number, and there are no guests.

use axum::Router;
use axum::routing::{get, post};
use serde::Deserialize;

use super::error::MatrixError;
use super::ruma::Query;
use crate::{Chat, ChatError};

pub(super) fn routes() -> Router<Chat> {
    ["v3", "r0"].into_iter().fold(Router::new(), |router, version| {
        router
            .route(&format!("/_matrix/client/{version}/register"), post(register))
            .route(
                &format!("/_matrix/client/{version}/register/available"),
                get(available),
            )
    })
}

#[derive(Deserialize)]
struct Kind {
    kind: Option<String>,
}

async fn register(Query(kind): Query<Kind>) -> MatrixError {
    match kind.kind.as_deref() {
        Some("guest") => ChatError::GuestsForbidden.into(),
        None | Some("user") => by_phone_only(),
        Some(_) => MatrixError::invalid_parameter("kind is user or guest"),
    }
}

async fn available() -> MatrixError {
    by_phone_only()
}

fn by_phone_only() -> MatrixError {
    MatrixError::forbidden("sign up with your phone number, in the app of this server")
}
