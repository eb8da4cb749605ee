//! The routes about drills.

use axum::extract::State;
use haechi_base::Time;
use haechi_http::{
    Administrator, IdempotencyKey, Json, JsonWithBytes, Page, PageQuery, Problem, ProblemDocument, Query,
};
use haechi_store::{Tx, WriteKey};
use http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::cursor;
use crate::Continuity;
use crate::model::{Drill, DrillId};
use crate::ops::{self, ContinuityError};

/// A drill that was held.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DrillDocument {
    drill_id: DrillId,
    filed_at: Time,
    /// What was done: `burn`, `freeze`, `cut`, ...
    fault: String,
    /// To which site; null when to all, or it was not said.
    site: Option<String>,
    /// Acknowledged writes that were lost.
    lost: u64,
    /// Writes that were there twice.
    duplicated: u64,
    /// The whole report, as `haechi drill --json` printed it.
    #[schema(value_type = Object)]
    report: Map<String, Value>,
}

impl From<Drill> for DrillDocument {
    fn from(drill: Drill) -> Self {
        Self {
            drill_id: drill.drill_id,
            filed_at: drill.filed_at,
            fault: drill.fault,
            site: Some(drill.site).filter(|site| !site.is_empty()),
            lost: drill.lost,
            duplicated: drill.duplicated,
            report: drill.report,
        }
    }
}

/// The drills that were held, the newest first. Administrators only.
#[utoipa::path(get, path = "/api/continuity/drills", tag = "continuity", operation_id = "list_drills",
    params(PageQuery), responses((status = 200, body = Page<DrillDocument>)))]
pub(crate) async fn list(
    State(continuity): State<Continuity>,
    _: Administrator,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<DrillDocument>>, Problem> {
    let limit = query.limit();
    let before: Option<DrillId> = query.before.as_deref().map(cursor).transpose()?;
    let list = async move |tx: &mut Tx<'_>| ops::drills(tx, before, limit + 1).await;
    let drills = continuity.context.store.read(list).await?;
    let page = Page::from_one_more(drills, limit, |drill: &Drill| drill.drill_id.to_string());
    Ok(Json(page.map(DrillDocument::from)))
}

/// Files the report of a drill, as `haechi drill --json` printed it. Administrators only.
///
/// It holds at least `fault` (a word), `lost` and `duplicated` (whole numbers), and whatever else was measured.
#[utoipa::path(post, path = "/api/continuity/drills", tag = "continuity", operation_id = "file_drill",
    params(("Idempotency-Key" = String, Header, description = "The same report sent again with it is filed once")),
    request_body = Object,
    responses((status = 201, body = DrillDocument), (status = 422, body = ProblemDocument)))]
pub(crate) async fn file(
    State(continuity): State<Continuity>,
    Administrator(actor): Administrator,
    IdempotencyKey(key): IdempotencyKey,
    JsonWithBytes { value: report, bytes }: JsonWithBytes<Map<String, Value>>,
) -> Result<(StatusCode, Json<DrillDocument>), Problem> {
    let now = continuity.now();
    let drill_id = DrillId::new(now);
    let key = WriteKey::client(&format!("continuity.drill/{}", actor.person), &key, &bytes);
    let file = async move |tx: &mut Tx<'_>| ops::file_drill(tx, &actor, drill_id, &report, now).await;
    let filed: Result<Drill, ContinuityError> = continuity.context.store.write(key, file).await;
    Ok((StatusCode::CREATED, Json(filed?.into())))
}
