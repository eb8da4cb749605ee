//! Four sites on this machine: started, asked, struck and restored. Dropping them ends and removes everything.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use haechi_base::MasterKey;

use crate::disk;
use crate::etcd::{self, Beginning};
use crate::install;
use crate::keeper::Keeper;
use crate::load::SiteAddress;
use crate::network::Network;
use crate::patroni::{self, Member};
use crate::processes::make_run_group;
use crate::site::{NodeOptions, Place, SITES, Site};
use crate::wait::{holds, wait_until};

/// How long each step of the start may take.
const START_STEP_MAX: Duration = Duration::from_secs(60);

/// How the sites are made.
#[derive(Debug, Clone)]
pub struct SitesOptions {
    /// The program `haechi`, which serves at each site.
    pub program: PathBuf,
    /// Where the sites' folders are made, and stay; a temporary folder that goes with the sites when there is none.
    pub work: Option<PathBuf>,
    /// Whether each site's PostgreSQL gets a small disk of its own, so that it can be filled.
    pub small_disks: bool,
    /// Whether each site gets a network of its own, so that it can be cut off.
    pub can_cut: bool,
    /// Whether a silent site is left to Patroni's own lease (`haechi serve --no-detector`).
    pub stock: bool,
    /// What the nodes log, as in `HAECHI_LOG`.
    pub node_log: String,
}

impl SitesOptions {
    /// Sites on loopback, in a temporary folder, with the detector.
    #[must_use]
    pub fn new(program: &Path) -> Self {
        Self {
            program: program.to_owned(),
            work: None,
            small_disks: false,
            can_cut: false,
            stock: false,
            node_log: "info".to_owned(),
        }
    }
}

/// Four running sites.
pub struct Sites {
    pub(crate) places: Vec<Place>,
    pub(crate) sites: Vec<Site>,
    pub(crate) network: Network,
    pub(crate) node: NodeOptions,
    /// When the sites were last started, struck or given back: since then nothing changed that nodes watch.
    pub(crate) changed_at: Instant,
    work: PathBuf,
    // Last: it ends what the others started.
    _keeper: Keeper,
}

impl Sites {
    /// Starts four sites, and waits until each serves: one PostgreSQL leads, three stream.
    ///
    /// # Errors
    /// A program is missing, the machine refuses something, or a step takes too long. The message says which, and
    /// where the logs are.
    pub async fn start(options: &SitesOptions) -> Result<Self> {
        let mut sites = Self::prepare(options)?;
        let started = sites.start_all().await;
        sites.changed_at = Instant::now();
        started.with_context(|| {
            format!(
                "the sites did not start; see the logs in {}",
                sites.work.display()
            )
        })?;
        Ok(sites)
    }

    /// Makes folders, networks and groups; nothing runs yet.
    fn prepare(options: &SitesOptions) -> Result<Self> {
        let programs = install::programs()?;
        let run = format!("haechi-drill-{}", std::process::id());
        let work = make_work_folder(options.work.as_deref(), &run)?;
        let group = make_run_group(&run);
        let names = if options.can_cut {
            Network::namespace_names(&run)
        } else {
            Vec::new()
        };
        let keeper = Keeper::start(&work, group.as_deref(), options.work.is_none(), &names)?;
        let network = if options.can_cut {
            Network::namespaces(names)?
        } else {
            Network::loopback()?
        };
        let places: Vec<Place> = (0..SITES.len())
            .map(|index| Place::new(index, &work, &network, &programs))
            .collect();
        let sites = places
            .iter()
            .enumerate()
            .map(|(index, place)| Site::new(index, place.clone(), group.as_deref()))
            .collect::<Result<_>>()?;
        if options.small_disks {
            places.iter().try_for_each(disk::mount_small)?;
        }
        Ok(Self {
            places,
            sites,
            network,
            node: NodeOptions {
                program: options.program.clone(),
                master_key: MasterKey::generate().to_base64().to_string(),
                stock: options.stock,
                log: options.node_log.clone(),
            },
            changed_at: Instant::now(),
            work,
            _keeper: keeper,
        })
    }

