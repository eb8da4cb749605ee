//! One-time codes: six digits that reach whoever holds the phone.

use std::time::Duration;

use haechi_base::{SessionId, Time, define_id};

use super::IdentityError;

define_id! {
    /// One request for a code.
    pub CodeId, CodeNoun, "code request"
}

/// How long a code may be used.
pub const CODE_LIFE: Duration = Duration::from_secs(5 * 60);

/// How often a code may be tried.
pub const CODE_TRIES_MAX: u32 = 5;

/// The time within which the codes of one phone are counted.
pub const CODES_COUNTED_FOR: Duration = Duration::from_secs(60 * 60);

/// A code as it is kept: its keyed hash, never itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// Its id.
    pub id: CodeId,
    /// HMAC-SHA256 of number and code.
    pub hash: [u8; 32],
    /// How often a wrong one was given instead.
    pub tries: u32,
    /// Whether it was used.
    pub used: bool,
    /// The session it opened.
    pub session: Option<SessionId>,
    /// When it ends.
    pub expires_at: Time,
}

/// What the person who asked for a code is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedCode {
    /// The id of the request.
    pub id: CodeId,
    /// When the code ends.
    pub expires_at: Time,
    /// The code itself, where the gateway shows it instead of sending it.
    pub development_code: Option<String>,
}

/// What to make of a given code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeVerdict {
    /// It is the one.
    Right,
    /// It is the one, and was used: the answer to the sign-in may have been lost on its way.
    Again,
    /// It is not, and that counts as a try.
    Wrong,
    /// There is no code to be tried: none was sent, or it ended or was tried too often.
    None,
}

/// Judges a given code by the newest one that was sent. `is_equal` was computed in constant time.
#[must_use]
pub fn judge_code(code: Option<&Code>, is_equal: bool, now: Time) -> CodeVerdict {
    match code {
        Some(code) if code.tries < CODE_TRIES_MAX && now < code.expires_at => {
            // Wrong ones count after its use as well: nobody may try out which code a session was opened with.
            match (is_equal, code.used) {
                (true, false) => CodeVerdict::Right,
                (true, true) => CodeVerdict::Again,
                (false, _) => CodeVerdict::Wrong,
            }
        }
        _ => CodeVerdict::None,
    }
}

/// Refuses another code when the phone was sent `codes_max` within the counted time; `sent` are their times,
/// in any order.
///
/// # Errors
/// [`IdentityError::TooMany`] with the time until the oldest no longer counts.
pub fn refuse_flood(sent: &[Time], codes_max: u32, now: Time) -> Result<(), IdentityError> {
    if sent.len() < codes_max as usize {
        return Ok(());
    }
    let oldest = sent.iter().min().copied().unwrap_or(now);
    let retry_after = (oldest + CODES_COUNTED_FOR)
        .since(now)
        .max(Duration::from_secs(1));
    Err(IdentityError::TooMany { retry_after })
}
