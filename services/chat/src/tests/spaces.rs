//! Spaces walked through in pages, by who may see what; and summaries of single rooms.

use haechi_testkit::{SignedUp, TestApp, TestStore};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::model::{ListingPlace, Walk};

use super::{assert_matrix_error, get, make_room, post, put, segment, start};

proptest! {
    #[test]
    fn the_tokens_of_pages_survive_their_text(
        skipped in 0..10_000_usize, depth_max: Option<u64>, suggested_only: bool, joined: i64, is_forward: bool,
    ) {
        let walk = Walk { skipped, depth_max, suggested_only };
        let next = walk.go_on(Some(&walk.token_after(7))).unwrap();
        prop_assert_eq!(next, Walk { skipped: skipped + 7, ..walk });
        let place = ListingPlace { is_forward, joined, room_id: "!a.b:s".to_owned() };
        prop_assert_eq!(place.to_string().parse::<ListingPlace>(), Ok(place));
    }

    #[test]
    fn any_text_is_the_token_of_a_page_or_refused(text in "[fbh]?-?[0-9]{0,20}[._x!]{0,3}.{0,9}") {
        let _ = text.parse::<Walk>();
        let _ = text.parse::<ListingPlace>();
    }
}

async fn space(app: &TestApp, who: &SignedUp, name: &str) -> String {
    let wish = json!({ "preset": "public_chat", "name": name, "creation_content": { "type": "m.space" } });
    make_room(app, who, wish).await
}

async fn room(app: &TestApp, who: &SignedUp, name: &str, preset: &str) -> String {
    make_room(app, who, json!({ "preset": preset, "name": name })).await
}

async fn hold(app: &TestApp, who: &SignedUp, space: &str, child: &str, content: Value) {
    let path = format!("rooms/{space}/state/m.space.child/{child}");
    put(app, who, &path, content).await.expect(200);
}

/// A path of version 1.
async fn get_v1(app: &TestApp, who: &SignedUp, path: &str) -> haechi_testkit::TestResponse {
    let path = format!("/_matrix/client/v1/{path}");
    app.get(&path).bearer(&who.access_token).send().await
}

fn names(page: &Value) -> Vec<String> {
    let rooms = page["rooms"].as_array().unwrap().iter();
    rooms
        .map(|room| room["name"].as_str().unwrap().to_owned())
        .collect()
}

/// A space that holds another with a room in it, a room for everybody and one that is not; returns the space, the one
/// in it and the hidden room.
async fn spaces(app: &TestApp, who: &SignedUp) -> (String, String, String) {
    let (root, sub) = (space(app, who, "Root").await, space(app, who, "Sub").await);
    let open = room(app, who, "Open", "public_chat").await;
    let deep = room(app, who, "Deep", "public_chat").await;
    let hidden = room(app, who, "Hidden", "private_chat").await;
    let via = json!({ "via": ["localhost"] });
    let suggested = json!({ "via": ["localhost"], "order": "b", "suggested": true });
    hold(app, who, &root, &open, suggested).await;
    hold(
        app,
        who,
        &root,
        &sub,
        json!({ "via": ["localhost"], "order": "a" }),
    )
    .await;
    hold(app, who, &root, &hidden, via.clone()).await;
    hold(app, who, &root, "%21gone%3Alocalhost", via.clone()).await;
    hold(app, who, &sub, &deep, via.clone()).await;
    hold(app, who, &sub, &root, via).await;
    (root, sub, hidden)
}

