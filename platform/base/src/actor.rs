//! Who is asking: the person behind a request, as the sign-in established it.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{PersonId, SessionId};

/// What a person may do beyond their own affairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Their own affairs only.
    Person,
    /// May top up wallets and look after the operation.
    Administrator,
    /// A service of the house that writes to people. It signs in nowhere and may nothing more than a person.
    Service,
}

impl Role {
    /// The word that stands in the store, in tokens and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Administrator => "administrator",
            Self::Service => "service",
        }
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "person" => Ok(Self::Person),
            "administrator" => Ok(Self::Administrator),
            "service" => Ok(Self::Service),
            other => Err(format!(
                "{other:?} is no role: expected person, administrator or service"
            )),
        }
    }
}

/// The signed-in person on whose behalf an operation runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The person.
    pub person: PersonId,
    /// The session the request came in with.
    pub session: SessionId,
    /// The device of that session, as Matrix names it (`device_id`).
    pub device: String,
    /// What the person may do.
    pub role: Role,
}
