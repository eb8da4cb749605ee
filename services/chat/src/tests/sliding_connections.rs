//! Sliding sync: where a connection goes on, how it waits, and what is refused.

use std::collections::HashSet;
use std::time::Duration;

use haechi_store::{StoreError, Tx};
use haechi_testkit::TestStore;
use serde_json::{Value, json};

use super::sliding::{PATH, ask, pos, slide, told, window};
use super::{assert_matrix_error, get, make_room_of, post, say, segment, start, start_node, texts};
use crate::model::limits::SLIDING_ROOMS_MAX;
use crate::model::{Member, Membership};
use crate::store;
use crate::store::memberships::FoundMember;
use crate::store::rooms::Raised;

async fn a_waiting_request_is_woken_by_a_message_and_by_nothing_else(store: TestStore) {
    let (app, chat) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    let elsewhere = make_room_of(&app, &minji, &[&joon]).await;
    let first = slide(&app, &joon, "", &window(9)).await;
    let query = format!("timeout=20000&pos={}", pos(&first));
    let wish = window(9);
    let waiting = ask(&app, &joon, &query, &wish);
    let saying = async {
        chat.until_asking(joon.person_id).await;
        say(&app, &minji, &room, "1", "wake up").await
    };
    let both = async { tokio::join!(waiting, saying) };
    let (news, _) = tokio::time::timeout(Duration::from_secs(10), both)
        .await
        .expect("woken in time");
    let news = news.expect(200).json();
    assert_eq!(texts(&told(&news, &room)["timeline"]), ["wake up"]);
    // Outside the window nothing is news: the wait ends by its own time.
    let small = json!({ "conn_id": "main", "lists": { "all": { "ranges": [[0, 0]] } } });
    let seen = slide(&app, &joon, pos(&news), &small).await;
    let query = format!("timeout=400&pos={}", pos(&seen));
    let waiting = ask(&app, &joon, &query, &small);
    let receipt = async {
        let event = get(&app, &minji, &format!("rooms/{elsewhere}/messages?dir=b&limit=1")).await;
        let event = event.expect(200).json()["chunk"][0]["event_id"]
            .as_str()
            .unwrap()
            .to_owned();
        let path = format!("rooms/{elsewhere}/receipt/m.read/{}", segment(&event));
        post(&app, &minji, &path, json!({})).await.expect(200);
    };
    let (quiet, ()) = tokio::join!(waiting, receipt);
    assert_eq!(quiet.expect(200).json()["rooms"], json!({}));
}

async fn a_lost_answer_is_given_again(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    let first = slide(&app, &joon, "", &window(9)).await;
    say(&app, &minji, &room, "1", "one").await;
    let lost = slide(&app, &joon, pos(&first), &window(9)).await;
    say(&app, &minji, &room, "2", "two").await;
    let again = slide(&app, &joon, pos(&first), &window(9)).await;
    assert_eq!(texts(&told(&lost, &room)["timeline"]), ["one"]);
    assert_eq!(texts(&told(&again, &room)["timeline"]), ["one", "two"]);
    assert_eq!(
        slide(&app, &joon, pos(&again), &window(9)).await["rooms"],
        json!({})
    );
    // What was not received is over.
    let stale = ask(&app, &joon, &format!("pos={}", pos(&lost)), &window(9)).await;
    assert_matrix_error(&stale, 400, "M_UNKNOWN_POS");
    let echoed = json!({ "conn_id": "main", "txn_id": "t1" });
    assert_eq!(slide(&app, &joon, pos(&again), &echoed).await["txn_id"], "t1");
}

