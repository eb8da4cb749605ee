//! Running other programs: always without standard input, always with an error that says what failed.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// A command that reads nothing from the terminal.
#[must_use]
pub fn command(program: impl AsRef<OsStr>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).stdin(Stdio::null());
    command
}

/// Cargo, without what the cargo that runs us says about our own crate: build scripts that watch those variables
/// would compile again on each change between `cargo xtask test` and a bare `cargo test`.
#[must_use]
pub fn cargo(root: &Path) -> Command {
    let mut command = command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), root);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") || name == "CARGO" {
            command.env_remove(name.as_ref());
        }
    }
    command
}

/// Runs to the end, with its output on the terminal.
///
/// # Errors
/// It cannot be started, or it ends with anything but 0.
pub fn run(command: &mut Command) -> Result<()> {
    let shown = show(command);
    let status = command.status().with_context(|| format!("cannot run {shown}"))?;
    if !status.success() {
        bail!("{shown} failed ({status})");
    }
    Ok(())
}

/// Runs to the end with its output kept, which becomes part of the error when it fails.
///
/// # Errors
/// It cannot be started, or it ends with anything but 0.
pub fn run_quietly(command: &mut Command) -> Result<()> {
    let shown = show(command);
    let output = command.output().with_context(|| format!("cannot run {shown}"))?;
    if !output.status.success() {
        let printed = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        bail!(
            "{shown} failed ({}). It printed:\n{}",
            output.status,
            printed.trim_end()
        );
    }
    Ok(())
}

/// Whether a command ends well; its output is dropped.
#[must_use]
pub fn succeeds(command: &mut Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Finds a program in the path.
#[must_use]
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

/// Asks a process to end (SIGTERM), by its id. The shell's own `kill` is there on the barest machine.
pub fn terminate(process_id: u32) {
    let _ = succeeds(
        Command::new("sh")
            .args(["-c", "kill -TERM \"$0\"", &process_id.to_string()])
            .stdin(Stdio::null()),
    );
}

/// The command as a person would type it.
fn show(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}
