//! Friends from the phone book.

use std::time::Duration;

use haechi_testkit::{SignedUp, TestApp, TestResponse, TestStore, assert_problem};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::start;
use crate::model::limits::{MATCH_HASHES_A_DAY_MAX, MATCH_HASHES_MAX};

async fn pepper(app: &TestApp, who: &SignedUp) -> String {
    let path = "/api/chat/friends/pepper";
    let told = app
        .get(path)
        .bearer(&who.access_token)
        .send()
        .await
        .expect(200)
        .json();
    told["pepper"].as_str().unwrap().to_owned()
}

fn hash(pepper: &str, phone: &str) -> String {
    let bytes = Sha256::digest(format!("{pepper}{phone}").as_bytes());
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn compare(app: &TestApp, who: &SignedUp, hashes: &[String]) -> TestResponse {
    app.post("/api/chat/friends/match")
        .bearer(&who.access_token)
        .json(json!({ "hashes": hashes }))
        .send()
        .await
}

async fn set(app: &TestApp, who: &SignedUp, findable: bool) {
    app.put("/api/chat/settings/discovery")
        .bearer(&who.access_token)
        .json(json!({ "findable_by_phone": findable }))
        .send()
        .await
        .expect(200);
}

fn people(answer: &Value) -> Vec<&str> {
    let matches = answer["matches"].as_array().unwrap().iter();
    matches
        .map(|found| found["person"]["user_id"].as_str().unwrap())
        .collect()
}

async fn only_who_allows_it_is_found_by_their_number(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let yuna = app.sign_up("Yuna").await;
    let pepper = pepper(&app, &minji).await;
    let book: Vec<String> = [&joon.phone, &yuna.phone, &minji.phone, "+821099999999"]
        .iter()
        .map(|phone| hash(&pepper, phone))
        .collect();
    let settings = app.get("/api/chat/settings/discovery").bearer(&joon.access_token);
    assert_eq!(
        settings.send().await.expect(200).json(),
        json!({ "findable_by_phone": false })
    );
    assert_eq!(
        compare(&app, &minji, &book).await.expect(200).json(),
        json!({ "matches": [] })
    );
    set(&app, &joon, true).await;
    set(&app, &joon, true).await;
    set(&app, &minji, true).await;
    let found = compare(&app, &minji, &book).await.expect(200).json();
    assert_eq!(
        people(&found),
        [joon.user_id.as_str()],
        "not oneself, and not who did not agree"
    );
    assert_eq!(found["matches"][0]["hash"], book[0].as_str());
    assert_eq!(found["matches"][0]["person"]["display_name"], "Joon");
    let friends = app
        .get("/api/chat/friends")
        .bearer(&minji.access_token)
        .send()
        .await
        .expect(200)
        .json();
    assert_eq!(friends["items"], json!([]), "nobody is put on the list unasked");
    set(&app, &joon, false).await;
    assert_eq!(
        compare(&app, &minji, &book).await.expect(200).json(),
        json!({ "matches": [] })
    );
}

async fn numbers_are_compared_within_bounds(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let many = |from: usize, count: usize| -> Vec<String> {
        (from..from + count)
            .map(|number| format!("{number:064x}"))
            .collect()
    };
    assert_problem(
        &compare(&app, &minji, &many(0, MATCH_HASHES_MAX + 1)).await,
        422,
        "too-large",
    );
    for bad in ["", "xyz", "00", &"g".repeat(64), &"é".repeat(32)] {
        assert_problem(
            &compare(&app, &minji, &[bad.to_owned()]).await,
            422,
            "invalid-body",
        );
    }
    let a_day = usize::try_from(MATCH_HASHES_A_DAY_MAX).unwrap();
    for round in 0..a_day / MATCH_HASHES_MAX {
        compare(&app, &minji, &many(round * MATCH_HASHES_MAX, MATCH_HASHES_MAX))
            .await
            .expect(200);
    }
    let refused = compare(&app, &minji, &many(0, 1)).await;
    assert_problem(&refused, 429, "too-many-requests");
    assert!(refused.headers.contains_key("retry-after"));
    compare(&app, &joon, &many(0, 1)).await.expect(200);
    app.advance(Duration::from_secs(24 * 3600));
    let next_day = app.sign_in(&minji.phone, None).await;
    compare(&app, &next_day, &many(0, 1)).await.expect(200);
}

haechi_testkit::on_both_engines!(
    only_who_allows_it_is_found_by_their_number,
    numbers_are_compared_within_bounds,
);
