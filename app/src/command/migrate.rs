//! `haechi migrate`: brings the tables to what this program expects.

use anyhow::Result;

use crate::settings::Settings;

pub(super) async fn run(settings: Settings) -> Result<()> {
    crate::log::start(&settings)?;
    let services = crate::program::open(&settings, settings.listen()).await?;
    let applied = services.context.store.migrate(&services.migrations()).await?;
    for step in &applied {
        println!("{} {} ({})", step.service, step.number, step.name);
    }
    println!("{} applied", applied.len());
    Ok(())
}
