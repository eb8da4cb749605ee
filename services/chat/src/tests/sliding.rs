//! Sliding sync: windows on a list, and what is told of the rooms in them.

use std::time::Duration;

use haechi_testkit::{SignedUp, TestApp, TestResponse, TestStore};
use serde_json::{Value, json};

use super::{get, make_room, make_room_of, post, put, say, segment, start, texts};

pub(super) const PATH: &str = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync";

/// A request as it comes, with what stands behind the question mark.
pub(super) async fn ask(app: &TestApp, who: &SignedUp, query: &str, body: &Value) -> TestResponse {
    let path = format!("{PATH}?{query}");
    app.post(&path).bearer(&who.access_token).json(body).send().await
}

/// A request that does not wait, from a `pos` or from the beginning.
pub(super) async fn slide(app: &TestApp, who: &SignedUp, pos: &str, body: &Value) -> Value {
    let answer = ask(app, who, &format!("pos={pos}"), body).await;
    answer.expect(200).json()
}

pub(super) fn pos(answer: &Value) -> &str {
    answer["pos"].as_str().unwrap()
}

/// What is told of a room.
pub(super) fn told<'a>(answer: &'a Value, room: &str) -> &'a Value {
    let rooms = answer["rooms"].as_object().unwrap();
    let found = rooms.iter().find(|(room_id, _)| segment(room_id) == room);
    found.map_or(&Value::Null, |(_, told)| told)
}

/// A list of the first rooms.
pub(super) fn window(last: usize) -> Value {
    json!({ "conn_id": "main", "lists": { "all": { "ranges": [[0, last]], "timeline_limit": 5 } } })
}

fn moment(app: &TestApp) {
    app.store.clock.advance(Duration::from_secs(1));
}

fn number_of_rooms(answer: &Value) -> usize {
    answer["rooms"].as_object().unwrap().len()
}

/// Type and state key of events.
fn parts(events: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let events = events.as_array().unwrap().iter();
    let mut parts: Vec<_> = events
        .map(|event| (text(&event["type"]), text(&event["state_key"])))
        .collect();
    parts.sort();
    parts
}

fn part(kind: &str, key: &str) -> (String, String) {
    (kind.to_owned(), key.to_owned())
}

async fn a_window_shows_the_latest_rooms_and_grows(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let mut rooms = Vec::new();
    for number in 0..4 {
        let room = make_room_of(&app, &minji, &[&joon]).await;
        moment(&app);
        say(&app, &minji, &room, "1", &format!("in room {number}")).await;
        rooms.push(room);
    }
    let first = slide(&app, &joon, "", &window(1)).await;
    assert_eq!(first["lists"]["all"]["count"], 4);
    assert_eq!(number_of_rooms(&first), 2);
    let newest = told(&first, &rooms[3]);
    assert_eq!(newest["initial"], true);
    assert_eq!(newest["limited"], true);
    assert_eq!(newest["membership"], "join");
    assert_eq!(newest["num_live"], 0);
    assert_eq!(newest["joined_count"], 2);
    assert_eq!(newest["invited_count"], 0);
    assert_eq!(newest["notification_count"], 1);
    assert_eq!(newest["highlight_count"], 0);
    assert_eq!(texts(&newest["timeline"]).last().unwrap(), "in room 3");
    assert_eq!(newest["heroes"][0]["user_id"], minji.user_id);
    assert_eq!(newest["heroes"][0]["displayname"], "Minji");
    assert!(newest.get("name").is_none() && newest.get("avatar").is_none());
    let stamp = |room: &str| told(&first, room)["bump_stamp"].as_i64().unwrap();
    assert!(stamp(&rooms[3]) > stamp(&rooms[2]));
    let from = newest["prev_batch"].as_str().unwrap();
    let page = get(
        &app,
        &joon,
        &format!("rooms/{}/messages?dir=b&from={from}", rooms[3]),
    )
    .await;
    assert!(!page.expect(200).json()["chunk"].as_array().unwrap().is_empty());

    // The window grows: only what is new to it is told.
    let grown = slide(&app, &joon, pos(&first), &window(2)).await;
    assert_eq!(number_of_rooms(&grown), 1);
    assert_eq!(told(&grown, &rooms[1])["initial"], true);

    // Somebody speaks in a room in the window: the message alone.
    moment(&app);
    say(&app, &minji, &rooms[1], "2", "only this").await;
    let live = slide(&app, &joon, pos(&grown), &window(2)).await;
    assert_eq!(number_of_rooms(&live), 1);
    let moved = told(&live, &rooms[1]);
    assert_eq!(texts(&moved["timeline"]), ["only this"]);
    assert_eq!(moved["timeline"].as_array().unwrap().len(), 1);
    assert_eq!(moved["num_live"], 1);
    assert_eq!(moved["notification_count"], 2);
    assert!(moved.get("initial").is_none() && moved.get("limited").is_none());
    assert!(moved.get("heroes").is_none() && moved.get("joined_count").is_none());

    // And in one outside: it comes into the window, all of it.
    moment(&app);
    say(&app, &minji, &rooms[0], "2", "here too").await;
    let entered = slide(&app, &joon, pos(&live), &window(2)).await;
    assert_eq!(number_of_rooms(&entered), 1);
    assert_eq!(told(&entered, &rooms[0])["initial"], true);
    assert_eq!(told(&entered, &rooms[0])["num_live"], 1);
    let quiet = slide(&app, &joon, pos(&entered), &window(2)).await;
    assert_eq!(quiet["rooms"], json!({}));
    assert_ne!(pos(&quiet), pos(&entered));
}

