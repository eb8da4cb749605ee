//! A PostgreSQL server of one's own for a test run: made in a temporary directory, ended with it.
//!
//! Only std, `anyhow` and `tempfile`, and nothing else of ours: `xtask` compiles this very file a second time
//! (by `#[path]`), so that `cargo xtask` need not compile the whole platform first.
//!
//! The server must never outlive us, whatever happens. It therefore runs under a small shell which ends it and
//! removes its directory on SIGTERM, and the kernel sends that shell SIGTERM when the thread that started it
//! dies (`setpriv --pdeathsig`): a panic, a Ctrl-C and a `kill -9` leave nothing behind, even when the server
//! lies in a static that is never dropped.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};

/// How long a server may take until it answers.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// How often the start is tried again: between choosing a free port and listening on it, another may take it.
const START_TRIES: u32 = 3;

/// Starts the server `"$@"`, and on SIGTERM ends it by a fast shutdown. Then its directory goes.
const KEEPER: &str = r#"
directory=$1; shift
server= ending=
trap 'ending=1; [ -n "$server" ] && kill -INT "$server"' TERM
"$@" & server=$!
[ -n "$ending" ] && kill -INT "$server"
wait "$server"; status=$?
while kill -0 "$server" 2>/dev/null; do wait "$server"; status=$?; done
rm -rf "$directory"
exit "$status"
"#;

/// What a test asks of its server.
#[derive(Clone, Copy, Debug, Default)]
pub struct PostgresOptions {
    /// Whether commits reach the disk before they are acknowledged. Off by default: most tests end before the
    /// machine does. A test or a bench that judges durability or speed turns it on.
    pub fsync: bool,
}

/// A running server on a free port of 127.0.0.1, with the superuser `postgres` and no password. Dropping it ends it.
#[derive(Debug)]
pub struct PostgresServer {
    port: u16,
    process_id: u32,
    // Dropped first: that is the word to the keeper's thread to end the server.
    stop: Option<Sender<()>>,
    keeper: Option<JoinHandle<()>>,
}

impl PostgresServer {
    /// Starts a server without fsync.
    ///
    /// # Errors
    /// PostgreSQL is not installed, or it does not start; the message says what is missing or what it printed.
    pub fn start() -> Result<Self> {
        Self::start_with(PostgresOptions::default())
    }

    /// Starts a server.
    ///
    /// # Errors
    /// As [`PostgresServer::start`].
    pub fn start_with(options: PostgresOptions) -> Result<Self> {
        let programs = find_programs().context(
            "PostgreSQL's server is missing (no /usr/lib/postgresql/*/bin/postgres): apt-get install postgresql",
        )?;
        let mut last = anyhow!("PostgreSQL was not started");
        for _ in 0..START_TRIES {
            match start_once(&programs, options) {
                Ok(server) => return Ok(server),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The URL of a database on this server; `postgres` is there from the start, others are for the caller to make.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process that keeps the server; ending it by SIGTERM ends the server.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.process_id
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(keeper) = self.keeper.take() {
            // A keeper's thread that panicked has nothing left to end.
            let _ = keeper.join();
        }
    }
}

/// The newest installed server's programs (`initdb`, `postgres`, `pg_isready`), if there is one.
///
/// Debian keeps them out of the path, at `/usr/lib/postgresql/VERSION/bin`; elsewhere the path is searched.
#[must_use]
pub fn find_programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let debian = versions
        .filter_map(|entry| {
            let version: u32 = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, programs)| programs.join("postgres").is_file())
        .max();
    let path = std::env::var_os("PATH").unwrap_or_default();
    debian
        .map(|(_, programs)| programs)
        .or_else(|| std::env::split_paths(&path).find(|directory| directory.join("postgres").is_file()))
}

fn start_once(programs: &Path, options: PostgresOptions) -> Result<PostgresServer> {
    let directory = make_database(programs)?;
    let port = free_port()?;
    let log = tempfile::tempfile().context("a file for PostgreSQL's log")?;
    let mut command = server_command(programs, &directory, port, options);
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log.try_clone()?);
    command.process_group(0); // A Ctrl-C in the terminal is for us; we end the server ourselves.

