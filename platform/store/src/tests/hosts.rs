//! Several hosts, of which one can write: it is found, and found again after it moved.

use std::sync::Arc;
use std::time::Duration;

use haechi_base::SystemClock;
use haechi_testkit::postgres_server::PostgresServer;

use super::harness::{count, limits, run_on};
use crate::{Store, StoreError, StoreLimits, Tx, WriteKey};

const READ_ONLY: &str = "ALTER SYSTEM SET default_transaction_read_only = on";
const WRITABLE: &str = "ALTER SYSTEM SET default_transaction_read_only = off";
const RELOAD: &str = "SELECT pg_reload_conf()";
const TABLE: &str = "CREATE TABLE note (id BIGINT PRIMARY KEY NOT NULL)";

async fn set(server: &PostgresServer, setting: &str) {
    let url = server.url("postgres");
    run_on(&url, setting).await;
    run_on(&url, RELOAD).await;
    // The reload is asynchronous: a new session shows when it has arrived.
    let wanted = if setting == READ_ONLY { "on" } else { "off" };
    loop {
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls)
            .await
            .unwrap();
        tokio::spawn(connection);
        let shown: String = client
            .query_one("SHOW default_transaction_read_only", &[])
            .await
            .unwrap()
            .get(0);
        if shown == wanted {
            return;
        }
        tokio::task::yield_now().await;
    }
}

async fn insert(store: &Store, id: i64) -> Result<(), StoreError> {
    store
        .write_unkeyed(async move |tx: &mut Tx<'_>| {
            tx.execute("INSERT INTO note VALUES ($1)", &[&id]).await.map(drop)
        })
        .await
}

#[tokio::test]
async fn the_writable_host_is_found_again_after_it_moved() {
    let (left, right) = (PostgresServer::start().unwrap(), PostgresServer::start().unwrap());
    for server in [&left, &right] {
        run_on(&server.url("postgres"), TABLE).await;
    }
    set(&left, READ_ONLY).await;
    let url = format!(
        "postgres://postgres@127.0.0.1:{},127.0.0.1:{}/postgres",
        left.port(),
        right.port()
    );
    let short = StoreLimits {
        unavailable_wait: Duration::from_secs(2),
        ..limits()
    };
    let store = Store::open(&url.parse().unwrap(), &short, Arc::new(SystemClock)).unwrap();
    insert(&store, 1).await.unwrap();
    assert_eq!(count(&store, "note").await, 1);

    // The roles change over. The pooled connection still leads to the old host, which refuses to write.
    run_on(
        &left.url("postgres"),
        "BEGIN READ WRITE; INSERT INTO note VALUES (1); COMMIT",
    )
    .await;
    set(&right, READ_ONLY).await;
    set(&left, WRITABLE).await;
    insert(&store, 2).await.unwrap();
    assert_eq!(count(&store_on(&left), "note").await, 2);

    // Nobody can write: writes are refused after their patience, reads go on and say so.
    set(&left, READ_ONLY).await;
    drop(store);
    let store = Store::open(&url.parse().unwrap(), &short, Arc::new(SystemClock)).unwrap();
    let refused = store
        .write(WriteKey::fresh(), async |_: &mut Tx<'_>| Ok::<(), StoreError>(()))
        .await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert!(count(&store, "note").await >= 1);
    assert!(store.is_degraded());
}

fn store_on(server: &PostgresServer) -> Store {
    Store::open(
        &server.url("postgres").parse().unwrap(),
        &limits(),
        Arc::new(SystemClock),
    )
    .unwrap()
}
