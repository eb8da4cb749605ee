//! Whether this node lives, and whether it can be sent requests.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use haechi_continuity::Continuity;
use haechi_http::{Json, Problem};
use haechi_service::{CancellationToken, Context};
use haechi_store::{StoreError, Tx};
use serde::Serialize;

use crate::services::Services;

/// When to ask a node again that waits for its store.
const WAIT: Duration = Duration::from_secs(1);

#[derive(Debug, Serialize)]
struct Health {
    status: &'static str,
    /// Whether reads come from a standby because no primary can be reached.
    degraded: bool,
    /// Whether this node's clock agrees with those of most other nodes, to a second.
    clock_trusted: bool,
}

/// What is asked for a node's health.
#[derive(Clone)]
struct Asked {
    context: Context,
    continuity: Continuity,
    told: CancellationToken,
}

/// What a node answers while it waits for its store: that it lives, and that everything else must wait.
pub(super) fn waiting() -> Router {
    Router::new()
        .route("/health/live", get(live))
        .fallback(async || Problem::unavailable(WAIT, "This node waits for its store. Try again soon."))
}

/// The routes; from when `told` is cancelled the node says that it ends.
pub(super) fn router(services: &Services, told: &CancellationToken) -> Router {
    let asked = Asked {
        context: services.context.clone(),
        continuity: services.continuity.clone(),
        told: told.clone(),
    };
    Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .with_state(asked)
}

/// The process answers.
async fn live() -> Json<Health> {
    Json(Health {
        status: "live",
        degraded: false,
        clock_trusted: true,
    })
}

/// The store answers too, the node is not about to end, and its site does not give its work to others.
async fn ready(State(asked): State<Asked>) -> Result<Json<Health>, Problem> {
    if asked.told.is_cancelled() {
        return Err(Problem::unavailable(
            WAIT,
            "This node is about to end. Ask another one.",
        ));
    }
    if asked.continuity.is_draining().await {
        return Err(Problem::unavailable(
            WAIT,
            "This node's site gives its work to others. Ask one of another site.",
        ));
    }
    let store = &asked.context.store;
    store
        .read::<_, StoreError, _>(async |tx: &mut Tx<'_>| tx.ping().await)
        .await?;
    Ok(Json(Health {
        status: "ready",
        degraded: store.is_degraded(),
        clock_trusted: asked.context.cluster.clock_is_trusted(),
    }))
}
