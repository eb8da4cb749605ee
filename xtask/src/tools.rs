//! What the tests need beside Rust and Node: found, or installed, or an error that names it. Never skipped.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::{postgres_server, process, site_programs, web};

/// The Matrix client that the journeys drive.
const NIO: &str = "matrix-nio";
const NIO_VERSION: &str = "0.26.0";

/// Where the Python environment of the tests is made, below the workspace's root.
const PYTHON_FOLDER: &str = "work/python";

/// Something the tests need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// The compiler of protocol buffers with the standard ones, by which the etcd client is built.
    ProtocolBuffers,
    /// What the sites of a drill run: PostgreSQL, etcd and Patroni.
    Sites,
    /// PostgreSQL's server.
    Postgres,
    /// What backs PostgreSQL up.
    PgBackRest,
    /// A browser that a test can drive.
    Chromium,
    /// A font for Hangul, so that screenshots show words and not boxes.
    Fonts,
    /// matrix-nio with its encryption, in a Python environment of its own.
    MatrixNio,
    /// The npm packages of web/.
    WebPackages,
    /// The npm packages of tests/browser/.
    BrowserPackages,
    /// The npm packages of tests/matrix/: matrix-js-sdk.
    MatrixPackages,
}

impl Tool {
    /// Its name in an error.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ProtocolBuffers => "the compiler of protocol buffers",
            Self::Sites => "what the drill's sites run",
            Self::Postgres => "PostgreSQL's server",
            Self::PgBackRest => "pgBackRest",
            Self::Chromium => "Chromium",
            Self::Fonts => "a font with Hangul",
            Self::MatrixNio => "matrix-nio",
            Self::WebPackages => "the packages of web/",
            Self::BrowserPackages => "the packages of tests/browser/",
            Self::MatrixPackages => "the packages of tests/matrix/",
        }
    }

    /// The Debian packages that bring it, when it is not there.
    fn missing_packages(self) -> &'static [&'static str] {
        let (there, packages): (bool, &[&str]) = match self {
            Self::ProtocolBuffers => (has_protocol_buffers(), &["protobuf-compiler", "libprotobuf-dev"]),
            Self::Postgres => (postgres_server::find_programs().is_some(), &["postgresql"]),
            Self::PgBackRest => (process::find_program("pgbackrest").is_some(), &["pgbackrest"]),
            Self::Chromium => (find_chromium().is_some(), &["chromium"]),
            Self::Fonts => (has_hangul_font(), &["fonts-noto-cjk"]),
            Self::MatrixNio => (find_python().is_some(), &["python3", "python3-venv"]),
            // The drill knows best what it needs, and installs it itself.
            Self::Sites | Self::WebPackages | Self::BrowserPackages | Self::MatrixPackages => (true, &[]),
        };
        if there { &[] } else { packages }
    }
}

/// Installs what is missing of `wanted`. Answers what could not be had, and why.
pub fn install(root: &Path, wanted: &[Tool]) -> Vec<(Tool, anyhow::Error)> {
    let missing: Vec<Tool> = wanted
        .iter()
        .copied()
        .filter(|tool| !tool.missing_packages().is_empty())
        .collect();
    let packages: Vec<&str> = missing
        .iter()
        .flat_map(|tool| tool.missing_packages())
        .copied()
        .collect();
    if !packages.is_empty()
        && let Err(error) = install_debian_packages(&packages)
    {
        println!("{error:#}");
    }
    let mut failures = Vec::new();
    for tool in wanted {
        if let Err(error) = make_ready(root, *tool) {
            failures.push((*tool, error));
        }
    }
    failures
}

