//! Sample: what it is, in a sentence. This file is the table of contents: who reads on finds the rest from here.

mod api;
mod model;
pub mod ops;
mod store;
#[cfg(test)]
mod tests;

use haechi_service::{Context, OpenApiRouter, Service};
use haechi_store::{Migration, Migrations};

pub use model::{Item, ItemError, ItemId, ItemNoun, Title};

/// The service.
pub struct Sample {
    context: Context,
}

impl Sample {
    /// The service, working with what the program gives it.
    #[must_use]
    pub fn new(context: Context) -> Self {
        Self { context }
    }
}

impl Service for Sample {
    fn name(&self) -> &'static str {
        "sample"
    }

    fn migrations(&self) -> Migrations {
        Migrations {
            service: "sample",
            steps: &[Migration {
                number: 1,
                name: "item",
                sql: include_str!("../migrations/0001_item.sql"),
            }],
        }
    }

    fn routes(&self) -> OpenApiRouter {
        api::routes(self.context.clone())
    }
}
