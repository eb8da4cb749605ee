//! Signing up and in with a code.

use std::num::NonZeroU32;
use std::time::Duration;

use haechi_testkit::{TestApp, TestStore, assert_problem, every_route_refuses, on_both_engines};
use serde_json::{Value, json};

use super::sessions::wait_until_used;
use super::{start, start_with};
use crate::IdentitySettings;

const PUBLIC: [&str; 4] = [
    "GET /api/identity/gateway",
    "POST /api/identity/codes",
    "POST /api/identity/sessions",
    "POST /api/identity/sessions/refresh",
];

async fn refusals(store: TestStore) {
    let (app, _) = start(store).await;
    every_route_refuses(&app, &PUBLIC).await;
}

async fn code(app: &TestApp, phone: &str) -> String {
    let answer = app
        .post("/api/identity/codes")
        .json(json!({"phone": phone}))
        .send()
        .await;
    let answer = answer.expect(201).json();
    assert!(answer["expires_at"].as_i64().unwrap() > 0 && answer["code_request"].is_string());
    answer["development_code"].as_str().unwrap().to_owned()
}

fn sign_in(phone: &str, code: &str, name: Option<&str>) -> Value {
    let mut body = json!({"phone": phone, "code": code, "device_name": "Test phone"});
    if let Some(name) = name {
        body["display_name"] = name.into();
    }
    body
}

fn another(code: &str) -> &'static str {
    if code == "000000" { "000001" } else { "000000" }
}

async fn a_new_person_is_asked_for_a_name_and_the_code_stays_valid(store: TestStore) {
    let (app, identity) = start(store).await;
    let code = code(&app, "010-1000-0001").await;
    let send = |body: Value| app.post("/api/identity/sessions").json(body).send();
    let response = send(sign_in("010-1000-0001", &code, None)).await;
    assert_problem(&response, 409, "display-name-needed");
    let session = send(sign_in("+82 10 1000 0001", &code, Some(" Minji ")))
        .await
        .expect(201)
        .json();
    let person = &session["person"];
    assert_eq!(person["display_name"], "Minji");
    assert_eq!(person["phone"], "+821010000001");
    assert_eq!(person["role"], "person");
    let user_id = person["user_id"].as_str().unwrap();
    let id = person["person_id"].as_str().unwrap();
    assert_eq!(user_id, format!("@{}:haechi.test", id.replace('-', "")));
    assert_eq!(identity.person_of_user_id(user_id).unwrap().to_string(), id);
    assert_eq!(identity.person_of_user_id("@X:haechi.test"), None);
    assert_eq!(
        identity.person_of_user_id(&user_id.replace("haechi.test", "elsewhere")),
        None
    );

    // The code was used and its session is in use; the next sign-in is the same person's and needs no name.
    let me = app.get("/api/identity/me");
    me.bearer(session["access_token"].as_str().unwrap())
        .send()
        .await
        .expect(200);
    let session_id = session["session_id"].as_str().unwrap().parse().unwrap();
    wait_until_used(&identity, session_id, 1).await;
    assert_problem(
        &send(sign_in("010-1000-0001", &code, None)).await,
        401,
        "wrong-code",
    );
    let again = app.sign_in("010-1000-0001", None).await;
    assert_eq!(again.person_id.to_string(), id);
}

async fn five_wrong_tries_end_a_code(store: TestStore) {
    let (app, _) = start(store).await;
    let phone = "010-1000-0002";
    let code = code(&app, phone).await;
    let send = |body: Value| app.post("/api/identity/sessions").json(body).send();
    for _ in 0..5 {
        assert_problem(
            &send(sign_in(phone, another(&code), Some("Joon"))).await,
            401,
            "wrong-code",
        );
    }
    assert_problem(
        &send(sign_in(phone, &code, Some("Joon"))).await,
        401,
        "wrong-code",
    );
}

async fn a_code_lives_five_minutes_and_a_newer_one_takes_its_place(store: TestStore) {
    let (app, _) = start(store).await;
    let phone = "010-1000-0003";
    let send = |body: Value| app.post("/api/identity/sessions").json(body).send();
    let first = code(&app, phone).await;
    app.advance(Duration::from_secs(1));
    let second = code(&app, phone).await;
    if first != second {
        assert_problem(&send(sign_in(phone, &first, Some("A"))).await, 401, "wrong-code");
    }
    app.advance(Duration::from_secs(5 * 60));
    assert_problem(&send(sign_in(phone, &second, Some("A"))).await, 401, "wrong-code");
}

