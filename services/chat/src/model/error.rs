//! Why chat refuses something, by what the person can do about it.

use std::time::Duration;

use haechi_store::StoreError;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::limits::{
    DELAY_MAX, DELAYED_MAX, PROFILE_BYTES_MAX, PROFILE_FIELD_NAME_BYTES_MAX, UPLOADS_BYTES_MAX,
};

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
    /// An event is to wait longer than it may.
    #[error("an event waits {} ms at the most", DELAY_MAX.as_millis())]
    DelayTooLong,
    /// A person has as many events waiting as they may.
    #[error("at most {DELAYED_MAX} events of one person wait to be sent")]
    TooManyDelayed,
    /// The sender has reacted so already.
    #[error("you have reacted to this event like that already")]
    DuplicateAnnotation,
    /// The name of a profile's field is too long.
    #[error("the name of a field has at most {PROFILE_FIELD_NAME_BYTES_MAX} bytes")]
    KeyTooLarge,
    /// A profile would become too large.
    #[error("a profile has at most {PROFILE_BYTES_MAX} bytes")]
    ProfileTooLarge,
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
    /// The upload was announced, and its bytes did not come in time.
    #[error("this upload was announced and has not come yet; try again")]
    NotYetUploaded,
    /// The upload is there already.
    #[error("this upload is there already; ask for another URI")]
    CannotOverwriteMedia,
    /// It is no picture that can be read here.
    #[error("this is no picture of which a thumbnail can be made")]
    NoPicture,
    /// Nothing can be told of a page, for whatever reason.
    #[error("there is no preview of this address")]
    NoPreview,
    /// The operator has switched it off.
    #[error("this server does not offer it")]
    NotOffered,
    /// The person has done this as often as they may for now.
    #[error("you have done this too often; try again later")]
    TooOften(Duration),
    /// The sync token was not given out by this server, or lies ahead of it.
    #[error("the token was not given out by this server; sync again without it")]
    UnknownPosition,
    /// The room cannot be in the state that was asked for.
    #[error("{0}")]
    InvalidRoomState(String),
    /// Rooms of that version are not made here.
    #[error("rooms of version {0:?} are not made here; leave the version out")]
    UnsupportedRoomVersion(String),
    /// A signature is missing or wrong.
    #[error("{0}")]
    InvalidSignature(String),
    /// The person must first say once more who they are.
    #[error("this needs your password once more")]
    ConfirmationNeeded,
    /// The backup is not the one that keys are put into now.
    #[error("keys go into the newest backup, which is version {0}")]
    WrongBackupVersion(String),
    /// Another room has the alias that was asked for.
    #[error("another room is called {0} already")]
    RoomInUse(String),
    /// An alias that was to be made is there already.
    #[error("the alias {0} is taken")]
    AliasTaken(String),
    /// An alias does not point to the room that tells it.
    #[error("the alias {0} does not point to this room")]
    BadAlias(String),
    /// Nobody here has this number.
    #[error("nobody has signed up with this number")]
    NumberNotFound,
    /// People are not found by this kind of address.
    #[error("people are found by their phone number (msisdn), not by {0:?}")]
    MediumNotSupported(String),
    /// There are no guests here.
    #[error("guests are not let in; sign up with a phone number")]
    GuestsForbidden,
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
