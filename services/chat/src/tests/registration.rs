//! Signing up with a username and a password, where the operator offers it.

use std::num::NonZeroU32;

use haechi_identity::{IdentitySettings, Registration};
use haechi_testkit::{TestApp, TestResponse, TestStore};
use serde_json::{Value, json};

use super::{assert_matrix_error, client, segment, start_identity_with, start_offering};

const PASSWORD: &str = "sUp3rs3kr1t";

async fn register(app: &TestApp, body: Value) -> TestResponse {
    app.post(&client("register")).json(body).send().await
}

fn newcomer(name: &str) -> Value {
    json!({ "auth": { "type": "m.login.dummy" }, "username": name, "password": PASSWORD })
}

async fn log_in(app: &TestApp, user: &str, password: &str) -> TestResponse {
    let login = json!({
        "type": "m.login.password",
        "identifier": { "type": "m.id.user", "user": user },
        "password": password,
    });
    app.post(&client("login")).json(login).send().await
}

async fn as_whom(app: &TestApp, token: &Value) -> TestResponse {
    let path = client("account/whoami");
    app.get(&path).bearer(token.as_str().unwrap()).send().await
}

async fn who_signs_up_with_a_username_has_it_in_their_user_id(store: TestStore) {
    let (app, _) = start_offering(store, Registration::Open).await;
    let asked = register(&app, json!({})).await;
    assert_eq!(asked.status, 401);
    assert_eq!(asked.json()["flows"], json!([{ "stages": ["m.login.dummy"] }]));
    let session = asked.json()["session"].clone();
    assert!(session.is_string() && asked.json()["errcode"].is_null());
    let body = json!({
        "auth": { "type": "m.login.dummy", "session": session },
        "username": "Minji-KIM",
        "password": "übers3kr1t",
        "device_id": "my_device_id",
        "initial_device_display_name": "Phone",
        "refresh_token": true,
    });
    let told = register(&app, body).await.expect(200).json();
    assert_eq!(told["user_id"], "@minji-kim:haechi.test");
    assert_eq!(told["device_id"], "my_device_id");
    assert_eq!(told["home_server"], "haechi.test");
    assert!(told["refresh_token"].is_string() && told["expires_in_ms"].is_u64());
    let who = as_whom(&app, &told["access_token"]).await.expect(200).json();
    assert_eq!(who["user_id"], "@minji-kim:haechi.test");
    for user in [
        "@minji-kim:haechi.test",
        "minji-kim",
        "@Minji-kim:haechi.test",
        "MINJI-KIM",
    ] {
        let again = log_in(&app, user, "übers3kr1t").await.expect(200).json();
        assert_eq!(again["user_id"], "@minji-kim:haechi.test", "{user}");
    }
    let old = json!({ "type": "m.login.password", "user": "minji-kim", "password": "übers3kr1t" });
    app.post(&client("login")).json(old).send().await.expect(200);
    assert_matrix_error(
        &log_in(&app, "minji-kim", "wrong horse").await,
        403,
        "M_FORBIDDEN",
    );
    assert_matrix_error(&log_in(&app, "nobody-here", PASSWORD).await, 403, "M_FORBIDDEN");
    // They are people like others: they speak with who has a phone number, and are shown by their name.
    let profile = format!("profile/{}", segment("@minji-kim:haechi.test"));
    let profile = app.get(&client(&profile)).send().await.expect(200).json();
    assert_eq!(profile, json!({ "displayname": "minji-kim" }));
    let joon = app.sign_up("Joon").await;
    let room = super::make_room(&app, &joon, json!({ "invite": ["@minji-kim:haechi.test"] })).await;
    let join = app.post(&client(&format!("rooms/{room}/join")));
    let token = told["access_token"].as_str().unwrap();
    join.bearer(token).json(json!({})).send().await.expect(200);
    super::say(&app, &joon, &room, "1", "hello").await;
    let path = client(&format!("rooms/{room}/messages?dir=b&limit=5"));
    let page = app.get(&path).bearer(token).send().await.expect(200).json();
    assert_eq!(super::texts(&page["chunk"]), ["hello"]);
    let path = "/api/chat/settings/discovery";
    let findable = app
        .put(path)
        .bearer(token)
        .json(json!({ "findable_by_phone": true }));
    assert_eq!(
        findable.send().await.status,
        403,
        "there is no number to be found by"
    );
}

