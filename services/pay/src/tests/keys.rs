//! A key moves money once, whoever repeats it and whenever.

use futures_util::future::join_all;
use haechi_testkit::{TestStore, assert_problem};

use super::{start, won};

async fn a_repeated_key_gets_the_first_answer(store: TestStore) {
    let house = start(store).await;
    let (minji, joon) = (
        house.person_with("Minji", 10_000).await,
        house.person_with("Joon", 0).await,
    );
    let first = house.send_won(&minji, &joon, "k", 1_000).await.expect(201).json();
    let again = house.send_won(&minji, &joon, "k", 1_000).await.expect(201).json();
    assert_eq!(first, again);
    assert_problem(
        &house.send_won(&minji, &joon, "k", 2_000).await,
        409,
        "idempotency-key-reused",
    );
    assert_eq!(house.balance(&minji).await, 9_000);
    // Another person's key of the same text is another key.
    let back = house.send_won(&joon, &minji, "k", 500).await.expect(201).json();
    assert_ne!(back["transfer_id"], first["transfer_id"]);
    house.assert_balanced().await;
}

async fn one_key_many_times_at_once_moves_money_once(store: TestStore) {
    let house = start(store).await;
    let (minji, joon) = (
        house.person_with("Minji", 10_000).await,
        house.person_with("Joon", 0).await,
    );
    let answers = join_all((0..20).map(|_| house.send_won(&minji, &joon, "k", 700))).await;
    let transfers: Vec<_> = answers
        .into_iter()
        .map(|answer| answer.expect(201).json()["transfer_id"].clone())
        .collect();
    assert!(transfers.iter().all(|transfer| *transfer == transfers[0]));
    assert_eq!(
        (house.balance(&minji).await, house.balance(&joon).await),
        (9_300, 700)
    );
}

async fn a_refused_transfer_gives_its_key_back(store: TestStore) {
    let house = start(store).await;
    let (minji, joon) = (
        house.person_with("Minji", 0).await,
        house.person_with("Joon", 5_000).await,
    );
    assert_problem(
        &house.send_won(&minji, &joon, "k", 1_000).await,
        422,
        "insufficient-funds",
    );
    house.send_won(&joon, &minji, "k", 1_000).await.expect(201);
    house.send_won(&minji, &joon, "k", 1_000).await.expect(201);
    assert_eq!(house.balance(&minji).await, 0);
}

/// Everybody pays everybody at once, more than they have: each won is somewhere, and nobody is below zero.
async fn a_crowd_keeps_the_ledger_balanced(store: TestStore) {
    let house = start(store).await;
    let mut people = Vec::new();
    for number in 0..6 {
        people.push(house.person_with(&format!("Person {number}"), 1_000).await);
    }
    let mut requests = Vec::new();
    for (from_number, from) in people.iter().enumerate() {
        for (to_number, to) in people.iter().enumerate() {
            for round in 0..3 {
                let key = format!("{to_number}-{round}");
                let amount = 150 + i64::try_from(from_number * 40 + round).unwrap();
                requests.push(house.transfer(from, &key, won(to, amount)).send());
            }
        }
    }
    let answers = join_all(requests).await;
    let done = answers.iter().filter(|answer| answer.status == 201).count();
    let refused = answers.iter().filter(|answer| answer.status == 422).count();
    assert_eq!(done + refused, answers.len());
    assert!(done > 20 && refused > 18, "{done} done, {refused} refused");
    let mut total = 0;
    for person in &people {
        let balance = house.balance(person).await;
        assert!(balance >= 0);
        total += balance;
    }
    assert_eq!(total, 6_000);
    house.assert_balanced().await;
}

async fn keys_must_be_there_and_be_plain(store: TestStore) {
    let house = start(store).await;
    let (minji, joon) = (
        house.person_with("Minji", 1_000).await,
        house.person_with("Joon", 0).await,
    );
    let post = || {
        house
            .app
            .post("/api/pay/transfers")
            .bearer(&minji.access_token)
            .json(won(&joon, 1))
    };
    assert_problem(&post().send().await, 400, "idempotency-key-needed");
    let long = "k".repeat(129);
    for key in ["", "two words", &long] {
        let refused = post().header("idempotency-key", key).send().await;
        assert_eq!(refused.status, 400, "{key:?}: {}", refused.text());
    }
    assert_eq!(house.balance(&minji).await, 1_000);
}

haechi_testkit::on_both_engines!(
    a_repeated_key_gets_the_first_answer,
    one_key_many_times_at_once_moves_money_once,
    a_refused_transfer_gives_its_key_back,
    a_crowd_keeps_the_ledger_balanced,
    keys_must_be_there_and_be_plain,
);
