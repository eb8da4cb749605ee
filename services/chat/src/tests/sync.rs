//! Syncing: first, later, waiting, filtered.

use std::time::Duration;

use haechi_identity::{Identity, IdentitySettings};
use haechi_service::Context;
use haechi_store::{StoreError, Tx};
use haechi_testkit::TestStore;
use serde_json::{Value, json};

use super::{
    assert_matrix_error, get, joined, make_room, make_room_of, post, put, say, segment, start, sync, texts,
};
use crate::Chat;
use crate::store::receipts::{self, Receipt};

fn next(sync: &Value) -> String {
    sync["next_batch"].as_str().unwrap().to_owned()
}

async fn a_long_poll_is_woken_by_news(store: TestStore) {
    let (app, chat) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    let since = next(&sync(&app, &joon, "").await);
    let path = format!("sync?since={since}&timeout=20000");
    let waiting = get(&app, &joon, &path);
    let saying = async {
        chat.until_waiting(joon.person_id).await;
        say(&app, &minji, &room, "1", "wake up").await
    };
    let both = async { tokio::join!(waiting, saying) };
    let (news, _) = tokio::time::timeout(Duration::from_secs(10), both)
        .await
        .expect("woken in time");
    let news = news.expect(200).json();
    assert_eq!(texts(&joined(&news, &room)["timeline"]["events"]), ["wake up"]);
    // Nothing more: the poll ends by its own time, with the same token.
    let quiet = get(&app, &joon, &format!("sync?since={}&timeout=300", next(&news)))
        .await
        .expect(200)
        .json();
    assert_eq!(quiet["rooms"]["join"], json!({}));
    assert_eq!(next(&quiet), next(&news));
}

async fn a_long_poll_is_woken_by_another_node(store: TestStore) {
    let (app, chat) = start(store).await;
    let context = Context {
        store: app.store.open_again(),
        ..app.context.clone()
    };
    let identity = Identity::new(context.clone(), IdentitySettings::default());
    let elsewhere = Chat::new(context, identity);
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let mut since = next(&sync(&app, &joon, "").await);
    let mut poll_until_heard = async |room: &str, text: &str| {
        let heard = async {
            loop {
                let path = format!("sync?since={since}&timeout=20000");
                let news = get(&app, &joon, &path).await.expect(200).json();
                since = next(&news);
                let told = joined(&news, room);
                if !told.is_null()
                    && texts(&told["timeline"]["events"])
                        .iter()
                        .any(|heard| heard == text)
                {
                    return;
                }
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(10), heard).await;
        in_time.expect("woken in time");
    };
    let room = elsewhere
        .open_direct(&minji.actor(), joon.person_id)
        .await
        .unwrap();
    let path = segment(&room);
    let saying = async {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let wish = super::retried::message(minji.person_id, "from afar");
        elsewhere
            .submit(minji.person_id, room.clone(), wish)
            .await
            .unwrap()
    };
    tokio::join!(poll_until_heard(&path, "from afar"), saying);
    // He has come to know the room by that: what is said on this node wakes him at once.
    let saying = async {
        chat.until_asking(joon.person_id).await;
        say(&app, &minji, &path, "1", "from here").await
    };
    tokio::join!(poll_until_heard(&path, "from here"), saying);
}

async fn of_very_many_receipts_the_newest_are_told(store: TestStore) {
    let (app, _) = start(store).await;
    let person = app.sign_up("Minji").await.person_id;
    let receipts: Vec<Receipt> = (1..=1_001)
        .map(|position| Receipt {
            room_id: "!room".to_owned(),
            person,
            kind: "m.read".to_owned(),
            thread: position.to_string(),
            event_id: "$event".to_owned(),
            sent_at: app.context.now(),
            position,
        })
        .collect();
    let kept = async move |tx: &mut Tx<'_>| -> Result<Vec<Receipt>, StoreError> {
        receipts::put(tx, &receipts.iter().collect::<Vec<_>>()).await?;
        receipts::of_room(tx, "!room", 0, 2_000, person).await
    };
    let told = app.context.store.write_unkeyed(kept).await.unwrap();
    assert_eq!(told.len(), 1_000);
    assert!(told.iter().any(|receipt| receipt.thread == "1001"));
}

