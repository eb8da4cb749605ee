//! placeholder

pub mod postgres_server;
