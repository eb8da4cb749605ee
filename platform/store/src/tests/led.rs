//! A store on a cluster: writes go to whoever leads, and are acknowledged once it is confirmed that it still does.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use haechi_base::SystemClock;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::frozen::freezing_proxy;
use super::harness::{count, create, limits, new_postgres_database};
use crate::{Leadership, Migration, Migrations, Store, StoreError, StoreLimits, Term, Tx, WriteKey};

/// Leadership as a test says it is.
struct Told {
    term: watch::Sender<Option<Arc<Term>>>,
    /// How many confirmations are refused before one is given.
    refused: AtomicU32,
    asked: AtomicU32,
    is_silent: AtomicBool,
    full: AtomicU32,
}

impl Leadership for Told {
    fn term(&self) -> watch::Receiver<Option<Arc<Term>>> {
        self.term.subscribe()
    }

    fn confirm<'a>(&'a self, term: &'a Term, timeline: i64) -> BoxFuture<'a, Result<(), String>> {
        assert_eq!(timeline, 1, "a fresh server is on its first timeline");
        self.asked.fetch_add(1, Ordering::SeqCst);
        let refuses = |left: u32| left.checked_sub(1);
        let is_refused = self
            .refused
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, refuses)
            .is_ok();
        let is_over = self.term.borrow().as_deref() != Some(term);
        Box::pin(async move {
            if is_refused || is_over {
                Err("the term is over".to_owned())
            } else {
                Ok(())
            }
        })
    }

    fn is_primary_silent(&self) -> bool {
        self.is_silent.load(Ordering::SeqCst)
    }

    fn note_full_disk(&self, term: &Arc<Term>) {
        assert_eq!(term.create_revision, 1);
        self.full.fetch_add(1, Ordering::SeqCst);
    }
}

/// A database, who leads it, and a store on it.
struct Led {
    store: Store,
    told: Arc<Told>,
    server: String,
    port: u16,
}

fn term_at(port: u16, create_revision: i64) -> Option<Arc<Term>> {
    Some(Arc::new(Term {
        member: "pangyo".to_owned(),
        host: "127.0.0.1".to_owned(),
        port,
        lease: create_revision,
        create_revision,
    }))
}

async fn led(limits: &StoreLimits) -> Led {
    let direct = new_postgres_database().await;
    let server = direct
        .split_once('@')
        .unwrap()
        .1
        .split_once('/')
        .unwrap()
        .0
        .to_owned();
    let port = server.rsplit_once(':').unwrap().1.parse().unwrap();
    let told = Arc::new(Told {
        term: watch::Sender::new(term_at(port, 1)),
        refused: AtomicU32::new(0),
        asked: AtomicU32::new(0),
        is_silent: AtomicBool::new(false),
        full: AtomicU32::new(0),
    });
    let leadership = Arc::clone(&told) as Arc<dyn Leadership>;
    let store = Store::open_led(
        &direct.parse().unwrap(),
        limits,
        Arc::new(SystemClock),
        Some(leadership),
    )
    .unwrap();
    store.migrate(&[]).await.unwrap();
    create(&store, "CREATE TABLE note (id BIGINT PRIMARY KEY NOT NULL)").await;
    told.asked.store(0, Ordering::SeqCst);
    Led {
        store,
        told,
        server,
        port,
    }
}

/// Adds one note, with the next number, under a key.
async fn add(store: &Store) -> Result<i64, StoreError> {
    store
        .write(WriteKey::fresh(), async |tx: &mut Tx<'_>| {
            let next = "SELECT CAST(COALESCE(MAX(id), 0) + 1 AS BIGINT) AS id FROM note";
            let id: i64 = tx.query_one(next, &[]).await?.get("id")?;
            tx.execute("INSERT INTO note VALUES ($1)", &[&id]).await?;
            Ok(id)
        })
        .await
}

#[tokio::test]
async fn a_write_that_is_not_confirmed_is_asked_for_again_and_done_once() {
    let Led { store, told, .. } = led(&limits()).await;
    told.refused.store(2, Ordering::SeqCst);
    assert_eq!(add(&store).await, Ok(1));
    assert_eq!(told.asked.load(Ordering::SeqCst), 3);
    assert_eq!(count(&store, "note").await, 1);
}

