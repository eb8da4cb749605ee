//! Many requests, one transaction: the way of the hot paths.
//!
//! While one batch commits, the next one gathers: the batch grows with the load and a lone request waits for
//! nobody. One batch is under way at a time, so what a batch draws (positions of a stream) is drawn in order.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};

use crate::StoreError;

/// The bounds of a batcher.
#[derive(Debug, Clone, Copy)]
pub struct BatchLimits {
    /// Requests in one batch.
    pub members_max: usize,
    /// Requests that may wait; one more is refused as too busy.
    pub waiting_max: usize,
}

impl Default for BatchLimits {
    fn default() -> Self {
        Self {
            members_max: 256,
            waiting_max: 8_192,
        }
    }
}

struct Member<Request, Answer> {
    request: Request,
    answer: oneshot::Sender<Answer>,
}

/// Gathers requests into batches. Cheap to clone; ends when the last clone is gone.
pub struct Batcher<Request, Answer> {
    queue: mpsc::Sender<Member<Request, Answer>>,
    waiting_max: usize,
}

impl<Request, Answer> Clone for Batcher<Request, Answer> {
    fn clone(&self) -> Self {
        Self {
            queue: self.queue.clone(),
            waiting_max: self.waiting_max,
        }
    }
}

impl<Request: Send + 'static, Answer: Send + 'static> Batcher<Request, Answer> {
    /// Starts a batcher on the present tokio runtime. `process` is handed a batch and returns one answer a
    /// request, in the same order.
    pub fn start<Process, Batch>(limits: BatchLimits, process: Process) -> Self
    where
        Process: Fn(Vec<Request>) -> Batch + Send + Sync + 'static,
        Batch: Future<Output = Vec<Answer>> + Send + 'static,
    {
        let (queue, waiting) = mpsc::channel(limits.waiting_max);
        tokio::spawn(run(waiting, limits.members_max, process));
        Self {
            queue,
            waiting_max: limits.waiting_max,
        }
    }

    /// Has a request done in the next batch. A caller that goes away does not take its request back.
    ///
    /// # Errors
    /// [`StoreError::TooBusy`], and [`StoreError::Panicked`] when the batch did.
    pub async fn submit(&self, request: Request) -> Result<Answer, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.queue
            .try_send(Member { request, answer })
            .map_err(|refused| match refused {
                mpsc::error::TrySendError::Full(_) => StoreError::TooBusy {
                    limit: self.waiting_max,
                },
                mpsc::error::TrySendError::Closed(_) => {
                    StoreError::Unavailable("the batcher was closed".to_owned())
                }
            })?;
        answered.await.map_err(|_| StoreError::Panicked)
    }
}

async fn run<Request, Answer, Process, Batch>(
    mut waiting: mpsc::Receiver<Member<Request, Answer>>,
    members_max: usize,
    process: Process,
) where
    Request: Send + 'static,
    Answer: Send + 'static,
    Process: Fn(Vec<Request>) -> Batch + Send + Sync + 'static,
    Batch: Future<Output = Vec<Answer>> + Send,
{
    let mut members = Vec::new();
    while waiting.recv_many(&mut members, members_max).await > 0 {
        let (requests, answers): (Vec<_>, Vec<_>) = members
            .drain(..)
            .map(|member| (member.request, member.answer))
            .unzip();
        metrics::histogram!("store_batch_members").record(u32::try_from(requests.len()).unwrap_or(u32::MAX));
        // A panic ends this batch only: its answers are dropped, and its callers are told so.
        let Ok(outcomes) = AssertUnwindSafe(async { process(requests).await })
            .catch_unwind()
            .await
        else {
            continue;
        };
        debug_assert_eq!(outcomes.len(), answers.len(), "one answer a request");
        for (answer, outcome) in answers.into_iter().zip(outcomes) {
            // Nobody listens when the caller went away; the write stands all the same.
            drop(answer.send(outcome));
        }
    }
}
