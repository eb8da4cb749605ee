//! A small disk for PostgreSQL at a site, which can be filled.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::site::{Place, give_to_postgres};

/// The size of the small disk: PostgreSQL at rest, its log of a long drill, and room that the fault takes away.
const DISK_MIB: u32 = 1_536;

/// How much is written at once.
const CHUNK_BYTES: usize = 1 << 20;

/// Puts a small disk under the site's PostgreSQL, before anything is there. The keeper takes it away.
pub(crate) fn mount_small(place: &Place) -> Result<()> {
    let disk = place.disk();
    let output = Command::new("mount")
        .args([
            "-t",
            "tmpfs",
            "-o",
            &format!("size={DISK_MIB}m,mode=0755"),
            "haechi-drill",
        ])
        .arg(&disk)
        .stdin(Stdio::null())
        .output()
        .context("cannot run mount")?;
    if !output.status.success() {
        bail!(
            "this machine does not let us mount a small disk at {}, so none can be filled: {} (run as root, in a \
             container with the capability SYS_ADMIN)",
            disk.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    give_to_postgres(&disk)
}

/// Fills the disk to its last byte.
pub(crate) fn fill(place: &Place) -> Result<()> {
    let path = filling(place);
    let mut file = File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
    let mut chunk = vec![0; CHUNK_BYTES];
    while !chunk.is_empty() {
        match file.write(&chunk) {
            Ok(_) => {}
            // Then smaller and smaller pieces, until not one byte fits.
            Err(error) if error.kind() == ErrorKind::StorageFull => chunk.truncate(chunk.len() / 2),
            Err(error) => return Err(error).with_context(|| format!("cannot fill {}", path.display())),
        }
    }
    Ok(())
}

/// Frees what [`fill`] took.
pub(crate) fn free(place: &Place) -> Result<()> {
    remove(&filling(place))
}

fn filling(place: &Place) -> PathBuf {
    place.disk().join("filling")
}

fn remove(path: &Path) -> Result<()> {
    std::fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))
}
