//! Pushers: set, listed, taken away; each ends with its sign-in.

use haechi_testkit::{SignedUp, TestApp, TestResponse, TestStore};
use serde_json::{Value, json};

use super::{assert_matrix_error, get, post, start};

fn pusher(push_key: &str) -> Value {
    json!({
        "kind": "http",
        "app_id": "org.example.app",
        "pushkey": push_key,
        "app_display_name": "Example",
        "device_display_name": "Phone",
        "lang": "en",
        "data": { "url": "https://push.example.org/_matrix/push/v1/notify", "format": "event_id_only", "more": 1 },
    })
}

async fn set(app: &TestApp, who: &SignedUp, pusher: Value) -> TestResponse {
    post(app, who, "pushers/set", pusher).await
}

/// The push keys of a person, in order.
async fn keys(app: &TestApp, who: &SignedUp) -> Vec<String> {
    let told = get(app, who, "pushers").await.expect(200).json();
    let pushers = told["pushers"].as_array().unwrap().iter();
    let mut keys: Vec<String> = pushers
        .map(|pusher| pusher["pushkey"].as_str().unwrap().to_owned())
        .collect();
    keys.sort();
    keys
}

async fn a_pusher_is_set_changed_and_taken_away(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    set(&app, &minji, pusher("one")).await.expect(200);
    set(&app, &minji, pusher("two")).await.expect(200);
    let mut changed = pusher("one");
    changed["lang"] = "ko".into();
    set(&app, &minji, changed.clone()).await.expect(200);
    let told = get(&app, &minji, "pushers").await.expect(200).json();
    let told = told["pushers"].as_array().unwrap();
    assert_eq!(told.len(), 2);
    assert!(told.contains(&changed), "{told:?}");
    assert_eq!(keys(&app, &joon).await, [""; 0], "each has their own");

    let mut gone = pusher("one");
    gone["kind"] = Value::Null;
    for _ in 0..2 {
        set(&app, &minji, gone.clone()).await.expect(200);
    }
    assert_eq!(keys(&app, &minji).await, ["two"]);
    // Another's request takes nothing of mine.
    gone["pushkey"] = "two".into();
    set(&app, &joon, gone).await.expect(200);
    assert_eq!(keys(&app, &minji).await, ["two"]);
}

async fn the_same_device_signed_in_as_another_leaves_the_first_unless_both_are_wanted(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    set(&app, &minji, pusher("one")).await.expect(200);
    let mut appended = pusher("one");
    appended["append"] = true.into();
    set(&app, &joon, appended).await.expect(200);
    assert_eq!(
        (keys(&app, &minji).await.len(), keys(&app, &joon).await.len()),
        (1, 1)
    );
    set(&app, &joon, pusher("one")).await.expect(200);
    assert_eq!(
        (keys(&app, &minji).await.len(), keys(&app, &joon).await.len()),
        (0, 1)
    );
}

async fn pushers_that_cannot_be_are_refused_and_not_kept(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let with = |path: &str, value: Value| {
        let mut changed = pusher("one");
        *changed.pointer_mut(path).unwrap() = value;
        changed
    };
    let mut without_url = pusher("one");
    without_url["data"] = json!({});
    let mut browser = pusher("no key");
    browser["app_id"] = "org.haechi.web".into();
    let cases = [
        (with("/kind", "email".into()), 400, "M_INVALID_PARAM"),
        (with("/kind", "pigeon".into()), 400, "M_INVALID_PARAM"),
        (with("/app_id", "".into()), 400, "M_INVALID_PARAM"),
        (with("/app_id", "a".repeat(65).into()), 400, "M_INVALID_PARAM"),
        (with("/pushkey", "k".repeat(513).into()), 400, "M_INVALID_PARAM"),
        (with("/lang", "l".repeat(300).into()), 413, "M_TOO_LARGE"),
        (with("/data/more", "x".repeat(4_000).into()), 413, "M_TOO_LARGE"),
        (with("/data/format", "all".into()), 400, "M_INVALID_PARAM"),
        (
            with(
                "/data/url",
                "http://push.example.org/_matrix/push/v1/notify".into(),
            ),
            400,
            "M_INVALID_PARAM",
        ),
        (
            with("/data/url", "https://10.0.0.1/_matrix/push/v1/notify".into()),
            400,
            "M_INVALID_PARAM",
        ),
        (
            with("/data/url", "https://push.example.org/".into()),
            400,
            "M_INVALID_PARAM",
        ),
        (with("/data/url", 1.into()), 400, "M_BAD_JSON"),
        (without_url, 400, "M_BAD_JSON"),
        (browser, 400, "M_INVALID_PARAM"),
        (json!({}), 400, "M_BAD_JSON"),
        (json!([]), 400, "M_BAD_JSON"),
    ];
    for (body, status, code) in cases {
        assert_matrix_error(&set(&app, &minji, body).await, status, code);
    }
    assert_eq!(keys(&app, &minji).await, [""; 0]);
}

async fn a_pusher_ends_with_its_sign_in(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let phone = app.sign_in(&minji.phone, None).await;
    set(&app, &minji, pusher("one")).await.expect(200);
    set(&app, &phone, pusher("two")).await.expect(200);
    assert_eq!(keys(&app, &minji).await, ["one", "two"]);
    post(&app, &phone, "logout", json!({})).await.expect(200);
    assert_eq!(keys(&app, &minji).await, ["one"]);
}

async fn of_too_many_pushers_the_oldest_goes(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    for number in 0..=crate::limits::PUSHERS_MAX {
        app.advance(std::time::Duration::from_millis(1));
        set(&app, &minji, pusher(&format!("key {number:03}")))
            .await
            .expect(200);
    }
    let keys = keys(&app, &minji).await;
    assert_eq!(keys.len(), usize::try_from(crate::limits::PUSHERS_MAX).unwrap());
    assert_eq!(keys.first().unwrap(), "key 001");
}

haechi_testkit::on_both_engines!(
    a_pusher_is_set_changed_and_taken_away,
    the_same_device_signed_in_as_another_leaves_the_first_unless_both_are_wanted,
    pushers_that_cannot_be_are_refused_and_not_kept,
    a_pusher_ends_with_its_sign_in,
    of_too_many_pushers_the_oldest_goes,
);
