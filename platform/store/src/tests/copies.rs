//! Everything arrives at the other store, or nothing does.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tempfile::TempDir;

use super::harness::{TestStore, count, limits, postgres, run_on, sqlite};
use crate::{
    CopyError, Migration, Migrations, Store, StoreError, StoreUrl, TablePair, ToValue, Tx, Value, WriteKey,
    compare_stores, copy_store,
};

// The table that another points to comes later in the alphabet.
const NOTES: Migrations = Migrations {
    service: "notes",
    steps: &[Migration {
        number: 1,
        name: "note",
        sql: "
            CREATE TABLE note (
                title TEXT PRIMARY KEY NOT NULL, weight DOUBLE PRECISION, done BOOLEAN, seal BYTEA, size BIGINT
            );
            CREATE TABLE a_line (
                note TEXT NOT NULL REFERENCES note (title), number BIGINT NOT NULL, words TEXT,
                PRIMARY KEY (note, number)
            );
            CREATE TABLE note_counter (name TEXT PRIMARY KEY NOT NULL, value BIGINT NOT NULL);
            INSERT INTO note_counter (name, value) VALUES ('lines', 0);",
    }],
};
const LATER: Migrations = Migrations {
    service: "notes",
    steps: &[
        NOTES.steps[0],
        Migration {
            number: 2,
            name: "colour",
            sql: "ALTER TABLE note ADD COLUMN colour TEXT NOT NULL DEFAULT 'white'",
        },
    ],
};

/// Rows of every type, at the ends of what they can hold.
fn notes() -> Vec<[Value<'static>; 5]> {
    let text = |words: &'static str| Value::Text(words.into());
    let all_bytes: Vec<u8> = (0..=255).collect();
    vec![
        [
            text("b"),
            Value::Real(f64::MAX),
            Value::Bool(true),
            Value::Bytes(all_bytes.into()),
            Value::Integer(i64::MIN),
        ],
        [
            text("B"),
            Value::Real(5e-324),
            Value::Bool(false),
            Value::Bytes(Vec::new().into()),
            Value::Integer(i64::MAX),
        ],
        [
            text("가나다"),
            Value::Real(-0.0),
            Value::Null,
            Value::Null,
            Value::Null,
        ],
        [
            text("a\u{10FFFF}"),
            Value::Real(0.1),
            Value::Null,
            Value::Null,
            Value::Integer(0),
        ],
        [
            text(""),
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Integer(-1),
        ],
    ]
}

async fn insert(store: &Store, sql: &'static str, rows: Vec<Vec<Value<'static>>>) {
    store
        .write_unkeyed(async move |tx: &mut Tx<'_>| {
            for row in &rows {
                let values: Vec<&dyn ToValue> = row.iter().map(|value| value as &dyn ToValue).collect();
                tx.execute(sql, &values).await?;
            }
            Ok::<(), StoreError>(())
        })
        .await
        .unwrap();
}

/// Notes, a few hundred lines, a blob, a job's key.
async fn fill(store: &Store) {
    store.migrate(&[NOTES]).await.unwrap();
    let notes = notes().into_iter().map(Vec::from).collect();
    insert(
        store,
        "INSERT INTO note (title, weight, done, seal, size) VALUES ($1, $2, $3, $4, $5)",
        notes,
    )
    .await;
    let line = |number: i64| {
        let words = format!("line {number}");
        vec![
            Value::Text("가나다".into()),
            Value::Integer(number),
            Value::Text(words.into()),
        ]
    };
    let lines = (0..300).rev().map(line).collect();
    insert(
        store,
        "INSERT INTO a_line (note, number, words) VALUES ($1, $2, $3)",
        lines,
    )
    .await;
    let counter = async |tx: &mut Tx<'_>| {
        tx.execute("UPDATE note_counter SET value = 300 WHERE name = 'lines'", &[])
            .await
    };
    let key = WriteKey::client("notes", "one", b"300");
    store.write::<u64, StoreError, _>(key, counter).await.unwrap();
    let blob: Vec<u8> = (0..700_000_u32).map(|number| number.to_le_bytes()[2]).collect();
    store.put_blob(Bytes::from(blob)).await.unwrap();
}

