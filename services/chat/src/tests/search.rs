//! Searching what was said: before and after it is indexed.

use std::time::Duration;

use haechi_testkit::{SignedUp, TestApp, TestStore};
use serde_json::{Value, json};

use super::relations::relate;
use super::{assert_matrix_error, client, make_room, make_room_of, post, put, say, segment, start};

async fn search(app: &TestApp, who: &SignedUp, criteria: Value) -> Value {
    let body = json!({ "search_categories": { "room_events": criteria } });
    let told = post(app, who, "search", body).await.expect(200).json();
    told["search_categories"]["room_events"].clone()
}

fn bodies(found: &Value) -> Vec<String> {
    let results = found["results"].as_array().unwrap().iter();
    results
        .map(|result| {
            result["result"]["content"]["body"]
                .as_str()
                .unwrap_or("(none)")
                .to_owned()
        })
        .collect()
}

/// Lets the job index all there is.
async fn index(app: &TestApp) {
    app.advance(Duration::from_secs(700));
    app.run_due_jobs().await;
}

async fn part_of_a_word_is_found_in_both_scripts_before_and_after_it_is_indexed(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    say(&app, &minji, &room, "1", "내일 해운대에서 만나자").await;
    say(&app, &joon, &room, "2", "Let us meet at GATE 12").await;
    for round in 0..2 {
        for (term, expected) in [
            ("운대에", "내일 해운대에서 만나자"),
            ("만나 내일", "내일 해운대에서 만나자"),
            ("gate", "Let us meet at GATE 12"),
            ("eet", "Let us meet at GATE 12"),
        ] {
            let found = search(&app, &joon, json!({ "search_term": term, "order_by": "recent" })).await;
            assert_eq!(bodies(&found), [expected], "{term} in round {round}");
            assert_eq!(found["count"], 1);
        }
        let nothing = search(&app, &joon, json!({ "search_term": "광안리" })).await;
        assert_eq!((&nothing["results"], &nothing["count"]), (&json!([]), &json!(0)));
        index(&app).await;
    }
    let found = search(&app, &joon, json!({ "search_term": "GATE meet" })).await;
    assert_eq!(found["highlights"], json!(["gate", "meet"]));
    assert!(found["results"][0]["rank"].is_number());
    say(&app, &joon, &room, "3", "gate again").await;
    let found = search(
        &app,
        &joon,
        json!({ "search_term": "gate", "order_by": "recent" }),
    )
    .await;
    assert_eq!(
        bodies(&found),
        ["gate again", "Let us meet at GATE 12"],
        "what is not indexed yet comes too"
    );
}

async fn nobody_finds_what_they_may_not_read(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let visibility =
        json!({ "type": "m.room.history_visibility", "content": { "history_visibility": "joined" } });
    let room = make_room(
        &app,
        &minji,
        json!({ "preset": "public_chat", "initial_state": [visibility] }),
    )
    .await;
    say(&app, &minji, &room, "1", "treasure before").await;
    post(&app, &joon, &format!("join/{room}"), json!({}))
        .await
        .expect(200);
    say(&app, &minji, &room, "2", "treasure while").await;
    post(&app, &joon, &format!("rooms/{room}/leave"), json!({}))
        .await
        .expect(200);
    say(&app, &minji, &room, "3", "treasure after").await;
    let private = make_room_of(&app, &minji, &[]).await;
    say(&app, &minji, &private, "4", "treasure elsewhere").await;
    for _ in 0..2 {
        let found = search(&app, &joon, json!({ "search_term": "treasure" })).await;
        assert_eq!(bodies(&found), ["treasure while"]);
        let found = search(&app, &minji, json!({ "search_term": "treasure" })).await;
        assert_eq!(found["count"], 4);
        index(&app).await;
    }
    let room_id = room.replace("%21", "!").replace("%3A", ":");
    let only = json!({ "search_term": "treasure", "filter": { "not_rooms": [room_id] } });
    assert_eq!(bodies(&search(&app, &minji, only).await), ["treasure elsewhere"]);
}

