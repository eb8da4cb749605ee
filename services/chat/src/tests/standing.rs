//! How a reader stood to a room when something was said, and how the room was when they left it.

use haechi_testkit::{SignedUp, TestApp, TestStore};
use serde_json::{Value, json};

use super::{
    assert_matrix_error, get, joined, make_room, make_room_of, post, put, say, segment, start, sync, texts,
};

/// Each event's type, or text, with how its reader stood to the room.
fn standings(events: &Value) -> Vec<(String, String)> {
    let events = events.as_array().unwrap().iter();
    let told = events.map(|event| {
        let text = event["content"]["body"].as_str().or(event["type"].as_str());
        let standing = event["unsigned"]["membership"].as_str().unwrap_or("(none)");
        (text.unwrap().to_owned(), standing.to_owned())
    });
    told.collect()
}

async fn each_event_tells_how_its_reader_stood_to_the_room(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room(&app, &minji, json!({ "preset": "public_chat" })).await;
    say(&app, &minji, &room, "1", "before").await;
    let named = json!({ "user_id": joon.user_id });
    post(&app, &minji, &format!("rooms/{room}/invite"), named)
        .await
        .expect(200);
    let asked = say(&app, &minji, &room, "2", "asked").await;
    post(&app, &joon, &format!("rooms/{room}/join"), json!({}))
        .await
        .expect(200);
    say(&app, &minji, &room, "3", "after").await;

    let news = sync(&app, &joon, "").await;
    let told = standings(&joined(&news, &room)["timeline"]["events"]);
    let of = |text: &str| {
        told.iter()
            .find(|(said, _)| said == text)
            .map(|(_, word)| word.as_str())
    };
    assert_eq!(told.first().map(|(_, word)| word.as_str()), Some("leave"));
    assert_eq!(
        (of("before"), of("asked"), of("after")),
        (Some("leave"), Some("invite"), Some("join"))
    );
    let members: Vec<&str> = told
        .iter()
        .filter(|(kind, _)| kind == "m.room.member")
        .map(|(_, word)| word.as_str())
        .collect();
    assert_eq!(
        members,
        ["leave", "invite", "join"],
        "one's own event tells what it made"
    );
    let page = get(&app, &joon, &format!("rooms/{room}/messages?dir=b&limit=3"))
        .await
        .json();
    assert_eq!(
        standings(&page["chunk"]),
        [("after", "join"), ("m.room.member", "join"), ("asked", "invite")]
            .map(|(text, word)| (text.to_owned(), word.to_owned()))
    );
    let event = get(&app, &joon, &format!("rooms/{room}/event/{}", segment(&asked)))
        .await
        .json();
    assert_eq!(event["unsigned"]["membership"], "invite");
    // Who has left reads on from there with another word.
    post(&app, &joon, &format!("rooms/{room}/leave"), json!({}))
        .await
        .expect(200);
    let page = get(&app, &joon, &format!("rooms/{room}/messages?dir=b&limit=2"))
        .await
        .json();
    assert_eq!(
        standings(&page["chunk"]),
        [("m.room.member", "leave"), ("after", "join")]
            .map(|(text, word)| (text.to_owned(), word.to_owned()))
    );
}

/// A room that somebody left in the middle of things: who ruled it, who left, who came after, the room, and the token of
/// who left from before it all.
struct Left {
    app: TestApp,
    minji: SignedUp,
    joon: SignedUp,
    sora: SignedUp,
    room: String,
    since: String,
}