async fn an_invitation_arrives_and_ends(store: TestStore) {
    let (app, chat) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let since = next(&sync(&app, &joon, "").await);
    let path = format!("sync?since={since}&timeout=20000");
    let inviting = async {
        chat.until_waiting(joon.person_id).await;
        make_room(&app, &minji, json!({ "name": "Lunch", "invite": [joon.user_id] })).await
    };
    let (news, room) = tokio::join!(get(&app, &joon, &path), inviting);
    let news = news.expect(200).json();
    let invited = news["rooms"]["invite"].as_object().unwrap();
    assert_eq!(invited.len(), 1);
    let state = invited.values().next().unwrap()["invite_state"]["events"]
        .as_array()
        .unwrap();
    assert!(state.iter().any(|event| event["content"]["name"] == "Lunch"));
    assert!(
        state
            .iter()
            .any(|event| event["content"]["displayname"] == "Minji")
    );
    assert!(
        state
            .iter()
            .any(|event| event["content"]["membership"] == "invite")
    );

    post(&app, &joon, &format!("join/{room}"), json!({}))
        .await
        .expect(200);
    let came = sync(&app, &joon, &next(&news)).await;
    assert_eq!(came["rooms"]["invite"], json!({}));
    let state = &joined(&came, &room)["timeline"]["events"];
    assert!(
        state
            .as_array()
            .unwrap()
            .iter()
            .any(|event| event["type"] == "m.room.create")
    );
    assert_eq!(joined(&came, &room)["summary"]["m.joined_member_count"], 2);

    post(
        &app,
        &minji,
        &format!("rooms/{room}/kick"),
        json!({ "user_id": joon.user_id, "reason": "late" }),
    )
    .await
    .expect(200);
    let out = sync(&app, &joon, &next(&came)).await;
    let left = out["rooms"]["leave"]
        .as_object()
        .unwrap()
        .values()
        .next()
        .unwrap();
    assert_eq!(left["timeline"]["events"][0]["content"]["reason"], "late");
    say(&app, &minji, &room, "1", "he is gone").await;
    let after = sync(&app, &joon, &next(&out)).await;
    assert_eq!(after["rooms"], json!({ "join": {}, "invite": {}, "leave": {} }));
}

