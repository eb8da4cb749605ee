//! The nouns of identity and their rules: no SQL, no HTTP, no clock, no chance.

mod code;
mod device;
mod error;
mod password;
mod person;
mod session;
mod username;

pub use code::{
    CODE_LIFE, CODE_TRIES_MAX, CODES_COUNTED_FOR, Code, CodeId, CodeVerdict, IssuedCode, judge_code,
    refuse_flood,
};
pub use device::{DeviceId, DeviceName, DeviceRequest};
pub use error::IdentityError;
pub use password::{PASSWORD_CHARACTERS_MAX, PASSWORD_CHARACTERS_MIN, Password};
pub use person::{Country, DISPLAY_NAME_CHARACTERS_MAX, DisplayName, Person, PhoneNumber};
pub use session::{
    ACCESS_TOKEN_LIFE, GivenToken, LATE_REFRESH_MAX, LOGIN_TOKEN_LIFE, LoginToken, RefreshStep, SESSION_LIFE,
    SESSIONS_PER_PERSON_MAX, Session, SignedInSession, refresh_step,
};
pub use username::{USERNAME_CHARACTERS_MAX, Username, localpart, person_of_localpart};
