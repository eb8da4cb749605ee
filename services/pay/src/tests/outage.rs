//! No primary: what was known goes on being read, what cannot be kept is refused, and its key gives one result later.

use std::time::Instant;

use haechi_testkit::postgres_server::PostgresServer;
use haechi_testkit::{SignedUp, TestResponse, TestStore, assert_problem, run_test};
use serde_json::{Value, json};

use super::{House, start, won};

fn assert_try_again(response: &TestResponse) {
    assert_eq!(response.status, 503, "{}: {}", response.label(), response.text());
    assert!(
        response.headers.contains_key("retry-after"),
        "{}",
        response.label()
    );
}

async fn room_of(house: &House, person: &SignedUp) -> String {
    let made = house
        .app
        .post("/_matrix/client/v3/createRoom")
        .bearer(&person.access_token)
        .json(json!({ "preset": "private_chat" }));
    let made = made.send().await.expect(200).json();
    made["room_id"].as_str().unwrap().to_owned()
}

#[test]
fn without_a_primary_reads_go_on_and_writes_wait_and_are_refused_with_nothing_half_done() {
    run_test(async {
        let server = tokio::task::spawn_blocking(|| PostgresServer::start().unwrap())
            .await
            .unwrap();
        let house = start(TestStore::at(&server.url("postgres"))).await;
        let minji = house.person_with("Minji", 10_000).await;
        let joon = house.person_with("Joon", 0).await;
        let app = &house.app;
        let room_id = room_of(&house, &minji).await;
        let room = room_id.replace('!', "%21").replace(':', "%3A");
        let sync = |since: &Value| {
            let since = since.as_str().unwrap_or_default().to_owned();
            app.get(&format!("/_matrix/client/v3/sync?since={since}"))
                .bearer(&minji.access_token)
                .send()
        };
        let say = || {
            app.put(&format!(
                "/_matrix/client/v3/rooms/{room}/send/m.room.message/in-the-dark"
            ))
            .bearer(&minji.access_token)
            .json(json!({ "msgtype": "m.text", "body": "is anybody there" }))
            .send()
        };
        let before = sync(&Value::Null).await.expect(200).json();

        app.store.set_writable(false).await;
        let same = sync(&before["next_batch"]).await.expect(200).json();
        assert_eq!(same["next_batch"], before["next_batch"], "a sync goes on");
        assert_eq!(
            house.balance(&minji).await,
            10_000,
            "so does a look at the wallet"
        );
        assert!(app.context.store.is_degraded());
        let asked = Instant::now();
        let (paid, said) = tokio::join!(house.send_won(&minji, &joon, "in-the-dark", 3_000), say());
        let waited = asked.elapsed();
        println!("the writes were refused after {waited:?}");
        assert!(
            (4..9).contains(&waited.as_secs()),
            "they wait for a primary, and not for ever: {waited:?}"
        );
        assert_problem(&paid, 503, "unavailable");
        assert_try_again(&paid);
        assert_try_again(&said);
        assert!(said.json()["errcode"].is_string(), "{}", said.text());
        assert_eq!(house.balance(&minji).await, 10_000);

        app.store.set_writable(true).await;
        let (paid, said) = tokio::join!(house.send_won(&minji, &joon, "in-the-dark", 3_000), say());
        let (paid, said) = (paid.expect(201).json(), said.expect(200).json());
        let paid_again = house.send_won(&minji, &joon, "in-the-dark", 3_000).await.json();
        assert_eq!(paid["transfer_id"], paid_again["transfer_id"]);
        assert_eq!(said["event_id"], say().await.expect(200).json()["event_id"]);
        assert_eq!(
            (house.balance(&minji).await, house.balance(&joon).await),
            (7_000, 3_000)
        );
        let told = sync(&before["next_batch"]).await.expect(200).json();
        let events = &told["rooms"]["join"][&room_id]["timeline"]["events"];
        assert_eq!(events.as_array().unwrap().len(), 1, "{told}");
        house.assert_balanced().await;
    });
}

#[test]
fn a_write_that_waits_is_done_as_soon_as_there_is_a_primary() {
    run_test(async {
        let server = tokio::task::spawn_blocking(|| PostgresServer::start().unwrap())
            .await
            .unwrap();
        let house = start(TestStore::at(&server.url("postgres"))).await;
        let minji = house.person_with("Minji", 10_000).await;
        let joon = house.person_with("Joon", 0).await;
        house.app.store.set_writable(false).await;
        let paying = house.transfer(&minji, "patience", won(&joon, 1_000)).send();
        let back = async {
            // Until the wait has begun in earnest: a read says that there is no primary.
            while !house.app.context.store.is_degraded() {
                house.balance(&minji).await;
            }
            house.app.store.set_writable(true).await;
        };
        let (paid, ()) = tokio::join!(paying, back);
        paid.expect(201);
        assert_eq!(house.balance(&joon).await, 1_000);
    });
}