/// After the Debian packages: the rest, and the proof that the tool is there.
fn make_ready(root: &Path, tool: Tool) -> Result<()> {
    let packages = tool.missing_packages();
    if !packages.is_empty() {
        bail!("it is missing; install it by `{}`", apt_command(packages));
    }
    match tool {
        Tool::Sites => site_programs::programs().map(drop),
        Tool::MatrixNio => install_nio(root),
        Tool::WebPackages => web::install(&root.join("web")).map(drop),
        Tool::BrowserPackages => web::install(&root.join("tests/browser")).map(drop),
        Tool::MatrixPackages => web::install(&root.join("tests/matrix")).map(drop),
        Tool::ProtocolBuffers | Tool::Postgres | Tool::PgBackRest | Tool::Chromium | Tool::Fonts => Ok(()),
    }
}

/// The browser, if it is installed.
#[must_use]
pub fn find_chromium() -> Option<PathBuf> {
    ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find_map(process::find_program)
}

/// The Python that can import nio.
#[must_use]
pub fn nio_python(root: &Path) -> PathBuf {
    root.join(PYTHON_FOLDER).join("bin/python")
}

/// The compiler alone is not enough: Debian keeps the standard protocol buffers in a package of their own.
fn has_protocol_buffers() -> bool {
    let Some(compiler) = std::env::var_os("PROTOC")
        .map(PathBuf::from)
        .or_else(|| process::find_program("protoc"))
    else {
        return false;
    };
    let beside = compiler
        .parent()
        .map(|folder| folder.join("../include/google/protobuf/struct.proto"));
    std::env::var_os("PROTOC_INCLUDE").is_some() || beside.is_some_and(|standard| standard.is_file())
}

fn has_hangul_font() -> bool {
    let listed = Command::new("fc-list").arg(":lang=ko").output();
    listed.is_ok_and(|output| !output.stdout.is_empty())
}

/// A Python that can make an environment. (A bare Debian has one without that part.)
fn find_python() -> Option<PathBuf> {
    let candidates = process::find_program("python3")
        .into_iter()
        .chain([PathBuf::from("/usr/bin/python3")]);
    candidates.into_iter().find(|python| {
        process::succeeds(process::command(python, Path::new("/")).args(["-c", "import ensurepip, venv"]))
    })
}

fn install_nio(root: &Path) -> Result<()> {
    let python = nio_python(root);
    let proof = format!(
        "import importlib.metadata as m, nio.crypto; \
         assert nio.crypto.ENCRYPTION_ENABLED and m.version('{NIO}') == '{NIO_VERSION}'"
    );
    if process::succeeds(process::command(&python, root).args(["-c", &proof])) {
        return Ok(());
    }
    let maker = find_python().context("python3 with venv is missing")?;
    let mut make = process::command(maker, root);
    process::run_quietly(make.args(["-m", "venv", "--clear", PYTHON_FOLDER]))?;
    let mut install = process::command(&python, root);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    process::run_quietly(install.arg(format!("{NIO}[e2e]=={NIO_VERSION}")))?;
    process::run_quietly(process::command(&python, root).args(["-c", &proof]))
}

fn install_debian_packages(packages: &[&str]) -> Result<()> {
    let command = apt_command(packages);
    if process::find_program("apt-get").is_none() {
        bail!(
            "missing: {}. This is no Debian: install them by your system's own means",
            packages.join(", ")
        );
    }
    if !postgres_server::is_root() {
        bail!("missing: {}. Install them by `{command}`", packages.join(", "));
    }
    println!("installing {} (apt-get)", packages.join(", "));
    let apt = |words: &[&str]| {
        let mut apt = process::command("apt-get", Path::new("/"));
        apt.args(words).env("DEBIAN_FRONTEND", "noninteractive");
        apt
    };
    process::run_quietly(&mut apt(&["update"]))?;
    process::run_quietly(apt(&["install", "--yes", "--no-install-recommends"]).args(packages))
}

fn apt_command(packages: &[&str]) -> String {
    let sudo = if postgres_server::is_root() { "" } else { "sudo " };
    let packages = packages.join(" ");
    format!("{sudo}apt-get update && {sudo}apt-get install --yes --no-install-recommends {packages}")
}
