//! The command line: one subcommand a file.

mod admin;
mod backup;
mod bench;
mod doctor;
mod drill;
#[cfg(test)]
mod guide;
mod migrate;
mod openapi;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

use crate::settings::Settings;

/// An everything app that keeps working when a data centre burns.
///
/// A value comes from a flag, else from the environment, else from the TOML file that --config names.
#[derive(Debug, Parser)]
#[command(name = "haechi", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve all services on this node, until SIGTERM or Ctrl-C
    Serve {
        #[command(flatten)]
        settings: Box<Settings>,
    },
    /// Bring the tables of the store to what this program expects, or move everything to another store
    Migrate(migrate::Migrate),
    /// Copy everything to a safe place while it is served, and check the copy
    Backup(backup::Make),
    /// Make a new embedded store of a backup
    Restore(backup::Restore),
    /// Do what an operator does: top up, grant, check the ledger, make demonstration data
    Admin(admin::Admin),
    /// Say what would be lost if a data centre burned now, and whether the others could carry on
    Doctor(doctor::Doctor),
    /// Print the OpenAPI 3.1 document of all routes
    Openapi,
    /// Measure what this machine carries: a server of its own, many clients over HTTP
    Bench(bench::Bench),
    /// Burn a data centre: four on this machine, real clients, and every acknowledged write read back
    Drill(drill::Drill),
}

impl Cli {
    /// Does what was asked.
    pub(crate) fn run(self) -> Result<()> {
        let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
        runtime.block_on(async {
            match self.command {
                Command::Serve { settings } => crate::serve::run(settings.with_file()?).await,
                Command::Migrate(migrate) => migrate.run().await,
                Command::Backup(make) => make.run().await,
                Command::Restore(restore) => restore.run().await,
                Command::Admin(admin) => admin.run().await,
                Command::Doctor(doctor) => doctor.run().await,
                Command::Openapi => openapi::run().await,
                Command::Bench(bench) => bench.run().await,
                Command::Drill(drill) => drill.run().await,
            }
        })
    }
}
