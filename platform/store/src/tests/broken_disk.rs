//! A disk that is full: who is told that it failed has nothing kept, and those after them are not dragged along.

use std::sync::{Arc, mpsc};

use tokio::sync::Notify;

use super::harness::{count, create, sqlite};
use crate::{StoreError, Tx};

async fn put(store: &crate::Store, id: i64, bytes: usize) -> Result<(), StoreError> {
    store
        .write_unkeyed(async move |tx: &mut Tx<'_>| {
            let words = "x".repeat(bytes);
            tx.execute("INSERT INTO note VALUES ($1, $2)", &[&id, &words])
                .await
                .map(drop)
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_fails_the_whole_group_and_only_it() {
    let test = sqlite();
    let store = &test.store;
    create(
        store,
        "CREATE TABLE note (id BIGINT PRIMARY KEY NOT NULL, words TEXT NOT NULL)",
    )
    .await;
    // Room for a little more than what is there.
    let shrink = async |tx: &mut Tx<'_>| tx.query("PRAGMA max_page_count = 40", &[]).await.map(drop);
    store.write_unkeyed::<_, StoreError, _>(shrink).await.unwrap();

    // The writer thread is held until the three below wait together, so that they form one group.
    let (release, released) = mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let holding = Arc::new(Notify::new());
    let (holder, begun) = (store.clone(), Arc::clone(&holding));
    let held = tokio::spawn(async move {
        let hold = async move |_: &mut Tx<'_>| {
            begun.notify_one();
            released.lock().unwrap().recv().unwrap();
            Ok::<(), StoreError>(())
        };
        holder.write_unkeyed(hold).await
    });
    holding.notified().await;
    let mut waiting = [
        Box::pin(put(store, 1, 10)),
        Box::pin(put(store, 2, 1_000_000)),
        Box::pin(put(store, 3, 10)),
    ];
    for write in &mut waiting {
        assert!(
            futures_util::FutureExt::now_or_never(write).is_none(),
            "the writer was not held"
        );
    }
    release.send(()).unwrap();
    held.await.unwrap().unwrap();
    let [before, large, after] = waiting;
    assert!(matches!(before.await, Err(StoreError::Unavailable(_))));
    assert!(matches!(large.await, Err(StoreError::Unavailable(_))));
    assert_eq!(after.await, Ok(()));
    assert_eq!(
        count(&test.open_again(), "note").await,
        1,
        "what was refused was kept"
    );
    assert_eq!(put(store, 4, 10).await, Ok(()));
}

#[tokio::test]
async fn a_panic_after_the_commit_does_not_end_the_writer() {
    let test = sqlite();
    create(
        &test.store,
        "CREATE TABLE note (id BIGINT PRIMARY KEY NOT NULL, words TEXT NOT NULL)",
    )
    .await;
    let write = async |tx: &mut Tx<'_>| {
        tx.after_commit(|| panic!("on purpose"));
        Ok::<(), StoreError>(())
    };
    assert_eq!(test.store.write_unkeyed(write).await, Err(StoreError::Panicked));
    assert_eq!(put(&test.store, 1, 10).await, Ok(()));
}
