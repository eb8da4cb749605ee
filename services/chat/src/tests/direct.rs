//! Friends and direct chats, and that every route of ours refuses what it should.

use haechi_testkit::{SignedUp, TestApp, TestStore, assert_problem, every_route_refuses};
use serde_json::{Value, json};

use super::{get, post, say, segment, start, sync};

async fn open(app: &TestApp, who: &SignedUp, other: &str) -> String {
    let opened = app
        .post("/api/chat/direct")
        .bearer(&who.access_token)
        .json(json!({ "user_id": other }))
        .send()
        .await
        .expect(200)
        .json();
    segment(opened["room_id"].as_str().unwrap())
}

async fn friends(app: &TestApp, who: &SignedUp) -> Value {
    app.get("/api/chat/friends")
        .bearer(&who.access_token)
        .send()
        .await
        .expect(200)
        .json()
}

async fn friends_are_one_sided(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let add = async |body: Value| {
        app.post("/api/chat/friends")
            .bearer(&minji.access_token)
            .json(body)
            .send()
            .await
    };
    let friend = add(json!({ "phone": joon.phone })).await.expect(201).json();
    assert_eq!(friend["user_id"], joon.user_id.as_str());
    assert_eq!(friend["display_name"], "Joon");
    assert_eq!(friend["avatar_url"], Value::Null);
    add(json!({ "user_id": joon.user_id })).await.expect(201);
    let list = friends(&app, &minji).await;
    assert_eq!(
        (list["items"].as_array().unwrap().len(), &list["next"]),
        (1, &Value::Null)
    );
    assert_eq!(friends(&app, &joon).await["items"], json!([]));
    assert_problem(
        &add(json!({ "phone": "010-9999-0000" })).await,
        404,
        "no-such-person",
    );
    assert_problem(
        &add(json!({ "user_id": "@x:elsewhere" })).await,
        404,
        "no-such-person",
    );
    assert_problem(
        &add(json!({ "user_id": minji.user_id })).await,
        422,
        "invalid-body",
    );
    assert_problem(&add(json!({})).await, 422, "invalid-body");
    let path = format!("/api/chat/friends/{}", segment(&joon.user_id));
    for _ in 0..2 {
        app.delete(&path)
            .bearer(&minji.access_token)
            .send()
            .await
            .expect(204);
    }
    assert_eq!(friends(&app, &minji).await["items"], json!([]));
}

async fn friends_come_in_pages(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    for number in 0..3 {
        let friend = app.sign_up(&format!("Friend {number}")).await;
        let add = app.post("/api/chat/friends").bearer(&minji.access_token);
        add.json(json!({ "user_id": friend.user_id }))
            .send()
            .await
            .expect(201);
    }
    let first = app
        .get("/api/chat/friends?limit=2")
        .bearer(&minji.access_token)
        .send()
        .await
        .expect(200)
        .json();
    let path = format!(
        "/api/chat/friends?limit=2&before={}",
        first["next"].as_str().unwrap()
    );
    let second = app
        .get(&path)
        .bearer(&minji.access_token)
        .send()
        .await
        .expect(200)
        .json();
    assert_eq!(second["items"].as_array().unwrap().len(), 1);
    assert_eq!(second["next"], Value::Null);
}

async fn two_people_have_one_chat(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let (one, two) = tokio::join!(
        open(&app, &minji, &joon.user_id),
        open(&app, &joon, &minji.user_id)
    );
    assert_eq!(one, two, "whoever asks, and both at once");
    say(&app, &minji, &one, "1", "hi").await;
    say(&app, &joon, &one, "1", "hi").await;
    let told = sync(&app, &joon, "").await;
    assert_eq!(told["rooms"]["invite"], json!({}));
    let direct = told["account_data"]["events"].as_array().unwrap();
    let direct = direct.iter().find(|event| event["type"] == "m.direct").unwrap();
    assert_eq!(
        segment(direct["content"][&minji.user_id][0].as_str().unwrap()),
        one
    );

    post(&app, &joon, &format!("rooms/{one}/leave"), json!({}))
        .await
        .expect(200);
    assert_eq!(
        open(&app, &minji, &joon.user_id).await,
        one,
        "who left is brought back"
    );
    say(&app, &joon, &one, "2", "back").await;
    post(&app, &joon, &format!("rooms/{one}/leave"), json!({}))
        .await
        .expect(200);
    assert_eq!(open(&app, &joon, &minji.user_id).await, one);
    post(&app, &joon, &format!("rooms/{one}/leave"), json!({}))
        .await
        .expect(200);
    post(&app, &minji, &format!("rooms/{one}/leave"), json!({}))
        .await
        .expect(200);
    let fresh = open(&app, &joon, &minji.user_id).await;
    assert_ne!(fresh, one, "nobody was left to let the other in");
    say(&app, &minji, &fresh, "3", "anew").await;
    let rooms = get(&app, &joon, "joined_rooms").await.json();
    assert_eq!(rooms["joined_rooms"].as_array().unwrap().len(), 1);
    let alone = app
        .post("/api/chat/direct")
        .bearer(&joon.access_token)
        .json(json!({ "user_id": joon.user_id }));
    assert_problem(&alone.send().await, 422, "invalid-body");
}

async fn direct_chats_are_all_noted_and_what_cannot_be_read_is_left(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let sora = app.sign_up("Sora").await;
    let path = |who: &SignedUp| format!("user/{}/account_data/m.direct", segment(&who.user_id));
    let odd = json!({ "@x:y": "not a list" });
    super::put(&app, &joon, &path(&joon), odd.clone())
        .await
        .expect(200);
    tokio::join!(
        open(&app, &minji, &joon.user_id),
        open(&app, &minji, &sora.user_id)
    );
    let noted = get(&app, &minji, &path(&minji)).await.expect(200).json();
    assert_eq!(noted.as_object().unwrap().len(), 2, "{noted}");
    assert_eq!(get(&app, &joon, &path(&joon)).await.expect(200).json(), odd);
}

async fn every_route_of_ours_refuses(store: TestStore) {
    let (app, _) = start(store).await;
    let public = [
        "GET /api/identity/gateway",
        "POST /api/identity/codes",
        "POST /api/identity/sessions",
        "POST /api/identity/sessions/refresh",
    ];
    every_route_refuses(&app, &public).await;
}

haechi_testkit::on_both_engines!(
    friends_are_one_sided,
    friends_come_in_pages,
    two_people_have_one_chat,
    direct_chats_are_all_noted_and_what_cannot_be_read_is_left,
    every_route_of_ours_refuses,
);