#[tokio::test]
async fn a_write_that_is_never_confirmed_is_not_acknowledged_and_tells_nobody() {
    let hurried = StoreLimits {
        unavailable_wait: Duration::from_millis(300),
        ..limits()
    };
    let Led { store, told, .. } = led(&hurried).await;
    told.refused.store(u32::MAX, Ordering::SeqCst);
    let has_told = Arc::new(AtomicBool::new(false));
    let tells = Arc::clone(&has_told);
    let written: Result<(), StoreError> = store
        .write_unkeyed(async move |tx: &mut Tx<'_>| {
            let tells = Arc::clone(&tells);
            tx.after_commit(move || tells.store(true, Ordering::SeqCst));
            tx.execute(
                "INSERT INTO note VALUES (1) ON CONFLICT (id) DO UPDATE SET id = 1",
                &[],
            )
            .await
            .map(drop)
        })
        .await;
    assert!(matches!(written, Err(StoreError::Unknown(_))), "{written:?}");
    assert!(!has_told.load(Ordering::SeqCst));
}

#[tokio::test]
async fn a_write_on_a_silent_primary_goes_on_under_the_next_leader_at_once() {
    let Led {
        store,
        told,
        server,
        port,
    } = led(&limits()).await;
    let (freeze, frozen) = watch::channel(false);
    let through_proxy = freezing_proxy(server, frozen).await;
    told.term.send_replace(term_at(through_proxy, 2));
    assert_eq!(add(&store).await, Ok(1));

    freeze.send_replace(true);
    let begun = Instant::now();
    let writing = tokio::spawn({
        let store = store.clone();
        async move { add(&store).await }
    });
    // It has reached the frozen server once no connection of the pool is idle: it never answers there.
    tokio::task::yield_now().await;
    told.term.send_replace(term_at(port, 3));
    assert_eq!(writing.await.unwrap(), Ok(2));
    assert!(
        begun.elapsed() < limits().answer_wait,
        "it waited for the silent server"
    );
    assert_eq!(count(&store, "note").await, 2);
}

/// The term that a write says it runs in.
async fn term_of_a_write(store: &Store) -> Result<i64, StoreError> {
    store
        .write(WriteKey::fresh(), async |tx: &mut Tx<'_>| Ok(tx.term()))
        .await
}

#[tokio::test]
async fn a_transaction_knows_its_term() {
    let Led {
        store, told, port, ..
    } = led(&limits()).await;
    assert_eq!(term_of_a_write(&store).await, Ok(1));
    told.term.send_replace(term_at(port, 2));
    assert_eq!(term_of_a_write(&store).await, Ok(2));
    told.term.send_replace(None);
    let read: Result<i64, StoreError> = store.read(async |tx: &mut Tx<'_>| Ok(tx.term())).await;
    assert_eq!(read, Ok(0), "nobody leads");
}

#[tokio::test]
async fn a_standby_that_lacks_a_step_of_the_tables_is_not_believed() {
    const LATER: Migrations = Migrations {
        service: "later",
        steps: &[Migration {
            number: 1,
            name: "later",
            sql: "CREATE TABLE later (id BIGINT PRIMARY KEY NOT NULL)",
        }],
    };
    let Led {
        store, told, port, ..
    } = led(&limits()).await;
    told.term.send_replace(None);
    assert_eq!(store.missing_migrations(&[]).await, Ok(Vec::new()));
    let lacking = store.missing_migrations(&[LATER]).await;
    assert!(matches!(lacking, Err(StoreError::Unavailable(_))), "{lacking:?}");
    told.term.send_replace(term_at(port, 2));
    let missing = loop {
        // For a moment after it was lost the primary is not asked.
        match store.missing_migrations(&[LATER]).await {
            Err(StoreError::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(20)).await,
            answered => break answered.unwrap(),
        }
    };
    assert_eq!(missing.len(), 1);
}

#[tokio::test]
async fn while_nobody_leads_writes_wait_and_reads_go_on() {
    let Led {
        store, told, port, ..
    } = led(&limits()).await;
    assert_eq!(add(&store).await, Ok(1));
    told.term.send_replace(None);
    assert_eq!(count(&store, "note").await, 1);
    assert!(store.is_degraded());
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { add(&store).await }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    told.term.send_replace(term_at(port, 2));
    assert_eq!(waiting.await.unwrap(), Ok(2));
}

/// A way to a server that takes nothing while it is not `promoted`: it ends every connection, and counts those that come.
async fn promoted_later(server: String, promoted: watch::Receiver<bool>) -> (u16, watch::Receiver<u32>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (refuse, refused) = watch::channel(0);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            if *promoted.borrow() {
                let mut server = TcpStream::connect(&server).await.unwrap();
                let mut promoted = promoted.clone();
                tokio::spawn(async move {
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut server) => {}
                        _ = promoted.wait_for(|promoted| !promoted) => {}
                    }
                });
            } else {
                refuse.send_modify(|refused| *refused += 1);
            }
        }
    });
    (port, refused)
}

