//! What a transaction promises: whole or nothing, one after another, whatever happens to who asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::FutureExt;
use futures_util::future::join_all;

use super::harness::{count, create, on_both_engines};
use crate::{Asked, Statement, Store, StoreError, ToValue, Tx, WriteKey};

const COUNTER: &str = "CREATE TABLE counter (id BIGINT PRIMARY KEY NOT NULL, number BIGINT NOT NULL)";
const PAIR: &str = "CREATE TABLE pair (id BIGINT PRIMARY KEY NOT NULL)";

/// Reads, adds one in the program and writes back: right only if the transactions come one after another.
async fn count_up(store: &Store) -> Result<i64, StoreError> {
    store
        .write(WriteKey::fresh(), async |tx: &mut Tx<'_>| {
            let number: i64 = tx
                .query_one("SELECT number FROM counter WHERE id = 1", &[])
                .await?
                .get("number")?;
            tx.execute("UPDATE counter SET number = $1 WHERE id = 1", &[&(number + 1)])
                .await?;
            Ok(number + 1)
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_in_conflict_all_end_right() {
    on_both_engines(async |test| {
        create(&test.store, COUNTER).await;
        create(&test.store, "INSERT INTO counter VALUES (1, 0)").await;
        let other_node = if test.is_postgres() {
            test.open_again()
        } else {
            test.store.clone()
        };
        let writers = (0..40).map(|number| count_up(if number % 2 == 0 { &test.store } else { &other_node }));
        let mut numbers: Vec<i64> = join_all(writers).await.into_iter().map(Result::unwrap).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=40).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
async fn a_refusal_leaves_nothing_and_spares_its_neighbours() {
    on_both_engines(async |test| {
        create(&test.store, PAIR).await;
        let writes = (0..30_i64).map(|id| {
            test.store.write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
                tx.execute("INSERT INTO pair VALUES ($1)", &[&id]).await?;
                if id % 3 == 0 {
                    Err(StoreError::Answer("refused by a rule".to_owned()))
                } else {
                    Ok(id)
                }
            })
        });
        let outcomes = join_all(writes).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 20);
        assert_eq!(count(&test.store, "pair").await, 20);
    })
    .await;
}

/// A statement that its connection has not seen yet takes a round trip more than one that it has.
#[tokio::test]
async fn statements_run_in_their_order_also_where_the_later_are_prepared_already() {
    const PUT: &str = "INSERT INTO pair VALUES ($1)";
    on_both_engines(async |test| {
        create(&test.store, PAIR).await;
        let kept = test
            .store
            .write(WriteKey::fresh(), async |tx: &mut Tx<'_>| {
                tx.execute(PUT, &[&1_i64]).await?;
                tx.run_all(&[
                    Statement::new("DELETE FROM pair WHERE id >= $1", &[&1_i64]),
                    Statement::new(PUT, &[&2_i64]),
                ])
                .await?;
                let begun = Asked::new("DELETE FROM pair WHERE id > $1", vec![3_i64.to_value()]);
                let puts = (3_i64..100).map(|id| Asked::new(PUT, vec![id.to_value().into_owned()]));
                let ended = Asked::new("DELETE FROM pair WHERE id < $1", vec![98_i64.to_value()]);
                let asked: Vec<Asked<'_>> = std::iter::once(begun).chain(puts).chain([ended]).collect();
                tx.ask_all(&asked).await?;
                let rows = tx.query("SELECT id FROM pair ORDER BY id", &[]).await?;
                rows.iter()
                    .map(|row| row.get("id"))
                    .collect::<Result<Vec<i64>, _>>()
            })
            .await;
        assert_eq!(kept, Ok(vec![98, 99]));
        assert_eq!(count(&test.store, "pair").await, 2);
    })
    .await;
}

#[tokio::test]
async fn a_failed_statement_ends_the_transaction_even_when_its_code_goes_on() {
    on_both_engines(async |test| {
        create(&test.store, PAIR).await;
        let outcome: Result<(), StoreError> = test
            .store
            .write(WriteKey::fresh(), async |tx: &mut Tx<'_>| {
                tx.execute("INSERT INTO pair VALUES (1)", &[]).await?;
                drop(tx.execute("INSERT INTO pair VALUES (1)", &[]).await);
                drop(tx.execute("INSERT INTO pair VALUES (2)", &[]).await);
                Ok(())
            })
            .await;
        assert!(matches!(outcome, Err(StoreError::Unique(_))), "{outcome:?}");
        assert_eq!(count(&test.store, "pair").await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_panic_leaves_nothing_and_the_store_lives() {
    on_both_engines(async |test| {
        create(&test.store, PAIR).await;
        let outcome: Result<(), StoreError> = test
            .store
            .write(WriteKey::fresh(), async |tx: &mut Tx<'_>| {
                tx.execute("INSERT INTO pair VALUES (1)", &[]).await?;
                panic!("on purpose");
            })
            .await;
        assert_eq!(outcome, Err(StoreError::Panicked));
        assert_eq!(count(&test.store, "pair").await, 0);
        create(&test.store, "INSERT INTO pair VALUES (2)").await;
        assert_eq!(count(&test.store, "pair").await, 1);
    })
    .await;
}

/// A caller that goes away at any point leaves both rows or none, and never an open transaction that swallows
/// the writes of those who come after.
#[tokio::test]
async fn a_dropped_caller_leaves_all_or_nothing() {
    on_both_engines(async |test| {
        create(&test.store, PAIR).await;
        for round in 0..60_i64 {
            let mut write = Box::pin(test.store.write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
                tx.execute("INSERT INTO pair VALUES ($1)", &[&(round * 10)])
                    .await?;
                tx.execute("INSERT INTO pair VALUES ($1)", &[&(round * 10 + 1)])
                    .await?;
                Ok::<(), StoreError>(())
            }));
            for _ in 0..=round % 5 {
                if (&mut write).now_or_never().is_some() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(write);
            let id = round * 10 + 5;
            test.store
                .write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
                    tx.execute("INSERT INTO pair VALUES ($1)", &[&id]).await.map(drop)
                })
                .await
                .unwrap_or_else(|error: StoreError| panic!("{error}"));
        }
        // Seen by a connection that had no part in it.
        let witness = test.open_again();
        let whole = "pair p JOIN pair q ON q.id = p.id + 1 WHERE p.id % 10 = 0";
        let half = "pair p WHERE p.id % 10 = 0";
        assert_eq!(count(&witness, whole).await, count(&witness, half).await);
        assert_eq!(count(&witness, "pair p WHERE p.id % 10 = 5").await, 60);
    })
    .await;
}

