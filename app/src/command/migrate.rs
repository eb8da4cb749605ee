//! `haechi migrate`: brings the tables to what this program expects, or moves everything to another store.

mod relocation;

use anyhow::Result;
use clap::Args;

use crate::settings::Settings;

#[derive(Debug, Args)]
pub(super) struct Migrate {
    /// Move everything from this store to --to, all or nothing; stop every node first
    #[arg(long, value_name = "URL", requires = "to")]
    from: Option<String>,

    /// The new store that everything is moved to
    #[arg(long, value_name = "URL", requires = "from")]
    to: Option<String>,

    /// Only count and checksum every table on both sides
    #[arg(long, requires = "from")]
    check: bool,

    /// Print one JSON object instead of a table
    #[arg(long, requires = "from")]
    json: bool,

    #[command(flatten)]
    settings: Box<Settings>,
}

impl Migrate {
    pub(super) async fn run(self) -> Result<()> {
        let settings = self.settings.with_file()?;
        crate::log::start(&settings)?;
        if let (Some(from), Some(to)) = (&self.from, &self.to) {
            let asked = relocation::Asked {
                only_check: self.check,
                json: self.json,
            };
            return relocation::run(&settings, from, to, asked).await;
        }
        let services = crate::program::open(&settings, settings.listen()).await?;
        let applied = services.context.store.migrate(&services.migrations()).await?;
        for step in &applied {
            println!("{} {} ({})", step.service, step.number, step.name);
        }
        println!("{} applied", applied.len());
        Ok(())
    }
}
