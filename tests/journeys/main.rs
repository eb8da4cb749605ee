//! Journeys across services: the built program in a process of its own, on both engines, with real clients.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bench;
mod browser;
mod kill;
mod matrix;
mod program;
mod shutdown;
