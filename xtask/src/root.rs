//! Where the house stands on disk.

use std::path::{Path, PathBuf};

/// The root of the workspace.
///
/// Cargo tells it when it runs us; else (a test binary started by hand) it is where we were compiled.
#[must_use]
pub fn workspace_root() -> PathBuf {
    let crate_folder = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    crate_folder
        .parent()
        .map_or_else(|| crate_folder.clone(), Path::to_path_buf)
}
