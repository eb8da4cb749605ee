//! What lies around every route: request id, sign-in, rates, time limit, panics, metrics, headers, compression.
//!
//! One hand-written layer does nearly all of it, because each tower layer in between costs a boxed future and
//! a clone of the request's parts; under load that is what a request spends its time on.

mod browsers;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use futures_util::FutureExt;
use haechi_base::{SessionId, random};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, STRICT_TRANSPORT_SECURITY,
};
use http::{HeaderMap, Method, StatusCode, Uri};
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use tower_http::compression::{CompressionLayer, CompressionLevel};
use tracing::Instrument;

use crate::authenticate::authenticate;
use crate::{Authenticated, Authenticator, Caller, HttpLimits, KeyedLimiter, Problem};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REQUEST_ID_BYTES_MAX: usize = 64;

/// Beside the metrics, because these can be switched off and cannot be read here.
static ANSWERED: AtomicU64 = AtomicU64::new(0);

/// Bodies smaller than this are sent as they are: to compress them costs more than it saves.
const COMPRESSED_BYTES_MIN: u64 = 1_024;

/// The id of one request, in the answer's `X-Request-Id` and in every line that is logged for it. A request
/// extension.
#[derive(Debug, Clone)]
pub struct RequestId(pub HeaderValue);

/// How a standard other than RFC 9457 tells its errors, for the paths where that standard is spoken.
#[derive(Debug, Clone, Copy)]
pub struct ErrorStyle {
    /// The paths: `/_matrix/`.
    pub path_prefix: &'static str,
    /// Tells the problem in that standard's words. Status and `Retry-After` are kept by the layers.
    pub render: fn(&Problem) -> Response,
}

struct Guard {
    limits: HttpLimits,
    authenticator: Arc<dyn Authenticator>,
    styles: Vec<ErrorStyle>,
    sessions: Option<KeyedLimiter<SessionId>>,
    strangers: Option<KeyedLimiter<Caller>>,
}

/// Puts the layers around all routes, and refuses unknown routes and methods with a problem where `router` has
/// no answer of its own.
pub fn layers(
    router: Router,
    limits: &HttpLimits,
    authenticator: Arc<dyn Authenticator>,
    styles: Vec<ErrorStyle>,
) -> Router {
    let guard = Arc::new(Guard {
        limits: limits.clone(),
        authenticator: Arc::clone(&authenticator),
        styles,
        sessions: limits.session_rate.map(KeyedLimiter::new),
        strangers: limits.stranger_rate.map(KeyedLimiter::new),
    });
    let is_worth_it = SizeAbove::new(COMPRESSED_BYTES_MIN)
        .and(NotForContentType::IMAGES)
        .and(NotForContentType::const_new("video/"))
        .and(NotForContentType::const_new("audio/"))
        .and(NotForContentType::const_new("font/"))
        .and(NotForContentType::const_new("application/octet-stream"));
    let compression = CompressionLayer::new()
        .quality(CompressionLevel::Fastest)
        .compress_when(is_worth_it);
    router
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(limits.body_bytes_max))
        .layer(Extension(authenticator))
        .layer(from_fn_with_state(guard, around))
        .layer(compression)
}

async fn method_not_allowed() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        "There is something at this address, but not by this method.",
    )
}

async fn around(State(guard): State<Arc<Guard>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(request.headers());
    let span = tracing::info_span!("request", id = id.to_str().unwrap_or_default());
    request.extensions_mut().insert(RequestId(id.clone()));
    let style = guard.style(request.uri());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let is_open = browsers::may_call(request.uri());
    let mut response = if is_open && method == Method::OPTIONS {
        browsers::preflight()
    } else {
        guard.answer(request, route.as_ref(), next).instrument(span).await
    };
    if let Some(style) = style {
        restyle(&mut response, style);
    }
    if is_open {
        browsers::allow(response.headers_mut());
    }
    finish_headers(response.headers_mut(), id, guard.limits.https_only);
    record(&method, route.as_ref(), response.status(), started.elapsed());
    response
}

impl Guard {
    async fn answer(&self, mut request: Request, route: Option<&MatchedPath>, next: Next) -> Response {
        if let Err(problem) = self.admit(&mut request).await {
            return problem.into_response();
        }
        let limit = self.duration_max(route);
        let running = AssertUnwindSafe(next.run(request)).catch_unwind();
        match tokio::time::timeout(limit, running).await {
            Ok(Ok(response)) => response,
            Ok(Err(panic)) => Problem::internal(&panic_text(&*panic)).into_response(),
            Err(_) => {
                let wait = Duration::from_secs(1);
                Problem::unavailable(wait, "This took too long and was given up. Try again.").into_response()
            }
        }
    }

