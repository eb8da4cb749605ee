//! Migrations: numbered, checksummed, applied once each, forward only.

use std::collections::HashMap;

use haechi_base::Time;
use sha2::{Digest, Sha256};

use crate::{Row, Store, StoreError, Tx};

/// One step of one service's tables.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// Its place, counted from 1 without gaps.
    pub number: u32,
    /// What it adds, as in its file name: `0001_person.sql` is `person`.
    pub name: &'static str,
    /// The statements, separated by `;`, in portable SQL.
    pub sql: &'static str,
}

impl Migration {
    /// What tells one step from another.
    pub(crate) fn checksum(&self) -> [u8; 32] {
        Sha256::digest(self.sql.as_bytes()).into()
    }
}

/// The migrations of one service, oldest first.
#[derive(Debug, Clone, Copy)]
pub struct Migrations {
    /// The service whose tables they make.
    pub service: &'static str,
    /// The steps.
    pub steps: &'static [Migration],
}

/// A step that was applied, or is yet to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The service.
    pub service: String,
    /// The step's number.
    pub number: u32,
    /// The step's name.
    pub name: String,
}

impl Applied {
    fn of(service: &str, step: &Migration) -> Self {
        Self {
            service: service.to_owned(),
            number: step.number,
            name: step.name.to_owned(),
        }
    }
}

/// Every step that a program with these services expects, the store's own first.
#[must_use]
pub fn all_steps(services: &[Migrations]) -> Vec<Applied> {
    let all = std::iter::once(STORE).chain(services.iter().copied());
    all.flat_map(|migrations| {
        let service = migrations.service;
        migrations
            .steps
            .iter()
            .map(move |step| Applied::of(service, step))
    })
    .collect()
}

/// The store's own tables.
pub(crate) const STORE: Migrations = Migrations {
    service: "store",
    steps: &[
        Migration {
            number: 1,
            name: "store",
            sql: include_str!("../migrations/0001_store.sql"),
        },
        Migration {
            number: 2,
            name: "backup",
            sql: include_str!("../migrations/0002_backup.sql"),
        },
    ],
};

pub(crate) const CREATE: &str = "
    CREATE TABLE IF NOT EXISTS store_migration (
        service TEXT NOT NULL,
        number BIGINT NOT NULL,
        name TEXT NOT NULL,
        checksum BYTEA NOT NULL,
        applied_at BIGINT NOT NULL,
        PRIMARY KEY (service, number)
    )";
// Two nodes may start at once: the second waits for the first at this row and then finds it there.
const CLAIM: &str = "
    INSERT INTO store_migration (service, number, name, checksum, applied_at) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (service, number) DO NOTHING";
const FIND: &str = "SELECT name, checksum FROM store_migration WHERE service = $1 AND number = $2";
const ALL: &str = "SELECT service, number, name, checksum FROM store_migration";

