//! `haechi backup` and `haechi restore`: a copy of everything, checked when it is made and before it is used.
//!
//! The embedded file is copied by the program itself while it is served. A PostgreSQL cluster is backed up by
//! pgBackRest, which also archives its log, so that any moment since the oldest backup can be restored; the program
//! runs it and notes what it made. Either way the store lists its backups.

mod file;
mod manifest;
mod pgbackrest;
mod restore;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use haechi_base::SystemClock;
use haechi_store::{Backup, Store, StoreLimits, StoreUrl};

use crate::settings::Settings;

/// What `haechi backup` is told.
#[derive(Debug, Args)]
pub(super) struct Make {
    /// The folder that gets the backup of an embedded store, a folder of its own for each
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,

    /// Of those in that folder keep the newest NUMBER and remove the others
    #[arg(long, value_name = "NUMBER", requires = "to")]
    keep: Option<std::num::NonZeroUsize>,

    /// The stanza of pgBackRest that backs up a PostgreSQL store; run this as its user, beside the primary
    #[arg(long, value_name = "NAME", conflicts_with = "to")]
    stanza: Option<String>,

    /// What pgBackRest copies: full, diff (since the last full) or incr (since the last) [default: its own choice]
    #[arg(long, value_name = "TYPE", requires = "stanza", value_parser = ["full", "diff", "incr"])]
    kind: Option<String>,

    #[command(flatten)]
    settings: Box<Settings>,
}

impl Make {
    pub(super) async fn run(self) -> Result<()> {
        let settings = self.settings.with_file()?;
        crate::log::start(&settings)?;
        let url: StoreUrl = settings.store().parse().context("store")?;
        let backup = match (&url, self.to, self.stanza) {
            (StoreUrl::Sqlite(path), Some(folder), _) => file::make(&settings, path, &folder).await?,
            (StoreUrl::Postgres(_), _, Some(stanza)) => {
                pgbackrest::make(&stanza, self.kind.as_deref()).await?
            }
            (StoreUrl::Sqlite(_), None, _) => bail!("say where to: --to DIR"),
            (StoreUrl::Postgres(_), _, None) => {
                bail!("a PostgreSQL store is backed up by pgBackRest: say --stanza NAME")
            }
        };
        note(&url, &backup).await?;
        if let Some(keep) = self.keep {
            file::remove_old(&backup, keep.get())?;
        }
        println!(
            "{} ({} bytes) in {}",
            backup.name, backup.size_bytes, backup.place
        );
        Ok(())
    }
}

/// Notes the backup in the store, where `haechi doctor` and others find its age.
async fn note(url: &StoreUrl, backup: &Backup) -> Result<()> {
    let store = Store::open(url, &StoreLimits::default(), Arc::new(SystemClock))?;
    let noted = store.note_backup(backup).await;
    noted.with_context(|| format!("{} was made, but could not be noted in the store", backup.name))
}

/// What `haechi restore` is told.
#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The folder of one backup
    #[arg(long, value_name = "DIR")]
    from: PathBuf,

    /// The new store, sqlite:PATH
    #[arg(long, value_name = "URL")]
    to: String,

    /// Take another master key than the backup was made with: all sign-ins and sealed secrets in it are lost
    #[arg(long)]
    another_key: bool,

    #[command(flatten)]
    settings: Box<Settings>,
}

impl Restore {
    pub(super) async fn run(self) -> Result<()> {
        let settings = self.settings.with_file()?;
        crate::log::start(&settings)?;
        let to: StoreUrl = self.to.parse().context("to")?;
        let StoreUrl::Sqlite(path) = to else {
            bail!(
                "a file is restored to sqlite:PATH; `haechi migrate --from sqlite:PATH --to ...` takes it on from there"
            );
        };
        restore::run(&settings, &self.from, &path, self.another_key).await
    }
}
