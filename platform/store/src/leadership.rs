//! Who leads the database cluster: asked before a write for whom to write to, and after COMMIT whether it still leads.
//!
//! COMMIT alone does not make a write safe on a cluster. A primary that was cut off, or whose supervisor hangs, goes
//! on committing while another is promoted, and the standbys go on confirming until they are told to follow that one.
//! So a write is acknowledged only if the leader key, read after COMMIT returned, is still held by the primary that
//! was written to, under the same lease and since the same revision (docs/decisions/0006-never-a-lost-write.md).

use futures_util::future::BoxFuture;
use std::sync::Arc;
use tokio::sync::watch;

/// One unbroken time in which one primary holds the leader key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// The name of the primary among the members of the cluster.
    pub member: String,
    /// The host its PostgreSQL listens on.
    pub host: String,
    /// And the port.
    pub port: u16,
    /// The lease under which the key is held.
    pub lease: i64,
    /// The revision at which the key was taken. Whoever loses it and takes it again has another one.
    pub create_revision: i64,
}

/// Tells who leads, and confirms it after the fact.
pub trait Leadership: Send + Sync + 'static {
    /// The present term as last heard, and its changes. There is none while nobody leads, or nobody can be asked.
    fn term(&self) -> watch::Receiver<Option<Arc<Term>>>;

    /// Whether `term` still lasted at some moment after the call, and everybody knows by then that its primary writes
    /// the timeline `timeline` (PostgreSQL 15, 26.3.6): asked of a majority, never from memory.
    ///
    /// # Errors
    /// Why it is not confirmed: it is over, or nobody answered in time.
    fn confirm<'a>(&'a self, term: &'a Term, timeline: i64) -> BoxFuture<'a, Result<(), String>>;

    /// Whether the primary's site does not answer at present, so that a read had better go elsewhere at once.
    fn is_primary_silent(&self) -> bool;

    /// A write was refused because the disk of this term's primary is full. Nobody takes the leader key from a primary for
    /// that: it lives.
    fn note_full_disk(&self, term: &Arc<Term>);
}
