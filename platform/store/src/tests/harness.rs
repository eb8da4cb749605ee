//! A fresh database on each engine for each test.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use haechi_base::{Clock, ManualClock, SystemClock};
use haechi_testkit::postgres_server::PostgresServer;
use tempfile::TempDir;
use tokio_postgres::NoTls;

use crate::{Store, StoreError, StoreLimits, StoreUrl, Tx};

/// The server of this run, or one of our own.
static OWN_SERVER: LazyLock<PostgresServer> = LazyLock::new(|| PostgresServer::start().unwrap());

/// A store on a fresh database, with what keeps it there.
pub(super) struct TestStore {
    pub(super) store: Store,
    pub(super) url: StoreUrl,
    pub(super) clock: Arc<ManualClock>,
    directory: TempDir,
}

impl TestStore {
    /// A second store on the same database, as another node would open it.
    pub(super) fn open_again(&self) -> Store {
        Store::open(&self.url, &limits(), Arc::clone(&self.clock) as Arc<dyn Clock>).unwrap()
    }

    /// Whether it is the engine with several nodes.
    pub(super) fn is_postgres(&self) -> bool {
        matches!(self.url, StoreUrl::Postgres(_))
    }

    /// Closes the store and returns where it was, with what keeps the file there.
    pub(super) fn close(self) -> (StoreUrl, TempDir) {
        (self.url, self.directory)
    }

    /// A path beside the database.
    pub(super) fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }
}

pub(super) fn limits() -> StoreLimits {
    StoreLimits {
        unavailable_wait: Duration::from_secs(5),
        connections_max: 8,
        ..StoreLimits::default()
    }
}

fn admin_url() -> String {
    std::env::var("HAECHI_TEST_POSTGRES").unwrap_or_else(|_| OWN_SERVER.url("postgres"))
}

/// The URL of a new, empty database on the test server.
pub(super) async fn new_postgres_database() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!(
        "store_{}_{}",
        std::process::id(),
        NUMBER.fetch_add(1, Ordering::Relaxed)
    );
    run_on(&admin_url(), &format!("CREATE DATABASE {name}")).await;
    let (server, _) = admin_url()
        .rsplit_once('/')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    format!("{server}/{name}")
}

/// Runs a statement on a connection of its own.
pub(super) async fn run_on(url: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let task = tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
    drop(client);
    task.await.unwrap().unwrap();
}

fn open(url: StoreUrl) -> TestStore {
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let store = Store::open(&url, &limits(), Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
    TestStore {
        store,
        url,
        clock,
        directory: tempfile::tempdir().unwrap(),
    }
}

pub(super) fn sqlite() -> TestStore {
    let directory = tempfile::tempdir().unwrap();
    let url = StoreUrl::Sqlite(directory.path().join("test.sqlite"));
    TestStore {
        directory,
        ..open(url)
    }
}

pub(super) async fn postgres() -> TestStore {
    open(new_postgres_database().await.parse().unwrap())
}

/// Runs a test on each engine, with the store's own tables in place.
pub(super) async fn on_both_engines(test: impl AsyncFn(TestStore)) {
    for store in [sqlite(), postgres().await] {
        store.store.migrate(&[]).await.unwrap();
        test(store).await;
    }
}

/// Makes a table for the test.
pub(super) async fn create(store: &Store, sql: &'static str) {
    store
        .write_unkeyed(async move |tx: &mut Tx<'_>| tx.run_script(sql).await)
        .await
        .unwrap();
}

/// How many rows a table has.
pub(super) async fn count(store: &Store, table: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) AS number FROM {table}");
    store
        .read(async move |tx: &mut Tx<'_>| tx.query_one(&sql, &[]).await?.get("number"))
        .await
        .map_err(|error: StoreError| error)
        .unwrap()
}
