//! Syncs from memory: what they tell is what the store would, whatever happens in whatever order.

use std::time::Duration;

use haechi_testkit::{SignedUp, TestApp, TestStore};
use serde_json::{Value, json};

use super::crypto::upload_device;
use super::{get, joined, make_room_of, post, put, say, segment, start, sync, texts};
use crate::Chat;
use crate::model::SyncFilter;

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

/// Somebody who syncs on a device, and how far they have.
struct Reader {
    who: SignedUp,
    since: String,
    limit: usize,
}

struct Scene {
    app: TestApp,
    chat: Chat,
    readers: Vec<Reader>,
    rooms: Vec<String>,
    said: Vec<(String, String)>,
    step: usize,
}

fn limited(limit: usize) -> SyncFilter {
    let definition = json!({ "room": { "timeline": { "limit": limit } } });
    SyncFilter::new(serde_json::from_value(definition).unwrap())
}

/// An answer without what tells how old an event is.
fn ageless(mut answer: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.remove("age");
                fields.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut answer);
    answer
}

impl Scene {
    async fn new(store: TestStore) -> Self {
        let (app, chat) = start(store).await;
        let (minji, joon, hana) = (
            app.sign_up("Minji").await,
            app.sign_up("Joon").await,
            app.sign_up("Hana").await,
        );
        let mut rooms = Vec::new();
        for guests in [vec![&joon, &hana], vec![&joon], vec![&hana, &joon]] {
            rooms.push(make_room_of(&app, &minji, &guests).await);
        }
        let joons_desk = app.sign_in(&joon.phone, None).await;
        let mut readers = Vec::new();
        for (who, limit) in [(minji, 10), (joon, 3), (joons_desk, 20), (hana, 1)] {
            let first = sync(&app, &who, "").await;
            let since = first["next_batch"].as_str().unwrap().to_owned();
            readers.push(Reader { who, since, limit });
        }
        Self {
            app,
            chat,
            readers,
            rooms,
            said: Vec::new(),
            step: 0,
        }
    }

    /// Something happens: most often a message, now and then anything else.
    async fn act(&mut self, dice: &mut Dice) {
        self.step += 1;
        let who = self.readers[dice.roll(self.readers.len())].who.clone();
        let room = self.rooms[dice.roll(self.rooms.len())].clone();
        match dice.roll(150) {
            kind @ 0..5 => self.relate(dice, &who, kind).await,
            kind @ 5..10 => self.change_room(&who, &room, kind, dice).await,
            kind @ 10..16 => self.change_person(&who, kind, dice).await,
            kind => self.say(&who, &room, kind, dice).await,
        }
    }

    /// Somebody refers to what was said before.
    async fn relate(&mut self, dice: &mut Dice, who: &SignedUp, kind: usize) {
        let Some(back) = self.said.len().checked_sub(1) else {
            return;
        };
        let (room, event_id) = self.said[back - dice.roll(back.min(8) + 1)].clone();
        let send = format!("rooms/{room}/send/m.room.message/{}", self.step);
        match kind {
            0 => {
                let body = json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": event_id, "key": "+" } });
                let path = format!("rooms/{room}/send/m.reaction/{}", self.step);
                put(&self.app, who, &path, body).await;
            }
            1 => {
                let body = json!({ "msgtype": "m.text", "body": "* new", "m.new_content": { "body": "new" },
                    "m.relates_to": { "rel_type": "m.replace", "event_id": event_id } });
                put(&self.app, who, &send, body).await;
            }
            2 => {
                let path = format!("rooms/{room}/redact/{}/{}", segment(&event_id), self.step);
                put(&self.app, who, &path, json!({})).await;
            }
            3 => {
                let path = format!("rooms/{room}/receipt/m.read/{}", segment(&event_id));
                post(&self.app, who, &path, json!({})).await;
            }
            _ => {
                let body = json!({ "msgtype": "m.text", "body": "in a thread",
                    "m.relates_to": { "rel_type": "m.thread", "event_id": event_id } });
                put(&self.app, who, &send, body).await;
            }
        }
    }