/// Begins to add this many notes, each in a write of its own.
fn add_at_once(store: &Store, ids: Range<i64>) -> Vec<JoinHandle<Result<(), StoreError>>> {
    ids.map(|id| {
        let store = store.clone();
        tokio::spawn(async move {
            let write = async move |tx: &mut Tx<'_>| {
                let insert = "INSERT INTO note VALUES ($1)";
                tx.execute(insert, &[&id]).await.map(drop)
            };
            store.write(WriteKey::fresh(), write).await
        })
    })
    .collect()
}

#[tokio::test]
async fn while_a_leader_takes_no_writes_one_asks_it_for_all() {
    let Led {
        store, told, server, ..
    } = led(&limits()).await;
    let (promote, promoted) = watch::channel(false);
    let (port, mut refused) = promoted_later(server, promoted).await;
    told.term.send_replace(term_at(port, 2));
    for notes in [0, 50, 100] {
        // Not promoted yet, the first time; it stops, the others.
        promote.send_replace(false);
        let before = *refused.borrow();
        let begun = Instant::now();
        let adding = add_at_once(&store, notes..notes + 50);
        refused.wait_for(|refused| *refused >= before + 5).await.unwrap();
        assert_eq!(count(&store, "note").await, notes, "a standby answers meanwhile");
        assert!(!adding.iter().any(JoinHandle::is_finished));
        promote.send_replace(true);
        for adding in adding {
            assert_eq!(adding.await.unwrap(), Ok(()));
        }
        // Some begin before they hear of the first who failed; then it is one each 20 ms. Else all would try, and again.
        let most = 30 + begun.elapsed().as_millis() / 20;
        let refused = u128::from(*refused.borrow() - before);
        assert!(
            refused <= most,
            "{refused} connections to a server that takes none"
        );
        assert_eq!(count(&store, "note").await, notes + 50);
    }
}

#[tokio::test]
async fn a_read_does_not_wait_for_a_primary_that_is_silent() {
    let Led {
        store, told, server, ..
    } = led(&limits()).await;
    let (freeze, frozen) = watch::channel(false);
    told.term
        .send_replace(term_at(freezing_proxy(server, frozen).await, 2));
    assert_eq!(add(&store).await, Ok(1));
    freeze.send_replace(true);

    // Not noticed yet: the read waits a moment for the primary, then a standby answers it.
    let begun = Instant::now();
    assert_eq!(count(&store, "note").await, 1);
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert!(store.is_degraded());

    told.is_silent.store(true, Ordering::SeqCst);
    let begun = Instant::now();
    assert_eq!(count(&store, "note").await, 1);
    assert!(begun.elapsed() < limits().primary_read_wait);
}

#[tokio::test]
async fn a_full_disk_is_told_and_waited_for_and_then_the_write_is_done_once() {
    let Led { store, told, .. } = led(&limits()).await;
    let refused = Arc::new(AtomicU32::new(2));
    let written: Result<(), StoreError> = store
        .write_unkeyed(async move |tx: &mut Tx<'_>| {
            let is_full = refused
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
                .is_ok();
            if is_full {
                let refuse =
                    "DO $$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = 'disk_full'; END $$";
                tx.execute(refuse, &[]).await?;
            }
            tx.execute("INSERT INTO note VALUES (1)", &[]).await.map(drop)
        })
        .await;
    assert_eq!(written, Ok(()));
    assert_eq!(told.full.load(Ordering::SeqCst), 2);
    assert_eq!(count(&store, "note").await, 1);
}
