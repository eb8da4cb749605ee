//! The store and the services on it, as every command needs them.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use haechi_base::{Secrets, SystemClock};
use haechi_cluster::{Etcd, PatroniLeadership};
use haechi_service::{CancellationToken, Cluster, Context};
use haechi_store::{Store, StoreLimits, StoreUrl};

use crate::key::master_key;
use crate::services::Services;
use crate::settings::Settings;

/// Opens the store and builds the services. Must be called within the runtime.
///
/// # Errors
/// A setting is wrong, or the store cannot be opened.
pub(crate) async fn open(settings: &Settings, listen: SocketAddr) -> Result<Services> {
    let url: StoreUrl = settings.store().parse().context("store")?;
    let secrets = Secrets::new(master_key(settings, &url)?);
    let clock = Arc::new(SystemClock);
    let shutdown = CancellationToken::new();
    let leadership = leadership(settings, &shutdown).await?;
    let asked = leadership.clone().map(|leadership| Arc::new(leadership) as _);
    let context = Context {
        store: Store::open_led(&url, &StoreLimits::default(), Arc::clone(&clock) as _, asked)?,
        clock,
        secrets,
        server_name: settings.server_name()?.to_owned(),
        public_url: settings.public_url(listen)?,
        shutdown,
        cluster: Cluster::of_site(settings.site().map(str::to_owned), leadership),
    };
    Services::new(context, settings)
}

/// Who leads the database cluster, where etcd was named.
async fn leadership(settings: &Settings, shutdown: &CancellationToken) -> Result<Option<PatroniLeadership>> {
    if settings.etcd().is_empty() {
        return Ok(None);
    }
    let etcd = Etcd::new(settings.etcd()).await.context("etcd")?;
    Ok(Some(PatroniLeadership::follow(
        etcd,
        settings.cluster(),
        shutdown,
    )))
}