async fn a_room_that_was_out_of_the_window_is_told_from_where_it_was_left(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let one = make_room_of(&app, &minji, &[&joon]).await;
    moment(&app);
    let other = make_room_of(&app, &minji, &[&joon]).await;
    let first = slide(&app, &joon, "", &window(1)).await;
    assert_eq!(number_of_rooms(&first), 2);
    // The window shrinks to the other room; something is said in the first that does not bring it up.
    let small = slide(&app, &joon, pos(&first), &window(0)).await;
    assert_eq!(small["rooms"], json!({}));
    let topic = format!("rooms/{one}/state/m.room.topic");
    put(&app, &minji, &topic, json!({ "topic": "lunch" }))
        .await
        .expect(200);
    moment(&app);
    say(&app, &minji, &other, "1", "next door").await;
    let away = slide(&app, &joon, pos(&small), &window(0)).await;
    assert!(told(&away, &one).is_null(), "{away}");
    assert_eq!(texts(&told(&away, &other)["timeline"]), ["next door"]);
    let back = slide(&app, &joon, pos(&away), &window(1)).await;
    let seen = told(&back, &one);
    assert!(seen.get("initial").is_none());
    assert_eq!(seen["timeline"][0]["content"]["topic"], "lunch");
    assert_eq!(seen["timeline"].as_array().unwrap().len(), 1);
    assert!(told(&back, &other).is_null());
}

async fn invitations_and_farewells_are_told(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let first = slide(&app, &joon, "", &window(9)).await;
    let wish = json!({ "name": "Lunch", "invite": [joon.user_id], "is_direct": true });
    let room = make_room(&app, &minji, wish).await;
    let asked = slide(&app, &joon, pos(&first), &window(9)).await;
    assert_eq!(asked["lists"]["all"]["count"], 1);
    let invitation = told(&asked, &room);
    assert_eq!(invitation["initial"], true);
    assert_eq!(invitation["membership"], "invite");
    assert_eq!(invitation["name"], "Lunch");
    assert_eq!(invitation["is_dm"], true);
    let state = invitation["invite_state"].as_array().unwrap();
    let own = state
        .iter()
        .find(|event| event["state_key"] == joon.user_id.as_str())
        .unwrap();
    assert_eq!(own["content"]["membership"], "invite");
    assert!(
        state
            .iter()
            .any(|event| event["content"]["displayname"] == "Minji")
    );
    assert_eq!(
        slide(&app, &joon, pos(&asked), &window(9)).await["rooms"],
        json!({})
    );

    post(&app, &joon, &format!("join/{room}"), json!({}))
        .await
        .expect(200);
    let came = slide(&app, &joon, pos(&asked), &window(9)).await;
    assert_eq!(told(&came, &room)["initial"], true);
    assert_eq!(told(&came, &room)["membership"], "join");
    assert_eq!(told(&came, &room)["name"], "Lunch");
    assert!(told(&came, &room).get("heroes").is_none());

    let kick = json!({ "user_id": joon.user_id, "reason": "late" });
    post(&app, &minji, &format!("rooms/{room}/kick"), kick)
        .await
        .expect(200);
    say(&app, &minji, &room, "1", "he is gone").await;
    let out = slide(&app, &joon, pos(&came), &window(9)).await;
    assert_eq!(out["lists"]["all"]["count"], 0);
    let gone = told(&out, &room);
    assert_eq!(gone["membership"], "leave");
    assert_eq!(gone["required_state"][0]["content"]["reason"], "late");
    assert_eq!(texts(&gone["timeline"]), [] as [&str; 0]);
    assert_eq!(
        slide(&app, &joon, pos(&out), &window(9)).await["rooms"],
        json!({})
    );
}