async fn a_phone_is_sent_five_codes_an_hour(store: TestStore) {
    let (app, _) = start(store).await;
    let phone = "010-1000-0004";
    for _ in 0..5 {
        code(&app, phone).await;
        app.advance(Duration::from_secs(60));
    }
    let response = app
        .post("/api/identity/codes")
        .json(json!({"phone": phone}))
        .send()
        .await;
    assert_problem(&response, 429, "too-many-requests");
    assert_eq!(response.headers["retry-after"], "3300");
    code(&app, "010-1000-0005").await;
    app.advance(Duration::from_secs(3_300));
    code(&app, phone).await;
}

async fn one_caller_tries_so_often_and_no_more(store: TestStore) {
    let settings = IdentitySettings {
        tries_per_caller_hourly: NonZeroU32::new(3),
        ..IdentitySettings::default()
    };
    let (app, _) = start_with(store, settings).await;
    for number in 0..3 {
        code(&app, &format!("010-2000-000{number}")).await;
    }
    let response = app
        .post("/api/identity/codes")
        .json(json!({"phone": "010-2000-0004"}))
        .send()
        .await;
    assert_problem(&response, 429, "too-many-requests");
    let response = app
        .post("/api/identity/sessions")
        .json(sign_in("010-2000-0000", "000000", None));
    assert_problem(&response.send().await, 429, "too-many-requests");
}

async fn bad_input_is_named(store: TestStore) {
    let (app, _) = start(store).await;
    for phone in ["", "12", "not a number", "+82\u{0}"] {
        let response = app
            .post("/api/identity/codes")
            .json(json!({"phone": phone}))
            .send()
            .await;
        let slug = if phone.contains('\0') {
            "nul-character"
        } else {
            "malformed-phone"
        };
        assert_problem(&response, 422, slug);
    }
    let code = code(&app, "010-1000-0006").await;
    let send = |body: Value| app.post("/api/identity/sessions").json(body).send();
    let response = send(sign_in("010-1000-0006", &code, Some("\u{202e}"))).await;
    assert_problem(&response, 422, "malformed-display-name");
    let mut body = sign_in("010-1000-0006", &code, Some("A"));
    body["device_name"] = "".into();
    assert_problem(&send(body).await, 422, "malformed-device-name");
    let mut body = sign_in("010-1000-0006", &code, Some("A"));
    body["role"] = "administrator".into();
    assert_problem(&send(body).await, 422, "unknown-field");
    send(sign_in("010-1000-0006", &code, Some("A"))).await.expect(201);
}

/// The answer to a sign-in was lost on its way, and the client sends it again.
async fn a_sign_in_sent_again_is_answered_with_the_same_session(store: TestStore) {
    let (app, identity) = start(store).await;
    let phone = "010-1000-0009";
    let code = code(&app, phone).await;
    let send = |body: Value| app.post("/api/identity/sessions").json(body).send();
    let first = send(sign_in(phone, &code, Some("A"))).await.expect(201).json();
    let mut elsewhere = sign_in(phone, &code, Some("A"));
    elsewhere["device_name"] = "Another phone".into();
    assert_problem(&send(elsewhere).await, 401, "wrong-code");
    for _ in 0..2 {
        let again = send(sign_in(phone, &code, Some("A"))).await.expect(201).json();
        for name in ["session_id", "device_id", "refresh_token", "person"] {
            assert_eq!(again[name], first[name], "{name}");
        }
    }
    let listed = |token: &str| app.get("/api/identity/sessions").bearer(token).send();
    let token = first["access_token"].as_str().unwrap();
    let sessions = listed(token).await.expect(200).json();
    assert_eq!(sessions["items"].as_array().unwrap().len(), 1);

    // From the person's first request on, the code is of no use to anybody.
    let session_id = first["session_id"].as_str().unwrap().parse().unwrap();
    wait_until_used(&identity, session_id, 1).await;
    assert_problem(&send(sign_in(phone, &code, Some("A"))).await, 401, "wrong-code");
    listed(token).await.expect(200);
}