async fn names_that_cannot_be_or_are_taken_are_refused(store: TestStore) {
    let (app, _) = start_offering(store, Registration::Open).await;
    for letter in ["q", "3", ".", "_", "=", "-", "/", "+"] {
        let name = format!("chrtestuser{letter}");
        let told = register(&app, newcomer(&name)).await.expect(200).json();
        assert_eq!(told["user_id"], format!("@{name}:haechi.test"));
    }
    let long = "a".repeat(23);
    for bad in [
        "us!er",
        "us\"er",
        "us:er",
        "us?er",
        "us\\er",
        "us@er",
        "us[er",
        "us{er",
        "us|er",
        "us£er",
        "usér",
        "us\ner",
        "us'er",
        "us er",
        "",
        "_user",
        "01012345678",
        "12-34",
        &long,
        "사용자",
    ] {
        assert_matrix_error(&register(&app, newcomer(bad)).await, 400, "M_INVALID_USERNAME");
        let path = client(&format!("register/available?username={}", segment(bad)));
        assert_matrix_error(&app.get(&path).send().await, 400, "M_INVALID_USERNAME");
    }
    let free = client("register/available?username=once");
    assert_eq!(
        app.get(&free).send().await.expect(200).json(),
        json!({ "available": true })
    );
    register(&app, newcomer("once")).await.expect(200);
    assert_matrix_error(&app.get(&free).send().await, 400, "M_USER_IN_USE");
    assert_matrix_error(&register(&app, newcomer("once")).await, 400, "M_USER_IN_USE");
    assert_matrix_error(&register(&app, newcomer("ONCE")).await, 400, "M_USER_IN_USE");
    // It is told before anything is asked for.
    let unasked = json!({ "username": "once" });
    assert_matrix_error(&register(&app, unasked).await, 400, "M_USER_IN_USE");
    let both = tokio::join!(
        register(&app, newcomer("twice")),
        register(&app, newcomer("twice"))
    );
    let mut statuses = [both.0.status.as_u16(), both.1.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400], "one of two at the same moment");
}

async fn what_a_newcomer_sends_is_checked(store: TestStore) {
    let (app, _) = start_offering(store, Registration::Open).await;
    let mut weak = newcomer("minji");
    weak["password"] = "short".into();
    assert_matrix_error(&register(&app, weak.clone()).await, 400, "M_WEAK_PASSWORD");
    weak.as_object_mut().unwrap().remove("password");
    assert_matrix_error(&register(&app, weak).await, 400, "M_MISSING_PARAM");
    let path = client("register");
    for (bytes, code) in [
        (b"{\"username\":\"\xff\xfe\"}".as_slice(), "M_NOT_JSON"),
        (b"{\"username\":", "M_NOT_JSON"),
        (b"{\"username\":5}", "M_BAD_JSON"),
        (b"[1]", "M_BAD_JSON"),
    ] {
        let sent = app.post(&path).bytes("application/json", bytes.to_vec());
        assert_matrix_error(&sent.send().await, 400, code);
    }
    let other = json!({ "auth": { "type": "m.login.recaptcha" }, "username": "minji", "password": PASSWORD });
    let again = register(&app, other).await;
    assert_eq!(
        (again.status.as_u16(), &again.json()["errcode"]),
        (401, &json!("M_FORBIDDEN"))
    );
    let guest = app.post(&client("register?kind=guest")).json(json!({}));
    assert_matrix_error(&guest.send().await, 403, "M_GUEST_ACCESS_FORBIDDEN");
    // Without a name one is made up; without a sign-in there are no tokens.
    let mut nameless = newcomer("x");
    nameless.as_object_mut().unwrap().remove("username");
    nameless["inhibit_login"] = true.into();
    let told = register(&app, nameless).await.expect(200).json();
    assert!(told["access_token"].is_null() && told["device_id"].is_null());
    let user = told["user_id"].as_str().unwrap();
    assert_eq!(user.len(), "@:haechi.test".len() + 32, "{user}");
    log_in(&app, user, PASSWORD).await.expect(200);
}

