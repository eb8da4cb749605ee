//! Keys of devices: told as they were signed, claimed once, and only where somebody is signed in.

use haechi_testkit::TestStore;
use serde_json::{Value, json};

use super::crypto::{TestKey, device_keys, query, upload_device};
use super::{assert_matrix_error, post, start, sync};

async fn device_keys_are_told_as_they_were_signed(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let key = TestKey::new(1);
    let keys = device_keys(&minji, &key);
    let counts = post(&app, &minji, "keys/upload", json!({ "device_keys": keys }))
        .await
        .expect(200)
        .json();
    assert_eq!(
        counts,
        json!({ "one_time_key_counts": { "signed_curve25519": 0 } })
    );
    let told = query(&app, &joon, &minji.user_id).await;
    let mut found = told["device_keys"][&minji.user_id][&minji.device_id].clone();
    assert!(found["unsigned"]["device_display_name"].is_string());
    found.as_object_mut().unwrap().remove("unsigned");
    assert_eq!(found, keys);
    assert_eq!(told["master_keys"], json!({}));

    // Only the devices asked for; nobody for a person without; others' servers cannot be asked.
    let (_, house) = minji.user_id.split_once(':').unwrap();
    let nobody = format!("@Nobody:{house}");
    let wanted = json!({ "device_keys": {
        &minji.user_id: ["NONE"], &joon.user_id: [], "@a:elsewhere.org": [], nobody: [],
    } });
    let told = post(&app, &joon, "keys/query", wanted).await.expect(200).json();
    assert_eq!(
        told["device_keys"],
        json!({ &minji.user_id: {}, &joon.user_id: {} })
    );
    assert_eq!(told["failures"], json!({ "elsewhere.org": {} }));
}

async fn keys_of_another_are_refused_and_not_kept(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let key = TestKey::new(1);
    let mut other_device = device_keys(&minji, &key);
    other_device["device_id"] = "OTHER".into();
    let mut other_names = device_keys(&minji, &key);
    other_names["keys"] = json!({ "ed25519:OTHER": key.public() });
    for keys in [device_keys(&joon, &key), other_device, other_names] {
        let refused = post(&app, &minji, "keys/upload", json!({ "device_keys": keys })).await;
        assert_matrix_error(&refused, 400, "M_INVALID_PARAM");
    }
    for body in [
        json!({ "device_keys": "x" }),
        json!({ "device_keys": { "user_id": minji.user_id, "device_id": minji.device_id } }),
        json!({ "one_time_keys": { "signed_curve25519:A": 5 } }),
        json!({ "one_time_keys": { "signed_curve25519:A": { "key": 1.5 } } }),
        json!({ "one_time_keys": [] }),
    ] {
        let refused = post(&app, &minji, "keys/upload", body).await;
        assert_matrix_error(&refused, 400, "M_BAD_JSON");
    }
    let nameless = json!({ "one_time_keys": { "A": { "key": "x" } } });
    let refused = post(&app, &minji, "keys/upload", nameless).await;
    assert_matrix_error(&refused, 400, "M_INVALID_PARAM");
    let large = json!({ "one_time_keys": { "signed_curve25519:A": { "key": "x".repeat(40_000) } } });
    assert_matrix_error(
        &post(&app, &minji, "keys/upload", large).await,
        413,
        "M_TOO_LARGE",
    );
    let many: serde_json::Map<String, Value> = (0..501)
        .map(|number| (format!("signed_curve25519:{number}"), json!({ "key": "x" })))
        .collect();
    let refused = post(&app, &minji, "keys/upload", json!({ "one_time_keys": many })).await;
    assert_matrix_error(&refused, 413, "M_TOO_LARGE");
    let told = query(&app, &joon, &minji.user_id).await;
    assert_eq!(told["device_keys"][&minji.user_id], json!({}));
    let counts = post(&app, &minji, "keys/upload", json!({}))
        .await
        .expect(200)
        .json();
    assert_eq!(counts["one_time_key_counts"]["signed_curve25519"], 0);
}

fn one_time_keys(from: u32, to: u32) -> Value {
    let keys = (from..to).map(|number| {
        (
            format!("signed_curve25519:AAA{number:03}"),
            json!({ "key": format!("key {number}") }),
        )
    });
    Value::Object(keys.collect())
}