async fn a_device_that_signs_in_again_keeps_its_id_and_its_old_session_ends(store: TestStore) {
    let (app, _) = start(store).await;
    let phone = "010-1000-0012";
    let first = app.sign_in(phone, Some("A")).await;
    app.advance(Duration::from_secs(1));
    let code = code(&app, phone).await;
    let send = |device_id: &str| {
        let mut body = sign_in(phone, &code, None);
        body["device_id"] = device_id.into();
        app.post("/api/identity/sessions").json(body).send()
    };
    let me = |token: &str| app.get("/api/identity/me").bearer(token).send();
    for malformed in ["", "two words", "해치", &"x".repeat(65)] {
        assert_problem(&send(malformed).await, 422, "malformed-device-id");
    }
    me(&first.access_token).await.expect(200);

    let second = send(&first.device_id).await.expect(201).json();
    assert_eq!(second["device_id"], first.device_id.as_str());
    assert_ne!(second["session_id"], first.session_id.to_string());
    assert_problem(&me(&first.access_token).await, 401, "sign-in-needed");
    // The answer was lost on its way: the same sign-in opens no other session.
    let again = send(&first.device_id).await.expect(201).json();
    assert_eq!(again["session_id"], second["session_id"]);
    let token = second["access_token"].as_str().unwrap();
    me(token).await.expect(200);
    let listed = app.get("/api/identity/sessions").bearer(token).send().await;
    assert_eq!(listed.expect(200).json()["items"].as_array().unwrap().len(), 1);
}

/// Two people share a browser: an id is unique for its person only.
async fn a_device_id_of_another_person_ends_nothing_of_theirs(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let phone = "010-1000-0013";
    let code = code(&app, phone).await;
    let mut body = sign_in(phone, &code, Some("Joon"));
    body["device_id"] = minji.device_id.as_str().into();
    let joon = app.post("/api/identity/sessions").json(body).send().await;
    assert_eq!(joon.expect(201).json()["device_id"], minji.device_id.as_str());
    let me = app.get("/api/identity/me").bearer(&minji.access_token);
    me.send().await.expect(200);
}

async fn a_used_code_cannot_be_tried_out_nor_repeated_when_its_time_is_over(store: TestStore) {
    let (app, _) = start(store).await;
    let send = |body: Value| app.post("/api/identity/sessions").json(body).send();
    let phone = "010-1000-0010";
    let used = code(&app, phone).await;
    send(sign_in(phone, &used, Some("A"))).await.expect(201);
    for _ in 0..5 {
        assert_problem(
            &send(sign_in(phone, another(&used), None)).await,
            401,
            "wrong-code",
        );
    }
    assert_problem(&send(sign_in(phone, &used, None)).await, 401, "wrong-code");

    let old = code(&app, "010-1000-0011").await;
    send(sign_in("010-1000-0011", &old, Some("B"))).await.expect(201);
    app.advance(Duration::from_secs(5 * 60));
    assert_problem(
        &send(sign_in("010-1000-0011", &old, None)).await,
        401,
        "wrong-code",
    );
}

async fn two_who_sign_up_at_once_with_one_code_are_one_person(store: TestStore) {
    let (app, _) = start(store).await;
    let phone = "010-1000-0007";
    let code = code(&app, phone).await;
    let send = || {
        app.post("/api/identity/sessions")
            .json(sign_in(phone, &code, Some("A")))
            .send()
    };
    let (one, two, three) = tokio::join!(send(), send(), send());
    let sessions = [one, two, three].map(|response| response.expect(201).json());
    for session in &sessions {
        assert_eq!(session["session_id"], sessions[0]["session_id"]);
        assert_eq!(session["person"], sessions[0]["person"]);
    }
}

async fn what_has_expired_is_forgotten(store: TestStore) {
    let (app, identity) = start(store).await;
    app.sign_in("010-1000-0008", Some("A")).await;
    assert_eq!(identity.forget_expired().await.unwrap(), 0);
    app.advance(Duration::from_secs(60 * 60 + 1));
    assert_eq!(app.run_due_jobs().await, 1);
    assert_eq!(identity.forget_expired().await.unwrap(), 0);
    app.advance(crate::model::SESSION_LIFE);
    assert_eq!(identity.forget_expired().await.unwrap(), 1);
}

on_both_engines!(
    refusals,
    a_new_person_is_asked_for_a_name_and_the_code_stays_valid,
    five_wrong_tries_end_a_code,
    a_code_lives_five_minutes_and_a_newer_one_takes_its_place,
    a_phone_is_sent_five_codes_an_hour,
    one_caller_tries_so_often_and_no_more,
    bad_input_is_named,
    a_sign_in_sent_again_is_answered_with_the_same_session,
    a_device_that_signs_in_again_keeps_its_id_and_its_old_session_ends,
    a_device_id_of_another_person_ends_nothing_of_theirs,
    a_used_code_cannot_be_tried_out_nor_repeated_when_its_time_is_over,
    two_who_sign_up_at_once_with_one_code_are_one_person,
    what_has_expired_is_forgotten,
);
