//! Ways into a room: knocking, another room's membership, a phone number; and reading from outside.

use haechi_testkit::{SignedUp, TestApp, TestStore};
use serde_json::{Value, json};

use super::{
    assert_matrix_error, client, get, make_room, make_room_of, post, put, say, segment, start, sync, texts,
};

/// A room with a join rule, and more of it.
async fn room_with(app: &TestApp, who: &SignedUp, rule: Value) -> String {
    let state = json!([{ "type": "m.room.join_rules", "content": rule }]);
    make_room(app, who, json!({ "name": "Room", "initial_state": state })).await
}

fn of_room<'s>(told: &'s Value, room: &str) -> &'s Value {
    // Without any the list is left out.
    let mut rooms = told.as_object().into_iter().flatten();
    let found = rooms.find(|(room_id, _)| segment(room_id) == room);
    found.map_or(&Value::Null, |(_, room)| room)
}

async fn who_knocks_is_told_what_comes_of_it(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = room_with(&app, &minji, json!({ "join_rule": "knock" })).await;
    let knock =
        async |who: &SignedUp| post(&app, who, &format!("knock/{room}"), json!({ "reason": "hi" })).await;
    let verb = |verb: &str| format!("rooms/{room}/{verb}");
    let about = json!({ "user_id": joon.user_id });
    let since = sync(&app, &joon, "").await["next_batch"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        segment(knock(&joon).await.expect(200).json()["room_id"].as_str().unwrap()),
        room
    );
    let told = sync(&app, &joon, &since).await;
    let state = of_room(&told["rooms"]["knock"], &room)["knock_state"]["events"].clone();
    let has = |kind: &str| {
        state
            .as_array()
            .unwrap()
            .iter()
            .any(|event| event["type"] == kind)
    };
    assert!(
        has("m.room.name") && has("m.room.join_rules") && has("m.room.member"),
        "{state}"
    );
    assert!(!of_room(&sync(&app, &joon, "").await["rooms"]["knock"], &room).is_null());
    let members = get(&app, &minji, &verb("members?membership=knock"))
        .await
        .expect(200)
        .json();
    assert_eq!(members["chunk"][0]["content"]["reason"], "hi");
    assert_matrix_error(
        &get(&app, &joon, &verb("messages?dir=b")).await,
        403,
        "M_FORBIDDEN",
    );
    assert_matrix_error(
        &post(&app, &joon, &verb("join"), json!({})).await,
        403,
        "M_FORBIDDEN",
    );

    post(&app, &minji, &verb("kick"), about.clone()).await.expect(200);
    let told = sync(&app, &joon, &since).await;
    assert!(of_room(&told["rooms"]["knock"], &room).is_null());
    assert!(!of_room(&told["rooms"]["leave"], &room).is_null());
    knock(&joon).await.expect(200);
    post(&app, &joon, &verb("leave"), json!({})).await.expect(200);
    knock(&joon).await.expect(200);
    post(&app, &minji, &verb("invite"), about.clone())
        .await
        .expect(200);
    let told = sync(&app, &joon, &since).await;
    assert!(!of_room(&told["rooms"]["invite"], &room).is_null());
    assert_matrix_error(&knock(&joon).await, 403, "M_FORBIDDEN");
    post(&app, &joon, &verb("join"), json!({})).await.expect(200);
    assert_matrix_error(&knock(&joon).await, 403, "M_FORBIDDEN");
}

async fn nobody_knocks_where_it_is_not_wanted(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = room_with(&app, &minji, json!({ "join_rule": "knock" })).await;
    let closed = make_room(&app, &minji, json!({})).await;
    let refused = post(&app, &joon, &format!("knock/{closed}"), json!({})).await;
    assert_matrix_error(&refused, 403, "M_FORBIDDEN");
    let none = post(&app, &joon, "knock/%21none%3Alocalhost", json!({})).await;
    assert_matrix_error(&none, 404, "M_NOT_FOUND");
    let nobody = app
        .post(&client(&format!("knock/{room}")))
        .json(json!({}))
        .send()
        .await;
    assert_matrix_error(&nobody, 401, "M_MISSING_TOKEN");
}

