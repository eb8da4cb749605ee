//! Wallets, histories, top-ups.

use haechi_base::Role;
use haechi_testkit::{SignedUp, TestStore, assert_problem, operator};
use serde_json::{Value, json};

use super::{House, start, won};

async fn a_new_wallet_is_empty_and_stays_the_same(store: TestStore) {
    let house = start(store).await;
    let minji = house.app.sign_up("Minji").await;
    let wallet = || house.app.get("/api/pay/wallet").bearer(&minji.access_token);
    let first = wallet().send().await.expect(200).json();
    assert_eq!(first["balance"], json!({ "amount": 0, "currency": "KRW" }));
    assert_eq!(first, wallet().send().await.expect(200).json());
}

async fn money_moves_and_both_histories_tell_it(store: TestStore) {
    let house = start(store).await;
    let (minji, joon) = (
        house.person_with("Minji", 10_000).await,
        house.person_with("Joon", 0).await,
    );
    let mut body = won(&joon, 3_000);
    body["memo"] = json!("  noodles  ");
    let transfer = house.transfer(&minji, "k", body).send().await.expect(201).json();
    assert_eq!(transfer["from"], minji.user_id.as_str());
    assert_eq!(transfer["to"], joon.user_id.as_str());
    assert_eq!(transfer["memo"], "noodles");
    assert_eq!(
        (house.balance(&minji).await, house.balance(&joon).await),
        (7_000, 3_000)
    );

    let paid = &house.entries(&minji, "").await["items"];
    assert_eq!(paid[0]["amount"]["amount"], -3_000);
    assert_eq!(
        paid[0]["counterparty"],
        json!({ "user_id": joon.user_id, "display_name": "Joon" })
    );
    assert_eq!(paid[0]["transfer_id"], transfer["transfer_id"]);
    assert_eq!(
        (&paid[1]["kind"], &paid[1]["counterparty"]),
        (&json!("top_up"), &Value::Null)
    );
    let received = &house.entries(&joon, "").await["items"];
    assert_eq!(
        (&received[0]["amount"]["amount"], &received[0]["memo"]),
        (&json!(3_000), &json!("noodles"))
    );
    assert_eq!(received[0]["counterparty"]["display_name"], "Minji");
    house.assert_balanced().await;
}

async fn a_history_is_read_in_pages(store: TestStore) {
    let house = start(store).await;
    let (minji, joon) = (
        house.person_with("Minji", 10_000).await,
        house.person_with("Joon", 0).await,
    );
    for number in 0..5 {
        // Entries of one millisecond have no order among themselves.
        house.app.advance(std::time::Duration::from_millis(5));
        house
            .send_won(&minji, &joon, &format!("k{number}"), 100 + number)
            .await
            .expect(201);
    }
    let mut amounts = Vec::new();
    let mut query = "?limit=2".to_owned();
    loop {
        let page = house.entries(&joon, &query).await;
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 2);
        amounts.extend(
            items
                .iter()
                .map(|item| item["amount"]["amount"].as_i64().unwrap()),
        );
        match page["next"].as_str() {
            Some(next) => query = format!("?limit=2&before={next}"),
            None => break,
        }
    }
    assert_eq!(amounts, [104, 103, 102, 101, 100]);
    let malformed = house
        .app
        .get("/api/pay/entries?before=yesterday")
        .bearer(&joon.access_token)
        .send()
        .await;
    assert_problem(&malformed, 400, "invalid-query");
}

/// Makes somebody an administrator; returns a token that says so.
async fn promote(house: &House, person: &SignedUp) -> String {
    let id = person.person_id;
    let grant = async move |tx: &mut haechi_store::Tx<'_>| {
        haechi_identity::ops::grant_role(tx, &operator(), id, Role::Administrator)
            .await
            .map(drop)
    };
    house.app.context.store.write_unkeyed(grant).await.unwrap();
    house.app.sign_in(&person.phone, None).await.access_token
}

async fn only_an_administrator_tops_up_and_once_a_key(store: TestStore) {
    let house = start(store).await;
    let (minji, joon) = (house.app.sign_up("Minji").await, house.app.sign_up("Joon").await);
    let top_up = |token: &str, key: &str, amount: i64| {
        house
            .app
            .post("/api/pay/topups")
            .bearer(token)
            .header("idempotency-key", key)
            .json(won(&minji, amount))
    };
    assert_problem(
        &top_up(&joon.access_token, "k", 5_000).send().await,
        403,
        "administrator-needed",
    );
    let administrator = promote(&house, &minji).await;
    let first = top_up(&administrator, "k", 5_000).send().await.expect(201).json();
    assert_eq!(first["from"], Value::Null);
    assert_eq!(
        top_up(&administrator, "k", 5_000).send().await.expect(201).json(),
        first
    );
    assert_problem(
        &top_up(&administrator, "k", 6_000).send().await,
        409,
        "idempotency-key-reused",
    );
    assert_problem(
        &top_up(&administrator, "l", -1).send().await,
        422,
        "amount-not-positive",
    );
    assert_problem(
        &top_up(&administrator, "l", 100_000_001).send().await,
        422,
        "amount-too-large",
    );
    assert_eq!(house.balance(&minji).await, 5_000);

    let ledger = |token: &str| house.app.get("/api/pay/ledger").bearer(token);
    let checked = ledger(&administrator).send().await.expect(200).json();
    assert_eq!(
        checked,
        json!({ "entries": 2, "sum": 0, "wallets_out_of_balance": 0 })
    );
    assert_problem(
        &ledger(&joon.access_token).send().await,
        403,
        "administrator-needed",
    );
}

haechi_testkit::on_both_engines!(
    a_new_wallet_is_empty_and_stays_the_same,
    money_moves_and_both_histories_tell_it,
    a_history_is_read_in_pages,
    only_an_administrator_tops_up_and_once_a_key,
);
