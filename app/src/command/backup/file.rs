//! The backup of an embedded file: a folder with the file and its manifest, there only when it is whole.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use haechi_base::{Clock as _, SystemClock, Time};
use haechi_store::{Backup, back_up_file, check_file};

use super::manifest::{MANIFEST, Manifest, STORE, size_and_sha256, steps, utc};
use crate::key;
use crate::settings::Settings;

/// How the folders of backups begin.
const PREFIX: &str = "haechi-";

/// Copies the file at `path` into a new folder inside `folder`.
pub(super) async fn make(settings: &Settings, path: &Path, folder: &Path) -> Result<Backup> {
    if !path.is_file() {
        bail!("there is no store at {}", path.display());
    }
    let started_at = SystemClock.now();
    let name = format!("{PREFIX}{}", utc(started_at));
    let place = folder.join(&name);
    let unfinished = folder.join(format!(".{name}.unfinished"));
    if place.exists() || unfinished.exists() {
        bail!("a backup was begun in this very second: try again in the next");
    }
    private_folder(&unfinished)?;
    let filled = fill(settings, path, &unfinished, &name, started_at).await;
    let finished = filled.and_then(|manifest| {
        fs::rename(&unfinished, &place).with_context(|| format!("cannot make {}", place.display()))?;
        sync(folder)?;
        Ok(manifest)
    });
    let manifest = match finished {
        Ok(manifest) => manifest,
        Err(error) => {
            // Half a backup is in nobody's way.
            drop(fs::remove_dir_all(&unfinished));
            return Err(error);
        }
    };
    Ok(Backup {
        name,
        kind: "file".to_owned(),
        place: fs::canonicalize(&place)?.display().to_string(),
        size_bytes: manifest.size_bytes,
        started_at,
        finished_at: manifest.finished_at,
    })
}

/// Copies the file into the folder, checks the copy, and writes what it holds beside it.
async fn fill(
    settings: &Settings,
    path: &Path,
    folder: &Path,
    name: &str,
    started_at: Time,
) -> Result<Manifest> {
    let services = crate::program::migrations().await?;
    let copy = folder.join(STORE);
    let (source, target) = (path.to_owned(), copy.clone());
    tokio::task::spawn_blocking(move || back_up_file(&source, &target)).await??;
    let tables = check_file(&copy, &services)
        .await
        .context("the copy was not kept")?;
    let (size_bytes, sha256) = size_and_sha256(&copy)?;
    let key = match key::given(settings)? {
        Some(key) => Some(key),
        None => key::kept_beside(path)?,
    };
    let manifest = Manifest {
        format: Manifest::format(),
        name: name.to_owned(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        started_at,
        finished_at: SystemClock.now(),
        size_bytes,
        sha256,
        key_fingerprint: key.as_ref().map(key::fingerprint),
        migrations: steps(&services),
        tables,
    };
    fs::write(folder.join(MANIFEST), serde_json::to_string_pretty(&manifest)?)?;
    sync(&folder.join(MANIFEST))?;
    sync(folder)?;
    Ok(manifest)
}

/// Removes the oldest backups beside this one, so that `keep` are left. What is no whole backup is let be.
pub(super) fn remove_old(newest: &Backup, keep: usize) -> Result<()> {
    let Some(folder) = Path::new(&newest.place).parent() else {
        return Ok(());
    };
    let mut backups: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_named = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
        if is_named && Manifest::read(&path).is_ok() {
            backups.push(path);
        }
    }
    // Their names are their times.
    backups.sort();
    for old in backups.iter().rev().skip(keep) {
        fs::remove_dir_all(old).with_context(|| format!("cannot remove {}", old.display()))?;
    }
    Ok(())
}

/// Makes a folder, and those above it, for their owner only: it holds what people write to each other.
fn private_folder(path: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("cannot make {}", path.display()))
}

/// Waits until a file or folder is on the disk.
pub(super) fn sync(path: &Path) -> Result<()> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .with_context(|| format!("cannot sync {}", path.display()))
}
