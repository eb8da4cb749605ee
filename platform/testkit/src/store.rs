//! A fresh database for each test, on either engine, under a clock that the test turns.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use haechi_base::{Clock, ManualClock, MasterKey, Secrets, SessionId, SystemClock};
use haechi_cluster::NodeSettings;
use haechi_service::{CancellationToken, Cluster, Context};
use haechi_store::{Leadership, Store, StoreLimits, StoreUrl};
use tempfile::TempDir;
use tokio_postgres::NoTls;

use crate::Terms;
use crate::postgres_server::PostgresServer;

/// The server of `HAECHI_TEST_POSTGRES`, or one of our own: one for all tests of a process.
static SERVER_URL: LazyLock<String> = LazyLock::new(|| match std::env::var("HAECHI_TEST_POSTGRES") {
    Ok(url) => url,
    Err(_) => {
        let server = Box::leak(Box::new(
            PostgresServer::start().expect("a PostgreSQL server for the tests"),
        ));
        server.url("postgres")
    }
});

/// Runs a test to its end on a runtime of its own.
pub fn run_test(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(test);
}

/// A store on a fresh database, with what keeps it there.
pub struct TestStore {
    /// The store, without tables.
    pub store: Store,
    /// Where it is.
    pub url: String,
    /// The clock of the store and of everything on it.
    pub clock: Arc<ManualClock>,
    secrets: Secrets,
    directory: Option<TempDir>,
    cluster: Cluster,
}

impl TestStore {
    /// An embedded database in a temporary directory.
    #[must_use]
    pub fn sqlite() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let url = format!("sqlite:{}", directory.path().join("test.sqlite").display());
        Self::open(url, Some(directory))
    }

    /// A new database on the test server.
    pub async fn postgres() -> Self {
        let unique = SessionId::new(SystemClock.now());
        let name = format!("testkit_{}", unique.uuid().simple());
        // The first to come starts the server, which takes a moment: not on a thread that others need.
        let server = tokio::task::spawn_blocking(|| SERVER_URL.clone())
            .await
            .expect("the URL of the server");
        run_on(&server, &format!("CREATE DATABASE {name}")).await;
        let (host, _) = server.rsplit_once('/').expect("a URL with a database");
        Self::open(format!("{host}/{name}"), None)
    }

    /// A new database on the test server, as one in whose cluster somebody is elected; and the terms of who leads.
    ///
    /// # Panics
    /// When the store cannot be opened.
    pub async fn led() -> (Self, Arc<Terms>) {
        let mut made = Self::postgres().await;
        let url: StoreUrl = made.url.parse().expect("the URL of the test's store");
        let terms = Terms::of(url.hosts().first().expect("a server"));
        let clock = Arc::clone(&made.clock) as Arc<dyn Clock>;
        let leadership = Arc::clone(&terms) as Arc<dyn Leadership>;
        let limits = StoreLimits {
            // A slow machine is no silent primary.
            primary_read_wait: Duration::from_secs(30),
            ..limits()
        };
        made.store = Store::open_led(&url, &limits, clock, Some(leadership)).expect("the test's store");
        (made, terms)
    }

    /// An empty database that the test made itself.
    #[must_use]
    pub fn at(url: &str) -> Self {
        Self::open(url.to_owned(), None)
    }

    fn open(url: String, directory: Option<TempDir>) -> Self {
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        let store = open_store(&url, &clock);
        Self {
            store,
            url,
            clock,
            secrets: Secrets::new(MasterKey::generate()),
            directory,
            cluster: Cluster::alone(),
        }
    }

    /// The same database as a node of a cluster at `url` has it: under the machine's clock, with the same master key,
    /// and with the other nodes that were made so. For [`TestApp::join`](crate::TestApp::join).
    ///
    /// # Panics
    /// When the store cannot be opened.
    #[must_use]
    pub fn as_node(&self, site: &str, url: &str) -> Self {
        let store_url: StoreUrl = self.url.parse().expect("the URL of the test's store");
        let clock = Arc::new(SystemClock) as Arc<dyn Clock>;
        let store = Store::open(&store_url, &limits(), Arc::clone(&clock)).expect("the test's store");
        let node = NodeSettings {
            site: Some(site.to_owned()),
            url: url.to_owned(),
            version: "0.0.0".to_owned(),
        };
        let cluster = Cluster::join(node, None, store.clone(), clock, &self.secrets).expect("a node");
        Self {
            store,
            url: self.url.clone(),
            clock: Arc::clone(&self.clock),
            secrets: self.secrets.clone(),
            directory: None,
            cluster,
        }
    }

    /// Lets the server write or not, as a standby does not: for a server of the test's own, since all its databases are
    /// concerned.
    ///
    /// # Panics
    /// When the server cannot be told.
    pub async fn set_writable(&self, is_writable: bool) {
        let word = if is_writable { "off" } else { "on" };
        run_on(
            &self.url,
            &format!("ALTER SYSTEM SET default_transaction_read_only = {word}"),
        )
        .await;
        run_on(&self.url, "SELECT pg_reload_conf()").await;
        while shown(&self.url, "default_transaction_read_only").await != word {
            tokio::task::yield_now().await;
        }
        // Sessions that began before might not have heard of it yet.
        let end_others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
        run_on(&self.url, end_others).await;
    }

    /// A second store on the same database, as another node would open it.
    #[must_use]
    pub fn open_again(&self) -> Store {
        open_store(&self.url, &self.clock)
    }

    /// Whether it is the engine of several nodes.
    #[must_use]
    pub const fn is_postgres(&self) -> bool {
        self.directory.is_none()
    }

    /// What a service is given, on this store and clock.
    #[must_use]
    pub fn context(&self) -> Context {
        let clock: Arc<dyn Clock> = match self.cluster.node_id() {
            // Nodes of a cluster live by the same clock, which goes on.
            Some(_) => Arc::new(SystemClock),
            None => Arc::clone(&self.clock) as _,
        };
        Context {
            store: self.store.clone(),
            clock,
            secrets: self.secrets.clone(),
            server_name: "haechi.test".to_owned(),
            public_url: "http://haechi.test".to_owned(),
            shutdown: CancellationToken::new(),
            cluster: self.cluster.clone(),
        }
    }
}

fn limits() -> StoreLimits {
    StoreLimits {
        unavailable_wait: Duration::from_secs(5),
        connections_max: 8,
        ..StoreLimits::default()
    }
}

fn open_store(url: &str, clock: &Arc<ManualClock>) -> Store {
    let url: StoreUrl = url.parse().expect("the URL of the test's store");
    Store::open(&url, &limits(), Arc::clone(clock) as Arc<dyn Clock>).expect("the test's store")
}

/// A setting, as a new session has it.
async fn shown(url: &str, setting: &str) -> String {
    let (client, connection) = tokio_postgres::connect(url, NoTls)
        .await
        .expect("the test's PostgreSQL server answers");
    let task = tokio::spawn(connection);
    let row = client
        .query_one(&format!("SHOW {setting}"), &[])
        .await
        .expect("a setting");
    drop(client);
    task.await.expect("no panic").expect("an orderly end");
    row.get(0)
}

/// Runs a statement on a connection of its own.
async fn run_on(url: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(url, NoTls)
        .await
        .expect("the test's PostgreSQL server answers");
    let task = tokio::spawn(connection);
    client.batch_execute(sql).await.expect("a database for the test");
    drop(client);
    task.await.expect("no panic").expect("an orderly end");
}
