//! Devices: renamed, and signed out with all that is kept of them.

use haechi_testkit::{SignedUp, TestApp, TestResponse, TestStore};
use serde_json::{Value, json};

use super::crypto::{auth, query, right_auth, set_password, upload_device};
use super::{assert_matrix_error, client, get, make_room_of, post, put, start, sync};

async fn delete(app: &TestApp, who: &SignedUp, path: &str, body: Value) -> TestResponse {
    app.delete(&client(path))
        .bearer(&who.access_token)
        .json(body)
        .send()
        .await
}

fn next(sync: &Value) -> String {
    sync["next_batch"].as_str().unwrap().to_owned()
}

/// Waits until somebody is told of so many devices of another.
async fn until_devices(app: &TestApp, asker: &SignedUp, user_id: &str, since: &str, count: usize) -> Value {
    super::crypto::until(app, asker, &format!("sync?since={since}"), |told| {
        let changed = told["device_lists"]["changed"].as_array().unwrap();
        changed.iter().any(|changed| changed == user_id)
    })
    .await;
    let told = query(app, asker, user_id).await;
    let devices = told["device_keys"][user_id].as_object().unwrap();
    assert_eq!(devices.len(), count, "{told}");
    told
}

async fn another_name_is_told_with_the_keys(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    make_room_of(&app, &minji, &[&joon]).await;
    upload_device(&app, &minji, 1).await;
    let since = next(&sync(&app, &joon, "").await);
    let path = format!("devices/{}", minji.device_id);
    put(&app, &minji, &path, json!({ "display_name": "Minji's phone" }))
        .await
        .expect(200);
    let shown = get(&app, &minji, &path).await.expect(200).json();
    assert_eq!(shown["display_name"], "Minji's phone");
    let told = until_devices(&app, &joon, &minji.user_id, &since, 1).await;
    let device = &told["device_keys"][&minji.user_id][&minji.device_id];
    assert_eq!(device["unsigned"]["device_display_name"], "Minji's phone");
    put(&app, &minji, &path, json!({})).await.expect(200);
    let shown = get(&app, &minji, &path).await.expect(200).json();
    assert_eq!(shown["display_name"], "Minji's phone");
    for (body, status, code) in [
        (json!({ "display_name": "x".repeat(65) }), 400, "M_INVALID_PARAM"),
        (json!({ "display_name": 5 }), 400, "M_BAD_JSON"),
    ] {
        assert_matrix_error(&put(&app, &minji, &path, body).await, status, code);
    }
    // Another's device, and one that is not there.
    for body in [json!({ "display_name": "mine now" }), json!({})] {
        assert_matrix_error(&put(&app, &joon, &path, body).await, 404, "M_NOT_FOUND");
    }
}

async fn a_device_is_deleted_by_password_with_its_keys_and_messages(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    set_password(&app, &minji).await;
    make_room_of(&app, &minji, &[&joon]).await;
    let tablet = app.sign_in(&minji.phone, None).await;
    upload_device(&app, &minji, 1).await;
    upload_device(&app, &tablet, 2).await;
    let one_time = json!({ "one_time_keys": { "signed_curve25519:A": { "key": "x" } } });
    post(&app, &tablet, "keys/upload", one_time).await.expect(200);
    let since = next(&sync(&app, &joon, "").await);

    let path = format!("devices/{}", tablet.device_id);
    for (body, has_failed) in [
        (json!({}), false),
        (json!({ "auth": auth(&minji, "wrong horse") }), true),
        (json!({ "auth": auth(&joon, "correct horse") }), true),
    ] {
        let asked = delete(&app, &minji, &path, body).await;
        assert_eq!(asked.status.as_u16(), 401, "{}", asked.text());
        assert_eq!(asked.json()["flows"][0]["stages"][0], "m.login.password");
        assert_eq!(asked.json()["errcode"].is_string(), has_failed);
    }
    get(&app, &tablet, "account/whoami").await.expect(200);
    delete(&app, &minji, &path, json!({ "auth": right_auth(&minji) }))
        .await
        .expect(200);
    assert_matrix_error(
        &get(&app, &tablet, "account/whoami").await,
        401,
        "M_UNKNOWN_TOKEN",
    );
    let told = until_devices(&app, &joon, &minji.user_id, &since, 1).await;
    assert!(told["device_keys"][&minji.user_id][&minji.device_id].is_object());
    let claim = json!({ "one_time_keys": { &minji.user_id: { &tablet.device_id: "signed_curve25519" } } });
    let claimed = post(&app, &joon, "keys/claim", claim).await.expect(200).json();
    assert_eq!(claimed["one_time_keys"], json!({}));
    // Gone already, and never there: done.
    let again = json!({ "auth": right_auth(&minji), "devices": [tablet.device_id, "NONE"] });
    post(&app, &minji, "delete_devices", again).await.expect(200);
    let asked = post(
        &app,
        &minji,
        "delete_devices",
        json!({ "devices": [minji.device_id] }),
    )
    .await;
    assert_eq!(asked.status.as_u16(), 401);
    assert_matrix_error(
        &post(&app, &minji, "delete_devices", json!({})).await,
        400,
        "M_BAD_JSON",
    );
    // Another's devices are not among one's own, whatever one's password.
    set_password(&app, &joon).await;
    let others = json!({ "auth": right_auth(&joon), "devices": [minji.device_id] });
    post(&app, &joon, "delete_devices", others).await.expect(200);
    get(&app, &minji, "account/whoami").await.expect(200);
}

