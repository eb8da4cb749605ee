//! The routes of continuity: the sites for everybody, and what staff sees and does.

mod drill;
mod incident;
mod site;

use std::time::Duration;

use haechi_base::{Id, IdError, Noun};
use haechi_http::Problem;
use haechi_service::OpenApiRouter;
use utoipa_axum::routes;

use crate::Continuity;
use crate::model::{DrillRefusal, SiteRefusal};
use crate::ops::ContinuityError;

/// When to ask again after PostgreSQL or etcd did not answer.
const ENGINE_WAIT: Duration = Duration::from_secs(1);

/// The table of contents.
pub(crate) fn routes(continuity: Continuity) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(site::list_for_clients))
        .routes(routes!(site::list_live))
        .routes(routes!(site::drain))
        .routes(routes!(site::bring_back))
        .routes(routes!(drill::list, drill::file))
        .routes(routes!(incident::list))
        .with_state(continuity)
}

/// The cursor of a page is the id of its last item.
fn cursor<N: Noun>(text: &str) -> Result<Id<N>, Problem> {
    text.parse()
        .map_err(|error: IdError| Problem::bad_request("invalid-query", error.to_string()))
}

impl From<ContinuityError> for Problem {
    fn from(error: ContinuityError) -> Self {
        let detail = error.to_string();
        match error {
            ContinuityError::NotAllowed => Self::forbidden("administrator-needed", detail),
            ContinuityError::Site(refusal) => refused(&refusal, detail),
            ContinuityError::Drill(DrillRefusal::Field { .. }) => Self::unprocessable("drill-report", detail),
            ContinuityError::Drill(DrillRefusal::TooLarge { .. }) => {
                Self::payload_too_large("drill-report-too-large", detail)
            }
            ContinuityError::Engine(_) => Self::unavailable(ENGINE_WAIT, detail),
            ContinuityError::Store(error) => error.into(),
        }
    }
}

fn refused(refusal: &SiteRefusal, detail: String) -> Problem {
    match refusal {
        SiteRefusal::Name => Problem::unprocessable("site-name", detail),
        SiteRefusal::Title => Problem::unprocessable("site-title", detail),
        SiteRefusal::Url => Problem::unprocessable("site-url", detail),
        SiteRefusal::Place => Problem::unprocessable("site-place", detail),
        SiteRefusal::TooMany => Problem::conflict("too-many-sites", detail),
        SiteRefusal::NameTaken(_) => Problem::conflict("site-name-taken", detail),
        SiteRefusal::UrlTaken { .. } => Problem::conflict("site-url-taken", detail),
        SiteRefusal::NoSuchSite(_) => Problem::not_found("no-such-site", detail),
        SiteRefusal::Retired(_) => Problem::conflict("site-retired", detail),
        SiteRefusal::NotDrained(_) => Problem::conflict("site-not-drained", detail),
        SiteRefusal::StillLeads(_) => Problem::conflict("site-still-leads", detail),
        SiteRefusal::TooFewLeft(..) => Problem::conflict("too-few-sites", detail),
        SiteRefusal::LastActive(_) => Problem::conflict("last-active-site", detail),
    }
}
