//! What a service is: a name, its tables, its routes, its background work; and what it is given to work with.
//!
//! A service is added in one place, `app/src/services.rs`. Everything the program does with services (to
//! migrate, to serve, to run jobs, to document) it does through [`Service`], without knowing which they are.

use std::sync::Arc;

use haechi_base::{Clock, Secrets, Time};
pub use haechi_cluster::Cluster;
pub use haechi_http::ErrorStyle;
pub use haechi_store::job::{Job, JobHandler, JobOutcome};
use haechi_store::{Migrations, Store};
pub use tokio_util::sync::CancellationToken;
pub use utoipa_axum::router::OpenApiRouter;

/// What every service is given. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// Where everything is kept.
    pub store: Store,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Keys for what is secret at rest.
    pub secrets: Secrets,
    /// The name in user ids (`@...:SERVER_NAME`), the same on all nodes and for ever.
    pub server_name: String,
    /// Where people reach the program: `https://haechi.example`, without a slash at the end.
    pub public_url: String,
    /// Cancelled when the program is to end: who waits for long (a long poll) answers at once.
    pub shutdown: CancellationToken,
    /// The other nodes, and what they tell.
    pub cluster: Cluster,
}

impl Context {
    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Time {
        self.clock.now()
    }
}

/// One service, as the program sees it.
pub trait Service: Send + Sync + 'static {
    /// Its name, as in its paths, tables and metrics: `identity`.
    fn name(&self) -> &'static str;

    /// Its tables.
    fn migrations(&self) -> Migrations;

    /// Its routes with their documentation, their state applied.
    fn routes(&self) -> OpenApiRouter;

    /// Its background work.
    fn jobs(&self) -> Vec<JobHandler> {
        Vec::new()
    }

    /// Routes (as registered, with their `{parameters}`) that may take longer than the ordinary time limit:
    /// long polls and uploads.
    fn slow_routes(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// Where this service tells errors in the words of another standard than RFC 9457. Problems of the layers
    /// and of the extractors are told so too, such as a missing sign-in or one request too many.
    fn error_styles(&self) -> Vec<ErrorStyle> {
        Vec::new()
    }
}

/// The routes of several services as one router.
#[must_use]
pub fn merged_routes(services: &[Arc<dyn Service>]) -> OpenApiRouter {
    services.iter().fold(OpenApiRouter::default(), |all, service| {
        all.merge(service.routes())
    })
}

/// The migrations of several services, in their order, after those of the cluster.
#[must_use]
pub fn all_migrations(services: &[Arc<dyn Service>]) -> Vec<Migrations> {
    let of_services = services.iter().map(|service| service.migrations());
    std::iter::once(haechi_cluster::MIGRATIONS)
        .chain(of_services)
        .collect()
}
