//! Whether the disk holds what a run writes. A full one shows itself late, as tests that fail for no reason of their own.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

/// What a first build writes below `target/`, and what the tests' databases and sites need beside it.
const FIRST_RUN_GIB: u64 = 24;

/// What a run after it needs.
const NEXT_RUN_GIB: u64 = 8;

/// # Errors
/// Less is free than a run of the tests may write.
pub fn require_free(root: &Path) -> Result<()> {
    let is_built = root.join("target/debug").is_dir();
    require(
        free_gib(root)?,
        if is_built { NEXT_RUN_GIB } else { FIRST_RUN_GIB },
        root,
    )
}

fn require(free_gib: u64, needed_gib: u64, root: &Path) -> Result<()> {
    if free_gib < needed_gib {
        bail!(
            "{free_gib} GiB are free on the disk of {}, and a run may write {needed_gib}: make room, then run again",
            root.display()
        );
    }
    Ok(())
}

fn free_gib(place: &Path) -> Result<u64> {
    let told = rustix::fs::statvfs(place)
        .with_context(|| format!("cannot ask how full the disk of {} is", place.display()))?;
    Ok(told.f_bavail.saturating_mul(told.f_frsize) >> 30)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{free_gib, require};
    use std::path::Path;

    #[test]
    fn a_disk_without_room_is_refused_with_both_numbers() {
        let refused = require(3, 8, Path::new("/somewhere")).unwrap_err().to_string();
        assert!(
            refused.contains("3 GiB are free") && refused.contains("may write 8"),
            "{refused}"
        );
        require(8, 8, Path::new("/somewhere")).unwrap();
    }

    #[test]
    fn this_disk_tells_how_full_it_is() {
        assert!(free_gib(Path::new(env!("CARGO_MANIFEST_DIR"))).is_ok());
    }
}