async fn a_token_lets_in_who_was_handed_it(store: TestStore) {
    let (app, _) = start_offering(store, Registration::Token("open sesame".to_owned())).await;
    let with = |auth: Value| json!({ "auth": auth, "username": "minji", "password": PASSWORD });
    let asked = register(&app, with(json!({ "type": "m.login.dummy" }))).await;
    assert_eq!(asked.status, 401);
    let stages = json!([{ "stages": ["m.login.registration_token"] }]);
    assert_eq!(asked.json()["flows"], stages);
    let stage = "m.login.registration_token";
    for token in ["", "open", "open sesame "] {
        let wrong = register(&app, with(json!({ "type": stage, "token": token }))).await;
        assert_eq!(
            (wrong.status.as_u16(), &wrong.json()["errcode"]),
            (401, &json!("M_FORBIDDEN"))
        );
    }
    let validity = |token: &str| {
        let path = "/_matrix/client/v1/register/m.login.registration_token/validity";
        app.get(&format!("{path}?token={}", segment(token))).send()
    };
    assert_eq!(
        validity("open").await.expect(200).json(),
        json!({ "valid": false })
    );
    assert_eq!(
        validity("open sesame").await.expect(200).json(),
        json!({ "valid": true })
    );
    let right = with(json!({ "type": stage, "token": "open sesame" }));
    let told = register(&app, right).await.expect(200).json();
    assert_eq!(told["user_id"], "@minji:haechi.test");
}

async fn where_nobody_offers_it_nobody_signs_up_so(store: TestStore) {
    let (app, _) = start_offering(store, Registration::Closed).await;
    assert_matrix_error(&register(&app, newcomer("minji")).await, 403, "M_FORBIDDEN");
    for path in [
        "/_matrix/client/v3/register/available?username=minji",
        "/_matrix/client/v1/register/m.login.registration_token/validity?token=x",
    ] {
        assert_matrix_error(&app.get(path).send().await, 403, "M_FORBIDDEN");
    }
}

async fn one_address_signs_up_so_many_people(store: TestStore) {
    let settings = IdentitySettings {
        registration: Registration::Open,
        tries_per_caller_hourly: NonZeroU32::new(20),
        ..IdentitySettings::default()
    };
    let (app, _) = start_identity_with(store, settings).await;
    for name in ["one", "two"] {
        register(&app, newcomer(name)).await.expect(200);
    }
    let refused = register(&app, newcomer("three")).await;
    assert_matrix_error(&refused, 429, "M_LIMIT_EXCEEDED");
    assert!(refused.json()["retry_after_ms"].as_u64().unwrap() > 0);
    // Names are not tried out either.
    let path = client("register/available?username=four");
    let mut last = app.get(&path).send().await;
    for _ in 0..20 {
        last = app.get(&path).send().await;
    }
    assert_matrix_error(&last, 429, "M_LIMIT_EXCEEDED");
}

haechi_testkit::on_both_engines!(
    who_signs_up_with_a_username_has_it_in_their_user_id,
    names_that_cannot_be_or_are_taken_are_refused,
    what_a_newcomer_sends_is_checked,
    a_token_lets_in_who_was_handed_it,
    where_nobody_offers_it_nobody_signs_up_so,
    one_address_signs_up_so_many_people,
);
