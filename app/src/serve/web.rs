//! The web app, embedded in the program.

use std::borrow::Cow;

use axum::body::Bytes;
use axum::extract::Request;
use axum::response::{Html, IntoResponse, Response};
use futures_util::future::BoxFuture;
use haechi_continuity::Continuity;
use haechi_http::Problem;
use rust_embed::{EmbeddedFile, RustEmbed};

use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};

/// What the web app may load: only what comes from here, and calls to the other sites besides. Photos and
/// recordings are shown from blobs that it fetched. No script and no style stands in a page, so none that was
/// smuggled into one runs; secret chats' encryption is WebAssembly of ours. What may be called follows.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob:; \
    media-src 'self' blob:; font-src 'self'; manifest-src 'self'; worker-src 'self'; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'; connect-src 'self'";

/// The files that `npm run build` made. A debug build reads them at run time.
#[derive(RustEmbed)]
#[folder = "../web/dist"]
#[allow_missing = true]
struct Assets;

/// Paths under which there are no pages: an unknown address there is a 404 with a problem.
const NO_PAGES: [&str; 5] = ["/api/", "/_matrix/", "/.well-known/", "/health/", "/assets/"];

/// Answers what no route does: see [`asset`].
pub(super) fn fallback(
    continuity: Continuity,
) -> impl Fn(Request) -> BoxFuture<'static, Response> + Clone + Send + Sync + 'static {
    move |request| {
        let continuity = continuity.clone();
        Box::pin(async move {
            let mut response = asset(&request);
            if response.headers().contains_key(ETAG) {
                let policy = policy(&continuity.site_urls().await);
                response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
            }
            response
        })
    }
}

/// The policy of the web app's files: it changes over to another site when its own does not answer.
fn policy(site_urls: &[String]) -> HeaderValue {
    let mut text = POLICY.to_owned();
    for url in site_urls {
        text.push(' ');
        text.push_str(url);
    }
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(POLICY))
}

/// A file of the web app, or its first page for every address that the app itself understands.
fn asset(request: &Request) -> Response {
    let path = request.uri().path();
    if !matches!(*request.method(), Method::GET | Method::HEAD)
        || NO_PAGES.iter().any(|start| path.starts_with(start))
    {
        let file = Assets::get(path.trim_start_matches('/')).filter(|_| path.starts_with("/assets/"));
        return match file {
            Some(file) => answer(path, file, request.headers()),
            None => Problem::not_found("no-such-route", "There is nothing at this address.").into_response(),
        };
    }
    if let Some(file) = Assets::get(path.trim_start_matches('/')) {
        return answer(path, file, request.headers());
    }
    match Assets::get("index.html") {
        Some(page) => answer("/index.html", page, request.headers()),
        None => {
            Html("<p>The web app is not part of this build. Build it with <code>cargo xtask up</code>.</p>")
                .into_response()
        }
    }
}

fn answer(path: &str, file: EmbeddedFile, asked: &HeaderMap) -> Response {
    let tag: String = file.metadata.sha256_hash()[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let tag = format!("\"{tag}\"");
    // Vite names what lies in /assets after its content; the rest keeps its name and is asked for again.
    let caching = if path.starts_with("/assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let kind = file.metadata.mimetype().to_owned();
    let is_known = asked
        .get(IF_NONE_MATCH)
        .is_some_and(|known| known.as_bytes() == tag.as_bytes());
    // A 304 says the same of the page as its 200 did: browsers take its headers for the page they kept.
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        body_of(file.data).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    for (name, value) in [(CONTENT_TYPE, kind), (ETAG, tag)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    response
}

/// A release build's files lie in the program and are sent from there, not copied for each request.
fn body_of(data: Cow<'static, [u8]>) -> Bytes {
    match data {
        Cow::Borrowed(data) => Bytes::from_static(data),
        Cow::Owned(data) => Bytes::from(data),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_the_program_is_sent_without_a_copy() {
        static FILE: &[u8] = b"page";
        assert_eq!(body_of(Cow::Borrowed(FILE)).as_ptr(), FILE.as_ptr());
        assert_eq!(body_of(Cow::Owned(FILE.to_vec())), FILE);
    }
}
