//! The routes of identity: `/api/identity/...`.

use axum::extract::State;
use axum::response::IntoResponse;
use haechi_base::{PersonId, Role, SessionId, Time};
use haechi_http::{Caller, Json, Page, PageQuery, Path, Problem, Query, SignedIn};
use haechi_service::OpenApiRouter;
use haechi_store::Tx;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::gateway::GatewayKind;
use crate::model::{CodeId, DeviceRequest, DisplayName, IdentityError, Password, Session, SignedInSession};
use crate::{Identity, model, ops};

/// The table of contents.
pub(crate) fn routes() -> OpenApiRouter<Identity> {
    OpenApiRouter::default()
        .routes(routes!(show_gateway))
        .routes(routes!(request_code))
        .routes(routes!(sign_in, list_sessions))
        .routes(routes!(refresh))
        .routes(routes!(end_current_session))
        .routes(routes!(end_session))
        .routes(routes!(show_me, change_me))
        .routes(routes!(set_password))
}

impl From<IdentityError> for Problem {
    fn from(error: IdentityError) -> Self {
        let detail = error.to_string();
        match error {
            IdentityError::MalformedPhone => Self::unprocessable("malformed-phone", detail),
            IdentityError::MalformedDisplayName => Self::unprocessable("malformed-display-name", detail),
            IdentityError::MalformedDeviceName => Self::unprocessable("malformed-device-name", detail),
            IdentityError::MalformedDeviceId => Self::unprocessable("malformed-device-id", detail),
            IdentityError::MalformedPassword => Self::unprocessable("malformed-password", detail),
            IdentityError::MalformedUsername => Self::unprocessable("malformed-username", detail),
            IdentityError::UsernameTaken => Self::conflict("username-taken", detail),
            IdentityError::RegistrationClosed => Self::forbidden("registration-closed", detail),
            IdentityError::WrongRegistrationToken => Self::forbidden("wrong-registration-token", detail),
            IdentityError::DisplayNameNeeded => Self::conflict("display-name-needed", detail),
            IdentityError::WrongCode => Self::unauthorized("wrong-code", detail),
            IdentityError::WrongPassword => Self::forbidden("wrong-password", detail),
            IdentityError::UnknownToken => Self::unauthorized("unknown-token", detail),
            IdentityError::TooMany { retry_after } => Self::too_many_requests(retry_after),
            IdentityError::Replaced => Self::unavailable(std::time::Duration::from_secs(5), detail),
            IdentityError::TooBusy => Self::unavailable(std::time::Duration::from_secs(1), detail),
            IdentityError::CodeNotSent => Self::unavailable(std::time::Duration::from_secs(10), detail),
            IdentityError::NotAllowed => Self::forbidden("administrator-needed", detail),
            IdentityError::NoSuchPerson => Self::not_found("no-such-person", detail),
            IdentityError::NoSuchSession => Self::not_found("no-such-session", detail),
            IdentityError::Internal(cause) => Self::internal(&cause),
            IdentityError::Store(error) => error.into(),
        }
    }
}

/// How codes reach phones here.
#[derive(Debug, Serialize, ToSchema)]
struct Gateway {
    /// `development` shows codes on the page instead of sending them.
    kind: GatewayKind,
}

/// Tells how codes reach phones here.
#[utoipa::path(get, path = "/api/identity/gateway", tag = "identity", security(()),
    responses((status = 200, body = Gateway)))]
async fn show_gateway(State(identity): State<Identity>) -> Json<Gateway> {
    Json(Gateway {
        kind: identity.gateway_kind(),
    })
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CodeRequest {
    /// The number, as people write it; without a country code it belongs to the operator's country.
    #[schema(example = "010-1000-0001")]
    phone: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct CodeAnswer {
    /// The id of the request.
    code_request: CodeId,
    /// When the code ends.
    expires_at: Time,
    /// The code itself, with the development gateway only.
    #[serde(skip_serializing_if = "Option::is_none")]
    development_code: Option<String>,
}

/// Sends a one-time code to a number.
#[utoipa::path(post, path = "/api/identity/codes", tag = "identity", security(()), request_body = CodeRequest,
    responses((status = 201, body = CodeAnswer)))]
