//! Tests of identity: its rules, and its routes through the real router on both engines.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod gateway;
mod generations;
mod lost_commit;
mod outage;
mod profile;
mod rules;
mod sessions;
mod sign_in;

use std::sync::Arc;

use haechi_testkit::{TestApp, TestStore, Wiring};

use crate::{Identity, IdentitySettings};

/// The routes of identity on a store, with no limit on one caller, and the service itself.
async fn start(store: TestStore) -> (TestApp, Identity) {
    let settings = IdentitySettings {
        tries_per_caller_hourly: None,
        ..IdentitySettings::default()
    };
    start_with(store, settings).await
}

async fn start_with(store: TestStore, settings: IdentitySettings) -> (TestApp, Identity) {
    let mut identity = None;
    let app = TestApp::start(store, |context| {
        let service = identity.insert(Identity::new(context, settings)).clone();
        Wiring {
            services: vec![Arc::new(service.clone())],
            authenticator: Arc::new(service),
        }
    })
    .await;
    (app, identity.unwrap())
}
