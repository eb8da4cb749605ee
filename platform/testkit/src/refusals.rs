//! The coverage of refusals: every documented route is tried without a login, with a false one, and with bodies
//! that are malformed or too large.

use http::Method;
use serde_json::Value;

use crate::{TestApp, TestResponse};

/// Largest upload, plus one: for bodies that are not JSON.
const UPLOAD_TOO_LARGE: usize = haechi_base::limits::UPLOAD_BYTES_MAX + 1;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// One operation of the OpenAPI document.
struct Route<'d> {
    method: Method,
    /// The path with its parameters filled in.
    path: String,
    /// `POST /api/pay/transfers`
    label: String,
    operation: &'d Value,
}

/// Tries every route of the app's OpenAPI document, and fails with the list of those that do not refuse:
/// - without a login and with a false one: 401, but for the routes in `public` (`"POST /api/identity/codes"`),
///   which are exactly those documented with `security(())`;
/// - where a body is asked for: 4xx for no JSON, for bytes that are not UTF-8, for JSON of another shape, for an
///   unknown field; and 413 for one over the limit, or 403 where the person may not ask at all.
///
/// Identity must be among the services. A route that is not in the document is not tried: document it.
///
/// # Panics
/// With the list of what was not refused.
pub async fn every_route_refuses(app: &TestApp, public: &[&str]) {
    let routes = routes(&app.openapi);
    let person = app.sign_up("Tries every route").await;
    let mut failures = Vec::new();
    for label in public {
        if !routes.iter().any(|route| route.label == *label) {
            failures.push(format!("{label}: there is no such route"));
        }
    }
    for route in &routes {
        let is_public = public.contains(&route.label.as_str());
        if is_public != is_documented_public(route.operation) {
            failures.push(format!(
                "{}: `security(())` and the test's list of public routes differ",
                route.label
            ));
        }
        if !is_public {
            try_without_login(app, route, &mut failures).await;
        }
        if let Some(content_type) = content_type(route.operation) {
            try_bad_bodies(app, route, &content_type, &person.access_token, &mut failures).await;
        }
    }
    let alive = app
        .get("/api/identity/me")
        .bearer(&person.access_token)
        .send()
        .await;
    if alive.status != 200 {
        failures.push(format!(
            "afterwards GET /api/identity/me answered {}",
            alive.status
        ));
    }
    assert!(failures.is_empty(), "not refused:\n{}", failures.join("\n"));
}

fn routes(document: &Value) -> Vec<Route<'_>> {
    let mut routes = Vec::new();
    for (template, item) in document["paths"].as_object().into_iter().flatten() {
        for name in METHODS {
            let Some(operation) = item.get(name) else { continue };
            let method: Method = name.to_uppercase().parse().expect("a method");
            routes.push(Route {
                label: format!("{method} {template}"),
                path: filled(template, operation, item),
                method,
                operation,
            });
        }
    }
    routes
}

/// The path with a plausible value for each parameter, so that it is the login that is missing and not the thing.
fn filled(template: &str, operation: &Value, item: &Value) -> String {
    let mut path = template.to_owned();
    for parameter in parameters(operation).chain(parameters(item)) {
        let name = parameter["name"].as_str().unwrap_or_default();
        let value = match parameter["schema"]["format"].as_str() {
            Some("uuid") => "01900000-0000-7000-8000-000000000000",
            _ => "1",
        };
        path = path.replace(&format!("{{{name}}}"), value);
    }
    // Parameters that are not described.
    while let (Some(start), Some(end)) = (path.find('{'), path.find('}')) {
        path.replace_range(start..=end, "1");
    }
    path
}

fn parameters(value: &Value) -> impl Iterator<Item = &Value> {
    let parameters = value["parameters"].as_array().into_iter().flatten();
    parameters.filter(|parameter| parameter["in"] == "path")
}

fn is_documented_public(operation: &Value) -> bool {
    let allows_nobody = |requirement: &Value| requirement.as_object().is_some_and(serde_json::Map::is_empty);
    operation["security"]
        .as_array()
        .is_some_and(|requirements| requirements.iter().any(allows_nobody))
}

fn content_type(operation: &Value) -> Option<String> {
    let content = operation["requestBody"]["content"].as_object()?;
    content.keys().next().cloned()
}

async fn try_without_login(app: &TestApp, route: &Route<'_>, failures: &mut Vec<String>) {
    let nobody = app.request(&route.method, &route.path);
    let somebody = app.request(&route.method, &route.path).bearer("no.such.token");
    for (who, request) in [("without a login", nobody), ("with a false login", somebody)] {
        let request = match content_type(route.operation) {
            Some(content_type) => request.bytes(&content_type, "{}"),
            None => request,
        };
        let response = request.header("idempotency-key", "refusals").send().await;
        if response.status != 401 {
            failures.push(told(route, who, "401", &response));
        }
    }
}

async fn try_bad_bodies(
    app: &TestApp,
    route: &Route<'_>,
    content_type: &str,
    token: &str,
    failures: &mut Vec<String>,
) {
    let is_json = content_type.contains("json");
    let large = if is_json {
        app.body_bytes_max + 1
    } else {
        UPLOAD_TOO_LARGE
    };
    let send = |bytes: Vec<u8>| {
        app.request(&route.method, &route.path)
            .bearer(token)
            .header("idempotency-key", "refusals")
            .bytes(content_type, bytes)
            .send()
    };
    if is_json {
        let bad: [(&str, &[u8]); 5] = [
            ("with half a body", b"{\"a\":"),
            ("with bytes that are not UTF-8", b"{\"a\":\"\xff\xfe\"}"),
            ("with a list for a body", b"[1]"),
            ("with an unknown field", b"{\"no_such_field\":1}"),
            ("without a body", b""),
        ];
        for (what, bytes) in bad {
            let response = send(bytes.to_vec()).await;
            if !response.status.is_client_error() {
                failures.push(told(route, what, "4xx", &response));
            }
        }
    }
    // As a text it is well-formed: what is wrong with it is its size alone.
    let mut text = vec![b'x'; large];
    if let [first, .., last] = text.as_mut_slice() {
        (*first, *last) = (b'"', b'"');
    }
    let response = send(text).await;
    // A route for administrators refuses this person before it reads the body.
    if response.status != 413 && response.status != 403 {
        failures.push(told(route, "with a body too large", "413", &response));
    }
}

fn told(route: &Route<'_>, what: &str, wanted: &str, response: &TestResponse) -> String {
    let text: String = response.text().chars().take(120).collect();
    format!(
        "{} {what}: wanted {wanted}, got {} {text}",
        route.label, response.status
    )
}
