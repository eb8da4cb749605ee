//! `haechi openapi`: prints the document of all routes, from which the web app's types are made.

use anyhow::Result;

use crate::settings::Settings;

pub(super) async fn run() -> Result<()> {
    // Routes need no data: a store in a folder that goes again when this is done.
    let folder = std::env::temp_dir().join(format!("haechi-openapi-{}", std::process::id()));
    std::fs::create_dir(&folder)?;
    let printed = print(&Settings::on_store(&format!(
        "sqlite:{}",
        folder.join("store").display()
    )))
    .await;
    std::fs::remove_dir_all(&folder)?;
    printed
}

async fn print(settings: &Settings) -> Result<()> {
    let services = crate::program::open(settings, settings.listen()).await?;
    println!("{}", crate::serve::document(&services.all()).to_pretty_json()?);
    Ok(())
}
