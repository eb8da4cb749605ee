//! What the machine says of a server, and what it allows.

use anyhow::{Context, Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Memory of a process that is in use, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// All of it, with the pages of files that it has mapped: of its program, and of an embedded database.
    pub(crate) resident: u64,
    /// What is its own.
    pub(crate) own: u64,
}

impl Memory {
    /// As `/proc/PID/status` says: `VmRSS`, and of it `RssAnon`.
    pub(crate) fn of_process(process_id: u32) -> Result<Self> {
        let status = std::fs::read_to_string(format!("/proc/{process_id}/status"))?;
        Self::read(&status).context("the machine does not say how much memory the server uses")
    }

    fn read(status: &str) -> Option<Self> {
        let bytes = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
            Some(kib * 1024)
        };
        Some(Self {
            resident: bytes("VmRSS:")?,
            own: bytes("RssAnon:")?,
        })
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_bytes() {
        let status = "Name:\thaechi\nVmRSS:\t    2048 kB\nRssAnon:\t    1024 kB\n";
        let memory = Memory {
            resident: 2_097_152,
            own: 1_048_576,
        };
        assert_eq!(Memory::read(status), Some(memory));
        assert_eq!(Memory::read("VmRSS: 5 kB"), None);
    }
}
