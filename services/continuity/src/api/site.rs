//! The routes about sites.

use axum::extract::State;
use haechi_http::{Json, Problem};
use http::HeaderName;
use http::header::CACHE_CONTROL;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Continuity;
use crate::model::{Site, SiteName, SiteState};

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
