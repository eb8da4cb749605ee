//! Identity: who people are and how they sign in. See the README for its nouns and its invariants.

pub mod gateway;
mod identity;
pub mod model;
pub mod ops;
mod secret;
mod session_cache;
mod store;

pub use gateway::{CodeGateway, Development, Webhook};
pub use identity::{Identity, IdentitySettings, PasswordSubject};
pub use model::{
    Country, DeviceId, DeviceName, DeviceRequest, DisplayName, IdentityError, LoginToken, Password, Person,
    PhoneNumber, Session, SignedInSession,
};
