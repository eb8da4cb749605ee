//! `haechi drill`: four data centres on this machine, and what a fire does to them.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use haechi_drill::{Sites, SitesOptions};
use tokio::signal::unix::{SignalKind, signal};

/// Builds four data centres on this machine, loads them with real clients, strikes one, restores it, and reads back
/// every acknowledged write.
#[derive(Debug, Args)]
pub(super) struct Drill {
    /// Only start the sites, print their addresses, and end them at Ctrl-C
    #[arg(long)]
    keep: bool,

    /// Give each site a network of its own (10.127.0.1 to .4), which only this program and its children reach
    #[arg(long)]
    networks: bool,

    /// Leave a silent site to Patroni's own lease: no node takes the leader key away
    #[arg(long)]
    stock: bool,

    /// Make the sites' folders here, and leave them for a look [default: a temporary folder, removed at the end]
    #[arg(long, value_name = "FOLDER")]
    work: Option<PathBuf>,

    /// What the nodes log
    #[arg(long, value_name = "FILTER", default_value = "info")]
    node_log: String,
}

impl Drill {
    pub(super) async fn run(self) -> Result<()> {
        let needs_networks = self.networks;
        if needs_networks && !haechi_drill::is_in_hub() {
            haechi_drill::enter_hub()?;
        }
        let program = std::env::current_exe().context("cannot find this program")?;
        let options = SitesOptions {
            work: self.work,
            can_cut: needs_networks,
            stock: self.stock,
            node_log: self.node_log,
            ..SitesOptions::new(&program)
        };
        keep(&options).await
    }
}

/// Keeps the sites until we are told to end.
async fn keep(options: &SitesOptions) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let sites = tokio::select! {
        started = Sites::start(options) => started?,
        _ = tokio::signal::ctrl_c() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
    };
    for line in sites.describe().await {
        println!("{line}");
    }
    println!("store    {}", sites.store_url());
    println!("key      HAECHI_MASTER_KEY={}", sites.master_key());
    println!("logs     {}", sites.work().display());
    println!("Ctrl-C ends the sites");
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