async fn knocks_are_told_and_invitations_by_the_ignored_are_not(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let out = slide(&app, &joon, "", &window(9)).await;
    let wish =
        json!({ "initial_state": [{ "type": "m.room.join_rules", "content": { "join_rule": "knock" } }] });
    let closed = make_room(&app, &minji, wish).await;
    post(&app, &joon, &format!("knock/{closed}"), json!({}))
        .await
        .expect(200);
    let knocked = slide(&app, &joon, pos(&out), &window(9)).await;
    assert_eq!(told(&knocked, &closed)["membership"], "knock");
    assert!(told(&knocked, &closed)["invite_state"].is_array());
    // An invitation by somebody who is ignored is none.
    let path = format!("user/{}/account_data/m.ignored_user_list", segment(&joon.user_id));
    let ignored = json!({ "ignored_users": { &minji.user_id: {} } });
    put(&app, &joon, &path, ignored).await.expect(200);
    make_room(&app, &minji, json!({ "invite": [joon.user_id] })).await;
    let quiet = slide(&app, &joon, pos(&knocked), &window(9)).await;
    assert_eq!(
        (&quiet["rooms"], &quiet["lists"]["all"]["count"]),
        (&json!({}), &json!(1))
    );
}

async fn state_is_told_as_required(store: TestStore) {
    let (app, _) = start(store).await;
    let people = [
        app.sign_up("Minji").await,
        app.sign_up("Joon").await,
        app.sign_up("Sora").await,
    ];
    let [minji, joon, sora] = &people;
    let room = make_room_of(&app, minji, &[joon, sora]).await;
    say(&app, sora, &room, "1", "I speak").await;
    let wish = |state: Value| {
        json!({ "conn_id": "main",
            "lists": { "all": { "ranges": [[0, 9]], "timeline_limit": 1, "required_state": state } } })
    };
    let lazy = json!([
        ["m.room.create", ""],
        ["m.room.member", "$ME"],
        ["m.room.member", "$LAZY"]
    ]);
    let first = slide(&app, joon, "", &wish(lazy.clone())).await;
    let mut expected = vec![
        part("m.room.create", ""),
        part("m.room.member", &joon.user_id),
        part("m.room.member", &sora.user_id),
    ];
    expected.sort();
    assert_eq!(parts(&told(&first, &room)["required_state"]), expected);

    // Later what changed, and who speaks.
    say(&app, minji, &room, "1", "and I").await;
    let topic = format!("rooms/{room}/state/m.room.topic");
    put(&app, minji, &topic, json!({ "topic": "lunch" }))
        .await
        .expect(200);
    say(&app, minji, &room, "2", "again").await;
    let later = slide(&app, joon, pos(&first), &wish(lazy)).await;
    let state = &told(&later, &room)["required_state"];
    assert_eq!(parts(state), [part("m.room.member", &minji.user_id)]);
    assert_eq!(told(&later, &room)["limited"], true);

    // More is wanted: it is told though nothing happened.
    let wider = wish(json!([["m.room.topic", ""], ["m.room.member", "*"]]));
    let more = slide(&app, joon, pos(&later), &wider).await;
    let seen = told(&more, &room);
    assert_eq!(parts(&seen["required_state"]).len(), 4);
    assert_eq!(seen["timeline"], json!([]));
    assert!(seen.get("initial").is_none());
    assert_eq!(slide(&app, joon, pos(&more), &wider).await["rooms"], json!({}));
    let all = slide(&app, joon, "", &wish(json!([["*", "*"]]))).await;
    let all = parts(&told(&all, &room)["required_state"]);
    assert!(
        all.contains(&part("m.room.power_levels", "")) && all.contains(&part("m.room.member", &sora.user_id))
    );
    let of_key = slide(&app, joon, "", &wish(json!([["*", joon.user_id]]))).await;
    assert_eq!(
        parts(&told(&of_key, &room)["required_state"]),
        [part("m.room.member", &joon.user_id)]
    );
}

