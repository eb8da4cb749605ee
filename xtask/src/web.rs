//! The web app's packages and its build, done again only when something changed.

use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context as _, Result, bail};
use walkdir::WalkDir;

use crate::process;

/// Folders below web/ that are made, not written.
const MADE: &[&str] = &["node_modules", "dist"];

/// npm, run in a folder that has a package.json.
///
/// # Errors
/// npm is missing, or the folder has no package.json.
pub fn npm(folder: &Path) -> Result<Command> {
    let npm = process::find_program("npm")
        .context("npm is missing: install Node 20 or newer (https://nodejs.org)")?;
    if !folder.join("package.json").is_file() {
        bail!("{} has no package.json", folder.display());
    }
    let mut command = process::command(npm, folder);
    command
        .env("npm_config_update_notifier", "false")
        .env("NO_COLOR", "1");
    Ok(command)
}

/// Installs a folder's packages when its lock changed since the last time. Answers whether it did.
///
/// # Errors
/// npm is missing or fails; the error holds what it printed.
pub fn install(folder: &Path) -> Result<bool> {
    let mut npm = npm(folder)?;
    let lock = folder.join("package-lock.json");
    if !lock.is_file() {
        bail!(
            "{} is missing: run `npm install` in {} and commit it",
            lock.display(),
            folder.display()
        );
    }
    let installed = changed_at(&folder.join("node_modules/.package-lock.json"));
    if installed.is_some_and(|installed| changed_at(&lock).is_some_and(|lock| lock <= installed)) {
        return Ok(false);
    }
    process::run_quietly(npm.args(["ci", "--no-audit", "--no-fund"]))?;
    Ok(true)
}

/// Builds the web app when a source is newer than the last build. Answers whether it did.
///
/// # Errors
/// npm is missing or the build fails; the error holds what it printed.
pub fn build(root: &Path) -> Result<bool> {
    let web = root.join("web");
    let built = changed_at(&web.join("dist/index.html"));
    if built.is_some_and(|built| newest_source(&web).is_some_and(|source| source <= built)) {
        return Ok(false);
    }
    process::run_quietly(npm(&web)?.args(["run", "build"]))?;
    Ok(true)
}

/// When a source was changed last. Folders count too: they change when a file in them goes.
fn newest_source(web: &Path) -> Option<SystemTime> {
    let written = |entry: &walkdir::DirEntry| {
        let name = entry.file_name().to_string_lossy();
        entry.depth() != 1 || !(MADE.contains(&name.as_ref()) || name.starts_with('.'))
    };
    let entries = WalkDir::new(web).into_iter().filter_entry(written).flatten();
    // web/ itself changes whenever dist/ is made anew.
    entries
        .filter(|entry| entry.depth() > 0)
        .filter_map(|entry| changed_at(entry.path()))
        .max()
}

fn changed_at(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).ok()?.modified().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;
    use std::time::{Duration, SystemTime};

    use super::newest_source;

    #[test]
    fn what_is_made_is_no_source() {
        let folder = tempfile::tempdir().unwrap();
        let future = SystemTime::now() + Duration::from_secs(60);
        for (name, newer) in [
            ("src/main.ts", false),
            ("dist/index.html", true),
            ("node_modules/a/b.js", true),
        ] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "").unwrap();
            if newer {
                fs::File::options()
                    .write(true)
                    .open(&path)
                    .unwrap()
                    .set_modified(future)
                    .unwrap();
            }
        }
        assert!(newest_source(folder.path()).unwrap() < future);
        let source = fs::File::options()
            .write(true)
            .open(folder.path().join("src/main.ts"))
            .unwrap();
        source.set_modified(future).unwrap();
        assert_eq!(newest_source(folder.path()).unwrap(), future);
    }
}
