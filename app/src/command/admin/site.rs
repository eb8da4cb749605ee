//! `haechi admin site`: register a data centre, drain it, have it back, take it out, and see how all of them are.

use std::num::NonZeroU32;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use haechi_continuity::Continuity;
use haechi_continuity::engine::EtcdMembership;
use haechi_continuity::model::{
    EtcdRole, LiveSite, NewSite, PostgresRole, Site as Registered, SiteName, SiteState,
};

use super::operator;
use crate::services::Services;
use crate::settings::Settings;

/// How long a drain is waited for. It goes on without anybody who waits.
const DRAIN_WAIT: Duration = Duration::from_secs(60);

/// How often it is asked whether a site is drained.
const DRAIN_LOOK_EVERY: Duration = Duration::from_millis(500);

/// Register sites (data centres), drain them, and take them out. Nothing is stopped by it.
#[derive(Debug, Args)]
pub(super) struct Site {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Register a site; with --peer-url its etcd joins the others
    Add(Box<Add>),
    /// Have a site give its work to the others, and wait until nothing leads from there
    Drain(Named),
    /// Have a drained site work again
    Return(Named),
    /// Take a drained site out for good
    Retire(Named),
    /// Show all sites as they are
    List {
        #[command(flatten)]
        settings: Box<Settings>,
    },
}

#[derive(Debug, Args)]
struct Add {
    /// Its name, which its etcd and its PostgreSQL under Patroni carry too: pangyo
    name: String,
    /// What people read [default: its name]
    #[arg(long)]
    title: Option<String>,
    /// Where clients reach it, as https://pangyo.haechi.example
    #[arg(long)]
    url: String,
    /// Degrees north
    #[arg(long, allow_negative_numbers = true)]
    latitude: f64,
    /// Degrees east
    #[arg(long, allow_negative_numbers = true)]
    longitude: f64,
    /// Requests a second that it carries at the most, when that was measured; another number given later takes its place
    #[arg(long, value_name = "NUMBER")]
    capacity: Option<NonZeroU32>,
    /// Where the other members of etcd reach its own, as http://10.0.5.1:2380: for a site that joins a running cluster
    #[arg(long, value_name = "URL")]
    peer_url: Option<String>,
    #[command(flatten)]
    settings: Box<Settings>,
}

#[derive(Debug, Args)]
struct Named {
    /// The site
    name: String,
    #[command(flatten)]
    settings: Box<Settings>,
}

impl Site {
    pub(super) async fn run(self) -> Result<()> {
        match self.task {
            Task::Add(add) => add.run().await,
            Task::Drain(named) => named.drain().await,
            Task::Return(named) => {
                let (services, name) = named.open().await?;
                let back = services
                    .continuity
                    .change_site(&operator(), &name, SiteState::Active)
                    .await?;
                println!("{} works again", back.name);
                Ok(())
            }
            Task::Retire(named) => named.retire().await,
            Task::List { settings } => list(&open(*settings).await?.continuity).await,
        }
    }
}

/// The services on tables that are there.
async fn open(settings: Settings) -> Result<Services> {
    let services = super::open(settings).await?;
    let store = &services.context.store;
    if !store.missing_migrations(&services.migrations()).await?.is_empty() {
        bail!("the store lacks migrations; run `haechi migrate` first");
    }
    Ok(services)
}

impl Add {
    async fn run(self) -> Result<()> {
        let title = self.title.as_deref().unwrap_or(&self.name);
        let mut new = NewSite::new(&self.name, title, &self.url, (self.latitude, self.longitude))?;
        new.capacity = self.capacity.map(NonZeroU32::get);
        let settings = self.settings.clone().with_file()?;
        let services = open(settings.clone()).await?;
        let continuity = &services.continuity;
        let known = continuity.read_sites().await?;
        // A command that was interrupted between the store and etcd is given again.
        if let Some(site) = known.iter().find(|site| is_same(site, &new)) {
            keep(continuity, site, self.capacity).await?;
        } else {
            continuity.add_site(&operator(), new.clone()).await?;
            println!("registered {} at {}", new.name, new.url);
        }
        if continuity.engine().is_some() {
            join_etcd(continuity, &new.name, self.peer_url.as_deref(), &settings).await?;
        } else if self.peer_url.is_some() {
            bail!("--peer-url needs --etcd: name the members that it is to join");
        }
        Ok(())
    }
}

