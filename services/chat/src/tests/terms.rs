//! After a fail-over: who was shown what the next primary's log does not hold misses nothing of what comes after.

use std::sync::Arc;
use std::time::Duration;

use haechi_store::{StoreError, Tx};
use haechi_testkit::{SignedUp, Terms, TestApp, TestStore, run_test};
use serde_json::{Value, json};

use super::sliding::{pos, slide, told, window};
use super::{assert_matrix_error, get, joined, make_room_of, put, say, start, sync, texts};
use crate::model::{STREAMS, SyncToken};
use crate::store::streams;

/// How many positions are shown of each stream and do not survive.
const LOST: usize = 7;

/// Two people in a room, on a database in whose cluster somebody is elected.
struct House {
    app: TestApp,
    terms: Arc<Terms>,
    minji: SignedUp,
    joon: SignedUp,
    room: String,
}

impl House {
    async fn new() -> Self {
        let (store, terms) = TestStore::led().await;
        let (app, _) = start(store).await;
        let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
        let room = make_room_of(&app, &minji, &[&joon]).await;
        Self {
            app,
            terms,
            minji,
            joon,
            room,
        }
    }

    /// Draws positions that are shown to somebody, and then sets the counters back as a fail-over does: to a log in which
    /// they were never drawn.
    async fn lose<T>(&self, show: impl AsyncFnOnce() -> T) -> T {
        let store = &self.app.context.store;
        let read = async |tx: &mut Tx<'_>| -> Result<Vec<(i64, i64, i64)>, StoreError> {
            let rows = tx
                .query("SELECT stream, position, term FROM chat_stream", &[])
                .await?;
            let read = rows
                .iter()
                .map(|row| Ok((row.get("stream")?, row.get("position")?, row.get("term")?)));
            read.collect()
        };
        let survives = store.read(read).await.unwrap();
        let draw = async |tx: &mut Tx<'_>| -> Result<(), StoreError> {
            for stream in 0..=STREAMS {
                streams::draw(tx, stream, LOST).await?;
            }
            Ok(())
        };
        store.write_unkeyed(draw).await.unwrap();
        let shown = show().await;
        let set_back = async move |tx: &mut Tx<'_>| -> Result<(), StoreError> {
            let sql = "UPDATE chat_stream SET position = $2, term = $3 WHERE stream = $1";
            for (stream, position, term) in &survives {
                tx.execute(sql, &[stream, position, term]).await?;
            }
            Ok(())
        };
        store.write_unkeyed(set_back).await.unwrap();
        self.terms.next();
        self.until_led().await;
        shown
    }

    /// Waits until reads go to who leads: one that was under way when the term ended makes the node ask others for a
    /// moment, who may lag behind.
    async fn until_led(&self) {
        let store = &self.app.context.store;
        loop {
            let read = async |tx: &mut Tx<'_>| -> Result<bool, StoreError> {
                tx.ping().await?;
                Ok(tx.may_lag())
            };
            if !store.read(read).await.unwrap() && !store.is_degraded() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn sync(&self, since: &Value) -> Value {
        let since = since["next_batch"].as_str().unwrap_or_default();
        loop {
            let told = sync(&self.app, &self.joon, since).await;
            // Not by who may lag behind.
            if !self.app.context.store.is_degraded() {
                return told;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn heard(&self, sync: &Value) -> Vec<String> {
        texts(&joined(sync, &self.room)["timeline"]["events"])
    }

    async fn say(&self, text: &str) {
        say(&self.app, &self.minji, &self.room, text, text).await;
    }
}

#[test]
fn a_sync_misses_nothing_that_was_said_after_a_fail_over() {
    run_test(async {
        let house = House::new().await;
        let mut known = house.sync(&json!({})).await;
        // Lost are the last draws of a term in which others survive, all of the next, and the last ones once more.
        for round in ["once", "twice", "thrice"] {
            let shown = house.lose(async || house.sync(&known).await).await;
            // Nothing was said since: he is told so, not refused.
            let quiet = house.sync(&shown).await;
            assert_eq!(quiet["rooms"]["join"], json!({}));
            let shown_next = house.lose(async || house.sync(&quiet).await).await;
            house.say(round).await;
            for since in [&shown, &quiet, &shown_next] {
                assert_eq!(house.heard(&house.sync(since).await), [round]);
            }
            let shown = house.lose(async || house.sync(&shown).await).await;
            let later = format!("{round}-more");
            house.say(&later).await;
            known = house.sync(&shown).await;
            assert_eq!(house.heard(&known), [later]);
        }
    });
}

#[test]
fn within_a_term_positions_follow_each_other() {
    run_test(async {
        let house = House::new().await;
        house.terms.next();
        house.until_led().await;
        house.say("one").await;
        let one = house.sync(&json!({})).await;
        house.say("two").await;
        let two = house.sync(&one).await;
        let token = |sync: &Value| sync["next_batch"].as_str().unwrap().parse::<SyncToken>().unwrap();
        let drawn = |stream| token(&two).position(stream) - token(&one).position(stream);
        assert_eq!((0..=STREAMS).map(drawn).sum::<i64>(), 1);
    });
}

#[test]
fn a_connection_misses_nothing_that_was_said_after_a_fail_over() {
    run_test(async {
        let house = House::new().await;
        let shown = house
            .lose(async || slide(&house.app, &house.joon, "", &window(9)).await)
            .await;
        let quiet = slide(&house.app, &house.joon, pos(&shown), &window(9)).await;
        assert_eq!(quiet["rooms"], json!({}));
        house.say("back").await;
        let news = slide(&house.app, &house.joon, pos(&quiet), &window(9)).await;
        assert_eq!(texts(&told(&news, &house.room)["timeline"]), ["back"]);
    });
}

#[test]
fn a_message_to_a_device_is_kept_for_who_was_shown_what_did_not_survive() {
    run_test(async {
        let house = House::new().await;
        let shown = house.lose(async || house.sync(&json!({})).await).await;
        let sent = json!({ "messages": { (house.joon.user_id.as_str()): { "*": { "key": "a" } } } });
        put(&house.app, &house.minji, "sendToDevice/m.test/1", sent)
            .await
            .expect(200);
        for _ in 0..2 {
            // Asked twice: what a token proves to have come is forgotten.
            let news = house.sync(&shown).await;
            assert_eq!(news["to_device"]["events"][0]["content"]["key"], "a");
        }
    });
}

#[test]
fn a_token_from_ahead_is_refused_unless_a_fail_over_explains_it() {
    run_test(async {
        let house = House::new().await;
        let now: SyncToken = house.sync(&json!({})).await["next_batch"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        let ask = async |since: SyncToken| {
            let path = format!("sync?since={since}");
            get(&house.app, &house.joon, &path).await
        };
        let draw = async |tx: &mut Tx<'_>| streams::draw(tx, 2, 1).await;
        let store = &house.app.context.store;
        let drawn = store.write_unkeyed(draw).await.unwrap();
        let ahead = now.with_position(2, drawn + 9);
        assert_matrix_error(&ask(ahead).await, 400, "M_UNKNOWN_POS");
        house.terms.next();
        house.until_led().await;
        ask(ahead).await.expect(200);
        let first_of_this_term = store.write_unkeyed(draw).await.unwrap();
        let ahead = now.with_position(2, first_of_this_term + 9);
        assert_matrix_error(&ask(ahead).await, 400, "M_UNKNOWN_POS");
    });
}
