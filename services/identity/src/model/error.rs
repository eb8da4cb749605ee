//! What identity refuses, and why.

use std::time::Duration;

use haechi_store::StoreError;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why an operation of identity was refused. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum IdentityError {
    /// The text is no phone number that can be called.
    #[error("this is no phone number: write it with its country, as in +82 10-1234-5678")]
    MalformedPhone,
    /// The name is empty, too long, or holds characters that are not seen.
    #[error("a display name has 1 to 64 characters and no control characters")]
    MalformedDisplayName,
    /// The device name is too long or holds control characters.
    #[error("a device name has 1 to 64 characters and no control characters")]
    MalformedDeviceName,
    /// The device id is too long or holds other than visible ASCII characters.
    #[error("a device id has 1 to 64 visible ASCII characters")]
    MalformedDeviceId,
    /// The password is too short or too long.
    #[error("a password has 8 to 256 characters")]
    MalformedPassword,
    /// The username has letters it cannot have, or is too long.
    #[error(
        "a username has 1 to 22 of a-z, 0-9 and . _ = - / +, one of them a letter, and none of _ in front"
    )]
    MalformedUsername,
    /// Somebody has the username, or had it.
    #[error("this username is taken; choose another one")]
    UsernameTaken,
    /// The operator lets nobody sign up with a username.
    #[error("sign up with your phone number, in the app of this server")]
    RegistrationClosed,
    /// The token that the operator hands out is another.
    #[error("the registration token is wrong; ask who runs this server for one")]
    WrongRegistrationToken,
    /// The person is new: a display name must come with the code, which stays valid.
    #[error("this number is new here: send a display name with the same code")]
    DisplayNameNeeded,
    /// The code is wrong, too old, used, or was tried too often.
    #[error("the code is wrong or no longer valid; ask for a new one after five tries")]
    WrongCode,
    /// The password, or the person it should belong to, is wrong.
    #[error("the person or the password is wrong")]
    WrongPassword,
    /// The refresh token or login token is not known, has expired, or was used before.
    #[error("the token is not valid any more; sign in again")]
    UnknownToken,
    /// The refresh token was replaced a moment ago, and the newer one is in use.
    #[error("a newer token took the place of this one a moment ago; use that")]
    Replaced,
    /// Too many codes or tries in a short time.
    #[error("too many tries; wait and try again")]
    TooMany {
        /// How long to wait.
        retry_after: Duration,
    },
    /// Too many passwords wait to be checked.
    #[error("too many sign in by password right now; try again")]
    TooBusy,
    /// The code could not be handed to the gateway.
    #[error("the code could not be sent now; try again")]
    CodeNotSent,
    /// Only an administrator may do this.
    #[error("only an administrator may do this")]
    NotAllowed,
    /// There is no such person.
    #[error("there is no such person")]
    NoSuchPerson,
    /// The person has no such session.
    #[error("there is no such session")]
    NoSuchSession,
    /// A fault of ours, such as a hash that cannot be computed.
    #[error("identity failed inside: {0}")]
    Internal(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
