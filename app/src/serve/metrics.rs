//! Metrics in the form that Prometheus reads.

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use haechi_http::{Administrator, Caller, Problem};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Upper ends of the duration buckets, in seconds.
const DURATIONS_S: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0,
];

/// Upper ends of the buckets that count members of a batch or a group.
const SIZES: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 64.0, 256.0, 1024.0];

/// Starts counting; the handle renders what was counted.
pub(super) fn start() -> Result<PrometheusHandle> {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &DURATIONS_S)?
        .set_buckets(&SIZES)?
        .build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).context("metrics were started before")?;
    Ok(handle)
}

/// The metrics where everyone can ask: for this machine and for administrators. They tell how much is done here,
/// which is nobody else's business.
pub(super) fn guarded(metrics: PrometheusHandle) -> Router {
    Router::new()
        .route("/metrics", get(show_guarded))
        .with_state(metrics)
}

async fn show_guarded(
    State(metrics): State<PrometheusHandle>,
    caller: Caller,
    administrator: Result<Administrator, Problem>,
) -> Result<String, Problem> {
    if !caller.0.is_loopback() {
        administrator?;
    }
    Ok(metrics.render())
}

/// The metrics for whoever reaches the address: for a listener of their own.
pub(super) fn open(metrics: PrometheusHandle) -> Router {
    Router::new().route("/metrics", get(async move || metrics.render()))
}
