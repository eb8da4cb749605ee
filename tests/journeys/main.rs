//! Journeys across services: the built program in a process of its own, on both engines, with real clients.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod backup;
mod bench;
mod browser;
mod burn;
mod drill;
mod kill;
mod load;
mod matrix;
mod moving;
mod point_in_time;
mod program;
mod rolling_upgrade;
mod shutdown;
