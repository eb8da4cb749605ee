//! Filing drills, and reading what was filed.

use haechi_base::uuid::Uuid;
use haechi_base::{Actor, Time};
use haechi_store::{StoreError, Tx};
use serde_json::{Map, Value};

use super::{ContinuityError, authorise};
use crate::model::{Drill, DrillId, figures};
use crate::store;

/// Files the report of a drill.
///
/// # Errors
/// [`ContinuityError`].
pub async fn file_drill(
    tx: &mut Tx<'_>,
    actor: &Actor,
    drill_id: DrillId,
    report: &Map<String, Value>,
    now: Time,
) -> Result<Drill, ContinuityError> {
    authorise(actor)?;
    let figures = figures(report)?;
    let drill = Drill {
        drill_id,
        filed_by: actor.person,
        filed_at: now,
        fault: figures.fault,
        site: figures.site,
        lost: figures.lost,
        duplicated: figures.duplicated,
        report: report.clone(),
    };
    store::insert_drill(tx, &drill).await?;
    Ok(drill)
}

/// What was filed before `before` (all of it when there is none), newest first.
///
/// # Errors
/// [`StoreError`].
pub async fn drills(tx: &mut Tx<'_>, before: Option<DrillId>, limit: u32) -> Result<Vec<Drill>, StoreError> {
    store::drills(tx, before.unwrap_or(DrillId::from_uuid(Uuid::max())), limit).await
}
