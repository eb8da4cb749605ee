//! The OpenAPI 3.1 document of all routes, and a page to read it.

use std::sync::Arc;

use axum::Router;
use haechi_http::ProblemDocument;
use haechi_service::{OpenApiRouter, Service};
use utoipa::Modify;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_swagger_ui::SwaggerUi;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Haechi",
        description = "All services of this node, but for the Matrix client-server API, which its own specification \
            describes. Errors are problem documents (RFC 9457).",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(ProblemDocument)),
    modifiers(&BearerTokens),
    security(("bearer" = []))
)]
struct Document;

struct BearerTokens;

impl Modify for BearerTokens {
    fn modify(&self, document: &mut OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// The routes of the services, gathered under one document.
pub(super) fn routes_of(services: &[Arc<dyn Service>]) -> OpenApiRouter {
    OpenApiRouter::with_openapi(Document::openapi()).merge(haechi_service::merged_routes(services))
}

/// The document alone.
pub(crate) fn document(services: &[Arc<dyn Service>]) -> OpenApi {
    routes_of(services).into_openapi()
}

/// `/api/openapi.json` and the page `/api/docs`.
pub(super) fn router(document: &OpenApi) -> Router {
    SwaggerUi::new("/api/docs")
        .url("/api/openapi.json", document.clone())
        .into()
}
