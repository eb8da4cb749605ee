//! The web app in a real browser.

use std::path::PathBuf;

use anyhow::Result;
use haechi_bench::server::{Server, command};

use crate::program::{FreshStore, binary, npm_folder, on_both_engines, succeed, tool};

async fn meet_in_the_browser(store: &FreshStore) -> Result<()> {
    let server = Server::start(&binary(), &store.url).await?;
    // The program's environment, so that the top-up below works on the same store with the same key.
    let mut journey = command(&tool("HAECHI_NODE", "node"));
    // Topped up as an operator does it, with the program's own command.
    let top_up = format!(
        "'{}' admin top-up --store '{}' --to \"$HAECHI_PHONE_A\" --amount 100000",
        binary().display(),
        store.url
    );
    journey
        .current_dir(npm_folder("browser")?)
        .arg("journey.mjs")
        .env("HAECHI_URL", format!("http://{}", server.address()))
        .env("HAECHI_TOPUP", top_up)
        .env("HAECHI_CHROMIUM", tool("HAECHI_CHROMIUM", "chromium"));
    if let Some(pictures) = std::env::var_os("HAECHI_SCREENSHOTS") {
        std::fs::create_dir_all(PathBuf::from(&pictures))?;
    }
    succeed(&mut journey).await?;
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_meet_in_the_web_app() -> Result<()> {
    on_both_engines(meet_in_the_browser).await
}

async fn talk_on_two_phones(store: &FreshStore) -> Result<()> {
    let server = Server::start(&binary(), &store.url).await?;
    let mut journey = command(&tool("HAECHI_NODE", "node"));
    journey
        .current_dir(npm_folder("browser")?)
        .arg("messenger.mjs")
        .env("HAECHI_URL", format!("http://{}", server.address()))
        .env("HAECHI_CHROMIUM", tool("HAECHI_CHROMIUM", "chromium"));
    succeed(&mut journey).await?;
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_phones_side_by_side_do_what_a_messenger_does() -> Result<()> {
    on_both_engines(talk_on_two_phones).await
}
