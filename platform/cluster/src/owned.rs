//! Work that one node at a time does best: batches that would fight over the same rows when several nodes made them.
//!
//! A node that does not hold the lease hands its batch to the one that does, where it joins the batches of all. When
//! no answer comes, it makes the batch itself. Then perhaps both do, so each request must be one that may be made
//! twice, which requests with keys of their own are.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::join_all;
use haechi_store::{BatchLimits, Batcher, StoreError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Cluster;
use crate::calls::{CallFailed, CallRefused};
use crate::joined::Joined;
use crate::node::NodeId;

/// For how long an owner that gave no answer is not asked again.
const SHUNNED_FOR: Duration = Duration::from_secs(1);

/// How many owners are asked to make a batch: the one that is known, and the one that is known when it says no.
const OWNERS_ASKED_MAX: usize = 2;

/// One lease, as this node sees it. Cheap to clone.
#[derive(Clone)]
pub struct Lease {
    joined: Option<Arc<Joined>>,
    name: Arc<str>,
}

impl Lease {
    pub(crate) fn new(joined: Option<Arc<Joined>>, name: &str) -> Self {
        if let Some(joined) = &joined {
            let mut leases = joined.leases.write();
            if let Err(place) = leases.names.binary_search_by(|known| known.as_str().cmp(name)) {
                leases.names.insert(place, name.to_owned());
            }
        }
        Self {
            joined,
            name: Arc::from(name),
        }
    }

    /// Whether this node should do the work: it holds the lease, or nobody who can be asked does.
    #[must_use]
    pub fn is_here(&self) -> bool {
        self.elsewhere().is_none()
    }

    /// Whether this node does the work for others too.
    fn takes_calls(&self) -> bool {
        self.is_here() && self.joined.as_ref().is_none_or(|joined| !joined.is_leaving())
    }

    /// The other node that holds the lease and can be asked.
    fn elsewhere(&self) -> Option<NodeId> {
        let joined = self.joined.as_ref()?;
        let owner = {
            let leases = joined.leases.read();
            let row = leases.rows.get(&*self.name)?;
            if row.owner == joined.here.node_id {
                return None;
            }
            let shunned = leases.shunned.get(&*self.name);
            if shunned.is_some_and(|until| joined.now() < *until) {
                return None;
            }
            row.owner
        };
        joined.living_peer(owner).map(|_| owner)
    }

    /// Looks again who the owner is. One that gave no answer is done without for a moment; one that says it is not
    /// the owner any more has told another, who is known in a moment.
    fn doubt(&self, reason: &CallFailed) {
        let Some(joined) = &self.joined else { return };
        if !reason.is_not_mine() {
            let until = joined.now() + SHUNNED_FOR;
            joined.leases.write().shunned.insert(self.name.to_string(), until);
        }
        joined.look.notify_one();
    }
}

/// A [`Batcher`] whose batches are made by the node that holds its lease. Cheap to clone.
pub struct OwnedBatcher<Request, Answer> {
    here: Batcher<Request, Answer>,
    /// Hands batches over; `None` for a node that has no others.
    there: Option<Batcher<Request, Result<Answer, StoreError>>>,
    lease: Lease,
}

impl<Request, Answer> Clone for OwnedBatcher<Request, Answer> {
    fn clone(&self) -> Self {
        Self {
            here: self.here.clone(),
            there: self.there.clone(),
            lease: self.lease.clone(),
        }
    }
}

impl<Request, Answer> OwnedBatcher<Request, Answer>
where
    Request: Serialize + DeserializeOwned + Send + Sync + 'static,
    Answer: Serialize + DeserializeOwned + Send + 'static,
{
    /// Starts a batcher on the present tokio runtime. `name` is that of its lease, the same on all nodes; `process` is
    /// handed a batch and returns one answer a request, in the same order. A request may be processed twice.
    pub fn start<Process, Batch>(cluster: &Cluster, name: &str, limits: BatchLimits, process: Process) -> Self
    where
        Process: Fn(Vec<Request>) -> Batch + Send + Sync + 'static,
        Batch: Future<Output = Vec<Answer>> + Send + 'static,
    {
        let lease = cluster.lease(name);
        let here = Batcher::start(limits, process);
        let there = cluster.joined().map(|joined| {
            answer_calls(joined, name, &lease, &here);
            let (joined, lease, here) = (Arc::clone(joined), lease.clone(), here.clone());
            Batcher::start(limits, move |requests| {
                hand_over(Arc::clone(&joined), lease.clone(), here.clone(), requests)
            })
        });
        Self { here, there, lease }
    }

    /// Has a request done in the next batch, on whichever node makes it.
    ///
    /// # Errors
    /// As [`Batcher::submit`].
    pub async fn submit(&self, request: Request) -> Result<Answer, StoreError> {
        match &self.there {
            Some(there) if !self.lease.is_here() => there.submit(request).await?,
            _ => self.here.submit(request).await,
        }
    }

    /// Whether this node makes the batches.
    #[must_use]
    pub fn is_here(&self) -> bool {
        self.lease.is_here()
    }
}

/// Answers other nodes that hand their batches over.
fn answer_calls<Request, Answer>(
    joined: &Arc<Joined>,
    name: &str,
    lease: &Lease,
    here: &Batcher<Request, Answer>,
) where
    Request: DeserializeOwned + Send + 'static,
    Answer: Serialize + Send + 'static,
{
    let (lease, here) = (lease.clone(), here.clone());
    let answer = move |body: Bytes| {
        let (lease, here) = (lease.clone(), here.clone());
        async move {
            // Never handed on: two nodes with different views would send it in a circle.
            if !lease.takes_calls() {
                return Err(CallRefused::NotMine);
            }
            let requests: Vec<Request> =
                serde_json::from_slice(&body).map_err(|_| CallRefused::NotUnderstood)?;
            let answers = submit_all(&here, requests).await;
            serde_json::to_vec(&answers).map_err(|_| CallRefused::NotUnderstood)
        }
        .boxed()
    };
    joined.calls.write().insert(name.to_owned(), Arc::new(answer));
}

async fn submit_all<Request, Answer>(
    here: &Batcher<Request, Answer>,
    requests: Vec<Request>,
) -> Vec<Result<Answer, StoreError>>
where
    Request: Send + 'static,
    Answer: Send + 'static,
{
    join_all(requests.into_iter().map(|request| here.submit(request))).await
}

/// Hands a batch to the owner; makes it here when that brings no answer.
async fn hand_over<Request, Answer>(
    joined: Arc<Joined>,
    lease: Lease,
    here: Batcher<Request, Answer>,
    requests: Vec<Request>,
) -> Vec<Result<Answer, StoreError>>
where
    Request: Serialize + Send + Sync + 'static,
    Answer: DeserializeOwned + Send + 'static,
{
    for _ in 0..OWNERS_ASKED_MAX {
        let Some(owner) = lease.elsewhere() else { break };
        match ask_owner(&joined, &lease, owner, &requests).await {
            Ok(answers) => return answers,
            Err(reason) => {
                metrics::counter!("cluster_batches_not_handed_over").increment(1);
                tracing::debug!(%owner, name = %lease.name, %reason, "a batch was not taken");
                lease.doubt(&reason);
            }
        }
    }
    submit_all(&here, requests).await
}

async fn ask_owner<Request: Serialize, Answer: DeserializeOwned>(
    joined: &Joined,
    lease: &Lease,
    owner: NodeId,
    requests: &[Request],
) -> Result<Vec<Result<Answer, StoreError>>, CallFailed> {
    let no_sense = |error: serde_json::Error| CallFailed::NoSense(error.to_string());
    let body = serde_json::to_vec(requests).map_err(no_sense)?;
    let bytes = joined.call(owner, &lease.name, body).await?;
    let answers: Vec<Result<Answer, StoreError>> = serde_json::from_slice(&bytes).map_err(no_sense)?;
    if answers.len() != requests.len() {
        return Err(CallFailed::NoSense(
            "another number of answers than of requests".to_owned(),
        ));
    }
    Ok(answers)
}
