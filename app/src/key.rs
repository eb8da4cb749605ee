//! The master key: from the environment or a file; on an embedded store one is made beside it.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use haechi_base::{MasterKey, Secrets};
use haechi_store::StoreUrl;

use crate::settings::Settings;

const VARIABLE: &str = "HAECHI_MASTER_KEY";

/// The key to work with.
///
/// # Errors
/// The key is malformed; or there is none, and the store is one that several nodes share: they need the same key.
pub(crate) fn master_key(settings: &Settings, store: &StoreUrl) -> Result<MasterKey> {
    if let Some(key) = given(settings)? {
        return Ok(key);
    }
    match store {
        StoreUrl::Sqlite(path) => beside(path),
        StoreUrl::Postgres(_) => bail!(
            "a master key is needed, the same on every node: set {VARIABLE} or master-key-file; make one with \
             `openssl rand -base64 32`"
        ),
    }
}

/// The key that the environment or a file names.
pub(crate) fn given(settings: &Settings) -> Result<Option<MasterKey>> {
    if let Ok(text) = std::env::var(VARIABLE) {
        return text.parse().context(VARIABLE).map(Some);
    }
    let Some(path) = settings.master_key_file() else {
        return Ok(None);
    };
    read(path)?
        .with_context(|| format!("master-key-file {} is not there", path.display()))
        .map(Some)
}

/// The key beside an embedded store, if there is one.
pub(crate) fn kept_beside(store: &Path) -> Result<Option<MasterKey>> {
    read(&path_beside(store))
}

/// Keeps a key beside an embedded store that has none yet, or has the same.
pub(crate) fn keep_beside(store: &Path, key: &MasterKey) -> Result<()> {
    let kept = keep(&path_beside(store), key)?;
    if fingerprint(&kept) != fingerprint(key) {
        bail!("another master key is beside {}", store.display());
    }
    Ok(())
}

/// Names a key without telling it, so that two can be compared by eye: half of a subkey's bytes, which nothing else uses.
pub(crate) fn fingerprint(key: &MasterKey) -> String {
    let subkey = Secrets::new(key.clone()).subkey("operator/fingerprint");
    subkey.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn path_beside(store: &Path) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(".key");
    PathBuf::from(name)
}

/// The key beside an embedded store, made at the first start.
fn beside(store: &Path) -> Result<MasterKey> {
    let path = path_beside(store);
    match read(&path)? {
        Some(key) => Ok(key),
        None => keep(&path, &MasterKey::generate()),
    }
}

/// Writes the key for its owner only, and returns what the file then holds: another may have been first.
fn keep(path: &Path, key: &MasterKey) -> Result<MasterKey> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match file {
        Ok(mut file) => {
            file.write_all(key.to_base64().as_bytes())
                .and_then(|()| file.sync_all())?;
            tracing::info!(path = %path.display(), "wrote a master key: keep a copy, without it secrets are lost");
            Ok(key.clone())
        }
        // Another process was first.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            read(path)?.with_context(|| format!("{} went away", path.display()))
        }
        Err(error) => Err(error).with_context(|| format!("cannot make {}", path.display())),
    }
}

fn read(path: &Path) -> Result<Option<MasterKey>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.parse().with_context(|| path.display().to_string())?)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_key_beside_a_store_is_made_once_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("haechi.sqlite");
        let first = beside(&store).unwrap();
        assert_eq!(*first.to_base64(), *beside(&store).unwrap().to_base64());
        let path = folder.path().join("haechi.sqlite.key");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, "damaged").unwrap();
        assert!(
            beside(&store)
                .unwrap_err()
                .to_string()
                .contains("haechi.sqlite.key")
        );
    }
}