/// A site that is there already: what it carries may have been measured since, or anew.
async fn keep(continuity: &Continuity, site: &Registered, capacity: Option<NonZeroU32>) -> Result<()> {
    match capacity.filter(|capacity| site.capacity != Some(capacity.get())) {
        None => println!("{} is registered already", site.name),
        Some(capacity) => {
            continuity.set_capacity(&operator(), &site.name, capacity).await?;
            println!(
                "{} is registered already; its capacity is {capacity} requests a second now",
                site.name
            );
        }
    }
    Ok(())
}

/// Whether they are the same but for the capacity.
fn is_same(site: &Registered, new: &NewSite) -> bool {
    site.state == SiteState::Active
        && (&site.name, &site.title, &site.url) == (&new.name, &new.title, &new.url)
        && site.latitude.to_bits() == new.latitude.to_bits()
        && site.longitude.to_bits() == new.longitude.to_bits()
}

async fn join_etcd(
    continuity: &Continuity,
    name: &SiteName,
    peer_url: Option<&str>,
    settings: &Settings,
) -> Result<()> {
    let engine = continuity.engine().context("etcd")?;
    let members = engine.look().await?.etcd;
    if members.iter().any(|member| member.site == name.as_str()) {
        println!("etcd has a member {name}");
        return Ok(());
    }
    let Some(peer_url) = peer_url else {
        bail!(
            "etcd has no member {name} yet; give --peer-url, where the other members will reach it, to have it added: \
             the site is registered, and the same command may be given again"
        );
    };
    let membership = continuity.add_etcd_member(&operator(), name, peer_url).await?;
    print!("{}", instructions(name, peer_url, &membership, settings));
    Ok(())
}

/// What the programs of a site that joins are started with.
fn instructions(name: &SiteName, peer_url: &str, membership: &EtcdMembership, settings: &Settings) -> String {
    let scheme_and_host = peer_url.rsplit_once(':').map_or(peer_url, |(front, _)| front);
    let client_url = format!("{scheme_and_host}:2379");
    let host = scheme_and_host.rsplit('/').next().unwrap_or(scheme_and_host);
    let others = settings.etcd().join(",");
    let scope = settings.cluster();
    let hosts: Vec<&str> = settings
        .etcd()
        .iter()
        .filter_map(|url| url.split("//").nth(1))
        .collect();
    let hosts = hosts.join(",");
    let initial_cluster = &membership.initial_cluster;
    let done = if membership.is_new {
        "etcd has a new member, which has no vote until it has caught up; then it is given one by itself."
    } else {
        "etcd was told of this member before."
    };
    format!(
        "{done}\n\
         Start in {name}, in this order, on empty data folders:\n\
         \n\
         etcd --name {name} --initial-cluster-state existing \\\n    \
             --initial-cluster {initial_cluster} \\\n    \
             --initial-advertise-peer-urls {peer_url} --listen-peer-urls {peer_url} \\\n    \
             --advertise-client-urls {client_url} --listen-client-urls {client_url}\n\
         \n\
         Patroni, with the settings of the other sites but for:\n    \
             scope: {scope}\n    \
             name: {name}\n    \
             etcd3: {{hosts: \"{host}:2379,{hosts}\"}}\n    \
             restapi: {{listen: \"{host}:8008\", connect_address: \"{host}:8008\"}}\n    \
             postgresql: {{listen: \"{host}:5432\", connect_address: \"{host}:5432\"}}\n\
         \n\
         haechi serve --site {name} --cluster {scope} --etcd {client_url},{others} \\\n    \
             --store postgres://USER@{host}:5432,... (and the other sites as they name them) \\\n    \
             with the master key and the server name of the other sites\n"
    )
}

