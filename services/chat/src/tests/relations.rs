//! What events say of other events: reactions, edits, threads, references; and what is told of it.

use haechi_testkit::{SignedUp, TestApp, TestStore};
use serde_json::{Value, json};

use super::{
    assert_matrix_error, get, joined, make_room, make_room_of, put, say, segment, start, sync, texts,
};

/// Sends a message that relates to another; returns its id.
pub(super) async fn relate(
    app: &TestApp,
    who: &SignedUp,
    room: &str,
    kind: &str,
    target: &str,
    transaction_id: &str,
) -> String {
    let mut content = json!({
        "msgtype": "m.text",
        "body": transaction_id,
        "m.relates_to": { "rel_type": kind, "event_id": target },
    });
    if kind == "m.replace" {
        content["m.new_content"] = json!({ "msgtype": "m.text", "body": transaction_id });
    }
    let path = format!("rooms/{room}/send/m.room.message/{transaction_id}");
    let sent = put(app, who, &path, content).await.expect(200).json();
    sent["event_id"].as_str().unwrap().to_owned()
}

fn reaction(target: &str, key: &str) -> Value {
    json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": target, "key": key } })
}

/// A request under `v1`.
pub(super) async fn get_v1(app: &TestApp, who: &SignedUp, path: &str) -> haechi_testkit::TestResponse {
    app.get(&format!("/_matrix/client/v1/{path}"))
        .bearer(&who.access_token)
        .send()
        .await
}

fn ids(chunk: &Value) -> Vec<String> {
    let events = chunk.as_array().unwrap().iter();
    events
        .map(|event| event["event_id"].as_str().unwrap().to_owned())
        .collect()
}

async fn event(app: &TestApp, who: &SignedUp, room: &str, event_id: &str) -> Value {
    get(app, who, &format!("rooms/{room}/event/{}", segment(event_id)))
        .await
        .expect(200)
        .json()
}

async fn redact(app: &TestApp, who: &SignedUp, room: &str, event_id: &str) {
    let event_id = segment(event_id);
    put(
        app,
        who,
        &format!("rooms/{room}/redact/{event_id}/{event_id}"),
        json!({}),
    )
    .await
    .expect(200);
}

async fn the_same_reaction_is_refused_until_it_was_taken_back(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    let target = say(&app, &minji, &room, "0", "hello").await;
    let path = |number: u32| format!("rooms/{room}/send/m.reaction/{number}");
    let first = put(&app, &joon, &path(1), reaction(&target, "👍"))
        .await
        .expect(200)
        .json();
    let again = put(&app, &joon, &path(1), reaction(&target, "👍"))
        .await
        .expect(200)
        .json();
    assert_eq!(first, again, "the same request is answered alike");
    let twice = put(&app, &joon, &path(2), reaction(&target, "👍")).await;
    assert_matrix_error(&twice, 400, "M_DUPLICATE_ANNOTATION");
    put(&app, &joon, &path(3), reaction(&target, "🎉"))
        .await
        .expect(200);
    put(&app, &minji, &path(1), reaction(&target, "👍"))
        .await
        .expect(200);
    let paths = [path(4), path(5)];
    let at_once = paths
        .iter()
        .map(|path| put(&app, &joon, path, reaction(&target, "x")));
    let answers = futures_util::future::join_all(at_once).await;
    let allowed = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(allowed, 1, "one of two at once");
    redact(&app, &joon, &room, first["event_id"].as_str().unwrap()).await;
    put(&app, &joon, &path(6), reaction(&target, "👍"))
        .await
        .expect(200);
    // What came of refused ones is nowhere.
    let told = get_v1(
        &app,
        &minji,
        &format!("rooms/{room}/relations/{}/m.annotation", segment(&target)),
    )
    .await;
    assert_eq!(told.expect(200).json()["chunk"].as_array().unwrap().len(), 4);
    assert_eq!(
        event(&app, &minji, &room, &target).await["unsigned"]["m.relations"],
        Value::Null,
        "reactions are asked for"
    );
}

