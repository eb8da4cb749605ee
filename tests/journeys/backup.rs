//! A backup taken while people write is restored, and a server runs on it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use haechi_bench::chat::{self, Writer};
use haechi_bench::server::{Server, command};
use tokio::process::Command;
use tokio::sync::watch;

use crate::program::{FreshStore, binary, succeed};

/// A master key that no test uses.
const OTHER_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// The backups in a folder, oldest first.
fn backups(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries: Result<Vec<_>, _> = fs::read_dir(folder)?.collect();
    let mut paths: Vec<PathBuf> = entries?.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}

/// Runs a command that must be refused, and returns why it was.
async fn refusal(command: &mut Command) -> Result<String> {
    let output = command.output().await?;
    ensure!(!output.status.success(), "{command:?} was not refused");
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Makes a backup in `place` while `writer` writes.
async fn back_up_under_load(store: &FreshStore, place: &Path, mut writer: Writer) -> Result<()> {
    let (enough, mut stop) = watch::channel(false);
    let load = tokio::spawn(async move {
        let mut number = 0_u32;
        while !*stop.borrow_and_update() {
            writer.send(&format!("during-{number}"), "during").await?;
            number += 1;
        }
        anyhow::Ok(number)
    });
    let mut asked = command(&binary());
    asked
        .args(["backup", "--store", &store.url, "--keep", "2", "--to"])
        .arg(place);
    succeed(&mut asked).await?;
    enough.send_replace(true);
    ensure!(load.await?? > 0, "nobody wrote while the backup was made");
    Ok(())
}

fn restore(from: &Path, url: &str) -> Command {
    let mut restore = command(&binary());
    restore.arg("restore").arg("--from").arg(from).args(["--to", url]);
    restore
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_runs_on_a_restored_backup() -> Result<()> {
    let store = FreshStore::sqlite()?;
    let server = Server::start(&binary(), &store.url).await?;
    let address = server.address();
    let mut people = chat::writers(address, 0, 4).await?;
    let mut before = people.split_off(2);
    for (number, writer) in before.iter_mut().enumerate() {
        for message in 0..20 {
            let name = format!("before-{number}-{message}");
            writer.send(&name, "before").await?;
        }
    }
    let folder = tempfile::tempdir()?;
    let place = folder.path().join("backups");
    back_up_under_load(&store, &place, people.remove(0)).await?;
    server.stop().await?;
    let made = backups(&place)?;
    ensure!(made.len() == 1, "{made:?}");

    let restored = folder.path().join("restored.sqlite");
    let url = format!("sqlite:{}", restored.display());
    let mut other_key = restore(&made[0], &url);
    other_key.env("HAECHI_MASTER_KEY", OTHER_KEY);
    let reason = refusal(&mut other_key).await?;
    ensure!(reason.contains("--another-key"), "{reason}");
    let old_log = folder.path().join("restored.sqlite-wal");
    fs::write(&old_log, "what a crash left")?;
    let reason = refusal(&mut restore(&made[0], &url)).await?;
    ensure!(reason.contains("-wal is there already"), "{reason}");
    fs::remove_file(&old_log)?;
    succeed(&mut restore(&made[0], &url)).await?;
    let reason = refusal(&mut restore(&made[0], &url)).await?;
    ensure!(reason.contains("is there already"), "{reason}");

    let server = Server::start_on(&binary(), &url, &address.to_string()).await?;
    let found = chat::verify(address, &before).await?;
    ensure!(found == 40, "{found} of 40 messages are there");
    for (number, writer) in before.iter_mut().enumerate() {
        writer.person.client.reconnect().await?;
        writer.send(&format!("after-{number}"), "after").await?;
    }
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_is_found_before_anything_is_restored_and_old_backups_go() -> Result<()> {
    let store = FreshStore::sqlite()?;
    succeed(command(&binary()).args(["admin", "demo", "--store", &store.url])).await?;
    let folder = tempfile::tempdir()?;
    let place = folder.path().join("backups");
    fs::create_dir_all(place.join("haechi-not-ours"))?;
    let mut names = std::collections::BTreeSet::new();
    while names.len() < 3 {
        let mut asked = command(&binary());
        asked
            .args(["backup", "--store", &store.url, "--keep", "2", "--to"])
            .arg(&place);
        // A backup is named by its second, and two of one name are refused.
        let output = asked.output().await?;
        if output.status.success() {
            names.insert(output.stdout);
        }
    }
    let made = backups(&place)?;
    ensure!(made.len() == 3, "two backups and what is none: {made:?}");
    let file = made[0].join("haechi.sqlite");
    let mut bytes = fs::read(&file)?;
    let last = bytes.len() - 100;
    bytes[last] ^= 1;
    fs::write(&file, bytes)?;
    let restored = folder.path().join("restored.sqlite");
    let reason = refusal(&mut restore(&made[0], &format!("sqlite:{}", restored.display()))).await?;
    ensure!(reason.contains("is damaged"), "{reason}");
    ensure!(
        backups(folder.path())? == [place],
        "a part of a damaged backup was left"
    );
    Ok(())
}
