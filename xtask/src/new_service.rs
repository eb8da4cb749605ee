//! `cargo xtask new-service NAME`: the rooms of a new service, which compile and are tidy.

use std::path::Path;

use anyhow::Result;

/// The service to make.
#[derive(clap::Args)]
pub struct Arguments {
    /// A noun in the singular, in lower case: `booking`
    name: String,
}

/// Makes the rooms of a service.
///
/// # Errors
/// The name is no name for a crate, or the service is already there.
pub fn run(_root: &Path, _arguments: &Arguments) -> Result<()> {
    Ok(())
}

/// Proves on a copy of the workspace that what we make compiles and is tidy.
///
/// # Errors
/// It does not.
pub fn prove(_root: &Path) -> Result<()> {
    Ok(())
}
