//! Why chat refuses something, by what the person can do about it.

use haechi_store::StoreError;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::limits::UPLOADS_BYTES_MAX;

/// Why chat refused. The text is shown to the person who asked.
// Told by one node to another, so every variant can be written and read back.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum ChatError {
    /// The rules of the room, or of the house, do not allow it to this person.
    #[error("{0}")]
    Forbidden(String),
    /// There is no such thing, or it is not to be seen by this person.
    #[error("{0}")]
    NotFound(String),
    /// A parameter is malformed or names something of another kind.
    #[error("{0}")]
    InvalidParameter(String),
    /// A body is JSON but not what was expected.
    #[error("{0}")]
    BadJson(String),
    /// The specification has no better word for why it is refused.
    #[error("{0}")]
    Unknown(String),
    /// Something is larger than it may be.
    #[error("{0}")]
    TooLarge(String),
    /// The person has uploaded all they may for now.
    #[error("you have uploaded {UPLOADS_BYTES_MAX} bytes in a day; try again later")]
    UploadsUsedUp,
    /// This node holds as much media as it may.
    #[error("too many uploads and downloads at once; try again")]
    MediaBusy,
    /// The sync token was not given out by this server, or lies ahead of it.
    #[error("the token was not given out by this server; sync again without it")]
    UnknownPosition,
    /// The room cannot be in the state that was asked for.
    #[error("{0}")]
    InvalidRoomState(String),
    /// Rooms of that version are not made here.
    #[error("rooms of version {0:?} are not made here; leave the version out")]
    UnsupportedRoomVersion(String),
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ChatError {
    pub(crate) fn forbidden(reason: impl Into<String>) -> Self {
        Self::Forbidden(reason.into())
    }

    pub(crate) fn not_found(reason: impl Into<String>) -> Self {
        Self::NotFound(reason.into())
    }

    pub(crate) fn invalid(reason: impl Into<String>) -> Self {
        Self::InvalidParameter(reason.into())
    }

    pub(crate) fn bad_json(reason: impl Into<String>) -> Self {
        Self::BadJson(reason.into())
    }

    /// One answer for rooms that are not there and rooms one is not in, so that nobody can find out which.
    pub(crate) fn not_in_room() -> Self {
        Self::Forbidden("you are not in this room".to_owned())
    }
}
