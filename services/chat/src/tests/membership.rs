//! Coming, going, asking in and putting out, through the routes.

use haechi_testkit::TestStore;
use serde_json::json;

use super::{assert_matrix_error, get, make_room, make_room_of, post, put, say, start, sync};

async fn a_private_room_is_for_the_invited(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room(&app, &minji, json!({ "name": "Us", "topic": "All of it" })).await;
    let path = |verb: &str| format!("rooms/{room}/{verb}");
    assert_matrix_error(
        &post(&app, &joon, &path("join"), json!({})).await,
        403,
        "M_FORBIDDEN",
    );
    for verb in [
        "messages?dir=b",
        "members",
        "joined_members",
        "state",
        "state/m.room.name",
    ] {
        assert_matrix_error(&get(&app, &joon, &path(verb)).await, 403, "M_FORBIDDEN");
    }
    let text = json!({ "msgtype": "m.text", "body": "let me in" });
    assert_matrix_error(
        &put(&app, &joon, &path("send/m.room.message/1"), text).await,
        403,
        "M_FORBIDDEN",
    );
    post(&app, &minji, &path("invite"), json!({ "user_id": joon.user_id }))
        .await
        .expect(200);
    post(&app, &minji, &path("invite"), json!({ "user_id": joon.user_id }))
        .await
        .expect(200);
    post(&app, &joon, &path("join"), json!({})).await.expect(200);
    post(&app, &joon, &path("join"), json!({})).await.expect(200);
    assert_matrix_error(
        &post(&app, &minji, &path("invite"), json!({ "user_id": joon.user_id })).await,
        403,
        "M_FORBIDDEN",
    );
    let members = get(&app, &joon, &path("joined_members")).await.expect(200).json();
    assert_eq!(members["joined"][&minji.user_id]["display_name"], "Minji");
    assert_eq!(members["joined"].as_object().unwrap().len(), 2);
    let rooms = get(&app, &joon, "joined_rooms").await.expect(200).json();
    assert_eq!(rooms["joined_rooms"].as_array().unwrap().len(), 1);
    let invited = get(&app, &joon, &path("members?membership=invite"))
        .await
        .expect(200)
        .json();
    assert_eq!(invited["chunk"], json!([]));
}

async fn kicks_bans_and_their_end(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon, sora) = (
        app.sign_up("Minji").await,
        app.sign_up("Joon").await,
        app.sign_up("Sora").await,
    );
    let room = make_room_of(&app, &minji, &[&joon, &sora]).await;
    let path = |verb: &str| format!("rooms/{room}/{verb}");
    let about = |who: &haechi_testkit::SignedUp| json!({ "user_id": who.user_id, "reason": "because" });
    assert_matrix_error(
        &post(&app, &joon, &path("kick"), about(&sora)).await,
        403,
        "M_FORBIDDEN",
    );
    assert_matrix_error(
        &post(&app, &joon, &path("ban"), about(&minji)).await,
        403,
        "M_FORBIDDEN",
    );
    assert_matrix_error(
        &post(&app, &minji, &path("unban"), about(&joon)).await,
        403,
        "M_FORBIDDEN",
    );
    post(&app, &minji, &path("ban"), about(&joon)).await.expect(200);
    assert_matrix_error(
        &post(&app, &joon, &path("join"), json!({})).await,
        403,
        "M_FORBIDDEN",
    );
    assert_matrix_error(
        &post(&app, &minji, &path("kick"), about(&joon)).await,
        403,
        "M_FORBIDDEN",
    );
    assert_matrix_error(
        &post(&app, &minji, &path("invite"), about(&joon)).await,
        403,
        "M_FORBIDDEN",
    );
    post(&app, &minji, &path("unban"), about(&joon)).await.expect(200);
    post(&app, &minji, &path("invite"), about(&joon))
        .await
        .expect(200);
    post(&app, &joon, &path("join"), json!({})).await.expect(200);
    post(&app, &minji, &path("kick"), about(&joon)).await.expect(200);
    assert_matrix_error(
        &post(&app, &minji, &path("kick"), about(&joon)).await,
        403,
        "M_FORBIDDEN",
    );
}

