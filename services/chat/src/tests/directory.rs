//! The directory of rooms: what stands in it, searched and in pages both ways.

use haechi_testkit::{SignedUp, TestApp, TestStore};
use serde_json::{Value, json};

use super::{assert_matrix_error, client, get, make_room, post, put, start};

async fn search(app: &TestApp, who: &SignedUp, wish: Value) -> Value {
    post(app, who, "publicRooms", wish).await.expect(200).json()
}

fn names(page: &Value) -> Vec<String> {
    let rooms = page["chunk"].as_array().unwrap().iter();
    rooms
        .map(|room| room["name"].as_str().unwrap_or("(none)").to_owned())
        .collect()
}

/// Public rooms with one, two and three people.
async fn three_rooms(app: &TestApp, host: &SignedUp, guests: &[&SignedUp]) -> Vec<String> {
    let mut rooms = Vec::new();
    for (count, (name, topic)) in [
        ("Seoul", "100% hills"),
        ("부산 사람들", "바다"),
        ("Jeju", "Tangerines"),
    ]
    .into_iter()
    .enumerate()
    {
        let wish = json!({ "visibility": "public", "name": name, "topic": topic });
        let room = make_room(app, host, wish).await;
        for guest in &guests[..count] {
            post(app, guest, &format!("rooms/{room}/join"), json!({}))
                .await
                .expect(200);
        }
        rooms.push(room);
    }
    rooms
}

async fn rooms_come_by_their_size_in_pages_both_ways(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let sora = app.sign_up("Sora").await;
    let rooms = three_rooms(&app, &minji, &[&joon, &sora]).await;
    make_room(
        &app,
        &minji,
        json!({ "preset": "public_chat", "name": "Unlisted" }),
    )
    .await;
    let all: Value = app.get(&client("publicRooms")).send().await.expect(200).json();
    assert_eq!(names(&all), ["Jeju", "부산 사람들", "Seoul"]);
    assert_eq!(all["total_room_count_estimate"], 3);
    assert_eq!(all["chunk"][0]["num_joined_members"], 3);
    assert_eq!(all["chunk"][0]["join_rule"], "public");
    assert_eq!(all["chunk"][0]["world_readable"], false);
    assert_eq!(
        (&all["next_batch"], &all["prev_batch"]),
        (&Value::Null, &Value::Null)
    );
    let page = async |since: &Value| {
        let since = since
            .as_str()
            .map(|since| format!("&since={}", super::segment(since)));
        let path = client(&format!("publicRooms?limit=2{}", since.unwrap_or_default()));
        app.get(&path).send().await.expect(200).json()
    };
    let first = page(&Value::Null).await;
    assert_eq!(names(&first), ["Jeju", "부산 사람들"]);
    let second = page(&first["next_batch"]).await;
    assert_eq!(names(&second), ["Seoul"]);
    assert_eq!(second["next_batch"], Value::Null);
    let back = page(&second["prev_batch"]).await;
    assert_eq!(names(&back), ["Jeju", "부산 사람들"]);
    assert_eq!(back["prev_batch"], Value::Null);
    assert_eq!(names(&page(&back["next_batch"]).await), ["Seoul"]);
    // Who goes is not counted any more.
    for guest in [&joon, &sora] {
        post(&app, guest, &format!("rooms/{}/leave", rooms[2]), json!({}))
            .await
            .expect(200);
    }
    let all: Value = app.get(&client("publicRooms")).send().await.expect(200).json();
    assert_eq!(all["chunk"][0]["num_joined_members"], 2);
    assert_eq!(names(&all)[0], "부산 사람들");
}