async fn left_room(store: TestStore) -> Left {
    let (app, _) = start(store).await;
    let (minji, joon, sora) = (
        app.sign_up("Minji").await,
        app.sign_up("Joon").await,
        app.sign_up("Sora").await,
    );
    let room = make_room_of(&app, &minji, &[&joon]).await;
    let since = sync(&app, &joon, "").await["next_batch"]
        .as_str()
        .unwrap()
        .to_owned();
    let call = async |name: &str| {
        let path = format!("rooms/{room}/state/m.room.name");
        put(&app, &minji, &path, json!({ "name": name }))
            .await
            .expect(200);
    };
    let verb = async |who: &SignedUp, verb: &str, body: Value| {
        post(&app, who, &format!("rooms/{room}/{verb}"), body)
            .await
            .expect(200);
    };
    call("before").await;
    for number in 0..22 {
        say(&app, &minji, &room, &number.to_string(), "filling").await;
    }
    verb(&joon, "leave", json!({})).await;
    call("between").await;
    call("after").await;
    verb(&minji, "invite", json!({ "user_id": sora.user_id })).await;
    verb(&sora, "join", json!({})).await;
    // Whose membership changed later was in the room all the same.
    verb(&minji, "leave", json!({})).await;
    Left {
        app,
        minji,
        joon,
        sora,
        room,
        since,
    }
}

async fn who_left_is_told_of_the_room_as_it_was(store: TestStore) {
    let Left {
        app,
        minji,
        joon,
        sora,
        room,
        ..
    } = left_room(store).await;
    let name = format!("rooms/{room}/state/m.room.name");
    assert_eq!(get(&app, &joon, &name).await.expect(200).json()["name"], "before");
    assert_eq!(get(&app, &sora, &name).await.expect(200).json()["name"], "after");
    let state = get(&app, &joon, &format!("rooms/{room}/state"))
        .await
        .expect(200)
        .json();
    let state = state.as_array().unwrap();
    assert!(state.iter().any(|event| event["content"]["name"] == "before"));
    let members = get(&app, &joon, &format!("rooms/{room}/members"))
        .await
        .expect(200)
        .json();
    let events = members["chunk"].as_array().unwrap().iter();
    let mut words: Vec<(&str, &str)> = events
        .map(|event| {
            let word = event["content"]["membership"].as_str().unwrap();
            (event["state_key"].as_str().unwrap(), word)
        })
        .collect();
    words.sort_unstable();
    let mut expected = [(minji.user_id.as_str(), "join"), (joon.user_id.as_str(), "leave")];
    expected.sort_unstable();
    assert_eq!(words, expected);
    let joins = post(&app, &joon, &format!("rooms/{room}/join"), json!({})).await;
    assert_matrix_error(&joins, 403, "M_FORBIDDEN");
}

async fn a_sync_tells_who_left_the_state_as_it_was(store: TestStore) {
    let Left { app, joon, since, .. } = left_room(store).await;
    let left = |news: &Value| {
        let rooms = news["rooms"]["leave"].as_object().unwrap();
        rooms.values().next().unwrap().clone()
    };
    // One that cannot tell all events tells the state that lies in the gap.
    let told = left(&sync(&app, &joon, &since).await);
    assert_eq!(told["timeline"]["limited"], true);
    let gap = told["state"]["events"].as_array().unwrap();
    assert_eq!(gap.len(), 1, "{gap:?}");
    assert_eq!(gap[0]["content"]["name"], "before");
    let filter = segment(r#"{"room":{"include_leave":true,"timeline":{"limit":1}}}"#);
    let all = get(&app, &joon, &format!("sync?filter={filter}"))
        .await
        .expect(200)
        .json();
    let told = left(&all);
    let state = told["state"]["events"].as_array().unwrap();
    let kinds: Vec<&str> = state
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    assert!(
        kinds.contains(&"m.room.create") && kinds.contains(&"m.room.power_levels"),
        "{kinds:?}"
    );
    assert!(state.iter().any(|event| event["content"]["name"] == "before"));
    assert!(texts(&told["timeline"]["events"]).is_empty());
}

async fn a_receipt_for_a_thread_hides_none_for_the_room(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let room = make_room(&app, &minji, json!({})).await;
    let root = say(&app, &minji, &room, "1", "root").await;
    let path = format!("rooms/{room}/send/m.room.message/2");
    let relates = json!({ "rel_type": "m.thread", "event_id": root });
    let reply = json!({ "msgtype": "m.text", "body": "reply", "m.relates_to": relates });
    let reply = put(&app, &minji, &path, reply).await.expect(200).json();
    let reply = reply["event_id"].as_str().unwrap();
    let path = format!("rooms/{room}/receipt/m.read/{}", segment(reply));
    post(&app, &minji, &path, json!({})).await.expect(200);
    post(&app, &minji, &path, json!({ "thread_id": root }))
        .await
        .expect(200);
    let news = sync(&app, &minji, "").await;
    let told: Vec<&Value> = joined(&news, &room)["ephemeral"]["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["type"] == "m.receipt")
        .map(|event| &event["content"][reply]["m.read"][&minji.user_id])
        .collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0]["ts"].is_u64() && told[0]["thread_id"].is_null());
    assert_eq!(told[1]["thread_id"], root);
}