async fn request_code(
    State(identity): State<Identity>,
    caller: Caller,
    Json(request): Json<CodeRequest>,
) -> Result<impl IntoResponse, Problem> {
    let phone = identity.parse_phone(&request.phone)?;
    let issued = identity.request_code(&phone, caller).await?;
    let answer = CodeAnswer {
        code_request: issued.id,
        expires_at: issued.expires_at,
        development_code: issued.development_code,
    };
    Ok((StatusCode::CREATED, Json(answer)))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SignInRequest {
    /// The number the code was sent to.
    phone: String,
    /// The six digits.
    #[schema(example = "123456")]
    code: String,
    /// What the person will read in the list of their devices.
    #[schema(example = "Firefox on Linux")]
    device_name: String,
    /// The name a new person goes by. Ignored for a person who is known.
    #[serde(default)]
    display_name: Option<String>,
    /// The device's id at an earlier sign-in, so that what it sent then is known as sent; left out, a new one is made
    /// up. A session the person still has on this device ends.
    #[serde(default)]
    device_id: Option<String>,
}

/// A signed-in device: what a client keeps.
#[derive(Debug, Serialize, ToSchema)]
struct SessionTokens {
    /// Goes into `Authorization: Bearer`, here and on the Matrix routes.
    access_token: String,
    /// Buys the next pair of tokens, once.
    refresh_token: Option<String>,
    /// When the access token ends.
    expires_at: Time,
    /// The device, as Matrix names it.
    device_id: String,
    /// The session.
    session_id: SessionId,
    /// Who signed in.
    person: Person,
}

/// A person, as they see themselves.
#[derive(Debug, Serialize, ToSchema)]
struct Person {
    /// The id.
    person_id: PersonId,
    /// The Matrix user id.
    user_id: String,
    /// The number in E.164; none for who signed up with a username.
    phone: Option<String>,
    /// The name they go by.
    display_name: String,
    /// What they may do.
    role: Role,
    /// When they signed up.
    created_at: Time,
}

impl Person {
    fn of(identity: &Identity, person: &model::Person) -> Self {
        Self {
            person_id: person.id,
            user_id: identity.user_id(person.id),
            phone: person.dialled().map(|phone| phone.as_str().to_owned()),
            display_name: person.display_name.as_str().to_owned(),
            role: person.role,
            created_at: person.created_at,
        }
    }
}

impl SessionTokens {
    fn of(identity: &Identity, session: SignedInSession) -> Self {
        Self {
            access_token: session.access_token,
            refresh_token: session.refresh_token,
            expires_at: session.expires_at,
            device_id: session.device_id.as_str().to_owned(),
            session_id: session.session_id,
            person: Person::of(identity, &session.person),
        }
    }
}

/// Signs in with a code, or up: a new number needs a display name (409 `display-name-needed` says so, and the
/// code stays valid).
#[utoipa::path(post, path = "/api/identity/sessions", tag = "identity", security(()),
    request_body = SignInRequest, responses((status = 201, body = SessionTokens)))]
async fn sign_in(
    State(identity): State<Identity>,
    caller: Caller,
    Json(request): Json<SignInRequest>,
) -> Result<impl IntoResponse, Problem> {
    let phone = identity.parse_phone(&request.phone)?;
    let display_name: Option<DisplayName> = request.display_name.map(|name| name.parse()).transpose()?;
    let device = DeviceRequest::new(request.device_id.as_deref(), Some(&request.device_name), true)?;
    let session = identity
        .sign_in_with_code(&phone, &request.code, display_name, device, caller)
        .await?;
    Ok((StatusCode::CREATED, Json(SessionTokens::of(&identity, session))))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RefreshRequest {
    /// The newest refresh token.
    refresh_token: String,
}

/// Gives out the next pair of tokens. A refresh token that was used before ends its session.
#[utoipa::path(post, path = "/api/identity/sessions/refresh", tag = "identity", security(()),
    request_body = RefreshRequest, responses((status = 200, body = SessionTokens)))]
async fn refresh(
    State(identity): State<Identity>,
    Json(request): Json<RefreshRequest>,
) -> Result<Json<SessionTokens>, Problem> {
    let session = identity.refresh(&request.refresh_token).await?;
    Ok(Json(SessionTokens::of(&identity, session)))
}

/// A device that is signed in.
#[derive(Debug, Serialize, ToSchema)]
struct SessionItem {
    /// The session.
    session_id: SessionId,
    /// The device, as Matrix names it.
    device_id: String,
    /// What it was called at the sign-in.
    device_name: String,
    /// When the person signed in.
    created_at: Time,
    /// When it was last used, give or take ten minutes.
    last_used_at: Time,
    /// How often its tokens were renewed.
    refreshes: u32,
    /// Whether it is the one that asks.
    current: bool,
}