    async fn start_all(&mut self) -> Result<()> {
        for site in &mut self.sites {
            site.start_etcd(&self.network, &self.places, Beginning::New)?;
        }
        for place in &self.places {
            let what = format!("etcd of {} is healthy", place.name);
            wait_until(&what, START_STEP_MAX, async || {
                holds(etcd::is_healthy(place).await)
            })
            .await?;
        }
        // One begins, so that the others find its rules and copy it at once.
        self.sites[0].start_patroni(&self.network, &self.places)?;
        let first = &self.places[0];
        let what = format!("PostgreSQL of {} leads", first.name);
        wait_until(&what, START_STEP_MAX, async || holds(patroni::leads(first).await)).await?;
        for site in &mut self.sites[1..] {
            site.start_patroni(&self.network, &self.places)?;
        }
        wait_until("three standbys are in the quorum", START_STEP_MAX, async || {
            let members = patroni::members(first).await?;
            let confirming = members.iter().filter(|member| member.confirms()).count();
            holds(confirming + 1 == SITES.len())
        })
        .await?;
        self.sites[0].make_database(&self.network).await?;
        self.sites[0]
            .migrate(&self.network, &self.places, &self.node)
            .await?;
        for site in &self.sites {
            site.register(&self.network, &self.places, &self.node).await?;
        }
        for site in &mut self.sites {
            site.start_node(&self.network, &self.places, &self.node)?;
        }
        for place in &self.places {
            let what = format!("the node of {} is ready", place.name);
            wait_until(&what, START_STEP_MAX, async || holds(node_is_ready(place).await)).await?;
        }
        Ok(())
    }

    /// Where clients reach the sites.
    #[must_use]
    pub fn addresses(&self) -> Vec<SiteAddress> {
        self.places.iter().map(Place::address).collect()
    }

    /// The folder with the sites' logs, one folder a site.
    #[must_use]
    pub fn work(&self) -> &Path {
        &self.work
    }

    /// The store as a node would name it, for a program beside the nodes.
    #[must_use]
    pub fn store_url(&self) -> String {
        let servers: Vec<String> = self
            .places
            .iter()
            .map(|place| place.postgres.to_string())
            .collect();
        format!("postgres://haechi@{}/haechi?sslmode=disable", servers.join(","))
    }

    /// The master key of the nodes, in base64.
    #[must_use]
    pub fn master_key(&self) -> &str {
        &self.node.master_key
    }

    /// The site whose PostgreSQL leads now, if one does.
    pub async fn primary(&self) -> Option<String> {
        primary(&self.places).await
    }

    /// The index of a site by its name.
    pub(crate) fn index(&self, name: &str) -> Result<usize> {
        let found = self.places.iter().position(|place| place.name == name);
        found.with_context(|| {
            let names: Vec<&str> = SITES.iter().map(|(name, _)| *name).collect();
            format!("there is no site {name}; there are {}", names.join(", "))
        })
    }

    /// Each site's line for a person: its node, who leads.
    pub async fn describe(&self) -> Vec<String> {
        let primary = self.primary().await;
        let mut lines = Vec::new();
        for place in &self.places {
            let leads = if primary.as_ref() == Some(&place.name) {
                ", PostgreSQL leads"
            } else {
                ""
            };
            let etcd = if etcd::leads(place).await == Some(true) {
                ", etcd leads"
            } else {
                ""
            };
            lines.push(format!("{:8} http://{}{leads}{etcd}", place.name, place.http));
        }
        lines
    }
}

/// The site whose PostgreSQL leads, by the word of its own Patroni.
pub(crate) async fn primary(places: &[Place]) -> Option<String> {
    let asked = places
        .iter()
        .map(|place| async move { (patroni::leads(place).await, place) });
    let answers = futures_util::future::join_all(asked).await;
    let mut leaders = answers.into_iter().filter(|(leads, _)| *leads);
    leaders.next().map(|(_, place)| place.name.clone())
}

/// The members of PostgreSQL's cluster, as the first Patroni that answers tells.
pub(crate) async fn members(places: &[Place]) -> Result<Vec<Member>> {
    for place in places {
        if let Ok(members) = patroni::members(place).await {
            return Ok(members);
        }
    }
    bail!("no Patroni answers")
}

pub(crate) async fn node_is_ready(place: &Place) -> bool {
    let answer = crate::http::get(place.http, "/health/ready").await;
    answer.is_ok_and(|answer| answer.status == 200)
}

/// A folder that the user postgres can reach.
fn make_work_folder(chosen: Option<&Path>, run: &str) -> Result<PathBuf> {
    let work = match chosen {
        Some(work) => std::path::absolute(work)?,
        None => std::env::temp_dir().join(run),
    };
    if work.join(SITES[0].0).exists() {
        bail!(
            "{} has the sites of an earlier drill: name an empty folder",
            work.display()
        );
    }
    std::fs::create_dir_all(&work).with_context(|| format!("cannot make {}", work.display()))?;
    std::fs::set_permissions(&work, std::fs::Permissions::from_mode(0o755))?;
    Ok(work.canonicalize()?)
}
