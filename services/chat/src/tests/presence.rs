//! Who is here, and who is told.

use std::time::{Duration, Instant};

use haechi_testkit::{SignedUp, TestApp, TestStore};
use serde_json::{Value, json};

use super::{assert_matrix_error, client, get, make_room_of, put, segment, start, start_with, sync};
use crate::ChatSettings;

fn next(sync: &Value) -> String {
    sync["next_batch"].as_str().unwrap().to_owned()
}

fn path_of(who: &SignedUp) -> String {
    format!("presence/{}/status", segment(&who.user_id))
}

/// Syncs until somebody's presence is told; returns it, and the token after it.
async fn hear(app: &TestApp, who: &SignedUp, since: &str, of: &SignedUp) -> (Value, String) {
    let (mut since, started) = (since.to_owned(), Instant::now());
    loop {
        let path = format!("sync?since={since}&timeout=5000&set_presence=offline");
        let told = get(app, who, &path).await.expect(200).json();
        since = next(&told);
        let events = told["presence"]["events"].as_array().unwrap();
        if let Some(event) = events.iter().find(|event| event["sender"] == of.user_id.as_str()) {
            return (event["content"].clone(), since);
        }
        assert!(started.elapsed() < Duration::from_secs(20), "nothing was told");
    }
}

async fn who_shares_a_room_is_told_who_is_here(store: TestStore) {
    let (app, chat) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let sora = app.sign_up("Sora").await;
    make_room_of(&app, &minji, &[&joon]).await;
    let quiet = "sync?set_presence=offline";
    let since = next(&get(&app, &joon, quiet).await.json());
    let apart = next(&get(&app, &sora, quiet).await.json());
    assert_eq!(
        get(&app, &joon, &path_of(&minji)).await.expect(200).json()["presence"],
        "offline"
    );

    sync(&app, &minji, "").await;
    let (told, since) = hear(&app, &joon, &since, &minji).await;
    assert_eq!(
        (&told["presence"], &told["currently_active"]),
        (&json!("online"), &json!(true))
    );
    let status = json!({ "presence": "unavailable", "status_msg": "점심" });
    put(&app, &minji, &path_of(&minji), status).await.expect(200);
    let (told, since) = hear(&app, &joon, &since, &minji).await;
    assert_eq!(
        (&told["presence"], &told["status_msg"]),
        (&json!("unavailable"), &json!("점심"))
    );
    // Who comes later is told who is here.
    let first = get(&app, &joon, quiet).await.json();
    assert_eq!(
        first["presence"]["events"][0]["content"]["presence"],
        "unavailable"
    );
    let filter = segment(r#"{"presence":{"not_types":["m.presence"]}}"#);
    let without = get(&app, &joon, &format!("{quiet}&filter={filter}")).await.json();
    assert_eq!(without["presence"]["events"], json!([]));

    app.advance(Duration::from_secs(100));
    chat.sweep_presence();
    let (told, _) = hear(&app, &joon, &since, &minji).await;
    assert_eq!(told["presence"], "offline");
    assert!(told["last_active_ago"].as_u64().unwrap() >= 100_000);
    let strangers = sync(&app, &sora, &apart).await;
    assert_eq!(
        strangers["presence"]["events"],
        json!([]),
        "strangers are told nothing"
    );
}

async fn presence_is_for_who_shares_a_room_and_set_by_oneself(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    assert_matrix_error(&get(&app, &joon, &path_of(&minji)).await, 403, "M_FORBIDDEN");
    let online = json!({ "presence": "online" });
    assert_matrix_error(
        &put(&app, &joon, &path_of(&minji), online.clone()).await,
        403,
        "M_FORBIDDEN",
    );
    for (bad, status, code) in [
        (json!({}), 400, "M_BAD_JSON"),
        (json!({ "presence": "asleep" }), 400, "M_INVALID_PARAM"),
        (
            json!({ "presence": "online", "status_msg": "x".repeat(2_000) }),
            413,
            "M_TOO_LARGE",
        ),
    ] {
        assert_matrix_error(&put(&app, &minji, &path_of(&minji), bad).await, status, code);
    }
    let odd = get(&app, &minji, "sync?set_presence=asleep").await;
    assert_matrix_error(&odd, 400, "M_INVALID_PARAM");
    let nobody = app.get(&client(&path_of(&minji))).send().await;
    assert_matrix_error(&nobody, 401, "M_MISSING_TOKEN");
    let nobody = app
        .put(&client(&path_of(&minji)))
        .json(online.clone())
        .send()
        .await;
    assert_matrix_error(&nobody, 401, "M_MISSING_TOKEN");
    put(&app, &minji, &path_of(&minji), online.clone())
        .await
        .expect(200);
    assert_eq!(
        get(&app, &minji, &path_of(&minji)).await.json()["presence"],
        "online"
    );
}

async fn turned_off_nobody_is_here(store: TestStore) {
    let settings = ChatSettings {
        is_presence_off: true,
        ..ChatSettings::default()
    };
    let (app, _) = start_with(store, settings).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let path = path_of(&joon);
    make_room_of(&app, &minji, &[&joon]).await;
    let online = json!({ "presence": "online" });
    put(&app, &joon, &path, online).await.expect(200);
    assert_eq!(get(&app, &minji, &path).await.json()["presence"], "offline");
    let first = sync(&app, &minji, "").await;
    assert_eq!(first["presence"]["events"], json!([]));
}

haechi_testkit::on_both_engines!(
    who_shares_a_room_is_told_who_is_here,
    presence_is_for_who_shares_a_room_and_set_by_oneself,
    turned_off_nobody_is_here,
);