#[tokio::test]
async fn a_transaction_may_await_nothing_but_its_tx() {
    let test = super::harness::sqlite();
    let outcome: Result<(), StoreError> = test
        .store
        .write_unkeyed(async |_: &mut Tx<'_>| {
            tokio::task::yield_now().await;
            Ok(())
        })
        .await;
    assert_eq!(outcome, Err(StoreError::ForeignAwait));
}

#[tokio::test]
async fn a_read_sees_one_snapshot_and_cannot_write() {
    on_both_engines(async |test| {
        create(&test.store, PAIR).await;
        let outcome = test
            .store
            .read(async |tx: &mut Tx<'_>| tx.execute("INSERT INTO pair VALUES (1)", &[]).await.map(drop))
            .await;
        assert!(outcome.is_err(), "a read wrote");
        assert_eq!(count(&test.store, "pair").await, 0);
    })
    .await;
}

#[tokio::test]
async fn many_statements_run_together_in_order() {
    on_both_engines(async |test| {
        create(&test.store, PAIR).await;
        let rows = test
            .store
            .write_unkeyed(async |tx: &mut Tx<'_>| {
                tx.run_all(&[
                    Statement::new("INSERT INTO pair VALUES ($1)", &[&1_i64]),
                    Statement::new("INSERT INTO pair VALUES ($1)", &[&2_i64]),
                    Statement::new("SELECT id FROM pair WHERE id = $1", &[&2_i64]),
                ])
                .await
            })
            .await
            .unwrap();
        assert_eq!(rows.iter().map(Vec::len).collect::<Vec<_>>(), [0, 0, 1]);
        assert_eq!(count(&test.store, "pair").await, 2);
    })
    .await;
}

#[tokio::test]
async fn what_follows_a_commit_follows_only_a_commit() {
    on_both_engines(async |test| {
        create(&test.store, PAIR).await;
        let called = Arc::new(AtomicU32::new(0));
        for keep in [true, false] {
            let called = Arc::clone(&called);
            let outcome: Result<(), StoreError> = test
                .store
                .write_unkeyed(async move |tx: &mut Tx<'_>| {
                    let called = Arc::clone(&called);
                    tx.after_commit(move || {
                        called.fetch_add(1, Ordering::SeqCst);
                    });
                    if keep { Ok(()) } else { Err(StoreError::KeyReused) }
                })
                .await;
            assert_eq!(outcome.is_ok(), keep);
        }
        assert_eq!(called.load(Ordering::SeqCst), 1);
    })
    .await;
}

/// What was acknowledged is there for whoever opens the file after this process is gone.
#[tokio::test]
async fn an_acknowledged_write_is_in_the_file() {
    let test = super::harness::sqlite();
    create(&test.store, PAIR).await;
    create(&test.store, "INSERT INTO pair VALUES (7)").await;
    let copy = test.path("copy.sqlite");
    let crate::StoreUrl::Sqlite(original) = &test.url else {
        unreachable!()
    };
    // A copy of the files as they lie there is what a crash at this moment would leave.
    std::fs::copy(original, &copy).unwrap();
    std::fs::copy(
        original.with_extension("sqlite-wal"),
        test.path("copy.sqlite-wal"),
    )
    .unwrap();
    let recovered = Store::open(
        &crate::StoreUrl::Sqlite(copy),
        &super::harness::limits(),
        Arc::clone(&test.clock) as Arc<dyn haechi_base::Clock>,
    )
    .unwrap();
    assert_eq!(count(&recovered, "pair").await, 1);
}

/// What people write to each other is not for every account of the machine.
#[tokio::test]
async fn the_embedded_files_are_their_owners_only() {
    use std::os::unix::fs::PermissionsExt;
    let test = super::harness::sqlite();
    create(&test.store, PAIR).await;
    let crate::StoreUrl::Sqlite(path) = &test.url else {
        unreachable!()
    };
    for path in [path.clone(), path.with_extension("sqlite-wal")] {
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o077,
            0,
            "{}",
            path.display()
        );
    }
}
