//! Cross-signing: the first keys come unasked, others by password; signatures are told to whom they concern.

use haechi_testkit::{TestResponse, TestStore};
use serde_json::{Value, json};

use super::crypto::{CrossSigning, TestKey, auth, query, right_auth, set_password, upload_device};
use super::{assert_matrix_error, post, start};

/// Asserts that the answer asks for the password, and returns the session.
fn assert_asks(response: &TestResponse, has_failed: bool) -> String {
    assert_eq!(response.status.as_u16(), 401, "{}", response.text());
    let told = response.json();
    assert_eq!(told["flows"], json!([{ "stages": ["m.login.password"] }]));
    assert_eq!(told["params"], json!({}));
    assert_eq!(told["errcode"].is_string(), has_failed, "{told}");
    told["session"].as_str().unwrap().to_owned()
}

async fn first_keys_come_unasked_and_others_by_password(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    set_password(&app, &minji).await;
    let first = CrossSigning::new(&minji, 10);
    let path = "keys/device_signing/upload";
    post(&app, &minji, path, first.upload()).await.expect(200);
    // The same again is no change (MSC3967).
    post(&app, &minji, path, first.upload()).await.expect(200);
    let told = query(&app, &joon, &minji.user_id).await;
    assert_eq!(told["master_keys"][&minji.user_id], first.upload()["master_key"]);
    assert_eq!(
        told["self_signing_keys"][&minji.user_id],
        first.upload()["self_signing_key"]
    );
    assert_eq!(told["user_signing_keys"], json!({}), "her own business");
    let told = query(&app, &minji, &minji.user_id).await;
    assert_eq!(
        told["user_signing_keys"][&minji.user_id],
        first.upload()["user_signing_key"]
    );

    let second = CrossSigning::new(&minji, 20);
    let session = assert_asks(&post(&app, &minji, path, second.upload()).await, false);
    let with = |auth: Value| {
        let mut body = second.upload();
        body["auth"] = auth;
        body["auth"]["session"] = session.clone().into();
        body
    };
    for wrong in [
        auth(&minji, "wrong horse"),
        auth(&minji, "x"),
        auth(&joon, "correct horse"),
        json!({ "type": "m.login.dummy" }),
        json!({ "type": "m.login.password" }),
    ] {
        let refused = post(&app, &minji, path, with(wrong)).await;
        assert_eq!(assert_asks(&refused, true), session);
    }
    assert_asks(&post(&app, &minji, path, with(json!({}))).await, false);
    let told = query(&app, &joon, &minji.user_id).await;
    assert_eq!(told["master_keys"][&minji.user_id], first.upload()["master_key"]);
    post(&app, &minji, path, with(right_auth(&minji)))
        .await
        .expect(200);
    let told = query(&app, &joon, &minji.user_id).await;
    assert_eq!(told["master_keys"][&minji.user_id], second.upload()["master_key"]);
}

async fn malformed_cross_signing_keys_are_refused(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let path = "keys/device_signing/upload";
    let keys = CrossSigning::new(&minji, 10);
    let mut unsigned = keys.upload();
    unsigned["self_signing_key"]["signatures"] = json!({});
    assert_matrix_error(
        &post(&app, &minji, path, unsigned).await,
        400,
        "M_INVALID_SIGNATURE",
    );
    let mut forged = keys.upload();
    forged["user_signing_key"]["signatures"] = forged["self_signing_key"]["signatures"].clone();
    assert_matrix_error(
        &post(&app, &minji, path, forged).await,
        400,
        "M_INVALID_SIGNATURE",
    );
    let others = CrossSigning::new(&joon, 10).upload();
    assert_matrix_error(&post(&app, &minji, path, others).await, 400, "M_INVALID_PARAM");
    let mut wrong_usage = keys.upload();
    wrong_usage["master_key"]["usage"] = json!(["self_signing"]);
    assert_matrix_error(
        &post(&app, &minji, path, wrong_usage).await,
        400,
        "M_INVALID_PARAM",
    );
    let mut without_master = keys.upload();
    without_master.as_object_mut().unwrap().remove("master_key");
    assert_matrix_error(
        &post(&app, &minji, path, without_master).await,
        400,
        "M_INVALID_PARAM",
    );
    let mut wrong_name = keys.upload();
    wrong_name["master_key"]["keys"] = json!({ "ed25519:other": keys.master.public() });
    assert_matrix_error(
        &post(&app, &minji, path, wrong_name).await,
        400,
        "M_INVALID_PARAM",
    );
    let told = query(&app, &joon, &minji.user_id).await;
    assert_eq!(told["master_keys"], json!({}));
}

