//! The closed loop: each client asks, waits for the acknowledgement, and asks again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::Result;
use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use crate::BenchOptions;

/// What a load measured.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Acknowledged requests, a second.
    pub per_s: f64,
    /// Median latency, in milliseconds.
    pub p50_ms: f64,
    /// 99 of 100 were faster, in milliseconds.
    pub p99_ms: f64,
    /// Acknowledged requests in all, those before the measured time included.
    pub acknowledged: u64,
}

/// Runs one loop a worker, each repeating `step` with the number of its request, until the time is over. Returns
/// the workers, in no order, with what they noted.
///
/// # Errors
/// The first error of any step: a bench in which requests fail measures nothing.
pub async fn run<W, S>(workers: Vec<W>, options: &BenchOptions, step: S) -> Result<(Measured, Vec<W>)>
where
    W: Send + 'static,
    S: AsyncStep<W>,
{
    let stop = Arc::new(AtomicBool::new(false));
    let measuring = Arc::new(AtomicBool::new(false));
    let mut loops = JoinSet::new();
    for mut worker in workers {
        let (stop, measuring, step) = (Arc::clone(&stop), Arc::clone(&measuring), step.clone());
        loops.spawn(async move {
            let mut latencies_us = Histogram::<u64>::new(3)?;
            let mut acknowledged = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                let begun = step.begin(&worker, acknowledged).await;
                step.run(&mut worker, acknowledged).await?;
                acknowledged += 1;
                if measuring.load(Ordering::Relaxed) {
                    latencies_us.record(u64::try_from(begun.elapsed().as_micros())?)?;
                }
            }
            anyhow::Ok((worker, latencies_us, acknowledged))
        });
    }
    tokio::time::sleep(options.warm_up).await;
    measuring.store(true, Ordering::Relaxed);
    let begun = Instant::now();
    tokio::time::sleep(options.duration).await;
    measuring.store(false, Ordering::Relaxed);
    let seconds = begun.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);

    let mut all = Histogram::<u64>::new(3)?;
    let mut acknowledged = 0;
    let mut workers = Vec::new();
    for ended in loops.join_all().await {
        let (worker, latencies_us, count) = ended?;
        workers.push(worker);
        all.add(latencies_us)?;
        acknowledged += count;
    }
    let measured = Measured {
        per_s: count(all.len()) / seconds,
        p50_ms: count(all.value_at_quantile(0.50)) / 1_000.0,
        p99_ms: count(all.value_at_quantile(0.99)) / 1_000.0,
        acknowledged,
    };
    Ok((measured, workers))
}

/// What one worker does again and again.
pub trait AsyncStep<W>: Clone + Send + Sync + 'static {
    /// Waits until it is time to do it, and says from when on its latency counts. Without a pace that is at once.
    fn begin(&self, _worker: &W, _number: u64) -> impl Future<Output = Instant> + Send {
        std::future::ready(Instant::now())
    }

    /// Does it once; `number` counts this worker's requests.
    fn run(&self, worker: &mut W, number: u64) -> impl Future<Output = Result<()>> + Send;
}

/// A count as a figure. Counts here stay far below the 2^53 that a double holds exactly.
#[expect(clippy::cast_precision_loss, reason = "counts of a run of seconds")]
pub(crate) const fn count(number: u64) -> f64 {
    number as f64
}
