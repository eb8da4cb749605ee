//! Identity: who people are and how they sign in. See the README for its nouns and its invariants.

mod api;
pub mod gateway;
mod identity;
mod jobs;
pub mod model;
pub mod ops;
mod secret;
mod session_cache;
mod store;

#[cfg(test)]
mod tests;

pub use gateway::{CodeGateway, Development, GatewayError, GatewayKind, Webhook};
pub use identity::{Identity, IdentitySettings, PasswordSubject, Registration};
pub use model::{
    Country, DeviceId, DeviceName, DeviceRequest, DisplayName, IdentityError, LoginToken, Password, Person,
    PhoneNumber, Session, SignedInSession, Username, localpart, person_of_localpart,
};

use haechi_service::{JobHandler, OpenApiRouter, Service};
use haechi_store::{Migration, Migrations};

impl Service for Identity {
    fn name(&self) -> &'static str {
        "identity"
    }

    fn migrations(&self) -> Migrations {
        Migrations {
            service: "identity",
            steps: &[
                Migration {
                    number: 1,
                    name: "identity",
                    sql: include_str!("../migrations/0001_identity.sql"),
                },
                Migration {
                    number: 2,
                    name: "repeats",
                    sql: include_str!("../migrations/0002_repeats.sql"),
                },
                Migration {
                    number: 3,
                    name: "refreshes",
                    sql: include_str!("../migrations/0003_refreshes.sql"),
                },
            ],
        }
    }

    fn routes(&self) -> OpenApiRouter {
        api::routes().with_state(self.clone())
    }

    fn jobs(&self) -> Vec<JobHandler> {
        vec![jobs::forget_expired(self)]
    }
}
