//! What is known of the engine under the sites (PostgreSQL under Patroni, and etcd), and what it can be asked to do.

mod etcd;
mod patroni;

use futures_util::future::BoxFuture;
use thiserror::Error;

use crate::model::EngineFacts;

pub use patroni::PatroniEngine;

/// Why the engine did not say or do something.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EngineError {
    /// Nobody who could have answered did.
    #[error("{0}")]
    Unreachable(String),
    /// It said no.
    #[error("{0}")]
    Refused(String),
    /// There is no engine of several sites here: one database, no etcd.
    #[error("this node knows no etcd; name its members with --etcd")]
    None,
}

/// A site's member as etcd has it once it was added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtcdMembership {
    /// Whether it was added now; else it was there.
    pub is_new: bool,
    /// What the new member is to be started with: `name=peer URL` of all members, its own too.
    pub initial_cluster: String,
}

/// The engine of a cluster.
pub trait Engine: Send + Sync + 'static {
    /// Asks every member how it is. Who does not answer within a second is told as unreachable.
    fn look(&self) -> BoxFuture<'_, Result<EngineFacts, EngineError>>;

    /// Moves the primary out of `from` to where the engine finds best; returns where it is then. An answer means that it
    /// has moved.
    fn move_primary<'a>(&'a self, from: &'a str) -> BoxFuture<'a, Result<String, EngineError>>;

    /// Waits until the primary has refused writes for a second because its disk is full; returns where it is.
    fn full_disk(&self) -> BoxFuture<'_, String>;

    /// Has etcd be led from `to`.
    fn move_etcd_leader<'a>(&'a self, to: &'a str) -> BoxFuture<'a, Result<(), EngineError>>;

    /// Sees to it that etcd has a member for `site`, which listens without a vote until it has caught up.
    fn add_etcd_member<'a>(
        &'a self,
        site: &'a str,
        peer_url: &'a str,
    ) -> BoxFuture<'a, Result<EtcdMembership, EngineError>>;

    /// Gives the members that only listen so far a vote, where they have caught up; returns how many still listen.
    fn promote_learners(&self) -> BoxFuture<'_, Result<usize, EngineError>>;

    /// Sees to it that etcd has no member for `site` any more.
    fn remove_etcd_member<'a>(&'a self, site: &'a str) -> BoxFuture<'a, Result<(), EngineError>>;
}
