//! Continuity: the sites (data centres), what happens to them, and the drills that prove it harmless.

mod api;
pub mod engine;
mod jobs;
mod known;
mod load;
pub mod model;
pub mod ops;
mod relief;
mod store;
#[cfg(test)]
mod tests;
mod watch;

use std::num::NonZeroU32;
use std::sync::Arc;

use futures_util::future::join;
use haechi_base::{Actor, Time};
use haechi_service::{CancellationToken, Context, JobHandler, OpenApiRouter, Service};
use haechi_store::{Migration, Migrations, StoreError, Tx, WriteKey};

use engine::{Engine, EngineError, EtcdMembership};
use known::KnownSites;
use load::Loads;
use model::{
    EngineView, LiveSite, NewSite, NodeFact, Site, SiteName, SiteState, check_change, check_leaving,
    live_sites,
};
use ops::ContinuityError;

/// The service. Cheap to clone.
#[derive(Clone)]
pub struct Continuity {
    context: Context,
    engine: Option<Arc<dyn Engine>>,
    known: Arc<KnownSites>,
    loads: Arc<Loads>,
}

impl Continuity {
    /// The service, working with what the program gives it. `engine` is the cluster's under the sites, where there is
    /// one.
    #[must_use]
    pub fn new(context: Context, engine: Option<Arc<dyn Engine>>) -> Self {
        Self {
            context,
            engine,
            known: Arc::default(),
            loads: Arc::default(),
        }
    }

    /// Tells this node's load to the others, notes when a site is lost and when it is back, and has the primary leave a
    /// site whose disk is full, until `end`.
    pub async fn run(&self, end: CancellationToken) {
        join(
            watch::run(self.clone(), end.clone()),
            relief::run(self.clone(), end),
        )
        .await;
    }

    /// The cluster's engine under the sites, where there is one.
    #[must_use]
    pub fn engine(&self) -> Option<&Arc<dyn Engine>> {
        self.engine.as_ref()
    }

    fn now(&self) -> Time {
        self.context.now()
    }

