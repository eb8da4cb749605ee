//! Several nodes on one PostgreSQL: any of them serves anybody, and what happens on one is told on all at once.

use std::time::{Duration, Instant};

use haechi_testkit::{SignedUp, TestApp, TestResponse, TestStore, run_test};
use serde_json::{Value, json};

use super::posted::post_as_service;
use super::{client, get, joined, make_room_of, post, put, say, segment, start_node, sync, texts};
use crate::Chat;

/// Longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Longest that news may take to a long poll on another node: far less than the look at the streams, once a second.
const AT_ONCE: Duration = Duration::from_millis(400);

/// Two nodes of one cluster that know each other, and where each chat stream has its owner.
async fn two_nodes() -> (TestStore, [(TestApp, Chat); 2]) {
    let store = TestStore::postgres().await;
    let nodes = [
        start_node(&store, "pangyo").await,
        start_node(&store, "busan").await,
    ];
    let is_ready = || {
        let here = |node: usize| nodes[node].1.streams_here();
        nodes.iter().all(|(app, _)| app.context.cluster.has_others())
            && here(0) + here(1) == 5
            && here(0) > 0
            && here(1) > 0
    };
    let started = Instant::now();
    while !is_ready() {
        assert!(
            started.elapsed() < PATIENCE,
            "the nodes do not share out the streams"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    (store, nodes)
}

/// A sync that waits for news on one node.
fn wait_for_news(app: &TestApp, who: &SignedUp, since: &Value) -> tokio::task::JoinHandle<TestResponse> {
    // On a busy machine more is said between two polls than a page holds by itself.
    let filter = segment(&json!({ "room": { "timeline": { "limit": 100 } } }).to_string());
    let path = format!(
        "sync?timeout=15000&filter={filter}&since={}",
        since.as_str().unwrap()
    );
    let request = app.get(&client(&path)).bearer(&who.access_token);
    tokio::spawn(request.send())
}

async fn since(app: &TestApp, who: &SignedUp) -> Value {
    get(app, who, "sync").await.expect(200).json()["next_batch"].clone()
}

/// Lets the other side do something once a poll is parked, and returns what the poll was told, and how soon.
async fn told_when(listening: &TestApp, who: &SignedUp, happens: impl AsyncFnOnce()) -> (Value, Duration) {
    let since = since(listening, who).await;
    let poll = wait_for_news(listening, who, &since);
    // Long enough for the poll to be parked; should it not be, it finds the news in the store, which is as right.
    tokio::time::sleep(Duration::from_millis(100)).await;
    happens().await;
    let happened = Instant::now();
    let told = poll.await.unwrap().expect(200).json();
    (told, happened.elapsed())
}

#[test]
fn what_is_said_on_one_node_is_heard_on_the_other_at_once() {
    run_test(async {
        let (_store, [(left, _), (right, _)]) = two_nodes().await;
        let (minji, joon) = (left.sign_up("Minji").await, right.sign_up("Joon").await);
        // Rooms of several streams: some are owned here, some there.
        let mut slowest = Duration::ZERO;
        for number in 0..6 {
            let room = make_room_of(&left, &minji, &[&joon]).await;
            let name = format!("said-{number}");
            let (told, after) = told_when(&right, &joon, async || {
                say(&left, &minji, &room, &name, &name).await;
            })
            .await;
            assert_eq!(
                texts(&joined(&told, &room)["timeline"]["events"]),
                [name.as_str()]
            );
            slowest = slowest.max(after);
            let (told, after) = told_when(&left, &minji, async || {
                say(&right, &joon, &room, &format!("answer-{number}"), "heard").await;
            })
            .await;
            assert_eq!(texts(&joined(&told, &room)["timeline"]["events"]), ["heard"]);
            slowest = slowest.max(after);
        }
        println!("the slowest of 12 messages was heard {slowest:?} after it was acknowledged");
        assert!(slowest < AT_ONCE, "{slowest:?}");
    });
}

#[test]
fn typing_receipts_and_invitations_reach_the_other_node_at_once() {
    run_test(async {
        let (_store, [(left, _), (right, _)]) = two_nodes().await;
        let (minji, joon) = (left.sign_up("Minji").await, right.sign_up("Joon").await);
        let room = make_room_of(&left, &minji, &[&joon]).await;
        let message = say(&left, &minji, &room, "1", "hello").await;

        let (told, after) = told_when(&right, &joon, async || {
            let path = format!("rooms/{room}/typing/{}", segment(&minji.user_id));
            put(&left, &minji, &path, json!({ "typing": true, "timeout": 20_000 }))
                .await
                .expect(200);
        })
        .await;
        assert_eq!(
            joined(&told, &room)["ephemeral"]["events"][0]["content"]["user_ids"],
            json!([minji.user_id])
        );
        assert!(after < AT_ONCE, "typing: {after:?}");

        let (told, after) = told_when(&left, &minji, async || {
            let path = format!("rooms/{room}/receipt/m.read/{}", segment(&message));
            post(&right, &joon, &path, json!({})).await.expect(200);
        })
        .await;
        let ephemeral = joined(&told, &room)["ephemeral"]["events"].to_string();
        assert!(
            ephemeral.contains("m.receipt") && ephemeral.contains(&joon.user_id),
            "{ephemeral}"
        );
        assert!(after < AT_ONCE, "a receipt: {after:?}");

        let (told, after) = told_when(&right, &joon, async || {
            let wish = json!({ "preset": "private_chat", "invite": [joon.user_id] });
            post(&left, &minji, "createRoom", wish).await.expect(200);
        })
        .await;
        assert_eq!(told["rooms"]["invite"].as_object().unwrap().len(), 1, "{told}");
        assert!(after < AT_ONCE, "an invitation: {after:?}");
    });
}

#[test]
fn what_a_service_posts_on_one_node_is_placed_by_the_owner_and_heard_on_the_other_at_once() {
    run_test(async {
        let (_store, [(left, left_chat), (right, _)]) = two_nodes().await;
        let (minji, joon) = (left.sign_up("Minji").await, right.sign_up("Joon").await);
        let mut slowest = Duration::ZERO;
        for number in 0..6 {
            let room = make_room_of(&left, &minji, &[&joon]).await;
            let body = format!("{number} KRW");
            let content = json!({ "msgtype": "kr.haechi.transfer", "body": body });
            let (told, after) = told_when(&right, &joon, async || {
                post_as_service(&left, &left_chat, &minji, &room, content, true)
                    .await
                    .unwrap();
            })
            .await;
            assert_eq!(texts(&joined(&told, &room)["timeline"]["events"]), [body]);
            slowest = slowest.max(after);
        }
        println!("the slowest of 6 posted messages was heard after {slowest:?}");
        assert!(slowest < AT_ONCE, "{slowest:?}");
    });
}

#[test]
fn who_comes_online_on_one_node_is_told_on_the_other_at_once() {
    run_test(async {
        let (_store, [(left, _), (right, _)]) = two_nodes().await;
        let (minji, joon) = (left.sign_up("Minji").await, right.sign_up("Joon").await);
        make_room_of(&left, &minji, &[&joon]).await;
        let (told, after) = told_when(&right, &joon, async || {
            sync(&left, &minji, "").await;
        })
        .await;
        let event = &told["presence"]["events"][0];
        assert_eq!(
            (&event["sender"], &event["content"]["presence"]),
            (&json!(minji.user_id), &json!("online"))
        );
        assert!(after < AT_ONCE, "presence: {after:?}");
    });
}

#[test]
fn a_long_poll_that_moves_from_node_to_node_misses_nothing_and_hears_nothing_twice() {
    run_test(async {
        let (_store, [(left, _), (right, _)]) = two_nodes().await;
        let (minji, joon) = (left.sign_up("Minji").await, right.sign_up("Joon").await);
        let room = make_room_of(&left, &minji, &[&joon]).await;
        let mut token = since(&left, &joon).await;
        let saying = async {
            for number in 0..60 {
                let node = if number % 3 == 0 { &right } else { &left };
                say(
                    node,
                    &minji,
                    &room,
                    &format!("{number}"),
                    &format!("message {number}"),
                )
                .await;
            }
        };
        let hearing = async {
            let mut heard = Vec::new();
            for turn in 0.. {
                let node = if turn % 2 == 0 { &right } else { &left };
                let told = wait_for_news(node, &joon, &token)
                    .await
                    .unwrap()
                    .expect(200)
                    .json();
                token = told["next_batch"].clone();
                let timeline = &joined(&told, &room)["timeline"];
                assert_ne!(timeline["limited"], json!(true), "the test outruns a page");
                if timeline.is_object() {
                    heard.extend(texts(&timeline["events"]));
                }
                if heard.len() >= 60 {
                    return heard;
                }
            }
            heard
        };
        let ((), heard) = tokio::join!(saying, hearing);
        let wanted: Vec<String> = (0..60).map(|number| format!("message {number}")).collect();
        assert_eq!(heard, wanted);
        let told = sync(&right, &joon, token.as_str().unwrap()).await;
        assert!(joined(&told, &room).is_null(), "{told}");
    });
}

#[test]
fn a_message_sent_again_through_another_node_is_said_once() {
    run_test(async {
        let (_store, [(left, _), (right, _)]) = two_nodes().await;
        let (minji, joon) = (left.sign_up("Minji").await, right.sign_up("Joon").await);
        let room = make_room_of(&left, &minji, &[&joon]).await;
        // At the same time on both: whichever is first, the other is a repetition.
        let (first, second) = tokio::join!(
            say(&left, &minji, &room, "once", "only once"),
            say(&right, &minji, &room, "once", "only once")
        );
        assert_eq!(first, second);
        let told = sync(&right, &joon, "").await;
        assert_eq!(texts(&joined(&told, &room)["timeline"]["events"]), ["only once"]);
    });
}

#[test]
fn a_session_that_ends_on_one_node_ends_on_the_other_at_once() {
    run_test(async {
        let (_store, [(left, _), (right, _)]) = two_nodes().await;
        let minji = left.sign_up("Minji").await;
        let me = || right.get("/api/identity/me").bearer(&minji.access_token).send();
        // The other node has seen the session, and remembers it for half a minute.
        me().await.expect(200);
        left.delete("/api/identity/sessions/current")
            .bearer(&minji.access_token)
            .send()
            .await
            .expect(204);
        let ended = Instant::now();
        while me().await.status != 401 {
            assert!(ended.elapsed() < AT_ONCE, "it goes on for {:?}", ended.elapsed());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        println!("the session ended on the other node after {:?}", ended.elapsed());
    });
}