/// Copies as soon as the connections of a test's closed store are gone.
async fn copy(from: &StoreUrl, to: &StoreUrl) -> Result<Vec<TablePair>, CopyError> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match copy_store(from, to, &[NOTES], |_| {}).await {
            Err(CopyError::InUse(_)) if Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            outcome => return outcome,
        }
    }
}

/// A filled store that nobody has open.
async fn filled(test: TestStore) -> (StoreUrl, TempDir) {
    fill(&test.store).await;
    test.close()
}

fn open(url: &StoreUrl) -> Store {
    Store::open(url, &limits(), std::sync::Arc::new(haechi_base::SystemClock)).unwrap()
}

fn rows_of(pairs: &[TablePair], table: &str) -> u64 {
    let pair = pairs.iter().find(|pair| pair.source.table == table).unwrap();
    pair.target.rows
}

#[tokio::test]
async fn everything_arrives_there_and_back() {
    let (first, _first) = filled(sqlite()).await;
    let (cluster, _cluster) = postgres().await.close();
    let (last, _last) = sqlite().close();
    let there = copy(&first, &cluster).await.unwrap();
    assert_eq!(
        (
            rows_of(&there, "note"),
            rows_of(&there, "a_line"),
            rows_of(&there, "store_chunk")
        ),
        (5, 300, 3)
    );
    assert_eq!(rows_of(&there, "store_write_key"), 1);
    let back = copy(&cluster, &last).await.unwrap();
    assert_eq!(
        there, back,
        "the checksums are the same on both engines, and after two moves"
    );
    let store = open(&last);
    assert_eq!(count(&store, "a_line").await, 300);
    assert!(store.missing_migrations(&[NOTES]).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_target_that_was_made_but_not_used_is_taken() {
    let (from, _from) = filled(sqlite()).await;
    let test = postgres().await;
    test.store.migrate(&[NOTES]).await.unwrap();
    let (to, _to) = test.close();
    let pairs = copy(&from, &to).await.unwrap();
    // The counter that the migration began with gave way to the source's.
    assert_eq!(rows_of(&pairs, "note_counter"), 1);
    assert!(pairs.iter().all(TablePair::is_equal));
}

#[tokio::test]
async fn a_target_that_holds_rows_is_refused_by_name_and_keeps_them() {
    let (from, _from) = filled(sqlite()).await;
    for test in [sqlite(), postgres().await] {
        test.store.migrate(&[NOTES]).await.unwrap();
        insert(
            &test.store,
            "INSERT INTO note (title) VALUES ($1)",
            vec![vec![Value::Text("mine".into())]],
        )
        .await;
        let (to, _to) = test.close();
        let error = copy(&from, &to).await.unwrap_err();
        assert!(
            matches!(&error, CopyError::NotEmpty(tables) if tables == &["note"]),
            "{error}"
        );
        assert_eq!(count(&open(&to), "note").await, 1);
    }
}

#[tokio::test]
async fn a_store_that_is_in_use_is_refused() {
    for test in [sqlite(), postgres().await] {
        fill(&test.store).await;
        let (to, _to) = sqlite().close();
        let error = copy_store(&test.url, &to, &[NOTES], |_| {}).await.unwrap_err();
        assert!(matches!(error, CopyError::InUse(_)), "{error}");
    }
}

#[tokio::test]
async fn stores_of_another_version_are_refused() {
    let (from, _from) = filled(sqlite()).await;
    let (to, _to) = postgres().await.close();
    let later = async || copy_store(&from, &to, &[LATER], |_| {}).await.unwrap_err();
    let mut error = later().await;
    while matches!(error, CopyError::InUse(_)) {
        error = later().await;
    }
    assert!(error.to_string().contains("note.colour"), "{error}");
    let test = sqlite();
    test.store.migrate(&[LATER]).await.unwrap();
    let (newer, _newer) = test.close();
    let error = copy(&newer, &to).await.unwrap_err();
    assert!(error.to_string().contains("does not know"), "{error}");
    let error = copy_store(&from, &to, &[NOTES, ELSEWHERE], |_| {})
        .await
        .unwrap_err();
    assert!(error.to_string().contains("elsewhere 1 nothing"), "{error}");
}

/// A step that changes no table.
const ELSEWHERE: Migrations = Migrations {
    service: "elsewhere",
    steps: &[Migration {
        number: 1,
        name: "nothing",
        sql: "DELETE FROM note WHERE title = 'nothing'",
    }],
};

#[tokio::test]
async fn tables_of_somebody_else_are_refused() {
    let (from, _from) = filled(sqlite()).await;
    let url = super::harness::new_postgres_database().await;
    run_on(&url, "CREATE TABLE guests (name TEXT PRIMARY KEY)").await;
    let error = copy(&from, &url.parse().unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("guests.name"), "{error}");
}

#[tokio::test]
async fn what_the_other_engine_cannot_hold_is_refused_and_nothing_is_kept() {
    let test = sqlite();
    fill(&test.store).await;
    insert(
        &test.store,
        "INSERT INTO note (title) VALUES ($1)",
        vec![vec![Value::Text("a\0b".into())]],
    )
    .await;
    let (from, _from) = test.close();
    let (to, _to) = postgres().await.close();
    let error = copy(&from, &to).await.unwrap_err().to_string();
    assert!(error.contains("COPY note, line"), "{error}");
    // Not even the tables are there.
    assert_eq!(open(&to).missing_migrations(&[NOTES]).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_value_of_another_type_than_its_column_is_refused_by_name() {
    let test = sqlite();
    fill(&test.store).await;
    insert(
        &test.store,
        "INSERT INTO note (title, size) VALUES ('odd', $1)",
        vec![vec![Value::Text("many".into())]],
    )
    .await;
    let (from, _from) = test.close();
    let (to, _to) = postgres().await.close();
    let error = copy(&from, &to).await.unwrap_err();
    assert!(
        matches!(&error, CopyError::Value { table, column, .. } if table == "note" && column == "size"),
        "{error}"
    );
    assert_eq!(open(&to).missing_migrations(&[NOTES]).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_row_that_arrives_changed_is_found_and_nothing_is_kept() {
    let (from, _from) = filled(sqlite()).await;
    let url = super::harness::new_postgres_database().await;
    let to: StoreUrl = url.parse().unwrap();
    open(&to).migrate(&[NOTES]).await.unwrap();
    let spoil = "
        CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN IF NEW.number = 299 THEN NEW.words := ''changed''; END IF; RETURN NEW; END';
        CREATE TRIGGER spoil BEFORE INSERT ON a_line FOR EACH ROW EXECUTE FUNCTION spoil()";
    run_on(&url, spoil).await;
    let error = copy(&from, &to).await.unwrap_err();
    assert!(
        matches!(&error, CopyError::Differs(tables) if tables == &["a_line"]),
        "{error}"
    );
    assert_eq!(count(&open(&to), "note").await, 0);
}

#[tokio::test]
async fn a_comparison_names_the_table_that_differs() {
    let (from, _from) = filled(sqlite()).await;
    let url = super::harness::new_postgres_database().await;
    let to: StoreUrl = url.parse().unwrap();
    copy(&from, &to).await.unwrap();
    let equal = compare_stores(&from, &to, &[NOTES], |_| {}).await.unwrap();
    assert!(equal.iter().all(TablePair::is_equal));
    run_on(&url, "UPDATE note SET done = NOT done WHERE title = 'b'").await;
    let pairs = compare_stores(&from, &to, &[NOTES], |_| {}).await.unwrap();
    let different: Vec<&str> = pairs
        .iter()
        .filter(|pair| !pair.is_equal())
        .map(|pair| pair.target.table.as_str())
        .collect();
    assert_eq!(different, ["note"]);
}
