//! `haechi drill`: four data centres on this machine, and what a fire does to them.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use haechi_drill::{DrillOptions, Fault, FaultKind, Sites, SitesOptions, Target};
use tokio::signal::unix::{SignalKind, signal};

/// Builds four data centres on this machine, each with etcd, PostgreSQL under Patroni and a node. Loads them with
/// real clients over HTTP, strikes one, gives it back, waits until it has rejoined by itself, and reads back every
/// acknowledged write from the others. Several faults are dealt one after the other; without any the primary burns.
/// SITE is a site's name (pangyo, gasan, sejong, busan), primary, standby, largest or random [default: primary].
/// Ends with 1 when anything was lost or doubled, or --max-stall-ms was passed.
#[derive(Debug, Args)]
pub(super) struct Drill {
    /// Kill every process of a site at once (SIGKILL)
    #[arg(long, value_name = "SITE", num_args = 0..=1, default_missing_value = "primary")]
    burn: Option<Target>,

    /// Stop every process of a site (SIGSTOP), and let it go on later
    #[arg(long, value_name = "SITE", num_args = 0..=1, default_missing_value = "primary")]
    freeze: Option<Target>,

    /// Stop Patroni alone at a site; PostgreSQL goes on
    #[arg(long, value_name = "SITE", num_args = 0..=1, default_missing_value = "primary")]
    hang: Option<Target>,

    /// Cut a site off from the others and from the clients (needs network namespaces)
    #[arg(long, value_name = "SITE", num_args = 0..=1, default_missing_value = "primary")]
    cut: Option<Target>,

    /// Fill the disk of a site's PostgreSQL
    #[arg(long, value_name = "SITE", num_args = 0..=1, default_missing_value = "primary")]
    disk_full: Option<Target>,

    /// Drain a site, as before a repair
    #[arg(long, value_name = "SITE", num_args = 0..=1, default_missing_value = "primary")]
    drain: Option<Target>,

    /// Kill every process of all sites at once, and start them again
    #[arg(long)]
    burn_all: bool,

    /// How often all of it is done
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    repeat: u32,

    /// How long a fault lasts, in seconds [default: what suits the fault, 15 for a burnt site]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3_600))]
    hold_s: Option<u64>,

    /// A burnt site's addresses answer nothing, instead of refusing connections (needs network namespaces)
    #[arg(long)]
    silent: bool,

    /// A burnt site comes back with empty disks
    #[arg(long)]
    wipe: bool,

    /// Begin each round at once, although nodes that ended a silent site's session leave the next one to Patroni's
    /// own lease for a minute
    #[arg(long)]
    hasty: bool,

    /// Of "random": the same seed strikes the same sites
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,

    /// Fail when writes stood still for longer, overall or of one service
    #[arg(long, value_name = "MILLISECONDS")]
    max_stall_ms: Option<u64>,

    /// Print one JSON object
    #[arg(long)]
    json: bool,

    /// Leave a silent site to Patroni's own lease: no node takes the leader key away
    #[arg(long)]
    stock: bool,

    /// Give each site a network of its own in any case (10.127.0.1 to .4)
    #[arg(long)]
    networks: bool,

    /// Make the sites' folders here, and leave them for a look [default: a temporary folder, removed at the end]
    #[arg(long, value_name = "FOLDER")]
    work: Option<PathBuf>,

    /// What the nodes log
    #[arg(long, value_name = "FILTER", default_value = "info")]
    node_log: String,

    /// Only start the sites, print their addresses, and end them at Ctrl-C
    #[arg(long, conflicts_with_all = ["burn", "freeze", "hang", "cut", "disk_full", "drain", "burn_all"])]
    keep: bool,

    /// Only install what the drill needs beside this program
    #[arg(long, conflicts_with = "keep")]
    install: bool,
}

impl Drill {
    pub(super) async fn run(self) -> Result<()> {
        if self.install {
            return haechi_drill::install::programs().map(drop);
        }
        let program = std::env::current_exe().context("cannot find this program")?;
        let sites = SitesOptions {
            work: self.work.clone(),
            can_cut: self.networks,
            stock: self.stock,
            node_log: self.node_log.clone(),
            ..SitesOptions::new(&program)
        };
        let options = DrillOptions {
            repeat: self.repeat,
            hold: self.hold_s.map(Duration::from_secs),
            silent: self.silent,
            wipe: self.wipe,
            seed: self.seed,
            is_hasty: self.hasty,
            max_stall_ms: self.max_stall_ms,
            ..DrillOptions::new(sites, self.faults())
        };
        if options.needs_networks() && !haechi_drill::is_in_hub() {
            haechi_drill::enter_hub()?;
        }
        if self.keep {
            return keep(&options.sites).await;
        }
        let report = haechi_drill::run(&options).await?;
        if self.json {
            println!("{}", serde_json::to_string(&report)?);
        } else {
            println!("{report}");
        }
        if !report.passed {
            bail!("the drill failed: {}", report.failures.join("; "));
        }
        Ok(())
    }

    /// What is to be dealt, in the order of the options' help.
    fn faults(&self) -> Vec<Fault> {
        let given = [
            (FaultKind::Burn, &self.burn),
            (FaultKind::Freeze, &self.freeze),
            (FaultKind::Hang, &self.hang),
            (FaultKind::Cut, &self.cut),
            (FaultKind::DiskFull, &self.disk_full),
            (FaultKind::Drain, &self.drain),
        ];
        let mut faults: Vec<Fault> = given
            .into_iter()
            .filter_map(|(kind, target)| target.clone().map(|target| Fault { kind, target }))
            .collect();
        if self.burn_all {
            faults.push(Fault {
                kind: FaultKind::BurnAll,
                target: Target::Random,
            });
        }
        if faults.is_empty() {
            faults.push(Fault {
                kind: FaultKind::Burn,
                target: Target::Primary,
            });
        }
        faults
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
