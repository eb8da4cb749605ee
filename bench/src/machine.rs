//! What the machine says of a server, and what it allows.

use anyhow::{Context, Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Memory of a process that is in use, in bytes (`VmRSS` of `/proc/PID/status`).
pub(crate) fn resident_bytes(process_id: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process_id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u64 = line
        .and_then(|line| line.split_whitespace().next())
        .context("the machine does not say how much memory the server uses")?
        .parse()?;
    Ok(kib * 1024)
}

/// Has this process, and those it starts from now on, open this many files and connections.
///
/// # Errors
/// The machine does not allow it.
pub(crate) fn allow_open_files(needed: u64) -> Result<()> {
    let allowed = getrlimit(Resource::Nofile);
    if allowed.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let maximum = allowed.maximum.map(|maximum| maximum.max(needed));
    let wanted = Rlimit {
        current: Some(needed),
        maximum,
    };
    let outcome = setrlimit(Resource::Nofile, wanted);
    ensure!(
        outcome.is_ok(),
        "{needed} open files are needed, and this process may have {:?}: raise `ulimit -n`",
        allowed.maximum
    );
    Ok(())
}