async fn a_foreign_pos_is_unknown_and_changes_nothing(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let tablet = app.sign_in(&joon.phone, None).await;
    make_room_of(&app, &minji, &[&joon]).await;
    let first = slide(&app, &joon, "", &window(9)).await;
    let query = format!("pos={}", pos(&first));
    let other = json!({ "conn_id": "other", "lists": {} });
    for refused in [
        ask(&app, &minji, &query, &window(9)).await,
        ask(&app, &tablet, &query, &window(9)).await,
        ask(&app, &joon, &query, &other).await,
        ask(&app, &joon, &query, &json!({})).await,
        ask(&app, &joon, "pos=s0_0_0_0_0_0", &window(9)).await,
        ask(&app, &joon, "pos=7.x", &window(9)).await,
    ] {
        assert_matrix_error(&refused, 400, "M_UNKNOWN_POS");
    }
    // Two connections of one device do not disturb each other, and the first goes on.
    let keys = json!({ "conn_id": "other", "extensions": { "e2ee": { "enabled": true } } });
    let second = slide(&app, &joon, "", &keys).await;
    assert_eq!(
        slide(&app, &joon, pos(&first), &window(9)).await["rooms"],
        json!({})
    );
    slide(&app, &joon, pos(&second), &keys).await;
}

async fn bad_requests_are_refused_and_the_connection_goes_on(store: TestStore) {
    let (app, _) = start(store).await;
    let joon = app.sign_up("Joon").await;
    make_room_of(&app, &joon, &[]).await;
    assert_matrix_error(
        &app.post(PATH).json(window(1)).send().await,
        401,
        "M_MISSING_TOKEN",
    );
    let stranger = app.post(PATH).bearer("nobody").json(window(1)).send().await;
    assert_matrix_error(&stranger, 401, "M_UNKNOWN_TOKEN");
    let first = slide(&app, &joon, "", &window(9)).await;
    let query = format!("pos={}", pos(&first));
    let many: serde_json::Map<String, Value> = (0..40)
        .map(|number| (number.to_string(), json!({ "ranges": [[0, 1]] })))
        .collect();
    let list = |list: Value| json!({ "conn_id": "main", "lists": { "all": list } });
    let cases = [
        (list(json!({ "ranges": [[-1, 4]] })), "M_INVALID_PARAM"),
        (list(json!({ "ranges": [[4, 1]] })), "M_INVALID_PARAM"),
        (
            list(json!({ "ranges": [[0, 1]], "timeline_limit": -1 })),
            "M_INVALID_PARAM",
        ),
        (json!({ "conn_id": "main", "lists": many }), "M_INVALID_PARAM"),
        (list(json!({ "ranges": [[0, 1.5]] })), "M_BAD_JSON"),
        (list(json!({ "ranges": [["a", "b"]] })), "M_BAD_JSON"),
        (
            list(json!({ "ranges": [[0, 1]], "required_state": [["m.room.name"]] })),
            "M_BAD_JSON",
        ),
        (json!([1]), "M_BAD_JSON"),
        (json!({ "conn_id": 7 }), "M_BAD_JSON"),
    ];
    for (body, code) in cases {
        assert_matrix_error(&ask(&app, &joon, &query, &body).await, 400, code);
    }
    let path = format!("{PATH}?{query}");
    for (bytes, status, code) in [
        (b"not json".to_vec(), 400, "M_NOT_JSON"),
        (b"{\"lists\":".to_vec(), 400, "M_NOT_JSON"),
        (b"{\"conn_id\":\"a\0\"}".to_vec(), 400, "M_NOT_JSON"),
        (vec![b'x'; 2 * 1024 * 1024], 413, "M_TOO_LARGE"),
    ] {
        let sent = app
            .post(&path)
            .bearer(&joon.access_token)
            .bytes("application/json", bytes);
        assert_matrix_error(&sent.send().await, status, code);
    }
    let soon = ask(&app, &joon, &format!("{query}&timeout=soon"), &window(9)).await;
    assert_matrix_error(&soon, 400, "M_INVALID_PARAM");
    let odd = ask(&app, &joon, &format!("{query}&set_presence=dancing"), &window(9)).await;
    assert_matrix_error(&odd, 400, "M_INVALID_PARAM");
    // Windows that overlap show each room once; very much of a timeline is cut; nonsense nobody knows is passed over.
    let lists =
        json!({ "ranges": [[0, 5], [3, 99_999_999]], "timeline_limit": 1_000_000_000, "sort": ["x"] });
    let wide = ask(&app, &joon, &query, &list(lists)).await.expect(200).json();
    assert_eq!(wide["lists"]["all"]["count"], 1);
    let versions = app.get("/_matrix/client/versions").send().await;
    assert_eq!(
        versions.json()["unstable_features"]["org.matrix.simplified_msc3575"],
        true
    );
}

