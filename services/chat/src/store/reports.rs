//! What people told staff of.

use haechi_base::{PersonId, Time};
use haechi_store::{Row, StoreError, ToValue, Tx};

use crate::model::{Report, ReportId, Resolved};

const PUT: &str = "
    INSERT INTO chat_report (report_id, reporter, room_id, event_id, person, content, reason, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (report_id) DO UPDATE SET reason = excluded.reason";
const ALL: &str = "
    SELECT report_id, reporter, room_id, event_id, person, content, reason, created_at, resolved_at, resolved_by,
        resolution
    FROM chat_report WHERE report_id < $1 ORDER BY report_id DESC LIMIT $2";
const OPEN: &str = "
    SELECT report_id, reporter, room_id, event_id, person, content, reason, created_at, resolved_at, resolved_by,
        resolution
    FROM chat_report WHERE resolved_at IS NULL AND report_id < $1 ORDER BY report_id DESC LIMIT $2";
const FIND: &str = "
    SELECT report_id, reporter, room_id, event_id, person, content, reason, created_at, resolved_at, resolved_by,
        resolution
    FROM chat_report WHERE report_id = $1";
// Who resolved it first, did.
const RESOLVE: &str = "
    UPDATE chat_report SET resolved_at = $2, resolved_by = $3, resolution = $4
    WHERE report_id = $1 AND resolved_at IS NULL";

/// Keeps a report.
pub(crate) async fn put(tx: &mut Tx<'_>, report: &Report) -> Result<(), StoreError> {
    let values: [&dyn ToValue; 8] = [
        &report.report_id,
        &report.reporter,
        &report.room_id,
        &report.event_id,
        &report.person,
        &report.content,
        &report.reason,
        &report.created_at,
    ];
    tx.execute(PUT, &values).await.map(drop)
}

/// Up to `limit` reports before this one, the newest first.
pub(crate) async fn list(
    tx: &mut Tx<'_>,
    before: ReportId,
    open_only: bool,
    limit: u32,
) -> Result<Vec<Report>, StoreError> {
    let sql = if open_only { OPEN } else { ALL };
    let rows = tx.query(sql, &[&before, &limit]).await?;
    rows.iter().map(read).collect()
}

/// One report.
pub(crate) async fn find(tx: &mut Tx<'_>, report_id: ReportId) -> Result<Option<Report>, StoreError> {
    let row = tx.query_optional(FIND, &[&report_id]).await?;
    row.as_ref().map(read).transpose()
}

/// Writes what came of a report, unless that stands there already.
pub(crate) async fn resolve(
    tx: &mut Tx<'_>,
    report_id: ReportId,
    resolved: &Resolved,
) -> Result<(), StoreError> {
    let values: [&dyn ToValue; 4] = [&report_id, &resolved.at, &resolved.by, &resolved.resolution];
    tx.execute(RESOLVE, &values).await.map(drop)
}

fn read(row: &Row) -> Result<Report, StoreError> {
    let resolved_at: Option<Time> = row.get("resolved_at")?;
    let by: Option<PersonId> = row.get("resolved_by")?;
    let resolution: Option<String> = row.get("resolution")?;
    Ok(Report {
        report_id: row.get("report_id")?,
        reporter: row.get("reporter")?,
        room_id: row.get("room_id")?,
        event_id: row.get("event_id")?,
        person: row.get("person")?,
        content: row.get("content")?,
        reason: row.get("reason")?,
        created_at: row.get("created_at")?,
        resolved: resolved_at.zip(by).map(|(at, by)| Resolved {
            at,
            by,
            resolution: resolution.unwrap_or_default(),
        }),
    })
}
