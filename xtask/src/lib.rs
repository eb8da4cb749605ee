//! The chores behind `cargo xtask`, one module a chore, and what they share.
//!
//! A library so that the rules of the house (`tidy`) run as a test too.

pub mod audit;
pub mod disk;
pub mod new_service;
/// The very file that `haechi_testkit` compiles: we do not depend on that crate, because then each chore would
/// wait for the whole platform to compile, and none would run while it does not.
#[path = "../../platform/testkit/src/postgres_server.rs"]
pub mod postgres_server;
pub mod process;
pub mod root;
/// The very file that `haechi_drill` compiles, for the same reason.
#[path = "../../drill/src/install.rs"]
pub mod site_programs;
pub mod test;
pub mod tidy;
pub mod tools;
pub mod up;
pub mod web;

#[cfg(test)]
mod postgres_tests;
