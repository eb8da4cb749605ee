//! Backups of message keys: the newest is written to, and of two copies the better one stays.

use haechi_testkit::{SignedUp, TestApp, TestResponse, TestStore};
use serde_json::{Value, json};

use super::{assert_matrix_error, client, get, post, put, start};

async fn delete(app: &TestApp, who: &SignedUp, path: &str) -> TestResponse {
    app.delete(&client(path)).bearer(&who.access_token).send().await
}

async fn create(app: &TestApp, who: &SignedUp) -> String {
    let body = json!({ "algorithm": "m.megolm_backup.v1", "auth_data": { "public_key": "abc" } });
    let made = post(app, who, "room_keys/version", body).await.expect(200).json();
    made["version"].as_str().unwrap().to_owned()
}

fn key(is_verified: bool, first: u32, forwarded: u32, text: &str) -> Value {
    json!({
        "first_message_index": first,
        "forwarded_count": forwarded,
        "is_verified": is_verified,
        "session_data": { "ciphertext": text },
    })
}

async fn a_backup_is_made_changed_and_deleted(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    assert_matrix_error(&get(&app, &minji, "room_keys/version").await, 404, "M_NOT_FOUND");
    let first = create(&app, &minji).await;
    assert_eq!(first, "1");
    let shown = get(&app, &minji, "room_keys/version").await.expect(200).json();
    let expected = json!({
        "algorithm": "m.megolm_backup.v1", "auth_data": { "public_key": "abc" },
        "count": 0, "etag": "0", "version": "1",
    });
    assert_eq!(shown, expected);
    let second = create(&app, &minji).await;
    let body = json!({ "algorithm": "m.megolm_backup.v1", "auth_data": { "x": 1 }, "version": second });
    let path = format!("room_keys/version/{second}");
    put(&app, &minji, &path, body.clone()).await.expect(200);
    let shown = get(&app, &minji, "room_keys/version").await.expect(200).json();
    assert_eq!(
        (&shown["auth_data"], &shown["version"]),
        (&json!({ "x": 1 }), &json!("2"))
    );
    let mismatched = put(&app, &minji, "room_keys/version/1", body.clone()).await;
    assert_matrix_error(&mismatched, 400, "M_INVALID_PARAM");
    let other = json!({ "algorithm": "other", "auth_data": {} });
    assert_matrix_error(&put(&app, &minji, &path, other).await, 400, "M_INVALID_PARAM");
    for bad in [json!({}), json!({ "algorithm": "a", "auth_data": 5 })] {
        assert_matrix_error(
            &post(&app, &minji, "room_keys/version", bad).await,
            400,
            "M_BAD_JSON",
        );
    }
    for version in ["3", "0", "-1", "x", "01"] {
        let path = format!("room_keys/version/{version}");
        assert_matrix_error(&get(&app, &minji, &path).await, 404, "M_NOT_FOUND");
        assert_matrix_error(&delete(&app, &minji, &path).await, 404, "M_NOT_FOUND");
    }
    assert_matrix_error(&get(&app, &joon, &path).await, 404, "M_NOT_FOUND");
    assert_matrix_error(&put(&app, &joon, &path, body).await, 404, "M_NOT_FOUND");
    delete(&app, &minji, &path).await.expect(200);
    delete(&app, &minji, &path).await.expect(200);
    assert_matrix_error(&get(&app, &minji, &path).await, 404, "M_NOT_FOUND");
    let shown = get(&app, &minji, "room_keys/version").await.expect(200).json();
    assert_eq!(shown["version"], "1");
    // A number is never given out twice.
    assert_eq!(create(&app, &minji).await, "3");
}

