//! The rules of this service, and its routes through the real router on both engines.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use haechi_identity::{Identity, IdentitySettings};
use haechi_testkit::{TestApp, TestStore, Wiring, assert_problem, on_both_engines};
use serde_json::{Value, json};

use crate::Sample;
use crate::model::{ItemError, Title};

const ITEMS: &str = "/api/sample/items";

/// The routes of this service, beside those to sign up with.
async fn start(store: TestStore) -> TestApp {
    TestApp::start(store, |context| {
        let settings = IdentitySettings {
            tries_per_caller_hourly: None,
            ..IdentitySettings::default()
        };
        let identity = Identity::new(context.clone(), settings);
        Wiring {
            services: vec![Arc::new(identity.clone()), Arc::new(Sample::new(context))],
            authenticator: Arc::new(identity),
        }
    })
    .await
}

/// The titles on the page at `path`, and the cursor of the next one.
async fn page(app: &TestApp, token: &str, path: &str) -> (Vec<String>, Option<String>) {
    let answer = app.get(path).bearer(token).send().await.expect(200).json();
    let title = |item: &Value| item["title"].as_str().unwrap().to_owned();
    let titles = answer["items"].as_array().unwrap().iter().map(title).collect();
    (titles, answer["next"].as_str().map(str::to_owned))
}

#[test]
fn a_title_says_something_and_fits_on_a_line() {
    assert_eq!(Title::new("  milk ").unwrap().as_str(), "milk");
    assert_eq!(Title::new(" \n"), Err(ItemError::TitleEmpty));
    assert_eq!(
        Title::new(&"가".repeat(140)).unwrap().as_str().chars().count(),
        140
    );
    assert_eq!(
        Title::new(&"a".repeat(141)),
        Err(ItemError::TitleTooLong { count: 141 })
    );
}

async fn items_are_listed_in_pages_and_nobody_elses_are(store: TestStore) {
    let app = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    for title in ["milk", "rice", "tea"] {
        let add = app
            .post(ITEMS)
            .bearer(&minji.access_token)
            .json(json!({"title": title}));
        let item = add.send().await.expect(201).json();
        assert_eq!(item["title"], title);
        app.advance(std::time::Duration::from_millis(1));
    }
    let (first, next) = page(&app, &minji.access_token, &format!("{ITEMS}?limit=2")).await;
    assert_eq!(first, ["tea", "rice"]);
    let rest = format!("{ITEMS}?limit=2&before={}", next.unwrap());
    assert_eq!(
        page(&app, &minji.access_token, &rest).await,
        (vec!["milk".to_owned()], None)
    );
    assert_eq!(page(&app, &joon.access_token, ITEMS).await, (vec![], None));
}

async fn bad_input_is_refused_and_changes_nothing(store: TestStore) {
    let app = start(store).await;
    let minji = app.sign_up("Minji").await;
    assert_problem(&app.get(ITEMS).send().await, 401, "sign-in-needed");
    let stranger = app.post(ITEMS).json(json!({"title": "milk"}));
    assert_problem(&stranger.send().await, 401, "sign-in-needed");
    for (body, status, slug) in [
        (json!({"title": " "}), 422, "title-empty"),
        (json!({"title": "a".repeat(141)}), 422, "title-too-long"),
        (json!({"title": "milk", "owner": "me"}), 422, "unknown-field"),
        (json!({"title": 1}), 422, "invalid-body"),
        (json!({"title": "a".repeat(2_000_000)}), 413, "body-too-large"),
    ] {
        let add = app.post(ITEMS).bearer(&minji.access_token).json(body);
        assert_problem(&add.send().await, status, slug);
    }
    let elsewhere = app
        .get(&format!("{ITEMS}?before=yesterday"))
        .bearer(&minji.access_token);
    assert_problem(&elsewhere.send().await, 400, "invalid-query");
    assert_eq!(page(&app, &minji.access_token, ITEMS).await, (vec![], None));
}

on_both_engines!(
    items_are_listed_in_pages_and_nobody_elses_are,
    bad_input_is_refused_and_changes_nothing,
);