    /// Something in a room changes that is no message.
    async fn change_room(&self, who: &SignedUp, room: &str, kind: usize, dice: &mut Dice) {
        match kind {
            5 => {
                let path = format!("rooms/{room}/state/m.room.topic");
                put(&self.app, who, &path, json!({ "topic": self.step.to_string() })).await;
            }
            6 => {
                post(&self.app, who, &format!("rooms/{room}/leave"), json!({})).await;
                let host = &self.readers[0].who;
                let invited = json!({ "user_id": who.user_id });
                post(&self.app, host, &format!("rooms/{room}/invite"), invited).await;
                post(&self.app, who, &format!("rooms/{room}/join"), json!({})).await;
            }
            7 => {
                let path = format!("user/{}/rooms/{room}/tags/u.here", segment(&who.user_id));
                put(&self.app, who, &path, json!({ "order": 0.5 })).await;
            }
            8 => {
                let path = format!("rooms/{room}/typing/{}", segment(&who.user_id));
                let typing = json!({ "typing": dice.roll(2) == 0, "timeout": 30_000 });
                put(&self.app, who, &path, typing).await;
            }
            _ => {
                let path = format!("rooms/{room}/send/org.haechi.other/{}", self.step);
                put(&self.app, who, &path, json!({ "body": "of another type" })).await;
            }
        }
    }

    /// Something about a person changes.
    async fn change_person(&self, who: &SignedUp, kind: usize, dice: &mut Dice) {
        let account_data = format!("user/{}/account_data", segment(&who.user_id));
        match kind {
            10 => {
                let path = format!("{account_data}/org.haechi.test");
                put(&self.app, who, &path, json!({ "step": self.step })).await;
            }
            11 => {
                let ignored = match dice.roll(3) {
                    0 => json!({ &self.readers[0].who.user_id: {} }),
                    _ => json!({}),
                };
                let path = format!("{account_data}/m.ignored_user_list");
                put(&self.app, who, &path, json!({ "ignored_users": ignored })).await;
            }
            12 => {
                let messages = json!({ "messages": { &who.user_id: { "*": { "step": self.step } } } });
                let path = format!("sendToDevice/m.dummy/{}", self.step);
                put(&self.app, who, &path, messages).await;
            }
            13 => {
                let name = format!("signed_curve25519:{}", self.step);
                let keys = json!({ "one_time_keys": { name: { "key": self.step.to_string() } } });
                post(&self.app, who, "keys/upload", keys).await.expect(200);
            }
            14 => {
                let other = &self.readers[dice.roll(self.readers.len())].who;
                let wanted = json!({ &other.user_id: { &other.device_id: "signed_curve25519" } });
                let claim = json!({ "one_time_keys": wanted });
                post(&self.app, who, "keys/claim", claim).await.expect(200);
            }
            _ => drop(upload_device(&self.app, who, 7).await),
        }
    }

    /// Somebody says something, and perhaps names somebody.
    async fn say(&mut self, who: &SignedUp, room: &str, kind: usize, dice: &mut Dice) {
        let mut body = json!({ "msgtype": "m.text", "body": format!("said in step {}", self.step) });
        if kind < 26 {
            body["m.mentions"] = match dice.roll(3) {
                0 => json!({ "room": true }),
                _ => json!({ "user_ids": [self.readers[dice.roll(4)].who.user_id] }),
            };
        }
        let path = format!("rooms/{room}/send/m.room.message/{}", self.step);
        let sent = put(&self.app, who, &path, body).await;
        if let Some(event_id) = sent.json()["event_id"].as_str() {
            self.said.push((room.to_owned(), event_id.to_owned()));
        }
    }

    /// A reader looks both ways; returns whether memory told them of messages.
    async fn look(&mut self, dice: &mut Dice) -> bool {
        let place = dice.roll(self.readers.len());
        let reader = &mut self.readers[place];
        let (recalled, told) = self
            .chat
            .sync_both_ways(&reader.who.actor(), &reader.since, limited(reader.limit))
            .await;
        let next = told["next_batch"].as_str().unwrap().to_owned();
        if let Some(recalled) = &recalled {
            assert_eq!(
                ageless(recalled.clone()),
                ageless(told),
                "reader {place}, step {}",
                self.step
            );
        }
        // Sometimes an answer is lost, and the same token comes again.
        if dice.roll(5) > 0 {
            reader.since = next;
        }
        recalled.is_some_and(|recalled| recalled["rooms"]["join"] != json!({}))
    }
}

