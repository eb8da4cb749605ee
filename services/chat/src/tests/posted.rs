//! Messages that another service posts inside its own transaction.

use haechi_store::{StoreError, Tx, WriteKey};
use haechi_testkit::{SignedUp, TestApp, TestStore};
use serde_json::{Value, json};

use super::{get, make_room_of, post, say, start, sync, texts};
use crate::{Chat, ChatError};

/// Posts as pay does; `keep` says whether the transaction ends well.
pub(super) async fn post_as_service(
    app: &TestApp,
    chat: &Chat,
    who: &SignedUp,
    room: &str,
    content: Value,
    keep: bool,
) -> Result<String, ChatError> {
    let (chat, actor, room, now) = (
        chat.clone(),
        who.actor(),
        room.replace("%21", "!").replace("%3A", ":"),
        app.context.now(),
    );
    app.context
        .store
        .write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
            let event_id = chat.post_message(tx, &actor, &room, &content, now).await?;
            if keep {
                Ok(event_id)
            } else {
                Err(ChatError::from(StoreError::KeyReused))
            }
        })
        .await
}

async fn a_posted_message_gets_its_place(store: TestStore) {
    let (app, chat) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    say(&app, &minji, &room, "1", "before").await;
    let since = sync(&app, &joon, "").await["next_batch"]
        .as_str()
        .unwrap()
        .to_owned();
    let content = json!({ "msgtype": "kr.haechi.transfer", "body": "5,000 KRW" });
    let path = format!("sync?since={since}&timeout=10000");
    let (news, posted) = tokio::join!(
        get(&app, &joon, &path),
        post_as_service(&app, &chat, &minji, &room, content.clone(), true)
    );
    let told = news.expect(200).json();
    let timeline = &super::joined(&told, &room)["timeline"]["events"];
    assert_eq!(texts(timeline), ["5,000 KRW"]);
    assert_eq!(timeline[0]["event_id"], posted.unwrap().as_str());
    assert_eq!(
        super::joined(&told, &room)["unread_notifications"]["notification_count"],
        2
    );
    say(&app, &joon, &room, "2", "thanks").await;
    let page = get(&app, &minji, &format!("rooms/{room}/messages?dir=b&limit=3"))
        .await
        .expect(200)
        .json();
    assert_eq!(texts(&page["chunk"]), ["thanks", "5,000 KRW", "before"]);
}

async fn what_was_not_committed_was_never_said(store: TestStore) {
    let (app, chat) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    let content = json!({ "msgtype": "m.text", "body": "never" });
    post_as_service(&app, &chat, &minji, &room, content.clone(), false)
        .await
        .unwrap_err();
    post(&app, &joon, &format!("rooms/{room}/leave"), json!({}))
        .await
        .expect(200);
    let refused = post_as_service(&app, &chat, &joon, &room, content.clone(), true)
        .await
        .unwrap_err();
    assert!(matches!(refused, ChatError::Forbidden(_)), "{refused}");
    let nowhere = post_as_service(&app, &chat, &minji, "!none:localhost", content, true)
        .await
        .unwrap_err();
    assert!(matches!(nowhere, ChatError::Forbidden(_)), "{nowhere}");
    say(&app, &minji, &room, "1", "last").await;
    let page = get(&app, &minji, &format!("rooms/{room}/messages?dir=b&limit=50"))
        .await
        .expect(200)
        .json();
    assert_eq!(texts(&page["chunk"]), ["last"]);
    let room = room.replace("%21", "!").replace("%3A", ":");
    let (joined, is_in) = app
        .context
        .store
        .read(async move |tx: &mut Tx<'_>| {
            Ok::<_, ChatError>((
                chat.joined_members(tx, &room).await?,
                chat.is_joined(tx, &room, joon.person_id).await?,
            ))
        })
        .await
        .unwrap();
    assert_eq!((joined, is_in), (vec![minji.person_id], false));
}

haechi_testkit::on_both_engines!(
    a_posted_message_gets_its_place,
    what_was_not_committed_was_never_said
);
