//! Sessions: one sign-in of one person on one device, and the tokens that stand for it.

use std::fmt;
use std::time::Duration;

use haechi_base::{PersonId, SessionId, Time};
use serde::{Deserialize, Serialize};

use super::{DeviceId, DeviceName, Person};

/// How long an access token lives when its client refreshes it.
pub const ACCESS_TOKEN_LIFE: Duration = Duration::from_secs(60 * 60);

/// How long a session lives after its last refresh, or after the sign-in when its client does not refresh.
pub const SESSION_LIFE: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// How long a login token lives (Matrix `m.login.token`).
pub const LOGIN_TOKEN_LIFE: Duration = Duration::from_secs(2 * 60);

/// Sessions of one person; one more ends the oldest.
pub const SESSIONS_PER_PERSON_MAX: u32 = 100;

/// One sign-in of one person on one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The id.
    pub id: SessionId,
    /// Whose it is.
    pub person: PersonId,
    /// The device.
    pub device_id: DeviceId,
    /// The device's name.
    pub device_name: DeviceName,
    /// Whether its client refreshes tokens.
    pub refreshable: bool,
    /// Counts the refreshes, from 1. A token carries the generation it was given out in.
    pub generation: u32,
    /// The newest generation whose access token was seen in use.
    pub used_generation: u32,
    /// How often its tokens were renewed.
    #[serde(default)]
    pub refreshes: u32,
    /// When the person signed in.
    pub created_at: Time,
    /// When it was last used, give or take some minutes.
    pub last_used_at: Time,
    /// When it ends if it is not refreshed.
    pub expires_at: Time,
}

impl Session {
    /// When an access token given out now ends.
    #[must_use]
    pub fn access_token_expires_at(&self, now: Time) -> Time {
        if self.refreshable {
            (now + ACCESS_TOKEN_LIFE).min(self.expires_at)
        } else {
            self.expires_at
        }
    }
}

/// A signed-in device: what a client keeps. Its tokens are not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedInSession {
    /// Goes into `Authorization: Bearer`.
    pub access_token: String,
    /// Buys the next access token; none when the client does not refresh.
    pub refresh_token: Option<String>,
    /// When the access token ends.
    pub expires_at: Time,
    /// The device.
    pub device_id: DeviceId,
    /// The session.
    pub session_id: SessionId,
    /// Who signed in.
    pub person: Person,
}

impl fmt::Debug for SignedInSession {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SignedInSession")
            .field("session_id", &self.session_id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// A token that signs in another device of the same person, once. It is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct LoginToken {
    /// The token.
    pub token: String,
    /// When it ends.
    pub expires_at: Time,
}

impl fmt::Debug for LoginToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LoginToken")
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// How long a request with a replaced refresh token may be on its way: a node that hung finishes what it was asked,
/// although its client has long had the answer from another one.
pub const LATE_REFRESH_MAX: Duration = Duration::from_secs(2 * 60);

/// What to do with a refresh token of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshStep {
    /// It is the newest: give out the next generation.
    Rotate,
    /// It is the one before, and nothing of the newest was ever used: the answer that held the newest was lost
    /// on its way. Give the newest out again (Matrix client-server API, "refreshing access tokens").
    Repeat,
    /// It was replaced a moment ago, and the newest is in use: most likely a request that came late. Give nothing out,
    /// and end nothing (RFC 9700 section 4.14.2 leaves the time to us).
    Wait,
    /// It was used before: whoever sends it now, or whoever sent it then, stole it. End the session.
    End,
    /// No such token was given out.
    Refuse,
}

/// A refresh token that somebody sent; it carries a MAC, so it was given out here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GivenToken {
    /// Its generation.
    pub generation: u32,
    /// How long ago it was last answered with the next one; none when that is longer ago than is kept.
    pub replaced_for: Option<Duration>,
}

/// Decides by the session's generation, the newest generation seen in use, and the token.
///
/// A generation later than the session's was given out before the store lost a commit or an old backup took its place,
/// or is not known to the standby that is asked: whoever has it has the newest.
#[must_use]
pub fn refresh_step(generation: u32, used_generation: u32, token: GivenToken) -> RefreshStep {
    let is_late = token.replaced_for.is_some_and(|ago| ago <= LATE_REFRESH_MAX);
    if token.generation == 0 {
        RefreshStep::Refuse
    } else if token.generation >= generation {
        RefreshStep::Rotate
    } else if token.generation + 1 == generation && used_generation < generation {
        RefreshStep::Repeat
    } else if is_late {
        RefreshStep::Wait
    } else {
        RefreshStep::End
    }
}