async fn a_one_time_key_is_handed_out_once_the_oldest_first(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    upload_device(&app, &minji, 1).await;
    let upload = json!({ "one_time_keys": one_time_keys(5, 10) });
    post(&app, &minji, "keys/upload", upload.clone())
        .await
        .expect(200);
    app.advance(std::time::Duration::from_secs(1));
    let later = json!({ "one_time_keys": one_time_keys(0, 2) });
    let counts = post(&app, &minji, "keys/upload", later).await.expect(200).json();
    assert_eq!(counts["one_time_key_counts"]["signed_curve25519"], 7);
    let told = sync(&app, &minji, "").await;
    assert_eq!(told["device_one_time_keys_count"]["signed_curve25519"], 7);
    assert_eq!(told["device_unused_fallback_key_types"], json!([]));

    let wanted = json!({ "one_time_keys": { &minji.user_id: { &minji.device_id: "signed_curve25519" } } });
    let first = post(&app, &joon, "keys/claim", wanted.clone())
        .await
        .expect(200)
        .json();
    assert_eq!(
        first["one_time_keys"][&minji.user_id][&minji.device_id],
        json!({ "signed_curve25519:AAA005": { "key": "key 5" } })
    );
    // An upload whose answer was lost does not bring the claimed key back; another key of its id is refused.
    let counts = post(&app, &minji, "keys/upload", upload).await.expect(200).json();
    assert_eq!(counts["one_time_key_counts"]["signed_curve25519"], 6);
    let other = json!({ "one_time_keys": {
        "signed_curve25519:NEW": { "key": "new" }, "signed_curve25519:AAA006": { "key": "other" },
    } });
    let refused = post(&app, &minji, "keys/upload", other).await;
    assert_matrix_error(&refused, 400, "M_INVALID_PARAM");

    // Many at once: each key goes to one.
    let claims = (0..10).map(|_| post(&app, &joon, "keys/claim", wanted.clone()));
    let mut names: Vec<String> = futures_util::future::join_all(claims)
        .await
        .into_iter()
        .filter_map(|answer| {
            let answer = answer.expect(200).json();
            let keys = answer["one_time_keys"][&minji.user_id][&minji.device_id].as_object()?;
            keys.keys().next().cloned()
        })
        .collect();
    names.sort_unstable();
    let expected: Vec<String> = [0, 1, 6, 7, 8, 9]
        .map(|number| format!("signed_curve25519:AAA{number:03}"))
        .to_vec();
    assert_eq!(names, expected);
}

async fn the_fallback_key_comes_last_and_its_use_is_told(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    upload_device(&app, &minji, 1).await;
    let fallback = json!({ "signed_curve25519:F1": { "key": "fallback", "fallback": true } });
    let upload = json!({ "one_time_keys": one_time_keys(1, 2), "fallback_keys": fallback });
    post(&app, &minji, "keys/upload", upload).await.expect(200);
    let unused = |told: &Value| told["device_unused_fallback_key_types"].clone();
    assert_eq!(
        unused(&sync(&app, &minji, "").await),
        json!(["signed_curve25519"])
    );
    let wanted = json!({ "one_time_keys": { &minji.user_id: { &minji.device_id: "signed_curve25519" } } });
    let mut names = Vec::new();
    for _ in 0..3 {
        let told = post(&app, &joon, "keys/claim", wanted.clone())
            .await
            .expect(200)
            .json();
        let keys = &told["one_time_keys"][&minji.user_id][&minji.device_id];
        names.push(keys.as_object().unwrap().keys().next().unwrap().clone());
    }
    assert_eq!(
        names,
        [
            "signed_curve25519:AAA001",
            "signed_curve25519:F1",
            "signed_curve25519:F1"
        ]
    );
    assert_eq!(unused(&sync(&app, &minji, "").await), json!([]));
    // The same one again is as used as before; another one is not.
    let again = json!({ "fallback_keys": fallback });
    post(&app, &minji, "keys/upload", again).await.expect(200);
    assert_eq!(unused(&sync(&app, &minji, "").await), json!([]));
    let other = json!({ "fallback_keys": { "signed_curve25519:F2": { "key": "x", "fallback": true } } });
    post(&app, &minji, "keys/upload", other).await.expect(200);
    assert_eq!(
        unused(&sync(&app, &minji, "").await),
        json!(["signed_curve25519"])
    );
    let two = json!({ "fallback_keys": {
        "signed_curve25519:F2": { "key": "x" }, "signed_curve25519:F3": { "key": "x" },
    } });
    let refused = post(&app, &minji, "keys/upload", two).await;
    assert_matrix_error(&refused, 400, "M_INVALID_PARAM");
    // Of devices and algorithms that are not there nothing is claimed.
    let wanted = json!({ "one_time_keys": {
        &minji.user_id: { "NONE": "signed_curve25519", &minji.device_id: "curve448" },
        "@x:elsewhere.org": { "A": "signed_curve25519" },
    } });
    let told = post(&app, &joon, "keys/claim", wanted).await.expect(200).json();
    assert_eq!(told["one_time_keys"], json!({}));
}

async fn too_much_at_once_is_refused(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let people: serde_json::Map<String, Value> = (0..1_001)
        .map(|number| (format!("@{number:032x}:localhost"), json!([])))
        .collect();
    let refused = post(&app, &minji, "keys/query", json!({ "device_keys": people })).await;
    assert_matrix_error(&refused, 413, "M_TOO_LARGE");
    let devices: serde_json::Map<String, Value> = (0..1_001)
        .map(|number| (format!("D{number}"), json!("signed_curve25519")))
        .collect();
    let claim = json!({ "one_time_keys": { &minji.user_id: devices } });
    let refused = post(&app, &minji, "keys/claim", claim).await;
    assert_matrix_error(&refused, 413, "M_TOO_LARGE");
    for path in ["keys/query", "keys/claim"] {
        assert_matrix_error(&post(&app, &minji, path, json!({})).await, 400, "M_BAD_JSON");
    }
}

haechi_testkit::on_both_engines!(
    device_keys_are_told_as_they_were_signed,
    keys_of_another_are_refused_and_not_kept,
    a_one_time_key_is_handed_out_once_the_oldest_first,
    the_fallback_key_comes_last_and_its_use_is_told,
    too_much_at_once_is_refused,
);
