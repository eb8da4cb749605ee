//! Tests of the store. Each runs on both engines, but for those about one engine's own failures.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod backups;
mod batches;
mod blobs;
mod broken_disk;
mod commit_lost;
mod copies;
mod encrypted;
mod frozen;
mod harness;
mod hosts;
mod jobs;
mod keys;
mod led;
mod looks;
mod migrations;
mod transactions;
mod values;
