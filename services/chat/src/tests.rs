//! Tests of chat: its rules, and its routes through the real router on both engines.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod abuse;
mod aliases;
mod announced;
mod backups;
mod content;
mod credentials;
mod cross_signing;
mod crypto;
mod dehydrated;
mod delayed;
mod device_lists;
mod devices;
mod direct;
mod directory;
mod exports;
mod findable;
mod imports;
mod joining;
mod kept;
mod keys;
mod logins;
mod manners;
mod media;
mod membership;
mod messages;
mod names;
mod nodes;
mod paced;
mod posted;
mod power;
mod presence;
mod previews;
mod profile;
mod push;
mod push_rules;
mod pushers;
mod ranges;
mod recalled;
mod registration;
mod relations;
mod reports;
mod retried;
mod search;
mod services;
mod sliding;
mod sliding_connections;
mod sliding_extensions;
mod spaces;
mod standing;
mod state;
mod sync;
mod terms;
mod threads;
mod thumbnails;
mod to_device;
mod unread;
mod upgrades;
mod voip;
mod web_push;

use std::sync::Arc;

use haechi_base::Role;
use haechi_identity::{Identity, IdentitySettings, Registration};
use haechi_service::Context;
use haechi_store::Tx;
use haechi_testkit::{SignedUp, TestApp, TestResponse, TestStore, Wiring, operator};
use serde_json::{Value, json};

use crate::{Chat, ChatSettings};

/// The routes of chat and identity on a store, and the chat itself.
async fn start(store: TestStore) -> (TestApp, Chat) {
    let mut chat = None;
    let app = TestApp::start(store, |context| wire(context, &mut chat)).await;
    (app, chat.unwrap())
}

/// The same as a node of a cluster, on a database that several nodes share.
async fn start_node(store: &TestStore, site: &str) -> (TestApp, Chat) {
    let mut chat = None;
    let app = TestApp::join(store, site, |context| wire(context, &mut chat)).await;
    (app, chat.unwrap())
}

/// The same as an operator wants it.
async fn start_with(store: TestStore, settings: ChatSettings) -> (TestApp, Chat) {
    let mut chat = None;
    let app = TestApp::start(store, |context| wire_with(context, &mut chat, settings)).await;
    (app, chat.unwrap())
}

/// The same where people may sign up with a username.
async fn start_offering(store: TestStore, registration: Registration) -> (TestApp, Chat) {
    let settings = IdentitySettings {
        registration,
        ..identity_settings()
    };
    start_identity_with(store, settings).await
}

/// The same with signing in as an operator wants it.
async fn start_identity_with(store: TestStore, settings: IdentitySettings) -> (TestApp, Chat) {
    let mut chat = None;
    let app = TestApp::start(store, |context| {
        let identity = Identity::new(context.clone(), settings);
        wire_identity(context, &mut chat, identity, ChatSettings::default())
    })
    .await;
    (app, chat.unwrap())
}

fn wire(context: Context, chat: &mut Option<Chat>) -> Wiring {
    wire_with(context, chat, ChatSettings::default())
}

fn wire_with(context: Context, chat: &mut Option<Chat>, chat_settings: ChatSettings) -> Wiring {
    let identity = Identity::new(context.clone(), identity_settings());
    wire_identity(context, chat, identity, chat_settings)
}

fn identity_settings() -> IdentitySettings {
    IdentitySettings {
        tries_per_caller_hourly: None,
        codes_per_phone_hourly: u32::MAX,
        ..IdentitySettings::default()
    }
}

fn wire_identity(
    context: Context,
    chat: &mut Option<Chat>,
    identity: Identity,
    chat_settings: ChatSettings,
) -> Wiring {
    let service = Chat::with_settings(context, identity.clone(), chat_settings);
    let service = chat.insert(service).clone();
    Wiring {
        services: vec![Arc::new(identity.clone()), Arc::new(service)],
        authenticator: Arc::new(identity),
    }
}

/// A path of the specification.
fn client(path: &str) -> String {
    format!("/_matrix/client/v3/{path}")
}

/// A path segment with what a path cannot hold written out.
fn segment(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

async fn get(app: &TestApp, who: &SignedUp, path: &str) -> TestResponse {
    app.get(&client(path)).bearer(&who.access_token).send().await
}

async fn post(app: &TestApp, who: &SignedUp, path: &str, body: Value) -> TestResponse {
    app.post(&client(path))
        .bearer(&who.access_token)
        .json(body)
        .send()
        .await
}

async fn put(app: &TestApp, who: &SignedUp, path: &str, body: Value) -> TestResponse {
    app.put(&client(path))
        .bearer(&who.access_token)
        .json(body)
        .send()
        .await
}

/// Makes a room; returns its id as a path segment.
async fn make_room(app: &TestApp, who: &SignedUp, wish: Value) -> String {
    let made = post(app, who, "createRoom", wish).await.expect(200).json();
    segment(made["room_id"].as_str().unwrap())
}

/// A room of several people, all of whom are in it.
async fn make_room_of(app: &TestApp, host: &SignedUp, guests: &[&SignedUp]) -> String {
    let invited: Vec<&str> = guests.iter().map(|guest| guest.user_id.as_str()).collect();
    let room = make_room(app, host, json!({ "preset": "private_chat", "invite": invited })).await;
    for guest in guests {
        post(app, guest, &format!("rooms/{room}/join"), json!({}))
            .await
            .expect(200);
    }
    room
}

/// Says something; returns the event's id.
async fn say(app: &TestApp, who: &SignedUp, room: &str, transaction_id: &str, text: &str) -> String {
    let path = format!("rooms/{room}/send/m.room.message/{transaction_id}");
    let sent = put(app, who, &path, json!({ "msgtype": "m.text", "body": text }))
        .await
        .expect(200)
        .json();
    sent["event_id"].as_str().unwrap().to_owned()
}

/// Somebody who signed in as an administrator.
async fn sign_up_staff(app: &TestApp) -> SignedUp {
    let person = app.sign_up("Staff").await;
    let id = person.person_id;
    let grant = async move |tx: &mut Tx<'_>| {
        haechi_identity::ops::grant_role(tx, &operator(), id, Role::Administrator).await
    };
    app.context.store.write_unkeyed(grant).await.unwrap();
    app.sign_in(&person.phone, None).await
}

/// A sync that does not wait.
async fn sync(app: &TestApp, who: &SignedUp, since: &str) -> Value {
    get(app, who, &format!("sync?since={since}"))
        .await
        .expect(200)
        .json()
}

/// Asserts that the answer is the Matrix error of that status and code.
fn assert_matrix_error(response: &TestResponse, status: u16, code: &str) {
    assert_eq!(
        response.status.as_u16(),
        status,
        "{}: {}",
        response.label(),
        response.text()
    );
    let told = response.json();
    assert_eq!(told["errcode"], code, "{}: {}", response.label(), response.text());
    assert!(told["error"].is_string(), "{}", response.text());
}

/// The texts of the messages in a list of events.
fn texts(events: &Value) -> Vec<String> {
    let messages = events.as_array().unwrap().iter();
    messages
        .filter(|event| event["type"] == "m.room.message")
        .map(|event| event["content"]["body"].as_str().unwrap_or("(none)").to_owned())
        .collect()
}

/// The room's part of a sync.
fn joined<'s>(sync: &'s Value, room: &str) -> &'s Value {
    let rooms = sync["rooms"]["join"].as_object().unwrap();
    let found = rooms.iter().find(|(room_id, _)| segment(room_id) == room);
    found.map_or(&Value::Null, |(_, room)| room)
}
