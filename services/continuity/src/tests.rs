//! The routes and jobs of continuity through the real router, on both engines. The rules' own tests stand in `model`.
#![allow(clippy::unwrap_used)]

mod drain;
mod drills;
mod incidents;
mod sites;

use std::sync::Arc;

use haechi_base::Role;
use haechi_identity::{Identity, IdentitySettings};
use haechi_store::Tx;
use haechi_testkit::{SignedUp, TestApp, TestStore, Wiring, every_route_refuses, on_both_engines, operator};
use serde_json::Value;

use crate::Continuity;
use crate::engine::Engine;
use crate::model::{NewSite, Site, SiteName};

/// The routes that nobody need sign in for: those of identity, and the list of sites.
const PUBLIC: [&str; 5] = [
    "GET /.well-known/haechi/sites",
    "GET /api/identity/gateway",
    "POST /api/identity/codes",
    "POST /api/identity/sessions",
    "POST /api/identity/sessions/refresh",
];

/// The routes of continuity beside those to sign up with, and the service behind them.
struct House {
    app: TestApp,
    continuity: Continuity,
}

async fn start(store: TestStore) -> House {
    start_on(store, None).await
}

async fn start_on(store: TestStore, engine: Option<Arc<dyn Engine>>) -> House {
    let settings = IdentitySettings {
        tries_per_caller_hourly: None,
        ..IdentitySettings::default()
    };
    let mut kept = None;
    let app = TestApp::start(store, |context| {
        let identity = Identity::new(context.clone(), settings);
        let continuity = Continuity::new(context, engine);
        kept = Some(continuity.clone());
        Wiring {
            services: vec![Arc::new(identity.clone()), Arc::new(continuity)],
            authenticator: Arc::new(identity),
        }
    })
    .await;
    House {
        app,
        continuity: kept.unwrap(),
    }
}

impl House {
    /// Registers sites of these names.
    async fn with_sites(self, names: &[&str]) -> Self {
        for name in names {
            self.add(name).await;
        }
        self
    }

    async fn add(&self, name: &str) -> Site {
        let url = format!("https://{name}.haechi.example");
        let new = NewSite::new(name, &name.to_uppercase(), &url, (37.4, 127.1)).unwrap();
        self.app.advance(std::time::Duration::from_millis(1));
        self.continuity.add_site(&operator(), new).await.unwrap()
    }

    /// Somebody who signed in as an administrator.
    async fn administrator(&self) -> SignedUp {
        let person = self.app.sign_up("Staff").await;
        let id = person.person_id;
        let grant = async move |tx: &mut Tx<'_>| {
            haechi_identity::ops::grant_role(tx, &operator(), id, Role::Administrator).await
        };
        self.app.context.store.write_unkeyed(grant).await.unwrap();
        self.app.sign_in(&person.phone, None).await
    }

    /// The sites as everybody is told of them: name and state.
    async fn told(&self) -> Vec<(String, String)> {
        let answer = self
            .app
            .get("/.well-known/haechi/sites")
            .send()
            .await
            .expect(200)
            .json();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let pair = |site: &Value| (text(&site["name"]), text(&site["state"]));
        answer["sites"].as_array().unwrap().iter().map(pair).collect()
    }
}

fn named(name: &str) -> SiteName {
    name.parse().unwrap()
}

async fn every_route_refuses_strangers_and_bad_bodies(store: TestStore) {
    let house = start(store).await;
    every_route_refuses(&house.app, &PUBLIC).await;
}

on_both_engines!(every_route_refuses_strangers_and_bad_bodies);