async fn what_people_set_goes_with_them_into_the_room_that_takes_its_place(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    for is_by_hand in [false, true] {
        let room = make_room(&app, &minji, json!({ "preset": "public_chat" })).await;
        post(&app, &joon, &format!("rooms/{room}/join"), json!({}))
            .await
            .expect(200);
        let user = |who: &SignedUp| segment(&who.user_id);
        for who in [&minji, &joon] {
            let rule = json!({ "actions": ["dont_notify"] });
            put(&app, who, &format!("pushrules/global/room/{room}"), rule)
                .await
                .expect(200);
            let tag = format!("user/{}/rooms/{room}/tags/m.favourite", user(who));
            put(&app, who, &tag, json!({ "order": 0.5 })).await.expect(200);
        }
        let old_id = get(&app, &joon, "joined_rooms").await.json()["joined_rooms"]
            .as_array()
            .unwrap()
            .iter()
            .find(|id| segment(id.as_str().unwrap()) == room)
            .unwrap()
            .clone();
        let direct = format!("user/{}/account_data/m.direct", user(&joon));
        let noted = json!({ minji.user_id.clone(): [old_id] });
        put(&app, &joon, &direct, noted).await.expect(200);
        let new_room = if is_by_hand {
            let creation = json!({ "predecessor": { "room_id": old_id } });
            let wish = json!({ "preset": "public_chat", "creation_content": creation });
            make_room(&app, &minji, wish).await
        } else {
            let path = format!("rooms/{room}/upgrade");
            let made = post(&app, &minji, &path, json!({ "new_version": "11" }))
                .await
                .expect(200)
                .json();
            segment(made["replacement_room"].as_str().unwrap())
        };
        post(&app, &joon, &format!("rooms/{new_room}/join"), json!({}))
            .await
            .expect(200);
        for who in [&minji, &joon] {
            let rule = get(&app, who, &format!("pushrules/global/room/{new_room}"))
                .await
                .expect(200);
            assert_eq!(rule.json()["enabled"], true);
            let tags = get(&app, who, &format!("user/{}/rooms/{new_room}/tags", user(who)))
                .await
                .json();
            assert_eq!(tags["tags"]["m.favourite"]["order"], 0.5);
        }
        let direct = get(&app, &joon, &direct).await.expect(200).json();
        let rooms = direct[&minji.user_id].as_array().unwrap();
        assert_eq!(rooms.len(), 2, "{rooms:?}");
        assert_eq!(segment(rooms[1].as_str().unwrap()), new_room);
    }
    // A room that says it takes the place of one they never were in brings them nothing.
    let stranger = app.sign_up("Sora").await;
    let creation = json!({ "predecessor": { "room_id": "!elsewhere:haechi.test" } });
    let room = make_room(&app, &stranger, json!({ "creation_content": creation })).await;
    let rule = get(&app, &stranger, &format!("pushrules/global/room/{room}")).await;
    assert_matrix_error(&rule, 404, "M_NOT_FOUND");
}

haechi_testkit::on_both_engines!(
    each_event_tells_how_its_reader_stood_to_the_room,
    who_left_is_told_of_the_room_as_it_was,
    a_sync_tells_who_left_the_state_as_it_was,
    a_receipt_for_a_thread_hides_none_for_the_room,
    what_people_set_goes_with_them_into_the_room_that_takes_its_place,
);