async fn members_of_one_room_come_into_another(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let sora = app.sign_up("Sora").await;
    let club = make_room_of(&app, &minji, &[&joon]).await;
    let club_id = get(&app, &minji, "joined_rooms").await.json()["joined_rooms"][0].clone();
    let allow = json!([{ "type": "m.room_membership", "room_id": club_id }, { "type": "x" }, 7]);
    let rule = json!({ "join_rule": "restricted", "allow": allow });
    let room = room_with(&app, &minji, rule).await;
    let join = format!("rooms/{room}/join");
    assert_matrix_error(&post(&app, &sora, &join, json!({})).await, 403, "M_FORBIDDEN");
    // Nobody vouches for themselves by writing it down.
    let forged = json!({ "membership": "join", "join_authorised_via_users_server": minji.user_id });
    let path = |who: &SignedUp| format!("rooms/{room}/state/m.room.member/{}", segment(&who.user_id));
    assert_matrix_error(&put(&app, &sora, &path(&sora), forged).await, 403, "M_FORBIDDEN");
    post(&app, &joon, &join, json!({})).await.expect(200);
    let membership = get(&app, &joon, &path(&joon)).await.expect(200).json();
    assert_eq!(
        membership["join_authorised_via_users_server"],
        minji.user_id.as_str()
    );
    // A member stays one, whatever becomes of the other room; who comes back must be in it.
    post(&app, &joon, &format!("rooms/{club}/leave"), json!({}))
        .await
        .expect(200);
    say(&app, &joon, &room, "1", "still here").await;
    post(&app, &joon, &format!("rooms/{room}/leave"), json!({}))
        .await
        .expect(200);
    assert_matrix_error(&post(&app, &joon, &join, json!({})).await, 403, "M_FORBIDDEN");
    let invite = json!({ "user_id": sora.user_id });
    post(&app, &minji, &format!("rooms/{room}/invite"), invite)
        .await
        .expect(200);
    post(&app, &sora, &join, json!({})).await.expect(200);
}

async fn a_room_for_the_world_is_read_from_outside(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room(&app, &minji, json!({ "name": "Square" })).await;
    let secret = say(&app, &minji, &room, "1", "among us").await;
    let visibility = format!("rooms/{room}/state/m.room.history_visibility");
    let set = async |word: &str| put(&app, &minji, &visibility, json!({ "history_visibility": word })).await;
    set("world_readable").await.expect(200);
    let open = say(&app, &minji, &room, "2", "for all").await;
    let path = |rest: &str| format!("rooms/{room}/{rest}");
    let page = get(&app, &joon, &path("messages?dir=b&limit=50"))
        .await
        .expect(200)
        .json();
    assert_eq!(texts(&page["chunk"]), ["for all"], "not what was said before");
    get(&app, &joon, &path("state")).await.expect(200);
    get(&app, &joon, &path("members")).await.expect(200);
    get(&app, &joon, &path("aliases")).await.expect(200);
    get(&app, &joon, &path(&format!("event/{}", segment(&open))))
        .await
        .expect(200);
    get(&app, &joon, &path(&format!("context/{}", segment(&open))))
        .await
        .expect(200);
    let hidden = get(&app, &joon, &path(&format!("event/{}", segment(&secret)))).await;
    assert_matrix_error(&hidden, 404, "M_NOT_FOUND");
    assert_matrix_error(
        &get(&app, &joon, &path("joined_members")).await,
        403,
        "M_FORBIDDEN",
    );
    let text = json!({ "msgtype": "m.text", "body": "x" });
    let refused = put(&app, &joon, &path("send/m.room.message/1"), text).await;
    assert_matrix_error(&refused, 403, "M_FORBIDDEN");
    set("shared").await.expect(200);
    assert_matrix_error(&get(&app, &joon, &path("state")).await, 403, "M_FORBIDDEN");
}

async fn members_are_told_as_they_were(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let sora = app.sign_up("Sora").await;
    let room = make_room_of(&app, &minji, &[&joon]).await;
    let at = sync(&app, &minji, "").await["next_batch"]
        .as_str()
        .unwrap()
        .to_owned();
    put(
        &app,
        &joon,
        &format!("profile/{}/displayname", segment(&joon.user_id)),
        json!({ "displayname": "J" }),
    )
    .await
    .expect(200);
    post(&app, &joon, &format!("rooms/{room}/leave"), json!({}))
        .await
        .expect(200);
    let invite = json!({ "user_id": sora.user_id });
    post(&app, &minji, &format!("rooms/{room}/invite"), invite)
        .await
        .expect(200);
    let told = async |query: &str| {
        let path = format!("rooms/{room}/members?{query}");
        let chunk = get(&app, &minji, &path).await.expect(200).json()["chunk"].clone();
        let mut told: Vec<String> = chunk
            .as_array()
            .unwrap()
            .iter()
            .map(|event| {
                let content = &event["content"];
                let name = content["displayname"].as_str().unwrap_or("-");
                format!("{name} {}", content["membership"].as_str().unwrap())
            })
            .collect();
        told.sort();
        told
    };
    assert_eq!(told(&format!("at={at}")).await, ["Joon join", "Minji join"]);
    assert_eq!(told("").await, ["- leave", "Minji join", "Sora invite"]);
    assert_eq!(told("not_membership=leave").await, ["Minji join", "Sora invite"]);
    assert_eq!(told(&format!("at={at}&membership=leave")).await, [""; 0]);
    let odd = get(&app, &minji, &format!("rooms/{room}/members?at=yesterday")).await;
    assert_matrix_error(&odd, 400, "M_INVALID_PARAM");
}

