//! The connection dies while COMMIT is under way: the store finds out what became of it and applies it once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use haechi_base::SystemClock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::harness::{count, create, limits, new_postgres_database};
use crate::{Store, StoreError, Tx, WriteKey};

/// When the proxy cuts a connection on which it sees COMMIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// The server never hears of the COMMIT.
    Before,
    /// The server has committed; the client never hears of it.
    After,
}

/// A proxy to PostgreSQL that cuts the first `cuts` commits. Returns its port.
async fn cutting_proxy(server: String, cut: Cut, cuts: Arc<AtomicU32>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&server).await.unwrap();
            tokio::spawn(relay(client, server, cut, Arc::clone(&cuts)));
        }
    });
    port
}

async fn relay(mut client: TcpStream, mut server: TcpStream, cut: Cut, cuts: Arc<AtomicU32>) {
    let (mut asked, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(length @ 1..) = read else { return };
                let bytes = &asked[..length];
                let commits = bytes.windows(6).any(|window| window == b"COMMIT");
                let armed = commits
                    && cuts.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
                if armed && cut == Cut::Before {
                    return;
                }
                server.write_all(bytes).await.unwrap();
                if armed {
                    // The answer says that it is committed; it goes no further.
                    let length = server.read(&mut answered).await.unwrap();
                    assert!(length > 0, "the server went away");
                    return;
                }
            }
            read = server.read(&mut answered) => {
                let Ok(length @ 1..) = read else { return };
                if client.write_all(&answered[..length]).await.is_err() { return }
            }
        }
    }
}

async fn applied_once(cut: Cut, key: impl Fn() -> WriteKey) {
    let direct = new_postgres_database().await;
    let (server, database) = direct.rsplit_once('/').unwrap();
    let address = server.rsplit_once('@').unwrap().1;
    let cuts = Arc::new(AtomicU32::new(0));
    let port = cutting_proxy(address.to_owned(), cut, Arc::clone(&cuts)).await;
    let url = format!("postgres://postgres@127.0.0.1:{port}/{database}")
        .parse()
        .unwrap();
    let store = Store::open(&url, &limits(), Arc::new(SystemClock)).unwrap();
    store.migrate(&[]).await.unwrap();
    create(&store, "CREATE TABLE note (id BIGINT PRIMARY KEY NOT NULL)").await;

    cuts.store(2, Ordering::SeqCst);
    let answer: Result<i64, StoreError> = store
        .write(key(), async |tx: &mut Tx<'_>| {
            let next = "SELECT CAST(COALESCE(MAX(id), 0) + 1 AS BIGINT) AS id FROM note";
            let id: i64 = tx.query_one(next, &[]).await?.get("id")?;
            tx.execute("INSERT INTO note VALUES ($1)", &[&id]).await?;
            Ok(id)
        })
        .await;
    assert_eq!(answer, Ok(1));
    assert_eq!(cuts.load(Ordering::SeqCst), 0, "the proxy did not cut");
    assert_eq!(count(&store, "note").await, 1);
}

#[tokio::test]
async fn cut_after_commit_is_applied_once() {
    applied_once(Cut::After, || {
        WriteKey::client("note/somebody", "key", b"request")
    })
    .await;
}

#[tokio::test]
async fn cut_before_commit_is_applied_once() {
    applied_once(Cut::Before, || {
        WriteKey::client("note/somebody", "key", b"request")
    })
    .await;
}

#[tokio::test]
async fn a_write_without_a_client_key_is_applied_once_too() {
    let key = WriteKey::fresh();
    applied_once(Cut::After, || key.clone()).await;
}
