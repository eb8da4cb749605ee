//! Questions of a command to the nodes: it holds the master key too, and is let in as a node is, but takes no part.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use haechi_base::{Secrets, Time};
use haechi_store::{Store, StoreError, Tx};
use http::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::calls::CallRefused;
use crate::node::{Node, NodeId};
use crate::pass::Passes;
use crate::{Cluster, ClusterError, store};

/// How long a node may take to answer a question.
const ANSWER_WAIT: Duration = Duration::from_secs(3);

/// What calls for questions are named by, so that none is taken for a batch of work.
const PREFIX: &str = "question.";

/// Why a question brought no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum QuestionFailed {
    /// Nothing came back in time.
    #[error("it does not answer: {0}")]
    Silent(String),
    /// The node has another master key.
    #[error("it refuses our pass: it has another master key, or its clock is minutes off")]
    PassRefused,
    /// The node does not know the question, or answers otherwise: it is of another version.
    #[error("it does not understand the question: it is of another version ({0})")]
    NotUnderstood(String),
}

impl Cluster {
    /// Answers a question that commands ask. Nobody is asked on a node that has no others.
    pub fn answer<Question, Answer>(
        &self,
        name: &str,
        answer: impl Fn(Question) -> Answer + Send + Sync + 'static,
    ) where
        Question: DeserializeOwned + 'static,
        Answer: Serialize + 'static,
    {
        let Some(joined) = self.joined() else { return };
        let handler = move |body: Bytes| {
            let answered = serde_json::from_slice::<Question>(&body)
                .and_then(|question| serde_json::to_vec(&answer(question)))
                .map_err(|_| CallRefused::NotUnderstood);
            async move { answered }.boxed()
        };
        let name = format!("{PREFIX}{name}");
        joined.calls.write().insert(name, Arc::new(handler));
    }
}

/// Who asks nodes, without being one.
pub struct Asker {
    passes: Passes,
    http: reqwest::Client,
    here: Node,
}

impl Asker {
    /// Asks from now on with passes of this master key.
    ///
    /// # Errors
    /// [`ClusterError`].
    pub fn new(secrets: &Secrets, now: Time) -> Result<Self, ClusterError> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(ANSWER_WAIT)
            .timeout(ANSWER_WAIT)
            .build()?;
        let here = Node {
            node_id: NodeId::new(now),
            site: String::new(),
            url: String::new(),
            version: String::new(),
            started_at: now,
        };
        Ok(Self {
            passes: Passes::new(secrets),
            http,
            here,
        })
    }

    /// Asks the node at this URL.
    ///
    /// # Errors
    /// [`QuestionFailed`].
    pub async fn ask<Answer: DeserializeOwned>(
        &self,
        url: &str,
        name: &str,
        question: &impl Serialize,
        now: Time,
    ) -> Result<Answer, QuestionFailed> {
        let silent = |error: reqwest::Error| QuestionFailed::Silent(reason(&error));
        let url = format!("{}/cluster/calls/{PREFIX}{name}", url.trim_end_matches('/'));
        let pass = self.passes.of(&self.here, now);
        let asked = self.http.post(url).bearer_auth(pass).json(question);
        let response = asked.send().await.map_err(silent)?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED => return Err(QuestionFailed::PassRefused),
            status => return Err(QuestionFailed::NotUnderstood(status.to_string())),
        }
        let bytes = response.bytes().await.map_err(silent)?;
        serde_json::from_slice(&bytes).map_err(|error| QuestionFailed::NotUnderstood(error.to_string()))
    }
}

/// The last thing that went wrong: what comes before it repeats the URL.
fn reason(error: &reqwest::Error) -> String {
    let mut last: &dyn std::error::Error = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

/// The nodes whose rows the store keeps, each with when it last renewed its own, by its clock: for who is no node.
///
/// # Errors
/// [`StoreError`].
pub async fn read_nodes(store: &Store) -> Result<Vec<(Node, Time)>, StoreError> {
    store.read(async |tx: &mut Tx<'_>| store::nodes(tx).await).await
}
