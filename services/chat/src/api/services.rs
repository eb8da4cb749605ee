//! Services that write to people, and who does not want it: `/api/chat/services`.

use axum::extract::State;
use haechi_http::{Json, Page, Path, Problem, SignedIn};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Chat;

/// A service whose messages one does not want.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BlockedService {
    /// Its name among the services.
    #[schema(example = "taxi")]
    service: String,
}

/// The services whose messages one does not want.
#[utoipa::path(get, path = "/api/chat/services/blocked", tag = "chat",
    responses((status = 200, body = Page<BlockedService>)))]
pub(super) async fn list_blocked(
    State(chat): State<Chat>,
    SignedIn(actor): SignedIn,
) -> Result<Json<Page<BlockedService>>, Problem> {
    let blocked = chat.blocked_services(&actor).await?;
    let items = blocked.into_iter().map(|service| BlockedService { service });
    Ok(Json(Page::whole(items.collect())))
}

/// Has a service write no longer.
#[utoipa::path(put, path = "/api/chat/services/{service}/block", tag = "chat",
    params(("service" = String, Path, description = "The service's name")),
    responses((status = 204)))]
pub(super) async fn block_service(
    State(chat): State<Chat>,
    SignedIn(actor): SignedIn,
    Path(service): Path<String>,
) -> Result<StatusCode, Problem> {
    chat.set_blocked(&actor, service, true).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets a service write again.
#[utoipa::path(delete, path = "/api/chat/services/{service}/block", tag = "chat",
    params(("service" = String, Path, description = "The service's name")),
    responses((status = 204)))]
pub(super) async fn unblock_service(
    State(chat): State<Chat>,
    SignedIn(actor): SignedIn,
    Path(service): Path<String>,
) -> Result<StatusCode, Problem> {
    chat.set_blocked(&actor, service, false).await?;
    Ok(StatusCode::NO_CONTENT)
}
