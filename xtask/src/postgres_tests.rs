//! Proves that a test's PostgreSQL server starts, answers, and is gone afterwards, whatever happens to us.

#![allow(clippy::unwrap_used)]

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::postgres_server::{PostgresOptions, PostgresServer, find_programs};
use crate::process;

/// What the server answers to one statement.
fn ask(url: &str, statement: &str) -> String {
    let psql = find_programs().unwrap().join("psql");
    let output = Command::new(psql)
        .args(["-XAtc", statement, url])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Waits until nobody listens on the port any more, and the directory is gone.
fn is_gone(port: u16, data: &Path) -> bool {
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        if TcpStream::connect(("127.0.0.1", port)).is_err() && !data.exists() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

#[test]
fn it_answers_and_is_gone_when_dropped() {
    let server = PostgresServer::start().unwrap();
    let url = server.url("postgres");
    assert_eq!(ask(&url, "SHOW fsync"), "off");
    assert_eq!(ask(&url, "SHOW max_connections"), "300");
    assert_eq!(
        ask(
            &url,
            "SELECT datcollate || ' ' || pg_encoding_to_char(encoding) FROM pg_database"
        ),
        "C.UTF-8 UTF8\n".repeat(3).trim()
    );
    let data = PathBuf::from(ask(&url, "SHOW data_directory"));
    let port = server.port();
    assert!(data.exists());
    drop(server);
    assert!(is_gone(port, &data));
}

#[test]
fn it_reaches_the_disk_when_asked() {
    let server = PostgresServer::start_with(PostgresOptions { fsync: true }).unwrap();
    assert_eq!(ask(&server.url("postgres"), "SHOW fsync"), "on");
}

#[test]
fn two_stand_side_by_side() {
    let one = PostgresServer::start().unwrap();
    let other = PostgresServer::start().unwrap();
    assert_ne!(one.port(), other.port());
    ask(&one.url("postgres"), "CREATE DATABASE here");
    assert_eq!(
        ask(
            &other.url("postgres"),
            "SELECT count(*) FROM pg_database WHERE datname = 'here'"
        ),
        "0"
    );
}

/// A test binary that is killed runs no destructor: this very test binary is run again to be killed.
#[test]
fn it_is_gone_when_we_are_killed() {
    const CHILD: &str = "HAECHI_XTASK_KILLED_CHILD";
    if let Ok(told) = std::env::var(CHILD) {
        let server = PostgresServer::start().unwrap();
        let data = ask(&server.url("postgres"), "SHOW data_directory");
        std::fs::write(told, format!("{} {data}\n", server.port())).unwrap();
        std::thread::sleep(Duration::from_secs(60));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("told");
    let mut child = process::command(std::env::current_exe().unwrap(), folder.path())
        .args(["--exact", "postgres_tests::it_is_gone_when_we_are_killed"])
        .env(CHILD, &told)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    let line = loop {
        let line = std::fs::read_to_string(&told).unwrap_or_default();
        if line.ends_with('\n') || Instant::now() > deadline {
            break line;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    child.kill().unwrap();
    child.wait().unwrap();
    let (port, data) = line.trim().split_once(' ').unwrap();
    assert!(is_gone(port.parse().unwrap(), &PathBuf::from(data)));
}