async fn a_subscription_shows_a_room_out_of_all_windows_and_more_of_one_within(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let old = make_room_of(&app, &minji, &[&joon]).await;
    for number in 0..3 {
        say(&app, &minji, &old, &number.to_string(), &number.to_string()).await;
    }
    moment(&app);
    let new = make_room_of(&app, &minji, &[&joon]).await;
    let room_id = old.replace("%21", "!").replace("%3A", ":");
    let lists = json!({ "all": { "ranges": [[0, 0]], "timeline_limit": 1 } });
    let wish = |rooms: Value| json!({ "conn_id": "main", "lists": lists, "room_subscriptions": rooms });
    let first = slide(&app, &joon, "", &wish(json!({}))).await;
    assert!(told(&first, &old).is_null() && !told(&first, &new).is_null());
    let small =
        wish(json!({ &room_id: { "timeline_limit": 1 }, "!nowhere:localhost": { "timeline_limit": 1 } }));
    let opened = slide(&app, &joon, pos(&first), &small).await;
    assert_eq!(number_of_rooms(&opened), 1);
    assert_eq!(texts(&told(&opened, &old)["timeline"]), ["2"]);
    // More of its timeline is wanted than was told.
    let large = wish(json!({ &room_id: { "timeline_limit": 3, "required_state": [["m.room.create", ""]] } }));
    let wider = slide(&app, &joon, pos(&opened), &large).await;
    let seen = told(&wider, &old);
    assert_eq!(texts(&seen["timeline"]), ["0", "1", "2"]);
    assert_eq!(
        (&seen["unstable_expanded_timeline"], &seen["limited"]),
        (&json!(true), &json!(true))
    );
    assert_eq!((&seen["num_live"], seen.get("initial")), (&json!(0), None));
    assert_eq!(parts(&seen["required_state"]), [part("m.room.create", "")]);
    // Unsubscribed: what is said there is no news any more.
    let path = format!("rooms/{old}/send/m.reaction/r");
    let relates = json!({ "m.relates_to": { "rel_type": "m.annotation", "key": "+",
        "event_id": seen["timeline"][0]["event_id"] } });
    put(&app, &minji, &path, relates).await.expect(200);
    let closed = slide(&app, &joon, pos(&wider), &wish(json!({}))).await;
    assert_eq!(closed["rooms"], json!({}));
    // Who names no connection says a subscription once, and takes it back.
    let once = |rooms: Value| json!({ "room_subscriptions": rooms });
    let first = slide(
        &app,
        &joon,
        "",
        &once(json!({ &room_id: { "timeline_limit": 1 } })),
    )
    .await;
    assert_eq!(number_of_rooms(&first), 1);
    say(&app, &minji, &old, "kept", "still here").await;
    let kept = slide(&app, &joon, pos(&first), &json!({})).await;
    assert_eq!(texts(&told(&kept, &old)["timeline"]), ["still here"]);
    say(&app, &minji, &old, "over", "no more").await;
    let over = slide(
        &app,
        &joon,
        pos(&kept),
        &json!({ "unsubscribe_rooms": [room_id] }),
    )
    .await;
    assert_eq!(over["rooms"], json!({}));
}

