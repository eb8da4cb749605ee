//! Messages between devices: each comes, once, and is kept until it was received.

use haechi_testkit::{SignedUp, TestApp, TestStore};
use serde_json::{Value, json};

use super::crypto::until;
use super::{assert_matrix_error, client, get, put, start, sync};

async fn send(app: &TestApp, who: &SignedUp, transaction_id: &str, messages: Value) {
    let path = format!("sendToDevice/m.room_key_request/{transaction_id}");
    put(app, who, &path, json!({ "messages": messages }))
        .await
        .expect(200);
}

fn next(sync: &Value) -> String {
    sync["next_batch"].as_str().unwrap().to_owned()
}

fn events(sync: &Value) -> &Vec<Value> {
    sync["to_device"]["events"].as_array().unwrap()
}

async fn a_message_comes_to_the_named_device_and_ends_with_its_token(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let tablet = app.sign_in(&joon.phone, None).await;
    let (since, since_tablet) = (
        next(&sync(&app, &joon, "").await),
        next(&sync(&app, &tablet, "").await),
    );
    let poll = app
        .get(&client(&format!("sync?timeout=15000&since={since}")))
        .bearer(&joon.access_token);
    let poll = tokio::spawn(poll.send());
    let content = json!({ "n": 1, "text": "ㄱ\u{1F600}" });
    let messages = json!({ &joon.user_id: { &joon.device_id: content } });
    send(&app, &minji, "1", messages.clone()).await;
    // The same request again is no second message.
    send(&app, &minji, "1", messages).await;
    let told = poll.await.unwrap().expect(200).json();
    let expected = json!([{ "type": "m.room_key_request", "sender": minji.user_id, "content": content }]);
    assert_eq!(told["to_device"]["events"], expected);
    assert_eq!(events(&sync(&app, &tablet, &since_tablet).await).len(), 0);
    // Kept as long as the token does not prove that it came.
    assert_eq!(sync(&app, &joon, &since).await["to_device"]["events"], expected);
    let after = sync(&app, &joon, &next(&told)).await;
    assert_eq!(events(&after).len(), 0);
    let is_gone = |told: &Value| events(told).is_empty();
    until(&app, &joon, "sync", is_gone).await;
}

async fn a_star_is_for_all_devices_and_a_name_goes_before_it(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let tablet = app.sign_in(&joon.phone, None).await;
    let messages = json!({
        &joon.user_id: { "*": { "n": 1 }, &tablet.device_id: { "n": 2 }, "NONE": { "n": 3 } },
        "@a:elsewhere.org": { "A": {} },
    });
    send(&app, &minji, "1", messages).await;
    for (who, number) in [(&joon, 1), (&tablet, 2)] {
        let told = sync(&app, who, "").await;
        assert_eq!(events(&told).len(), 1);
        assert_eq!(events(&told)[0]["content"]["n"], number);
    }
    assert!(events(&sync(&app, &minji, "").await).is_empty());
}

async fn many_messages_come_in_order_and_none_is_stepped_over(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let mut since = next(&sync(&app, &joon, "").await);
    for number in 0..250 {
        let messages = json!({ &joon.user_id: { &joon.device_id: { "n": number } } });
        send(&app, &minji, &number.to_string(), messages).await;
    }
    let (mut numbers, mut pages) = (Vec::new(), Vec::new());
    while numbers.len() < 250 {
        // It waits for nothing: there is more.
        let path = format!("sync?timeout=20000&since={since}");
        let told = get(&app, &joon, &path).await.expect(200).json();
        pages.push(events(&told).len());
        numbers.extend(
            events(&told)
                .iter()
                .map(|event| event["content"]["n"].as_u64().unwrap()),
        );
        since = next(&told);
    }
    assert_eq!(numbers, (0..250).collect::<Vec<u64>>());
    assert_eq!(pages, [100, 100, 50]);
    assert!(events(&sync(&app, &joon, &since).await).is_empty());
    until(&app, &joon, "sync", |told| events(told).is_empty()).await;
}

async fn bad_messages_are_refused_and_not_sent(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let path = "sendToDevice/m.dummy/1";
    let to_joon = |content: Value| json!({ "messages": { &joon.user_id: { &joon.device_id: content } } });
    for body in [
        json!({}),
        json!({ "messages": [] }),
        to_joon(json!("text")),
        to_joon(json!({ "half": 0.5 })),
    ] {
        assert_matrix_error(&put(&app, &minji, path, body).await, 400, "M_BAD_JSON");
    }
    let large = to_joon(json!({ "text": "x".repeat(70_000) }));
    assert_matrix_error(&put(&app, &minji, path, large).await, 413, "M_TOO_LARGE");
    let devices: serde_json::Map<String, Value> = (0..1_001)
        .map(|number| (format!("D{number}"), json!({})))
        .collect();
    let many = json!({ "messages": { &joon.user_id: devices } });
    assert_matrix_error(&put(&app, &minji, path, many).await, 413, "M_TOO_LARGE");
    let long = format!("sendToDevice/m.dummy/{}", "x".repeat(300));
    assert_matrix_error(
        &put(&app, &minji, &long, to_joon(json!({}))).await,
        400,
        "M_INVALID_PARAM",
    );
    assert!(events(&sync(&app, &joon, "").await).is_empty());
    // None of them used the transaction id up.
    put(&app, &minji, path, to_joon(json!({}))).await.expect(200);
    assert_eq!(events(&sync(&app, &joon, "").await).len(), 1);
}

async fn what_nobody_repeats_any_more_is_forgotten(store: TestStore) {
    let (app, chat) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    send(&app, &minji, "1", json!({ &joon.user_id: { "*": {} } })).await;
    assert_eq!(chat.forget_old().await.unwrap(), 0);
    app.advance(std::time::Duration::from_secs(25 * 3600));
    assert_eq!(chat.forget_old().await.unwrap(), 1);
    assert!(app.run_due_jobs().await >= 1);
}

haechi_testkit::on_both_engines!(
    a_message_comes_to_the_named_device_and_ends_with_its_token,
    a_star_is_for_all_devices_and_a_name_goes_before_it,
    many_messages_come_in_order_and_none_is_stepped_over,
    bad_messages_are_refused_and_not_sent,
    what_nobody_repeats_any_more_is_forgotten,
);