async fn keys_are_kept_in_all_three_shapes(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let version = create(&app, &minji).await;
    let at = |rest: &str| format!("room_keys/keys{rest}?version={version}");
    let one = |text: &str| key(true, 0, 0, text);
    let all = json!({ "rooms": { "!a:x": { "sessions": { "s1": one("1"), "s2": one("2") } } } });
    let put_all = put(&app, &minji, &at(""), all).await.expect(200).json();
    assert_eq!(put_all, json!({ "count": 2, "etag": "1" }));
    let of_room = json!({ "sessions": { "s3": one("3") } });
    let answer = put(&app, &minji, &at("/%21b%3Ax"), of_room)
        .await
        .expect(200)
        .json();
    assert_eq!(answer, json!({ "count": 3, "etag": "2" }));
    let answer = put(&app, &minji, &at("/%21b%3Ax/s4"), one("4"))
        .await
        .expect(200)
        .json();
    assert_eq!(answer, json!({ "count": 4, "etag": "3" }));

    let found = get(&app, &minji, &at("")).await.expect(200).json();
    let expected = json!({ "rooms": {
        "!a:x": { "sessions": { "s1": one("1"), "s2": one("2") } },
        "!b:x": { "sessions": { "s3": one("3"), "s4": one("4") } },
    } });
    assert_eq!(found, expected);
    let found = get(&app, &minji, &at("/%21b%3Ax")).await.expect(200).json();
    assert_eq!(found, expected["rooms"]["!b:x"]);
    assert_eq!(
        get(&app, &minji, &at("/%21a%3Ax/s2")).await.expect(200).json(),
        one("2")
    );
    let none = get(&app, &minji, &at("/%21none%3Ax")).await.expect(200).json();
    assert_eq!(none, json!({ "sessions": {} }));
    assert_matrix_error(&get(&app, &minji, &at("/%21a%3Ax/s9")).await, 404, "M_NOT_FOUND");
    assert_matrix_error(&get(&app, &joon, &at("")).await, 404, "M_NOT_FOUND");
    assert_matrix_error(&delete(&app, &joon, &at("")).await, 404, "M_NOT_FOUND");

    let answer = delete(&app, &minji, &at("/%21a%3Ax/s1")).await.expect(200).json();
    assert_eq!(answer, json!({ "count": 3, "etag": "4" }));
    let answer = delete(&app, &minji, &at("/%21a%3Ax/s1")).await.expect(200).json();
    assert_eq!(answer, json!({ "count": 3, "etag": "4" }), "nothing changed");
    let answer = delete(&app, &minji, &at("/%21b%3Ax")).await.expect(200).json();
    assert_eq!(answer, json!({ "count": 1, "etag": "5" }));
    let answer = delete(&app, &minji, &at("")).await.expect(200).json();
    assert_eq!(answer, json!({ "count": 0, "etag": "6" }));
    assert_eq!(
        get(&app, &minji, &at("")).await.expect(200).json(),
        json!({ "rooms": {} })
    );
}

async fn the_better_copy_of_a_key_stays(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let version = create(&app, &minji).await;
    let path = format!("room_keys/keys/%21a%3Ax/s?version={version}");
    let steps = [
        (key(false, 5, 5, "a"), true),
        (key(false, 5, 5, "b"), false),
        (key(false, 6, 0, "c"), false),
        (key(false, 5, 4, "d"), true),
        (key(false, 4, 9, "e"), true),
        (key(true, 9, 9, "f"), true),
        (key(false, 0, 0, "g"), false),
        (key(true, 9, 8, "h"), true),
    ];
    let mut best = Value::Null;
    let mut etag = 0;
    for (copy, is_better) in steps {
        let answer = put(&app, &minji, &path, copy.clone()).await.expect(200).json();
        if is_better {
            (best, etag) = (copy, etag + 1);
        }
        assert_eq!(answer, json!({ "count": 1, "etag": etag.to_string() }));
        assert_eq!(get(&app, &minji, &path).await.expect(200).json(), best);
    }
}

async fn keys_for_another_backup_than_the_newest_are_refused(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let good = key(true, 0, 0, "x");
    let path = |version: &str| format!("room_keys/keys/%21a%3Ax/s?version={version}");
    assert_matrix_error(
        &put(&app, &minji, &path("1"), good.clone()).await,
        404,
        "M_NOT_FOUND",
    );
    let first = create(&app, &minji).await;
    let second = create(&app, &minji).await;
    for version in [first.as_str(), "7", "x"] {
        let refused = put(&app, &minji, &path(version), good.clone()).await;
        assert_matrix_error(&refused, 403, "M_WRONG_ROOM_KEYS_VERSION");
        assert_eq!(refused.json()["current_version"], second.as_str());
    }
    let without = put(&app, &minji, "room_keys/keys/%21a%3Ax/s", good.clone()).await;
    assert_matrix_error(&without, 400, "M_INVALID_PARAM");
    for bad in [
        json!({}),
        json!({ "first_message_index": -1, "forwarded_count": 0, "is_verified": true, "session_data": {} }),
        json!({ "first_message_index": 0, "forwarded_count": 0, "is_verified": true, "session_data": 1 }),
        json!([]),
    ] {
        assert_matrix_error(&put(&app, &minji, &path(&second), bad).await, 400, "M_BAD_JSON");
    }
    let large = key(true, 0, 0, &"x".repeat(20_000));
    assert_matrix_error(
        &put(&app, &minji, &path(&second), large).await,
        413,
        "M_TOO_LARGE",
    );
    let shown = get(&app, &minji, "room_keys/version").await.expect(200).json();
    assert_eq!((&shown["count"], &shown["etag"]), (&json!(0), &json!("0")));
}

haechi_testkit::on_both_engines!(
    a_backup_is_made_changed_and_deleted,
    keys_are_kept_in_all_three_shapes,
    the_better_copy_of_a_key_stays,
    keys_for_another_backup_than_the_newest_are_refused,
);