async fn lists_are_filtered(store: TestStore) {
    let (app, chat) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let plain = make_room_of(&app, &joon, &[]).await;
    let space = make_room(&app, &joon, json!({ "creation_content": { "type": "m.space" } })).await;
    let secret = json!({ "initial_state": [{ "type": "m.room.encryption", "content": { "algorithm": "m.megolm.v1.aes-sha2" } }] });
    let secret = make_room(&app, &joon, secret).await;
    let direct = chat.open_direct(&joon.actor(), minji.person_id).await.unwrap();
    let direct = segment(&direct);
    let asked = make_room(&app, &minji, json!({ "invite": [joon.user_id] })).await;
    let tags = format!("user/{}/rooms/{plain}/tags/m.favourite", segment(&joon.user_id));
    put(&app, &joon, &tags, json!({})).await.expect(200);
    let rooms = [&plain, &space, &secret, &direct, &asked];
    let cases = [
        (json!({}), vec![0, 1, 2, 3, 4]),
        (json!({ "is_dm": true }), vec![3]),
        (json!({ "is_dm": false }), vec![0, 1, 2, 4]),
        (json!({ "is_encrypted": true }), vec![2]),
        (json!({ "is_invite": true }), vec![4]),
        (
            json!({ "is_invite": false, "is_encrypted": false }),
            vec![0, 1, 3],
        ),
        (json!({ "room_types": ["m.space"] }), vec![1]),
        (json!({ "not_room_types": ["m.space"] }), vec![0, 2, 3, 4]),
        (json!({ "room_types": [null], "is_dm": false }), vec![0, 2, 4]),
        (json!({ "tags": ["m.favourite"] }), vec![0]),
        (
            json!({ "not_tags": ["m.favourite"], "unheard_of": 1 }),
            vec![1, 2, 3, 4],
        ),
    ];
    for (filters, expected) in cases {
        let wish =
            json!({ "lists": { "one": { "ranges": [[0, 9]], "timeline_limit": 0, "filters": filters } } });
        let answer = slide(&app, &joon, "", &wish).await;
        let found: Vec<usize> = (0..rooms.len())
            .filter(|room| !told(&answer, rooms[*room]).is_null())
            .collect();
        assert_eq!(found, expected, "{filters}");
        assert_eq!(answer["lists"]["one"]["count"], expected.len(), "{filters}");
    }
    // A room becomes an encrypted one: it comes into the list.
    let wish = json!({ "conn_id": "x", "lists": { "one": { "ranges": [[0, 9]], "filters": { "is_encrypted": true } } } });
    let before = slide(&app, &joon, "", &wish).await;
    let path = format!("rooms/{plain}/state/m.room.encryption");
    put(&app, &joon, &path, json!({ "algorithm": "m.megolm.v1.aes-sha2" }))
        .await
        .expect(200);
    let after = slide(&app, &joon, pos(&before), &wish).await;
    assert_eq!(told(&after, &plain)["initial"], true);
    assert_eq!(after["lists"]["one"]["count"], 2);
}

async fn names_and_what_is_read_are_told_when_they_change(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    let event = say(&app, &minji, &room, "1", "one").await;
    let first = slide(&app, &joon, "", &window(0)).await;
    assert_eq!(told(&first, &room)["notification_count"], 1);
    let path = format!("rooms/{room}/receipt/m.read/{}", segment(&event));
    post(&app, &joon, &path, json!({})).await.expect(200);
    let read = slide(&app, &joon, pos(&first), &window(0)).await;
    assert_eq!(told(&read, &room)["notification_count"], 0);
    assert_eq!(told(&read, &room)["timeline"], json!([]));
    // What others have read is no news of the room.
    post(&app, &minji, &path, json!({})).await.expect(200);
    let quiet = slide(&app, &joon, pos(&read), &window(0)).await;
    assert_eq!(quiet["rooms"], json!({}));
    for (kind, content) in [
        ("name", json!({ "name": "Lunch" })),
        ("avatar", json!({ "url": "mxc://localhost/a" })),
    ] {
        let path = format!("rooms/{room}/state/m.room.{kind}");
        put(&app, &minji, &path, content).await.expect(200);
    }
    let named = slide(&app, &joon, pos(&quiet), &window(0)).await;
    assert_eq!(told(&named, &room)["name"], "Lunch");
    assert_eq!(told(&named, &room)["avatar"], "mxc://localhost/a");
    for kind in ["name", "avatar"] {
        let path = format!("rooms/{room}/state/m.room.{kind}");
        put(&app, &minji, &path, json!({})).await.expect(200);
    }
    let unnamed = slide(&app, &joon, pos(&named), &window(0)).await;
    let seen = told(&unnamed, &room);
    assert!(seen.get("name").is_none() && seen["avatar"].is_null() && seen.get("avatar").is_some());
    assert_eq!(seen["heroes"][0]["user_id"], minji.user_id);
}

haechi_testkit::on_both_engines!(
    a_window_shows_the_latest_rooms_and_grows,
    a_room_that_was_out_of_the_window_is_told_from_where_it_was_left,
    invitations_and_farewells_are_told,
    knocks_are_told_and_invitations_by_the_ignored_are_not,
    state_is_told_as_required,
    a_subscription_shows_a_room_out_of_all_windows_and_more_of_one_within,
    lists_are_filtered,
    names_and_what_is_read_are_told_when_they_change,
);
