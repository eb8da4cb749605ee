//! Refusals in the words of Matrix (client-server API, "Standard error response").

use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use haechi_http::Problem;
use haechi_identity::IdentityError;
use haechi_store::StoreError;
use http::StatusCode;
use serde_json::json;

use crate::ChatError;
use crate::model::limits::{MEDIA_BUSY_WAIT, UPLOADS_WAIT};

/// An error as Matrix clients read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MatrixError {
    status: StatusCode,
    code: &'static str,
    message: String,
    retry_after: Option<Duration>,
    /// The version of the backup that is in use (`M_WRONG_ROOM_KEYS_VERSION`).
    current_version: Option<String>,
    /// Whether who signs in again goes on with the same device and its keys (`M_UNKNOWN_TOKEN`).
    is_soft_logout: bool,
}

impl MatrixError {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            retry_after: None,
            current_version: None,
            is_soft_logout: false,
        }
    }

    /// A token that was good and whose time is over.
    pub(super) fn expired_token(message: impl Into<String>) -> Self {
        Self {
            is_soft_logout: true,
            ..Self::new(StatusCode::UNAUTHORIZED, "M_UNKNOWN_TOKEN", message)
        }
    }

    pub(super) fn bad_json(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "M_BAD_JSON", message)
    }

    pub(super) fn not_json(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "M_NOT_JSON", message)
    }

    pub(super) fn invalid_parameter(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "M_INVALID_PARAM", message)
    }

    pub(super) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "M_FORBIDDEN", message)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "M_NOT_FOUND", message)
    }

    pub(super) fn unrecognized(status: StatusCode) -> Self {
        Self::new(status, "M_UNRECOGNIZED", "this server has no such endpoint")
    }
}

impl IntoResponse for MatrixError {
    fn into_response(self) -> Response {
        let mut body = json!({ "errcode": self.code, "error": self.message });
        if self.code == "M_UNKNOWN_TOKEN" {
            body["soft_logout"] = self.is_soft_logout.into();
        }
        if let Some(version) = self.current_version {
            body["current_version"] = version.into();
        }
        if let Some(wait) = self.retry_after {
            body["retry_after_ms"] = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).into();
        }
        let mut response = (self.status, Json(body)).into_response();
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response
                .headers_mut()
                .insert(http::header::RETRY_AFTER, seconds.max(1).into());
        }
        response
    }
}