async fn a_space_is_walked_through(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let (root, sub, hidden) = spaces(&app, &minji).await;
    let path = |query: &str| format!("rooms/{root}/hierarchy{query}");
    let walked = async |who: &SignedUp, query: &str| get_v1(&app, who, &path(query)).await.expect(200).json();
    let all = walked(&minji, "").await;
    assert_eq!(names(&all), ["Root", "Sub", "Deep", "Open", "Hidden"]);
    assert_eq!(all["rooms"][0]["room_type"], "m.space");
    assert_eq!(all["rooms"][0]["children_state"].as_array().unwrap().len(), 4);
    assert_eq!(all["rooms"][3]["children_state"], json!([]));
    assert_eq!(all["rooms"][3]["num_joined_members"], 1);
    assert_eq!(
        names(&walked(&joon, "").await),
        ["Root", "Sub", "Deep", "Open"],
        "what one may see"
    );
    assert_eq!(
        names(&walked(&joon, "?max_depth=1").await),
        ["Root", "Sub", "Open"]
    );
    assert_eq!(names(&walked(&joon, "?max_depth=0").await), ["Root"]);
    assert_eq!(
        names(&walked(&joon, "?suggested_only=true").await),
        ["Root", "Open"]
    );
    let first = walked(&joon, "?limit=3").await;
    assert_eq!(names(&first), ["Root", "Sub", "Deep"]);
    let token = first["next_batch"].as_str().unwrap();
    let second = walked(&joon, &format!("?limit=3&from={token}")).await;
    assert_eq!(
        (names(&second), &second["next_batch"]),
        (vec!["Open".to_owned()], &Value::Null)
    );
    for odd in [format!("?from={token}&max_depth=1"), "?from=x".to_owned()] {
        assert_matrix_error(&get_v1(&app, &joon, &path(&odd)).await, 400, "M_INVALID_PARAM");
    }
    let secret = get_v1(&app, &joon, &format!("rooms/{hidden}/hierarchy")).await;
    assert_matrix_error(&secret, 403, "M_FORBIDDEN");
    // What is taken out of a space is not walked through.
    put(
        &app,
        &minji,
        &format!("rooms/{root}/state/m.space.child/{sub}"),
        json!({}),
    )
    .await
    .expect(200);
    assert_eq!(names(&walked(&joon, "").await), ["Root", "Open"]);
    let nobody = app.get(&format!("/_matrix/client/v1/{}", path(""))).send().await;
    assert_matrix_error(&nobody, 401, "M_MISSING_TOKEN");
}

async fn a_room_shows_what_it_is_to_who_may_know(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let wish = json!({ "preset": "public_chat", "name": "Open", "topic": "All", "room_alias_name": "open",
        "initial_state": [{ "type": "m.room.encryption", "content": { "algorithm": "m.megolm.v1.aes-sha2" } }] });
    let open = make_room(&app, &minji, wish).await;
    let closed = make_room(&app, &minji, json!({ "name": "Closed" })).await;
    let alias = format!("#open:{}", minji.user_id.split_once(':').unwrap().1);
    let summary = get_v1(&app, &joon, &format!("room_summary/{}", segment(&alias))).await;
    let told = summary.expect(200).json();
    assert_eq!(segment(told["room_id"].as_str().unwrap()), open);
    assert_eq!(
        (&told["name"], &told["topic"], &told["membership"]),
        (&json!("Open"), &json!("All"), &json!("leave"))
    );
    assert_eq!(
        (&told["room_version"], &told["join_rule"]),
        (&json!("11"), &json!("public"))
    );
    assert_eq!(told["encryption"], "m.megolm.v1.aes-sha2");
    assert_eq!(told["canonical_alias"], alias.as_str());
    for path in [
        format!("/_matrix/client/v1/room_summary/{open}"),
        format!("/_matrix/client/unstable/im.nheko.summary/rooms/{open}/summary"),
        format!("/_matrix/client/unstable/im.nheko.summary/summary/{open}"),
    ] {
        let told = app.get(&path).send().await.expect(200).json();
        assert_eq!(
            (&told["name"], &told["membership"]),
            (&json!("Open"), &Value::Null),
            "{path}"
        );
    }
    let false_token = app
        .get(&format!("/_matrix/client/v1/room_summary/{open}"))
        .bearer("false");
    assert_matrix_error(&false_token.send().await, 401, "M_UNKNOWN_TOKEN");
    let path = format!("room_summary/{closed}");
    assert_matrix_error(&get_v1(&app, &joon, &path).await, 404, "M_NOT_FOUND");
    assert_eq!(
        get_v1(&app, &minji, &path).await.expect(200).json()["membership"],
        "join"
    );
    let invite = json!({ "user_id": joon.user_id });
    post(&app, &minji, &format!("rooms/{closed}/invite"), invite)
        .await
        .expect(200);
    assert_eq!(
        get_v1(&app, &joon, &path).await.expect(200).json()["membership"],
        "invite"
    );
    // Who is in a room whose members may come is shown the restricted one.
    let club = get(&app, &minji, "joined_rooms").await.json()["joined_rooms"][0].clone();
    let rule =
        json!({ "join_rule": "restricted", "allow": [{ "type": "m.room_membership", "room_id": club }] });
    let state = json!([{ "type": "m.room.join_rules", "content": rule }]);
    let third = make_room(&app, &minji, json!({ "initial_state": state })).await;
    let path = format!("room_summary/{third}");
    assert_matrix_error(&get_v1(&app, &joon, &path).await, 404, "M_NOT_FOUND");
    let club = segment(club.as_str().unwrap());
    post(&app, &joon, &format!("rooms/{club}/join"), json!({}))
        .await
        .expect(200);
    assert_eq!(
        get_v1(&app, &joon, &path).await.expect(200).json()["membership"],
        "leave"
    );
}

haechi_testkit::on_both_engines!(a_space_is_walked_through, a_room_shows_what_it_is_to_who_may_know,);
