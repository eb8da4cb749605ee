//! All routes of a node: those of the services, and those about the node itself.

use std::sync::Arc;

use axum::Router;
use haechi_http::{HttpLimits, Rate, layers};
use haechi_service::CancellationToken;
use metrics_exporter_prometheus::PrometheusHandle;

use super::{documents, health, metrics, web};
use crate::services::Services;
use crate::settings::Settings;

/// Puts everything together. From when `told` is cancelled the node says that it is not ready.
pub(crate) fn router(
    services: &Services,
    settings: &Settings,
    handle: PrometheusHandle,
    told: &CancellationToken,
) -> Router {
    let all = services.all();
    let limits = HttpLimits {
        slow_routes: all.iter().flat_map(|service| service.slow_routes()).collect(),
        behind_proxy: settings.behind_proxy(),
        https_only: services.context.public_url.starts_with("https://"),
        ..rates(settings)
    };
    let styles = all.iter().flat_map(|service| service.error_styles()).collect();
    let (routes, document) = documents::routes_of(&all).split_for_parts();
    let routes = routes
        .merge(documents::router(&document))
        .merge(health::router(services, told))
        .merge(metrics::guarded(handle))
        .fallback(web::fallback(services.continuity.clone()));
    layers(routes, &limits, Arc::new(services.identity.clone()), styles)
        .merge(services.context.cluster.router())
}

fn rates(settings: &Settings) -> HttpLimits {
    let limits = HttpLimits::default();
    if settings.no_rate_limits() {
        return HttpLimits {
            session_rate: None,
            stranger_rate: None,
            ..limits
        };
    }
    let Some(rate) = settings.requests_per_second_max() else {
        return limits;
    };
    let rate = Some(Rate::new(rate.get(), rate.get().saturating_mul(5)));
    HttpLimits {
        session_rate: rate,
        stranger_rate: rate,
        ..limits
    }
}
