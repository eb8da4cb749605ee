//! Where calls find a TURN server.

use haechi_testkit::TestStore;
use serde_json::json;

use super::{get, start, start_with};
use crate::{ChatSettings, TurnSettings};

async fn without_a_turn_server_there_is_nothing_to_tell(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let told = get(&app, &minji, "voip/turnServer").await.expect(200).json();
    assert_eq!(told, json!({}));
}

async fn each_person_is_given_credentials_that_end(store: TestStore) {
    let settings = ChatSettings {
        turn: Some(TurnSettings {
            uris: vec!["turn:turn.haechi.test?transport=udp".to_owned()],
            secret: "north".to_owned(),
        }),
        ..ChatSettings::default()
    };
    let (app, chat) = start_with(store, settings).await;
    let minji = app.sign_up("Minji").await;
    let told = get(&app, &minji, "voip/turnServer").await.expect(200).json();
    assert_eq!(told["uris"], json!(["turn:turn.haechi.test?transport=udp"]));
    assert_eq!(told["ttl"], 86_400);
    let end = chat.moment().seconds() + 86_400;
    assert_eq!(told["username"], format!("{end}:{}", minji.user_id));
    assert_eq!(told["password"].as_str().unwrap().len(), 28);
}

haechi_testkit::on_both_engines!(
    without_a_turn_server_there_is_nothing_to_tell,
    each_person_is_given_credentials_that_end,
);
