//! What people keep and say of themselves: tags, account data that is deleted, fields of profiles; jumping to a date,
//! and parts of events.

use std::time::Duration;

use haechi_testkit::TestStore;
use serde_json::{Value, json};

use super::relations::get_v1;
use super::{assert_matrix_error, client, get, joined, make_room_of, put, say, segment, start, sync};

async fn tags_are_put_on_rooms_and_taken_off(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[]).await;
    let tags = format!("user/{}/rooms/{room}/tags", segment(&minji.user_id));
    assert_eq!(
        get(&app, &minji, &tags).await.expect(200).json(),
        json!({ "tags": {} })
    );
    let since = sync(&app, &minji, "").await["next_batch"]
        .as_str()
        .unwrap()
        .to_owned();
    put(
        &app,
        &minji,
        &format!("{tags}/m.favourite"),
        json!({ "order": 0.25 }),
    )
    .await
    .expect(200);
    put(&app, &minji, &format!("{tags}/u.work"), json!({}))
        .await
        .expect(200);
    let expected = json!({ "tags": { "m.favourite": { "order": 0.25 }, "u.work": {} } });
    assert_eq!(get(&app, &minji, &tags).await.json(), expected);
    let told = sync(&app, &minji, &since).await;
    let event = &joined(&told, &room)["account_data"]["events"][0];
    assert_eq!((&event["type"], &event["content"]), (&json!("m.tag"), &expected));
    let remove = || app.delete(&client(&format!("{tags}/m.favourite")));
    remove().bearer(&minji.access_token).send().await.expect(200);
    remove().bearer(&minji.access_token).send().await.expect(200);
    assert_eq!(
        get(&app, &minji, &tags).await.json(),
        json!({ "tags": { "u.work": {} } })
    );

    for (bad, code) in [
        (json!({ "order": 2 }), "M_INVALID_PARAM"),
        (json!({ "order": "first" }), "M_INVALID_PARAM"),
        (json!([]), "M_BAD_JSON"),
    ] {
        assert_matrix_error(&put(&app, &minji, &format!("{tags}/x"), bad).await, 400, code);
    }
    let long = format!("{tags}/{}", "x".repeat(300));
    assert_matrix_error(&put(&app, &minji, &long, json!({})).await, 400, "M_INVALID_PARAM");
    assert_matrix_error(&get(&app, &joon, &tags).await, 403, "M_FORBIDDEN");
    assert_matrix_error(
        &put(&app, &joon, &format!("{tags}/x"), json!({})).await,
        403,
        "M_FORBIDDEN",
    );
    assert_matrix_error(
        &remove().bearer(&joon.access_token).send().await,
        403,
        "M_FORBIDDEN",
    );
    assert_matrix_error(&remove().send().await, 401, "M_MISSING_TOKEN");
    assert_matrix_error(&app.get(&client(&tags)).send().await, 401, "M_MISSING_TOKEN");
}

async fn deleted_account_data_is_told_as_empty_and_then_gone(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let user = segment(&minji.user_id);
    let path = format!("user/{user}/account_data/a.b");
    put(&app, &minji, &path, json!({ "x": 1 })).await.expect(200);
    let since = sync(&app, &minji, "").await["next_batch"]
        .as_str()
        .unwrap()
        .to_owned();
    let unstable = format!("/_matrix/client/unstable/org.matrix.msc3391/{path}");
    assert_matrix_error(&app.delete(&unstable).send().await, 401, "M_MISSING_TOKEN");
    let refused = app.delete(&unstable).bearer(&joon.access_token).send().await;
    assert_matrix_error(&refused, 403, "M_FORBIDDEN");
    app.delete(&unstable)
        .bearer(&minji.access_token)
        .send()
        .await
        .expect(200);
    assert_matrix_error(&get(&app, &minji, &path).await, 404, "M_NOT_FOUND");
    let told = sync(&app, &minji, &since).await;
    assert_eq!(
        told["account_data"]["events"],
        json!([{ "type": "a.b", "content": {} }])
    );
    let first = get(&app, &minji, "sync").await.expect(200);
    assert!(!first.text().contains("a.b"));
}