async fn a_relation_to_what_is_not_in_the_room_is_refused(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let (room, other) = (
        make_room_of(&app, &minji, &[]).await,
        make_room_of(&app, &minji, &[]).await,
    );
    let elsewhere = say(&app, &minji, &other, "1", "elsewhere").await;
    for (number, target) in [elsewhere.as_str(), "$nothing", "nonsense"].iter().enumerate() {
        let path = format!("rooms/{room}/send/m.reaction/{number}");
        let refused = put(&app, &minji, &path, reaction(target, "x")).await;
        assert_matrix_error(&refused, 400, "M_INVALID_PARAM");
    }
    let here = say(&app, &minji, &room, "1", "here").await;
    let path = format!("rooms/{room}/send/m.reaction/k");
    let without_key = json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": here } });
    assert_matrix_error(
        &put(&app, &minji, &path, without_key).await,
        400,
        "M_INVALID_PARAM",
    );
    let long = put(&app, &minji, &path, reaction(&here, &"x".repeat(600))).await;
    assert_matrix_error(&long, 400, "M_INVALID_PARAM");
    // A thread begins at what relates to nothing itself.
    let answer = relate(&app, &minji, &room, "m.thread", &here, "in-thread").await;
    let path = format!("rooms/{room}/send/m.room.message/deeper");
    let deeper = json!({ "body": "x", "m.relates_to": { "rel_type": "m.thread", "event_id": answer } });
    assert_matrix_error(&put(&app, &minji, &path, deeper).await, 400, "M_INVALID_PARAM");
    // A malformed relation is none, and a NUL in it ends nothing.
    let odd = json!({ "body": "x", "m.relates_to": { "rel_type": "m.thread", "event_id": "a\u{0}" } });
    put(&app, &minji, &path, odd).await.expect(200);
}

async fn the_latest_edit_by_the_sender_is_told_with_the_original(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    let original = say(&app, &minji, &room, "0", "helo").await;
    relate(&app, &minji, &room, "m.replace", &original, "hello").await;
    let last = relate(&app, &minji, &room, "m.replace", &original, "hello!").await;
    relate(&app, &joon, &room, "m.replace", &original, "by-another").await;
    let edit = |told: &Value| told["unsigned"]["m.relations"]["m.replace"].clone();
    let found = event(&app, &joon, &room, &original).await;
    assert_eq!(edit(&found)["event_id"], last.as_str());
    assert_eq!(edit(&found)["content"]["m.new_content"]["body"], "hello!");
    assert_eq!(found["content"]["body"], "helo", "the original says what it said");
    // Everywhere it is read.
    let told = sync(&app, &joon, "").await;
    let timeline = joined(&told, &room)["timeline"]["events"]
        .as_array()
        .unwrap()
        .clone();
    let page = get(&app, &joon, &format!("rooms/{room}/messages?dir=b&limit=20"))
        .await
        .json();
    let around = get(
        &app,
        &joon,
        &format!("rooms/{room}/context/{}?limit=20", segment(&last)),
    )
    .await
    .json();
    for events in [&json!(timeline), &page["chunk"], &around["events_before"]] {
        let events = events.as_array().unwrap();
        let told = events
            .iter()
            .find(|event| event["event_id"] == original.as_str())
            .unwrap();
        assert_eq!(edit(told)["event_id"], last.as_str());
        assert!(
            events
                .iter()
                .all(|event| event["event_id"] == original.as_str() || edit(event).is_null())
        );
    }
    // The last one taken back, the one before stands; and with a redacted original no edit is told.
    redact(&app, &minji, &room, &last).await;
    assert_eq!(
        edit(&event(&app, &joon, &room, &original).await)["content"]["body"],
        "hello"
    );
    redact(&app, &minji, &room, &original).await;
    assert!(edit(&event(&app, &joon, &room, &original).await).is_null());
    let news = say(&app, &minji, &room, "1", "news").await;
    relate(&app, &minji, &room, "m.replace", &news, "newer").await;
    let unread = sync(&app, &joon, "").await;
    assert_eq!(
        joined(&unread, &room)["unread_notifications"]["notification_count"],
        1,
        "an edit is no new message"
    );
}

