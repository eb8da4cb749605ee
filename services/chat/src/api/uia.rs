//! Asking who is signed in for their password once more (client-server API, "User-Interactive Authentication API").
//!
//! The one stage there is asks for nothing that was asked before, so the session that clients carry along means nothing
//! here and is kept nowhere.

use std::str::FromStr;

use axum::Json;
use axum::response::{IntoResponse, Response};
use haechi_base::{Actor, random};
use haechi_http::Caller;
use haechi_identity::{IdentityError, Password};
use http::StatusCode;
use ruma::api::client::uiaa::UserIdentifier;
use serde::Deserialize;
use serde_json::json;

use super::error::MatrixError;
use super::login::subject;
use crate::{Chat, ChatError};

const PASSWORD: &str = "m.login.password";

/// What a client sends to say who it is.
#[derive(Deserialize)]
pub(super) struct Auth {
    #[serde(rename = "type")]
    kind: Option<String>,
    identifier: Option<UserIdentifier>,
    password: Option<String>,
    token: Option<String>,
    session: Option<String>,
}

impl Auth {
    /// The stage that the client means to have passed.
    pub(super) fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    /// The token that it was handed by the operator.
    pub(super) fn token(&self) -> &str {
        self.token.as_deref().unwrap_or_default()
    }

    /// The session that the client was given with the question.
    pub(super) fn session(&self) -> Option<String> {
        self.session.clone()
    }
}

/// A refusal, or the question for the password.
pub(super) enum Refusal {
    Ask {
        /// The session the client named, if it did.
        session: Option<String>,
        /// What was wrong with its last try.
        error: Option<String>,
    },
    Other(MatrixError),
}

/// Whether the person said their password; `false` when they were not asked yet.
///
/// # Errors
/// The question again after a wrong password, and what signing in can be refused with.
pub(super) async fn is_confirmed(
    chat: &Chat,
    actor: &Actor,
    caller: Caller,
    auth: Option<Auth>,
) -> Result<bool, Refusal> {
    let Some(auth) = auth else { return Ok(false) };
    let again = |error: &str| Refusal::Ask {
        session: auth.session.clone(),
        error: Some(error.to_owned()),
    };
    match auth.kind.as_deref() {
        Some(PASSWORD) => {}
        // A client that asks how far it has come.
        None => return Ok(false),
        Some(_) => return Err(again("the password is the one way to confirm this")),
    }
    let named = match &auth.identifier {
        None => None,
        Some(identifier) => Some(subject(chat, identifier).ok_or_else(|| again("this is somebody else"))?),
    };
    let password = auth.password.as_deref().unwrap_or_default();
    let password = Password::from_str(password).map_err(|_| again("the password is wrong"))?;
    match chat
        .identity()
        .confirm_password(actor, named, password, caller)
        .await
    {
        Ok(()) => Ok(true),
        Err(IdentityError::WrongPassword) => Err(again("the password is wrong")),
        Err(error) => Err(Refusal::Other(error.into())),
    }
}

/// Goes on only when the person said their password.
///
/// # Errors
/// As [`is_confirmed`], and the question itself.
pub(super) async fn confirm(
    chat: &Chat,
    actor: &Actor,
    caller: Caller,
    auth: Option<Auth>,
) -> Result<(), Refusal> {
    let session = auth.as_ref().and_then(|auth| auth.session.clone());
    match is_confirmed(chat, actor, caller, auth).await? {
        true => Ok(()),
        false => Err(Refusal::Ask { session, error: None }),
    }
}

impl Refusal {
    /// The question as the next one of the client's session.
    pub(super) fn in_session(self, named: Option<String>) -> Self {
        match self {
            Self::Ask { session: None, error } => Self::Ask {
                session: named,
                error,
            },
            other => other,
        }
    }
}

impl From<MatrixError> for Refusal {
    fn from(error: MatrixError) -> Self {
        Self::Other(error)
    }
}

impl From<ChatError> for Refusal {
    fn from(error: ChatError) -> Self {
        match error {
            ChatError::ConfirmationNeeded => Self::Ask {
                session: None,
                error: None,
            },
            other => Self::Other(other.into()),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Other(error) => error.into_response(),
            Self::Ask { session, error } => question(PASSWORD, session, error),
        }
    }
}

/// Asks for the one stage that there is.
pub(super) fn question(stage: &str, session: Option<String>, error: Option<String>) -> Response {
    let mut body = json!({
        "flows": [{ "stages": [stage] }],
        "completed": [],
        "params": {},
        "session": session.unwrap_or_else(random::name),
    });
    if let Some(error) = error {
        body["errcode"] = "M_FORBIDDEN".into();
        body["error"] = error.into();
    }
    (StatusCode::UNAUTHORIZED, Json(body)).into_response()
}
