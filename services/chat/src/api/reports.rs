//! Telling staff of messages, rooms and people (client-server API, "Reporting content"), and staff's list of it.

use axum::extract::State;
use haechi_base::limits::{PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX};
use haechi_base::{PersonId, Time};
use haechi_http::{Administrator, Json, Page, Path, Problem, Query};
use ruma::api::client::reporting::report_user;
use ruma::api::client::room::{report_content, report_room};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::endpoint;
use super::error::MatrixError;
use super::ruma::Signed;
use crate::Chat;
use crate::model::{Report, ReportId, Reported};

type Answer = Result<axum::Json<Value>, MatrixError>;

pub(super) fn routes() -> axum::Router<Chat> {
    let router = axum::Router::new();
    let router = endpoint::<report_content::v3::Request, _, _>(router, report_event);
    let router = endpoint::<report_room::v3::Request, _, _>(router, report_whole_room);
    endpoint::<report_user::v3::Request, _, _>(router, report_person)
}

async fn report_event(
    State(chat): State<Chat>,
    Signed(actor, request): Signed<report_content::v3::Request>,
) -> Answer {
    let reported = Reported::Event {
        room_id: request.room_id.to_string(),
        event_id: request.event_id.to_string(),
    };
    chat.report(&actor, reported, request.reason.unwrap_or_default())
        .await?;
    Ok(axum::Json(json!({})))
}

async fn report_whole_room(
    State(chat): State<Chat>,
    Signed(actor, request): Signed<report_room::v3::Request>,
) -> Answer {
    let reported = Reported::Room(request.room_id.to_string());
    chat.report(&actor, reported, request.reason).await?;
    Ok(axum::Json(json!({})))
}

async fn report_person(
    State(chat): State<Chat>,
    Signed(actor, request): Signed<report_user::v3::Request>,
) -> Answer {
    let reported = Reported::Person(chat.person(request.user_id.as_str())?);
    chat.report(&actor, reported, request.reason).await?;
    Ok(axum::Json(json!({})))
}

/// What somebody told staff of.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReportDocument {
    report_id: ReportId,
    /// Who told it, by user id.
    reporter: String,
    /// The room, for a message or a room.
    room_id: Option<String>,
    /// The message.
    event_id: Option<String>,
    /// Who said it, or who is reported, by user id.
    user_id: Option<String>,
    /// What the message said when it was reported, as a JSON text.
    content: Option<String>,
    reason: String,
    created_at: Time,
    /// When staff was done with it; null while nobody was.
    resolved_at: Option<Time>,
    /// Who was, by user id.
    resolved_by: Option<String>,
    /// What came of it.
    resolution: Option<String>,
}

/// Which page of the reports is wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReportsQuery {
    /// Most items on the page: 1 to 200, and 50 when it is not said.
    limit: Option<u32>,
    /// The `next` of the page before.
    before: Option<String>,
    /// Whether only those are wanted that nobody resolved.
    #[serde(default)]
    open: bool,
}

/// What came of a report.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Resolution {
    /// In staff's words, at most 4,096 bytes.
    #[serde(default)]
    resolution: String,
}

fn told(chat: &Chat, report: Report) -> ReportDocument {
    let user = |person: PersonId| chat.user_id(person);
    let resolved = report.resolved;
    ReportDocument {
        report_id: report.report_id,
        reporter: user(report.reporter),
        room_id: report.room_id,
        event_id: report.event_id,
        user_id: report.person.map(user),
        content: report.content,
        reason: report.reason,
        created_at: report.created_at,
        resolved_at: resolved.as_ref().map(|resolved| resolved.at),
        resolved_by: resolved.as_ref().map(|resolved| user(resolved.by)),
        resolution: resolved.map(|resolved| resolved.resolution),
    }
}

/// Lists what people reported, the newest first. Administrators only.
#[utoipa::path(get, path = "/api/chat/reports", tag = "chat",
    params(("limit" = Option<u32>, Query, minimum = 1, maximum = 200,
            description = "Most items on the page: 1 to 200, and 50 when it is not said"),
        ("before" = Option<String>, Query, description = "The `next` of the page before"),
        ("open" = Option<bool>, Query, description = "Whether only those are wanted that nobody resolved")),
    responses((status = 200, body = Page<ReportDocument>)))]
pub(super) async fn list_reports(
    State(chat): State<Chat>,
    Administrator(actor): Administrator,
    Query(query): Query<ReportsQuery>,
) -> Result<Json<Page<ReportDocument>>, Problem> {
    let limit = query.limit.unwrap_or(PAGE_ITEMS_DEFAULT);
    if !(1..=PAGE_ITEMS_MAX).contains(&limit) {
        return Err(Problem::bad_request(
            "invalid-query",
            "limit must lie between 1 and 200",
        ));
    }
    let before = query.before.as_deref().map(str::parse::<ReportId>).transpose();
    let before = before.map_err(|error| Problem::bad_request("invalid-query", error.to_string()))?;
    let reports = chat.reports(&actor, before, query.open, limit + 1).await?;
    let page = Page::from_one_more(reports, limit, |report: &Report| report.report_id.to_string());
    Ok(Json(page.map(|report| told(&chat, report))))
}

/// Notes what came of a report; what was noted first stands. Administrators only.
#[utoipa::path(post, path = "/api/chat/reports/{report_id}/resolution", tag = "chat", request_body = Resolution,
    params(("report_id" = ReportId, Path, description = "The report")),
    responses((status = 200, body = ReportDocument)))]
pub(super) async fn resolve_report(
    State(chat): State<Chat>,
    Administrator(actor): Administrator,
    Path(report_id): Path<ReportId>,
    Json(request): Json<Resolution>,
) -> Result<Json<ReportDocument>, Problem> {
    let report = chat.resolve_report(&actor, report_id, request.resolution).await?;
    Ok(Json(told(&chat, report)))
}
