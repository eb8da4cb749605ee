//! A new embedded file from a backup, once that is found to be whole and its key is at hand.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use haechi_base::MasterKey;
use haechi_store::check_integrity;

use super::file::sync;
use super::manifest::{Manifest, STORE, size_and_sha256, steps};
use crate::key;
use crate::settings::Settings;

/// Restores the backup in `folder` to a new file at `path`, and its master key beside it.
pub(super) async fn run(settings: &Settings, folder: &Path, path: &Path, another_key: bool) -> Result<()> {
    let manifest = Manifest::read(folder)?;
    manifest.refuse_newer(&steps(&crate::program::migrations().await?))?;
    refuse_remains(path)?;
    let key = master_key(settings, path, &manifest, another_key)?;
    let unfinished = beside(path, ".restoring");
    let (from, to) = (folder.join(STORE), unfinished.clone());
    let written = tokio::task::spawn_blocking(move || copy_checked(&from, &to, &manifest)).await?;
    let manifest = match written {
        Ok(manifest) => manifest,
        Err(error) => {
            // Half a store must not be mistaken for one.
            drop(fs::remove_file(&unfinished));
            return Err(error);
        }
    };
    key::keep_beside(path, &key)?;
    fs::rename(&unfinished, path)?;
    if let Some(parent) = fs::canonicalize(path)?.parent() {
        sync(parent)?;
    }
    for table in manifest.tables.iter().filter(|table| table.rows > 0) {
        println!("{:<28} {:>12}", table.table, table.rows);
    }
    println!("{} restored to {}", manifest.name, path.display());
    Ok(())
}

/// A store that is there, or the log of one: SQLite would write an old log into the new file.
fn refuse_remains(path: &Path) -> Result<()> {
    for end in ["", "-wal", "-shm", "-journal"] {
        let remains = beside(path, end);
        if remains.exists() {
            bail!("{} is there already: move it away first", remains.display());
        }
    }
    Ok(())
}

/// Copies the file and makes sure that what arrived is what was backed up.
fn copy_checked(from: &Path, to: &Path, manifest: &Manifest) -> Result<Manifest> {
    let mut source = fs::File::open(from).with_context(|| format!("cannot read {}", from.display()))?;
    let mut target = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(to)
        .with_context(|| format!("cannot write {}", to.display()))?;
    std::io::copy(&mut source, &mut target)?;
    target.sync_all()?;
    let (size_bytes, sha256) = size_and_sha256(to)?;
    if (size_bytes, &sha256) != (manifest.size_bytes, &manifest.sha256) {
        bail!(
            "{} is damaged: it has {size_bytes} bytes with the SHA-256 {sha256}, and was made with {} and {}",
            from.display(),
            manifest.size_bytes,
            manifest.sha256
        );
    }
    check_integrity(to)?;
    Ok(manifest.clone())
}

/// The key that the restored store will be served with.
fn master_key(settings: &Settings, path: &Path, manifest: &Manifest, another_key: bool) -> Result<MasterKey> {
    let key = match key::given(settings)? {
        Some(key) => key,
        None => key::kept_beside(path)?.with_context(|| {
            format!(
                "the master key is needed, which no backup holds: give it by master-key-file, or put it at {}",
                beside(path, ".key").display()
            )
        })?,
    };
    match &manifest.key_fingerprint {
        Some(made_with) if *made_with != key::fingerprint(&key) && !another_key => bail!(
            "the backup was made with the master key {made_with}, and this is {}: give the right one, or say \
             --another-key and lose all sign-ins and sealed secrets in it",
            key::fingerprint(&key)
        ),
        _ => Ok(key),
    }
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}
