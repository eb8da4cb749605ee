//! Reads back every acknowledged write, by its id, from the sites that are left.
//!
//! Something that is not there is looked for again at the other sites for a while before it is called lost: a
//! standby may lag behind by a moment.

mod find;
mod reading;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures_util::{StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};

use crate::load::{Record, Service, SiteAddress};
use find::{Findings, chat, media, pay, sessions};
use reading::Reading;

/// Rooms, wallets, people or uploads that are read at once.
const READS_AT_ONCE: usize = 8;

/// How often something missing is looked for.
const LOOKS_MAX: u32 = 5;

/// The pause between two looks.
const LOOK_PAUSE: Duration = Duration::from_secs(1);

/// Lost and doubled writes that are told one by one; more are only counted.
const WORDS_MAX: usize = 50;

/// A number for each service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Messages.
    pub chat: u64,
    /// Transfers.
    pub pay: u64,
    /// Refreshed sign-ins.
    pub sign_in: u64,
    /// Uploads.
    pub media: u64,
}

impl Counts {
    /// All together.
    #[must_use]
    pub const fn sum(&self) -> u64 {
        self.chat + self.pay + self.sign_in + self.media
    }

    fn of(counts: &BTreeMap<Service, u64>) -> Self {
        let count = |service| counts.get(&service).copied().unwrap_or_default();
        Self {
            chat: count(Service::Chat),
            pay: count(Service::Pay),
            sign_in: count(Service::SignIn),
            media: count(Service::Media),
        }
    }
}

/// A write that is not there as it was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// `chat`, `pay`, `sign_in` or `media`.
    pub service: String,
    /// What is wrong.
    pub what: String,
    /// Its id; for one that was never acknowledged, the text it was sent with.
    pub id: String,
    /// The site that acknowledged it.
    pub site: Option<String>,
    /// When it was acknowledged, in milliseconds since the strike.
    pub acknowledged_ms: Option<i64>,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Acknowledged writes, which were all looked for.
    pub acknowledged: Counts,
    /// Acknowledged, and not there as they were acknowledged.
    pub lost: Counts,
    /// There more than once, acknowledged or not.
    pub duplicated: Counts,
    /// Writes that were never acknowledged. They may be there, once, or not.
    pub unacknowledged: u64,
    /// The sum of all entries of the ledger, in won: zero.
    pub ledger_sum: i64,
    /// Wallets whose balance is not the sum of their entries: none.
    pub wallets_out_of_balance: i64,
    /// Sessions that no site knows any more.
    pub sessions_ended: u64,
    /// The first of what was lost or doubled.
    pub faults: Vec<Fault>,
    /// How long it took to read everything back, in milliseconds.
    pub took_ms: u64,
}

impl Verified {
    fn of(record: &Record, findings: Findings) -> Self {
        let acknowledged = |service| {
            let writes = record.writes(service);
            writes.map(|sent| u64::from(sent.is_acknowledged_write())).sum()
        };
        let all = Service::ALL.into_iter();
        let unacknowledged = all
            .clone()
            .flat_map(|service| record.writes(service))
            .map(|sent| u64::from(sent.acknowledged_us.is_none()))
            .sum();
        Self {
            acknowledged: Counts::of(&all.map(|service| (service, acknowledged(service))).collect()),
            lost: Counts::of(&findings.lost),
            duplicated: Counts::of(&findings.duplicated),
            unacknowledged,
            ledger_sum: 0,
            wallets_out_of_balance: findings.wallets_out_of_balance,
            sessions_ended: findings.sessions_ended,
            faults: findings.faults,
            took_ms: 0,
        }
    }
}

#[derive(Deserialize)]
struct Ledger {
    sum: i64,
    wallets_out_of_balance: i64,
}

/// Reads everything back.
///
/// # Errors
/// There is no site, or none answers.
pub async fn verify(record: &Record, sites: &[SiteAddress]) -> Result<Verified> {
    ensure!(!sites.is_empty(), "there is no site to read from");
    let begun = Instant::now();
    let mut findings = Findings::default();
    let sorted = chat::rooms(record);
    let rooms = futures_util::stream::iter(sorted.iter().enumerate())
        .map(|(number, room)| chat::check(record, room, Reading::new(sites, number)))
        .buffer_unordered(READS_AT_ONCE)
        .try_collect::<Vec<_>>();
    let wallets = pay::check(record, sites);
    let uploads = futures_util::stream::iter(record.media.iter().enumerate())
        .map(|(number, notes)| media::check(record, notes, Reading::new(sites, number)))
        .buffer_unordered(READS_AT_ONCE)
        .try_collect::<Vec<_>>();
    let sessions = sessions::check(record, sites);
    let (rooms, wallets, uploads, sessions) = tokio::try_join!(rooms, wallets, uploads, sessions)?;
    for found in rooms.into_iter().chain(uploads).chain([wallets, sessions]) {
        findings.add(found);
    }
    findings.faults.truncate(WORDS_MAX);
    let mut verified = Verified::of(record, findings);
    let mut reading = Reading::new(sites, 0);
    let ledger: Ledger = reading.get("/api/pay/ledger", &record.administrator).await?;
    verified.ledger_sum = ledger.sum;
    verified.wallets_out_of_balance += ledger.wallets_out_of_balance;
    verified.took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(verified)
}
