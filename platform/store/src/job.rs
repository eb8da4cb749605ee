//! Jobs: work that must be done later, kept in the store, done at least once and by one runner at a time.
//!
//! A job is leased for a while; a runner that dies loses the lease, and another node does the job. A handler is
//! therefore idempotent.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use haechi_base::{Time, random};
use tokio_util::sync::CancellationToken;

use crate::{Store, StoreError, ToValue, Tx, WriteKey};

/// How long a runner may take for a job before another one may begin it again.
pub const LEASE: Duration = Duration::from_secs(60);

/// How long a job may take: less than its lease, so that it never runs twice at once.
pub const JOB_DURATION_MAX: Duration = Duration::from_secs(45);

/// How long an idle runner waits before it looks again.
const POLL: Duration = Duration::from_secs(1);

/// The longest pause before a failed job is tried again.
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(3_600);

/// A job to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Which handler does it.
    pub kind: String,
    /// Tells it from others of its kind; enqueued twice under one name it is done once.
    pub name: String,
    /// What the handler needs to know, as JSON.
    pub payload: String,
    /// How often it was begun, this time included.
    pub attempts: u32,
}

/// A job that this runner has leased.
struct Leased {
    job: Job,
    lease: String,
    /// How often it had been asked for when it was leased.
    requests: i64,
}

/// What is to become of a job that was run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobOutcome {
    /// It is done and forgotten.
    Done,
    /// It is to be run again at that time: recurring work.
    RunAgainAt(Time),
}

type Handle = dyn Fn(Job) -> BoxFuture<'static, Result<JobOutcome, String>> + Send + Sync;

/// Does the jobs of one kind.
#[derive(Clone)]
pub struct JobHandler {
    kind: &'static str,
    handle: Arc<Handle>,
    recurring: bool,
}

