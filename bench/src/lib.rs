//! Load from many clients over HTTP, and what the same rows cost when they are written raw to the same store.
//!
//! The bench drives a server in a process of its own, as people's phones would; the drill and the tests use the
//! same clients.

pub mod chat;
pub mod client;
mod crowd;
mod deliver;
mod growth;
mod idle;
mod initial;
pub mod load;
mod machine;
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

/// What else a chat bench measures; each is a phase of its own on the same server, and none is on by default.
#[derive(Debug, Clone, Default)]
pub struct ChatOptions {
    /// Rooms whose members all sync while some of them write.
    pub rooms: Option<RoomsLoad>,
    /// How many long polls are parked, to see what each costs the server's memory.
    pub idle: usize,
    /// In how many rooms a person is whose initial sync is timed.
    pub initial_sync_rooms: usize,
    /// Whether sends are measured in rooms of 2 to 10,000.
    pub growth: bool,
}

/// A load in rooms whose members all sync.
#[derive(Debug, Clone, Copy)]
pub struct RoomsLoad {
    /// Rooms; each member is in one of them.
    pub rooms: usize,
    /// People in each.
    pub members: usize,
    /// Messages a second in all; as many as the server takes without it.
    pub rate_per_s: Option<u32>,
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