impl Named {
    async fn open(self) -> Result<(Services, SiteName)> {
        let name = self.name.parse()?;
        Ok((open(*self.settings).await?, name))
    }

    async fn drain(self) -> Result<()> {
        let (services, name) = self.open().await?;
        let continuity = &services.continuity;
        continuity
            .change_site(&operator(), &name, SiteState::Draining)
            .await?;
        println!("{name} drains: its clients go to other sites, and what leads there moves away");
        if continuity.engine().is_none() {
            return Ok(());
        }
        let waiting = tokio::time::timeout(DRAIN_WAIT, wait_until_drained(continuity, &name));
        match waiting.await {
            Ok(waited) => waited?,
            Err(_) => bail!(
                "{name} still leads after {} s; the wish is kept, and nodes of the other sites go on with it: see `haechi \
                 admin site list`, and whether one of them runs",
                DRAIN_WAIT.as_secs()
            ),
        }
        println!("{name} is drained: its programs may be stopped");
        Ok(())
    }

    async fn retire(self) -> Result<()> {
        let (services, name) = self.open().await?;
        services.continuity.retire_site(&operator(), &name).await?;
        println!(
            "{name} is retired. Stop haechi, Patroni and etcd there; Patroni forgets the member once its session ends. \
             Take it out of --etcd and --store of the other sites when they are next restarted"
        );
        Ok(())
    }
}

/// Asks until nothing leads from the site. One failed question proves nothing: the primary is just moving.
async fn wait_until_drained(continuity: &Continuity, name: &SiteName) -> Result<()> {
    loop {
        let (sites, silence) = continuity.live_sites().await?;
        let is_drained = sites
            .iter()
            .any(|live| live.site.name == *name && live.is_drained);
        if silence.is_none() && is_drained {
            return Ok(());
        }
        tokio::time::sleep(DRAIN_LOOK_EVERY).await;
    }
}

async fn list(continuity: &Continuity) -> Result<()> {
    let (sites, silence) = continuity.live_sites().await?;
    if sites.is_empty() {
        println!("no site is registered; register one with `haechi admin site add`");
    }
    for live in &sites {
        println!("{}", line(live));
    }
    let all = continuity.read_sites().await?;
    for site in all.iter().filter(|site| site.state == SiteState::Retired) {
        println!("{:<16} retired", site.name.as_str());
    }
    if let Some(error) = silence {
        bail!("PostgreSQL and etcd do not say how they are: {error}");
    }
    Ok(())
}

fn line(live: &LiveSite) -> String {
    let state = match (live.site.state, live.is_drained) {
        (SiteState::Draining, true) => "drained",
        (state, _) => state.as_str(),
    };
    let postgres = match live.postgres {
        Some(PostgresRole::Leader) => "primary".to_owned(),
        Some(PostgresRole::Replica) => match live.lag_bytes {
            Some(bytes) => format!("standby, {bytes} bytes behind"),
            None => "standby".to_owned(),
        },
        Some(PostgresRole::Unreachable) => "does not answer".to_owned(),
        None => "unknown".to_owned(),
    };
    let etcd = match live.etcd {
        Some(EtcdRole::Leader) => "leads",
        Some(EtcdRole::Member) => "votes",
        Some(EtcdRole::Learner) => "catches up",
        Some(EtcdRole::Unreachable) => "does not answer",
        None => "unknown",
    };
    format!(
        "{:<16} {:<9} {}; PostgreSQL: {postgres}; etcd: {etcd}",
        live.site.name.as_str(),
        state,
        live.site.url
    )
}
