//! The statements about drills.

use haechi_store::{Row, StoreError, ToValue, Tx};

use crate::model::{Drill, DrillId};

const INSERT_DRILL: &str = "
    INSERT INTO continuity_drill (drill_id, filed_by, filed_at, fault, site, lost, duplicated, report)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
const DRILLS: &str = "
    SELECT drill_id, filed_by, filed_at, fault, site, lost, duplicated, report FROM continuity_drill
    WHERE drill_id < $1 ORDER BY drill_id DESC LIMIT $2";

pub(crate) async fn insert_drill(tx: &mut Tx<'_>, drill: &Drill) -> Result<(), StoreError> {
    let report = serde_json::to_string(&drill.report).map_err(|error| unreadable(&error))?;
    let (lost, duplicated) = (signed(drill.lost), signed(drill.duplicated));
    let values: [&dyn ToValue; 8] = [
        &drill.drill_id,
        &drill.filed_by,
        &drill.filed_at,
        &drill.fault,
        &drill.site,
        &lost,
        &duplicated,
        &report,
    ];
    tx.execute(INSERT_DRILL, &values).await.map(drop)
}

/// Drills before `before`, newest first.
pub(crate) async fn drills(tx: &mut Tx<'_>, before: DrillId, limit: u32) -> Result<Vec<Drill>, StoreError> {
    let rows = tx.query(DRILLS, &[&before, &limit]).await?;
    rows.iter().map(drill).collect()
}

fn drill(row: &Row) -> Result<Drill, StoreError> {
    let report: String = row.get("report")?;
    Ok(Drill {
        drill_id: row.get("drill_id")?,
        filed_by: row.get("filed_by")?,
        filed_at: row.get("filed_at")?,
        fault: row.get("fault")?,
        site: row.get("site")?,
        lost: row.get("lost")?,
        duplicated: row.get("duplicated")?,
        report: serde_json::from_str(&report).map_err(|error| unreadable(&error))?,
    })
}

/// The model takes no larger number.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn unreadable(error: &serde_json::Error) -> StoreError {
    StoreError::Type {
        expected: "a drill's report".to_owned(),
        found: error.to_string(),
    }
}