    /// Finds out who asks and whether they may ask now.
    async fn admit(&self, request: &mut Request) -> Result<(), Problem> {
        refuse_nul(request.uri())?;
        let caller = Caller::of(request.headers(), request.extensions(), self.limits.behind_proxy);
        let authenticated = authenticate(request.headers(), &*self.authenticator).await;
        let waited = match &authenticated {
            // A token that is not valid is no way around the limit on strangers.
            Some(Authenticated(Ok(actor))) => self
                .sessions
                .as_ref()
                .map(|limiter| limiter.check(&actor.session)),
            _ => self.strangers.as_ref().map(|limiter| limiter.check(&caller)),
        };
        if let Some(Err(wait)) = waited {
            return Err(Problem::too_many_requests(wait));
        }
        request.extensions_mut().insert(caller);
        if let Some(authenticated) = authenticated {
            request.extensions_mut().insert(authenticated);
        }
        Ok(())
    }

    fn duration_max(&self, route: Option<&MatchedPath>) -> Duration {
        let is_slow = route.is_some_and(|route| self.limits.slow_routes.contains(&route.as_str()));
        if is_slow {
            self.limits.slow_request_duration_max
        } else {
            self.limits.request_duration_max
        }
    }

    fn style(&self, uri: &Uri) -> Option<ErrorStyle> {
        let path = uri.path();
        self.styles
            .iter()
            .find(|style| path.starts_with(style.path_prefix))
            .copied()
    }
}

/// PostgreSQL keeps no text with U+0000, so none comes in: here for addresses, in `Json` for bodies.
fn refuse_nul(uri: &Uri) -> Result<(), Problem> {
    let holds_nul = |text: &str| text.contains("%00");
    if holds_nul(uri.path()) || uri.query().is_some_and(holds_nul) {
        return Err(Problem::bad_request(
            "nul-character",
            "An address must not hold the character U+0000.",
        ));
    }
    Ok(())
}

/// The caller's id when it is short and plain, so that it can follow a request through several systems.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let given = headers.get(REQUEST_ID).filter(|value| {
        let bytes = value.as_bytes();
        (1..=REQUEST_ID_BYTES_MAX).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
    });
    match given {
        Some(id) => id.clone(),
        None => HeaderValue::from_str(&random::name()).unwrap_or(HeaderValue::from_static("none")),
    }
}

fn restyle(response: &mut Response, style: ErrorStyle) {
    let Some(problem) = response.extensions_mut().remove::<Problem>() else {
        return;
    };
    let mut styled = (style.render)(&problem);
    *styled.status_mut() = problem.status();
    problem.add_headers(styled.headers_mut());
    *response = styled;
}

fn finish_headers(headers: &mut HeaderMap, id: HeaderValue, https_only: bool) {
    const NOSNIFF: (HeaderName, HeaderValue) = (
        HeaderName::from_static("x-content-type-options"),
        HeaderValue::from_static("nosniff"),
    );
    const REFERRER: (HeaderName, HeaderValue) = (
        HeaderName::from_static("referrer-policy"),
        HeaderValue::from_static("no-referrer"),
    );
    headers.insert(REQUEST_ID, id);
    headers.insert(NOSNIFF.0, NOSNIFF.1);
    headers.insert(REFERRER.0, REFERRER.1);
    if https_only {
        let a_year = HeaderValue::from_static("max-age=31536000");
        headers.insert(STRICT_TRANSPORT_SECURITY, a_year);
    }
    // A route that serves pages or media says its own; everything else is data that runs nothing and goes stale.
    let nothing_runs = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(nothing_runs);
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
}

/// Requests that this process has answered since it started, whatever the answer was.
#[must_use]
pub fn requests_answered() -> u64 {
    ANSWERED.load(Ordering::Relaxed)
}

fn record(method: &Method, route: Option<&MatchedPath>, status: StatusCode, elapsed: Duration) {
    ANSWERED.fetch_add(1, Ordering::Relaxed);
    // A path of no route is anybody's invention: it must not become a label.
    let route = route.map_or("none", MatchedPath::as_str);
    tracing::debug!(%method, route, status = status.as_u16(), ?elapsed, "answered");
    let labels = [
        ("method", method_label(method).into()),
        ("route", metrics::SharedString::from(route.to_owned())),
        ("status", status_label(status).into()),
    ];
    metrics::histogram!("http_request_duration_seconds", labels.as_slice()).record(elapsed.as_secs_f64());
}

fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

fn status_label(status: StatusCode) -> &'static str {
    match status.as_u16() / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("a handler panicked: {}", text.unwrap_or("no message"))
}

#[cfg(test)]
mod tests;
