//! A look at a store finds every table, what is kept on one host only, and blobs that are not what they were.

use bytes::Bytes;

use super::harness::{TestStore, create, on_both_engines};
use crate::{Chunks, ChunksSeen, Migration, Migrations, StoreError, Tx, look_at_hosts, table_names};

const SERVICES: &[Migrations] = &[Migrations {
    service: "test",
    steps: &[Migration {
        number: 1,
        name: "thing",
        sql: "CREATE TABLE test_thing (id BIGINT PRIMARY KEY NOT NULL)",
    }],
}];

#[test]
fn every_table_of_the_migrations_is_named() {
    let names = table_names(SERVICES).unwrap();
    for name in ["test_thing", "store_chunk", "store_migration"] {
        assert!(names.iter().any(|known| known == name), "{name}: {names:?}");
    }
    assert!(!table_names(&[]).unwrap().iter().any(|name| name == "test_thing"));
}

async fn count_rows(test: TestStore) {
    test.store.migrate(SERVICES).await.unwrap();
    let add = async |tx: &mut Tx<'_>| {
        for id in 0..7_i64 {
            tx.execute("INSERT INTO test_thing (id) VALUES ($1)", &[&id])
                .await?;
        }
        Ok::<(), StoreError>(())
    };
    test.store.write_unkeyed(add).await.unwrap();
    let tables = ["test_thing".to_owned(), "not_there".to_owned()];
    let counted = async |max| test.store.count_rows(&tables, max).await.unwrap();
    assert_eq!(counted(100).await[0].1, Some(7));
    assert_eq!(counted(5).await[0].1, Some(5));
    assert_eq!(counted(5).await[1].1, None);
}

async fn find_damage(test: TestStore) {
    test.store.migrate(&[]).await.unwrap();
    for content in 0..100_u32 {
        let bytes = Bytes::from(content.to_string().repeat(10));
        test.store.put_blob(bytes).await.unwrap();
    }
    let whole = test.store.look_at_chunks(Chunks::All).await.unwrap();
    let expected = ChunksSeen {
        read: 100,
        ..ChunksSeen::default()
    };
    assert_eq!(whole, expected);
    let sample = test.store.look_at_chunks(Chunks::Sample).await.unwrap();
    assert!(sample.read > 0 && sample.read <= 64, "{sample:?}");
    let damage = async |tx: &mut Tx<'_>| {
        const CHUNKS: &str = "SELECT hash FROM store_chunk ORDER BY hash LIMIT 2";
        let rows = tx.query(CHUNKS, &[]).await?;
        let (one, two) = (rows[0].get::<Vec<u8>>("hash")?, rows[1].get::<Vec<u8>>("hash")?);
        let other = vec![0_u8; 3];
        tx.execute(
            "UPDATE store_chunk SET bytes = $2 WHERE hash = $1",
            &[&one, &other],
        )
        .await?;
        tx.execute("DELETE FROM store_chunk WHERE hash = $1", &[&two])
            .await?;
        Ok::<(), StoreError>(())
    };
    test.store.write_unkeyed(damage).await.unwrap();
    let found = ChunksSeen {
        read: 99,
        damaged: 1,
        missing: 1,
    };
    assert_eq!(test.store.look_at_chunks(Chunks::All).await.unwrap(), found);
    for host in look_at_hosts(&test.url, Chunks::All).await {
        assert_eq!(host.told.unwrap().chunks, Some(found), "{}", host.host);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_counted_up_to_a_bound() {
    on_both_engines(count_rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_chunk_and_a_missing_one_are_found() {
    on_both_engines(find_damage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_tells_what_it_keeps_for_itself() {
    let test = super::harness::postgres().await;
    test.store.migrate(SERVICES).await.unwrap();
    create(
        &test.store,
        "CREATE UNLOGGED TABLE test_scratch (id BIGINT PRIMARY KEY NOT NULL)",
    )
    .await;
    let hosts = look_at_hosts(&test.url, Chunks::Sample).await;
    let facts = hosts[0].told.clone().unwrap();
    assert!(!facts.is_standby && facts.copies.is_empty());
    assert!(facts.log_position.unwrap() > 0);
    assert_eq!(facts.setting("synchronous_standby_names"), Some(""));
    let is_logged = |name: &str| {
        let table = facts.tables.iter().find(|table| table.name == name);
        table.map(|table| table.is_logged)
    };
    assert_eq!(is_logged("test_thing"), Some(true));
    assert_eq!(is_logged("test_scratch"), Some(false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_does_not_answer_is_told_with_the_reason() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://me@{}/haechi", silent.local_addr().unwrap());
    let hosts = look_at_hosts(&url.parse().unwrap(), Chunks::Sample).await;
    assert_eq!(hosts.len(), 1);
    let reason = hosts[0].told.clone().unwrap_err();
    assert!(reason.contains("no answer"), "{reason}");
}
