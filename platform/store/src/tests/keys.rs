//! Idempotency keys: once, with the first answer, and never for another request.

use futures_util::future::join_all;

use super::harness::{count, create, on_both_engines};
use crate::{Store, StoreError, Tx, WriteKey};

const TABLE: &str = "CREATE TABLE note (id BIGINT PRIMARY KEY NOT NULL, words TEXT NOT NULL)";

async fn note(store: &Store, key: &str, words: &'static str) -> Result<i64, StoreError> {
    let key = WriteKey::client("note/somebody", key, words.as_bytes());
    store
        .write(key, async move |tx: &mut Tx<'_>| {
            let next = "SELECT CAST(COALESCE(MAX(id), 0) + 1 AS BIGINT) AS id FROM note";
            let id: i64 = tx.query_one(next, &[]).await?.get("id")?;
            tx.execute("INSERT INTO note VALUES ($1, $2)", &[&id, &words])
                .await?;
            Ok(id)
        })
        .await
}

#[tokio::test]
async fn a_repeated_key_gets_the_first_answer() {
    on_both_engines(async |test| {
        create(&test.store, TABLE).await;
        let first = note(&test.store, "key", "hello").await.unwrap();
        assert_eq!(note(&test.store, "other", "world").await, Ok(first + 1));
        assert_eq!(note(&test.store, "key", "hello").await, Ok(first));
        assert_eq!(
            note(&test.store, "key", "another request").await,
            Err(StoreError::KeyReused)
        );
        assert_eq!(count(&test.store, "note").await, 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_at_the_same_time_is_applied_once() {
    on_both_engines(async |test| {
        create(&test.store, TABLE).await;
        let answers = join_all((0..12).map(|_| note(&test.store, "key", "hello"))).await;
        assert!(answers.iter().all(|answer| *answer == Ok(1)), "{answers:?}");
        assert_eq!(count(&test.store, "note").await, 1);
    })
    .await;
}

/// The answer to a repeated key must come from a transaction that writes: only then does its commit wait for
/// the standbys that the first one may not have reached.
#[tokio::test]
async fn a_repeated_key_writes() {
    on_both_engines(async |test| {
        create(&test.store, TABLE).await;
        for _ in 0..3 {
            note(&test.store, "key", "hello").await.unwrap();
        }
        let attempts: i64 = test
            .store
            .read(async |tx: &mut Tx<'_>| {
                let sql = "SELECT attempts FROM store_write_key WHERE name = $1";
                tx.query_one(sql, &[&"note/somebody/key"]).await?.get("attempts")
            })
            .await
            .unwrap_or_else(|error: StoreError| panic!("{error}"));
        assert_eq!(attempts, 3);
    })
    .await;
}

#[tokio::test]
async fn a_refused_write_does_not_use_up_its_key() {
    on_both_engines(async |test| {
        create(&test.store, TABLE).await;
        let key = || WriteKey::client("note/somebody", "key", b"hello");
        let refused: Result<(), StoreError> = test
            .store
            .write(key(), async |_: &mut Tx<'_>| {
                Err(StoreError::Answer("not now".to_owned()))
            })
            .await;
        assert!(refused.is_err());
        assert_eq!(note(&test.store, "key", "hello").await, Ok(1));
    })
    .await;
}

#[tokio::test]
async fn old_keys_are_forgotten() {
    on_both_engines(async |test| {
        create(&test.store, TABLE).await;
        note(&test.store, "key", "hello").await.unwrap();
        test.clock.advance(std::time::Duration::from_secs(60));
        note(&test.store, "young", "hello").await.unwrap();
        let before = test.store.now();
        let forgotten = test
            .store
            .write_unkeyed(async move |tx: &mut Tx<'_>| crate::forget_keys(tx, before, 100).await)
            .await;
        assert!(forgotten.unwrap() >= 1);
        assert_eq!(note(&test.store, "young", "hello").await, Ok(2));
        assert_eq!(note(&test.store, "key", "hello").await, Ok(3));
    })
    .await;
}
