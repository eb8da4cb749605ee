//! The routes about incidents.

use axum::extract::State;
use haechi_base::Time;
use haechi_http::{Administrator, Json, Page, PageQuery, Problem, Query};
use haechi_store::Tx;
use serde::Serialize;
use utoipa::ToSchema;

use super::cursor;
use crate::Continuity;
use crate::model::{Incident, IncidentId, SiteName};
use crate::ops;

/// A site that was lost.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IncidentDocument {
    incident_id: IncidentId,
    site: SiteName,
    /// The site whose node said so first.
    noticed_by: SiteName,
    /// When the last of its nodes fell silent.
    lost_at: Time,
    /// When it answered again; null while it is lost.
    returned_at: Option<Time>,
}

impl From<Incident> for IncidentDocument {
    fn from(incident: Incident) -> Self {
        Self {
            incident_id: incident.incident_id,
            site: incident.site,
            noticed_by: incident.noticed_by,
            lost_at: incident.lost_at,
            returned_at: incident.returned_at,
        }
    }
}

/// When sites were lost and when they were back, the newest first. Administrators only.
#[utoipa::path(get, path = "/api/continuity/incidents", tag = "continuity", operation_id = "list_incidents",
    params(PageQuery), responses((status = 200, body = Page<IncidentDocument>)))]
pub(crate) async fn list(
    State(continuity): State<Continuity>,
    _: Administrator,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<IncidentDocument>>, Problem> {
    let limit = query.limit();
    let before: Option<IncidentId> = query.before.as_deref().map(cursor).transpose()?;
    let list = async move |tx: &mut Tx<'_>| ops::incidents(tx, before, limit + 1).await;
    let incidents = continuity.context.store.read(list).await?;
    let page = Page::from_one_more(incidents, limit, |incident: &Incident| {
        incident.incident_id.to_string()
    });
    Ok(Json(page.map(IncidentDocument::from)))
}
