//! A node that is busy tells a person less often, and more at a time.

use std::time::Duration;

use haechi_testkit::{SignedUp, TestApp, TestStore};
use serde_json::Value;

use super::{get, joined, make_room_of, say, start, sync, texts};

/// A sync that waits for news, for so many milliseconds.
async fn poll(app: &TestApp, who: &SignedUp, since: &Value, timeout_ms: u64) -> Value {
    let since = since["next_batch"].as_str().unwrap();
    let path = format!("sync?since={since}&timeout={timeout_ms}");
    get(app, who, &path).await.expect(200).json()
}

async fn on_a_busy_node_messages_that_come_close_together_are_one_answer(store: TestStore) {
    let (app, chat) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    let heard = |sync: &Value| texts(&joined(sync, &room)["timeline"]["events"]);
    let mut last = sync(&app, &joon, "").await;
    // The first is read from the store, the second is known from memory.
    for (number, text) in [("1", "read"), ("2", "remembered")] {
        say(&app, &minji, &room, number, text).await;
        last = poll(&app, &joon, &last, 20_000).await;
        assert_eq!(heard(&last), [text]);
    }
    chat.hub().make_busy(Duration::from_secs(60));
    say(&app, &minji, &room, "3", "soon").await;
    let saying = async {
        chat.until_asking(joon.person_id).await;
        say(&app, &minji, &room, "4", "after it").await
    };
    // He rests no longer than he would have waited.
    let (both, _) = tokio::join!(poll(&app, &joon, &last, 4_000), saying);
    assert_eq!(heard(&both), ["soon", "after it"]);
}

async fn who_was_woken_is_noted(store: TestStore) {
    let (app, chat) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    let last = sync(&app, &joon, "").await;
    chat.hub().make_busy(Duration::ZERO);
    let saying = async {
        chat.until_waiting(joon.person_id).await;
        say(&app, &minji, &room, "1", "wake up").await
    };
    let (news, _) = tokio::join!(poll(&app, &joon, &last, 20_000), saying);
    assert_eq!(texts(&joined(&news, &room)["timeline"]["events"]), ["wake up"]);
    assert_eq!(chat.hub().woken(), 1);
}

haechi_testkit::on_both_engines!(
    on_a_busy_node_messages_that_come_close_together_are_one_answer,
    who_was_woken_is_noted,
);
