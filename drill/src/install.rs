//! What a site runs beside Haechi: PostgreSQL, etcd and Patroni. Found, or installed by root, or named in an error.
//!
//! Only std, `anyhow` and `tempfile`, and nothing else of ours: `xtask` compiles this very file a second time
//! (by `#[path]`), so that `cargo xtask test` installs what the drill needs before anything is built.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// The version of Patroni that the drill was measured with; older ones have no quorum commit.
pub(crate) const PATRONI_VERSION: &str = "4.1.5";

/// Where root keeps Patroni: the user postgres must be able to read it.
const SHARED_CACHE: &str = "/var/cache/haechi";

/// Debian's Python. One below a person's home folder is out of the reach of the user postgres.
const PYTHON: &str = "/usr/bin/python3";

/// The programs of a site.
#[derive(Debug, Clone)]
pub struct Programs {
    /// The folder of PostgreSQL's programs.
    pub postgres: PathBuf,
    /// etcd's server.
    pub etcd: PathBuf,
    /// The folder of Patroni's Python packages.
    pub patroni: PathBuf,
    /// The Python that runs Patroni.
    pub python: PathBuf,
}

/// Finds the programs; what is missing is installed when we are root.
///
/// # Errors
/// Something is missing and cannot be installed. The message has the commands that install it.
pub fn programs() -> Result<Programs> {
    if let Some(programs) = find() {
        return Ok(programs);
    }
    let packages = missing_packages();
    if !is_root() {
        let mut commands = Vec::new();
        if !packages.is_empty() {
            commands.push(format!(
                "sudo apt-get update && sudo apt-get install --yes --no-install-recommends {}",
                packages.join(" ")
            ));
        }
        if find_patroni().is_none() {
            commands.push(pip_command(&cache_folder()?.join(patroni_name())).join(" "));
        }
        bail!(
            "the drill needs programs that are not here. Install them by\n  {}",
            commands.join("\n  ")
        );
    }
    if !packages.is_empty() {
        install_packages(&packages)?;
    }
    if find_patroni().is_none() {
        install_patroni(&cache_folder()?)?;
    }
    find().context("everything was installed, and yet a program is missing: is this Debian 12 or newer?")
}

/// Whether we may do everything on this machine.
#[must_use]
pub fn is_root() -> bool {
    // The directory of a process in /proc belongs to its effective user.
    std::fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

fn find() -> Option<Programs> {
    if !missing_packages().is_empty() {
        return None;
    }
    Some(Programs {
        postgres: find_postgres()?,
        etcd: find_program("etcd")?,
        patroni: find_patroni()?,
        python: PathBuf::from(PYTHON),
    })
}

/// The Debian packages of what is not there.
fn missing_packages() -> Vec<&'static str> {
    let patroni = find_patroni().is_some();
    let wanted = [
        (find_postgres().is_some(), "postgresql"),
        (find_program("etcd").is_some(), "etcd-server"),
        (find_program("ip").is_some(), "iproute2"),
        (Path::new(PYTHON).is_file(), "python3"),
        // Only what installs Patroni; who has Patroni needs it no more.
        (patroni || has_pip(), "python3-pip"),
    ];
    let missing = wanted.into_iter().filter(|(there, _)| !there);
    missing.map(|(_, package)| package).collect()
}

/// The newest server's programs, at the place where Debian keeps them.
fn find_postgres() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let servers = versions.filter_map(|entry| {
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        Some((version, entry.path().join("bin")))
    });
    let whole = servers.filter(|(_, folder)| {
        ["postgres", "psql", "pg_rewind"]
            .iter()
            .all(|program| folder.join(program).is_file())
    });
    whole.max().map(|(_, folder)| folder)
}

fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // `ip` lies where only root's path leads.
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin", "/usr/bin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

fn patroni_name() -> String {
    format!("patroni-{PATRONI_VERSION}")
}

fn find_patroni() -> Option<PathBuf> {
    [Some(PathBuf::from(SHARED_CACHE)), cache_folder().ok()]
        .into_iter()
        .flatten()
        .map(|folder| folder.join(patroni_name()))
        .find(|folder| folder.join("patroni/version.py").is_file())
}

fn cache_folder() -> Result<PathBuf> {
    if is_root() {
        return Ok(PathBuf::from(SHARED_CACHE));
    }
    let home = std::env::var_os("HOME").context("HOME is not set, so there is no place for Patroni")?;
    Ok(Path::new(&home).join(".cache/haechi"))
}

fn has_pip() -> bool {
    Command::new(PYTHON)
        .args(["-m", "pip", "--version"])
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn pip_command(folder: &Path) -> Vec<String> {
    let mut words = vec![PYTHON.to_owned()];
    words.extend(
        "-m pip install --quiet --disable-pip-version-check --root-user-action=ignore --break-system-packages --target"
            .split(' ')
            .map(str::to_owned),
    );
    words.push(folder.display().to_string());
    words.push(format!("patroni[etcd3,psycopg3]=={PATRONI_VERSION}"));
    words
}

/// Installs Patroni beside its place, then moves it there: whoever finds it finds it whole.
fn install_patroni(cache: &Path) -> Result<()> {
    eprintln!("installing Patroni {PATRONI_VERSION} (pip)");
    std::fs::create_dir_all(cache).with_context(|| format!("cannot make {}", cache.display()))?;
    let made = tempfile::Builder::new().prefix("patroni-").tempdir_in(cache)?;
    let folder = made.path().join("packages");
    let words = pip_command(&folder);
    run(Command::new(&words[0]).args(&words[1..]))?;
    let place = cache.join(patroni_name());
    match std::fs::rename(&folder, &place) {
        // Another drill was first.
        Err(_) if place.join("patroni/version.py").is_file() => Ok(()),
        moved => moved.with_context(|| format!("cannot move Patroni to {}", place.display())),
    }
}

fn install_packages(packages: &[&str]) -> Result<()> {
    let Some(apt) = find_program("apt-get") else {
        bail!(
            "missing: {}. This is no Debian: install them by your system's own means",
            packages.join(", ")
        );
    };
    eprintln!("installing {} (apt-get)", packages.join(", "));
    run(Command::new(&apt)
        .arg("update")
        .env("DEBIAN_FRONTEND", "noninteractive"))?;
    run(Command::new(&apt)
        .args(["install", "--yes", "--no-install-recommends"])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive"))
}

/// Runs to the end; what it printed is part of the error when it fails.
fn run(command: &mut Command) -> Result<()> {
    let output = command
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {command:?}"))?;
    if !output.status.success() {
        bail!(
            "{command:?} failed ({}). It printed:\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}
