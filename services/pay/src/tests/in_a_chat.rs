//! Money sent in a chat: the ledger and the message are one transaction.

use haechi_testkit::{SignedUp, TestStore, assert_problem};
use serde_json::{Value, json};

use super::{House, start, won};

/// The transfer messages of a room, as somebody in it reads them.
async fn messages(house: &House, reader: &SignedUp, room_id: &str) -> Vec<Value> {
    let path = format!("/_matrix/client/v3/rooms/{room_id}/messages?dir=b&limit=100");
    let page = house
        .app
        .get(&path)
        .bearer(&reader.access_token)
        .send()
        .await
        .expect(200)
        .json();
    let events = page["chunk"].as_array().unwrap();
    events
        .iter()
        .filter(|event| event["content"]["msgtype"] == "kr.haechi.transfer")
        .cloned()
        .collect()
}

/// Syncs by long poll until the room has as many transfer messages.
async fn wait_for_messages(house: &House, reader: &SignedUp, room_id: &str, count: usize) -> Vec<Value> {
    let mut since = String::new();
    loop {
        let found = messages(house, reader, room_id).await;
        if found.len() >= count {
            return found;
        }
        let path = format!("/_matrix/client/v3/sync?timeout=1000{since}");
        let synced = house
            .app
            .get(&path)
            .bearer(&reader.access_token)
            .send()
            .await
            .expect(200)
            .json();
        since = format!("&since={}", synced["next_batch"].as_str().unwrap());
    }
}

async fn the_message_tells_of_the_transfer(store: TestStore) {
    let house = start(store).await;
    let (minji, joon) = (
        house.person_with("Minji", 10_000).await,
        house.person_with("Joon", 0).await,
    );
    let room_id = house
        .chat
        .open_direct(&minji.actor(), joon.person_id)
        .await
        .unwrap();
    let mut body = won(&joon, 4_000);
    body["room_id"] = json!(room_id);
    body["memo"] = json!("노래방");
    let transfer = house
        .transfer(&minji, "k", body.clone())
        .send()
        .await
        .expect(201)
        .json();

    let found = wait_for_messages(&house, &joon, &room_id, 1).await;
    assert_eq!(found[0]["event_id"], transfer["event_id"]);
    assert_eq!(found[0]["sender"], minji.user_id.as_str());
    assert_eq!(found[0]["content"]["body"], "4,000 KRW: 노래방");
    let told = &found[0]["content"]["kr.haechi.transfer"];
    assert_eq!(
        (&told["transfer_id"], &told["amount"]),
        (&transfer["transfer_id"], &json!(4_000))
    );

    house.transfer(&minji, "k", body).send().await.expect(201);
    assert_eq!(messages(&house, &joon, &room_id).await.len(), 1);
    assert_eq!(house.balance(&joon).await, 4_000);
}

async fn a_refused_transfer_says_nothing(store: TestStore) {
    let house = start(store).await;
    let (minji, joon) = (
        house.person_with("Minji", 1_000).await,
        house.person_with("Joon", 0).await,
    );
    let room_id = house
        .chat
        .open_direct(&minji.actor(), joon.person_id)
        .await
        .unwrap();
    let mut body = won(&joon, 1_001);
    body["room_id"] = json!(room_id);
    assert_problem(
        &house.transfer(&minji, "k", body.clone()).send().await,
        422,
        "insufficient-funds",
    );
    body["amount"]["amount"] = json!(1_000);
    house.transfer(&minji, "l", body).send().await.expect(201);
    assert_eq!(wait_for_messages(&house, &joon, &room_id, 1).await.len(), 1);
}

async fn no_money_moves_through_a_room_that_one_of_them_is_not_in(store: TestStore) {
    let house = start(store).await;
    let (minji, joon) = (
        house.person_with("Minji", 1_000).await,
        house.person_with("Joon", 0).await,
    );
    let sora = house.person_with("Sora", 1_000).await;
    let room_id = house
        .chat
        .open_direct(&minji.actor(), joon.person_id)
        .await
        .unwrap();
    let in_room = |to: &SignedUp, room_id: &str| {
        let mut body = won(to, 100);
        body["room_id"] = json!(room_id);
        body
    };
    let outsider = house.transfer(&sora, "k", in_room(&joon, &room_id)).send().await;
    assert_eq!(outsider.status, 403, "{}", outsider.text());
    let to_outsider = house.transfer(&minji, "k", in_room(&sora, &room_id)).send().await;
    assert_problem(&to_outsider, 403, "receiver-not-in-room");
    let nowhere = house
        .transfer(&minji, "l", in_room(&joon, "!nowhere:haechi.test"))
        .send()
        .await;
    assert_eq!(nowhere.status, 403, "{}", nowhere.text());
    for person in [&minji, &sora] {
        assert_eq!(house.balance(person).await, 1_000);
    }
    assert!(messages(&house, &minji, &room_id).await.is_empty());
}

haechi_testkit::on_both_engines!(
    the_message_tells_of_the_transfer,
    a_refused_transfer_says_nothing,
    no_money_moves_through_a_room_that_one_of_them_is_not_in,
);
