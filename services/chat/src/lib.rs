//! Chat: rooms, messages and friends, over the Matrix client-server API. See the README for nouns and invariants.
//!
//! Table of contents: [`model`] holds nouns and rules, [`ops`] the verbs, `store` all SQL, `api` the routes.

mod api;
mod gateway;
mod jobs;
mod model;
mod ops;
mod store;

#[cfg(test)]
mod tests;

use haechi_service::{ErrorStyle, JobHandler, OpenApiRouter, Service};
use haechi_store::{Migration, Migrations};

pub use model::{Card, CardButton, CardRow, ChatError, TurnSettings, limits};
pub use ops::{Chat, ChatSettings, NoticeOutcome, PreviewReach, ServiceAccount};

impl Service for Chat {
    fn name(&self) -> &'static str {
        "chat"
    }

    fn migrations(&self) -> Migrations {
        MIGRATIONS
    }

    fn routes(&self) -> OpenApiRouter {
        api::routes(self.clone())
    }

    fn jobs(&self) -> Vec<JobHandler> {
        jobs::all(self)
    }

    fn slow_routes(&self) -> Vec<&'static str> {
        api::SLOW_ROUTES.to_vec()
    }

    fn error_styles(&self) -> Vec<ErrorStyle> {
        vec![ErrorStyle {
            path_prefix: "/_matrix/",
            render: api::render_problem,
        }]
    }
}

/// The tables of chat.
pub const MIGRATIONS: Migrations = Migrations {
    service: "chat",
    steps: &[
        Migration {
            number: 1,
            name: "room",
            sql: include_str!("../migrations/0001_room.sql"),
        },
        Migration {
            number: 2,
            name: "keys",
            sql: include_str!("../migrations/0002_keys.sql"),
        },
        Migration {
            number: 3,
            name: "directory",
            sql: include_str!("../migrations/0003_directory.sql"),
        },
        Migration {
            number: 4,
            name: "relation",
            sql: include_str!("../migrations/0004_relation.sql"),
        },
        Migration {
            number: 5,
            name: "media",
            sql: include_str!("../migrations/0005_media.sql"),
        },
        Migration {
            number: 6,
            name: "push",
            sql: include_str!("../migrations/0006_push.sql"),
        },
        Migration {
            number: 7,
            name: "sliding",
            sql: include_str!("../migrations/0007_sliding.sql"),
        },
        Migration {
            number: 8,
            name: "term",
            sql: include_str!("../migrations/0008_term.sql"),
        },
    ],
};
