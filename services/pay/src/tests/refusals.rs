//! What is refused, and that nothing is changed by it.

use haechi_testkit::{SignedUp, TestStore, assert_problem, every_route_refuses};
use serde_json::{Value, json};

use super::{start, won};

/// A transfer of 1,000 won with something about it changed.
fn with(to: &SignedUp, change: &Value) -> Value {
    let mut body = won(to, 1_000);
    for (name, value) in change.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

/// Bad requests of somebody who has 5,000 won, with what each is answered.
fn bad_transfers(from: &SignedUp, to: &SignedUp) -> Vec<(Value, u16, &'static str)> {
    let krw = |amount: Value| with(to, &json!({ "amount": { "amount": amount, "currency": "KRW" } }));
    let amount = |amount: Value| with(to, &json!({ "amount": amount }));
    let receiver = |user_id: &str| with(to, &json!({ "to": user_id }));
    vec![
        (won(from, 1_000), 422, "same-person"),
        (krw(json!(0)), 422, "amount-not-positive"),
        (krw(json!(-5)), 422, "amount-not-positive"),
        (krw(json!(i64::MIN)), 422, "amount-not-positive"),
        (krw(json!(2_000_001)), 422, "amount-too-large"),
        (krw(json!(i64::MAX)), 422, "amount-too-large"),
        (krw(json!(u64::MAX)), 422, "invalid-body"),
        (krw(json!(1.5)), 422, "invalid-body"),
        (krw(json!("1000")), 422, "invalid-body"),
        (krw(json!(5_001)), 422, "insufficient-funds"),
        (
            amount(json!({ "amount": 1, "currency": "EUR" })),
            422,
            "currency-not-supported",
        ),
        (
            amount(json!({ "amount": 1, "currency": "WON" })),
            422,
            "invalid-body",
        ),
        (
            amount(json!({ "amount": 1, "currency": "KRW", "fee": 0 })),
            422,
            "unknown-field",
        ),
        (with(to, &json!({ "tip": 100 })), 422, "unknown-field"),
        (with(to, &json!({ "memo": "x".repeat(141) })), 422, "invalid-body"),
        (with(to, &json!({ "memo": "a\u{7}b" })), 422, "invalid-body"),
        (receiver("joon"), 404, "no-such-person"),
        (receiver("@joon:elsewhere.example"), 404, "no-such-person"),
        (
            receiver(&format!("@{}:haechi.test", "0".repeat(32))),
            404,
            "no-such-person",
        ),
    ]
}

async fn each_bad_transfer_is_refused_by_name(store: TestStore) {
    let house = start(store).await;
    let (minji, joon) = (
        house.person_with("Minji", 5_000).await,
        house.person_with("Joon", 0).await,
    );
    for (number, (body, status, slug)) in bad_transfers(&minji, &joon).into_iter().enumerate() {
        let refused = house
            .transfer(&minji, &format!("k{number}"), body.clone())
            .send()
            .await;
        assert_eq!(refused.status, status, "{body}: {}", refused.text());
        assert_problem(&refused, status, slug);
    }
    assert_eq!(
        (house.balance(&minji).await, house.balance(&joon).await),
        (5_000, 0)
    );
    assert_eq!(
        house.entries(&minji, "").await["items"].as_array().unwrap().len(),
        1
    );
    house.assert_balanced().await;
}

async fn one_sees_only_ones_own_wallet(store: TestStore) {
    let house = start(store).await;
    let (minji, joon) = (
        house.person_with("Minji", 5_000).await,
        house.person_with("Joon", 0).await,
    );
    assert_eq!(house.balance(&joon).await, 0);
    assert_eq!(house.entries(&joon, "").await["items"], json!([]));
    let foreign = house.entries(&minji, "").await["items"][0]["entry_id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        house.entries(&joon, &format!("?before={foreign}")).await["items"],
        json!([])
    );
}

async fn every_route_refuses_strangers_and_nonsense(store: TestStore) {
    let house = start(store).await;
    let public = [
        "POST /api/identity/codes",
        "POST /api/identity/sessions",
        "POST /api/identity/sessions/refresh",
        "GET /api/identity/gateway",
    ];
    every_route_refuses(&house.app, &public).await;
}

haechi_testkit::on_both_engines!(
    each_bad_transfer_is_refused_by_name,
    one_sees_only_ones_own_wallet,
    every_route_refuses_strangers_and_nonsense,
);
