//! `cargo xtask up`: from a fresh clone to the app in a browser, with two people to be.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::tools::{self, Tool};
use crate::{process, web};

/// What the program prints, once, when it listens.
const LISTENS: &str = "haechi listens on ";

/// How long it may take until it is ready.
const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// How long it may take to end its last requests.
const END_TIMEOUT: Duration = Duration::from_secs(30);

/// How long between two looks at the program.
const PAUSE: Duration = Duration::from_millis(50);

/// Where to listen.
#[derive(clap::Args)]
pub struct Arguments {
    /// Address to listen on (0.0.0.0:8480 lets a phone in the same network in)
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8480")]
    listen: SocketAddr,
}

/// Builds everything, starts the program on the embedded store with demo data, and stays until Ctrl-C.
///
/// # Errors
/// A tool is missing, a step fails, or the address is taken; the error says which and why.
pub fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    refuse_busy(arguments.listen)?;
    let folder = root.join("work/up");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;

    step("protocol buffers", || need(root, Tool::ProtocolBuffers))?;
    step("web packages", || web::install(&root.join("web")))?;
    step("web app", || web::build(root))?;
    step("program (the first time takes minutes)", || build(root))?;
    let program = target_folder(root).join("debug/haechi");
    step("demo data", || {
        let mut admin = process::command(&program, root);
        admin.args(["admin", "demo"]).arg("--store").arg(store(&folder));
        process::run_quietly(&mut admin).map(|()| true)
    })?;

    let ended = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&ended)).context("cannot listen for Ctrl-C")?;
    }
    let mut server = Server::start(&program, root, &folder, arguments.listen)?;
    let address = match timed("start", || server.wait_until_ready(&ended)) {
        Ok(Some(address)) => address,
        Ok(None) => {
            // Ended while it started: nothing was promised to anybody, however it ends.
            let _ = server.end();
            return Ok(());
        }
        Err(error) => {
            // It may still run, without being ready.
            let _ = server.end();
            return Err(error);
        }
    };
    welcome(&address, &folder);
    while !ended.load(Ordering::Relaxed) {
        server.refuse_end()?;
        std::thread::sleep(PAUSE);
    }
    println!("\nending: open requests are answered first");
    server.end()
}

fn need(root: &Path, tool: Tool) -> Result<bool> {
    match tools::install(root, &[tool]).pop() {
        Some((_, error)) => Err(error.context(format!("{} is needed", tool.name()))),
        None => Ok(true),
    }
}

fn build(root: &Path) -> Result<bool> {
    process::run_quietly(process::cargo(root).args(["build", "--package", "haechi"])).map(|()| true)
}

fn welcome(address: &str, folder: &Path) {
    println!();
    println!("  Open     {address}");
    println!("  Sign in  as Minji with the phone number 010-1000-0001,");
    println!("           or as Joon with 010-1000-0002. The sign-in page shows the code.");
    println!("  Log      {}", folder.join("haechi.log").display());
    println!(
        "  Data     {} (remove the folder to begin anew)",
        folder.display()
    );
    println!("  End      Ctrl-C");
    println!();
}

/// Runs one step and shows it as one line with its time. A step answers whether there was anything to do.
fn step(name: &str, work: impl FnOnce() -> Result<bool>) -> Result<()> {
    timed(name, work).map(drop)
}

fn timed<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    print!("{name:<40}");
    let _ = std::io::stdout().flush();
    let started = Instant::now();
    let result = work();
    let verdict = if result.is_ok() { "" } else { "  FAILED" };
    println!("{:>7.1} s{verdict}", started.elapsed().as_secs_f64());
    result
}

/// An address that another program has is told before minutes of building.
fn refuse_busy(address: SocketAddr) -> Result<()> {
    match TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            bail!(
                "{address} is busy: another program listens there. End it, or choose another by --listen 127.0.0.1:PORT"
            )
        }
        Err(error) => bail!("cannot listen on {address}: {error}"),
    }
}

fn store(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("haechi.sqlite").display())
}

fn target_folder(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |target| root.join(target))
}

/// The running program.
struct Server {
    child: Child,
    log: PathBuf,
    /// The address, as soon as the program says it.
    listens: Receiver<String>,
}

impl Server {
    fn start(program: &Path, root: &Path, folder: &Path, listen: SocketAddr) -> Result<Self> {
        let log = folder.join("haechi.log");
        let file = File::create(&log).context("cannot write the log")?;
        // setpriv: should we be killed, the kernel ends the program too.
        let mut command = process::command("setpriv", root);
        command
            .arg("--pdeathsig=TERM")
            .arg(program)
            .args(["serve", "--store"])
            .arg(store(folder));
        command.arg("--listen").arg(listen.to_string());
        command.stdout(Stdio::piped()).stderr(file.try_clone()?);
        // A Ctrl-C in the terminal is for us; the program is told by SIGTERM, once.
        command.process_group(0);
        let mut child = command.spawn().context("cannot start the program")?;
        let output = child.stdout.take().context("the program has no output")?;
        let (says, listens) = channel();
        std::thread::spawn(move || follow(output, file, &says));
        Ok(Self { child, log, listens })
    }

