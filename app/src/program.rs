//! The store and the services on it, as every command needs them.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use haechi_base::{Secrets, SystemClock, random};
use haechi_cluster::{Etcd, NodeSettings, PatroniLeadership};
use haechi_service::{CancellationToken, Cluster, Context};
use haechi_store::{Migrations, Store, StoreLimits, StoreUrl};

use crate::key::master_key;
use crate::services::Services;
use crate::settings::Settings;

/// Opens the store and builds the services, for a command. Must be called within the runtime.
///
/// # Errors
/// A setting is wrong, or the store cannot be opened.
pub(crate) async fn open(settings: &Settings, listen: SocketAddr) -> Result<Services> {
    open_as(settings, listen, Part::Command).await
}

/// As [`open`], for a node that serves: on a store that several nodes share it knows the others.
///
/// # Errors
/// As [`open`].
pub(crate) async fn open_node(settings: &Settings, listen: SocketAddr) -> Result<Services> {
    open_as(settings, listen, Part::Node).await
}

/// What this run of the program is.
enum Part {
    Command,
    Node,
}

async fn open_as(settings: &Settings, listen: SocketAddr, part: Part) -> Result<Services> {
    let url: StoreUrl = settings.store().parse().context("store")?;
    let secrets = Secrets::new(master_key(settings, &url)?);
    let clock = Arc::new(SystemClock);
    let shutdown = CancellationToken::new();
    let leadership = leadership(settings, &shutdown).await?;
    let asked = leadership.clone().map(|leadership| Arc::new(leadership) as _);
    let store = Store::open_led(&url, &StoreLimits::default(), Arc::clone(&clock) as _, asked)?;
    let site = settings.site().map(str::to_owned);
    let cluster = match (&url, part) {
        (StoreUrl::Postgres(_), Part::Node) => {
            let node = NodeSettings {
                site,
                url: settings.node_url(listen),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            };
            Cluster::join(node, leadership, store.clone(), Arc::clone(&clock) as _, &secrets)?
        }
        _ => Cluster::of_site(site, leadership),
    };
    let context = Context {
        store,
        clock,
        secrets,
        server_name: settings.server_name()?.to_owned(),
        public_url: settings.public_url(listen)?,
        shutdown,
        cluster,
    };
    Services::new(context, settings)
}

/// The tables that all services need. Services are built for it on an empty store that goes again.
pub(crate) async fn migrations() -> Result<Vec<Migrations>> {
    let folder = std::env::temp_dir().join(format!("haechi-tables-{}", random::name()));
    std::fs::create_dir(&folder)?;
    let settings = Settings::on_store(&format!("sqlite:{}", folder.join("store").display()));
    let services = open(&settings, settings.listen()).await;
    let migrations = services.map(|services| services.migrations());
    std::fs::remove_dir_all(&folder)?;
    migrations
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
