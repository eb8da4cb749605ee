//! Bad input: a Matrix error that says what is wrong, nothing stored, and the server lives.

use haechi_testkit::TestStore;
use serde_json::json;

use super::{assert_matrix_error, client, get, make_room_of, post, put, say, segment, start, texts};

async fn bad_messages_are_refused_and_not_kept(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let room = make_room_of(&app, &minji, &[]).await;
    let path = client(&format!("rooms/{room}/send/m.room.message/x"));
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(50_000), "]".repeat(50_000));
    let large = json!({ "body": "x".repeat(65_536) }).to_string();
    let cases: [(&[u8], u16, &str); 9] = [
        (b"not json", 400, "M_NOT_JSON"),
        (b"", 400, "M_NOT_JSON"),
        (b"{\"a\":", 400, "M_NOT_JSON"),
        (b"{\"a\":\"\xff\xfe\"}", 400, "M_NOT_JSON"),
        (b"[1]", 400, "M_BAD_JSON"),
        (b"{\"a\":1.5}", 400, "M_BAD_JSON"),
        (b"{\"a\":9007199254740993}", 400, "M_BAD_JSON"),
        (deep.as_bytes(), 413, "M_TOO_LARGE"),
        (large.as_bytes(), 413, "M_TOO_LARGE"),
    ];
    for (body, status, code) in cases {
        let body = body.to_vec();
        let refused = app
            .put(&path)
            .bearer(&minji.access_token)
            .bytes("application/json", body)
            .send()
            .await;
        assert_matrix_error(&refused, status, code);
    }
    let huge = vec![b'x'; 2 * 1024 * 1024];
    let refused = app
        .put(&path)
        .bearer(&minji.access_token)
        .bytes("application/json", huge)
        .send()
        .await;
    assert_matrix_error(&refused, 413, "M_TOO_LARGE");
    let long = format!("rooms/{room}/send/{}/1", "t".repeat(300));
    assert_matrix_error(&put(&app, &minji, &long, json!({})).await, 413, "M_TOO_LARGE");
    let nul = format!("rooms/{room}/send/a%00b/1");
    assert_matrix_error(&put(&app, &minji, &nul, json!({})).await, 400, "M_INVALID_PARAM");
    // A NUL inside a message is the message's own affair, and is kept as it was written.
    put(
        &app,
        &minji,
        &format!("rooms/{room}/send/m.room.message/n"),
        json!({ "body": "a\u{0}b" }),
    )
    .await
    .expect(200);
    let page = get(&app, &minji, &format!("rooms/{room}/messages?dir=b&limit=100"))
        .await
        .expect(200)
        .json();
    assert_eq!(texts(&page["chunk"]), ["a\u{0}b"]);
}

async fn what_does_not_exist_is_told_apart(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let room = make_room_of(&app, &minji, &[]).await;
    for path in ["keys/nothing", "nothing/here"] {
        assert_matrix_error(&post(&app, &minji, path, json!({})).await, 404, "M_UNRECOGNIZED");
    }
    let wrong = app
        .delete(&client("sync"))
        .bearer(&minji.access_token)
        .send()
        .await;
    assert_matrix_error(&wrong, 405, "M_UNRECOGNIZED");
    assert_eq!(wrong.headers["access-control-allow-origin"], "*");
    let text = json!({ "msgtype": "m.text", "body": "x" });
    for room in ["%21none%3Alocalhost", "nonsense", "%23alias%3Alocalhost"] {
        let path = format!("rooms/{room}/send/m.room.message/1");
        assert_matrix_error(&put(&app, &minji, &path, text.clone()).await, 403, "M_FORBIDDEN");
    }
    assert_matrix_error(
        &post(&app, &minji, "join/%21none%3Alocalhost", json!({})).await,
        404,
        "M_NOT_FOUND",
    );
    assert_matrix_error(
        &post(&app, &minji, "rooms/nonsense/join", json!({})).await,
        400,
        "M_INVALID_PARAM",
    );
    for event in ["%24none", "nonsense"] {
        let found = get(&app, &minji, &format!("rooms/{room}/event/{event}")).await;
        assert!(found.status.is_client_error(), "{}", found.text());
        let redacted = put(&app, &minji, &format!("rooms/{room}/redact/{event}/1"), json!({})).await;
        assert!(redacted.status.is_client_error(), "{}", redacted.text());
        let read = post(
            &app,
            &minji,
            &format!("rooms/{room}/receipt/m.read/{event}"),
            json!({}),
        )
        .await;
        assert!(read.status.is_client_error(), "{}", read.text());
    }
    let odd = get(&app, &minji, &format!("rooms/{room}/messages?dir=sideways")).await;
    assert_matrix_error(&odd, 400, "M_INVALID_PARAM");
    let odd = put(&app, &minji, "rooms/%FF%FE/send/m.room.message/1", json!({})).await;
    assert_matrix_error(&odd, 400, "M_INVALID_PARAM");
    let odd = get(&app, &minji, "sync?timeout=soon").await;
    assert_matrix_error(&odd, 400, "M_INVALID_PARAM");
}

