//! The faults at work: what each does to a site, and how the site is given back.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::Signal;
use serde_json::json;

use crate::disk;
use crate::etcd::{self, Beginning};
use crate::fault::FaultKind;
use crate::http;
use crate::processes;
use crate::sites::Sites;

/// How long an administrator's order may take: it waits for a switch-over.
const ORDER_TIMEOUT: Duration = Duration::from_secs(30);

/// A blow, as it is dealt.
#[derive(Debug, Clone)]
pub(crate) struct Blow {
    pub(crate) kind: FaultKind,
    /// The site that is struck.
    pub(crate) index: usize,
    /// The burnt site's addresses answer nothing, instead of refusing connections.
    pub(crate) silent: bool,
    /// The burnt site's disks are lost with it.
    pub(crate) wipe: bool,
    /// The access token of an administrator, who drains.
    pub(crate) administrator: String,
}

impl Sites {
    /// Deals the blow.
    pub(crate) async fn strike(&mut self, blow: &Blow) -> Result<()> {
        let index = blow.index;
        match blow.kind {
            FaultKind::Burn => {
                if blow.silent {
                    self.network.cut(index)?;
                }
                self.sites[index].processes.kill()
            }
            FaultKind::Freeze => self.sites[index].processes.freeze(),
            FaultKind::Hang => self.signal_patroni(index, Signal::STOP),
            FaultKind::Cut => self.network.cut(index),
            FaultKind::DiskFull => {
                let place = self.places[index].clone();
                tokio::task::spawn_blocking(move || disk::fill(&place)).await?
            }
            FaultKind::Drain => self.order(index, "drain", &blow.administrator).await,
            FaultKind::BurnAll => self.burn_all(),
        }
    }

    /// Gives back what the blow took. The site rejoins by itself.
    pub(crate) async fn give_back(&mut self, blow: &Blow) -> Result<()> {
        let given = self.try_give_back(blow).await;
        self.changed_at = Instant::now();
        given
    }

    async fn try_give_back(&mut self, blow: &Blow) -> Result<()> {
        let index = blow.index;
        match blow.kind {
            FaultKind::Burn => {
                if blow.silent {
                    self.network.heal(index)?;
                }
                self.start_again(index, blow.wipe).await
            }
            FaultKind::Freeze => self.sites[index].processes.thaw(),
            FaultKind::Hang => self.signal_patroni(index, Signal::CONT),
            FaultKind::Cut => self.network.heal(index),
            FaultKind::DiskFull => disk::free(&self.places[index]),
            FaultKind::Drain => self.order(index, "return", &blow.administrator).await,
            FaultKind::BurnAll => {
                for index in 0..self.sites.len() {
                    self.start_again(index, false).await?;
                }
                Ok(())
            }
        }
    }

    /// Kills everything at the site of this name at once, as a fire does.
    ///
    /// # Errors
    /// There is no such site, or a process outlives SIGKILL.
    pub fn burn(&mut self, name: &str) -> Result<()> {
        let index = self.index(name)?;
        self.sites[index].processes.kill()
    }

    /// Starts the burnt site of this name again, with the disks it had, and waits until all sites are whole.
    /// Answers how long that took.
    ///
    /// # Errors
    /// There is no such site, or it does not rejoin by itself.
    pub async fn restore(&mut self, name: &str) -> Result<Duration> {
        let index = self.index(name)?;
        self.start_again(index, false).await?;
        self.changed_at = Instant::now();
        self.wait_until_whole().await
    }

    /// Stops everything at the site of this name where it stands; its connections stay open.
    ///
    /// # Errors
    /// There is no such site.
    pub fn freeze(&self, name: &str) -> Result<()> {
        self.sites[self.index(name)?].processes.freeze()
    }

    /// Lets a frozen site go on. [`Sites::wait_until_whole`] tells when it has rejoined.
    ///
    /// # Errors
    /// There is no such site.
    pub fn thaw(&mut self, name: &str) -> Result<()> {
        self.changed_at = Instant::now();
        self.sites[self.index(name)?].processes.thaw()
    }

    /// Starts what ran at a burnt site. With `wipe` it comes back with empty disks: its etcd is a new member, and
    /// Patroni copies PostgreSQL from the leader.
    async fn start_again(&mut self, index: usize, wipe: bool) -> Result<()> {
        let mut beginning = Beginning::New;
        if wipe {
            self.sites[index].wipe()?;
            let survivor = (0..self.places.len()).find(|other| *other != index);
            let survivor = survivor.context("there is but one site")?;
            etcd::replace(&self.places[index], &self.places[survivor]).await?;
            beginning = Beginning::Existing;
        }
        let site = &mut self.sites[index];
        site.start_etcd(&self.network, &self.places, beginning)?;
        site.start_patroni(&self.network, &self.places)?;
        site.start_node(&self.network, &self.places, &self.node)
    }

    /// Kills all sites, each by its own thread: none may see another die.
    fn burn_all(&mut self) -> Result<()> {
        std::thread::scope(|scope| {
            let sites = self.sites.iter_mut();
            let killing: Vec<_> = sites.map(|site| scope.spawn(|| site.processes.kill())).collect();
            killing.into_iter().try_for_each(|thread| match thread.join() {
                Ok(killed) => killed,
                Err(_) => bail!("a thread that kills a site panicked"),
            })
        })
    }

    fn signal_patroni(&mut self, index: usize, signal: Signal) -> Result<()> {
        let process = self.sites[index].patroni_process();
        let process = process.with_context(|| format!("no Patroni runs at {}", self.places[index].name))?;
        processes::signal(process, signal)
    }

    /// Tells the cluster to drain a site, or to have it back, as an administrator at another one.
    async fn order(&self, index: usize, order: &str, token: &str) -> Result<()> {
        let path = format!("/api/continuity/sites/{}/{order}", self.places[index].name);
        let other = (index + 1) % self.places.len();
        let answer = http::post(
            self.places[other].http,
            &path,
            &json!({}),
            Some(token),
            ORDER_TIMEOUT,
        )
        .await?;
        answer.success().with_context(|| format!("POST {path}"))
    }
}
