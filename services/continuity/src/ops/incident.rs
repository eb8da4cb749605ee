//! Noting that a site was lost and that it is back. Several nodes notice the same: each may say so, and it is kept once.

use haechi_base::Time;
use haechi_base::uuid::Uuid;
use haechi_store::{StoreError, Tx};

use crate::model::{Incident, IncidentId, SiteName};
use crate::store;

/// Notes that a site was lost. Who says so second adds nothing, but for an earlier moment; who says so when it was
/// over already adds nothing at all.
///
/// # Errors
/// [`StoreError`].
pub async fn note_lost(
    tx: &mut Tx<'_>,
    incident_id: IncidentId,
    site: &SiteName,
    noticed_by: &SiteName,
    lost_at: Time,
) -> Result<(), StoreError> {
    match store::latest_incident(tx, site).await? {
        Some(known)
            if known
                .returned_at
                .is_some_and(|returned_at| lost_at <= returned_at) =>
        {
            Ok(())
        }
        Some(known) if known.returned_at.is_none() => {
            if lost_at < known.lost_at {
                store::set_lost_at(tx, known.incident_id, lost_at).await?;
            }
            Ok(())
        }
        _ => {
            let incident = Incident {
                incident_id,
                site: site.clone(),
                noticed_by: noticed_by.clone(),
                lost_at,
                returned_at: None,
            };
            store::insert_incident(tx, &incident).await
        }
    }
}

/// Whether a site was noted as lost and not yet as back.
///
/// # Errors
/// [`StoreError`].
pub async fn is_lost(tx: &mut Tx<'_>, site: &SiteName) -> Result<bool, StoreError> {
    let latest = store::latest_incident(tx, site).await?;
    Ok(latest.is_some_and(|incident| incident.returned_at.is_none()))
}

/// Notes that a site is back, if it was noted as lost before.
///
/// # Errors
/// [`StoreError`].
pub async fn note_returned(tx: &mut Tx<'_>, site: &SiteName, returned_at: Time) -> Result<(), StoreError> {
    match store::latest_incident(tx, site).await? {
        Some(known) if known.returned_at.is_none() && known.lost_at <= returned_at => {
            store::set_returned_at(tx, known.incident_id, returned_at).await
        }
        _ => Ok(()),
    }
}

/// Incidents before `before` (all when there is none), newest first.
///
/// # Errors
/// [`StoreError`].
pub async fn incidents(
    tx: &mut Tx<'_>,
    before: Option<IncidentId>,
    limit: u32,
) -> Result<Vec<Incident>, StoreError> {
    let before = before.unwrap_or(IncidentId::from_uuid(Uuid::max()));
    store::incidents(tx, before, limit).await
}
