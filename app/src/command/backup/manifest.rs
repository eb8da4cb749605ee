//! The manifest beside a backup: what it holds, and by what it is known to be whole.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use haechi_base::Time;
use haechi_store::{Migrations, TableSum};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The names in a backup's folder.
pub(super) const MANIFEST: &str = "manifest.json";
pub(super) const STORE: &str = "haechi.sqlite";

/// The form of the manifest.
const FORMAT: u32 = 1;

/// Bytes read at once to be hashed.
const PIECE_BYTES: usize = 1024 * 1024;

/// What is known of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub(super) format: u32,
    /// The backup's name, with its time in UTC.
    pub(super) name: String,
    /// The version of the program that made it.
    pub(super) program: String,
    /// When it was begun and done, in microseconds since 1970.
    pub(super) started_at: Time,
    pub(super) finished_at: Time,
    pub(super) size_bytes: u64,
    /// SHA-256 of the file.
    pub(super) sha256: String,
    /// Which master key its secrets need, if it was at hand.
    pub(super) key_fingerprint: Option<String>,
    /// The steps that made its tables.
    pub(super) migrations: Vec<Step>,
    /// The rows and the checksum of each table.
    pub(super) tables: Vec<TableSum>,
}

/// A migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    pub(super) service: String,
    pub(super) number: u32,
    pub(super) name: String,
}

impl Manifest {
    /// The form that this program writes.
    pub(super) const fn format() -> u32 {
        FORMAT
    }

    /// Reads the manifest in a backup's folder.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(MANIFEST);
        let text = std::fs::read_to_string(&path).with_context(|| {
            format!(
                "{} is no backup: cannot read {}",
                folder.display(),
                path.display()
            )
        })?;
        let manifest: Self = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
        if manifest.format != FORMAT {
            bail!(
                "the backup has the form {}, and this program knows {FORMAT}",
                manifest.format
            );
        }
        Ok(manifest)
    }

    /// Refuses a backup whose tables are newer than this program.
    pub(super) fn refuse_newer(&self, services: &[Step]) -> Result<()> {
        match self.migrations.iter().find(|step| !services.contains(step)) {
            None => Ok(()),
            Some(step) => bail!(
                "the backup has the step {} {} ({}), which this program does not know: run {} or newer",
                step.service,
                step.number,
                step.name,
                self.program
            ),
        }
    }
}

/// All steps of this program, the store's own first.
pub(super) fn steps(services: &[Migrations]) -> Vec<Step> {
    haechi_store::all_steps(services)
        .into_iter()
        .map(|step| Step {
            service: step.service,
            number: step.number,
            name: step.name,
        })
        .collect()
}

/// The size of a file in bytes and its SHA-256 in hexadecimal.
pub(super) fn size_and_sha256(path: &Path) -> Result<(u64, String)> {
    let mut file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; PIECE_BYTES];
    let mut size_bytes = 0;
    loop {
        let length = file.read(&mut piece)?;
        let Some(read) = piece.get(..length).filter(|read| !read.is_empty()) else {
            break;
        };
        hash.update(read);
        size_bytes += read.len() as u64;
    }
    let sum = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((size_bytes, sum))
}

/// A time in UTC as ISO 8601 writes it in a name: `20261122T153528Z`.
pub(super) fn utc(time: Time) -> String {
    let seconds = time.seconds();
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days from civil, by Howard Hinnant: years are counted from March, so that a leap day comes last.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_named_in_utc() {
        for (seconds, name) in [
            (0, "19700101T000000Z"),
            (951_782_400, "20000229T000000Z"),
            (1_709_251_199, "20240229T235959Z"),
            (1_795_362_887, "20261122T155447Z"),
        ] {
            assert_eq!(utc(Time::from_micros(seconds * 1_000_000)), name);
        }
    }
}
