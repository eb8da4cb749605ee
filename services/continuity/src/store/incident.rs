//! The statements about incidents.

use haechi_base::Time;
use haechi_store::{Row, StoreError, ToValue, Tx};

use crate::model::{Incident, IncidentId, SiteName};

/// In the place of the moment of return while a site is lost: then one index holds one open incident a site.
const NOT_YET: i64 = 0;

const INSERT_INCIDENT: &str = "
    INSERT INTO continuity_incident (incident_id, site, noticed_by, lost_at, returned_at)
    VALUES ($1, $2, $3, $4, $5)";
const LATEST_INCIDENT: &str = "
    SELECT incident_id, site, noticed_by, lost_at, returned_at FROM continuity_incident
    WHERE site = $1 ORDER BY lost_at DESC LIMIT 1";
const SET_LOST_AT: &str = "UPDATE continuity_incident SET lost_at = $2 WHERE incident_id = $1";
const SET_RETURNED_AT: &str = "UPDATE continuity_incident SET returned_at = $2 WHERE incident_id = $1";
const INCIDENTS: &str = "
    SELECT incident_id, site, noticed_by, lost_at, returned_at FROM continuity_incident
    WHERE incident_id < $1 ORDER BY incident_id DESC LIMIT $2";

pub(crate) async fn insert_incident(tx: &mut Tx<'_>, incident: &Incident) -> Result<(), StoreError> {
    let returned_at = incident.returned_at.map_or(NOT_YET, Time::micros);
    let values: [&dyn ToValue; 5] = [
        &incident.incident_id,
        &incident.site,
        &incident.noticed_by,
        &incident.lost_at,
        &returned_at,
    ];
    tx.execute(INSERT_INCIDENT, &values).await.map(drop)
}

/// The site's last incident, over or not.
pub(crate) async fn latest_incident(
    tx: &mut Tx<'_>,
    site: &SiteName,
) -> Result<Option<Incident>, StoreError> {
    let row = tx.query_optional(LATEST_INCIDENT, &[site]).await?;
    row.as_ref().map(incident).transpose()
}

pub(crate) async fn set_lost_at(tx: &mut Tx<'_>, id: IncidentId, lost_at: Time) -> Result<(), StoreError> {
    tx.execute(SET_LOST_AT, &[&id, &lost_at]).await.map(drop)
}

pub(crate) async fn set_returned_at(
    tx: &mut Tx<'_>,
    id: IncidentId,
    returned_at: Time,
) -> Result<(), StoreError> {
    tx.execute(SET_RETURNED_AT, &[&id, &returned_at]).await.map(drop)
}

/// Incidents before `before`, newest first.
pub(crate) async fn incidents(
    tx: &mut Tx<'_>,
    before: IncidentId,
    limit: u32,
) -> Result<Vec<Incident>, StoreError> {
    let rows = tx.query(INCIDENTS, &[&before, &limit]).await?;
    rows.iter().map(incident).collect()
}

fn incident(row: &Row) -> Result<Incident, StoreError> {
    let returned_at: Time = row.get("returned_at")?;
    Ok(Incident {
        incident_id: row.get("incident_id")?,
        site: row.get("site")?,
        noticed_by: row.get("noticed_by")?,
        lost_at: row.get("lost_at")?,
        returned_at: (returned_at.micros() != NOT_YET).then_some(returned_at),
    })
}
