//! Another password, the phone number, and the end of an account.

use haechi_testkit::{SignedUp, TestApp, TestResponse, TestStore};
use serde_json::{Value, json};

use super::{assert_matrix_error, client, get, make_room_of, post, put, say, segment, start, sync};

const PASSWORD: &str = "correct horse";

async fn set_password(app: &TestApp, who: &SignedUp) {
    let path = "/api/identity/me/password";
    let set = app
        .put(path)
        .bearer(&who.access_token)
        .json(json!({ "password": PASSWORD }));
    set.send().await.expect(204);
}

async fn log_in(app: &TestApp, who: &SignedUp, password: &str) -> TestResponse {
    let login = json!({
        "type": "m.login.password",
        "identifier": { "type": "m.id.user", "user": who.user_id },
        "password": password,
    });
    app.post(&client("login")).json(login).send().await
}

fn auth(who: &SignedUp, password: &str) -> Value {
    json!({ "type": "m.login.password", "user": who.user_id, "password": password })
}

async fn is_signed_in(app: &TestApp, token: &str) -> bool {
    let who = app.get(&client("account/whoami")).bearer(token).send().await;
    who.status == 200
}

async fn another_password_ends_other_sign_ins_unless_they_are_to_stay(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    set_password(&app, &minji).await;
    let token = |response: TestResponse| response.json()["access_token"].as_str().unwrap().to_owned();
    let other = token(log_in(&app, &minji, PASSWORD).await.expect(200));
    let asked = post(
        &app,
        &minji,
        "account/password",
        json!({ "new_password": "battery staple" }),
    )
    .await;
    assert_eq!(asked.status, 401);
    assert_eq!(asked.json()["flows"], json!([{ "stages": ["m.login.password"] }]));
    let wrong = json!({ "auth": auth(&minji, "wrong horse"), "new_password": "battery staple" });
    let refused = post(&app, &minji, "account/password", wrong).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["errcode"]),
        (401, &json!("M_FORBIDDEN"))
    );
    let weak = json!({ "auth": auth(&minji, PASSWORD), "new_password": "short" });
    assert_matrix_error(
        &post(&app, &minji, "account/password", weak).await,
        400,
        "M_WEAK_PASSWORD",
    );
    let none = json!({ "auth": auth(&minji, PASSWORD) });
    assert_matrix_error(
        &post(&app, &minji, "account/password", none).await,
        400,
        "M_MISSING_PARAM",
    );
    assert!(is_signed_in(&app, &other).await);

    let right = json!({ "auth": auth(&minji, PASSWORD), "new_password": "battery staple" });
    let done = post(&app, &minji, "account/password", right).await.expect(200);
    assert_eq!(done.json(), json!({}));
    assert_matrix_error(&log_in(&app, &minji, PASSWORD).await, 403, "M_FORBIDDEN");
    assert!(is_signed_in(&app, &minji.access_token).await && !is_signed_in(&app, &other).await);
    let other = token(log_in(&app, &minji, "battery staple").await.expect(200));
    let kept = json!({
        "auth": auth(&minji, "battery staple"),
        "new_password": "third password",
        "logout_devices": false,
    });
    post(&app, &minji, "account/password", kept).await.expect(200);
    assert!(is_signed_in(&app, &other).await);
    let capabilities = get(&app, &minji, "capabilities").await.expect(200).json();
    assert_eq!(capabilities["capabilities"]["m.change_password"]["enabled"], true);
}

async fn a_person_has_the_number_they_signed_up_with(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let told = get(&app, &minji, "account/3pid").await.expect(200).json();
    let address = &told["threepids"][0];
    assert_eq!(address["medium"], "msisdn");
    assert_eq!(address["address"], minji.phone.trim_start_matches('+'));
    assert!(address["added_at"].is_u64() && address["validated_at"].is_u64());
    assert_matrix_error(
        &app.get(&client("account/3pid")).send().await,
        401,
        "M_MISSING_TOKEN",
    );
    for verb in ["", "/add", "/bind", "/delete", "/unbind"] {
        let path = format!("account/3pid{verb}");
        assert_matrix_error(&post(&app, &minji, &path, json!({})).await, 403, "M_FORBIDDEN");
    }
    let asked = app
        .post(&client("account/3pid/email/requestToken"))
        .json(json!({}));
    assert_matrix_error(&asked.send().await, 403, "M_THREEPID_DENIED");
}

