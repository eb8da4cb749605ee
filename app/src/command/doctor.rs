//! `haechi doctor`: what would be lost if a site burned now, for each site. It asks everybody and changes nothing; the
//! rules that judge are those of `haechi_continuity::model::examination`.

mod catalogue;
mod certificates;
mod collect;
mod databases;
mod nodes;
mod outside;
mod table;
#[cfg(test)]
mod tests;

use std::io::Write as _;

use anyhow::{Result, bail};
use clap::Args;
use haechi_continuity::model::examination::{Examination, Verdict, examine};

use crate::settings::Settings;

/// What would be lost if a data centre burned now, and could the others carry on? It is told for each of them: every
/// kind of data, the keys, the settings, the load. Exits with 1 when anything is red.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,

    /// Read every chunk of every blob on every site, however long it takes, instead of a sample
    #[arg(long)]
    deep: bool,

    #[command(flatten)]
    settings: Box<Settings>,
}

impl Doctor {
    pub(super) async fn run(self) -> Result<()> {
        let settings = self.settings.with_file()?;
        crate::log::start(&settings)?;
        let examination = look(&settings, self.deep).await?;
        let mut out = std::io::stdout().lock();
        if self.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&examination)?)?;
        } else {
            write!(out, "{}", table::text(&examination))?;
        }
        if examination.verdict == Verdict::Red {
            bail!("something is red");
        }
        Ok(())
    }
}

/// Collects the facts and judges them.
async fn look(settings: &Settings, is_deep: bool) -> Result<Examination> {
    Ok(examine(&collect::facts(settings, is_deep).await?))
}
