//! The program under test, the tools of the journeys, and a fresh store on each engine.

use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, ensure};
use haechi_testkit::postgres_server::PostgresServer;
use tempfile::TempDir;
use tokio_postgres::NoTls;

/// The server of this run, or one of our own. It syncs to the disk only when its own says so: these journeys
/// kill the program, not the database.
static OWN_SERVER: LazyLock<PostgresServer> = LazyLock::new(|| PostgresServer::start().unwrap());

/// Held by a journey that has four data centres on this machine: they have fixed addresses, and load it well.
pub(crate) static FOUR_SITES: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// The folder of this crate.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A folder of scripts whose npm packages are installed.
pub(crate) fn npm_folder(name: &str) -> Result<PathBuf> {
    let folder = folder().join(name);
    ensure!(
        folder.join("node_modules").is_dir(),
        "run `npm ci` in {}",
        folder.display()
    );
    Ok(folder)
}

/// The built program: `HAECHI_BINARY`, or where cargo puts it.
pub(crate) fn binary() -> PathBuf {
    let path = tool("HAECHI_BINARY", "../target/debug/haechi");
    assert!(
        path.is_file(),
        "{} is not there: run `cargo build -p haechi` first",
        path.display()
    );
    path
}

/// A tool named by an environment variable, or where it usually is.
pub(crate) fn tool(variable: &str, usual: &str) -> PathBuf {
    std::env::var_os(variable).map_or_else(
        || {
            if usual.contains('/') {
                folder().join(usual)
            } else {
                PathBuf::from(usual)
            }
        },
        PathBuf::from,
    )
}

/// A store that nobody has used yet.
pub(crate) struct FreshStore {
    pub(crate) url: String,
    _directory: Option<TempDir>,
}

impl FreshStore {
    pub(crate) fn sqlite() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("haechi.sqlite");
        let url = format!("sqlite:{}", path.to_str().context("the path is no UTF-8")?);
        Ok(Self {
            url,
            _directory: Some(directory),
        })
    }

    pub(crate) async fn postgres() -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let admin = std::env::var("HAECHI_TEST_POSTGRES").unwrap_or_else(|_| OWN_SERVER.url("postgres"));
        let name = format!(
            "journey_{}_{}",
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        );
        let (client, connection) = tokio_postgres::connect(&admin, NoTls).await?;
        let task = tokio::spawn(connection);
        client.batch_execute(&format!("CREATE DATABASE {name}")).await?;
        drop(client);
        task.await??;
        let (server, _) = admin
            .rsplit_once('/')
            .context("the server's URL names no database")?;
        Ok(Self {
            url: format!("{server}/{name}"),
            _directory: None,
        })
    }
}

/// Runs a journey on each engine.
pub(crate) async fn on_both_engines(journey: impl AsyncFn(&FreshStore) -> Result<()>) -> Result<()> {
    // A cluster's nodes share one key; the program refuses to serve from PostgreSQL without it.
    ensure!(
        std::env::var_os("HAECHI_MASTER_KEY").is_none(),
        "HAECHI_MASTER_KEY must not be set for the tests"
    );
    journey(&FreshStore::sqlite()?).await.context("on SQLite")?;
    journey(&FreshStore::postgres().await?)
        .await
        .context("on PostgreSQL")
}

/// Runs a program to its end and fails with what it said if it does not succeed.
pub(crate) async fn succeed(command: &mut tokio::process::Command) -> Result<String> {
    let output = command
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("{:?} cannot be started", command.as_std().get_program()))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.success(),
        "{:?} ended with {}:\n{said}\n{}",
        command.as_std().get_program(),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(said)
}