async fn relations_are_read_by_the_page_both_ways(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    let target = say(&app, &minji, &room, "0", "poll").await;
    let mut all = Vec::new();
    for number in 0..7 {
        all.push(
            relate(
                &app,
                &joon,
                &room,
                "m.reference",
                &target,
                &format!("answer-{number}"),
            )
            .await,
        );
    }
    let path = format!("rooms/{room}/send/m.reaction/r");
    let liked = put(&app, &joon, &path, reaction(&target, "👍"))
        .await
        .expect(200)
        .json();
    let of_target = format!("rooms/{room}/relations/{}", segment(&target));
    for direction in ["b", "f"] {
        let (mut read, mut from) = (Vec::new(), String::new());
        for _ in 0..4 {
            let path = format!("{of_target}/m.reference?dir={direction}&limit=3{from}");
            let page = get_v1(&app, &minji, &path).await.expect(200).json();
            assert_eq!(page["prev_batch"].is_string(), !from.is_empty());
            read.extend(ids(&page["chunk"]));
            let Some(next) = page["next_batch"].as_str() else {
                break;
            };
            from = format!("&from={next}");
        }
        if direction == "b" {
            read.reverse();
        }
        assert_eq!(read, all, "direction {direction}");
    }
    let everything = get_v1(&app, &minji, &of_target).await.expect(200).json();
    assert_eq!(everything["chunk"].as_array().unwrap().len(), 8);
    assert_eq!(everything["chunk"][0]["event_id"], liked["event_id"]);
    let typed = get_v1(&app, &minji, &format!("{of_target}/m.annotation/m.reaction"))
        .await
        .json();
    assert_eq!(ids(&typed["chunk"]).len(), 1);
    let typed = get_v1(&app, &minji, &format!("{of_target}/m.annotation/m.room.message"))
        .await
        .json();
    assert_eq!(typed["chunk"], json!([]));
    let chunk =
        event(&app, &minji, &room, &target).await["unsigned"]["m.relations"]["m.reference"]["chunk"].clone();
    assert_eq!(ids(&chunk), all);
    // What was taken back is gone.
    redact(&app, &joon, &room, &all[0]).await;
    let left = get_v1(&app, &minji, &format!("{of_target}/m.reference?dir=f"))
        .await
        .json();
    assert_eq!(ids(&left["chunk"]), all[1..]);
    let odd = get_v1(&app, &minji, &format!("{of_target}?from=nonsense")).await;
    assert_matrix_error(&odd, 400, "M_INVALID_PARAM");
    let stranger = app.sign_up("Sora").await;
    assert_matrix_error(&get_v1(&app, &stranger, &of_target).await, 404, "M_NOT_FOUND");
    let nobody = app.get(&format!("/_matrix/client/v1/{of_target}")).send().await;
    assert_matrix_error(&nobody, 401, "M_MISSING_TOKEN");
}

async fn relations_of_relations_are_followed_when_that_is_wanted(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let room = make_room_of(&app, &minji, &[]).await;
    let root = say(&app, &minji, &room, "0", "root").await;
    let child = relate(&app, &minji, &room, "m.thread", &root, "child").await;
    let path = format!("rooms/{room}/send/m.reaction/r");
    let liked = put(&app, &minji, &path, reaction(&child, "👍"))
        .await
        .expect(200)
        .json();
    let liked = liked["event_id"].as_str().unwrap().to_owned();
    let of_root = format!("rooms/{room}/relations/{}", segment(&root));
    let direct = get_v1(&app, &minji, &of_root).await.json();
    assert_eq!(ids(&direct["chunk"]), [child.as_str()]);
    assert!(direct["recursion_depth"].is_null());
    let all = get_v1(&app, &minji, &format!("{of_root}?recurse=true&dir=f"))
        .await
        .json();
    assert_eq!(ids(&all["chunk"]), [child, liked.clone()]);
    assert_eq!(all["recursion_depth"], 3);
    let kind = get_v1(&app, &minji, &format!("{of_root}/m.annotation?recurse=true"))
        .await
        .json();
    assert_eq!(ids(&kind["chunk"]), [liked]);
}

