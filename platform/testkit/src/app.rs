//! The real router of some services on a test's store.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use haechi_base::{Actor, PersonId, Role, SessionId, uuid};
use haechi_http::{Authenticator, HttpLimits, layers};
use haechi_service::{Context, Service, all_migrations, merged_routes};
use http::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{TestRequest, TestStore};

/// The services of a test, and which of them tells who signs in.
pub struct Wiring {
    /// The services, lowest first.
    pub services: Vec<Arc<dyn Service>>,
    /// Identity.
    pub authenticator: Arc<dyn Authenticator>,
}

/// Some services behind the real router and its layers, on a migrated store. Rates are not limited.
pub struct TestApp {
    /// The store it works on.
    pub store: TestStore,
    /// What the services were given.
    pub context: Context,
    /// The OpenAPI document of the services, as JSON.
    pub openapi: Value,
    pub(crate) body_bytes_max: usize,
    router: Router,
    services: Vec<Arc<dyn Service>>,
}

impl TestApp {
    /// Makes the tables and the router of the services that `wire` builds.
    ///
    /// # Panics
    /// When a migration fails.
    pub async fn start(store: TestStore, wire: impl FnOnce(Context) -> Wiring) -> Self {
        let limits = HttpLimits {
            session_rate: None,
            stranger_rate: None,
            ..HttpLimits::default()
        };
        Self::start_with(store, limits, wire).await
    }

    /// As [`TestApp::start`], with other limits.
    ///
    /// # Panics
    /// When a migration fails.
    pub async fn start_with(
        store: TestStore,
        limits: HttpLimits,
        wire: impl FnOnce(Context) -> Wiring,
    ) -> Self {
        let context = store.context();
        let Wiring {
            services,
            authenticator,
        } = wire(context.clone());
        context
            .store
            .migrate(&all_migrations(&services))
            .await
            .expect("the services' migrations");
        let slow_routes = services
            .iter()
            .flat_map(|service| service.slow_routes())
            .collect();
        let styles = services
            .iter()
            .flat_map(|service| service.error_styles())
            .collect();
        let (router, openapi) = merged_routes(&services).split_for_parts();
        let limits = HttpLimits {
            slow_routes,
            ..limits
        };
        Self {
            store,
            context,
            openapi: serde_json::to_value(&openapi).expect("the OpenAPI document as JSON"),
            body_bytes_max: limits.body_bytes_max,
            router: layers(router, &limits, authenticator, styles),
            services,
        }
    }

    /// Starts the services of a node in a cluster of the test's own, on a database that several nodes share; it is
    /// served on a free port of 127.0.0.1 until the test's runtime ends.
    ///
    /// # Panics
    /// When a migration fails, or no port is free.
    pub async fn join(store: &TestStore, site: &str, wire: impl FnOnce(Context) -> Wiring) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("its address");
        let app = Self::start(store.as_node(site, &format!("http://{address}")), wire).await;
        let cluster = app.context.cluster.clone();
        let served = app.router().merge(cluster.router());
        tokio::spawn(async move { axum::serve(listener, served).await });
        let end = app.context.shutdown.clone();
        tokio::spawn(async move { cluster.run(end).await });
        app
    }

    /// The router with its layers, for a server or a client of one's own.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Starts a request.
    pub fn request(&self, method: &Method, path: &str) -> TestRequest {
        TestRequest::new(self.router.clone(), method, path)
    }

    /// Starts a GET request.
    pub fn get(&self, path: &str) -> TestRequest {
        self.request(&Method::GET, path)
    }

    /// Starts a POST request.
    pub fn post(&self, path: &str) -> TestRequest {
        self.request(&Method::POST, path)
    }

    /// Starts a PUT request.
    pub fn put(&self, path: &str) -> TestRequest {
        self.request(&Method::PUT, path)
    }

    /// Starts a PATCH request.
    pub fn patch(&self, path: &str) -> TestRequest {
        self.request(&Method::PATCH, path)
    }

    /// Starts a DELETE request.
    pub fn delete(&self, path: &str) -> TestRequest {
        self.request(&Method::DELETE, path)
    }

    /// Turns the clock forward.
    pub fn advance(&self, duration: Duration) {
        self.store.clock.advance(duration);
    }

    /// Signs up a new person by way of the routes, with a number nobody has. Identity, with the development
    /// gateway, must be among the services.
    ///
    /// # Panics
    /// When the sign-up is refused.
    pub async fn sign_up(&self, display_name: &str) -> SignedUp {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let phone = format!("+82102{number:07}");
        self.sign_in(&phone, Some(display_name)).await
    }

    /// Signs in with a number, or up when it comes with a name. The clock goes on by a millisecond.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn sign_in(&self, phone: &str, display_name: Option<&str>) -> SignedUp {
        // Two sign-ins at the very same moment would tell nothing of their order.
        self.advance(Duration::from_millis(1));
        let codes = self.post("/api/identity/codes").json(json!({"phone": phone}));
        let code = codes.send().await.expect(201).json();
        let mut body = json!({"phone": phone, "code": code["development_code"], "device_name": "test"});
        if let Some(name) = display_name {
            body["display_name"] = name.into();
        }
        let session = self.post("/api/identity/sessions").json(&body);
        let session = session.send().await.expect(201).json();
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        SignedUp {
            access_token: text(&session["access_token"]),
            refresh_token: text(&session["refresh_token"]),
            device_id: text(&session["device_id"]),
            session_id: text(&session["session_id"]).parse().expect("a session id"),
            person_id: text(&session["person"]["person_id"])
                .parse()
                .expect("a person id"),
            user_id: text(&session["person"]["user_id"]),
            phone: text(&session["person"]["phone"]),
        }
    }

    /// Runs every background job that is due, once.
    ///
    /// # Panics
    /// When the store fails.
    pub async fn run_due_jobs(&self) -> usize {
        let handlers = self.services.iter().flat_map(|service| service.jobs()).collect();
        let runner = haechi_store::job::JobRunner::new(self.context.store.clone(), handlers);
        runner.plant_recurring().await.expect("recurring jobs");
        runner.run_due().await.expect("due jobs")
    }
}

/// A person who has signed in on one device.
#[derive(Debug, Clone)]
pub struct SignedUp {
    /// For `bearer`.
    pub access_token: String,
    /// For `/api/identity/sessions/refresh`.
    pub refresh_token: String,
    /// The device.
    pub device_id: String,
    /// The session.
    pub session_id: SessionId,
    /// The person.
    pub person_id: PersonId,
    /// The person's Matrix user id.
    pub user_id: String,
    /// The number, in E.164.
    pub phone: String,
}

impl SignedUp {
    /// The person as ops know them.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor {
            person: self.person_id,
            session: self.session_id,
            device: self.device_id.clone(),
            role: Role::Person,
        }
    }
}

/// An administrator who is no person: who runs the commands of the program.
#[must_use]
pub fn operator() -> Actor {
    Actor {
        person: PersonId::from_uuid(uuid::Uuid::nil()),
        session: SessionId::from_uuid(uuid::Uuid::nil()),
        device: "operator".to_owned(),
        role: Role::Administrator,
    }
}
