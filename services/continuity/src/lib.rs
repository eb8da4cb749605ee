//! Continuity: the sites (data centres), what happens to them, and the drills that prove it harmless.

mod api;
mod known;
pub mod model;
pub mod ops;
mod store;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use haechi_base::Actor;
use haechi_service::{Context, OpenApiRouter, Service};
use haechi_store::{Migration, Migrations, StoreError, Tx, WriteKey};

use known::KnownSites;
use model::{NewSite, Site, SiteName, SiteState};
use ops::ContinuityError;

/// The service. Cheap to clone.
#[derive(Clone)]
pub struct Continuity {
    context: Context,
    known: Arc<KnownSites>,
}

impl Continuity {
    /// The service, working with what the program gives it.
    #[must_use]
    pub fn new(context: Context) -> Self {
        Self {
            context,
            known: Arc::new(KnownSites::default()),
        }
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
}