async fn a_profile_has_fields_of_ones_own(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let profile = format!("profile/{}", segment(&minji.user_id));
    let zone = format!("{profile}/m.tz");
    put(&app, &minji, &zone, json!({ "m.tz": "Asia/Seoul" }))
        .await
        .expect(200);
    let pronouns = json!({ "kr.haechi.pronouns": [{ "language": "ko", "summary": "그" }] });
    put(
        &app,
        &minji,
        &format!("{profile}/kr.haechi.pronouns"),
        pronouns.clone(),
    )
    .await
    .expect(200);
    assert_eq!(
        get(&app, &joon, &zone).await.expect(200).json(),
        json!({ "m.tz": "Asia/Seoul" })
    );
    let whole = get(&app, &joon, &profile).await.expect(200).json();
    assert_eq!(
        (&whole["displayname"], &whole["m.tz"]),
        (&json!("Minji"), &json!("Asia/Seoul"))
    );
    assert_eq!(whole["kr.haechi.pronouns"], pronouns["kr.haechi.pronouns"]);

    let large: Value = json!({ "kr.haechi.a": "x".repeat(60_000) });
    put(&app, &minji, &format!("{profile}/kr.haechi.a"), large)
        .await
        .expect(200);
    let larger: Value = json!({ "kr.haechi.b": "x".repeat(6_000) });
    let refused = put(&app, &minji, &format!("{profile}/kr.haechi.b"), larger).await;
    assert_matrix_error(&refused, 400, "M_PROFILE_TOO_LARGE");
    let long = "x".repeat(256);
    let refused = put(
        &app,
        &minji,
        &format!("{profile}/{long}"),
        json!({ long.clone(): 1 }),
    )
    .await;
    assert_matrix_error(&refused, 400, "M_KEY_TOO_LARGE");
    for (name, body, code) in [
        ("m.tz", json!({ "m.tz": 9 }), "M_INVALID_PARAM"),
        ("m.tz", json!({ "m.tz": "Asia/Seoul; DROP" }), "M_INVALID_PARAM"),
        ("a.b", json!({ "other": 9 }), "M_MISSING_PARAM"),
        ("a.b", json!({ "a.b": 0.5 }), "M_BAD_JSON"),
        ("A%20b", json!({ "A b": 1 }), "M_INVALID_PARAM"),
    ] {
        let refused = put(&app, &minji, &format!("{profile}/{name}"), body).await;
        assert_matrix_error(&refused, 400, code);
    }
    assert_matrix_error(
        &put(&app, &joon, &zone, json!({ "m.tz": "UTC" })).await,
        403,
        "M_FORBIDDEN",
    );
    let remove = || app.delete(&client(&zone));
    assert_matrix_error(&remove().send().await, 401, "M_MISSING_TOKEN");
    assert_matrix_error(
        &remove().bearer(&joon.access_token).send().await,
        403,
        "M_FORBIDDEN",
    );
    remove().bearer(&minji.access_token).send().await.expect(200);
    assert_matrix_error(&get(&app, &joon, &zone).await, 404, "M_NOT_FOUND");
}

async fn the_event_nearest_to_a_moment_is_found(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let room = make_room_of(&app, &minji, &[]).await;
    let mut said = Vec::new();
    for number in 0..30 {
        app.advance(Duration::from_secs(10));
        let at = app.context.now().millis();
        said.push((at, say(&app, &minji, &room, &number.to_string(), "x").await));
    }
    let path = |at: i64, direction: &str| format!("rooms/{room}/timestamp_to_event?ts={at}&dir={direction}");
    for (at, event_id) in &said {
        for (moment, direction) in [(*at, "f"), (*at, "b"), (at - 3_000, "f"), (at + 3_000, "b")] {
            let found = get_v1(&app, &minji, &path(moment, direction))
                .await
                .expect(200)
                .json();
            assert_eq!(
                found,
                json!({ "event_id": event_id, "origin_server_ts": at }),
                "{moment} {direction}"
            );
        }
    }
    let later = said.last().unwrap().0 + 1;
    assert_matrix_error(&get_v1(&app, &minji, &path(later, "f")).await, 404, "M_NOT_FOUND");
    assert_matrix_error(&get_v1(&app, &minji, &path(1, "b")).await, 404, "M_NOT_FOUND");
    assert_matrix_error(&get_v1(&app, &minji, &path(1, "x")).await, 400, "M_INVALID_PARAM");
    let stranger = app.sign_up("Joon").await;
    assert_matrix_error(&get_v1(&app, &stranger, &path(1, "f")).await, 403, "M_FORBIDDEN");
    let nobody = app
        .get(&format!("/_matrix/client/v1/{}", path(1, "f")))
        .send()
        .await;
    assert_matrix_error(&nobody, 401, "M_MISSING_TOKEN");
}

async fn a_sync_tells_only_the_wanted_parts_of_events(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let room = make_room_of(&app, &minji, &[]).await;
    let event_id = say(&app, &minji, &room, "1", "hello").await;
    let filter = segment(r#"{"event_fields":["event_id","content.body"]}"#);
    let told = get(&app, &minji, &format!("sync?filter={filter}"))
        .await
        .expect(200)
        .json();
    let timeline = joined(&told, &room)["timeline"]["events"].as_array().unwrap();
    assert_eq!(
        timeline.last().unwrap(),
        &json!({ "event_id": event_id, "content": { "body": "hello" } })
    );
}

haechi_testkit::on_both_engines!(
    tags_are_put_on_rooms_and_taken_off,
    deleted_account_data_is_told_as_empty_and_then_gone,
    a_profile_has_fields_of_ones_own,
    the_event_nearest_to_a_moment_is_found,
    a_sync_tells_only_the_wanted_parts_of_events,
);