async fn an_ended_account_is_out_of_everything_and_nobody_signs_in_to_it(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    set_password(&app, &minji).await;
    let room = make_room_of(&app, &joon, &[&minji]).await;
    say(&app, &minji, &room, "1", "I was here").await;
    let invited = super::make_room(&app, &joon, json!({ "invite": [minji.user_id] })).await;
    let picture = format!("profile/{}/avatar_url", segment(&minji.user_id));
    let url = json!({ "avatar_url": "mxc://haechi.test/a" });
    put(&app, &minji, &picture, url).await.expect(200);
    let issued = app
        .post("/_matrix/client/v1/login/get_token")
        .bearer(&minji.access_token);
    let login_token = issued.json(json!({})).send().await.expect(200).json()["login_token"].clone();

    assert_eq!(
        post(&app, &minji, "account/deactivate", json!({})).await.status,
        401
    );
    let wrong = json!({ "auth": auth(&minji, "wrong horse") });
    let refused = post(&app, &minji, "account/deactivate", wrong).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["errcode"]),
        (401, &json!("M_FORBIDDEN"))
    );
    let right = json!({ "auth": auth(&minji, PASSWORD), "erase": true });
    let done = post(&app, &minji, "account/deactivate", right)
        .await
        .expect(200)
        .json();
    assert_eq!(done["id_server_unbind_result"], "success");

    assert_matrix_error(&get(&app, &minji, "account/whoami").await, 401, "M_UNKNOWN_TOKEN");
    assert_matrix_error(&log_in(&app, &minji, PASSWORD).await, 403, "M_FORBIDDEN");
    let login = json!({ "type": "m.login.token", "token": login_token });
    let login = app.post(&client("login")).json(login).send().await;
    assert_matrix_error(&login, 403, "M_FORBIDDEN");
    let members = get(&app, &joon, &format!("rooms/{room}/joined_members"))
        .await
        .expect(200)
        .json();
    let told = json!({ "display_name": "Joon", "avatar_url": null });
    assert_eq!(members["joined"], json!({ joon.user_id.clone(): told }));
    let path = format!("rooms/{invited}/state/m.room.member/{}", segment(&minji.user_id));
    assert_eq!(
        get(&app, &joon, &path).await.expect(200).json()["membership"],
        "leave"
    );
    // Nobody asks in who is not here any more.
    let profile = format!("profile/{}", segment(&minji.user_id));
    assert_matrix_error(&get(&app, &joon, &profile).await, 404, "M_NOT_FOUND");
    let named = json!({ "user_id": minji.user_id });
    let asked = post(&app, &joon, &format!("rooms/{room}/invite"), named).await;
    assert_matrix_error(&asked, 404, "M_NOT_FOUND");
    // What was said stays; the number is free for somebody new.
    let page = get(&app, &joon, &format!("rooms/{room}/messages?dir=b&limit=50"))
        .await
        .json();
    assert_eq!(super::texts(&page["chunk"]), ["I was here"]);
    let again = app.sign_in(&minji.phone, Some("Sora")).await;
    assert_ne!(again.user_id, minji.user_id);
    assert_eq!(sync(&app, &again, "").await["rooms"]["join"], json!({}));
}

haechi_testkit::on_both_engines!(
    another_password_ends_other_sign_ins_unless_they_are_to_stay,
    a_person_has_the_number_they_signed_up_with,
    an_ended_account_is_out_of_everything_and_nobody_signs_in_to_it,
);
