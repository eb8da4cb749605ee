//! The OpenAPI 3.1 document of all routes, and a page to read it.

use std::sync::Arc;

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::middleware::map_response;
use axum::response::Response;
use haechi_http::ProblemDocument;
use haechi_service::{OpenApiRouter, Service};
use utoipa::Modify;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_swagger_ui::SwaggerUi;

/// What the page may load: what lies beside it. Its pictures are data in its style sheet.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

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
    let page: Router = SwaggerUi::new("/api/docs")
        .url("/api/openapi.json", document.clone())
        .into();
    page.layer(map_response(let_the_page_run))
}

async fn let_the_page_run(mut response: Response) -> Response {
    let policy = HeaderValue::from_static(PAGE_POLICY);
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    response
}
