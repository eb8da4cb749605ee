//! Signing in as a stock client does, and what tokens are worth afterwards.

use std::time::Duration;

use haechi_testkit::TestStore;
use serde_json::json;

use super::{assert_matrix_error, client, get, post, segment, start};

async fn a_password_signs_in_by_user_id_or_number(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    app.put("/api/identity/me/password")
        .bearer(&minji.access_token)
        .json(json!({ "password": "correct horse" }))
        .send()
        .await
        .expect(204);
    let flows = app.get(&client("login")).send().await.expect(200).json();
    assert_eq!(flows["flows"][0]["type"], "m.login.password");
    let localpart = minji.user_id[1..33].to_owned();
    for user in [minji.user_id.as_str(), &localpart, &minji.phone] {
        let login = json!({
            "type": "m.login.password",
            "identifier": { "type": "m.id.user", "user": user },
            "password": "correct horse",
            "device_id": "PHONE",
            "initial_device_display_name": "Phone",
        });
        let told = app
            .post(&client("login"))
            .json(login)
            .send()
            .await
            .expect(200)
            .json();
        assert_eq!(told["user_id"], minji.user_id.as_str());
        assert_eq!(told["device_id"], "PHONE");
        assert!(told["refresh_token"].is_null());
    }
    let wrong = json!({
        "type": "m.login.password",
        "identifier": { "type": "m.id.user", "user": minji.user_id },
        "password": "wrong horse",
    });
    assert_matrix_error(
        &app.post(&client("login")).json(wrong).send().await,
        403,
        "M_FORBIDDEN",
    );
    let other = json!({ "type": "m.login.sso", "token": "x" });
    assert_matrix_error(
        &app.post(&client("login")).json(other).send().await,
        400,
        "M_UNKNOWN",
    );
}

async fn a_token_signs_in_another_device_and_ends(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let issued = app
        .post("/_matrix/client/v1/login/get_token")
        .bearer(&minji.access_token)
        .json(json!({}))
        .send()
        .await
        .expect(200)
        .json();
    let login = json!({ "type": "m.login.token", "token": issued["login_token"], "refresh_token": true });
    let told = app
        .post(&client("login"))
        .json(&login)
        .send()
        .await
        .expect(200)
        .json();
    assert!(told["expires_in_ms"].as_u64().unwrap() > 0);
    assert_matrix_error(
        &app.post(&client("login")).json(&login).send().await,
        403,
        "M_FORBIDDEN",
    );

    let refresh = json!({ "refresh_token": told["refresh_token"] });
    let fresh = app
        .post(&client("refresh"))
        .json(&refresh)
        .send()
        .await
        .expect(200)
        .json();
    let token = fresh["access_token"].as_str().unwrap();
    let who = app
        .get(&client("account/whoami"))
        .bearer(token)
        .send()
        .await
        .expect(200)
        .json();
    assert_eq!(who["user_id"], minji.user_id.as_str());
    let devices = get(&app, &minji, "devices").await.expect(200).json();
    assert_eq!(devices["devices"].as_array().unwrap().len(), 2);
    let one = get(&app, &minji, &format!("devices/{}", segment(&minji.device_id)))
        .await
        .expect(200)
        .json();
    assert_eq!(one["device_id"], minji.device_id.as_str());
    assert_matrix_error(&get(&app, &minji, "devices/none").await, 404, "M_NOT_FOUND");

    app.post(&client("logout"))
        .bearer(token)
        .json(json!({}))
        .send()
        .await
        .expect(200);
    let ended = app.get(&client("account/whoami")).bearer(token).send().await;
    assert_matrix_error(&ended, 401, "M_UNKNOWN_TOKEN");
    assert_eq!(ended.json()["soft_logout"], false);
    post(&app, &minji, "logout/all", json!({})).await.expect(200);
    assert_matrix_error(&get(&app, &minji, "account/whoami").await, 401, "M_UNKNOWN_TOKEN");
}

async fn whose_token_is_over_goes_on_with_the_same_device(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    app.advance(Duration::from_secs(2 * 60 * 60));
    let over = get(&app, &minji, "account/whoami").await;
    assert_matrix_error(&over, 401, "M_UNKNOWN_TOKEN");
    assert_eq!(over.json()["soft_logout"], true);
}

async fn the_server_tells_what_it_is(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let versions = app.get("/_matrix/client/versions").send().await.expect(200);
    assert!(versions.text().contains("v1.11"));
    assert_eq!(versions.headers["access-control-allow-origin"], "*");
    let home = app
        .get("/.well-known/matrix/client")
        .send()
        .await
        .expect(200)
        .json();
    assert!(home["m.homeserver"]["base_url"].is_string());
    let capabilities = get(&app, &minji, "capabilities").await.expect(200).json();
    assert_eq!(capabilities["capabilities"]["m.room_versions"]["default"], "11");
    let rules = get(&app, &minji, "pushrules/").await.expect(200).json();
    assert!(rules["global"]["underride"].is_array());
    let preflight = app
        .request(&http::Method::OPTIONS, &client("sync"))
        .send()
        .await
        .expect(200);
    assert!(
        preflight.headers["access-control-allow-headers"]
            .to_str()
            .unwrap()
            .contains("Authorization")
    );
}

haechi_testkit::on_both_engines!(
    a_password_signs_in_by_user_id_or_number,
    a_token_signs_in_another_device_and_ends,
    whose_token_is_over_goes_on_with_the_same_device,
    the_server_tells_what_it_is,
);
