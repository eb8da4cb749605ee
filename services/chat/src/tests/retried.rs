//! A request that is run again after its COMMIT was lost: the same answer, and nothing happens twice.

use haechi_base::PersonId;
use haechi_testkit::TestStore;
use serde_json::{Map, json};

use super::{get, joined, make_room_of, post, put, say, segment, start, sync, texts};
use crate::model::{
    Content, Draft, NewRoom, Preset, RoomVersion, drafts_of_new_room, new_event_id, new_room_id,
};
use crate::ops::stream::Wish;

pub(super) fn message(sender: PersonId, body: &str) -> Wish {
    Wish::Events(vec![Draft {
        event_id: new_event_id(),
        sender,
        kind: "m.room.message".to_owned(),
        state_key: None,
        content: Content::of(&json!({ "body": body })),
        redacts: None,
        sent_as: None,
    }])
}

async fn a_request_run_twice_happens_once(store: TestStore) {
    let (app, chat) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let (host, guest) = (minji.person_id, joon.person_id);
    let server = minji.user_id.split_once(':').unwrap().1;
    let room = NewRoom {
        version: RoomVersion::default(),
        creator: host,
        creator_profile: Map::new(),
        preset: Preset::Private,
        creation_content: Map::new(),
        power_levels: Map::new(),
        initial_state: Vec::new(),
        name: None,
        topic: None,
        alias: None,
        is_direct: false,
        invited: Vec::new(),
        invited_join: false,
    };
    let room_id = new_room_id(server);
    let path = segment(&room_id);
    let made = Wish::NewRoom(drafts_of_new_room(&room, server, new_event_id));
    let member = |sender, word: &str| {
        let content = Content::of(&json!({ "membership": word }));
        Draft::state(new_event_id(), sender, "m.room.member", &joon.user_id, content)
    };
    let invited = Wish::Events(vec![member(host, "invite")]);
    let said = message(host, "once");
    let again = async |wish: &Wish| chat.submit(host, room_id.clone(), wish.clone()).await.unwrap();
    again(&made).await;
    let first = (again(&invited).await, again(&said).await);
    post(&app, &joon, &format!("join/{path}"), json!({}))
        .await
        .expect(200);
    again(&made).await;
    assert_eq!((again(&invited).await, again(&said).await), first);

    let told = sync(&app, &joon, "").await;
    let room = joined(&told, &path);
    assert_eq!(
        room["summary"]["m.joined_member_count"], 2,
        "an old invitation puts nobody out"
    );
    assert_eq!(texts(&room["timeline"]["events"]), ["once"]);
    assert_eq!(
        room["unread_notifications"]["notification_count"], 0,
        "it was said before he came"
    );
    let other = message(host, "twice");
    again(&other).await;
    again(&other).await;
    let told = get(&app, &joon, "sync").await.expect(200).json();
    assert_eq!(
        joined(&told, &path)["unread_notifications"]["notification_count"],
        1
    );
    // Who has gone in between is still answered as at first.
    let left = Wish::Events(vec![member(guest, "leave")]);
    let gone = chat.submit(guest, room_id.clone(), left.clone()).await.unwrap();
    assert_eq!(chat.submit(guest, room_id.clone(), left).await.unwrap(), gone);
}

async fn a_message_sent_again_changes_nothing(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    let path = format!("rooms/{room}/send/m.room.message/1");
    let body = json!({ "body": "Joon!", "m.mentions": { "user_ids": [joon.user_id] } });
    let first = put(&app, &minji, &path, body.clone()).await.expect(200).json();
    say(&app, &joon, &room, "1", "yes?").await;
    let counts = async |who| joined(&sync(&app, who, "").await, &room)["unread_notifications"].clone();
    let (hers, his) = (counts(&minji).await, counts(&joon).await);
    assert_eq!(hers["notification_count"], 1);
    assert_eq!(his, json!({ "notification_count": 0, "highlight_count": 0 }));
    let again = put(&app, &minji, &path, body.clone()).await.expect(200).json();
    assert_eq!(again, first);
    assert_eq!((counts(&minji).await, counts(&joon).await), (hers, his));
    // The same once more, together with something new.
    let (again, _) = tokio::join!(
        put(&app, &minji, &path, body.clone()),
        say(&app, &joon, &room, "2", "what is it?")
    );
    assert_eq!(again.expect(200).json(), first);
    assert_eq!(counts(&minji).await["notification_count"], 2);
    // Who has gone, or may no longer speak, is still told that it was said.
    post(&app, &minji, &format!("rooms/{room}/leave"), json!({}))
        .await
        .expect(200);
    assert_eq!(put(&app, &minji, &path, body).await.expect(200).json(), first);
    let other = put(
        &app,
        &minji,
        &format!("rooms/{room}/send/m.room.message/2"),
        json!({}),
    )
    .await;
    super::assert_matrix_error(&other, 403, "M_FORBIDDEN");
}

haechi_testkit::on_both_engines!(
    a_request_run_twice_happens_once,
    a_message_sent_again_changes_nothing,
);