async fn signatures_are_merged_and_shown_to_whom_they_concern(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let device = upload_device(&app, &minji, 1).await;
    let (own, others) = (CrossSigning::new(&minji, 10), CrossSigning::new(&joon, 20));
    for (who, keys) in [(&minji, &own), (&joon, &others)] {
        post(&app, who, "keys/device_signing/upload", keys.upload())
            .await
            .expect(200);
    }
    let told = query(&app, &minji, &minji.user_id).await;
    let device_object = told["device_keys"][&minji.user_id][&minji.device_id].clone();
    let self_signing = format!("ed25519:{}", own.own.public());
    let user_signing = format!("ed25519:{}", own.others.public());
    let device_name = format!("ed25519:{}", minji.device_id);
    let signed_device = own.own.sign(device_object, &minji.user_id, &self_signing);
    let signed_master = device.sign(own.master_object(), &minji.user_id, &device_name);
    let signed_other = own
        .others
        .sign(others.master_object(), &minji.user_id, &user_signing);
    let body = json!({
        &minji.user_id: { &minji.device_id: signed_device, own.master.public(): signed_master },
        &joon.user_id: { others.master.public(): signed_other },
    });
    let told = post(&app, &minji, "keys/signatures/upload", body)
        .await
        .expect(200)
        .json();
    assert_eq!(told["failures"], json!({}));

    let signature = |object: &Value, key: &str| object["signatures"][&minji.user_id][key].is_string();
    for asker in [&minji, &joon] {
        let told = query(&app, asker, &minji.user_id).await;
        let device = &told["device_keys"][&minji.user_id][&minji.device_id];
        assert!(signature(device, &self_signing) && signature(device, &device_name));
        assert!(signature(&told["master_keys"][&minji.user_id], &device_name));
    }
    let told = query(&app, &minji, &joon.user_id).await;
    assert!(signature(&told["master_keys"][&joon.user_id], &user_signing));
    let told = query(&app, &joon, &joon.user_id).await;
    assert!(
        !signature(&told["master_keys"][&joon.user_id], &user_signing),
        "hers alone"
    );
}

async fn wrong_signatures_are_told_and_not_kept(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    upload_device(&app, &minji, 1).await;
    upload_device(&app, &joon, 2).await;
    let own = CrossSigning::new(&minji, 10);
    post(&app, &minji, "keys/device_signing/upload", own.upload())
        .await
        .expect(200);
    let others = CrossSigning::new(&joon, 20);
    post(&app, &joon, "keys/device_signing/upload", others.upload())
        .await
        .expect(200);
    let told = query(&app, &minji, &minji.user_id).await;
    let device = told["device_keys"][&minji.user_id][&minji.device_id].clone();
    let told = query(&app, &minji, &joon.user_id).await;
    let other_device = told["device_keys"][&joon.user_id][&joon.device_id].clone();
    let self_signing = format!("ed25519:{}", own.own.public());
    let stranger = TestKey::new(99);
    let mut changed = device.clone();
    changed["algorithms"] = json!([]);
    for (user_id, target, object, errcode) in [
        (
            &minji.user_id,
            minji.device_id.clone(),
            stranger.sign(device.clone(), &minji.user_id, &self_signing),
            "M_INVALID_SIGNATURE",
        ),
        (
            &minji.user_id,
            minji.device_id.clone(),
            own.own.sign(changed, &minji.user_id, &self_signing),
            "M_INVALID_SIGNATURE",
        ),
        (
            &minji.user_id,
            "NONE".to_owned(),
            own.own.sign(device.clone(), &minji.user_id, &self_signing),
            "M_NOT_FOUND",
        ),
        (
            &joon.user_id,
            joon.device_id.clone(),
            own.own.sign(other_device, &minji.user_id, &self_signing),
            "M_INVALID_SIGNATURE",
        ),
        (
            &joon.user_id,
            others.master.public(),
            own.own
                .sign(others.master_object(), &minji.user_id, &self_signing),
            "M_INVALID_SIGNATURE",
        ),
    ] {
        let body = json!({ user_id: { &target: object } });
        let told = post(&app, &minji, "keys/signatures/upload", body)
            .await
            .expect(200)
            .json();
        assert_eq!(told["failures"][user_id][&target]["errcode"], errcode, "{told}");
    }
    let told = query(&app, &minji, &minji.user_id).await;
    let found = &told["device_keys"][&minji.user_id][&minji.device_id]["signatures"];
    assert!(found[&minji.user_id][&self_signing].is_null());
}

haechi_testkit::on_both_engines!(
    first_keys_come_unasked_and_others_by_password,
    malformed_cross_signing_keys_are_refused,
    signatures_are_merged_and_shown_to_whom_they_concern,
    wrong_signatures_are_told_and_not_kept,
);
