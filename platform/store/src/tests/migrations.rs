//! Migrations are applied once, in order, and refused when they do not fit.

use super::harness::{count, on_both_engines};
use crate::{Migration, Migrations, StoreError};

const FIRST: Migration = Migration {
    number: 1,
    name: "note",
    sql: "CREATE TABLE note (id BIGINT PRIMARY KEY NOT NULL); CREATE INDEX note_id ON note (id);",
};
const SECOND: Migration = Migration {
    number: 2,
    name: "words",
    sql: "ALTER TABLE note ADD COLUMN words TEXT NOT NULL DEFAULT '';",
};
const EDITED: Migration = Migration {
    number: 1,
    name: "note",
    sql: "CREATE TABLE note (id TEXT NOT NULL);",
};

const OLD: Migrations = Migrations {
    service: "notes",
    steps: &[FIRST],
};
const NEW: Migrations = Migrations {
    service: "notes",
    steps: &[FIRST, SECOND],
};
const TAMPERED: Migrations = Migrations {
    service: "notes",
    steps: &[EDITED],
};
const BROKEN: Migrations = Migrations {
    service: "broken",
    steps: &[Migration {
        number: 1,
        name: "half",
        sql: "CREATE TABLE half (id BIGINT); CREATE TABEL other (id BIGINT);",
    }],
};

#[tokio::test]
async fn each_step_is_applied_once() {
    for new in [super::harness::sqlite(), super::harness::postgres().await] {
        assert_eq!(
            new.store.missing_migrations(&[NEW]).await.unwrap().len(),
            4,
            "the store's own two and two"
        );
    }
    on_both_engines(async |test| {
        assert_eq!(test.store.missing_migrations(&[OLD]).await.unwrap().len(), 1);
        assert_eq!(test.store.migrate(&[OLD]).await.unwrap().len(), 1);
        assert!(test.store.missing_migrations(&[OLD]).await.unwrap().is_empty());
        assert_eq!(test.store.missing_migrations(&[NEW]).await.unwrap().len(), 1);
        assert!(test.store.migrate(&[OLD]).await.unwrap().is_empty());
        let applied = test.store.migrate(&[NEW]).await.unwrap();
        assert_eq!(
            applied
                .iter()
                .map(|step| (step.number, step.name.as_str()))
                .collect::<Vec<_>>(),
            [(2, "words")]
        );
        assert_eq!(count(&test.store, "note WHERE words = ''").await, 0);
    })
    .await;
}

#[tokio::test]
async fn an_edited_step_and_a_newer_store_are_refused() {
    on_both_engines(async |test| {
        test.store.migrate(&[NEW]).await.unwrap();
        let newer = test.store.migrate(&[OLD]).await.unwrap_err().to_string();
        assert!(newer.contains("run the newer program"), "{newer}");
        let only_looked = test
            .store
            .missing_migrations(&[OLD])
            .await
            .unwrap_err()
            .to_string();
        assert!(
            only_looked.contains("a node of an older version"),
            "{only_looked}"
        );
        // A service that came later altogether is as much of a sign.
        for refused in [
            test.store.migrate(&[]).await.unwrap_err(),
            test.store.missing_migrations(&[]).await.unwrap_err(),
        ] {
            let refused = refused.to_string();
            assert!(
                refused.contains("tables of notes") && refused.contains("a node of an older version"),
                "{refused}"
            );
        }
        let edited = test.store.migrate(&[TAMPERED, NEW]).await.unwrap_err();
        assert!(matches!(edited, StoreError::Migration(_)), "{edited}");
    })
    .await;
    on_both_engines(async |test| {
        test.store.migrate(&[OLD]).await.unwrap();
        let edited = test.store.migrate(&[TAMPERED]).await.unwrap_err().to_string();
        assert!(edited.contains("edited after it had been applied"), "{edited}");
    })
    .await;
}

#[tokio::test]
async fn a_step_that_fails_leaves_nothing() {
    on_both_engines(async |test| {
        assert!(test.store.migrate(&[BROKEN]).await.is_err());
        assert_eq!(
            count(&test.store, "store_migration WHERE service = 'broken'").await,
            0
        );
        let gone = test.store.migrate(&[BROKEN]).await.unwrap_err().to_string();
        assert!(!gone.contains("already exists"), "{gone}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_that_start_at_once_agree() {
    on_both_engines(async |test| {
        let other = test.open_again();
        let migrations = [NEW];
        let (one, two) = tokio::join!(test.store.migrate(&migrations), other.migrate(&migrations));
        assert_eq!(one.unwrap().len() + two.unwrap().len(), 2);
    })
    .await;
}