    /// The sites as the store has them now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn read_sites(&self) -> Result<Vec<Site>, StoreError> {
        let (sites, _) = self.read_sites_and_lag().await?;
        Ok(sites)
    }

    /// The same, and whether a standby told them: it may lag behind.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn read_sites_and_lag(&self) -> Result<(Vec<Site>, bool), StoreError> {
        let read = async |tx: &mut Tx<'_>| Ok((ops::all_sites(tx).await?, tx.may_lag()));
        self.context.store.read(read).await
    }

    /// The sites that are not retired as they are at this moment; and why the engine said nothing, if it did not.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn live_sites(&self) -> Result<(Vec<LiveSite>, Option<EngineError>), StoreError> {
        let sites = self.sites().await?;
        let looked = match &self.engine {
            Some(engine) => Some(engine.look().await),
            None => None,
        };
        let view = match &looked {
            None => EngineView::None,
            Some(Err(_)) => EngineView::Silent,
            Some(Ok(facts)) => EngineView::Told(facts),
        };
        let now = self.now();
        let nodes: Vec<NodeFact> = self
            .context
            .cluster
            .nodes()
            .into_iter()
            .map(|seen| NodeFact {
                is_up: seen.is_here || seen.is_up,
                requests_per_s: self.loads.of(seen.node.node_id, now),
                site: seen.node.site,
            })
            .collect();
        let live = live_sites(&sites, &nodes, view);
        Ok((live, looked.and_then(Result::err)))
    }

    /// The sites, retired ones too: about a second old, or older while the store cannot be reached.
    ///
    /// # Errors
    /// [`StoreError`] when they were never read.
    pub async fn sites(&self) -> Result<Arc<[Site]>, StoreError> {
        self.known.get(&self.context.store).await
    }

    /// Where clients reach the sites that are there, as far as this node knows without waiting for the store.
    pub async fn site_urls(&self) -> Vec<String> {
        let sites = self.sites().await.ok().or_else(|| self.known.last());
        let sites = sites.iter().flat_map(|sites| sites.iter());
        sites
            .filter(|site| site.state != SiteState::Retired)
            .map(|site| site.url.clone())
            .collect()
    }

    /// Registers a site. Doing it again with the same parts is refused: the name is taken.
    ///
    /// # Errors
    /// [`ContinuityError`].
    pub async fn add_site(&self, actor: &Actor, new: NewSite) -> Result<Site, ContinuityError> {
        let (actor, now) = (actor.clone(), self.context.now());
        let add = async move |tx: &mut Tx<'_>| ops::add_site(tx, &actor, &new, now).await;
        let added = self.context.store.write(WriteKey::fresh(), add).await;
        self.known.expire();
        added
    }

    /// Notes how many requests a second a site carries at the most; see [`ops::set_capacity`].
    ///
    /// # Errors
    /// [`ContinuityError`].
    pub async fn set_capacity(
        &self,
        actor: &Actor,
        name: &SiteName,
        capacity_per_s: NonZeroU32,
    ) -> Result<Site, ContinuityError> {
        let (actor, name) = (actor.clone(), name.clone());
        let set = async move |tx: &mut Tx<'_>| ops::set_capacity(tx, &actor, &name, capacity_per_s).await;
        let noted = self.context.store.write(WriteKey::fresh(), set).await;
        self.known.expire();
        noted
    }

    /// Sees to it that etcd has a member for a site, and that it is given its vote once it has caught up.
    ///
    /// # Errors
    /// [`EngineError`]; [`ContinuityError`] in its words when the wish for its vote cannot be kept.
    pub async fn add_etcd_member(
        &self,
        actor: &Actor,
        site: &SiteName,
        peer_url: &str,
    ) -> Result<EtcdMembership, EngineError> {
        let engine = self.engine().ok_or(EngineError::None)?;
        let membership = engine.add_etcd_member(site.as_str(), peer_url).await?;
        let (actor, now) = (actor.clone(), self.now());
        let wish = async move |tx: &mut Tx<'_>| ops::await_votes(tx, &actor, now).await;
        let wished: Result<(), ContinuityError> = self.context.store.write(WriteKey::fresh(), wish).await;
        wished.map_err(|error| EngineError::Refused(error.to_string()))?;
        Ok(membership)
    }

    /// Takes a drained site out for good: etcd's member first, then the site itself. Asked again it goes on where it
    /// was interrupted.
    ///
    /// # Errors
    /// [`ContinuityError`].
    pub async fn retire_site(&self, actor: &Actor, name: &SiteName) -> Result<Site, ContinuityError> {
        let sites = self.read_sites().await?;
        check_change(name, SiteState::Retired, &sites)?;
        if let Some(engine) = self.engine() {
            let facts = engine.look().await?;
            check_leaving(name, &sites, &facts)?;
            engine.remove_etcd_member(name.as_str()).await?;
        }
        self.change_site(actor, name, SiteState::Retired).await
    }

    /// Wishes a site into a state; see [`ops::change_site`].
    ///
    /// # Errors
    /// [`ContinuityError`].
    pub async fn change_site(
        &self,
        actor: &Actor,
        name: &SiteName,
        to: SiteState,
    ) -> Result<Site, ContinuityError> {
        let (actor, name, now) = (actor.clone(), name.clone(), self.context.now());
        let change = async move |tx: &mut Tx<'_>| ops::change_site(tx, &actor, &name, to, now).await;
        let changed = self.context.store.write(WriteKey::fresh(), change).await;
        self.known.expire();
        changed
    }

    /// Whether the site of this node is to give its work to the others.
    pub async fn is_draining(&self) -> bool {
        let Some(here) = self.context.cluster.site() else {
            return false;
        };
        let sites = self.sites().await.ok();
        let mut sites = sites.iter().flat_map(|sites| sites.iter());
        sites.any(|site| site.name.as_str() == here && site.state != SiteState::Active)
    }
}

impl Service for Continuity {
    fn name(&self) -> &'static str {
        "continuity"
    }

    fn migrations(&self) -> Migrations {
        Migrations {
            service: "continuity",
            steps: &[Migration {
                number: 1,
                name: "site",
                sql: include_str!("../migrations/0001_site.sql"),
            }],
        }
    }

    fn routes(&self) -> OpenApiRouter {
        api::routes(self.clone())
    }

    fn jobs(&self) -> Vec<JobHandler> {
        jobs::handlers(self)
    }
}
