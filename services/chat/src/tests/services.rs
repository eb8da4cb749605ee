//! Services of the house that write to people.

use haechi_store::{StoreError, Tx, WriteKey};
use haechi_testkit::{SignedUp, TestApp, TestStore, assert_problem};
use serde_json::{Value, json};

use super::{get, joined, post, segment, start, sync, texts};
use crate::{Card, CardButton, CardRow, Chat, ChatError, NoticeOutcome, ServiceAccount};

const TAXI: ServiceAccount = ServiceAccount {
    name: "taxi",
    display_name: "Haechi Taxi",
};

fn card(title: &str) -> Card {
    Card {
        title: title.to_owned(),
        text: "It is on its way.".to_owned(),
        rows: vec![CardRow {
            label: "Car".to_owned(),
            value: "12가 3456".to_owned(),
        }],
        buttons: vec![CardButton {
            label: "Show".to_owned(),
            link: "/taxi/rides/1".to_owned(),
        }],
    }
}

/// Writes as a service does, inside a transaction of its own, which ends well or not.
async fn notify(
    app: &TestApp,
    chat: &Chat,
    who: &SignedUp,
    card: Card,
    keep: bool,
) -> Result<NoticeOutcome, ChatError> {
    let (chat, person, now) = (chat.clone(), who.person_id, app.context.now());
    let outcome = std::sync::Arc::new(parking_lot::Mutex::new(None));
    let noted = std::sync::Arc::clone(&outcome);
    app.context
        .store
        .write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
            let posted = chat
                .post_notice_from_service(tx, TAXI, person, &card, now)
                .await?;
            *noted.lock() = Some(posted);
            if keep {
                Ok(())
            } else {
                Err(ChatError::from(StoreError::KeyReused))
            }
        })
        .await?;
    let outcome = outcome.lock().take();
    Ok(outcome.unwrap())
}

/// The one room of a person, and its messages; nothing when there is none.
async fn inbox(app: &TestApp, who: &SignedUp) -> Option<(String, Value)> {
    let told = sync(app, who, "").await;
    let rooms = told["rooms"]["join"].as_object().cloned().unwrap_or_default();
    let room = rooms.keys().next()?.clone();
    let events = joined(&told, &segment(&room))["timeline"]["events"].clone();
    Some((room, events))
}

async fn a_service_writes_from_its_own_account(store: TestStore) {
    let (app, chat) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let refused = notify(&app, &chat, &minji, card("undone"), false).await;
    assert!(refused.is_err());
    app.run_due_jobs().await;
    assert_eq!(
        inbox(&app, &minji).await,
        None,
        "what was not committed is told to nobody"
    );
    let first = notify(&app, &chat, &minji, card("one"), true).await;
    assert_eq!(first, Ok(NoticeOutcome::Waits));
    app.advance(std::time::Duration::from_millis(1));
    // A second one keeps its place behind the first.
    assert_eq!(
        notify(&app, &chat, &minji, card("two"), true).await,
        Ok(NoticeOutcome::Waits)
    );
    app.run_due_jobs().await;
    let (room, events) = inbox(&app, &minji).await.unwrap();
    let rest = "\nIt is on its way.\nCar: 12가 3456";
    assert_eq!(texts(&events), [format!("one{rest}"), format!("two{rest}")]);
    let said = events
        .as_array()
        .unwrap()
        .iter()
        .find(|event| event["type"] == "m.room.message")
        .unwrap();
    assert_eq!(
        said["content"]["org.haechi.card"]["buttons"][0]["link"],
        "/taxi/rides/1"
    );
    let account = said["sender"].as_str().unwrap();
    let profile = get(&app, &minji, &format!("profile/{}", segment(account)))
        .await
        .expect(200)
        .json();
    assert_eq!(profile["displayname"], "Haechi Taxi");
    // With the room there, the next one is there with the transaction.
    let since = sync(&app, &minji, "").await["next_batch"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("sync?since={since}&timeout=10000");
    let (news, posted) = tokio::join!(
        get(&app, &minji, &path),
        notify(&app, &chat, &minji, card("three"), true)
    );
    assert!(matches!(posted, Ok(NoticeOutcome::Posted(_))), "{posted:?}");
    let news = news.expect(200).json();
    assert_eq!(
        texts(&joined(&news, &segment(&room))["timeline"]["events"]),
        [format!("three{rest}")]
    );
}

async fn a_person_who_left_hears_again_and_who_blocked_does_not(store: TestStore) {
    let (app, chat) = start(store).await;
    let minji = app.sign_up("Minji").await;
    notify(&app, &chat, &minji, card("one"), true).await.unwrap();
    app.run_due_jobs().await;
    let (room, _) = inbox(&app, &minji).await.unwrap();
    post(
        &app,
        &minji,
        &format!("rooms/{}/leave", segment(&room)),
        json!({}),
    )
    .await
    .expect(200);
    assert_eq!(
        notify(&app, &chat, &minji, card("two"), true).await,
        Ok(NoticeOutcome::Waits)
    );
    app.run_due_jobs().await;
    let (again, _) = inbox(&app, &minji).await.unwrap();
    assert_eq!(again, room);
    let block = "/api/chat/services/taxi/block";
    app.advance(std::time::Duration::from_millis(1));
    app.put(block)
        .bearer(&minji.access_token)
        .send()
        .await
        .expect(204);
    app.put(block)
        .bearer(&minji.access_token)
        .send()
        .await
        .expect(204);
    assert_eq!(
        notify(&app, &chat, &minji, card("three"), true).await,
        Ok(NoticeOutcome::Blocked)
    );
    let list = app.get("/api/chat/services/blocked").bearer(&minji.access_token);
    assert_eq!(
        list.send().await.expect(200).json(),
        json!({ "items": [{ "service": "taxi" }], "next": null })
    );
    app.delete(block)
        .bearer(&minji.access_token)
        .send()
        .await
        .expect(204);
    let posted = notify(&app, &chat, &minji, card("four"), true).await;
    assert!(matches!(posted, Ok(NoticeOutcome::Posted(_))), "{posted:?}");
    let odd = app
        .put("/api/chat/services/No%20Service/block")
        .bearer(&minji.access_token);
    assert_problem(&odd.send().await, 422, "invalid-body");
}

async fn a_block_takes_back_what_waits_and_a_bad_card_is_refused(store: TestStore) {
    let (app, chat) = start(store).await;
    let minji = app.sign_up("Minji").await;
    notify(&app, &chat, &minji, card("one"), true).await.unwrap();
    let block = app
        .put("/api/chat/services/taxi/block")
        .bearer(&minji.access_token);
    block.send().await.expect(204);
    app.run_due_jobs().await;
    assert_eq!(inbox(&app, &minji).await, None);
    let mut outside = card("x");
    outside.buttons[0].link = "https://evil.example/".to_owned();
    let refused = notify(&app, &chat, &minji, outside, true).await;
    assert!(
        matches!(refused, Err(ChatError::InvalidParameter(_))),
        "{refused:?}"
    );
}

haechi_testkit::on_both_engines!(
    a_service_writes_from_its_own_account,
    a_person_who_left_hears_again_and_who_blocked_does_not,
    a_block_takes_back_what_waits_and_a_bad_card_is_refused,
);
