//! Jobs are done at least once, by one runner at a time, and outlive a runner that dies.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::harness::{count, on_both_engines};
use crate::job::{Job, JobHandler, JobOutcome, JobRunner, LEASE, enqueue};
use crate::{Store, Tx};

async fn put(store: &Store, name: &'static str) {
    let now = store.now();
    store
        .write_unkeyed(async move |tx: &mut Tx<'_>| enqueue(tx, "greet", name, "{}", now).await)
        .await
        .unwrap();
}

/// A handler that counts its calls and returns what `outcome` says.
fn counting(
    calls: &Arc<AtomicU32>,
    outcome: impl Fn(&Job) -> Result<JobOutcome, String> + Send + Sync + 'static,
) -> JobHandler {
    let calls = Arc::clone(calls);
    JobHandler::new("greet", move |job| {
        calls.fetch_add(1, Ordering::SeqCst);
        let outcome = outcome(&job);
        async move { outcome }
    })
}

#[tokio::test]
async fn a_job_is_done_once_and_forgotten() {
    on_both_engines(async |test| {
        let calls = Arc::new(AtomicU32::new(0));
        let runner = JobRunner::new(
            test.store.clone(),
            vec![counting(&calls, |_| Ok(JobOutcome::Done))],
        );
        put(&test.store, "minji").await;
        put(&test.store, "minji").await;
        put(&test.store, "joon").await;
        while runner.run_due().await.unwrap() > 0 {}
        assert_eq!(calls.load(Ordering::SeqCst), 2);
        assert_eq!(count(&test.store, "store_job").await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_failed_job_is_tried_again_later_and_says_why() {
    on_both_engines(async |test| {
        let calls = Arc::new(AtomicU32::new(0));
        let handler = counting(&calls, |job| {
            if job.attempts < 3 {
                Err("the gateway is down".to_owned())
            } else {
                Ok(JobOutcome::Done)
            }
        });
        let runner = JobRunner::new(test.store.clone(), vec![handler]);
        put(&test.store, "minji").await;
        assert_eq!(runner.run_due().await.unwrap(), 1);
        assert_eq!(runner.run_due().await.unwrap(), 0, "tried again at once");
        assert_eq!(
            count(&test.store, "store_job WHERE last_error = 'the gateway is down'").await,
            1
        );
        for _ in 0..2 {
            test.clock.advance(Duration::from_secs(5));
            assert_eq!(runner.run_due().await.unwrap(), 1);
        }
        assert_eq!(count(&test.store, "store_job").await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_dead_runners_job_is_taken_over_when_its_lease_ends() {
    on_both_engines(async |test| {
        let calls = Arc::new(AtomicU32::new(0));
        put(&test.store, "minji").await;
        // This runner takes the job and is dropped before the job ends, as if its node had burnt.
        let begun = Arc::new(tokio::sync::Notify::new());
        let stuck = {
            let begun = Arc::clone(&begun);
            JobHandler::new("greet", move |_| {
                begun.notify_one();
                std::future::pending()
            })
        };
        let dying = JobRunner::new(test.store.clone(), vec![stuck]);
        tokio::select! {
            _ = dying.run_due() => panic!("the stuck job ended"),
            () = begun.notified() => {}
        }
        let heir = JobRunner::new(
            test.open_again(),
            vec![counting(&calls, |_| Ok(JobOutcome::Done))],
        );
        assert_eq!(heir.run_due().await.unwrap(), 0, "a leased job was run twice");
        test.clock.advance(LEASE);
        assert_eq!(heir.run_due().await.unwrap(), 1);
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        assert_eq!(count(&test.store, "store_job").await, 0);
    })
    .await;
}

#[tokio::test]
async fn recurring_work_comes_back_when_it_said() {
    on_both_engines(async |test| {
        let calls = Arc::new(AtomicU32::new(0));
        let handler = {
            let (calls, clock) = (Arc::clone(&calls), Arc::clone(&test.clock));
            JobHandler::recurring("sweep", move |_| {
                calls.fetch_add(1, Ordering::SeqCst);
                let again = haechi_base::Clock::now(&*clock) + Duration::from_secs(60);
                async move { Ok(JobOutcome::RunAgainAt(again)) }
            })
        };
        let runner = JobRunner::new(test.store.clone(), vec![handler]);
        runner.plant_recurring().await.unwrap();
        runner.plant_recurring().await.unwrap();
        assert_eq!(runner.run_due().await.unwrap(), 1);
        assert_eq!(runner.run_due().await.unwrap(), 0);
        test.clock.advance(Duration::from_secs(61));
        assert_eq!(runner.run_due().await.unwrap(), 1);
        assert_eq!(calls.load(Ordering::SeqCst), 2);
    })
    .await;
}

#[tokio::test]
async fn a_job_asked_for_while_it_runs_runs_again() {
    on_both_engines(async |test| {
        let calls = Arc::new(AtomicU32::new(0));
        let handler = {
            let (calls, store) = (Arc::clone(&calls), test.store.clone());
            JobHandler::new("greet", move |_| {
                let (calls, store) = (Arc::clone(&calls), store.clone());
                async move {
                    if calls.fetch_add(1, Ordering::SeqCst) == 0 {
                        put(&store, "minji").await;
                    }
                    Ok(JobOutcome::Done)
                }
            })
        };
        let runner = JobRunner::new(test.store.clone(), vec![handler]);
        put(&test.store, "minji").await;
        while runner.run_due().await.unwrap() > 0 {}
        assert_eq!(calls.load(Ordering::SeqCst), 2);
        assert_eq!(count(&test.store, "store_job").await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_job_that_panics_has_failed_and_the_runner_goes_on() {
    on_both_engines(async |test| {
        let calls = Arc::new(AtomicU32::new(0));
        let handler = counting(&calls, |job| {
            assert!(job.attempts > 1, "on purpose");
            Ok(JobOutcome::Done)
        });
        let runner = JobRunner::new(test.store.clone(), vec![handler]);
        put(&test.store, "minji").await;
        assert_eq!(runner.run_due().await.unwrap(), 1);
        assert_eq!(
            count(&test.store, "store_job WHERE last_error = 'the job panicked'").await,
            1
        );
        test.clock.advance(Duration::from_secs(5));
        assert_eq!(runner.run_due().await.unwrap(), 1);
        assert_eq!(count(&test.store, "store_job").await, 0);
    })
    .await;
}
