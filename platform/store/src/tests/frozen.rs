//! A database that keeps its connections open and answers nothing, as a frozen or cut-off data centre does.

use std::sync::Arc;
use std::time::Duration;

use haechi_base::SystemClock;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::harness::{count, create, limits, new_postgres_database};
use crate::{Store, StoreError, StoreLimits, Tx};

/// A proxy whose connections freeze when `freeze` turns true; those that come afterwards work.
pub(super) async fn freezing_proxy(server: String, mut freeze: watch::Receiver<bool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut server = TcpStream::connect(&server).await.unwrap();
            let already_frozen = *freeze.borrow_and_update();
            let mut freeze = freeze.clone();
            tokio::spawn(async move {
                let frozen = async { drop(freeze.wait_for(|frozen| *frozen && !already_frozen).await) };
                tokio::select! {
                    _ = copy_bidirectional(&mut client, &mut server) => {}
                    () = frozen => std::future::pending().await,
                }
            });
        }
    });
    port
}

#[tokio::test]
async fn a_connection_that_went_silent_is_given_up_and_replaced() {
    let direct = new_postgres_database().await;
    let (server, database) = direct.rsplit_once('/').unwrap();
    let (freeze, frozen) = watch::channel(false);
    let port = freezing_proxy(server.rsplit_once('@').unwrap().1.to_owned(), frozen).await;
    let url = format!("postgres://postgres@127.0.0.1:{port}/{database}")
        .parse()
        .unwrap();
    let quick = StoreLimits {
        answer_wait: Duration::from_millis(300),
        ..limits()
    };
    let store = Store::open(&url, &quick, Arc::new(SystemClock)).unwrap();
    create(&store, "CREATE TABLE note (id BIGINT PRIMARY KEY NOT NULL)").await;

    freeze.send_replace(true);
    let write = async |tx: &mut Tx<'_>| tx.execute("INSERT INTO note VALUES (1)", &[]).await.map(drop);
    let written: Result<(), StoreError> = store.write_unkeyed(write).await;
    assert_eq!(written, Ok(()));
    assert_eq!(count(&store, "note").await, 1);
}

#[tokio::test]
async fn a_host_that_accepts_and_says_nothing_hides_none_behind_it() {
    let direct = new_postgres_database().await;
    let (server, database) = direct.rsplit_once('/').unwrap();
    let hangs = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = hangs.local_addr().unwrap().port();
    let works = server.rsplit_once('@').unwrap().1;
    let url = format!("postgres://postgres@127.0.0.1:{port},{works}/{database}?connect_timeout=1");
    let store = Store::open(&url.parse().unwrap(), &limits(), Arc::new(SystemClock)).unwrap();
    create(&store, "CREATE TABLE note (id BIGINT PRIMARY KEY NOT NULL)").await;
    assert_eq!(count(&store, "note").await, 0);
    drop(hangs);
}