async fn what_was_taken_back_is_found_no_more_and_an_edit_by_its_new_text(store: TestStore) {
    let (app, chat) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let room = make_room_of(&app, &minji, &[]).await;
    let secret = say(&app, &minji, &room, "1", "비밀번호 hunter").await;
    let original = say(&app, &minji, &room, "2", "original").await;
    relate(&app, &minji, &room, "m.replace", &original, "corrected").await;
    index(&app).await;
    assert_eq!(
        search(&app, &minji, json!({ "search_term": "hunter" })).await["count"],
        1
    );
    assert_eq!(
        search(&app, &minji, json!({ "search_term": "corrected" })).await["count"],
        1
    );
    let path = format!("rooms/{room}/redact/{}/1", segment(&secret));
    put(&app, &minji, &path, json!({})).await.expect(200);
    assert_eq!(
        search(&app, &minji, json!({ "search_term": "hunter" })).await["count"],
        0
    );
    index(&app).await;
    assert_eq!(
        search(&app, &minji, json!({ "search_term": "hunter" })).await["count"],
        0
    );
    // Its pieces are gone from the index itself.
    let terms = crate::model::SearchTerms::read("hunter").unwrap();
    let room_id = room.replace("%21", "!").replace("%3A", ":");
    let left: Result<_, haechi_store::StoreError> = app
        .context
        .store
        .read(async move |tx: &mut haechi_store::Tx<'_>| {
            let stale = crate::store::search::stale(tx, 10).await?;
            let terms = terms.clone();
            let blocks =
                crate::store::search::blocks(tx, &[&room_id], move |grams| terms.may_stand_in(grams)).await?;
            Ok((stale.len(), blocks.len()))
        })
        .await;
    assert_eq!(left.unwrap(), (0, 0));
    drop(chat);
}

async fn results_come_by_the_page(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let rooms = [
        make_room(
            &app,
            &minji,
            json!({ "name": "Lighthouse keepers", "topic": "lamps" }),
        )
        .await,
        make_room_of(&app, &minji, &[&joon]).await,
    ];
    for number in 0..24 {
        app.advance(Duration::from_millis(1));
        let room = &rooms[number % 2];
        let who = if number % 4 == 1 { &joon } else { &minji };
        say(&app, who, room, &number.to_string(), &format!("lamp {number}")).await;
    }
    let (mut read, mut from) = (Vec::new(), String::new());
    for _ in 0..4 {
        let criteria = json!({ "search_term": "lamp", "order_by": "recent", "keys": ["content.body"], "filter": { "limit": 10 } });
        let body = json!({ "search_categories": { "room_events": criteria } });
        let told = post(&app, &minji, &format!("search{from}"), body)
            .await
            .expect(200)
            .json();
        let found = &told["search_categories"]["room_events"];
        assert_eq!(found["count"], 24);
        read.extend(bodies(found));
        let Some(next) = found["next_batch"].as_str() else {
            break;
        };
        from = format!("?next_batch={next}");
        // What comes in between moves no page.
        app.advance(Duration::from_millis(1));
        say(&app, &minji, &rooms[0], &format!("between{next}"), "lamp between").await;
    }
    let expected: Vec<String> = (0..24).rev().map(|number| format!("lamp {number}")).collect();
    assert_eq!(read, expected);
}

