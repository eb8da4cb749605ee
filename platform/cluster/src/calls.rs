//! Calls: a question from one node to another, with an answer or without one in time.

use std::time::Duration;

use bytes::Bytes;
use reqwest::StatusCode;
use thiserror::Error;
use tokio::time::timeout;

use crate::joined::Joined;
use crate::node::NodeId;

/// How long the answer to a call may take; then the caller does without. A node that is lost is known after a second;
/// one that speaks and does not answer waits for a primary, which asking elsewhere would not bring, and says so itself
/// when its patience with the store ends.
pub(crate) const ANSWER_WAIT: Duration = Duration::from_secs(12);

/// Largest body of a call, in bytes: 256 events of the largest size, and room to spare.
pub(crate) const CALL_BYTES_MAX: usize = 32 * 1024 * 1024;

/// The status that says [`CallRefused::NotMine`].
pub(crate) const NOT_MINE: StatusCode = StatusCode::CONFLICT;

/// Why a node did not do what it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum CallRefused {
    /// It is not the one who does this.
    #[error("it does not do this now")]
    NotMine,
    /// It does not understand the question: it is of another version.
    #[error("it does not understand this")]
    NotUnderstood,
}

/// Why a call brought no answer.
#[derive(Debug, Error)]
pub(crate) enum CallFailed {
    #[error("the node is not there")]
    NotThere,
    #[error("the node was lost meanwhile")]
    Lost,
    #[error("no answer in {} ms", ANSWER_WAIT.as_millis())]
    NoAnswer,
    #[error("the node refused with {0}")]
    Refused(StatusCode),
    #[error("its answer makes no sense: {0}")]
    NoSense(String),
    #[error(transparent)]
    Http(#[from] reqwest::Error),
}

impl CallFailed {
    /// Whether the node said that it is not the one who does this.
    pub(crate) fn is_not_mine(&self) -> bool {
        matches!(self, Self::Refused(NOT_MINE))
    }
}

impl Joined {
    /// Asks another node. Given up as soon as that node is lost.
    pub(crate) async fn call(&self, node: NodeId, name: &str, body: Vec<u8>) -> Result<Bytes, CallFailed> {
        let (peer, link) = self.living_peer(node).ok_or(CallFailed::NotThere)?;
        let asking = async {
            let pass = self.passes.of(&self.here, self.now());
            let url = format!("{}/cluster/calls/{name}", peer.url);
            let response = self.http.post(url).bearer_auth(pass).body(body).send().await?;
            if !response.status().is_success() {
                return Err(CallFailed::Refused(response.status()));
            }
            Ok(response.bytes().await?)
        };
        tokio::select! {
            answered = timeout(ANSWER_WAIT, asking) => answered.unwrap_or(Err(CallFailed::NoAnswer)),
            () = link.lost() => Err(CallFailed::Lost),
        }
    }
}