    let (stop, stopped) = channel();
    let (started, answer) = channel();
    // The kernel watches the thread that starts the child, so that thread must live as long as the server.
    let keeper = std::thread::Builder::new()
        .name("postgres-keeper".to_owned())
        .spawn(move || {
            let mut child = match command.spawn() {
                Ok(child) => child,
                Err(error) => {
                    let _ = started.send(Err(error));
                    return;
                }
            };
            let _ = started.send(Ok(child.id()));
            keep(&mut child, &stopped);
            let _ = std::fs::remove_dir_all(&directory);
        })?;
    let process_id = answer
        .recv()
        .context("the keeper's thread ended")?
        .context("cannot run setpriv or sh")?;
    let server = PostgresServer {
        port,
        process_id,
        stop: Some(stop),
        keeper: Some(keeper),
    };
    wait_until_ready(programs, &server, log)?;
    Ok(server)
}

/// Waits until the server is to stop or ended by itself, and sees it end.
fn keep(child: &mut Child, stopped: &Receiver<()>) {
    while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(Duration::from_millis(100)) {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
    }
    terminate(child.id());
    let _ = child.wait();
}

/// Sends SIGTERM by process id. The shell's own `kill` is there on the barest machine.
fn terminate(process_id: u32) {
    let _ = Command::new("sh")
        .args(["-c", "kill -TERM \"$0\"", &process_id.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

/// Makes an empty database cluster in a new temporary directory that belongs to the user it will run as.
fn make_database(programs: &Path) -> Result<PathBuf> {
    let directory = tempfile::Builder::new().prefix("haechi-postgres-").tempdir()?;
    if is_root() {
        let user = user_number("postgres")?;
        chown(directory.path(), Some(user), None).context("giving the directory to the user postgres")?;
    }
    let data = directory.path().join("data");
    let output = as_postgres(false)
        .arg(programs.join("initdb"))
        .arg("--pgdata")
        .arg(&data)
        .args([
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ])
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .context("cannot run setpriv")?;
    if !output.status.success() {
        bail!(
            "initdb failed ({}): {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(directory.keep())
}

fn server_command(programs: &Path, directory: &Path, port: u16, options: PostgresOptions) -> Command {
    let mut command = as_postgres(true);
    command.args(["sh", "-c", KEEPER, "sh"]).arg(directory);
    command
        .arg(programs.join("postgres"))
        .arg("-D")
        .arg(directory.join("data"));
    let mut settings = vec![
        "listen_addresses=127.0.0.1".to_owned(),
        format!("port={port}"),
        "unix_socket_directories=".to_owned(),
        "max_connections=300".to_owned(),
        "shared_buffers=64MB".to_owned(),
    ];
    if !options.fsync {
        settings.extend(["fsync=off", "synchronous_commit=off", "full_page_writes=off"].map(str::to_owned));
    }
    for setting in settings {
        command.arg("-c").arg(setting);
    }
    command.current_dir("/");
    command
}

/// PostgreSQL refuses to run as root: then as its own user. `tied` has the kernel end it when we die.
fn as_postgres(tied: bool) -> Command {
    let mut command = Command::new("setpriv");
    if is_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
    }
    if tied {
        command.arg("--pdeathsig=TERM");
    }
    command
}

fn wait_until_ready(programs: &Path, server: &PostgresServer, mut log: File) -> Result<()> {
    let deadline = Instant::now() + START_TIMEOUT;
    let keeper = server.keeper.as_ref();
    while Instant::now() < deadline && keeper.is_some_and(|keeper| !keeper.is_finished()) {
        let ready = Command::new(programs.join("pg_isready"))
            .args(["--quiet", "--host=127.0.0.1", "--username=postgres", "--port"])
            .arg(server.port.to_string())
            .stdin(Stdio::null())
            .status()
            .context("cannot run pg_isready")?;
        if ready.success() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut printed = String::new();
    log.seek(SeekFrom::Start(0))?;
    log.read_to_string(&mut printed)?;
    bail!("PostgreSQL did not start. It printed:\n{printed}")
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}

/// Whether we run as root.
#[must_use]
pub fn is_root() -> bool {
    // The directory of a process in /proc belongs to its effective user.
    std::fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

fn user_number(name: &str) -> Result<u32> {
    let output = Command::new("id")
        .args(["-u", name])
        .stdin(Stdio::null())
        .output()
        .context("cannot run id")?;
    let number = String::from_utf8_lossy(&output.stdout).trim().parse();
    number.with_context(|| format!("there is no user {name}, which the Debian package postgresql makes"))
}