impl JobHandler {
    /// Does jobs that are enqueued by [`enqueue`].
    pub fn new<H, F>(kind: &'static str, handle: H) -> Self
    where
        H: Fn(Job) -> F + Send + Sync + 'static,
        F: Future<Output = Result<JobOutcome, String>> + Send + 'static,
    {
        Self {
            kind,
            handle: Arc::new(move |job| Box::pin(handle(job))),
            recurring: false,
        }
    }

    /// Does one job that is there from the start, such as a clean-up: its handler says when it runs again.
    pub fn recurring<H, F>(kind: &'static str, handle: H) -> Self
    where
        H: Fn(Job) -> F + Send + Sync + 'static,
        F: Future<Output = Result<JobOutcome, String>> + Send + 'static,
    {
        Self {
            recurring: true,
            ..Self::new(kind, handle)
        }
    }
}

const ENQUEUE: &str = "
    INSERT INTO store_job (kind, name, payload, run_at, leased_until, lease, attempts, requests)
    VALUES ($1, $2, $3, $4, 0, '', 0, 1)
    ON CONFLICT (kind, name) DO UPDATE SET requests = store_job.requests + 1";
const DUE: &str = "
    SELECT name, payload, attempts, requests FROM store_job
    WHERE kind = $1 AND run_at <= $2 AND leased_until <= $2 ORDER BY run_at LIMIT 1";
const LEASE_JOB: &str = "
    UPDATE store_job SET lease = $3, leased_until = $4, attempts = attempts + 1 WHERE kind = $1 AND name = $2";
const FINISH: &str = "
    DELETE FROM store_job WHERE kind = $1 AND name = $2 AND lease = $3 AND requests = $4";
const RELEASE: &str = "
    UPDATE store_job SET leased_until = 0, lease = '' WHERE kind = $1 AND name = $2 AND lease = $3";
const AGAIN: &str = "
    UPDATE store_job SET run_at = $4, leased_until = 0, lease = '', attempts = $5, last_error = $6
    WHERE kind = $1 AND name = $2 AND lease = $3";

/// Puts a job into the queue, as part of the transaction that makes it necessary. One that waits under the same
/// name is enough for both; one that runs under it runs again afterwards.
///
/// # Errors
/// [`StoreError`].
pub async fn enqueue(
    tx: &mut Tx<'_>,
    kind: &str,
    name: &str,
    payload: &str,
    run_at: Time,
) -> Result<(), StoreError> {
    tx.execute(ENQUEUE, &[&kind, &name, &payload, &run_at])
        .await
        .map(drop)
}

/// Runs the jobs of some handlers until it is told to stop.
pub struct JobRunner {
    store: Store,
    handlers: Vec<JobHandler>,
}

impl JobRunner {
    /// A runner for these handlers.
    #[must_use]
    pub const fn new(store: Store, handlers: Vec<JobHandler>) -> Self {
        Self { store, handlers }
    }

    /// Runs due jobs as they come until `stop` is cancelled; a job under way is ended first.
    pub async fn run(&self, stop: CancellationToken) {
        let mut planted = false;
        while !stop.is_cancelled() {
            if !planted {
                planted = self.plant_recurring().await.is_ok();
            }
            let ran = self.run_due().await.unwrap_or_else(|error| {
                tracing::warn!(%error, "the jobs cannot be read");
                0
            });
            if ran == 0 && stop.run_until_cancelled(tokio::time::sleep(POLL)).await.is_none() {
                return;
            }
        }
    }

    /// Runs one due job of each kind, if there is one; returns how many were run.
    ///
    /// # Errors
    /// [`StoreError`]; the failure of a job itself is kept with the job.
    pub async fn run_due(&self) -> Result<usize, StoreError> {
        let mut ran = 0;
        for handler in &self.handlers {
            if let Some(leased) = self.claim(handler).await? {
                self.run_job(handler, leased).await?;
                ran += 1;
            }
        }
        Ok(ran)
    }

    /// Sees to it that the recurring jobs are there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn plant_recurring(&self) -> Result<(), StoreError> {
        let now = self.store.now();
        for kind in self
            .handlers
            .iter()
            .filter(|handler| handler.recurring)
            .map(|handler| handler.kind)
        {
            self.store
                .write_unkeyed(async move |tx: &mut Tx<'_>| enqueue(tx, kind, "recurring", "null", now).await)
                .await?;
        }
        Ok(())
    }

    /// Leases the next due job of a kind. Looks without writing first: an idle runner costs no commit.
    async fn claim(&self, handler: &JobHandler) -> Result<Option<Leased>, StoreError> {
        let (kind, now, lease) = (handler.kind, self.store.now(), random::name());
        let look = async move |tx: &mut Tx<'_>| tx.query_optional(DUE, &[&kind, &now]).await;
        if self.store.read(look).await?.is_none() {
            return Ok(None);
        }
        let claim = async move |tx: &mut Tx<'_>| {
            let Some(row) = tx.query_optional(DUE, &[&kind, &now]).await? else {
                return Ok(None);
            };
            let name: String = row.get("name")?;
            tx.execute(LEASE_JOB, &[&kind, &name, &lease, &(now + LEASE)])
                .await?;
            let attempts = row.get::<u32>("attempts")?.saturating_add(1);
            let job = Job {
                kind: kind.to_owned(),
                name,
                payload: row.get("payload")?,
                attempts,
            };
            Ok(Some(Leased {
                job,
                lease: lease.clone(),
                requests: row.get("requests")?,
            }))
        };
        self.store.write_unkeyed(claim).await
    }

    async fn run_job(&self, handler: &JobHandler, leased: Leased) -> Result<(), StoreError> {
        let Leased { job, lease, requests } = leased;
        let outcome = run_bounded(handler, job.clone()).await;
        let now = self.store.now();
        let (again_at, attempts, error) = match outcome {
            Ok(JobOutcome::Done) => (None, 0, None),
            Ok(JobOutcome::RunAgainAt(time)) => (Some(time), 0, None),
            Err(error) => {
                tracing::warn!(kind = job.kind, %error, attempts = job.attempts, "a job failed");
                (Some(now + retry_pause(job.attempts)), job.attempts, Some(error))
            }
        };
        // A lease that another runner took meanwhile matches no row: its outcome counts, not ours.
        let settle = async move |tx: &mut Tx<'_>| match again_at {
            None => {
                if tx
                    .execute(FINISH, &[&job.kind, &job.name, &lease, &requests])
                    .await?
                    == 0
                {
                    tx.execute(RELEASE, &[&job.kind, &job.name, &lease]).await?;
                }
                Ok(())
            }
            Some(time) => {
                let values: [&dyn ToValue; 6] = [&job.kind, &job.name, &lease, &time, &attempts, &error];
                tx.execute(AGAIN, &values).await.map(drop)
            }
        };
        self.store.write(WriteKey::fresh(), settle).await
    }
}

/// Runs a handler for less than its lease. One that panics or takes longer has failed, and the runner goes on.
async fn run_bounded(handler: &JobHandler, job: Job) -> Result<JobOutcome, String> {
    let running = AssertUnwindSafe(async { (handler.handle)(job).await }).catch_unwind();
    match tokio::time::timeout(JOB_DURATION_MAX, running).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err("the job panicked".to_owned()),
        Err(_) => Err(format!(
            "the job took longer than {} s",
            JOB_DURATION_MAX.as_secs()
        )),
    }
}

/// Doubles from a second with each attempt, up to an hour.
fn retry_pause(attempts: u32) -> Duration {
    let seconds = 1_u64.checked_shl(attempts.saturating_sub(1)).unwrap_or(u64::MAX);
    Duration::from_secs(seconds).min(RETRY_PAUSE_MAX)
}
