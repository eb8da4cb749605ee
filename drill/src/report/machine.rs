//! The machine a drill ran on.

use std::fs;

use serde::{Deserialize, Serialize};

/// The machine, as far as figures depend on it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Processors that may be used.
    pub cores: usize,
    /// Memory, in MiB; none when the system does not tell.
    pub memory_mib: Option<u64>,
    /// The kernel's release.
    pub kernel: Option<String>,
    /// The processor's name.
    pub processor: Option<String>,
}

impl Machine {
    /// This machine.
    #[must_use]
    pub fn of_this() -> Self {
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").ok();
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_mib: value_of("/proc/meminfo", "MemTotal").and_then(|value| memory_mib(&value)),
            kernel: kernel.map(|release| release.trim().to_owned()),
            processor: value_of("/proc/cpuinfo", "model name"),
        }
    }
}

/// The value of the first `name : value` in a file of the kernel's.
fn value_of(path: &str, name: &str) -> Option<String> {
    fs::read_to_string(path).ok()?.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        (found.trim() == name).then(|| value.trim().to_owned())
    })
}

/// `12345 kB` in MiB.
fn memory_mib(value: &str) -> Option<u64> {
    let kib: u64 = value.strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_memory_in_kib() {
        assert_eq!(memory_mib("24576000 kB"), Some(24_000));
        assert_eq!(memory_mib("lots"), None);
    }
}
