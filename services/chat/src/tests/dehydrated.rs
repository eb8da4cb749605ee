//! Dehydrated devices: they receive while nobody is signed in, and another takes their place.

use haechi_testkit::{SignedUp, TestApp, TestResponse, TestStore};
use http::Method;
use serde_json::{Value, json};

use super::crypto::{TestKey, device_keys_of, query};
use super::{assert_matrix_error, post, put, start};

const PATH: &str = "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device";

async fn ask(app: &TestApp, who: &SignedUp, method: Method, rest: &str, body: Option<Value>) -> TestResponse {
    let request = app
        .request(&method, &format!("{PATH}{rest}"))
        .bearer(&who.access_token);
    match body {
        Some(body) => request.json(body).send().await,
        None => request.send().await,
    }
}

fn dehydrated(who: &SignedUp, device_id: &str, number: u8) -> Value {
    json!({
        "device_id": device_id,
        "initial_device_display_name": "Dehydrated device",
        "device_data": { "algorithm": "org.matrix.msc3814.v2", "device_pickle": "p", "nonce": "n" },
        "device_keys": device_keys_of(&who.user_id, device_id, &TestKey::new(number)),
        "one_time_keys": { "signed_curve25519:A": { "key": "a" } },
        "fallback_keys": { "signed_curve25519:F": { "key": "f" } },
    })
}

async fn a_dehydrated_device_receives_and_is_woken(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let missing = ask(&app, &minji, Method::GET, "", None).await;
    assert_matrix_error(&missing, 404, "M_NOT_FOUND");
    let device = dehydrated(&minji, "DRY", 1);
    let kept = ask(&app, &minji, Method::PUT, "", Some(device.clone())).await;
    assert_eq!(kept.expect(200).json(), json!({ "device_id": "DRY" }));
    let found = ask(&app, &minji, Method::GET, "", None).await.expect(200).json();
    assert_eq!(
        found,
        json!({ "device_id": "DRY", "device_data": device["device_data"] })
    );
    let told = query(&app, &joon, &minji.user_id).await;
    let keys = &told["device_keys"][&minji.user_id]["DRY"];
    assert_eq!(keys["unsigned"]["device_display_name"], "Dehydrated device");
    let wanted = json!({ "one_time_keys": { &minji.user_id: { "DRY": "signed_curve25519" } } });
    let claimed = post(&app, &joon, "keys/claim", wanted).await.expect(200).json();
    assert_eq!(
        claimed["one_time_keys"][&minji.user_id]["DRY"]["signed_curve25519:A"],
        json!({ "key": "a" })
    );

    for number in 0..101 {
        let messages = json!({ "messages": { &minji.user_id: { "*": { "n": number } } } });
        put(&app, &joon, &format!("sendToDevice/m.x/{number}"), messages)
            .await
            .expect(200);
    }
    let mut numbers = Vec::new();
    let mut from = String::new();
    loop {
        let page = ask(&app, &minji, Method::GET, &format!("/DRY/events{from}"), None).await;
        let page = page.expect(200).json();
        let events = page["events"].as_array().unwrap();
        numbers.extend(events.iter().map(|event| event["content"]["n"].as_u64().unwrap()));
        let Some(next) = page["next_batch"].as_str() else {
            break;
        };
        from = format!("?from={next}");
    }
    assert_eq!(numbers, (0..101).collect::<Vec<u64>>());
    let page = ask(&app, &minji, Method::POST, "/DRY/events", Some(json!({}))).await;
    let page = page.expect(200).json();
    assert_eq!(page["events"].as_array().unwrap().len(), 100);
    let body = json!({ "next_batch": page["next_batch"] });
    let page = ask(&app, &minji, Method::POST, "/DRY/events", Some(body)).await;
    assert_eq!(page.expect(200).json()["events"].as_array().unwrap().len(), 1);
    let other = ask(&app, &minji, Method::GET, "/OTHER/events", None).await;
    assert_matrix_error(&other, 404, "M_NOT_FOUND");
    let others = ask(&app, &joon, Method::GET, "/DRY/events", None).await;
    assert_matrix_error(&others, 404, "M_NOT_FOUND");
    let odd = ask(&app, &minji, Method::GET, "/DRY/events?from=x", None).await;
    assert_matrix_error(&odd, 400, "M_INVALID_PARAM");
}

async fn another_takes_its_place_and_it_can_be_deleted(store: TestStore) {
    let (app, chat) = start(store).await;
    let minji = app.sign_up("Minji").await;
    for (number, name) in [(1, "ONE"), (2, "TWO")] {
        let device = dehydrated(&minji, name, number);
        ask(&app, &minji, Method::PUT, "", Some(device)).await.expect(200);
    }
    let told = query(&app, &minji, &minji.user_id).await;
    let devices = told["device_keys"][&minji.user_id].as_object().unwrap();
    assert_eq!(devices.keys().collect::<Vec<_>>(), ["TWO"]);
    // It has no session, and yet it stays.
    app.advance(std::time::Duration::from_secs(2 * 24 * 3600));
    chat.forget_old().await.unwrap();
    let minji = app.sign_in(&minji.phone, None).await;
    let told = query(&app, &minji, &minji.user_id).await;
    assert!(told["device_keys"][&minji.user_id]["TWO"].is_object());
    let gone = ask(&app, &minji, Method::DELETE, "", None)
        .await
        .expect(200)
        .json();
    assert_eq!(gone, json!({ "device_id": "TWO" }));
    let told = query(&app, &minji, &minji.user_id).await;
    assert_eq!(told["device_keys"][&minji.user_id], json!({}));
    let again = ask(&app, &minji, Method::DELETE, "", None).await;
    assert_matrix_error(&again, 404, "M_NOT_FOUND");
}

async fn a_malformed_one_is_refused(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let nobody = app.put(PATH).json(json!({})).send().await;
    assert_matrix_error(&nobody, 401, "M_MISSING_TOKEN");
    let mut others = dehydrated(&minji, "DRY", 1);
    others["device_id"] = "OTHER".into();
    let own = dehydrated(&minji, &minji.device_id.clone(), 1);
    for (body, code) in [
        (json!({}), "M_BAD_JSON"),
        (others, "M_INVALID_PARAM"),
        (own, "M_INVALID_PARAM"),
    ] {
        let refused = ask(&app, &minji, Method::PUT, "", Some(body)).await;
        assert_matrix_error(&refused, 400, code);
    }
    let missing = ask(&app, &minji, Method::GET, "", None).await;
    assert_matrix_error(&missing, 404, "M_NOT_FOUND");
}

haechi_testkit::on_both_engines!(
    a_dehydrated_device_receives_and_is_woken,
    another_takes_its_place_and_it_can_be_deleted,
    a_malformed_one_is_refused,
);