impl From<ChatError> for MatrixError {
    fn from(error: ChatError) -> Self {
        let message = error.to_string();
        let retry_after = match error {
            ChatError::UploadsUsedUp => Some(UPLOADS_WAIT),
            ChatError::MediaBusy => Some(MEDIA_BUSY_WAIT),
            ChatError::TooOften(wait) => Some(wait),
            _ => None,
        };
        let current_version = match &error {
            ChatError::WrongBackupVersion(version) => Some(version.clone()),
            _ => None,
        };
        let (status, code) = match error {
            ChatError::Store(error) => return error.into(),
            ChatError::Forbidden(_) => (StatusCode::FORBIDDEN, "M_FORBIDDEN"),
            ChatError::NotFound(_) => (StatusCode::NOT_FOUND, "M_NOT_FOUND"),
            ChatError::InvalidParameter(_) => (StatusCode::BAD_REQUEST, "M_INVALID_PARAM"),
            ChatError::BadJson(_) => (StatusCode::BAD_REQUEST, "M_BAD_JSON"),
            ChatError::DelayTooLong => (StatusCode::BAD_REQUEST, "M_MAX_DELAY_EXCEEDED"),
            ChatError::TooManyDelayed => (StatusCode::BAD_REQUEST, "M_MAX_DELAYED_EVENTS_EXCEEDED"),
            ChatError::DuplicateAnnotation => (StatusCode::BAD_REQUEST, "M_DUPLICATE_ANNOTATION"),
            ChatError::KeyTooLarge => (StatusCode::BAD_REQUEST, "M_KEY_TOO_LARGE"),
            ChatError::ProfileTooLarge => (StatusCode::BAD_REQUEST, "M_PROFILE_TOO_LARGE"),
            ChatError::Unknown(_) => (StatusCode::BAD_REQUEST, "M_UNKNOWN"),
            ChatError::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "M_TOO_LARGE"),
            ChatError::UploadsUsedUp => (StatusCode::TOO_MANY_REQUESTS, "M_LIMIT_EXCEEDED"),
            ChatError::MediaBusy => (StatusCode::SERVICE_UNAVAILABLE, "M_LIMIT_EXCEEDED"),
            ChatError::NotYetUploaded => (StatusCode::GATEWAY_TIMEOUT, "M_NOT_YET_UPLOADED"),
            ChatError::CannotOverwriteMedia => (StatusCode::CONFLICT, "M_CANNOT_OVERWRITE_MEDIA"),
            ChatError::NoPicture => (StatusCode::BAD_REQUEST, "M_UNKNOWN"),
            ChatError::NoPreview => (StatusCode::BAD_GATEWAY, "M_UNKNOWN"),
            ChatError::NotOffered => (StatusCode::NOT_FOUND, "M_UNRECOGNIZED"),
            ChatError::UnknownPosition => (StatusCode::BAD_REQUEST, "M_UNKNOWN_POS"),
            ChatError::InvalidSignature(_) => (StatusCode::BAD_REQUEST, "M_INVALID_SIGNATURE"),
            // Routes that ask for the password answer this with their own flows.
            ChatError::ConfirmationNeeded => (StatusCode::FORBIDDEN, "M_FORBIDDEN"),
            ChatError::WrongBackupVersion(_) => (StatusCode::FORBIDDEN, "M_WRONG_ROOM_KEYS_VERSION"),
            ChatError::InvalidRoomState(_) => (StatusCode::BAD_REQUEST, "M_INVALID_ROOM_STATE"),
            ChatError::UnsupportedRoomVersion(_) => (StatusCode::BAD_REQUEST, "M_UNSUPPORTED_ROOM_VERSION"),
            ChatError::RoomInUse(_) => (StatusCode::BAD_REQUEST, "M_ROOM_IN_USE"),
            ChatError::AliasTaken(_) => (StatusCode::CONFLICT, "M_UNKNOWN"),
            ChatError::BadAlias(_) => (StatusCode::BAD_REQUEST, "M_BAD_ALIAS"),
            ChatError::NumberNotFound => (StatusCode::BAD_REQUEST, "M_THREEPID_NOT_FOUND"),
            ChatError::MediumNotSupported(_) => (StatusCode::BAD_REQUEST, "M_THREEPID_MEDIUM_NOT_SUPPORTED"),
            ChatError::GuestsForbidden => (StatusCode::FORBIDDEN, "M_GUEST_ACCESS_FORBIDDEN"),
            ChatError::TooOften(_) => (StatusCode::TOO_MANY_REQUESTS, "M_LIMIT_EXCEEDED"),
        };
        Self {
            retry_after,
            current_version,
            ..Self::new(status, code, message)
        }
    }
}

impl From<StoreError> for MatrixError {
    fn from(error: StoreError) -> Self {
        Problem::from(error).into()
    }
}

impl From<IdentityError> for MatrixError {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::WrongPassword | IdentityError::WrongCode => Self::forbidden(error.to_string()),
            IdentityError::MalformedPassword => {
                Self::new(StatusCode::BAD_REQUEST, "M_WEAK_PASSWORD", error.to_string())
            }
            IdentityError::MalformedUsername => {
                Self::new(StatusCode::BAD_REQUEST, "M_INVALID_USERNAME", error.to_string())
            }
            IdentityError::UsernameTaken => {
                Self::new(StatusCode::BAD_REQUEST, "M_USER_IN_USE", error.to_string())
            }
            other => Problem::from(other).into(),
        }
    }
}

impl From<Problem> for MatrixError {
    fn from(problem: Problem) -> Self {
        Self::from(&problem)
    }
}

impl From<&Problem> for MatrixError {
    fn from(problem: &Problem) -> Self {
        let code = match (problem.status(), problem.slug()) {
            (_, "sign-in-needed") => "M_MISSING_TOKEN",
            (StatusCode::UNAUTHORIZED, _) => "M_UNKNOWN_TOKEN",
            (StatusCode::FORBIDDEN, _) => "M_FORBIDDEN",
            (StatusCode::NOT_FOUND, _) => "M_NOT_FOUND",
            (StatusCode::METHOD_NOT_ALLOWED, _) => "M_UNRECOGNIZED",
            (StatusCode::PAYLOAD_TOO_LARGE, _) => "M_TOO_LARGE",
            (StatusCode::TOO_MANY_REQUESTS, _) => "M_LIMIT_EXCEEDED",
            (StatusCode::BAD_REQUEST, "malformed-json") => "M_NOT_JSON",
            (StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY, _) => "M_INVALID_PARAM",
            _ => "M_UNKNOWN",
        };
        Self {
            status: problem.status(),
            code,
            message: problem.detail().to_owned(),
            retry_after: problem.retry_after(),
            current_version: None,
            is_soft_logout: false,
        }
    }
}

/// Problems of the layers around us, told to Matrix clients.
pub(crate) fn render_problem(problem: &Problem) -> Response {
    MatrixError::from(problem).into_response()
}