async fn who_is_in_very_many_rooms_is_told_of_those_in_the_window(store: TestStore) {
    const ROOMS: i64 = 2_000;
    let (app, _) = start(store).await;
    let joon = app.sign_up("Joon").await;
    let person = joon.person_id;
    let started = app.context.now();
    let put = async move |tx: &mut Tx<'_>| -> Result<(), StoreError> {
        let names: Vec<String> = (0..ROOMS)
            .map(|number| format!("!{number:04}:localhost"))
            .collect();
        let members: Vec<FoundMember> = names
            .iter()
            .map(|room_id| FoundMember {
                room_id: room_id.clone(),
                person,
                member: Member {
                    membership: Membership::Join,
                    joined_from: Some(1),
                    invited_from: None,
                    left_at: None,
                },
                event_id: format!("${room_id}"),
                position: 1,
            })
            .collect();
        store::memberships::put(tx, &members).await?;
        let raised: Vec<Raised<'_>> = (0..)
            .zip(&names)
            .map(|(number, room_id)| Raised {
                room_id,
                position: 1,
                messages: 0,
                bumped_at: Some(started + Duration::from_secs(number)),
            })
            .collect();
        store::rooms::raise_activity(tx, &raised).await?;
        for stream in 0..4 {
            store::streams::draw(tx, stream, 1).await?;
        }
        Ok(())
    };
    app.context.store.write_unkeyed(put).await.unwrap();
    let wish = |last: usize| {
        json!({ "conn_id": "main",
            "lists": { "all": { "ranges": [[0, last]], "filters": { "not_room_types": ["m.space"] } } } })
    };
    let first = slide(&app, &joon, "", &wish(9)).await;
    assert_eq!(first["lists"]["all"]["count"], ROOMS);
    let rooms =
        |answer: &Value| -> Vec<String> { answer["rooms"].as_object().unwrap().keys().cloned().collect() };
    let newest: Vec<String> = (1_990..2_000)
        .map(|number| format!("!{number:04}:localhost"))
        .collect();
    assert_eq!(rooms(&first), newest);
    // All at once: as many as one answer holds, and the rest with the next, which do not wait.
    let mut seen: HashSet<String> = newest.into_iter().collect();
    let mut at = pos(&first).to_owned();
    for _ in 0..10 {
        let answer = ask(&app, &joon, &format!("timeout=20000&pos={at}"), &wish(1_999)).await;
        let answer = answer.expect(200).json();
        assert!(rooms(&answer).len() <= SLIDING_ROOMS_MAX);
        seen.extend(rooms(&answer));
        at = pos(&answer).to_owned();
    }
    assert_eq!(i64::try_from(seen.len()).unwrap(), ROOMS);
    let quiet = slide(&app, &joon, &at, &wish(1_999)).await;
    assert_eq!(quiet["rooms"], json!({}));
}

haechi_testkit::on_both_engines!(
    a_waiting_request_is_woken_by_a_message_and_by_nothing_else,
    a_lost_answer_is_given_again,
    a_foreign_pos_is_unknown_and_changes_nothing,
    bad_requests_are_refused_and_the_connection_goes_on,
    who_is_in_very_many_rooms_is_told_of_those_in_the_window,
);

#[test]
fn another_node_lets_a_client_begin_anew() {
    haechi_testkit::run_test(async {
        let store = TestStore::postgres().await;
        let (left, _) = start_node(&store, "pangyo").await;
        let (right, _) = start_node(&store, "busan").await;
        let joon = left.sign_up("Joon").await;
        make_room_of(&left, &joon, &[]).await;
        let first = slide(&left, &joon, "", &window(9)).await;
        let moved = ask(&right, &joon, &format!("pos={}", pos(&first)), &window(9)).await;
        assert_matrix_error(&moved, 400, "M_UNKNOWN_POS");
        let anew = slide(&right, &joon, "", &window(9)).await;
        assert_eq!(anew["rooms"].as_object().unwrap().len(), 1);
        // And back: the first one still knows.
        slide(&left, &joon, pos(&first), &window(9)).await;
    });
}