async fn a_gap_is_told_and_can_be_read(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    let since = next(&sync(&app, &joon, "").await);
    put(
        &app,
        &minji,
        &format!("rooms/{room}/state/m.room.name"),
        json!({ "name": "One" }),
    )
    .await
    .expect(200);
    for number in 0..8 {
        say(&app, &minji, &room, &number.to_string(), &number.to_string()).await;
    }
    put(
        &app,
        &minji,
        &format!("rooms/{room}/state/m.room.name/"),
        json!({ "name": "Two" }),
    )
    .await
    .expect(200);
    let filter = segment(r#"{"room":{"timeline":{"limit":3}}}"#);
    let news = get(&app, &joon, &format!("sync?since={since}&filter={filter}"))
        .await
        .expect(200)
        .json();
    let told = joined(&news, &room);
    assert_eq!(told["timeline"]["limited"], true);
    assert_eq!(texts(&told["timeline"]["events"]), ["6", "7"]);
    // The state is that at the start of the timeline: the name of then, not of now.
    assert_eq!(told["state"]["events"][0]["content"]["name"], "One");
    let from = told["timeline"]["prev_batch"].as_str().unwrap();
    let path = format!("rooms/{room}/messages?dir=b&from={from}&to={since}&limit=50");
    let gap = get(&app, &joon, &path).await.expect(200).json();
    assert_eq!(texts(&gap["chunk"]), ["5", "4", "3", "2", "1", "0"]);
    assert_eq!(
        gap["chunk"].as_array().unwrap().len(),
        7,
        "the first name, and nothing from before"
    );
    let after = get(&app, &joon, &format!("sync?since={since}&use_state_after=true"))
        .await
        .expect(200)
        .json();
    assert_eq!(
        joined(&after, &room)["state_after"]["events"][0]["content"]["name"],
        "Two"
    );
}

async fn unread_messages_are_counted_until_read(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    say(&app, &minji, &room, "1", "one").await;
    let mention =
        json!({ "msgtype": "m.text", "body": "Joon!", "m.mentions": { "user_ids": [joon.user_id] } });
    let path = format!("rooms/{room}/send/m.room.message/2");
    let sent = put(&app, &minji, &path, mention).await.expect(200).json();
    let first = sync(&app, &joon, "").await;
    assert_eq!(
        joined(&first, &room)["unread_notifications"],
        json!({ "notification_count": 2, "highlight_count": 1 })
    );
    assert_eq!(
        joined(&sync(&app, &minji, "").await, &room)["unread_notifications"]["notification_count"],
        0
    );

    let event = segment(sent["event_id"].as_str().unwrap());
    post(
        &app,
        &joon,
        &format!("rooms/{room}/receipt/m.read/{event}"),
        json!({}),
    )
    .await
    .expect(200);
    let read = sync(&app, &joon, &next(&first)).await;
    let told = joined(&read, &room);
    assert_eq!(
        told["unread_notifications"],
        json!({ "notification_count": 0, "highlight_count": 0 })
    );
    let seen = sync(&app, &minji, &next(&first)).await;
    let receipt = &joined(&seen, &room)["ephemeral"]["events"][0];
    assert_eq!(receipt["type"], "m.receipt");
    let readers = &receipt["content"][sent["event_id"].as_str().unwrap()]["m.read"];
    assert!(readers[&joon.user_id]["ts"].is_i64());

    // A private receipt is nobody else's business.
    let third = segment(&say(&app, &minji, &room, "3", "three").await);
    let since = next(&sync(&app, &minji, &next(&seen)).await);
    post(
        &app,
        &joon,
        &format!("rooms/{room}/receipt/m.read.private/{third}"),
        json!({}),
    )
    .await
    .expect(200);
    let quiet = sync(&app, &minji, &since).await;
    assert_eq!(quiet["rooms"]["join"], json!({}));
    assert_eq!(
        joined(&sync(&app, &joon, "").await, &room)["unread_notifications"]["notification_count"],
        0
    );
}

async fn typing_is_told_and_stops(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    let since = next(&sync(&app, &joon, "").await);
    let path = format!("rooms/{room}/typing/{}", segment(&minji.user_id));
    put(&app, &minji, &path, json!({ "typing": true, "timeout": 10_000 }))
        .await
        .expect(200);
    let news = get(&app, &joon, &format!("sync?since={since}&timeout=5000"))
        .await
        .expect(200)
        .json();
    let told = &joined(&news, &room)["ephemeral"]["events"][0];
    assert_eq!(told["content"]["user_ids"], json!([minji.user_id]));
    put(&app, &minji, &path, json!({ "typing": false }))
        .await
        .expect(200);
    let news = sync(&app, &joon, &next(&news)).await;
    assert_eq!(
        joined(&news, &room)["ephemeral"]["events"][0]["content"]["user_ids"],
        json!([])
    );
    let forged = put(&app, &joon, &path, json!({ "typing": true, "timeout": 10_000 })).await;
    assert_matrix_error(&forged, 403, "M_FORBIDDEN");
}

async fn filters_choose_and_load_members_lazily(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon, sora) = (
        app.sign_up("Minji").await,
        app.sign_up("Joon").await,
        app.sign_up("Sora").await,
    );
    let room = make_room_of(&app, &minji, &[&joon, &sora]).await;
    say(&app, &joon, &room, "1", "only I speak").await;
    let filter = json!({ "room": {
        "timeline": { "limit": 1, "types": ["m.room.message"] },
        "state": { "lazy_load_members": true },
    } });
    let user = segment(&minji.user_id);
    let kept = post(&app, &minji, &format!("user/{user}/filter"), filter.clone())
        .await
        .expect(200)
        .json();
    let filter_id = kept["filter_id"].as_str().unwrap();
    let shown = get(&app, &minji, &format!("user/{user}/filter/{filter_id}"))
        .await
        .expect(200)
        .json();
    assert_eq!(shown["room"]["timeline"]["limit"], 1);
    assert_matrix_error(
        &get(&app, &joon, &format!("user/{user}/filter/{filter_id}")).await,
        403,
        "M_FORBIDDEN",
    );

    let first = get(&app, &minji, &format!("sync?filter={filter_id}"))
        .await
        .expect(200)
        .json();
    let told = joined(&first, &room);
    assert_eq!(texts(&told["timeline"]["events"]), ["only I speak"]);
    let members: Vec<&str> = told["state"]["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["type"] == "m.room.member")
        .map(|event| event["state_key"].as_str().unwrap())
        .collect();
    assert!(members.contains(&joon.user_id.as_str()) && members.contains(&minji.user_id.as_str()));
    assert!(!members.contains(&sora.user_id.as_str()), "she said nothing");
    assert_eq!(told["summary"]["m.heroes"].as_array().unwrap().len(), 2);
    assert_matrix_error(
        &get(&app, &minji, "sync?filter=nothing").await,
        400,
        "M_INVALID_PARAM",
    );
}

async fn account_data_is_kept_and_told(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    let first = sync(&app, &minji, "").await;
    assert!(
        first["account_data"]["events"][0]["content"]["global"]["override"].is_array(),
        "push rules"
    );
    let path = format!("user/{}/account_data/kr.haechi.theme", segment(&minji.user_id));
    put(&app, &minji, &path, json!({ "dark": true }))
        .await
        .expect(200);
    let about_room = format!("user/{}/rooms/{room}/account_data/m.tag", segment(&minji.user_id));
    put(&app, &minji, &about_room, json!({ "tags": {} }))
        .await
        .expect(200);
    let news = sync(&app, &minji, &next(&first)).await;
    assert_eq!(
        news["account_data"]["events"][0]["content"],
        json!({ "dark": true })
    );
    assert_eq!(joined(&news, &room)["account_data"]["events"][0]["type"], "m.tag");
    assert_eq!(
        get(&app, &minji, &path).await.expect(200).json(),
        json!({ "dark": true })
    );
    assert_matrix_error(&get(&app, &joon, &path).await, 403, "M_FORBIDDEN");
    assert_matrix_error(&put(&app, &joon, &path, json!({})).await, 403, "M_FORBIDDEN");
    let missing = format!("user/{}/account_data/none", segment(&minji.user_id));
    assert_matrix_error(&get(&app, &minji, &missing).await, 404, "M_NOT_FOUND");
}

async fn foreign_tokens_are_refused(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let room = make_room_of(&app, &minji, &[]).await;
    for token in [
        "x",
        "s1",
        "s1_2_3_4_5",
        "s-1_0_0_0_0_0",
        "s0_0_0_0_0_0_0",
        "s99999999_0_0_0_0_0",
        "s0_0_0_0_0_%2B1",
    ] {
        let refused = get(&app, &minji, &format!("sync?since={token}")).await;
        assert_matrix_error(&refused, 400, "M_UNKNOWN_POS");
    }
    for token in ["t", "tx", "t-1", "s1", "99999999999999999999"] {
        let refused = get(&app, &minji, &format!("rooms/{room}/messages?dir=b&from={token}")).await;
        assert_matrix_error(&refused, 400, "M_INVALID_PARAM");
    }
}

haechi_testkit::on_both_engines!(
    a_long_poll_is_woken_by_news,
    a_long_poll_is_woken_by_another_node,
    of_very_many_receipts_the_newest_are_told,
    an_invitation_arrives_and_ends,
    a_gap_is_told_and_can_be_read,
    unread_messages_are_counted_until_read,
    typing_is_told_and_stops,
    filters_choose_and_load_members_lazily,
    account_data_is_kept_and_told,
    foreign_tokens_are_refused,
);
