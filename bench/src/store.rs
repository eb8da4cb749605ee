//! The store a bench works on: one that was named, or a temporary embedded one.

use anyhow::{Context, Result};
use tempfile::TempDir;

/// A store's URL, with the directory of a temporary one.
pub struct BenchStore {
    url: String,
    _directory: Option<TempDir>,
}

impl BenchStore {
    /// The named store, or a new embedded one that goes when this is dropped. It lies in the working directory's
    /// file system, not in memory: a bench of durable writes needs a disk.
    ///
    /// # Errors
    /// No directory can be made.
    pub fn named_or_temporary(url: Option<&str>) -> Result<Self> {
        if let Some(url) = url {
            return Ok(Self {
                url: url.to_owned(),
                _directory: None,
            });
        }
        let directory = tempfile::Builder::new().prefix("haechi-bench-").tempdir_in(".")?;
        let path = directory.path().canonicalize()?.join("bench.sqlite");
        let path = path
            .to_str()
            .context("the working directory is not named in UTF-8")?;
        Ok(Self {
            url: format!("sqlite:{path}"),
            _directory: Some(directory),
        })
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}