/// Lists where the person is signed in, newest first.
#[utoipa::path(get, path = "/api/identity/sessions", tag = "identity", params(PageQuery),
    responses((status = 200, body = Page<SessionItem>)))]
async fn list_sessions(
    State(identity): State<Identity>,
    SignedIn(actor): SignedIn,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<SessionItem>>, Problem> {
    let (limit, now) = (page.limit(), identity.context().now());
    let before: Option<SessionId> = page
        .before
        .map(|before| before.parse())
        .transpose()
        .map_err(|error: haechi_base::IdError| Problem::bad_request("invalid-query", error.to_string()))?;
    let current = actor.session;
    let sessions: Vec<Session> = identity
        .context()
        .store
        .read(async move |tx: &mut Tx<'_>| ops::sessions(tx, &actor, before, limit + 1, now).await)
        .await?;
    let page = Page::from_one_more(sessions, limit, |session| session.id.to_string());
    Ok(Json(page.map(|session| SessionItem {
        session_id: session.id,
        device_id: session.device_id.as_str().to_owned(),
        device_name: session.device_name.as_str().to_owned(),
        created_at: session.created_at,
        last_used_at: session.last_used_at,
        refreshes: session.refreshes,
        current: session.id == current,
    })))
}

/// Signs this device out.
#[utoipa::path(delete, path = "/api/identity/sessions/current", tag = "identity", responses((status = 204)))]
async fn end_current_session(
    State(identity): State<Identity>,
    SignedIn(actor): SignedIn,
) -> Result<StatusCode, Problem> {
    identity.sign_out(&actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Signs one of the person's devices out.
#[utoipa::path(delete, path = "/api/identity/sessions/{session_id}", tag = "identity",
    params(("session_id" = SessionId, Path)), responses((status = 204)))]
async fn end_session(
    State(identity): State<Identity>,
    SignedIn(actor): SignedIn,
    Path(session): Path<SessionId>,
) -> Result<StatusCode, Problem> {
    identity.end_session(&actor, session).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tells the person who they are here.
#[utoipa::path(get, path = "/api/identity/me", tag = "identity", responses((status = 200, body = Person)))]
async fn show_me(
    State(identity): State<Identity>,
    SignedIn(actor): SignedIn,
) -> Result<Json<Person>, Problem> {
    let person = identity
        .context()
        .store
        .read(async move |tx: &mut Tx<'_>| ops::find_person(tx, actor.person).await)
        .await?
        .ok_or(IdentityError::NoSuchPerson)?;
    Ok(Json(Person::of(&identity, &person)))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeMeRequest {
    /// The name to go by from now on: 1 to 64 characters.
    display_name: String,
}

/// Changes the person's display name.
#[utoipa::path(patch, path = "/api/identity/me", tag = "identity", request_body = ChangeMeRequest,
    responses((status = 200, body = Person)))]
async fn change_me(
    State(identity): State<Identity>,
    SignedIn(actor): SignedIn,
    Json(request): Json<ChangeMeRequest>,
) -> Result<Json<Person>, Problem> {
    let name: DisplayName = request.display_name.parse()?;
    let person = identity
        .context()
        .store
        .write_unkeyed(async move |tx: &mut Tx<'_>| ops::set_display_name(tx, &actor, &name).await)
        .await?;
    Ok(Json(Person::of(&identity, &person)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordRequest {
    /// The new password: 8 to 256 characters.
    password: String,
    /// The password until now, if there is one.
    #[serde(default)]
    current_password: Option<String>,
}

/// Sets the password with which Matrix clients sign in.
#[utoipa::path(put, path = "/api/identity/me/password", tag = "identity", request_body = PasswordRequest,
    responses((status = 204)))]
async fn set_password(
    State(identity): State<Identity>,
    SignedIn(actor): SignedIn,
    Json(request): Json<PasswordRequest>,
) -> Result<StatusCode, Problem> {
    let password: Password = request.password.parse()?;
    // One that is too short to be a password is a wrong one, not a malformed one.
    let current: Option<Password> = match request.current_password {
        Some(text) => Some(text.parse().map_err(|_| IdentityError::WrongPassword)?),
        None => None,
    };
    identity.set_password(&actor, password, current).await?;
    Ok(StatusCode::NO_CONTENT)
}
