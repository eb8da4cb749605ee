//! Pushes, to a gateway that listens on this machine.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use haechi_identity::{Identity, IdentitySettings};
use haechi_service::{CancellationToken, Context};
use haechi_testkit::{SignedUp, TestApp, TestStore};
use http::{HeaderMap, StatusCode, Uri};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{get, make_room, make_room_of, post, put, say, segment, start_with};
use crate::{Chat, ChatSettings};

/// Longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a gateway was sent.
#[derive(Clone)]
pub(super) struct Sent {
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// A push gateway, or a browser's push service.
#[derive(Clone)]
pub(super) struct TestGateway {
    pub(super) url: String,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    sent: Vec<Sent>,
    answers: VecDeque<(StatusCode, Value)>,
}

impl TestGateway {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let gateway = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            inner: Arc::default(),
        };
        let router = Router::new().fallback(take).with_state(gateway.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        gateway
    }

    /// Answers the next push so; without that each is taken.
    pub(super) fn answer(&self, status: u16, body: Value) {
        let status = StatusCode::from_u16(status).unwrap();
        self.inner.lock().answers.push_back((status, body));
    }

    pub(super) fn count(&self) -> usize {
        self.inner.lock().sent.len()
    }

    /// The push of this number, once it is there.
    pub(super) async fn sent(&self, number: usize) -> Sent {
        let started = Instant::now();
        loop {
            if let Some(sent) = self.inner.lock().sent.get(number).cloned() {
                return sent;
            }
            assert!(started.elapsed() < PATIENCE, "push {number} does not come");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The notification of this number.
    async fn told(&self, number: usize) -> Value {
        let sent = self.sent(number).await;
        assert_eq!(sent.path, "/_matrix/push/v1/notify");
        let told: Value = serde_json::from_slice(&sent.body).unwrap();
        told["notification"].clone()
    }
}

async fn take(
    State(gateway): State<TestGateway>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, axum::Json<Value>) {
    let mut inner = gateway.inner.lock();
    inner.sent.push(Sent {
        path: uri.path().to_owned(),
        headers,
        body,
    });
    let (status, body) = inner.answers.pop_front().unwrap_or((StatusCode::OK, json!({})));
    (status, axum::Json(body))
}

pub(super) async fn start_pushing(store: TestStore) -> (TestApp, Chat) {
    let settings = ChatSettings {
        pushes_anywhere: true,
        ..ChatSettings::default()
    };
    start_with(store, settings).await
}

/// Waits until something is so.
pub(super) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !is_so().await {
        assert!(started.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn set_pusher(
    app: &TestApp,
    who: &SignedUp,
    gateway: &TestGateway,
    push_key: &str,
    format: Option<&str>,
) {
    let mut data = json!({ "url": format!("{}/_matrix/push/v1/notify", gateway.url), "brand": "tea" });
    if let Some(format) = format {
        data["format"] = format.into();
    }
    let pusher = json!({
        "kind": "http",
        "app_id": "org.example.app",
        "pushkey": push_key,
        "app_display_name": "Example",
        "device_display_name": "Phone",
        "lang": "en",
        "data": data,
        "append": true,
    });
    post(app, who, "pushers/set", pusher).await.expect(200);
}

async fn has_pushers(app: &TestApp, who: &SignedUp) -> bool {
    let told = get(app, who, "pushers").await.expect(200).json();
    !told["pushers"].as_array().unwrap().is_empty()
}

async fn a_message_reaches_the_gateway_of_the_other_and_not_of_who_wrote_it(store: TestStore) {
    let (app, _) = start_pushing(store).await;
    let gateway = TestGateway::start().await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    set_pusher(&app, &minji, &gateway, "minji", None).await;
    set_pusher(&app, &joon, &gateway, "joon", None).await;
    let wish = json!({ "preset": "private_chat", "name": "Tea", "invite": [joon.user_id] });
    let room = make_room(&app, &minji, wish).await;
    let told = gateway.told(0).await;
    assert_eq!(told["devices"][0]["pushkey"], "joon", "{told}");
    assert_eq!(
        (&told["type"], &told["user_is_target"]),
        (&json!("m.room.member"), &json!(true))
    );
    post(&app, &joon, &format!("rooms/{room}/join"), json!({}))
        .await
        .expect(200);
    let event_id = say(&app, &minji, &room, "1", "hello").await;
    let told = gateway.told(1).await;
    assert_eq!(told["event_id"], event_id.as_str());
    assert_eq!(segment(told["room_id"].as_str().unwrap()), room);
    assert_eq!(told["sender"], minji.user_id.as_str());
    assert_eq!(told["sender_display_name"], "Minji");
    assert_eq!(told["room_name"], "Tea");
    assert_eq!(told["type"], "m.room.message");
    assert_eq!(told["content"]["body"], "hello");
    assert_eq!(told["counts"], json!({ "unread": 1 }));
    assert_eq!(told["prio"], "high", "a message between two sounds");
    let device = &told["devices"][0];
    assert_eq!(device["app_id"], "org.example.app");
    assert_eq!(device["pushkey"], "joon");
    assert_eq!(
        device["data"],
        json!({ "brand": "tea" }),
        "the url is not handed on"
    );
    assert_eq!(device["tweaks"], json!({ "sound": "default" }));
    say(&app, &joon, &room, "2", "hi").await;
    let told = gateway.told(2).await;
    assert_eq!(told["devices"][0]["pushkey"], "minji");
    assert_eq!(gateway.count(), 3);
}

async fn what_ignored_people_say_is_pushed_to_nobody_who_ignores_them(store: TestStore) {
    let (app, _) = start_pushing(store).await;
    let gateway = TestGateway::start().await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let sora = app.sign_up("Sora").await;
    let room = make_room_of(&app, &minji, &[&joon, &sora]).await;
    let path = format!("user/{}/account_data/m.ignored_user_list", segment(&joon.user_id));
    let list = json!({ "ignored_users": { sora.user_id.clone(): {} } });
    put(&app, &joon, &path, list).await.expect(200);
    set_pusher(&app, &joon, &gateway, "joon", None).await;
    say(&app, &sora, &room, "1", "rude").await;
    let kind = say(&app, &minji, &room, "2", "kind").await;
    let told = gateway.told(0).await;
    assert_eq!(told["event_id"], kind.as_str());
    assert_eq!(told["counts"], json!({ "unread": 1 }));
    assert_eq!(gateway.count(), 1);
}

async fn a_gateway_that_wants_ids_only_learns_nothing_else(store: TestStore) {
    let (app, _) = start_pushing(store).await;
    let gateway = TestGateway::start().await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    set_pusher(&app, &joon, &gateway, "joon", Some("event_id_only")).await;
    app.advance(Duration::from_millis(1));
    let event_id = say(&app, &minji, &room, "1", "a secret").await;
    let sent = gateway.sent(0).await;
    let told = gateway.told(0).await;
    assert_eq!(told["event_id"], event_id.as_str());
    let mut names: Vec<&str> = told.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["counts", "devices", "event_id", "prio", "room_id"]);
    let text = String::from_utf8(sent.body.to_vec()).unwrap();
    assert!(!text.contains("secret") && !text.contains("Minji"), "{text}");
    assert!(text.contains("event_id_only"), "{text}");
}

async fn a_rejected_push_key_is_forgotten(store: TestStore) {
    let (app, _) = start_pushing(store).await;
    let gateway = TestGateway::start().await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    set_pusher(&app, &joon, &gateway, "joon", None).await;
    gateway.answer(200, json!({ "rejected": ["somebody else"] }));
    gateway.answer(200, json!({ "rejected": ["joon"] }));
    say(&app, &minji, &room, "1", "hello").await;
    gateway.sent(0).await;
    assert!(has_pushers(&app, &joon).await);
    say(&app, &minji, &room, "2", "hello").await;
    until("the pusher goes", async || !has_pushers(&app, &joon).await).await;
}

async fn what_was_not_taken_is_tried_again_with_growing_pauses(store: TestStore) {
    let (app, _) = start_pushing(store).await;
    let gateway = TestGateway::start().await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    set_pusher(&app, &joon, &gateway, "joon", None).await;
    for _ in 0..3 {
        gateway.answer(503, json!({}));
    }
    let event_id = say(&app, &minji, &room, "1", "hello").await;
    gateway.sent(0).await;
    // It is kept before the look ends, and then there is a job.
    until("it is tried again", async || {
        app.run_due_jobs().await;
        gateway.count() == 2
    })
    .await;
    app.run_due_jobs().await;
    assert_eq!(gateway.count(), 2, "not before a pause");
    app.advance(Duration::from_millis(1_100));
    app.run_due_jobs().await;
    assert_eq!(gateway.count(), 3);
    app.advance(Duration::from_millis(1_100));
    app.run_due_jobs().await;
    assert_eq!(gateway.count(), 3, "the pause has grown");
    app.advance(Duration::from_millis(1_000));
    app.run_due_jobs().await;
    assert_eq!(gateway.told(3).await["event_id"], event_id.as_str());
    app.advance(Duration::from_secs(3_600));
    app.run_due_jobs().await;
    assert_eq!(gateway.count(), 4, "what was taken is not sent again");
}

async fn what_was_read_meanwhile_is_not_tried_again(store: TestStore) {
    let (app, _) = start_pushing(store).await;
    let gateway = TestGateway::start().await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    set_pusher(&app, &joon, &gateway, "joon", None).await;
    gateway.answer(503, json!({}));
    let event_id = say(&app, &minji, &room, "1", "hello").await;
    gateway.sent(0).await;
    let path = format!("rooms/{room}/receipt/m.read/{}", segment(&event_id));
    post(&app, &joon, &path, json!({})).await.expect(200);
    until("what waits is written down", async || {
        let late = app
            .context
            .store
            .late_jobs(app.context.now() + Duration::from_secs(9), 9);
        late.await.unwrap().iter().any(|job| job.kind == "chat.push")
    })
    .await;
    app.advance(Duration::from_secs(5));
    app.run_due_jobs().await;
    assert_eq!(gateway.count(), 1);
    let second = say(&app, &minji, &room, "2", "again").await;
    assert_eq!(gateway.told(1).await["event_id"], second.as_str());
}

async fn nothing_is_pushed_of_muted_rooms_nor_in_quiet_hours_nor_to_who_left(store: TestStore) {
    let (app, chat) = start_pushing(store).await;
    let gateway = TestGateway::start().await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let sora = app.sign_up("Sora").await;
    let muted = make_room_of(&app, &minji, &[&joon]).await;
    let room = make_room_of(&app, &minji, &[&joon, &sora]).await;
    set_pusher(&app, &joon, &gateway, "joon", None).await;
    set_pusher(&app, &sora, &gateway, "sora", None).await;
    let mute = format!("pushrules/global/room/{muted}");
    put(&app, &joon, &mute, json!({ "actions": [] }))
        .await
        .expect(200);
    post(&app, &sora, &format!("rooms/{room}/leave"), json!({}))
        .await
        .expect(200);
    say(&app, &minji, &muted, "1", "muted").await;
    let heard = say(&app, &minji, &room, "2", "heard").await;
    assert_eq!(gateway.told(0).await["event_id"], heard.as_str());

    // Quiet hours around now.
    let minutes = chat.moment().seconds().div_euclid(60).rem_euclid(1_440);
    let clock = |minutes: i64| {
        let minutes = minutes.rem_euclid(1_440);
        format!("{:02}:{:02}", minutes / 60, minutes % 60)
    };
    let hours = json!({ "start": clock(minutes - 60), "end": clock(minutes + 60), "time_zone": "UTC" });
    let path = format!(
        "user/{}/account_data/org.haechi.quiet_hours",
        segment(&joon.user_id)
    );
    put(&app, &joon, &path, hours).await.expect(200);
    say(&app, &minji, &room, "3", "at night").await;
    until("the look is over", async || pushed_up_to_date(&app, &room).await).await;
    put(&app, &joon, &path, json!({})).await.expect(200);
    let morning = say(&app, &minji, &room, "4", "good morning").await;
    assert_eq!(gateway.told(1).await["event_id"], morning.as_str());
    assert_eq!(
        gateway.told(1).await["counts"],
        json!({ "unread": 3 }),
        "counts went on; those of the muted room are none"
    );
    let bad = json!({ "start": "25:00", "end": "07:00", "time_zone": "UTC" });
    super::assert_matrix_error(&put(&app, &joon, &path, bad).await, 400, "M_INVALID_PARAM");
    assert_eq!(gateway.count(), 2);
}

/// Whether all of a room's stream was looked at.
async fn pushed_up_to_date(app: &TestApp, room: &str) -> bool {
    let room_id = room.replace("%21", "!").replace("%3A", ":");
    let stream = crate::model::stream_of(&room_id);
    let store = &app.context.store;
    let lag: Result<i64, haechi_store::StoreError> = store
        .read(async move |tx: &mut haechi_store::Tx<'_>| {
            let reached = crate::store::streams::positions(tx, 0).await?.position(stream);
            Ok(reached - crate::store::pushes::progress(tx, stream).await?)
        })
        .await;
    lag.unwrap() == 0
}

async fn only_what_is_new_is_told_to_who_is_asked_in(store: TestStore) {
    let (app, _) = start_pushing(store).await;
    let gateway = TestGateway::start().await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    set_pusher(&app, &joon, &gateway, "joon", None).await;
    let room = make_room(&app, &minji, json!({ "preset": "private_chat" })).await;
    say(&app, &minji, &room, "1", "before").await;
    post(
        &app,
        &minji,
        &format!("rooms/{room}/invite"),
        json!({ "user_id": joon.user_id }),
    )
    .await
    .expect(200);
    say(&app, &minji, &room, "2", "not for Joon yet").await;
    assert_eq!(gateway.told(0).await["type"], "m.room.member");
    post(&app, &joon, &format!("rooms/{room}/join"), json!({}))
        .await
        .expect(200);
    let welcome = say(&app, &minji, &room, "3", "welcome").await;
    assert_eq!(gateway.told(1).await["event_id"], welcome.as_str());
    assert_eq!(gateway.count(), 2);
}

async fn a_new_owner_goes_on_where_the_old_one_stopped(store: TestStore) {
    let (app, _) = start_pushing(store).await;
    let gateway = TestGateway::start().await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    set_pusher(&app, &joon, &gateway, "joon", None).await;
    let room = make_room_of(&app, &minji, &[&joon]).await;
    let first = say(&app, &minji, &room, "1", "pushed by the first").await;
    until("the first message is pushed", async || {
        let last = gateway.count().saturating_sub(1);
        gateway.told(last).await["event_id"] == first.as_str()
    })
    .await;
    let pushed = gateway.count();
    // The first owner's work ends, as if it died; its routes go on.
    app.context.shutdown.cancel();
    tokio::time::timeout(PATIENCE, app.context.shutdown.cancelled())
        .await
        .unwrap();
    let second = say(&app, &minji, &room, "2", "said while nobody pushed").await;
    assert_eq!(gateway.count(), pushed);
    let context = Context {
        shutdown: CancellationToken::new(),
        ..app.context.clone()
    };
    let identity = Identity::new(context.clone(), IdentitySettings::default());
    let settings = ChatSettings {
        pushes_anywhere: true,
        ..ChatSettings::default()
    };
    let _next_owner = Chat::with_settings(context, identity, settings);
    let mut told = Vec::new();
    while !told.contains(&json!(second)) {
        told.push(gateway.told(pushed + told.len()).await["event_id"].clone());
    }
    assert!(
        !told.contains(&json!(first)),
        "what was noted as pushed is not pushed again"
    );
}

async fn of_a_flood_the_newest_are_pushed(store: TestStore) {
    let (app, _) = start_pushing(store).await;
    let gateway = TestGateway::start().await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    set_pusher(&app, &joon, &gateway, "joon", None).await;
    let says = (0..60).map(|number| {
        let (app, minji, room) = (&app, &minji, &room);
        async move { say(app, minji, room, &number.to_string(), "x").await }
    });
    futures_util::future::join_all(says).await;
    let last = say(&app, &minji, &room, "last", "the last").await;
    let mut number = 0;
    while gateway.told(number).await["event_id"] != last.as_str() {
        number += 1;
    }
    assert!(gateway.count() <= 61);
}

haechi_testkit::on_both_engines!(
    a_message_reaches_the_gateway_of_the_other_and_not_of_who_wrote_it,
    what_ignored_people_say_is_pushed_to_nobody_who_ignores_them,
    a_gateway_that_wants_ids_only_learns_nothing_else,
    a_rejected_push_key_is_forgotten,
    what_was_not_taken_is_tried_again_with_growing_pauses,
    what_was_read_meanwhile_is_not_tried_again,
    nothing_is_pushed_of_muted_rooms_nor_in_quiet_hours_nor_to_who_left,
    only_what_is_new_is_told_to_who_is_asked_in,
    a_new_owner_goes_on_where_the_old_one_stopped,
    of_a_flood_the_newest_are_pushed,
);
