//! Names of rooms: taken once, told truly, taken away by who may.

use haechi_testkit::{SignedUp, TestApp, TestResponse, TestStore};
use serde_json::{Value, json};

use super::{assert_matrix_error, client, get, make_room, make_room_of, post, put, segment, start};

fn path(alias: &str) -> String {
    format!("directory/room/{}", segment(alias))
}

async fn delete(app: &TestApp, who: &SignedUp, alias: &str) -> TestResponse {
    let path = client(&path(alias));
    app.delete(&path).bearer(&who.access_token).send().await
}

/// The id of a room whose path segment is given.
async fn id_of(app: &TestApp, who: &SignedUp, room: &str) -> String {
    let event = get(app, who, &format!("rooms/{room}/state/m.room.create?format=event"));
    event.await.expect(200).json()["room_id"].as_str().unwrap().to_owned()
}

async fn an_alias_points_to_one_room(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let server = minji.user_id.split_once(':').unwrap().1;
    let alias = format!("#이웃들:{server}");
    let room = make_room(&app, &minji, json!({ "preset": "public_chat" })).await;
    let room_id = id_of(&app, &minji, &room).await;
    let wish = json!({ "room_id": room_id });
    let foreign = put(&app, &joon, &path(&alias), wish.clone()).await;
    assert_matrix_error(&foreign, 403, "M_FORBIDDEN");
    put(&app, &minji, &path(&alias), wish.clone()).await.expect(200);
    let again = put(&app, &minji, &path(&alias), wish.clone()).await;
    assert_matrix_error(&again, 409, "M_UNKNOWN");
    let found = app.get(&client(&path(&alias))).send().await.expect(200).json();
    assert_eq!(found, json!({ "room_id": room_id, "servers": [server] }));
    let joined = post(&app, &joon, &format!("join/{}", segment(&alias)), json!({})).await;
    assert_eq!(joined.expect(200).json()["room_id"], room_id.as_str());
    let aliases = get(&app, &joon, &format!("rooms/{room}/aliases")).await.expect(200).json();
    assert_eq!(aliases["aliases"], json!([alias]));
    let stranger = app.sign_up("Sora").await;
    let refused = get(&app, &stranger, &format!("rooms/{room}/aliases")).await;
    assert_matrix_error(&refused, 403, "M_FORBIDDEN");

    assert_matrix_error(&delete(&app, &joon, &alias).await, 403, "M_FORBIDDEN");
    delete(&app, &minji, &alias).await.expect(200);
    assert_matrix_error(&delete(&app, &minji, &alias).await, 404, "M_NOT_FOUND");
    let gone = app.get(&client(&path(&alias))).send().await;
    assert_matrix_error(&gone, 404, "M_NOT_FOUND");
    let gone = post(&app, &stranger, &format!("join/{}", segment(&alias)), json!({})).await;
    assert_matrix_error(&gone, 404, "M_NOT_FOUND");
    for bad in ["#here:elsewhere.example", "#a b:localhost", "#:localhost", "here"] {
        let refused = put(&app, &minji, &path(bad), wish.clone()).await;
        assert_matrix_error(&refused, 400, "M_INVALID_PARAM");
    }
}

async fn a_room_tells_only_aliases_that_point_to_it(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let server = minji.user_id.split_once(':').unwrap().1;
    let room = make_room_of(&app, &minji, &[&joon]).await;
    let other = make_room(&app, &minji, json!({ "room_alias_name": "other" })).await;
    let told = get(&app, &minji, &format!("rooms/{other}/state/m.room.canonical_alias")).await;
    assert_eq!(told.expect(200).json()["alias"], format!("#other:{server}"));
    let state = format!("rooms/{room}/state/m.room.canonical_alias");
    for content in [
        json!({ "alias": format!("#none:{server}") }),
        json!({ "alias": format!("#other:{server}") }),
        json!({ "alt_aliases": ["#none:elsewhere.example"] }),
    ] {
        assert_matrix_error(&put(&app, &minji, &state, content).await, 400, "M_BAD_ALIAS");
    }
    for content in [json!({ "alias": "none" }), json!({ "alt_aliases": "x" }), json!({ "alias": 1 })] {
        assert_matrix_error(&put(&app, &minji, &state, content).await, 400, "M_INVALID_PARAM");
    }
    let names: Vec<String> = ["a", "b"].iter().map(|name| format!("#{name}:{server}")).collect();
    let room_id = id_of(&app, &minji, &room).await;
    for (who, name) in [(&joon, &names[0]), (&minji, &names[1])] {
        put(&app, who, &path(name), json!({ "room_id": room_id })).await.expect(200);
    }
    let both = json!({ "alias": names[0], "alt_aliases": names });
    put(&app, &minji, &state, both.clone()).await.expect(200);
    // Joon made it and may take it away, though he may not say so in the room.
    delete(&app, &joon, &names[0]).await.expect(200);
    assert_eq!(get(&app, &minji, &state).await.json(), both);
    delete(&app, &minji, &names[1]).await.expect(200);
    assert_eq!(
        get(&app, &minji, &state).await.json(),
        json!({ "alias": names[0], "alt_aliases": [names[0]] })
    );
    put(&app, &minji, &state, json!({})).await.expect(200);
}

async fn two_rooms_cannot_be_made_under_one_name(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let wish = json!({ "room_alias_name": "market", "visibility": "public" });
    let (one, two) = tokio::join!(
        post(&app, &minji, "createRoom", wish.clone()),
        post(&app, &joon, "createRoom", wish.clone())
    );
    let made = [&one, &two].into_iter().filter(|answer| answer.status == 200);
    assert_eq!(made.count(), 1);
    let refused = if one.status == 200 { &two } else { &one };
    assert_matrix_error(refused, 400, "M_ROOM_IN_USE");
    let listed: Value = app.get(&client("publicRooms")).send().await.expect(200).json();
    assert_eq!(listed["total_room_count_estimate"], 1, "nothing is left of the other");
    let rooms = async |who| get(&app, who, "joined_rooms").await.json()["joined_rooms"].clone();
    let count = rooms(&minji).await.as_array().unwrap().len() + rooms(&joon).await.as_array().unwrap().len();
    assert_eq!(count, 1);
    let lies = json!({ "initial_state": [{ "type": "m.room.canonical_alias",
        "content": { "alias": "#market:localhost" } }] });
    assert_matrix_error(&post(&app, &minji, "createRoom", lies).await, 400, "M_BAD_ALIAS");
}

haechi_testkit::on_both_engines!(
    an_alias_points_to_one_room,
    a_room_tells_only_aliases_that_point_to_it,
    two_rooms_cannot_be_made_under_one_name,
);
