//! Collects the facts: from the store, every PostgreSQL, every node, etcd and Patroni, each asked by itself.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use haechi_base::Time;
use haechi_continuity::model::SiteState;
use haechi_continuity::model::examination::{
    BackupFacts, Database, Disk, DrillFacts, ExaminedSite, Facts, Keeping, Kind, KindTable, MasterKeyPlace,
};
use haechi_continuity::ops;
use haechi_store::{Chunks, Store, StoreError, StoreUrl, Tx, table_names};

use super::catalogue::{KINDS, OTHER};
use super::{databases, outside};
use crate::key;
use crate::serve::report;
use crate::services::Services;
use crate::settings::Settings;

/// A table is counted up to this many rows.
const ROWS_MAX: u64 = 1_000_000;

/// A job that is due for longer is late.
const JOB_LATE_AFTER: Duration = Duration::from_secs(10 * 60);

/// Late jobs that are told, at the most.
const LATE_JOBS_MAX: u32 = 20;

/// Of so many drills the newest with a measured capacity is taken.
const DRILLS_MAX: u32 = 50;

/// What one machine is called that nobody gave a site.
const HERE: &str = "this machine";

pub(super) async fn facts(settings: &Settings, is_deep: bool) -> Result<Facts> {
    let url: StoreUrl = settings.store().parse().context("store")?;
    if let StoreUrl::Sqlite(path) = &url
        && !path.is_file()
    {
        anyhow::bail!("there is no store at {}", path.display());
    }
    let services = crate::program::open(settings, settings.listen()).await?;
    let store = &services.context.store;
    let chunks = if is_deep { Chunks::All } else { Chunks::Sample };
    let migrations = services.migrations();
    let missing = store.missing_migrations(&migrations).await;
    let missing = missing.context("the store cannot be read: without any database nobody can tell more")?;
    let registered = optional(services.continuity.read_sites().await)?.unwrap_or_default();
    let (keeping, nodes) = match &url {
        StoreUrl::Sqlite(path) => (embedded(store, path, chunks).await?, Vec::new()),
        StoreUrl::Postgres(_) => databases::look(&services, &url, chunks).await?,
    };
    let sites = sites(settings, &registered, &keeping, &nodes);
    let outside = outside::look(settings, &url, &registered, &nodes).await?;
    let now = services.context.clock.now();
    Ok(Facts {
        now,
        sites,
        keeping,
        kinds: kinds(store, &table_names(&migrations)?).await?,
        nodes,
        key: master_key(settings, &url)?,
        backup: optional(store.last_backup().await)?
            .flatten()
            .map(|backup| BackupFacts {
                name: backup.name,
                place: backup.place,
                finished_at: backup.finished_at,
            }),
        drill: drill(&services).await?,
        missing_migrations: missing
            .iter()
            .map(|step| format!("{} {} ({})", step.service, step.number, step.name))
            .collect(),
        late_jobs: late_jobs(store, now).await?,
        certificates: outside.certificates,
        unencrypted: outside.unencrypted,
        dependencies: outside.dependencies,
    })
}

