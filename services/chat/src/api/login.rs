//! Signing in and out (client-server API, "Login").

use std::str::FromStr;

use axum::extract::State;
use axum::{Json, Router};
use haechi_base::Time;
use haechi_http::Caller;
use haechi_identity::{DeviceRequest, Password, PasswordSubject, SignedInSession, person_of_localpart};
use http::StatusCode;
use ruma::api::client::session::{
    get_login_token, get_login_types, login, logout, logout_all, refresh_token,
};
use ruma::api::client::uiaa::UserIdentifier;
use serde_json::{Value, json};

use super::endpoint;
use super::error::MatrixError;
use super::ruma::{Anyone, Signed};
use crate::Chat;

type Answer = Result<Json<Value>, MatrixError>;

pub(super) fn routes() -> Router<Chat> {
    let router = Router::new();
    let router = endpoint::<get_login_types::v3::Request, _, _>(router, login_types);
    let router = endpoint::<login::v3::Request, _, _>(router, log_in);
    let router = endpoint::<refresh_token::v3::Request, _, _>(router, refresh);
    let router = endpoint::<get_login_token::v1::Request, _, _>(router, login_token);
    let router = endpoint::<logout::v3::Request, _, _>(router, log_out);
    endpoint::<logout_all::v3::Request, _, _>(router, log_out_all)
}

async fn login_types() -> Json<Value> {
    Json(json!({ "flows": [
        { "type": "m.login.password" },
        { "type": "m.login.token", "get_login_token": true },
    ] }))
}

async fn log_in(
    State(chat): State<Chat>,
    caller: Caller,
    Anyone(request): Anyone<login::v3::Request>,
) -> Answer {
    let device_id = request.device_id.as_ref().map(|id| id.as_str());
    let device = DeviceRequest::new(
        device_id,
        request.initial_device_display_name.as_deref(),
        request.refresh_token,
    )?;
    let session = match request.login_info {
        login::v3::LoginInfo::Password(password) => {
            let subject = match &password.identifier {
                Some(identifier) => subject(&chat, identifier),
                // As clients did before they sent an identifier.
                #[expect(deprecated, reason = "stock clients still send it")]
                None => password
                    .user
                    .as_deref()
                    .and_then(|user| subject_named(&chat, user)),
            };
            let subject = subject.ok_or_else(wrong_password)?;
            // A password that nobody could have is as wrong as any other.
            let secret = Password::from_str(&password.password).map_err(|_| wrong_password())?;
            chat.identity()
                .sign_in_with_password(subject, secret, device, caller)
                .await?
        }
        login::v3::LoginInfo::Token(token) => chat
            .identity()
            .sign_in_with_login_token(&token.token, device)
            .await
            .map_err(|error| match error {
                haechi_identity::IdentityError::UnknownToken => MatrixError::forbidden(error.to_string()),
                other => other.into(),
            })?,
        _ => {
            return Err(MatrixError::new(
                StatusCode::BAD_REQUEST,
                "M_UNKNOWN",
                "sign in by m.login.password or m.login.token",
            ));
        }
    };
    Ok(Json(told(&chat, &session)))
}

fn wrong_password() -> MatrixError {
    MatrixError::forbidden("the person or the password is wrong")
}

/// Whom an identifier means: a user id, its local part, or a phone number.
pub(super) fn subject(chat: &Chat, identifier: &UserIdentifier) -> Option<PasswordSubject> {
    match identifier {
        UserIdentifier::Matrix(matrix) => subject_named(chat, &matrix.user),
        UserIdentifier::PhoneNumber(phone) => chat
            .identity()
            .parse_phone(&phone.phone)
            .ok()
            .map(PasswordSubject::Phone),
        UserIdentifier::Msisdn(phone) => {
            let number = format!("+{}", phone.number.trim_start_matches('+'));
            chat.identity()
                .parse_phone(&number)
                .ok()
                .map(PasswordSubject::Phone)
        }
        _ => None,
    }
}

/// Whom a name means: a user id, its local part, or a phone number. Nobody's local part has capitals.
fn subject_named(chat: &Chat, name: &str) -> Option<PasswordSubject> {
    let small = name.to_ascii_lowercase();
    let person = match small.starts_with('@') {
        true => return chat.person(&small).ok().map(PasswordSubject::Person),
        false => person_of_localpart(&small),
    };
    match person {
        Some(person) => Some(PasswordSubject::Person(person)),
        // People know their number, not their user id.
        None => chat.identity().parse_phone(name).ok().map(PasswordSubject::Phone),
    }
}

pub(super) fn told(chat: &Chat, session: &SignedInSession) -> Value {
    let mut told = json!({
        "user_id": chat.user_id(session.person.id),
        "access_token": session.access_token,
        "device_id": session.device_id,
        "home_server": chat.server_name(),
        "well_known": { "m.homeserver": { "base_url": chat.public_url() } },
    });
    if let Some(refresh_token) = &session.refresh_token {
        told["refresh_token"] = refresh_token.clone().into();
        told["expires_in_ms"] = expires_in_ms(chat, session.expires_at).into();
    }
    told
}

fn expires_in_ms(chat: &Chat, expires_at: Time) -> u64 {
    let left = expires_at.since(chat.moment());
    u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
}

async fn refresh(State(chat): State<Chat>, Anyone(request): Anyone<refresh_token::v3::Request>) -> Answer {
    let session = chat.identity().refresh(&request.refresh_token).await?;
    Ok(Json(json!({
        "access_token": session.access_token,
        "refresh_token": session.refresh_token,
        "expires_in_ms": expires_in_ms(&chat, session.expires_at),
    })))
}

async fn login_token(
    State(chat): State<Chat>,
    Signed(actor, _): Signed<get_login_token::v1::Request>,
) -> Answer {
    let issued = chat.identity().issue_login_token(&actor).await?;
    Ok(Json(json!({
        "login_token": issued.token,
        "expires_in_ms": expires_in_ms(&chat, issued.expires_at),
    })))
}

async fn log_out(State(chat): State<Chat>, Signed(actor, _): Signed<logout::v3::Request>) -> Answer {
    chat.identity().sign_out(&actor).await?;
    Ok(Json(json!({})))
}

async fn log_out_all(State(chat): State<Chat>, Signed(actor, _): Signed<logout_all::v3::Request>) -> Answer {
    chat.identity().sign_out_all(&actor).await?;
    Ok(Json(json!({})))
}
