//! Signing up by way of Matrix (client-server API, "Account registration"). People sign up with their phone number in the
//! app of the server; with a username and a password only where the operator offers it. There are no guests.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use haechi_http::Caller;
use haechi_identity::{DeviceRequest, IdentityError, Password, Registration, Username};
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::MatrixError;
use super::json::Read;
use super::login::told;
use super::ruma::Query;
use super::uia::{Auth, question};
use crate::{Chat, ChatError};

const DUMMY: &str = "m.login.dummy";
const TOKEN: &str = "m.login.registration_token";

pub(super) fn routes() -> Router<Chat> {
    let router = Router::new().route(
        "/_matrix/client/v1/register/m.login.registration_token/validity",
        get(validity),
    );
    ["v3", "r0"].into_iter().fold(router, |router, version| {
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

#[derive(Deserialize)]
struct Newcomer {
    username: Option<String>,
    password: Option<String>,
    device_id: Option<String>,
    initial_device_display_name: Option<String>,
    #[serde(default)]
    inhibit_login: bool,
    #[serde(default)]
    refresh_token: bool,
    auth: Option<Auth>,
}

/// What is in the way of signing up.
enum Obstacle {
    Refused(MatrixError),
    /// The stage that is to be passed, with the client's session and what was wrong.
    Ask(&'static str, Option<String>, Option<String>),
}

impl<E: Into<MatrixError>> From<E> for Obstacle {
    fn from(error: E) -> Self {
        Self::Refused(error.into())
    }
}

impl IntoResponse for Obstacle {
    fn into_response(self) -> Response {
        match self {
            Self::Refused(error) => error.into_response(),
            Self::Ask(stage, session, error) => question(stage, session, error),
        }
    }
}

async fn register(
    State(chat): State<Chat>,
    caller: Caller,
    Query(kind): Query<Kind>,
    Read(newcomer): Read<Newcomer>,
) -> Result<Json<Value>, Obstacle> {
    match kind.kind.as_deref() {
        Some("guest") => return Err(ChatError::GuestsForbidden.into()),
        None | Some("user") => {}
        Some(_) => return Err(MatrixError::invalid_parameter("kind is user or guest").into()),
    }
    let stage = stage_of(&chat)?;
    let identity = chat.identity();
    let name: Option<Username> = newcomer.username.as_deref().map(str::parse).transpose()?;
    if let Some(name) = &name {
        identity.refuse_taken(name, caller).await?;
    }
    pass(&chat, stage, newcomer.auth.as_ref(), caller)?;
    let password = newcomer.password.as_deref().ok_or_else(|| {
        MatrixError::new(
            http::StatusCode::BAD_REQUEST,
            "M_MISSING_PARAM",
            "choose a password of 8 to 256 characters",
        )
    })?;
    let password: Password = password.parse()?;
    if newcomer.inhibit_login {
        let person = identity.register(name, password, caller).await?;
        return Ok(Json(
            json!({ "user_id": chat.user_id(person), "home_server": chat.server_name() }),
        ));
    }
    let device = DeviceRequest::new(
        newcomer.device_id.as_deref(),
        newcomer.initial_device_display_name.as_deref(),
        newcomer.refresh_token,
    )?;
    let session = identity
        .register_and_sign_in(name, password, device, caller)
        .await?;
    Ok(Json(told(&chat, &session)))
}

fn stage_of(chat: &Chat) -> Result<&'static str, IdentityError> {
    match chat.identity().registration() {
        Registration::Closed => Err(IdentityError::RegistrationClosed),
        Registration::Token(_) => Ok(TOKEN),
        Registration::Open => Ok(DUMMY),
    }
}

/// Goes on only when the client has passed the stage.
fn pass(chat: &Chat, stage: &'static str, auth: Option<&Auth>, caller: Caller) -> Result<(), Obstacle> {
    let session = auth.and_then(Auth::session);
    let ask = |error: Option<&str>| Obstacle::Ask(stage, session.clone(), error.map(str::to_owned));
    match auth.and_then(Auth::kind) {
        None => Err(ask(None)),
        Some(kind) if kind != stage => Err(ask(Some("this is not how people sign up here"))),
        Some(DUMMY) => Ok(()),
        Some(_) => {
            let token = auth.map(Auth::token).unwrap_or_default();
            match chat.identity().is_registration_token(token, caller)? {
                true => Ok(()),
                false => Err(ask(Some(&IdentityError::WrongRegistrationToken.to_string()))),
            }
        }
    }
}

#[derive(Deserialize)]
struct Wished {
    username: String,
}

async fn available(
    State(chat): State<Chat>,
    caller: Caller,
    Query(wished): Query<Wished>,
) -> Result<Json<Value>, MatrixError> {
    stage_of(&chat)?;
    let name: Username = wished.username.parse()?;
    chat.identity().refuse_taken(&name, caller).await?;
    Ok(Json(json!({ "available": true })))
}

#[derive(Deserialize)]
struct Handed {
    token: String,
}

async fn validity(
    State(chat): State<Chat>,
    caller: Caller,
    Query(handed): Query<Handed>,
) -> Result<Json<Value>, MatrixError> {
    let is_valid = chat.identity().is_registration_token(&handed.token, caller)?;
    Ok(Json(json!({ "valid": is_valid })))
}