    /// Waits until the program answers that it is ready; its address, or `None` when it is to end instead.
    fn wait_until_ready(&mut self, ended: &AtomicBool) -> Result<Option<String>> {
        let deadline = Instant::now() + READY_TIMEOUT;
        let mut address: Option<String> = None;
        loop {
            address = address.or_else(|| self.listens.try_recv().ok());
            if let Some(address) = address.as_ref().filter(|address| is_ready(address)) {
                return Ok(Some(address.clone()));
            }
            if ended.load(Ordering::Relaxed) {
                return Ok(None);
            }
            self.refuse_end()?;
            if Instant::now() > deadline {
                let seconds = READY_TIMEOUT.as_secs();
                bail!(
                    "the program is not ready after {seconds} s. Its last words:\n{}",
                    self.last_words()
                );
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Nobody asked the program to end: when it did, its last words say why.
    fn refuse_end(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!(
                "the program ended by itself ({status}). Its last words:\n{}",
                self.last_words()
            ),
        }
    }

    /// Ends the program: it answers its open requests first. One that does not end is killed, which is an error.
    fn end(mut self) -> Result<()> {
        process::terminate(self.child.id());
        let deadline = Instant::now() + END_TIMEOUT;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return refuse_failure(status, &self.last_words());
            }
            std::thread::sleep(PAUSE);
        }
        self.child.kill()?;
        self.child.wait()?;
        bail!(
            "the program did not end within {} s and was killed",
            END_TIMEOUT.as_secs()
        )
    }

    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

/// Keeps what the program prints in its log, and says where it listens.
fn follow(output: ChildStdout, mut log: File, says: &Sender<String>) {
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        if let Some(address) = line.strip_prefix(LISTENS) {
            // Nobody waits for it when the program was to end first.
            let _ = says.send(address.trim().to_owned());
        }
        let _ = writeln!(log, "{line}");
    }
}

fn refuse_failure(status: ExitStatus, last_words: &str) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    bail!("the program ended badly ({status}). Its last words:\n{last_words}")
}

/// Asks `/health/ready`, by hand: one line of HTTP is no reason for a client library.
fn is_ready(address: &str) -> bool {
    let host = address.trim_start_matches("http://").trim_end_matches('/');
    let Ok(mut stream) = TcpStream::connect(host.replace("0.0.0.0", "127.0.0.1")) else {
        return false;
    };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let request = format!("GET /health/ready HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let mut answer = String::new();
    stream.write_all(request.as_bytes()).is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.split_whitespace().nth(1) == Some("200")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;
    use std::sync::atomic::AtomicBool;

    use super::{Server, is_ready, refuse_busy};

    /// Answers each request with `status`, in the background; the address.
    fn answer(status: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = [0; 256];
                let _ = stream.read(&mut request).unwrap();
                let _ = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
            }
        });
        address
    }

    /// Starts a shell script in the program's place.
    fn start(folder: &Path, script: &str) -> Server {
        let program = folder.join("haechi");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        Server::start(&program, folder, folder, "127.0.0.1:0".parse().unwrap()).unwrap()
    }

    #[test]
    fn a_program_that_is_ready_is_ended_gracefully() {
        let folder = tempfile::tempdir().unwrap();
        let address = answer("200 OK");
        let script = format!(
            "trap 'echo ended >>ended; exit 0' TERM\necho 'haechi listens on {address}'\nwhile :; do sleep 0.02; done"
        );
        let mut server = start(folder.path(), &script);
        assert_eq!(
            server.wait_until_ready(&AtomicBool::new(false)).unwrap(),
            Some(address)
        );
        server.end().unwrap();
        assert_eq!(
            std::fs::read_to_string(folder.path().join("ended")).unwrap(),
            "ended\n",
            "once, by SIGTERM"
        );
    }

    #[test]
    fn a_program_that_does_not_start_leaves_its_last_words() {
        let folder = tempfile::tempdir().unwrap();
        let mut server = start(folder.path(), "echo 'store: no such folder' >&2; exit 3");
        let error = server
            .wait_until_ready(&AtomicBool::new(false))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("exit status: 3") && error.contains("store: no such folder"),
            "{error}"
        );
    }

    #[test]
    fn one_that_hangs_can_be_ended_while_it_starts() {
        let folder = tempfile::tempdir().unwrap();
        let mut server = start(folder.path(), "trap 'exit 0' TERM\nwhile :; do sleep 0.02; done");
        assert_eq!(server.wait_until_ready(&AtomicBool::new(true)).unwrap(), None);
        // It may not have come to its trap yet.
        let _ = server.end();
    }

    #[test]
    fn a_busy_address_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert!(refuse_busy(address).unwrap_err().to_string().contains("is busy"));
        drop(listener);
        assert!(refuse_busy(address).is_ok());
    }

    #[test]
    fn ready_is_what_answers_200() {
        assert!(is_ready(&answer("200 OK")));
        assert!(!is_ready(&answer("503 Service Unavailable")));
        assert!(!is_ready("http://127.0.0.1:1"));
    }
}
