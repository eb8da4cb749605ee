//! The backup of a PostgreSQL cluster, by pgBackRest. Its own configuration says where to and with which retention.

use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use haechi_base::Time;
use haechi_store::Backup;
use serde::Deserialize;
use tokio::process::Command;

/// What `pgbackrest info --output=json` tells of a stanza, as far as it is needed here.
#[derive(Debug, Deserialize)]
struct Stanza {
    backup: Vec<Made>,
}

/// One backup in the repository.
#[derive(Debug, Deserialize)]
struct Made {
    label: String,
    #[serde(rename = "error", default)]
    has_damaged_pages: Option<bool>,
    info: Info,
    timestamp: Timestamp,
}

#[derive(Debug, Deserialize)]
struct Info {
    size: u64,
}

/// Seconds since 1970.
#[derive(Debug, Deserialize)]
struct Timestamp {
    start: i64,
    stop: i64,
}

/// Has pgBackRest make a backup, and returns the newest that is in its repository afterwards.
pub(super) async fn make(stanza: &str, kind: Option<&str>) -> Result<Backup> {
    let mut arguments = vec!["backup".to_owned()];
    arguments.extend(kind.map(|kind| format!("--type={kind}")));
    run(stanza, &arguments).await?;
    let told = run(stanza, &["info".to_owned(), "--output=json".to_owned()]).await?;
    newest(stanza, &told)
}

fn newest(stanza: &str, told: &str) -> Result<Backup> {
    let stanzas: Vec<Stanza> = serde_json::from_str(told).context("pgbackrest info")?;
    let made = stanzas.into_iter().flat_map(|stanza| stanza.backup);
    let newest = made
        .max_by_key(|backup| backup.timestamp.stop)
        .with_context(|| format!("pgBackRest has no backup of {stanza}"))?;
    if newest.has_damaged_pages == Some(true) {
        bail!(
            "the backup {} has pages whose checksums are wrong: see `pgbackrest --stanza={stanza} info --set={}`",
            newest.label,
            newest.label
        );
    }
    Ok(Backup {
        name: newest.label,
        kind: "pgbackrest".to_owned(),
        place: format!("stanza {stanza}"),
        size_bytes: newest.info.size,
        started_at: Time::from_micros(newest.timestamp.start.saturating_mul(1_000_000)),
        finished_at: Time::from_micros(newest.timestamp.stop.saturating_mul(1_000_000)),
    })
}

async fn run(stanza: &str, arguments: &[String]) -> Result<String> {
    let output = Command::new("pgbackrest")
        .arg(format!("--stanza={stanza}"))
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context("cannot run pgbackrest: apt-get install pgbackrest")?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        // It writes its errors to either.
        let reason = String::from_utf8_lossy(&output.stderr);
        bail!(
            "pgbackrest {} failed: {}{}",
            arguments.join(" "),
            told,
            reason.trim_end()
        );
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_newest_backup_is_told() {
        let told = r#"[{"archive":[],"backup":[
            {"label":"20261122-155447F","error":false,"info":{"delta":9,"size":20},"timestamp":{"start":1,"stop":2}},
            {"label":"20261123-155447F","error":null,"info":{"delta":9,"size":30},"timestamp":{"start":5,"stop":8}}]}]"#;
        let backup = newest("haechi", told).unwrap();
        assert_eq!(
            (backup.name.as_str(), backup.size_bytes),
            ("20261123-155447F", 30)
        );
        assert_eq!(backup.finished_at.seconds(), 8);
        assert!(
            newest("haechi", "[]")
                .unwrap_err()
                .to_string()
                .contains("no backup")
        );
        let damaged = told.replace("null", "true");
        assert!(
            newest("haechi", &damaged)
                .unwrap_err()
                .to_string()
                .contains("checksums")
        );
    }
}
