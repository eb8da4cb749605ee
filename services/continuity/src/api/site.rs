//! The routes about sites.

use axum::extract::State;
use haechi_base::Time;
use haechi_http::{Administrator, Json, Path, Problem, ProblemDocument};
use http::HeaderName;
use http::header::CACHE_CONTROL;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Continuity;
use crate::model::{EtcdRole, LiveSite, PostgresRole, Site, SiteName, SiteState};

/// How long a client may keep the list: it is there to be had when no site can be asked.
const KEPT: (HeaderName, &str) = (CACHE_CONTROL, "public, max-age=60");

/// The sites that a client may go to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SitesDocument {
    /// The site that answers; null on a machine that stands alone.
    here: Option<String>,
    /// All that are not retired, in the order they were registered. Empty on a machine that stands alone.
    sites: Vec<SiteDocument>,
}

/// A site, as everybody may know it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SiteDocument {
    name: SiteName,
    title: String,
    /// Scheme, host and port, without a slash at the end.
    url: String,
    latitude: f64,
    longitude: f64,
    /// A client leaves a draining site when it can.
    state: SiteState,
}

impl From<&Site> for SiteDocument {
    fn from(site: &Site) -> Self {
        Self {
            name: site.name.clone(),
            title: site.title.clone(),
            url: site.url.clone(),
            latitude: site.latitude,
            longitude: site.longitude,
            state: site.state,
        }
    }
}

/// The sites of this program. A client keeps them, and changes over to the next one when its own does not answer.
#[utoipa::path(get, path = "/.well-known/haechi/sites", tag = "continuity", operation_id = "list_sites_for_clients",
    security(()), responses((status = 200, body = SitesDocument)))]
pub(crate) async fn list_for_clients(
    State(continuity): State<Continuity>,
) -> Result<([(HeaderName, &'static str); 1], Json<SitesDocument>), Problem> {
    let sites = continuity.sites().await?;
    let document = SitesDocument {
        here: continuity.context.cluster.site().map(str::to_owned),
        sites: sites
            .iter()
            .filter(|site| site.state != SiteState::Retired)
            .map(SiteDocument::from)
            .collect(),
    };
    Ok(([KEPT], Json(document)))
}

/// The sites as they are at this moment.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LiveSitesDocument {
    /// The site that answers; null on a machine that stands alone.
    here: Option<String>,
    /// All that are not retired, in the order they were registered.
    sites: Vec<LiveSiteDocument>,
    /// Why nothing is known of PostgreSQL and etcd at this moment; null when it is, or there is no cluster.
    engine_error: Option<String>,
}

/// A site as it is at this moment.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LiveSiteDocument {
    name: SiteName,
    title: String,
    url: String,
    latitude: f64,
    longitude: f64,
    state: SiteState,
    /// Since when it is in its state.
    state_since: Time,
    /// Nodes of it that can be spoken to.
    nodes_alive: usize,
    /// Its PostgreSQL; null when there is no cluster, or nothing is known.
    postgres: Option<PostgresRole>,
    /// How far its PostgreSQL is behind the primary, in bytes.
    lag_bytes: Option<u64>,
    /// Its etcd; null when there is no cluster, or nothing is known.
    etcd: Option<EtcdRole>,
    /// Requests a second that its nodes answered of late; null when none of them told.
    requests_per_s: Option<u64>,
    /// Requests a second that it carries at the most; null when nobody measured it.
    capacity_per_s: Option<u32>,
    /// It drains, and nothing leads from there any more: it may be switched off.
    is_drained: bool,
}

impl From<LiveSite> for LiveSiteDocument {
    fn from(live: LiveSite) -> Self {
        Self {
            name: live.site.name,
            title: live.site.title,
            url: live.site.url,
            latitude: live.site.latitude,
            longitude: live.site.longitude,
            state: live.site.state,
            state_since: live.site.state_since,
            nodes_alive: live.nodes_alive,
            postgres: live.postgres,
            lag_bytes: live.lag_bytes,
            etcd: live.etcd,
            requests_per_s: live.requests_per_s,
            capacity_per_s: live.site.capacity,
            is_drained: live.is_drained,
        }
    }
}

/// The sites as they are at this moment: who leads, what lags, what each carries. Administrators only.
#[utoipa::path(get, path = "/api/continuity/sites", tag = "continuity", operation_id = "list_sites",
    responses((status = 200, body = LiveSitesDocument)))]
pub(crate) async fn list_live(
    State(continuity): State<Continuity>,
    _: Administrator,
) -> Result<Json<LiveSitesDocument>, Problem> {
    let (sites, silence) = continuity.live_sites().await?;
    Ok(Json(LiveSitesDocument {
        here: continuity.context.cluster.site().map(str::to_owned),
        sites: sites.into_iter().map(LiveSiteDocument::from).collect(),
        engine_error: silence.map(|error| error.to_string()),
    }))
}

/// Has a site give its work to the others: clients leave it, and nothing leads from there. Asked again it is done once.
/// Administrators only.
#[utoipa::path(post, path = "/api/continuity/sites/{name}/drain", tag = "continuity", operation_id = "drain_site",
    params(("name" = String, Path, description = "The site")),
    responses((status = 200, body = SiteDocument), (status = 409, body = ProblemDocument)))]
pub(crate) async fn drain(
    State(continuity): State<Continuity>,
    Administrator(actor): Administrator,
    Path(name): Path<String>,
) -> Result<Json<SiteDocument>, Problem> {
    let site = continuity
        .change_site(&actor, &named(&name)?, SiteState::Draining)
        .await?;
    Ok(Json(SiteDocument::from(&site)))
}

/// Has a site that drains work again. Asked again it is done once. Administrators only.
#[utoipa::path(post, path = "/api/continuity/sites/{name}/return", tag = "continuity", operation_id = "return_site",
    params(("name" = String, Path, description = "The site")),
    responses((status = 200, body = SiteDocument), (status = 409, body = ProblemDocument)))]
pub(crate) async fn bring_back(
    State(continuity): State<Continuity>,
    Administrator(actor): Administrator,
    Path(name): Path<String>,
) -> Result<Json<SiteDocument>, Problem> {
    let site = continuity
        .change_site(&actor, &named(&name)?, SiteState::Active)
        .await?;
    Ok(Json(SiteDocument::from(&site)))
}

/// What cannot be the name of a site is the name of none.
fn named(name: &str) -> Result<SiteName, Problem> {
    name.parse()
        .map_err(|_| Problem::not_found("no-such-site", format!("{name:?} is no site's name.")))
}
