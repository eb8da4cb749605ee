//! A server in a process of its own, ended by its process id.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::LazyLock;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use haechi_base::MasterKey;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// How long a server may take until it listens.
const START_WAIT: Duration = Duration::from_secs(60);

/// What a server prints once it listens, before its address.
const LISTENS: &str = "haechi listens on http://";

/// The program's command, with what every call of it in one run needs: the same master key, since PostgreSQL is
/// refused without one, and quiet logs. What the caller's own environment says comes first.
#[must_use]
pub fn command(program: &Path) -> Command {
    static MASTER_KEY: LazyLock<MasterKey> = LazyLock::new(MasterKey::generate);
    let mut command = Command::new(program);
    if std::env::var_os("HAECHI_MASTER_KEY").is_none() {
        command.env("HAECHI_MASTER_KEY", MASTER_KEY.to_base64().as_str());
    }
    if std::env::var_os("HAECHI_LOG").is_none() {
        command.env("HAECHI_LOG", "warn");
    }
    command.stdin(Stdio::null());
    command
}

/// A running server. It is killed when this is dropped.
pub struct Server {
    process: Child,
    address: SocketAddr,
    /// Kept open, so that the server can go on printing.
    _output: Lines<BufReader<ChildStdout>>,
}

impl Server {
    /// Starts `haechi serve` on a free port of this machine, without limits on how fast one may ask: all the
    /// clients come from one address here.
    ///
    /// # Errors
    /// The program does not start; what it said is on standard error.
    pub async fn start(program: &Path, store: &str) -> Result<Self> {
        Self::start_on(program, store, "127.0.0.1:0").await
    }

    /// As [`Server::start`], on an address of one's own choice.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn start_on(program: &Path, store: &str, listen: &str) -> Result<Self> {
        Self::start_with(program, store, listen, &[]).await
    }

    /// As [`Server::start_on`], with further flags of `haechi serve`.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn start_with(program: &Path, store: &str, listen: &str, flags: &[&str]) -> Result<Self> {
        let mut process = command(program)
            .args([
                "serve",
                "--store",
                store,
                "--listen",
                listen,
                "--no-rate-limits",
                "--migrate",
            ])
            .args(flags)
            .env(
                "HAECHI_LOG",
                std::env::var("HAECHI_LOG").unwrap_or_else(|_| "warn".to_owned()),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let output = process
            .stdout
            .take()
            .context("the server has no standard output")?;
        let mut output = BufReader::new(output).lines();
        let address = tokio::time::timeout(START_WAIT, read_address(&mut output))
            .await
            .context("the server did not listen in time")??;
        Ok(Self {
            process,
            address,
            _output: output,
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The id of its process, until it has ended.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Ends it without warning (SIGKILL), as a fire would.
    ///
    /// # Errors
    /// The process cannot be ended.
    pub async fn kill(&mut self) -> Result<()> {
        Ok(self.process.kill().await?)
    }

    /// Asks it to end (SIGTERM) and waits until it did.
    ///
    /// # Errors
    /// It ended with an error.
    pub async fn stop(mut self) -> Result<()> {
        let Some(process_id) = self.process.id() else {
            bail!("the server had ended by itself")
        };
        let told = Command::new("kill")
            .args(["-TERM", &process_id.to_string()])
            .status()
            .await?;
        if !told.success() {
            bail!("the server could not be told to end");
        }
        let status = self.process.wait().await?;
        if !status.success() {
            bail!("the server ended with {status}");
        }
        Ok(())
    }
}

async fn read_address(output: &mut Lines<BufReader<ChildStdout>>) -> Result<SocketAddr> {
    while let Some(line) = output.next_line().await? {
        if let Some(address) = line.strip_prefix(LISTENS) {
            return Ok(address.trim().trim_end_matches('/').parse()?);
        }
    }
    bail!("the server ended before it listened")
}
