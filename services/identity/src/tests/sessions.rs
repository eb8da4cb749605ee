//! Sessions: lists, sign-out, refresh, and the ways in for Matrix clients.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use haechi_base::{PersonId, Role};
use haechi_http::{AuthenticationError, Authenticator as _, Caller};
use haechi_service::Context;
use haechi_store::{Store, StoreLimits, Tx};
use haechi_testkit::{TestApp, TestStore, assert_problem, on_both_engines, operator};
use serde_json::{Value, json};

use super::{start, start_with};
use crate::model::LATE_REFRESH_MAX;
use crate::{DeviceRequest, Identity, IdentityError, IdentitySettings, PasswordSubject, ops};

async fn a_person_sees_their_devices_and_nobody_elses(store: TestStore) {
    let (app, _) = start(store).await;
    let phone = app.sign_up("Minji").await;
    let tablet = app.sign_in(&phone.phone, None).await;
    let stranger = app.sign_up("Joon").await;

    let list = app
        .get("/api/identity/sessions")
        .bearer(&tablet.access_token)
        .send()
        .await
        .expect(200)
        .json();
    let ids: Vec<&str> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["device_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, [tablet.device_id.as_str(), phone.device_id.as_str()]);
    assert_eq!(list["items"][0]["current"], true);
    assert_eq!(list["items"][1]["current"], false);
    assert_eq!(list["items"][0]["refreshes"], 0);
    assert_eq!(list["next"], Value::Null);

    let first = app
        .get("/api/identity/sessions?limit=1")
        .bearer(&tablet.access_token)
        .send()
        .await
        .expect(200)
        .json();
    let next = format!(
        "/api/identity/sessions?limit=1&before={}",
        first["next"].as_str().unwrap()
    );
    let second = app
        .get(&next)
        .bearer(&tablet.access_token)
        .send()
        .await
        .expect(200)
        .json();
    assert_eq!(second["items"][0]["device_id"], phone.device_id.as_str());
    assert_eq!(second["next"], Value::Null);
    let response = app
        .get("/api/identity/sessions?before=x")
        .bearer(&tablet.access_token)
        .send()
        .await;
    assert_problem(&response, 400, "invalid-query");

    // Another person's session is not there for me.
    let path = format!("/api/identity/sessions/{}", phone.session_id);
    let response = app.delete(&path).bearer(&stranger.access_token).send().await;
    assert_problem(&response, 404, "no-such-session");
    app.get("/api/identity/me")
        .bearer(&phone.access_token)
        .send()
        .await
        .expect(200);
    let response = app
        .delete("/api/identity/sessions/x")
        .bearer(&stranger.access_token)
        .send()
        .await;
    assert_problem(&response, 404, "malformed-path");
}

async fn a_sign_out_counts_at_once_for_one_device_and_for_another(store: TestStore) {
    let (app, _) = start(store).await;
    let phone = app.sign_up("Minji").await;
    let tablet = app.sign_in(&phone.phone, None).await;
    for device in [&phone, &tablet] {
        app.get("/api/identity/me")
            .bearer(&device.access_token)
            .send()
            .await
            .expect(200);
    }
    let path = format!("/api/identity/sessions/{}", tablet.session_id);
    app.delete(&path)
        .bearer(&phone.access_token)
        .send()
        .await
        .expect(204);
    let response = app
        .get("/api/identity/me")
        .bearer(&tablet.access_token)
        .send()
        .await;
    assert_problem(&response, 401, "sign-in-needed");
    app.delete("/api/identity/sessions/current")
        .bearer(&phone.access_token)
        .send()
        .await
        .expect(204);
    let response = app
        .get("/api/identity/me")
        .bearer(&phone.access_token)
        .send()
        .await;
    assert_problem(&response, 401, "sign-in-needed");
    let response = app
        .post("/api/identity/sessions/refresh")
        .json(json!({"refresh_token": phone.refresh_token}));
    assert_problem(&response.send().await, 401, "unknown-token");
}

async fn tokens_end_and_are_refreshed(store: TestStore) {
    let (app, identity) = start(store).await;
    let phone = app.sign_up("Minji").await;
    app.advance(Duration::from_secs(3_600));
    let response = app
        .get("/api/identity/me")
        .bearer(&phone.access_token)
        .send()
        .await;
    assert_problem(&response, 401, "token-expired");
    let refresh = |token: &str| {
        app.post("/api/identity/sessions/refresh")
            .json(json!({"refresh_token": token}))
            .send()
    };
    let second = refresh(&phone.refresh_token).await.expect(200).json();
    assert_eq!(second["session_id"], phone.session_id.to_string());
    // The answer was lost on its way: the same token buys the same next one, whenever it comes.
    app.advance(10 * LATE_REFRESH_MAX);
    let repeated = refresh(&phone.refresh_token).await.expect(200).json();
    assert_eq!(repeated["refresh_token"], second["refresh_token"]);
    let access_token = second["access_token"].as_str().unwrap();
    app.get("/api/identity/me")
        .bearer(access_token)
        .send()
        .await
        .expect(200);
    wait_until_used(&identity, phone.session_id, 2).await;
    // One more of these requests hung in a node. It ends nothing: the client has had its answer only just now.
    assert_problem(&refresh(&phone.refresh_token).await, 503, "unavailable");
    let newest = repeated["refresh_token"].as_str().unwrap();
    let third = refresh(newest).await.expect(200).json();
    // The repeated answer is not counted: it was the same renewal.
    let list = app
        .get("/api/identity/sessions")
        .bearer(third["access_token"].as_str().unwrap())
        .send()
        .await
        .expect(200)
        .json();
    assert_eq!(list["items"][0]["refreshes"], 2);
}

/// Waits until the use of the session's newest token was written down, which happens beside the request.
pub(super) async fn wait_until_used(identity: &Identity, session: haechi_base::SessionId, generation: u32) {
    for _ in 0..500 {
        let read = identity
            .context()
            .store
            .read(async move |tx: &mut Tx<'_>| crate::store::find_session(tx, session).await);
        let found: Result<_, haechi_store::StoreError> = read.await;
        if found.unwrap().unwrap().used_generation >= generation {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the use of a token was not written down");
}

async fn a_refresh_token_used_again_ends_the_session(store: TestStore) {
    let (app, identity) = start(store).await;
    let phone = app.sign_up("Minji").await;
    let refresh = |token: String| {
        app.post("/api/identity/sessions/refresh")
            .json(json!({"refresh_token": token}))
            .send()
    };
    let second = refresh(phone.refresh_token.clone()).await.expect(200).json();
    let access_token = second["access_token"].as_str().unwrap();
    app.get("/api/identity/me")
        .bearer(access_token)
        .send()
        .await
        .expect(200);
    wait_until_used(&identity, phone.session_id, 2).await;
    // A request that a node which hung does at last: its client has the newer token, and keeps it.
    app.advance(LATE_REFRESH_MAX);
    let late = refresh(phone.refresh_token.clone()).await;
    assert_problem(&late, 503, "unavailable");
    assert!(late.headers.contains_key("retry-after"));
    let newest = second["refresh_token"].as_str().unwrap().to_owned();
    let third = refresh(newest.clone()).await.expect(200).json();
    let access_token = third["access_token"].as_str().unwrap();
    app.get("/api/identity/me")
        .bearer(access_token)
        .send()
        .await
        .expect(200);
    // The first token is two behind now. Both were replaced too long ago to be late: a thief has one of them.
    app.advance(Duration::from_secs(1));
    assert_problem(&refresh(phone.refresh_token.clone()).await, 401, "unknown-token");
    let newest = third["refresh_token"].as_str().unwrap().to_owned();
    assert_problem(&refresh(newest).await, 401, "unknown-token");
    let response = app.get("/api/identity/me").bearer(access_token).send().await;
    assert_problem(&response, 401, "sign-in-needed");
}

/// The commit of a refresh was lost in a fail-over after its answer was seen, or an older backup took the store's place.
async fn a_token_newer_than_the_store_is_as_good_as_the_newest(store: TestStore) {
    let (app, identity) = start(store).await;
    let phone = app.sign_up("Minji").await;
    let refresh = |token: String| {
        app.post("/api/identity/sessions/refresh")
            .json(json!({"refresh_token": token}))
            .send()
    };
    let second = refresh(phone.refresh_token.clone()).await.expect(200).json();
    let id = phone.session_id;
    let undone = identity
        .context()
        .store
        .write_unkeyed(async move |tx: &mut Tx<'_>| {
            let found = crate::store::find_session(tx, id).await?;
            let before = crate::Session {
                generation: 1,
                ..found.unwrap()
            };
            crate::store::next_generation(tx, &before, 0, before.created_at).await
        });
    let undone: Result<(), haechi_store::StoreError> = undone.await;
    undone.unwrap();
    let newer = second["refresh_token"].as_str().unwrap().to_owned();
    let third = refresh(newer.clone()).await.expect(200).json();
    assert_ne!(third["refresh_token"], newer.as_str());
    let newest = third["refresh_token"].as_str().unwrap().to_owned();
    refresh(newest).await.expect(200);
}

async fn a_foreign_token_is_nobodys(store: TestStore) {
    let (app, identity) = start(store).await;
    let phone = app.sign_up("Minji").await;
    let cut = phone.access_token[..phone.access_token.len() - 1].to_owned();
    for token in ["x", "a.b.c", &cut, &phone.refresh_token] {
        let response = app.get("/api/identity/me").bearer(token).send().await;
        assert_problem(&response, 401, "sign-in-needed");
        assert_eq!(
            identity.authenticate(token).await,
            Err(AuthenticationError::Unknown)
        );
    }
    let response = app
        .post("/api/identity/sessions/refresh")
        .json(json!({"refresh_token": phone.access_token}));
    assert_problem(&response.send().await, 401, "unknown-token");
}

fn caller(last: u8) -> Caller {
    Caller(std::net::IpAddr::from([192, 0, 2, last]))
}

async fn a_matrix_client_signs_in_with_a_password(store: TestStore) {
    let (app, identity) = start(store).await;
    let phone = app.sign_up("Minji").await;
    let device = || DeviceRequest::new(Some("NIO"), None, false).unwrap();
    let subject = PasswordSubject::Person(phone.person_id);
    let sign_in = |password: &str| {
        identity.sign_in_with_password(subject.clone(), password.parse().unwrap(), device(), caller(1))
    };
    assert_eq!(
        sign_in("correct horse").await.unwrap_err(),
        IdentityError::WrongPassword
    );
    let set = |body: Value| {
        app.put("/api/identity/me/password")
            .bearer(&phone.access_token)
            .json(body)
            .send()
    };
    assert_problem(
        &set(json!({"password": "short"})).await,
        422,
        "malformed-password",
    );
    set(json!({"password": "correct horse"})).await.expect(204);
    assert_problem(
        &set(json!({"password": "another one"})).await,
        403,
        "wrong-password",
    );
    let wrong = json!({"password": "another one", "current_password": "wrong horse"});
    assert_problem(&set(wrong).await, 403, "wrong-password");

    let session = sign_in("correct horse").await.unwrap();
    assert_eq!(session.refresh_token, None);
    assert_eq!(session.device_id.as_str(), "NIO");
    app.advance(Duration::from_secs(89 * 24 * 60 * 60));
    app.get("/api/identity/me")
        .bearer(&session.access_token)
        .send()
        .await
        .expect(200);

    // Signing in again on the same device ends the session it had.
    let by_phone = PasswordSubject::Phone(identity.parse_phone(&phone.phone).unwrap());
    let again = identity
        .sign_in_with_password(by_phone, "correct horse".parse().unwrap(), device(), caller(1))
        .await
        .unwrap();
    app.get("/api/identity/me")
        .bearer(&again.access_token)
        .send()
        .await
        .expect(200);
    let response = app
        .get("/api/identity/me")
        .bearer(&session.access_token)
        .send()
        .await;
    assert_problem(&response, 401, "sign-in-needed");
}

async fn a_password_is_tried_ten_times_and_no_more(store: TestStore) {
    let (app, identity) = start(store).await;
    let phone = app.sign_up("Minji").await;
    let set = app.put("/api/identity/me/password").bearer(&phone.access_token);
    set.json(json!({"password": "correct horse"}))
        .send()
        .await
        .expect(204);
    let known = PasswordSubject::Person(phone.person_id);
    let nobody = PasswordSubject::Person(PersonId::new(app.context.now()));
    let try_one = |subject: &PasswordSubject, password: &str, address: u8| {
        let device = DeviceRequest::new(None, None, false).unwrap();
        let password = password.parse().unwrap();
        identity.sign_in_with_password(subject.clone(), password, device, caller(address))
    };
    // Nothing tells whether there is such a person.
    for subject in [&known, &nobody] {
        for _ in 0..10 {
            let refused = try_one(subject, "wrong horse", 1).await.unwrap_err();
            assert_eq!(refused, IdentityError::WrongPassword);
        }
        let refused = try_one(subject, "correct horse", 1).await.unwrap_err();
        assert!(
            matches!(refused, IdentityError::TooMany { .. }),
            "{subject:?}: {refused}"
        );
    }
    // The stranger's tries do not lock the owner out.
    try_one(&known, "correct horse", 2).await.unwrap();
}

async fn one_caller_tries_so_many_passwords_and_no_more(store: TestStore) {
    let settings = IdentitySettings {
        tries_per_caller_hourly: NonZeroU32::new(3),
        ..IdentitySettings::default()
    };
    let (app, identity) = start_with(store, settings).await;
    let try_one = |address: u8| {
        let subject = PasswordSubject::Person(PersonId::new(app.context.now()));
        let device = DeviceRequest::new(None, None, false).unwrap();
        identity.sign_in_with_password(subject, "wrong horse".parse().unwrap(), device, caller(address))
    };
    for _ in 0..3 {
        assert_eq!(try_one(1).await.unwrap_err(), IdentityError::WrongPassword);
    }
    let refused = try_one(1).await.unwrap_err();
    assert!(matches!(refused, IdentityError::TooMany { .. }), "{refused}");
    assert_eq!(try_one(2).await.unwrap_err(), IdentityError::WrongPassword);
}

async fn a_wrong_present_password_is_tried_ten_times_and_no_more(store: TestStore) {
    let (app, _) = start(store).await;
    let phone = app.sign_up("Minji").await;
    let set = |body: Value| {
        app.put("/api/identity/me/password")
            .bearer(&phone.access_token)
            .json(body)
            .send()
    };
    set(json!({"password": "correct horse"})).await.expect(204);
    let wrong = json!({"password": "another one", "current_password": "wrong horse"});
    for _ in 0..10 {
        assert_problem(&set(wrong.clone()).await, 403, "wrong-password");
    }
    assert_problem(&set(wrong).await, 429, "too-many-requests");
}

async fn a_login_token_signs_in_once_within_two_minutes(store: TestStore) {
    let (app, identity) = start(store).await;
    let phone = app.sign_up("Minji").await;
    let device = || DeviceRequest::new(None, Some("Element"), true).unwrap();
    let token = identity.issue_login_token(&phone.actor()).await.unwrap().token;
    let session = identity.sign_in_with_login_token(&token, device()).await.unwrap();
    assert_eq!(session.person.id, phone.person_id);
    let again = identity.sign_in_with_login_token(&token, device()).await;
    assert_eq!(again.unwrap_err(), IdentityError::UnknownToken);
    let late = identity.issue_login_token(&phone.actor()).await.unwrap().token;
    app.advance(Duration::from_secs(2 * 60));
    let late = identity.sign_in_with_login_token(&late, device()).await;
    assert_eq!(late.unwrap_err(), IdentityError::UnknownToken);

    identity.sign_out_all(&phone.actor()).await.unwrap();
    for token in [&phone.access_token, &session.access_token] {
        let response = app.get("/api/identity/me").bearer(token).send().await;
        assert_problem(&response, 401, "sign-in-needed");
    }
}

/// Another node with the same key, which reaches no database.
fn cut_off(app: &TestApp) -> Identity {
    let nowhere = "postgres://postgres@127.0.0.1:1/nowhere".parse().unwrap();
    let limits = StoreLimits {
        unavailable_wait: Duration::from_millis(100),
        ..StoreLimits::default()
    };
    let context = Context {
        store: Store::open(&nowhere, &limits, Arc::clone(&app.context.clock)).unwrap(),
        ..app.context.clone()
    };
    Identity::new(context, IdentitySettings::default())
}

async fn an_administrator_is_a_person_when_no_database_answers(store: TestStore) {
    let (app, identity) = start(store).await;
    let phone = app.sign_up("Minji").await;
    let (person, role) = (phone.person_id, Role::Administrator);
    let granted = identity
        .context()
        .store
        .write_unkeyed(async move |tx: &mut Tx<'_>| ops::grant_role(tx, &operator(), person, role).await);
    granted.await.unwrap();
    let refresh = json!({"refresh_token": phone.refresh_token});
    let refreshed = app.post("/api/identity/sessions/refresh").json(refresh);
    let refreshed = refreshed.send().await.expect(200).json();
    let token = refreshed["access_token"].as_str().unwrap();
    assert_eq!(identity.authenticate(token).await.unwrap().role, role);
    let actor = cut_off(&app).authenticate(token).await.unwrap();
    assert_eq!((actor.person, actor.role), (person, Role::Person));
}

async fn people_stay_signed_in_when_no_database_answers(store: TestStore) {
    let (app, _) = start(store).await;
    let phone = app.sign_up("Minji").await;
    let cut_off = cut_off(&app);
    let actor = cut_off.authenticate(&phone.access_token).await.unwrap();
    assert_eq!(actor, phone.actor());
    let forged = cut_off.authenticate("a.b.c").await;
    assert_eq!(forged, Err(AuthenticationError::Unknown));
    app.advance(Duration::from_secs(3_600));
    let late = cut_off.authenticate(&phone.access_token).await;
    assert_eq!(late, Err(AuthenticationError::Expired));
}

on_both_engines!(
    people_stay_signed_in_when_no_database_answers,
    a_person_sees_their_devices_and_nobody_elses,
    a_sign_out_counts_at_once_for_one_device_and_for_another,
    tokens_end_and_are_refreshed,
    a_refresh_token_used_again_ends_the_session,
    a_token_newer_than_the_store_is_as_good_as_the_newest,
    a_foreign_token_is_nobodys,
    a_matrix_client_signs_in_with_a_password,
    a_password_is_tried_ten_times_and_no_more,
    one_caller_tries_so_many_passwords_and_no_more,
    a_wrong_present_password_is_tried_ten_times_and_no_more,
    an_administrator_is_a_person_when_no_database_answers,
    a_login_token_signs_in_once_within_two_minutes,
);