async fn rooms_are_found_by_parts_of_their_words(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let rooms = three_rooms(&app, &minji, &[&joon, &joon]).await;
    let space = json!({ "visibility": "public", "name": "Space", "room_alias_name": "orbit",
        "creation_content": { "type": "m.space" } });
    make_room(&app, &minji, space).await;
    let found = async |term: &str| {
        let wish = json!({ "filter": { "generic_search_term": term } });
        names(&search(&app, &joon, wish).await)
    };
    assert_eq!(found("산 사").await, ["부산 사람들"]);
    assert_eq!(found("바다").await, ["부산 사람들"]);
    assert_eq!(found("TANGER").await, ["Jeju"]);
    assert_eq!(found("orbit").await, ["Space"]);
    assert_eq!(found("100%").await, ["Seoul"]);
    assert_eq!(
        found("%").await,
        ["Seoul"],
        "what stands for anything stands for itself"
    );
    assert_eq!(found("_").await, [""; 0]);
    let name = format!("rooms/{}/state/m.room.name", rooms[0]);
    put(&app, &minji, &name, json!({ "name": "서울" }))
        .await
        .expect(200);
    assert_eq!(found("seoul").await, [""; 0]);
    assert_eq!(found("서울").await, ["서울"]);
    let of_types = async |types: Value| {
        let wish = json!({ "filter": { "room_types": types } });
        search(&app, &joon, wish).await["chunk"].as_array().unwrap().len()
    };
    assert_eq!(of_types(json!(["m.space"])).await, 1);
    assert_eq!(of_types(json!([null])).await, 3);
    assert_eq!(of_types(json!([null, "m.space"])).await, 4);
    let long = json!({ "filter": { "generic_search_term": "x".repeat(1_000) } });
    assert_matrix_error(
        &post(&app, &joon, "publicRooms", long).await,
        400,
        "M_INVALID_PARAM",
    );
    let token = json!({ "since": "f1.nowhere" });
    assert_matrix_error(
        &post(&app, &joon, "publicRooms", token).await,
        400,
        "M_INVALID_PARAM",
    );
    let server = app
        .get(&client("publicRooms?server=elsewhere.example"))
        .send()
        .await;
    assert_matrix_error(&server, 404, "M_NOT_FOUND");
    let nobody = app.post(&client("publicRooms")).json(json!({})).send().await;
    assert_matrix_error(&nobody, 401, "M_MISSING_TOKEN");
}

async fn who_may_put_a_room_into_the_directory(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room(&app, &minji, json!({ "preset": "public_chat", "name": "Here" })).await;
    post(&app, &joon, &format!("rooms/{room}/join"), json!({}))
        .await
        .expect(200);
    let path = format!("directory/list/room/{room}");
    let visibility = async || app.get(&client(&path)).send().await.expect(200).json();
    assert_eq!(visibility().await["visibility"], "private");
    let public = json!({ "visibility": "public" });
    assert_matrix_error(&put(&app, &joon, &path, public.clone()).await, 403, "M_FORBIDDEN");
    let odd = json!({ "visibility": "somewhat" });
    assert_matrix_error(&put(&app, &minji, &path, odd).await, 400, "M_INVALID_PARAM");
    put(&app, &minji, &path, public.clone()).await.expect(200);
    assert_eq!(visibility().await["visibility"], "public");
    let all = get(&app, &joon, "publicRooms").await.expect(200).json();
    assert_eq!(
        (names(&all), &all["chunk"][0]["num_joined_members"]),
        (vec!["Here".to_owned()], &json!(2))
    );
    put(&app, &minji, &path, json!({ "visibility": "private" }))
        .await
        .expect(200);
    assert_eq!(get(&app, &joon, "publicRooms").await.json()["chunk"], json!([]));
    let none = "directory/list/room/%21none%3Alocalhost";
    assert_matrix_error(&app.get(&client(none)).send().await, 404, "M_NOT_FOUND");
    assert_matrix_error(&put(&app, &minji, none, public).await, 404, "M_NOT_FOUND");
}

haechi_testkit::on_both_engines!(
    rooms_come_by_their_size_in_pages_both_ways,
    rooms_are_found_by_parts_of_their_words,
    who_may_put_a_room_into_the_directory,
);