/// Every route that asks for a sign-in, ROOM and USER to be filled in.
const SIGNED_IN_ROUTES: [(&str, &str); 12] = [
    (
        "GET",
        "account/whoami capabilities devices devices/x pushrules/ joined_rooms sync rooms/ROOM/members \
         rooms/ROOM/joined_members rooms/ROOM/state rooms/ROOM/state/m.room.name rooms/ROOM/messages?dir=b \
         rooms/ROOM/event/%24x rooms/ROOM/context/%24x user/USER/filter/x user/USER/account_data/x \
         user/USER/rooms/ROOM/account_data/x",
    ),
    (
        "POST",
        "createRoom logout logout/all user_directory/search join/ROOM rooms/ROOM/join rooms/ROOM/leave \
         rooms/ROOM/invite rooms/ROOM/kick rooms/ROOM/ban rooms/ROOM/unban rooms/ROOM/forget \
         rooms/ROOM/receipt/m.read/%24x rooms/ROOM/read_markers user/USER/filter",
    ),
    (
        "PUT",
        "rooms/ROOM/send/m.room.message/1 rooms/ROOM/redact/%24x/1 rooms/ROOM/state/m.room.name \
         rooms/ROOM/state/m.room.name/ rooms/ROOM/state/a/b rooms/ROOM/typing/USER profile/USER/displayname",
    ),
    (
        "PUT",
        "user/USER/account_data/x user/USER/rooms/ROOM/account_data/x",
    ),
    (
        "POST",
        "keys/upload keys/query keys/claim keys/device_signing/upload keys/signatures/upload room_keys/version \
         delete_devices",
    ),
    (
        "PUT",
        "sendToDevice/m.x/1 devices/x room_keys/version/1 room_keys/keys?version=1 room_keys/keys/ROOM?version=1 \
         room_keys/keys/ROOM/s?version=1",
    ),
    (
        "GET",
        "keys/changes?from=s&to=s room_keys/version room_keys/version/1 room_keys/keys?version=1 \
         room_keys/keys/ROOM?version=1 room_keys/keys/ROOM/s?version=1",
    ),
    (
        "DELETE",
        "devices/x room_keys/version/1 room_keys/keys?version=1 room_keys/keys/ROOM?version=1 \
         room_keys/keys/ROOM/s?version=1",
    ),
    (
        "GET",
        "pushrules/global/ pushrules/global/override/ pushrules/global/override/x pushrules/global/override/x/enabled \
         pushrules/global/override/x/actions pushers notifications voip/turnServer",
    ),
    (
        "PUT",
        "pushrules/global/content/x pushrules/global/content/x/enabled pushrules/global/content/x/actions",
    ),
    ("POST", "pushers/set"),
    ("DELETE", "pushrules/global/content/x"),
];

async fn every_matrix_route_asks_who_it_is(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let (room, user) = (make_room_of(&app, &minji, &[]).await, segment(&minji.user_id));
    for (method, paths) in SIGNED_IN_ROUTES {
        for path in paths.split_whitespace() {
            let path = client(&path.replace("ROOM", &room).replace("USER", &user));
            let request = || app.request(&method.parse().unwrap(), &path).json(json!({}));
            assert_matrix_error(&request().send().await, 401, "M_MISSING_TOKEN");
            assert_matrix_error(&request().bearer("false").send().await, 401, "M_UNKNOWN_TOKEN");
        }
    }
}

async fn nobody_speaks_in_anothers_name(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[]).await;
    // Another person's login is no key to this room either.
    let forged = json!({ "msgtype": "m.text", "body": "I am Minji", "sender": minji.user_id });
    let refused = put(
        &app,
        &joon,
        &format!("rooms/{room}/send/m.room.message/1"),
        forged.clone(),
    )
    .await;
    assert_matrix_error(&refused, 403, "M_FORBIDDEN");
    let own = make_room_of(&app, &joon, &[]).await;
    put(&app, &joon, &format!("rooms/{own}/send/m.room.message/1"), forged)
        .await
        .expect(200);
    let page = get(&app, &joon, &format!("rooms/{own}/messages?dir=b&limit=1"))
        .await
        .json();
    assert_eq!(page["chunk"][0]["sender"], joon.user_id.as_str());
}

async fn many_at_once_are_each_sent_once(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let joon = app.sign_up("Joon").await;
    let room = make_room_of(&app, &minji, &[]).await;
    let path = format!("rooms/{room}/send/m.room.message/1");
    // A refused member of a batch hinders none of the others.
    let sends = (0..60).map(|number| {
        let (app, minji, joon, room, path) = (&app, &minji, &joon, &room, &path);
        async move {
            if number % 7 == 0 {
                let refused = put(app, joon, path, json!({ "body": "let me in" })).await;
                assert_matrix_error(&refused, 403, "M_FORBIDDEN");
            } else {
                say(app, minji, room, &(number / 2).to_string(), "x").await;
            }
        }
    });
    futures_util::future::join_all(sends).await;
    let page = get(&app, &minji, &format!("rooms/{room}/messages?dir=b&limit=200"))
        .await
        .expect(200)
        .json();
    let expected: std::collections::HashSet<i32> = (0..60)
        .filter(|number| number % 7 != 0)
        .map(|number| number / 2)
        .collect();
    assert_eq!(texts(&page["chunk"]).len(), expected.len());
    // A message repeated was counted once.
    let other = app.sign_in(&minji.phone, None).await;
    let told = get(&app, &other, "sync").await.json();
    assert_eq!(
        super::joined(&told, &room)["unread_notifications"]["notification_count"],
        0
    );
}

haechi_testkit::on_both_engines!(
    bad_messages_are_refused_and_not_kept,
    what_does_not_exist_is_told_apart,
    every_matrix_route_asks_who_it_is,
    nobody_speaks_in_anothers_name,
    many_at_once_are_each_sent_once,
);
