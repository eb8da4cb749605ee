//! `haechi serve`: one node, until it is told to end.

mod documents;
mod health;
mod metrics;
mod router;
mod server;
mod web;

use std::io::Write;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use axum::Router;
use haechi_service::CancellationToken;
use haechi_store::job::JobRunner;
use haechi_store::{Applied, Migrations, Store, StoreError};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::services::Services;
use crate::settings::Settings;

pub(crate) use documents::document;
pub(crate) use router::router;

/// How long requests under way may take to end once the node was told to.
const DRAIN_DURATION_MAX: Duration = Duration::from_secs(10);

/// How long to wait before a store that cannot be reached is asked again; each try takes a while itself.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// Serves until SIGTERM or SIGINT, then answers what is under way and ends.
///
/// # Errors
/// A setting is wrong, the address is taken, or the store does not fit this program.
pub(crate) async fn run(settings: Settings) -> Result<()> {
    crate::log::start(&settings)?;
    let metrics = metrics::start()?;
    let listener = TcpListener::bind(settings.listen())
        .await
        .with_context(|| format!("cannot listen on {}", settings.listen()))?;
    let address = listener.local_addr()?;
    let services = crate::program::open(&settings, address)?;
    prepare_store(&settings, &services).await?;
    let shutdown = services.context.shutdown.clone();
    let runner = JobRunner::new(services.context.store.clone(), services.jobs());
    let jobs = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { runner.run(shutdown).await }
    });
    let router = router(&services, &settings, metrics);
    // Said before the first request, and read by whoever started us on port 0.
    writeln!(std::io::stdout(), "haechi listens on http://{address}")?;
    tracing::info!(%address, store = ?services.context.store, "serving");
    serve_until_told(listener, router, &shutdown).await?;
    jobs.await?;
    tracing::info!("ended");
    Ok(())
}

async fn prepare_store(settings: &Settings, services: &Services) -> Result<()> {
    let migrations = services.migrations();
    let store = &services.context.store;
    if settings.migrates() {
        for step in store.migrate(&migrations).await? {
            tracing::info!(
                service = step.service,
                number = step.number,
                name = step.name,
                "migrated"
            );
        }
        return Ok(());
    }
    let missing = missing_migrations(store, &migrations).await?;
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
async fn missing_migrations(store: &Store, migrations: &[Migrations]) -> Result<Vec<Applied>> {
    loop {
        match store.missing_migrations(migrations).await {
            Err(error @ StoreError::Unavailable(_)) => {
                tracing::warn!(%error, "waiting for the store");
                tokio::time::sleep(STORE_PAUSE).await;
            }
            outcome => return Ok(outcome?),
        }
    }
}

/// Serves until the word to end comes, and cancels `shutdown` then: long polls are answered at once.
async fn serve_until_told(listener: TcpListener, router: Router, shutdown: &CancellationToken) -> Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let serving = server::serve(listener, router, shutdown.clone(), DRAIN_DURATION_MAX);
    let told = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("told to end: answering what is under way");
        shutdown.cancel();
    };
    tokio::join!(serving, told);
    Ok(())
}
