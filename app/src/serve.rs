//! `haechi serve`: one node, until it is told to end.

mod documents;
mod health;
mod metrics;
pub(crate) mod report;
mod router;
mod server;
mod topology;
mod web;

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use haechi_cluster::detector::{self, DetectorSettings};
use haechi_service::{CancellationToken, Context};
use haechi_store::StoreError;
use haechi_store::job::JobRunner;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use crate::services::Services;
use crate::settings::Settings;
use server::Routes;

pub(crate) use documents::document;
pub(crate) use router::router;

/// How long requests under way may take to end once the node was told to.
const DRAIN_DURATION_MAX: Duration = Duration::from_secs(10);

/// How long a node that is to end goes on as before, so that whoever sends people here reads its health and sends them
/// elsewhere. A node that is alone has nobody to send them to, and ends at once.
const DRAIN_NOTICE: Duration = Duration::from_secs(3);

/// How long to wait before a store that cannot be reached is asked again; each try takes a while itself.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// Serves until SIGTERM or SIGINT, then answers what is under way and ends.
///
/// # Errors
/// A setting is wrong, the address is taken, or the store does not fit this program.
pub(crate) async fn run(settings: Settings) -> Result<()> {
    crate::log::start(&settings)?;
    topology::check_alone(&settings)?;
    let handle = metrics::start()?;
    let listener = listen(settings.listen()).await?;
    let address = listener.local_addr()?;
    let services = crate::program::open_node(&settings, address).await?;
    let shutdown = services.context.shutdown.clone();
    watch_primary(&settings, &services.context);
    report::answer(&settings, &services.context);
    let told = CancellationToken::new();
    cancel_when_told(&told)?;
    tokio::spawn(end_in_order(told.clone(), services.context.clone()));
    let routes = Routes::waiting(health::waiting(), told.clone());
    let mut serving = JoinSet::new();
    serving.spawn(server::serve(
        listener,
        Arc::clone(&routes),
        shutdown.clone(),
        DRAIN_DURATION_MAX,
    ));
    if let Some(address) = settings.metrics_listen() {
        let listener = listen(address).await?;
        let routes = Routes::waiting(metrics::open(handle.clone()), told.clone());
        serving.spawn(server::serve(
            listener,
            routes,
            shutdown.clone(),
            DRAIN_DURATION_MAX,
        ));
    }
    tracing::info!(%address, "listening; preparing the store");
    let preparing = async {
        prepare_store(&settings, &services).await?;
        topology::check(&settings, &services).await
    };
    if let Some(prepared) = shutdown.run_until_cancelled(preparing).await {
        prepared?;
        routes.prepare(router(&services, &settings, handle, &told));
        // Said once requests are answered, and read by whoever started us on port 0.
        writeln!(std::io::stdout(), "haechi listens on http://{address}")?;
        tracing::info!(%address, store = ?services.context.store, "serving");
        let runner = JobRunner::new(services.context.store.clone(), services.jobs());
        let cluster = &services.context.cluster;
        tokio::join!(
            runner.run(shutdown.clone()),
            services.continuity.run(shutdown.clone()),
            cluster.run(shutdown),
        );
        cluster.leave().await;
    }
    serving.join_all().await;
    tracing::info!("ended");
    Ok(())
}

/// Watches the primary's site, where this node knows its own and etcd was named.
fn watch_primary(settings: &Settings, context: &Context) {
    let (Some(leadership), Some(site)) = (context.cluster.leadership(), context.cluster.site()) else {
        return;
    };
    let cluster = context.cluster.clone();
    let detector = DetectorSettings {
        site: site.to_owned(),
        votes: settings.has_detector(),
        may_vote: Box::new(move || cluster.clock_is_trusted()),
    };
    detector::start(leadership.clone(), detector, &context.shutdown);
}

async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}"))
}

async fn prepare_store(settings: &Settings, services: &Services) -> Result<()> {
    let migrations = services.migrations();
    let store = &services.context.store;
    if settings.migrates() {
        for step in wait_for_store(async || store.migrate(&migrations).await).await? {
            tracing::info!(
                service = step.service,
                number = step.number,
                name = step.name,
                "migrated"
            );
        }
        return Ok(());
    }
    let missing = wait_for_store(async || store.missing_migrations(&migrations).await).await?;
    if !missing.is_empty() {
        let names: Vec<String> = missing
            .iter()
            .map(|step| format!("{} {} ({})", step.service, step.number, step.name))
            .collect();
        bail!(
            "the store lacks migrations: {}; run `haechi migrate`",
            names.join(", ")
        );
    }
    Ok(())
}

/// Waits for a database that cannot be reached: a node that starts in an outage serves as soon as it ends.
async fn wait_for_store<T>(ask: impl AsyncFn() -> Result<T, StoreError>) -> Result<T> {
    loop {
        match ask().await {
            Err(error @ StoreError::Unavailable(_)) => {
                tracing::warn!(%error, "waiting for the store");
                tokio::time::sleep(STORE_PAUSE).await;
            }
            outcome => return Ok(outcome?),
        }
    }
}

/// Cancels `told` when the word to end comes.
fn cancel_when_told(told: &CancellationToken) -> Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let told = told.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("told to end: answering what is under way");
        told.cancel();
    });
    Ok(())
}

/// Once the node was told to end: gives its part in the cluster to others, goes on for a moment, and only then cancels
/// `shutdown`, by which long polls are answered and nothing more is accepted.
async fn end_in_order(told: CancellationToken, context: Context) {
    told.cancelled().await;
    let had_others = context.cluster.has_others();
    context.cluster.hand_over().await;
    if had_others {
        tokio::time::sleep(DRAIN_NOTICE).await;
    }
    context.shutdown.cancel();
}
