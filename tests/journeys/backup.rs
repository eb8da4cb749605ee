//! A backup taken while people write is restored, and a server runs on it.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use haechi_bench::chat;
use haechi_bench::server::{Server, command};
use tokio::sync::watch;

use crate::program::{FreshStore, binary, succeed};

/// The backups in a folder, oldest first.
fn backups(folder: &std::path::Path) -> Result<Vec<PathBuf>> {
    let entries: Result<Vec<_>, _> = fs::read_dir(folder)?.collect();
    let mut paths: Vec<PathBuf> = entries?.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_runs_on_a_restored_backup() -> Result<()> {
    let store = FreshStore::sqlite()?;
    let server = Server::start(&binary(), &store.url).await?;
    let address = server.address();
    let mut people = chat::writers(address, 0, 4).await?;
    let (mut before, mut during) = (people.split_off(2), people);
    for (number, writer) in before.iter_mut().enumerate() {
        for message in 0..20 {
            writer
                .send(&format!("before-{number}-{message}"), "before")
                .await?;
        }
    }
    // One goes on writing while the backup is made.
    let mut writer = during.remove(0);
    let (enough, mut stop) = watch::channel(false);
    let load = tokio::spawn(async move {
        let mut number = 0_u32;
        while !*stop.borrow_and_update() {
            writer.send(&format!("during-{number}"), "during").await?;
            number += 1;
        }
        anyhow::Ok(number)
    });
    let folder = tempfile::tempdir()?;
    let place = folder.path().join("backups");
    let to = place.to_str().context("the path is no UTF-8")?;
    let mut asked = command(&binary());
    let backup = succeed(asked.args(["backup", "--to", to, "--store", &store.url, "--keep", "2"]));
    backup.await?;
    enough.send_replace(true);
    ensure!(load.await?? > 0, "nobody wrote while the backup was made");
    server.stop().await?;
    let made = backups(&place)?;
    ensure!(made.len() == 1, "{made:?}");
    let from = made[0].to_str().context("the path is no UTF-8")?;

    let restored = folder.path().join("restored.sqlite");
    let url = format!("sqlite:{}", restored.display());
    let restore = ["restore", "--from", from, "--to", url.as_str()];
    let other_key = command(&binary())
        .args(restore)
        .env(
            "HAECHI_MASTER_KEY",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        )
        .output()
        .await?;
    let reason = String::from_utf8_lossy(&other_key.stderr).into_owned();
    ensure!(
        !other_key.status.success() && reason.contains("--another-key"),
        "{reason}"
    );
    succeed(command(&binary()).args(restore)).await?;
    let again = command(&binary()).args(restore).output().await?;
    let reason = String::from_utf8_lossy(&again.stderr).into_owned();
    ensure!(
        !again.status.success() && reason.contains("is there already"),
        "{reason}"
    );

    let server = Server::start_on(&binary(), &url, &address.to_string()).await?;
    ensure!(
        chat::verify(address, &before).await? == 40,
        "not everything is there"
    );
    for (number, writer) in before.iter_mut().enumerate() {
        writer.person.client.reconnect().await?;
        writer.send(&format!("after-{number}"), "after").await?;
    }
    server.stop().await?;

    // A flipped bit is found before anything is restored.
    let file = made[0].join("haechi.sqlite");
    let mut bytes = fs::read(&file)?;
    let last = bytes.len() - 100;
    bytes[last] ^= 1;
    fs::write(&file, bytes)?;
    fs::remove_file(&restored)?;
    let damaged = command(&binary()).args(restore).output().await?;
    let reason = String::from_utf8_lossy(&damaged.stderr).into_owned();
    ensure!(
        !damaged.status.success() && reason.contains("is damaged"),
        "{reason}"
    );
    ensure!(!restored.exists(), "a damaged backup was restored");
    Ok(())
}
