//! No database can be written: nobody is signed out by that.

use std::time::Duration;

use haechi_testkit::postgres_server::PostgresServer;
use haechi_testkit::{TestStore, assert_problem, run_test};
use serde_json::json;

use super::start;
use crate::model::{OutageStep, outage_step};

#[test]
fn without_a_primary_the_newest_tokens_are_good_and_used_ones_are_not() {
    assert_eq!(outage_step(3, 2, 3), OutageStep::GiveOut(3), "the newest");
    assert_eq!(
        outage_step(3, 2, 2),
        OutageStep::GiveOut(3),
        "the answer with the newest was lost"
    );
    assert_eq!(outage_step(3, 3, 2), OutageStep::Refuse, "the newest was used");
    assert_eq!(outage_step(3, 0, 1), OutageStep::Refuse, "long used");
    assert_eq!(
        outage_step(3, 3, 4),
        OutageStep::GiveOut(4),
        "newer than what the standby knows"
    );
    assert_eq!(outage_step(3, 3, 0), OutageStep::Refuse, "never given out");
}

#[test]
fn a_refresh_without_a_primary_keeps_the_session_and_what_it_gave_out_is_good_afterwards() {
    run_test(async {
        let server = tokio::task::spawn_blocking(|| PostgresServer::start().unwrap())
            .await
            .unwrap();
        let (app, _) = start(TestStore::at(&server.url("postgres"))).await;
        let phone = app.sign_up("Minji").await;
        let refresh = |token: &str| {
            app.post("/api/identity/sessions/refresh")
                .json(json!({"refresh_token": token}))
                .send()
        };
        app.store.set_writable(false).await;
        app.advance(Duration::from_secs(3_600));
        let extended = refresh(&phone.refresh_token).await.expect(200).json();
        assert_eq!(
            extended["refresh_token"],
            phone.refresh_token.as_str(),
            "nothing is rotated"
        );
        let access_token = extended["access_token"].as_str().unwrap();
        app.get("/api/identity/me")
            .bearer(access_token)
            .send()
            .await
            .expect(200);
        assert_problem(&refresh("no.such.token").await, 401, "unknown-token");
        // A second outage's worth of refreshes is no reuse either.
        refresh(&phone.refresh_token).await.expect(200);

        app.store.set_writable(true).await;
        let rotated = refresh(&phone.refresh_token).await.expect(200).json();
        assert_ne!(rotated["refresh_token"], phone.refresh_token.as_str());
        let newest = rotated["access_token"].as_str().unwrap();
        app.get("/api/identity/me")
            .bearer(newest)
            .send()
            .await
            .expect(200);
        let newest = rotated["refresh_token"].as_str().unwrap();
        refresh(newest).await.expect(200);
    });
}

#[test]
fn without_any_database_a_refresh_is_told_to_wait_and_not_to_sign_in_again() {
    run_test(async {
        let server = tokio::task::spawn_blocking(|| PostgresServer::start().unwrap())
            .await
            .unwrap();
        let (app, _) = start(TestStore::at(&server.url("postgres"))).await;
        let phone = app.sign_up("Minji").await;
        tokio::task::spawn_blocking(move || drop(server)).await.unwrap();
        let response = app
            .post("/api/identity/sessions/refresh")
            .json(json!({"refresh_token": phone.refresh_token}))
            .send()
            .await;
        assert_problem(&response, 503, "unavailable");
        assert!(response.headers.contains_key("retry-after"));
    });
}
