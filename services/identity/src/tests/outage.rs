//! No database can be written: nobody is signed out by that.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use haechi_base::Role;
use haechi_http::{AuthenticationError, Authenticator as _};
use haechi_service::Context;
use haechi_store::{Leadership, Store, StoreError, StoreLimits, Term, Tx};
use haechi_testkit::postgres_server::PostgresServer;
use haechi_testkit::{SignedUp, TestStore, assert_problem, run_test};
use serde_json::json;
use tokio::sync::watch;

use super::sessions::wait_until_used;
use super::start;
use crate::store;

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

/// A standby may show a rotation whose commit was not acknowledged, and which the next primary does not have.
#[test]
fn a_refresh_without_a_primary_gives_no_newer_token_than_the_one_that_was_sent() {
    run_test(async {
        let server = tokio::task::spawn_blocking(|| PostgresServer::start().unwrap())
            .await
            .unwrap();
        let (app, identity) = start(TestStore::at(&server.url("postgres"))).await;
        let phone = app.sign_up("Minji").await;
        let refresh = |token: &str| {
            app.post("/api/identity/sessions/refresh")
                .json(json!({"refresh_token": token}))
                .send()
        };
        // The answer to this one is lost.
        let lost = refresh(&phone.refresh_token).await.expect(200).json();
        app.store.set_writable(false).await;
        let extended = refresh(&phone.refresh_token).await.expect(200).json();
        assert_eq!(extended["refresh_token"], phone.refresh_token.as_str());
        app.store.set_writable(true).await;
        let rotated = refresh(&phone.refresh_token).await.expect(200).json();
        assert_eq!(rotated["refresh_token"], lost["refresh_token"]);
        let access_token = rotated["access_token"].as_str().unwrap();
        let me = app.get("/api/identity/me").bearer(access_token);
        me.send().await.expect(200);
        wait_until_used(&identity, phone.session_id, 2).await;

        // A used one buys nothing from a standby either, and ends nothing.
        app.store.set_writable(false).await;
        assert_problem(&refresh(&phone.refresh_token).await, 503, "unavailable");
        app.advance(Duration::from_secs(121));
        assert_problem(&refresh(&phone.refresh_token).await, 401, "unknown-token");
        let newest = rotated["refresh_token"].as_str().unwrap();
        refresh(newest).await.expect(200);
    });
}

/// Takes a session's row away, as it is missing on a standby that has not heard of it.
async fn hide_session(identity: &crate::Identity, phone: &SignedUp) {
    let (id, person) = (phone.session_id, phone.person_id);
    let hidden = identity
        .context()
        .store
        .write_unkeyed(async move |tx: &mut Tx<'_>| store::end_session(tx, id, person).await);
    let hidden: Result<_, StoreError> = hidden.await;
    assert_eq!(hidden.unwrap(), [id]);
}

#[test]
fn a_session_that_a_standby_has_not_heard_of_is_not_ended_by_that() {
    run_test(async {
        let server = tokio::task::spawn_blocking(|| PostgresServer::start().unwrap())
            .await
            .unwrap();
        let (app, identity) = start(TestStore::at(&server.url("postgres"))).await;
        let unseen = app.sign_up("Minji").await;
        let ended = app.sign_up("Joon").await;
        hide_session(&identity, &unseen).await;
        app.advance(Duration::from_secs(30 * 60));
        app.store.set_writable(false).await;
        let actor = identity.authenticate(&unseen.access_token).await.unwrap();
        assert_eq!((actor.person, actor.role), (unseen.person_id, Role::Person));
        app.store.set_writable(true).await;

        // A sign-out is a write from after the sign-in: a standby that has it need not be asked for the row.
        identity.sign_out(&ended.actor()).await.unwrap();
        app.store.set_writable(false).await;
        let elsewhere = crate::Identity::new(app.context.clone(), crate::IdentitySettings::default());
        for token in [&ended.access_token, &unseen.access_token] {
            let refused = elsewhere.authenticate(token).await;
            assert_eq!(refused, Err(AuthenticationError::Unknown));
        }
    });
}

/// On a primary a session that is not there was ended, however young its token is.
#[test]
fn a_primary_that_does_not_have_a_session_ends_it() {
    run_test(async {
        let (app, identity) = start(TestStore::postgres().await).await;
        let phone = app.sign_up("Minji").await;
        hide_session(&identity, &phone).await;
        let refused = identity.authenticate(&phone.access_token).await;
        assert_eq!(refused, Err(AuthenticationError::Unknown));
    });
}

/// A term of which nobody says any more that it lasts: a node that hung has not heard so.
struct Over(watch::Sender<Option<Arc<Term>>>);

impl Leadership for Over {
    fn term(&self) -> watch::Receiver<Option<Arc<Term>>> {
        self.0.subscribe()
    }

    fn confirm<'a>(&'a self, _term: &'a Term, _timeline: i64) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async { Err("the term is over".to_owned()) })
    }

    fn is_primary_silent(&self) -> bool {
        false
    }

    fn note_full_disk(&self, _term: &Arc<Term>) {}
}

/// A node that wakes, and whose primary wakes with it, does not know who signed in meanwhile.
#[test]
fn a_session_that_an_unconfirmed_primary_does_not_have_is_not_ended_by_that() {
    run_test(async {
        let test_store = TestStore::postgres().await;
        let url = test_store.url.clone();
        let (host, port) = url
            .split_once('@')
            .and_then(|(_, rest)| rest.split_once('/'))
            .and_then(|(address, _)| address.rsplit_once(':'))
            .unwrap();
        let (app, identity) = start(test_store).await;
        let phone = app.sign_up("Minji").await;
        hide_session(&identity, &phone).await;
        let term = Term {
            member: "pangyo".to_owned(),
            host: host.to_owned(),
            port: port.parse().unwrap(),
            lease: 1,
            create_revision: 1,
        };
        let limits = StoreLimits {
            unavailable_wait: Duration::from_millis(100),
            ..StoreLimits::default()
        };
        let leadership = Arc::new(Over(watch::Sender::new(Some(Arc::new(term)))));
        let clock = Arc::clone(&app.context.clock);
        let woken = Context {
            store: Store::open_led(&url.parse().unwrap(), &limits, clock, Some(leadership)).unwrap(),
            ..app.context.clone()
        };
        let woken = crate::Identity::new(woken, crate::IdentitySettings::default());
        let actor = woken.authenticate(&phone.access_token).await.unwrap();
        assert_eq!(actor.person, phone.person_id);
    });
}
