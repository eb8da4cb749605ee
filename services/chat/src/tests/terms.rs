//! After a fail-over: who was shown what the next primary's log does not hold misses nothing of what comes after.

use haechi_store::{StoreError, Tx};
use haechi_testkit::{TestApp, TestStore};
use serde_json::{Value, json};

use super::sliding::{pos, slide, told, window};
use super::{assert_matrix_error, get, joined, make_room_of, say, start, sync, texts};
use crate::model::{Ahead, ChatError, SyncToken, TERM_LEAP};

/// How many positions were shown by a host whose log did not survive.
const LOST: i64 = 7;

/// Sets the counters back as a fail-over does: to a log in which the last positions were never drawn, in another term.
async fn fail_over(app: &TestApp) {
    let set_back = async |tx: &mut Tx<'_>| -> Result<u64, StoreError> {
        let sql = "UPDATE chat_stream SET position = position - $1, term = 'the one before'";
        tx.execute(sql, &[&LOST]).await
    };
    assert_eq!(app.context.store.write_unkeyed(set_back).await, Ok(5));
}

/// Brings the counters to where nothing is kept, as events do that will be lost.
async fn show_what_will_be_lost(app: &TestApp) {
    let draw = async |tx: &mut Tx<'_>| -> Result<u64, StoreError> {
        let sql = "UPDATE chat_stream SET position = position + $1";
        tx.execute(sql, &[&LOST]).await
    };
    assert_eq!(app.context.store.write_unkeyed(draw).await, Ok(5));
}

fn next(sync: &Value) -> &str {
    sync["next_batch"].as_str().unwrap()
}

async fn a_sync_misses_nothing_that_was_said_after_a_fail_over(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    show_what_will_be_lost(&app).await;
    let shown = sync(&app, &joon, "").await;
    fail_over(&app).await;

    // Nothing was said since: he is told so, not refused.
    let quiet = sync(&app, &joon, next(&shown)).await;
    assert_eq!(quiet["rooms"]["join"], json!({}));
    say(&app, &minji, &room, "1", "we are back").await;
    for since in [&shown, &quiet] {
        let news = sync(&app, &joon, next(since)).await;
        assert_eq!(
            texts(&joined(&news, &room)["timeline"]["events"]),
            ["we are back"]
        );
    }
    // The leap is made once a term.
    let news = sync(&app, &joon, next(&shown)).await;
    say(&app, &minji, &room, "2", "all of us").await;
    let more = sync(&app, &joon, next(&news)).await;
    let furthest = |sync: &Value| {
        let token: SyncToken = next(sync).parse().unwrap();
        (0..4).map(|stream| token.position(stream)).max().unwrap()
    };
    assert!(furthest(&news) > TERM_LEAP);
    assert_eq!(furthest(&more), furthest(&news) + 1);
}

async fn a_connection_misses_nothing_that_was_said_after_a_fail_over(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    show_what_will_be_lost(&app).await;
    let shown = slide(&app, &joon, "", &window(9)).await;
    fail_over(&app).await;

    let quiet = slide(&app, &joon, pos(&shown), &window(9)).await;
    assert_eq!(quiet["rooms"], json!({}));
    say(&app, &minji, &room, "1", "we are back").await;
    let news = slide(&app, &joon, pos(&quiet), &window(9)).await;
    assert_eq!(texts(&told(&news, &room)["timeline"]), ["we are back"]);
}

async fn a_token_from_ahead_is_refused_unless_a_fail_over_explains_it(store: TestStore) {
    let (app, _) = start(store).await;
    let joon = app.sign_up("Joon").await;
    let (near, far) = ("s0_0_9_0_0_0", format!("s0_0_{}_0_0_0", TERM_LEAP + 1));
    let ask = async |since: &str| get(&app, &joon, &format!("sync?since={since}")).await;
    assert_matrix_error(&ask(near).await, 400, "M_UNKNOWN_POS");
    show_what_will_be_lost(&app).await;
    fail_over(&app).await;
    ask(near).await.expect(200);
    assert_matrix_error(&ask(&far).await, 400, "M_UNKNOWN_POS");
}

#[test]
fn a_token_from_ahead_waits_for_a_standby_to_catch_up() {
    let token = |text: &str| text.parse::<SyncToken>().unwrap();
    let (behind, ahead) = (token("s1_0_0_0_5_0"), token("s1_0_2_0_4_0"));
    assert_eq!(ahead.reached(&behind, Ahead::OfStandby), Ok(None));
    assert_eq!(behind.reached(&behind, Ahead::OfStandby), Ok(Some(behind)));
    assert_eq!(
        ahead.reached(&behind, Ahead::OfFailOver),
        Ok(Some(token("s1_0_0_0_4_0")))
    );
    assert_eq!(
        ahead.reached(&behind, Ahead::Never),
        Err(ChatError::UnknownPosition)
    );
}

haechi_testkit::on_both_engines!(
    a_sync_misses_nothing_that_was_said_after_a_fail_over,
    a_connection_misses_nothing_that_was_said_after_a_fail_over,
    a_token_from_ahead_is_refused_unless_a_fail_over_explains_it,
);