async fn memory_tells_what_the_store_would(store: TestStore) {
    let mut scene = Scene::new(store).await;
    let mut dice = Dice(20_261_128);
    let (mut looks, mut from_memory) = (0, 0);
    for _ in 0..900 {
        scene.act(&mut dice).await;
        for _ in 0..dice.roll(3) {
            looks += 1;
            from_memory += u32::from(scene.look(&mut dice).await);
        }
    }
    println!("{from_memory} of {looks} looks were told of messages from memory");
    assert!(from_memory > 60, "{from_memory} of {looks}");
}

async fn who_waits_is_told_from_memory_and_misses_nothing(store: TestStore) {
    let (app, chat) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    let mut since = sync(&app, &joon, "").await["next_batch"]
        .as_str()
        .unwrap()
        .to_owned();
    for number in 0..20 {
        let path = format!("sync?since={since}&timeout=20000");
        let (name, waits) = (number.to_string(), get(&app, &joon, &path));
        let (news, _) = tokio::join!(waits, say(&app, &minji, &room, &name, &name));
        let news = news.expect(200).json();
        // It may have been woken by who is here.
        let mut heard = texts_of(&news, &room);
        since = news["next_batch"].as_str().unwrap().to_owned();
        while heard.is_empty() {
            let path = format!("sync?since={since}&timeout=20000");
            let news = get(&app, &joon, &path).await.expect(200).json();
            heard = texts_of(&news, &room);
            since = news["next_batch"].as_str().unwrap().to_owned();
        }
        assert_eq!(heard, [name]);
    }
    say(&app, &minji, &room, "last", "last").await;
    let (recalled, told) = chat
        .sync_both_ways(&joon.actor(), &since, SyncFilter::default())
        .await;
    assert_eq!(recalled.map(ageless), Some(ageless(told)));
}

fn texts_of(sync: &Value, room: &str) -> Vec<String> {
    match joined(sync, room) {
        Value::Null => Vec::new(),
        room => texts(&room["timeline"]["events"]),
    }
}

/// What another program wrote beside this one, which told nobody, is found by who waits.
async fn who_waits_hears_of_what_nobody_told(store: TestStore) {
    let (app, chat) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    let mut since = sync(&app, &joon, "").await["next_batch"]
        .as_str()
        .unwrap()
        .to_owned();
    for number in 0..3 {
        let name = format!("told-{number}");
        say(&app, &minji, &room, &name, &name).await;
        let (_, told) = chat
            .sync_both_ways(&joon.actor(), &since, SyncFilter::default())
            .await;
        since = told["next_batch"].as_str().unwrap().to_owned();
    }
    let context = haechi_service::Context {
        store: app.store.open_again(),
        ..app.context.clone()
    };
    let identity =
        haechi_identity::Identity::new(context.clone(), haechi_identity::IdentitySettings::default());
    let elsewhere = Chat::new(context, identity);
    let room_id = room.replace("%21", "!").replace("%3A", ":");
    elsewhere
        .say(
            &minji.actor(),
            &room_id,
            "untold",
            &json!({ "msgtype": "m.text", "body": "untold" }),
        )
        .await
        .unwrap();
    let heard = async {
        loop {
            let path = format!("sync?since={since}&timeout=20000");
            let news = get(&app, &joon, &path).await.expect(200).json();
            since = news["next_batch"].as_str().unwrap().to_owned();
            if texts_of(&news, &room) == ["untold"] {
                return;
            }
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(10), heard).await;
    in_time.expect("woken in time");
    // And what follows here is told from memory again once it was read, with nothing left out.
    say(&app, &minji, &room, "after", "after").await;
    let (recalled, told) = chat
        .sync_both_ways(&joon.actor(), &since, SyncFilter::default())
        .await;
    assert_eq!(texts_of(&told, &room), ["after"]);
    if let Some(recalled) = recalled {
        assert_eq!(ageless(recalled), ageless(told));
    }
}

haechi_testkit::on_both_engines!(
    memory_tells_what_the_store_would,
    who_waits_is_told_from_memory_and_misses_nothing,
    who_waits_hears_of_what_nobody_told,
);
