//! Every portable type goes in and comes out the same on both engines, NULL first and value first.

use super::harness::{create, on_both_engines};
use crate::{StoreError, ToValue, Tx, Value, WriteKey};

const TABLE: &str = "
    CREATE TABLE sample (
        id BIGINT PRIMARY KEY NOT NULL, whole BIGINT, part DOUBLE PRECISION, flag BOOLEAN, words TEXT, raw BYTEA)";
const INSERT: &str = "INSERT INTO sample (id, whole, part, flag, words, raw) VALUES ($1, $2, $3, $4, $5, $6)";
const SELECT: &str = "SELECT whole, part, flag, words, raw FROM sample WHERE id = $1";

type Sample = (
    Option<i64>,
    Option<f64>,
    Option<bool>,
    Option<String>,
    Option<Vec<u8>>,
);

#[tokio::test]
async fn values_survive_the_store() {
    on_both_engines(async |test| {
        create(&test.store, TABLE).await;
        let empty: Sample = (None, None, None, None, None);
        let full: Sample = (
            Some(i64::MIN),
            Some(-0.5),
            Some(true),
            Some("해치 \u{1f525} '\"".to_owned()),
            Some(vec![0, 255, 7]),
        );
        for (id, sample) in [(1_i64, &empty), (2, &full), (3, &empty), (4, &full)] {
            let sample_in = sample.clone();
            test.store
                .write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
                    let (whole, part, flag, words, raw) = &sample_in;
                    tx.execute(INSERT, &[&id, whole, part, flag, words, raw])
                        .await
                        .map(drop)
                })
                .await
                .unwrap_or_else(|error: StoreError| panic!("{error}"));
            let found: Sample = test
                .store
                .read(async move |tx: &mut Tx<'_>| {
                    let row = tx.query_one(SELECT, &[&id]).await?;
                    Ok::<_, StoreError>((
                        row.get("whole")?,
                        row.get("part")?,
                        row.get("flag")?,
                        row.get("words")?,
                        row.get("raw")?,
                    ))
                })
                .await
                .unwrap();
            assert_eq!(&found, sample);
        }
    })
    .await;
}

#[tokio::test]
async fn parameters_are_bound_by_number_in_any_order() {
    on_both_engines(async |test| {
        create(&test.store, TABLE).await;
        let difference: i64 = test
            .store
            .write(WriteKey::fresh(), async |tx: &mut Tx<'_>| {
                tx.execute(
                    "INSERT INTO sample (id, whole) VALUES ($1, $2)",
                    &[&1_i64, &10_i64],
                )
                .await?;
                let sql = "SELECT $2 - whole + $1 + $2 AS number FROM sample WHERE id = $3";
                tx.query_one(sql, &[&1_i64, &100_i64, &1_i64])
                    .await?
                    .get("number")
            })
            .await
            .unwrap_or_else(|error: StoreError| panic!("{error}"));
        assert_eq!(difference, 191);
    })
    .await;
}

#[tokio::test]
async fn a_missing_parameter_and_a_wrong_type_are_errors() {
    on_both_engines(async |test| {
        create(&test.store, TABLE).await;
        let missing = test
            .store
            .read(async |tx: &mut Tx<'_>| {
                tx.query("SELECT whole FROM sample WHERE id = $1", &[])
                    .await
                    .map(drop)
            })
            .await;
        assert!(
            matches!(missing, Err(StoreError::Statement { .. })),
            "{missing:?}"
        );

        let wrong: Result<String, StoreError> = test
            .store
            .write(WriteKey::fresh(), async |tx: &mut Tx<'_>| {
                let values: [&dyn ToValue; 2] = [&1_i64, &5_i64];
                tx.execute("INSERT INTO sample (id, whole) VALUES ($1, $2)", &values)
                    .await?;
                tx.query_one("SELECT whole FROM sample WHERE id = $1", &[&1_i64])
                    .await?
                    .get("whole")
            })
            .await;
        assert!(matches!(wrong, Err(StoreError::Type { .. })), "{wrong:?}");
    })
    .await;
}

#[tokio::test]
async fn many_rows_go_in_and_are_found_by_many_keys() {
    on_both_engines(async |test| {
        create(&test.store, TABLE).await;
        let found = test
            .store
            .write_unkeyed(async |tx: &mut Tx<'_>| {
                let rows: Vec<Vec<Value<'_>>> = (0..70_i64)
                    .map(|id| vec![Value::Integer(id), Value::Integer(id * 2)])
                    .collect();
                let insert = "INSERT INTO sample (id, whole) VALUES";
                let upsert = "ON CONFLICT (id) DO UPDATE SET whole = excluded.whole RETURNING id";
                assert_eq!(tx.query_values(insert, &rows, upsert).await?.len(), 70);
                let keys: Vec<i64> = (0..140).step_by(2).collect();
                let rows = tx
                    .query_in("SELECT whole FROM sample WHERE id IN", &keys, "ORDER BY id")
                    .await?;
                rows.iter()
                    .map(|row| row.get::<i64>("whole"))
                    .collect::<Result<Vec<_>, _>>()
            })
            .await
            .unwrap();
        assert_eq!(
            found.iter().sum::<i64>(),
            (0..70).step_by(2).map(|id| id * 2).sum::<i64>()
        );
    })
    .await;
}
