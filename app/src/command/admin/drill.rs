//! `haechi admin drill`: files the report of a drill, for the console and for `haechi doctor`.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use haechi_continuity::model::{Drill as Filed, DrillId};
use haechi_continuity::ops::{self, ContinuityError};
use haechi_store::{Tx, WriteKey};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::operator;
use crate::services::Services;
use crate::settings::Settings;

/// Keep what drills found.
#[derive(Debug, Args)]
pub(super) struct Drill {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// File a report, as `haechi drill --json` printed it. The same report is filed once, however often it is given
    File {
        /// The report; - is what comes in
        report: PathBuf,
        #[command(flatten)]
        settings: Box<Settings>,
    },
}

impl Drill {
    pub(super) async fn run(self) -> Result<()> {
        let Task::File { report, settings } = self.task;
        let text = read(&report)?;
        let filed = file(&super::open(*settings).await?, &text).await?;
        println!(
            "filed {}: {} {}, {} lost, {} duplicated",
            filed.drill_id, filed.fault, filed.site, filed.lost, filed.duplicated
        );
        Ok(())
    }
}

async fn file(services: &Services, text: &str) -> Result<Filed> {
    let report: Map<String, Value> = serde_json::from_str(text).context("this is no report of a drill")?;
    let now = services.context.now();
    let drill_id = DrillId::new(now);
    let digest: String = Sha256::digest(text)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let key = WriteKey::client("continuity.drill/command-line", &digest, text.as_bytes());
    let file = async move |tx: &mut Tx<'_>| ops::file_drill(tx, &operator(), drill_id, &report, now).await;
    let filed: Result<Filed, ContinuityError> = services.context.store.write(key, file).await;
    Ok(filed?)
}

fn read(report: &Path) -> Result<String> {
    let mut text = String::new();
    if report.as_os_str() == "-" {
        std::io::stdin()
            .read_to_string(&mut text)
            .context("cannot read the report")?;
        return Ok(text);
    }
    std::fs::read_to_string(report).with_context(|| format!("cannot read {}", report.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn a_report_is_filed_once_however_often_it_is_given() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::on_store(&format!("sqlite:{}", folder.path().join("store").display()));
        let services = crate::program::open(&settings, settings.listen()).await.unwrap();
        let migrations = services.migrations();
        services.context.store.migrate(&migrations).await.unwrap();
        let report = r#"{ "fault": "burn", "site": "pangyo", "lost": 0, "duplicated": 0, "rejoin_s": 9.5 }"#;
        let first = file(&services, report).await.unwrap();
        assert_eq!(file(&services, report).await.unwrap(), first);
        assert!(file(&services, "[]").await.is_err());
        assert!(file(&services, r#"{ "fault": "burn" }"#).await.is_err());
        let list = async |tx: &mut Tx<'_>| ops::drills(tx, None, 10).await;
        assert_eq!(services.context.store.read(list).await.unwrap(), [first]);
    }
}