async fn a_result_comes_with_what_stands_around_it(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let named = make_room(
        &app,
        &minji,
        json!({ "name": "Lighthouse keepers", "topic": "lamps" }),
    )
    .await;
    let room = make_room_of(&app, &minji, &[&joon]).await;
    say(&app, &minji, &named, "0", "lamp 7 elsewhere").await;
    for number in 5..12 {
        let who = if number == 7 { &minji } else { &joon };
        say(&app, who, &room, &number.to_string(), &format!("lamp {number}")).await;
    }
    let criteria = json!({
        "search_term": "lamp 7",
        "order_by": "recent",
        "event_context": { "before_limit": 1, "after_limit": 2, "include_profile": true },
        "include_state": true,
        "groupings": { "group_by": [{ "key": "room_id" }, { "key": "sender" }] },
        "filter": { "senders": [minji.user_id], "not_rooms": [named.replace("%21", "!").replace("%3A", ":")] },
    });
    let found = search(&app, &minji, criteria).await;
    assert_eq!(bodies(&found), ["lamp 7"]);
    let context = &found["results"][0]["context"];
    assert_eq!(super::texts(&context["events_before"]), ["lamp 6"]);
    assert_eq!(super::texts(&context["events_after"]), ["lamp 8", "lamp 9"]);
    assert_eq!(context["profile_info"][&joon.user_id]["displayname"], "Joon");
    let room_id = found["results"][0]["result"]["room_id"].as_str().unwrap();
    assert!(found["state"][room_id].as_array().unwrap().len() > 3);
    let event_id = &found["results"][0]["result"]["event_id"];
    assert_eq!(found["groups"]["room_id"][room_id]["results"], json!([event_id]));
    assert_eq!(
        found["groups"]["sender"][&minji.user_id]["results"],
        json!([event_id])
    );
    let plain = search(&app, &minji, json!({ "search_term": "lamp 7" })).await;
    assert!(plain["results"][0]["context"].is_null());

    let names = search(
        &app,
        &minji,
        json!({ "search_term": "house keep", "keys": ["content.name"] }),
    )
    .await;
    assert_eq!(names["results"][0]["result"]["type"], "m.room.name");
    let topics = search(&app, &minji, json!({ "search_term": "lamps" })).await;
    assert_eq!(topics["results"][0]["result"]["type"], "m.room.topic");
}

async fn many_rooms_and_messages_are_indexed_in_steps(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let room = make_room_of(&app, &minji, &[]).await;
    let sends = (0..150).map(|number| {
        let (app, minji, room) = (&app, &minji, &room);
        async move {
            let word = if number == 40 { "needle" } else { "hay" };
            say(app, minji, room, &number.to_string(), &format!("{word} {number}")).await;
        }
    });
    futures_util::future::join_all(sends).await;
    // Enough was said to be indexed at once.
    app.run_due_jobs().await;
    let found = search(&app, &minji, json!({ "search_term": "needle" })).await;
    assert_eq!(bodies(&found), ["needle 40"]);
    let all = search(
        &app,
        &minji,
        json!({ "search_term": "hay", "filter": { "limit": 50 } }),
    )
    .await;
    assert_eq!((bodies(&all).len(), &all["count"]), (50, &json!(149)));
}

async fn a_bad_search_is_refused(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    for (criteria, code) in [
        (json!({ "search_term": "" }), "M_INVALID_PARAM"),
        (json!({ "search_term": "x".repeat(300) }), "M_INVALID_PARAM"),
        (json!({}), "M_BAD_JSON"),
        (
            json!({ "search_term": "x", "order_by": "sideways" }),
            "M_BAD_JSON",
        ),
        (
            json!({ "search_term": "x", "keys": ["content.secret"] }),
            "M_BAD_JSON",
        ),
    ] {
        let body = json!({ "search_categories": { "room_events": criteria } });
        assert_matrix_error(&post(&app, &minji, "search", body).await, 400, code);
    }
    let body = json!({ "search_categories": { "room_events": { "search_term": "x" } } });
    assert_matrix_error(
        &post(&app, &minji, "search?next_batch=nonsense", body.clone()).await,
        400,
        "M_INVALID_PARAM",
    );
    let nobody = app.post(&client("search")).json(body).send().await;
    assert_matrix_error(&nobody, 401, "M_MISSING_TOKEN");
}

haechi_testkit::on_both_engines!(
    part_of_a_word_is_found_in_both_scripts_before_and_after_it_is_indexed,
    nobody_finds_what_they_may_not_read,
    what_was_taken_back_is_found_no_more_and_an_edit_by_its_new_text,
    results_come_by_the_page,
    a_result_comes_with_what_stands_around_it,
    many_rooms_and_messages_are_indexed_in_steps,
    a_bad_search_is_refused,
);