impl Store {
    /// Brings the tables of all `services` to what this program expects, one transaction a step; returns the
    /// steps that were new.
    ///
    /// # Errors
    /// [`StoreError::Migration`] when a step that was applied before has been edited since, or when the store
    /// is ahead of this program; then nothing is changed.
    pub async fn migrate(&self, services: &[Migrations]) -> Result<Vec<Applied>, StoreError> {
        self.write_unkeyed(async |tx: &mut Tx<'_>| tx.run_script(CREATE).await)
            .await?;
        let all: Vec<Migrations> = std::iter::once(STORE).chain(services.iter().copied()).collect();
        let known = all.clone();
        self.read(async move |tx: &mut Tx<'_>| find_missing(tx, &known).await)
            .await?;
        let mut applied = Vec::new();
        for migrations in all {
            for step in migrations.steps {
                if self.apply(migrations.service, step).await? {
                    applied.push(Applied::of(migrations.service, step));
                }
            }
        }
        Ok(applied)
    }

    /// The steps that this program expects and the store does not have yet, without applying any.
    ///
    /// # Errors
    /// As [`Store::migrate`], and [`StoreError::Unavailable`] when only a standby answers and it does not have a step: it may
    /// show how things were long ago.
    pub async fn missing_migrations(&self, services: &[Migrations]) -> Result<Vec<Applied>, StoreError> {
        let all: Vec<Migrations> = std::iter::once(STORE).chain(services.iter().copied()).collect();
        let looked = self
            .read(async move |tx: &mut Tx<'_>| Ok((find_missing(tx, &all).await?, tx.may_lag())))
            .await;
        let (missing, may_lag) = match looked {
            // A new store: nothing was ever applied. It is only looked at, since there may be a standby only.
            Err(StoreError::NoTable(_)) => (all_steps(services), self.is_degraded()),
            looked => looked?,
        };
        if may_lag && !missing.is_empty() {
            return Err(StoreError::Unavailable(format!(
                "no primary answers, and the standby that did lacks {} steps of the tables, or has not heard of them yet",
                missing.len()
            )));
        }
        Ok(missing)
    }

    /// Applies one step if it is new; returns whether it was.
    async fn apply(&self, service: &'static str, step: &'static Migration) -> Result<bool, StoreError> {
        let now = self.now();
        self.write_unkeyed(async move |tx: &mut Tx<'_>| apply_step(tx, service, step, now).await)
            .await
    }
}

/// The steps that are not there yet, in one statement: a host that is far away has little time to answer a read.
async fn find_missing(tx: &mut Tx<'_>, all: &[Migrations]) -> Result<Vec<Applied>, StoreError> {
    let mut applied = HashMap::new();
    for row in tx.query(ALL, &[]).await? {
        let (service, number): (String, i64) = (row.get("service")?, row.get("number")?);
        applied.insert((service, number), row);
    }
    refuse_newer(applied.keys(), all)?;
    let mut missing = Vec::new();
    for migrations in all {
        let service = migrations.service;
        for step in migrations.steps {
            match applied.get(&(service.to_owned(), i64::from(step.number))) {
                Some(row) => refuse_edited(service, step, row)?,
                None => missing.push(Applied::of(service, step)),
            }
        }
    }
    Ok(missing)
}

/// Refuses a store that a newer program has brought further: with tables of services that this one does not know, or
/// with later steps.
fn refuse_newer<'a>(
    applied: impl Iterator<Item = &'a (String, i64)>,
    all: &[Migrations],
) -> Result<(), StoreError> {
    for (name, number) in applied {
        let Some(migrations) = all.iter().find(|migrations| migrations.service == name) else {
            return Err(StoreError::Migration(format!(
                "it has tables of {name}, which this program does not know: this is a node of an older version; run \
                 the newer program"
            )));
        };
        let known = migrations.steps.iter().map(|step| i64::from(step.number)).max();
        let known = known.unwrap_or(0);
        if *number > known {
            return Err(StoreError::Migration(format!(
                "{name} is at step {number} there, and this program knows {known}: this is a node of an older version; \
                 run the newer program"
            )));
        }
    }
    Ok(())
}

async fn apply_step(
    tx: &mut Tx<'_>,
    service: &'static str,
    step: &'static Migration,
    now: Time,
) -> Result<bool, StoreError> {
    if let Some(row) = tx.query_optional(FIND, &[&service, &step.number]).await? {
        refuse_edited(service, step, &row)?;
        return Ok(false);
    }
    if tx
        .execute(
            CLAIM,
            &[&service, &step.number, &step.name, &step.checksum(), &now],
        )
        .await?
        == 0
    {
        return Ok(false);
    }
    tx.run_script(step.sql).await?;
    Ok(true)
}

fn refuse_edited(service: &str, step: &Migration, row: &Row) -> Result<(), StoreError> {
    if row.get::<[u8; 32]>("checksum")? == step.checksum() {
        return Ok(());
    }
    Err(StoreError::Migration(format!(
        "step {} ({}) of {service} was edited after it had been applied: undo the edit and add a new step",
        step.number, step.name
    )))
}