async fn the_keys_of_a_session_that_ended_elsewhere_are_told_no_more(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    make_room_of(&app, &minji, &[&joon]).await;
    let tablet = app.sign_in(&minji.phone, None).await;
    let watch = app.sign_in(&minji.phone, None).await;
    for (number, device) in (1..).zip([&minji, &tablet, &watch]) {
        upload_device(&app, device, number).await;
    }
    let since = next(&sync(&app, &joon, "").await);
    // Through identity's own route, of which chat hears by the hook.
    app.delete(&format!("/api/identity/sessions/{}", tablet.session_id))
        .bearer(&minji.access_token)
        .send()
        .await
        .expect(204);
    until_devices(&app, &joon, &minji.user_id, &since, 2).await;
    let since = next(&sync(&app, &joon, &since).await);
    post(&app, &watch, "logout", json!({})).await.expect(200);
    until_devices(&app, &joon, &minji.user_id, &since, 1).await;
    let since = next(&sync(&app, &joon, &since).await);
    post(&app, &minji, "logout/all", json!({})).await.expect(200);
    until_devices(&app, &joon, &minji.user_id, &since, 0).await;
}

async fn the_keys_of_a_session_that_ran_out_are_told_no_more_and_forgotten(store: TestStore) {
    let (app, chat) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    make_room_of(&app, &minji, &[&joon]).await;
    upload_device(&app, &minji, 1).await;
    app.advance(std::time::Duration::from_secs(91 * 24 * 3600));
    let joon = app.sign_in(&joon.phone, None).await;
    let since = next(&sync(&app, &joon, "").await);
    assert_eq!(chat.forget_old().await.unwrap(), 1);
    until_devices(&app, &joon, &minji.user_id, &since, 0).await;
    assert_eq!(chat.forget_old().await.unwrap(), 0);
}

async fn who_signs_in_again_on_a_device_keeps_its_keys(store: TestStore) {
    let (app, chat) = start(store).await;
    let minji = app.sign_up("Minji").await;
    set_password(&app, &minji).await;
    upload_device(&app, &minji, 1).await;
    let login = json!({
        "type": "m.login.password",
        "identifier": { "type": "m.id.user", "user": minji.user_id },
        "password": "correct horse",
        "device_id": minji.device_id,
    });
    let told = app
        .post(&client("login"))
        .json(login)
        .send()
        .await
        .expect(200)
        .json();
    let again = SignedUp {
        access_token: told["access_token"].as_str().unwrap().to_owned(),
        ..minji.clone()
    };
    chat.forget_old().await.unwrap();
    let told = query(&app, &again, &minji.user_id).await;
    assert!(told["device_keys"][&minji.user_id][&minji.device_id].is_object());
}

haechi_testkit::on_both_engines!(
    another_name_is_told_with_the_keys,
    a_device_is_deleted_by_password_with_its_keys_and_messages,
    the_keys_of_a_session_that_ended_elsewhere_are_told_no_more,
    the_keys_of_a_session_that_ran_out_are_told_no_more_and_forgotten,
    who_signs_in_again_on_a_device_keeps_its_keys,
);
