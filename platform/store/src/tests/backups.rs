//! A backup of the embedded file is one moment of it, and a damaged one is found.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use haechi_base::Time;

use super::harness::{count, create, on_both_engines, sqlite};
use crate::{Backup, CopyError, StoreError, Tx, back_up_file, check_file, check_integrity};

fn path_of(test: &super::harness::TestStore) -> std::path::PathBuf {
    test.path("test.sqlite")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_taken_under_load_is_one_moment_of_the_store() {
    let test = sqlite();
    test.store.migrate(&[]).await.unwrap();
    create(
        &test.store,
        "CREATE TABLE pair (id BIGINT PRIMARY KEY NOT NULL, half BIGINT NOT NULL)",
    )
    .await;
    let store = test.store.clone();
    // Each write adds two rows that belong together.
    let add = |number: i64| {
        let store = store.clone();
        async move {
            let add = async move |tx: &mut Tx<'_>| {
                for half in 0..2_i64 {
                    tx.execute(
                        "INSERT INTO pair (id, half) VALUES ($1, $2)",
                        &[&(number * 2 + half), &half],
                    )
                    .await?;
                }
                Ok::<(), StoreError>(())
            };
            store.write_unkeyed(add).await.unwrap();
        }
    };
    for number in 0..50 {
        add(number).await;
    }
    let (source, target) = (path_of(&test), test.path("copy.sqlite"));
    let (from, to) = (source.clone(), target.clone());
    let backing_up = tokio::task::spawn_blocking(move || back_up_file(&from, &to));
    let mut number = 50;
    while !backing_up.is_finished() || number < 100 {
        add(number).await;
        number += 1;
    }
    backing_up.await.unwrap().unwrap();
    check_integrity(&target).unwrap();
    assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);
    let copied = rusqlite::Connection::open(&target)
        .unwrap()
        .query_row("SELECT COUNT(*), SUM(half) FROM pair", [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        })
        .unwrap();
    assert!(
        copied.0 >= 100 && copied.0 <= count(&test.store, "pair").await,
        "{copied:?}"
    );
    assert_eq!(copied.0, copied.1 * 2, "half a write is in the backup");
    // A second one does not write over the first.
    let error = back_up_file(&source, &target).unwrap_err();
    assert!(error.to_string().contains("is there already"), "{error}");
}

#[tokio::test]
async fn what_a_backup_holds_is_counted_and_a_damaged_one_is_found() {
    let test = sqlite();
    test.store.migrate(&[]).await.unwrap();
    for number in 0..2_000_u32 {
        test.store
            .put_blob(number.to_le_bytes().to_vec().into())
            .await
            .unwrap();
    }
    let target = test.path("copy.sqlite");
    back_up_file(&path_of(&test), &target).unwrap();
    let sums = check_file(&target, &[]).await.unwrap();
    let blobs = sums.iter().find(|sum| sum.table == "store_blob").unwrap();
    assert_eq!(blobs.rows, 2_000);
    let mut bytes = fs::read(&target).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4_096].fill(0x5a);
    fs::write(&target, bytes).unwrap();
    let error = check_file(&target, &[]).await.unwrap_err();
    assert!(matches!(error, CopyError::Engine { .. }), "{error}");
}

#[tokio::test]
async fn the_newest_backup_is_known() {
    on_both_engines(async |test| {
        assert_eq!(test.store.last_backup().await.unwrap(), None);
        let backup = |name: &str, seconds: i64| Backup {
            name: name.to_owned(),
            kind: "file".to_owned(),
            place: "/backup".to_owned(),
            size_bytes: 20,
            started_at: Time::from_micros(seconds),
            finished_at: Time::from_micros(seconds + 1),
        };
        for made in [backup("a", 5), backup("b", 9), backup("c", 7)] {
            test.store.note_backup(&made).await.unwrap();
        }
        // Noted again, it is still one.
        test.store.note_backup(&backup("a", 5)).await.unwrap();
        assert_eq!(test.store.last_backup().await.unwrap(), Some(backup("b", 9)));
        assert_eq!(count(&test.store, "store_backup").await, 3);
    })
    .await;
}
