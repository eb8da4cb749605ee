//! Transfers by way of several nodes on one PostgreSQL.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use haechi_testkit::{TestStore, run_test};
use serde_json::Value;

use super::{House, start_node};

/// Longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);

async fn nodes<const COUNT: usize>() -> (TestStore, Vec<House>) {
    let store = TestStore::postgres().await;
    let mut houses = Vec::new();
    for number in 0..COUNT {
        houses.push(start_node(&store, &format!("site-{number}")).await);
    }
    let started = Instant::now();
    while houses.iter().filter(|house| house.pay.is_here()).count() != 1 {
        assert!(started.elapsed() < PATIENCE, "nobody owns the transfers");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    (store, houses)
}

#[test]
fn transfers_through_four_nodes_at_once_move_money_once_each_and_fight_with_nobody() {
    run_test(async {
        let (_store, houses) = nodes::<4>().await;
        let (payers, rounds) = (24, 10);
        let mut people = Vec::new();
        for _ in 0..payers {
            people.push(houses[0].person_with("Minji", 100_000).await);
        }
        let receiver = houses[0].person_with("Joon", 0).await;
        let started = Instant::now();
        let (houses_of, receiver_of) = (&houses, &receiver);
        let paying = people.iter().enumerate().map(|(number, payer)| async move {
            for round in 0..rounds {
                let house = &houses_of[(number + round) % houses_of.len()];
                let key = format!("{number}-{round}");
                let sent = house.send_won(payer, receiver_of, &key, 10).await;
                let sent: Value = sent.expect(201).json();
                // Asked again elsewhere, as after a lost answer, it is the same transfer.
                let elsewhere = &houses_of[(number + round + 1) % houses_of.len()];
                let again = elsewhere.send_won(payer, receiver_of, &key, 10).await;
                assert_eq!(again.json()["transfer_id"], sent["transfer_id"]);
            }
        });
        join_all(paying).await;
        let count = payers * rounds;
        println!(
            "{count} transfers, each asked for twice, took {:?}",
            started.elapsed()
        );
        let expected = i64::try_from(count).unwrap() * 10;
        assert_eq!(houses[1].balance(&receiver).await, expected);
        houses[2].assert_balanced().await;
    });
}