/// What a store without all its tables cannot tell is missing, and said by the missing migrations.
pub(super) fn optional<T>(read: Result<T, StoreError>) -> Result<Option<T>> {
    match read {
        Ok(told) => Ok(Some(told)),
        Err(StoreError::NoTable(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn embedded(store: &Store, path: &Path, chunks: Chunks) -> Result<Keeping> {
    let folder = std::fs::canonicalize(path)?;
    let seen = optional(store.look_at_chunks(chunks).await)?;
    Ok(Keeping::Embedded {
        path: path.display().to_string(),
        disk: report::free(&folder.display().to_string()).map(disk),
        chunks: seen.map(|seen| [seen.read, seen.damaged, seen.missing]),
    })
}

pub(super) fn disk(free: report::Free) -> Disk {
    Disk {
        free_bytes: free.free_bytes,
        size_bytes: free.size_bytes,
    }
}

/// Those that are registered, or all that anything was found in.
fn sites(
    settings: &Settings,
    registered: &[haechi_continuity::model::Site],
    keeping: &Keeping,
    nodes: &[haechi_continuity::model::examination::NodeFacts],
) -> Vec<ExaminedSite> {
    let named = |name: &str| ExaminedSite {
        name: name.to_owned(),
        capacity_per_s: None,
        is_draining: false,
    };
    let mut sites: Vec<ExaminedSite> = registered
        .iter()
        .filter(|site| site.state != SiteState::Retired)
        .map(|site| ExaminedSite {
            capacity_per_s: site.capacity,
            is_draining: site.state == SiteState::Draining,
            ..named(site.name.as_str())
        })
        .collect();
    if let Keeping::Embedded { .. } = keeping {
        // One file is in one place, whatever was registered in it.
        return vec![named(settings.site().unwrap_or(HERE))];
    }
    if let Keeping::Replicated { databases, .. } = keeping {
        // A silent address that nobody gave a name is no site.
        let is_site = |database: &&Database| sites.is_empty() || database.told.is_ok();
        let answering: Vec<&Database> = databases.iter().filter(is_site).collect();
        let found = answering
            .into_iter()
            .map(|database| &database.site)
            .chain(nodes.iter().map(|node| &node.site));
        for name in found {
            if !name.is_empty() && !sites.iter().any(|site| site.name == *name) {
                sites.push(named(name));
            }
        }
    }
    sites
}

async fn kinds(store: &Store, tables: &[String]) -> Result<Vec<Kind>> {
    let counts = store.count_rows(tables, ROWS_MAX).await?;
    let table = |name: &str| KindTable {
        name: name.to_owned(),
        rows: counts
            .iter()
            .find(|(known, _)| known == name)
            .and_then(|(_, rows)| *rows),
    };
    let kind = |name: &str, tables: Vec<KindTable>| Kind {
        name: name.to_owned(),
        tables,
    };
    let mut kinds: Vec<Kind> = KINDS
        .iter()
        .map(|(name, tables)| kind(name, tables.iter().map(|name| table(name)).collect()))
        .collect();
    let named = |name: &String| KINDS.iter().any(|(_, tables)| tables.contains(&name.as_str()));
    let others: Vec<KindTable> = tables
        .iter()
        .filter(|name| !named(name))
        .map(|name| table(name))
        .collect();
    if !others.is_empty() {
        kinds.push(kind(OTHER, others));
    }
    Ok(kinds)
}

fn master_key(settings: &Settings, url: &StoreUrl) -> Result<MasterKeyPlace> {
    Ok(match url {
        StoreUrl::Sqlite(path) if key::given(settings)?.is_none() => {
            MasterKeyPlace::BesideTheFile(format!("{}.key", path.display()))
        }
        _ => MasterKeyPlace::Given,
    })
}

async fn drill(services: &Services) -> Result<Option<DrillFacts>> {
    let read = async |tx: &mut Tx<'_>| ops::drills(tx, None, DRILLS_MAX).await;
    let drills = optional(services.context.store.read(read).await)?.unwrap_or_default();
    let mut drills: Vec<DrillFacts> = drills
        .into_iter()
        .map(|drill| DrillFacts {
            held_at: drill.filed_at,
            capacity_left: drill
                .report
                .get("capacity_left")
                .and_then(serde_json::Value::as_f64),
            fault: drill.fault,
            lost: drill.lost,
            duplicated: drill.duplicated,
        })
        .collect();
    // A loss counts before anything else, until a newer drill of that fault went well.
    let newest_of_its_fault = |place: usize| {
        !drills[..place]
            .iter()
            .any(|newer| newer.fault == drills[place].fault)
    };
    let has_failed = |drill: &DrillFacts| drill.lost > 0 || drill.duplicated > 0;
    let failed = (0..drills.len()).find(|place| has_failed(&drills[*place]) && newest_of_its_fault(*place));
    let measured = drills.iter().position(|drill| drill.capacity_left.is_some());
    let place = failed.or(measured).unwrap_or(0);
    Ok((place < drills.len()).then(|| drills.swap_remove(place)))
}

async fn late_jobs(store: &Store, now: Time) -> Result<Vec<String>> {
    let late = optional(store.late_jobs(now - JOB_LATE_AFTER, LATE_JOBS_MAX).await)?.unwrap_or_default();
    let told = late.into_iter().map(|job| match job.last_error {
        Some(error) => format!("{} ({} tries: {error})", job.kind, job.attempts),
        None => job.kind,
    });
    Ok(told.collect())
}