async fn a_thread_is_told_with_its_root_and_listed(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    let first = say(&app, &minji, &room, "0", "first").await;
    let second = say(&app, &minji, &room, "1", "second").await;
    relate(&app, &joon, &room, "m.thread", &first, "one").await;
    relate(&app, &minji, &room, "m.thread", &second, "two").await;
    let last = relate(&app, &joon, &room, "m.thread", &first, "three").await;
    relate(&app, &joon, &room, "m.replace", &last, "three-edited").await;
    let thread = |told: &Value| told["unsigned"]["m.relations"]["m.thread"].clone();
    let told = thread(&event(&app, &minji, &room, &first).await);
    assert_eq!(
        (&told["count"], &told["current_user_participated"]),
        (&json!(2), &json!(true))
    );
    assert_eq!(told["latest_event"]["event_id"], last.as_str());
    let edit = &told["latest_event"]["unsigned"]["m.relations"]["m.replace"];
    assert_eq!(edit["content"]["body"], "three-edited");
    let told = thread(&event(&app, &joon, &room, &second).await);
    assert_eq!(
        (&told["count"], &told["current_user_participated"]),
        (&json!(1), &json!(false))
    );

    let threads = format!("rooms/{room}/threads");
    let listed = get_v1(&app, &joon, &threads).await.expect(200).json();
    assert_eq!(
        ids(&listed["chunk"]),
        [first.as_str(), second.as_str()],
        "the latest news first"
    );
    assert_eq!(thread(&listed["chunk"][0])["count"], 2);
    let own = get_v1(&app, &joon, &format!("{threads}?include=participated"))
        .await
        .json();
    assert_eq!(ids(&own["chunk"]), [first.as_str()]);
    let page = get_v1(&app, &joon, &format!("{threads}?limit=1")).await.json();
    assert_eq!(ids(&page["chunk"]), [first.as_str()]);
    let next = page["next_batch"].as_str().unwrap();
    let page = get_v1(&app, &joon, &format!("{threads}?limit=1&from={next}"))
        .await
        .json();
    assert_eq!(ids(&page["chunk"]), [second.as_str()]);
    assert!(page["next_batch"].is_null());

    redact(&app, &joon, &room, &last).await;
    let told = thread(&event(&app, &minji, &room, &first).await);
    assert_eq!(
        (&told["count"], &told["latest_event"]["content"]["body"]),
        (&json!(1), &json!("one"))
    );
    // A root that was taken back still shows its thread.
    redact(&app, &minji, &room, &first).await;
    assert_eq!(thread(&event(&app, &minji, &room, &first).await)["count"], 1);
    let stranger = app.sign_up("Sora").await;
    assert_matrix_error(&get_v1(&app, &stranger, &threads).await, 403, "M_FORBIDDEN");
    let nobody = app.get(&format!("/_matrix/client/v1/{threads}")).send().await;
    assert_matrix_error(&nobody, 401, "M_MISSING_TOKEN");
}

async fn who_has_left_is_told_nothing_that_was_said_later(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room(&app, &minji, json!({ "preset": "public_chat" })).await;
    super::post(&app, &joon, &format!("join/{room}"), json!({}))
        .await
        .expect(200);
    let root = say(&app, &minji, &room, "0", "root").await;
    let seen = relate(&app, &minji, &room, "m.thread", &root, "seen").await;
    super::post(&app, &joon, &format!("rooms/{room}/leave"), json!({}))
        .await
        .expect(200);
    relate(&app, &minji, &room, "m.thread", &root, "unseen").await;
    relate(&app, &minji, &room, "m.replace", &root, "unseen-edit").await;
    let told = event(&app, &joon, &room, &root).await;
    assert!(!told.to_string().contains("unseen"), "{told}");
    assert_eq!(
        told["unsigned"]["m.relations"]["m.thread"]["latest_event"]["event_id"],
        seen.as_str()
    );
    let path = format!("rooms/{room}/relations/{}", segment(&root));
    let page = get_v1(&app, &joon, &path).await.expect(200).json();
    assert_eq!(ids(&page["chunk"]), [seen]);
    assert_eq!(texts(&page["chunk"]), ["seen"]);
}

haechi_testkit::on_both_engines!(
    the_same_reaction_is_refused_until_it_was_taken_back,
    a_relation_to_what_is_not_in_the_room_is_refused,
    the_latest_edit_by_the_sender_is_told_with_the_original,
    relations_are_read_by_the_page_both_ways,
    relations_of_relations_are_followed_when_that_is_wanted,
    a_thread_is_told_with_its_root_and_listed,
    who_has_left_is_told_nothing_that_was_said_later,
);