async fn people_are_invited_by_phone_number(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let address = |medium: &str, address: &str| json!({ "id_server": "localhost", "id_access_token": "x", "medium": medium, "address": address });
    let bare = joon.phone.trim_start_matches('+');
    let wish = json!({ "invite_3pid": [address("msisdn", bare)] });
    let room = make_room(&app, &minji, wish).await;
    post(&app, &joon, &format!("rooms/{room}/join"), json!({}))
        .await
        .expect(200);
    let room = make_room(&app, &minji, json!({})).await;
    let invite = format!("rooms/{room}/invite");
    post(&app, &minji, &invite, address("msisdn", &joon.phone))
        .await
        .expect(200);
    post(&app, &joon, &format!("rooms/{room}/join"), json!({}))
        .await
        .expect(200);
    for nobody in ["821099990000", "nonsense", ""] {
        let refused = post(&app, &minji, &invite, address("msisdn", nobody)).await;
        assert_matrix_error(&refused, 400, "M_THREEPID_NOT_FOUND");
    }
    let by_mail = post(&app, &minji, &invite, address("email", "joon@example.org")).await;
    assert_matrix_error(&by_mail, 400, "M_THREEPID_MEDIUM_NOT_SUPPORTED");
}

async fn invitations_have_a_rate(store: TestStore) {
    let (app, chat) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room(&app, &minji, json!({})).await;
    chat.use_up_invitations(minji.person_id);
    let about = json!({ "user_id": joon.user_id });
    let as_state = format!("rooms/{room}/state/m.room.member/{}", segment(&joon.user_id));
    let refusals = [
        post(&app, &minji, &format!("rooms/{room}/invite"), about).await,
        put(&app, &minji, &as_state, json!({ "membership": "invite" })).await,
        post(&app, &minji, "createRoom", json!({ "invite": [joon.user_id] })).await,
    ];
    for refused in &refusals {
        assert_matrix_error(refused, 429, "M_LIMIT_EXCEEDED");
        assert!(refused.headers.contains_key("retry-after"));
        assert!(refused.json()["retry_after_ms"].as_u64().unwrap() > 0);
    }
    assert_eq!(sync(&app, &joon, "").await["rooms"]["invite"], json!({}));
    make_room(&app, &minji, json!({})).await;
}

async fn nobody_registers_here_and_there_are_no_guests(store: TestStore) {
    let (app, _) = start(store).await;
    let register = async |query: &str| {
        let path = client(&format!("register{query}"));
        app.post(&path).json(json!({})).send().await
    };
    assert_matrix_error(&register("?kind=guest").await, 403, "M_GUEST_ACCESS_FORBIDDEN");
    assert_matrix_error(&register("").await, 403, "M_FORBIDDEN");
    assert_matrix_error(&register("?kind=user").await, 403, "M_FORBIDDEN");
    assert_matrix_error(&register("?kind=king").await, 400, "M_INVALID_PARAM");
    let minji = app.sign_up("Minji").await;
    // What concerns other servers is state like any other.
    let room = make_room(&app, &minji, json!({})).await;
    let acl = json!({ "allow": ["*"], "deny": [], "allow_ip_literals": false });
    let path = format!("rooms/{room}/state/m.room.server_acl");
    put(&app, &minji, &path, acl.clone()).await.expect(200);
    assert_eq!(get(&app, &minji, &path).await.json(), acl);
}

haechi_testkit::on_both_engines!(
    who_knocks_is_told_what_comes_of_it,
    nobody_knocks_where_it_is_not_wanted,
    members_of_one_room_come_into_another,
    a_room_for_the_world_is_read_from_outside,
    members_are_told_as_they_were,
    people_are_invited_by_phone_number,
    invitations_have_a_rate,
    nobody_registers_here_and_there_are_no_guests,
);