async fn who_leaves_may_forget(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    say(&app, &minji, &room, "1", "before").await;
    assert_matrix_error(
        &post(&app, &joon, &format!("rooms/{room}/forget"), json!({})).await,
        400,
        "M_UNKNOWN",
    );
    post(&app, &joon, &format!("rooms/{room}/leave"), json!({}))
        .await
        .expect(200);
    post(&app, &joon, &format!("rooms/{room}/leave"), json!({}))
        .await
        .expect(200);
    say(&app, &minji, &room, "2", "after").await;
    let page = get(&app, &joon, &format!("rooms/{room}/messages?dir=b&limit=50"))
        .await
        .expect(200)
        .json();
    assert_eq!(super::texts(&page["chunk"]), ["before"]);
    let filter = super::segment(r#"{"room":{"include_leave":true}}"#);
    let all = get(&app, &joon, &format!("sync?filter={filter}"))
        .await
        .expect(200)
        .json();
    assert_eq!(all["rooms"]["leave"].as_object().unwrap().len(), 1);
    post(&app, &joon, &format!("rooms/{room}/forget"), json!({}))
        .await
        .expect(200);
    let all = get(&app, &joon, &format!("sync?filter={filter}"))
        .await
        .expect(200)
        .json();
    assert_eq!(all["rooms"]["leave"], json!({}));
    assert_eq!(sync(&app, &joon, "").await["rooms"]["join"], json!({}));
    // What was forgotten is read no more, also when a ban follows; who comes in again reads what members may.
    let path = format!("rooms/{room}/messages?dir=b&limit=50");
    assert_matrix_error(&get(&app, &joon, &path).await, 403, "M_FORBIDDEN");
    for verb in ["ban", "unban", "invite"] {
        let named = json!({ "user_id": joon.user_id });
        post(&app, &minji, &format!("rooms/{room}/{verb}"), named)
            .await
            .expect(200);
        assert_matrix_error(&get(&app, &joon, &path).await, 403, "M_FORBIDDEN");
    }
    post(&app, &joon, &format!("rooms/{room}/join"), json!({}))
        .await
        .expect(200);
    let page = get(&app, &joon, &path).await.expect(200).json();
    assert_eq!(super::texts(&page["chunk"]), ["after", "before"]);
}

async fn who_left_and_is_banned_later_reads_nothing_of_in_between(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    let before = say(&app, &minji, &room, "1", "before").await;
    post(&app, &joon, &format!("rooms/{room}/leave"), json!({}))
        .await
        .expect(200);
    let since = sync(&app, &joon, "").await["next_batch"]
        .as_str()
        .unwrap()
        .to_owned();
    let after = say(&app, &minji, &room, "2", "after").await;
    let name = format!("rooms/{room}/state/m.room.name");
    put(&app, &minji, &name, json!({ "name": "Secret" }))
        .await
        .expect(200);
    let about = json!({ "user_id": joon.user_id, "reason": "spam" });
    for verb in ["ban", "unban"] {
        post(&app, &minji, &format!("rooms/{room}/{verb}"), about.clone())
            .await
            .expect(200);
        let page = format!("rooms/{room}/messages?dir=b&limit=50");
        let page = get(&app, &joon, &page).await.expect(200).json();
        assert_eq!(super::texts(&page["chunk"]), ["before"]);
        let event = format!("rooms/{room}/event/{}", super::segment(&after));
        assert_matrix_error(&get(&app, &joon, &event).await, 404, "M_NOT_FOUND");
        let around = format!("rooms/{room}/context/{}", super::segment(&before));
        let around = get(&app, &joon, &around).await.expect(200).json();
        assert_eq!(super::texts(&around["events_after"]), [""; 0]);
        assert!(!around["state"].to_string().contains("Secret"));
        let state = get(&app, &joon, &format!("rooms/{room}/state")).await.expect(200);
        assert!(!state.text().contains("Secret"));
        assert_matrix_error(&get(&app, &joon, &name).await, 404, "M_NOT_FOUND");
        let told = sync(&app, &joon, &since).await;
        let left = told["rooms"]["leave"]
            .as_object()
            .unwrap()
            .values()
            .next()
            .unwrap();
        let events = left["timeline"]["events"].as_array().unwrap();
        assert_eq!(
            events.len(),
            1,
            "{verb}: only what was done to oneself: {events:?}"
        );
        assert_eq!(events[0]["state_key"], joon.user_id);
    }
}

async fn nobody_is_invited_who_is_not_here(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let room = make_room(&app, &minji, json!({})).await;
    let server = minji.user_id.split_once(':').unwrap().1;
    let nobody = format!("@{}:{server}", "0".repeat(32));
    for user in [nobody.as_str(), "@x:localhost", "@x:elsewhere.example"] {
        let refused = post(
            &app,
            &minji,
            &format!("rooms/{room}/invite"),
            json!({ "user_id": user }),
        )
        .await;
        assert_matrix_error(&refused, 404, "M_NOT_FOUND");
        let state = format!("rooms/{room}/state/m.room.member/{}", super::segment(user));
        let refused_as_state = put(&app, &minji, &state, json!({ "membership": "invite" })).await;
        assert_matrix_error(&refused_as_state, 404, "M_NOT_FOUND");
        let refused = post(&app, &minji, "createRoom", json!({ "invite": [user] })).await;
        assert_matrix_error(&refused, 404, "M_NOT_FOUND");
    }
    let many: Vec<String> = (0..10_000)
        .map(|number| format!("@{number:032x}:{server}"))
        .collect();
    let refused = post(&app, &minji, "createRoom", json!({ "invite": many })).await;
    assert_matrix_error(&refused, 400, "M_INVALID_PARAM");
    assert_eq!(
        get(&app, &minji, "joined_rooms").await.json()["joined_rooms"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

haechi_testkit::on_both_engines!(
    a_private_room_is_for_the_invited,
    kicks_bans_and_their_end,
    who_leaves_may_forget,
    who_left_and_is_banned_later_reads_nothing_of_in_between,
    nobody_is_invited_who_is_not_here,
);
