//! Load from many clients over HTTP, and what the same rows cost when they are written raw to the same store.
//!
//! The bench drives a server in a process of its own, as people's phones would; the drill and the tests use the
//! same clients.

pub mod chat;
pub mod client;
pub mod load;
pub mod pay;
pub mod people;
mod raw;
pub mod report;
pub mod server;
pub mod store;

use std::time::Duration;

/// How much load, and for how long.
#[derive(Debug, Clone)]
pub struct BenchOptions {
    /// Clients, each with a connection of its own and one request under way.
    pub clients: usize,
    /// How long the load is measured.
    pub duration: Duration,
    /// How long it runs before it is measured.
    pub warm_up: Duration,
    /// The store to use; a temporary embedded one when there is none.
    pub store: Option<String>,
}

impl Default for BenchOptions {
    fn default() -> Self {
        Self {
            clients: 64,
            duration: Duration::from_secs(10),
            warm_up: Duration::from_secs(2),
            store: None,
        }
    }
}
