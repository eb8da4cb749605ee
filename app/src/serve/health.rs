//! Whether this node lives, and whether it can be sent requests.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use haechi_http::{Json, Problem};
use haechi_store::{Store, StoreError, Tx};
use serde::Serialize;

/// When to ask a node again that waits for its store.
const WAIT: Duration = Duration::from_secs(1);

#[derive(Debug, Serialize)]
struct Health {
    status: &'static str,
    /// Whether reads come from a standby because no primary can be reached.
    degraded: bool,
}

/// What a node answers while it waits for its store: that it lives, and that everything else must wait.
pub(super) fn waiting() -> Router {
    Router::new()
        .route("/health/live", get(live))
        .fallback(async || Problem::unavailable(WAIT, "This node waits for its store. Try again soon."))
}

pub(super) fn router(store: Store) -> Router {
    Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .with_state(store)
}

/// The process answers.
async fn live() -> Json<Health> {
    Json(Health {
        status: "live",
        degraded: false,
    })
}

/// The store answers too.
async fn ready(State(store): State<Store>) -> Result<Json<Health>, Problem> {
    store
        .read::<_, StoreError, _>(async |tx: &mut Tx<'_>| tx.ping().await)
        .await?;
    Ok(Json(Health {
        status: "ready",
        degraded: store.is_degraded(),
    }))
}
