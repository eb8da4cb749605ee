//! Names of rooms: taken once, told truly, taken away by who may.

use haechi_testkit::{SignedUp, TestApp, TestResponse, TestStore};
use serde_json::{Value, json};

use crate::model::{Content, Draft, new_event_id, new_room_id};
use crate::ops::stream::{Founding, Wish};

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
    let path = format!("rooms/{room}/state/m.room.create?format=event");
    get(app, who, &path).await.expect(200).json()["room_id"]
        .as_str()
        .unwrap()
        .to_owned()
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
    let aliases = get(&app, &joon, &format!("rooms/{room}/aliases"))
        .await
        .expect(200)
        .json();
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
    let of_here = ["#a b:", "#:", "#a\u{7}:"].map(|name| format!("{name}{server}"));
    for bad in ["#here:elsewhere.example", "here"]
        .into_iter()
        .chain(of_here.iter().map(String::as_str))
    {
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
    let told = get(
        &app,
        &minji,
        &format!("rooms/{other}/state/m.room.canonical_alias"),
    )
    .await;
    assert_eq!(told.expect(200).json()["alias"], format!("#other:{server}"));
    let state = format!("rooms/{room}/state/m.room.canonical_alias");
    for content in [
        json!({ "alias": format!("#none:{server}") }),
        json!({ "alias": format!("#other:{server}") }),
        json!({ "alt_aliases": ["#none:elsewhere.example"] }),
    ] {
        assert_matrix_error(&put(&app, &minji, &state, content).await, 400, "M_BAD_ALIAS");
    }
    for content in [
        json!({ "alias": "none" }),
        json!({ "alt_aliases": "x" }),
        json!({ "alias": 1 }),
    ] {
        assert_matrix_error(&put(&app, &minji, &state, content).await, 400, "M_INVALID_PARAM");
    }
    let names: Vec<String> = ["a", "b"]
        .iter()
        .map(|name| format!("#{name}:{server}"))
        .collect();
    let room_id = id_of(&app, &minji, &room).await;
    for (who, name) in [(&joon, &names[0]), (&minji, &names[1])] {
        put(&app, who, &path(name), json!({ "room_id": room_id }))
            .await
            .expect(200);
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
    assert_eq!(
        listed["total_room_count_estimate"], 1,
        "nothing is left of the other"
    );
    let rooms = async |who| get(&app, who, "joined_rooms").await.json()["joined_rooms"].clone();
    let count = rooms(&minji).await.as_array().unwrap().len() + rooms(&joon).await.as_array().unwrap().len();
    assert_eq!(count, 1);
    let lies = json!({ "initial_state": [{ "type": "m.room.canonical_alias",
        "content": { "alias": "#market:localhost" } }] });
    assert_matrix_error(&post(&app, &minji, "createRoom", lies).await, 400, "M_BAD_ALIAS");
}

async fn a_room_made_twice_for_one_request_keeps_its_name(store: TestStore) {
    let (app, chat) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let server = minji.user_id.split_once(':').unwrap().1;
    let creation = Content::of(&json!({ "room_version": "11" }));
    let joins = Content::of(&json!({ "membership": "join" }));
    let state = |kind: &str, key: &str, content: &Content| {
        Draft::state(new_event_id(), minji.person_id, kind, key, content.clone())
    };
    let founding = Founding {
        drafts: vec![
            state("m.room.create", "", &creation),
            state("m.room.member", &minji.user_id, &joins),
        ],
        alias: Some(format!("#twice:{server}")),
        is_listed: true,
        replaces: None,
    };
    let room_id = new_room_id(server);
    for _ in 0..2 {
        let wish = Wish::Found(Box::new(founding.clone()));
        chat.submit(minji.person_id, room_id.clone(), wish).await.unwrap();
    }
    let listed = get(&app, &minji, "publicRooms").await.expect(200).json();
    assert_eq!(listed["chunk"][0]["room_id"], room_id.as_str());
    assert_eq!(listed["chunk"][0]["num_joined_members"], 1);
    let other = chat
        .submit(
            minji.person_id,
            new_room_id(server),
            Wish::Found(Box::new(founding)),
        )
        .await;
    assert!(matches!(other, Err(crate::ChatError::RoomInUse(_))));
}

async fn every_route_about_rooms_asks_who_it_is(store: TestStore) {
    let (app, _) = start(store).await;
    let room = "%21room%3Ax";
    let routes = [
        ("PUT", "directory/room/%23a%3Ax".to_owned()),
        ("DELETE", "directory/room/%23a%3Ax".to_owned()),
        ("PUT", format!("directory/list/room/{room}")),
        ("GET", format!("rooms/{room}/aliases")),
        ("POST", "publicRooms".to_owned()),
        ("POST", format!("knock/{room}")),
        ("POST", format!("rooms/{room}/upgrade")),
        ("POST", format!("rooms/{room}/report")),
        ("POST", format!("rooms/{room}/report/%24x")),
        ("POST", "users/%40x%3Ax/report".to_owned()),
    ];
    for (method, path) in routes {
        let request = || {
            app.request(&method.parse().unwrap(), &client(&path))
                .json(json!({}))
        };
        assert_matrix_error(&request().send().await, 401, "M_MISSING_TOKEN");
        assert_matrix_error(&request().bearer("false").send().await, 401, "M_UNKNOWN_TOKEN");
    }
    let minji = app.sign_up("Minji").await;
    for path in [
        "publicRooms",
        "createRoom",
        "rooms/%21room%3Ax/upgrade",
        "users/%40x%3Ax/report",
    ] {
        let odd = app.post(&client(path)).bearer(&minji.access_token);
        let refused = odd.bytes("application/json", "{\"a\":").send().await;
        assert_matrix_error(&refused, 400, "M_NOT_JSON");
    }
    for (path, body) in [
        ("publicRooms", json!({ "filter": 7 })),
        ("rooms/%21room%3Ax/upgrade", json!({})),
        ("createRoom", json!({ "room_alias_name": 7 })),
    ] {
        assert_matrix_error(&post(&app, &minji, path, body).await, 400, "M_BAD_JSON");
    }
}

haechi_testkit::on_both_engines!(
    a_room_made_twice_for_one_request_keeps_its_name,
    every_route_about_rooms_asks_who_it_is,
    an_alias_points_to_one_room,
    a_room_tells_only_aliases_that_point_to_it,
    two_rooms_cannot_be_made_under_one_name,
);
