//! What a drill reports: one JSON object, or a table for people; and whether it passed.

mod machine;
mod spread;
mod table;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::load::figures::{Figures, Stalls, thousandths};
use crate::load::{Clients, Record};
use crate::verify::{Counts, Fault, Verified};

pub use machine::Machine;
pub use spread::{Percentiles, Spread, Spreads};

/// One round of a drill.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// Counted from 1.
    pub round: u32,
    /// What was done: `burn`, `freeze`, `hang`, `cut`, `disk-full`, `drain`, `burn-all`.
    pub fault: String,
    /// To which site; `all` for all.
    pub site: String,
    /// Acknowledged writes.
    pub acknowledged: u64,
    /// Of them, those that are not there as they were acknowledged.
    pub lost: u64,
    /// Writes that are there more than once.
    pub duplicated: u64,
    /// The sum of all entries of the ledger, in won: zero.
    pub ledger_sum: i64,
    /// Wallets whose balance is not the sum of their entries: none.
    pub wallets_out_of_balance: i64,
    /// From when the site was given back until it had rejoined by itself, in seconds; none when it was not gone.
    pub rejoin_s: Option<f64>,
    /// Acknowledged writes by service.
    pub acknowledged_by_service: Counts,
    /// Lost writes by service.
    pub lost_by_service: Counts,
    /// Doubled writes by service.
    pub duplicated_by_service: Counts,
    /// Writes that nobody acknowledged before the load ended.
    pub unacknowledged: u64,
    /// Stalls, reads, sign-ins, capacity.
    #[serde(flatten)]
    pub figures: Figures,
    /// The first of what was lost or doubled.
    pub faults: Vec<Fault>,
    /// What went wrong beside that, in words: refusals, sign-ins that ended.
    pub troubles: Vec<String>,
    /// How long it took to read everything back, in milliseconds.
    pub verified_ms: u64,
}

impl Round {
    /// What a round came to.
    #[must_use]
    pub fn new(
        round: u32,
        fault: &str,
        site: &str,
        record: &Record,
        verified: &Verified,
        rejoin_s: Option<f64>,
    ) -> Self {
        let mut figures = Figures::of(record);
        // Who was signed in and is no more did not survive either.
        figures.signin_failures += verified.sessions_ended;
        let troubles = [&record.refused, &record.signin_failures];
        Self {
            round,
            fault: fault.to_owned(),
            site: site.to_owned(),
            acknowledged: verified.acknowledged.sum(),
            lost: verified.lost.sum(),
            duplicated: verified.duplicated.sum(),
            ledger_sum: verified.ledger_sum,
            wallets_out_of_balance: verified.wallets_out_of_balance,
            rejoin_s: rejoin_s.map(|seconds| (seconds * 10.0).round() / 10.0),
            acknowledged_by_service: verified.acknowledged,
            lost_by_service: verified.lost,
            duplicated_by_service: verified.duplicated,
            unacknowledged: verified.unacknowledged,
            figures,
            faults: verified.faults.clone(),
            troubles: troubles.iter().flat_map(|some| some.words.clone()).collect(),
            verified_ms: verified.took_ms,
        }
    }

    /// The longest stall of all services and of each.
    fn stall_ms(&self) -> u64 {
        let stalls = self.figures.write_stall_ms;
        [
            stalls.overall,
            stalls.chat,
            stalls.pay,
            stalls.sign_in,
            stalls.media,
        ]
        .into_iter()
        .flatten()
        .max()
        .unwrap_or_default()
    }

    /// What of this round is not allowed to be.
    fn failures(&self, max_stall_ms: Option<u64>) -> Vec<String> {
        let figures = &self.figures;
        let mut failures = Vec::new();
        let mut must = |is_so: bool, otherwise: String| {
            if !is_so {
                failures.push(format!("round {}: {otherwise}", self.round));
            }
        };
        must(self.acknowledged > 0, "no write was acknowledged".to_owned());
        must(
            self.lost == 0,
            format!("{} acknowledged writes were lost", self.lost),
        );
        must(
            self.duplicated == 0,
            format!("{} writes are there more than once", self.duplicated),
        );
        must(
            self.ledger_sum == 0 && self.wallets_out_of_balance == 0,
            format!(
                "the ledger sums to {}, and {} wallets are out of balance",
                self.ledger_sum, self.wallets_out_of_balance
            ),
        );
        must(
            figures.sync_missed == 0 && figures.sync_seen_again == 0,
            format!(
                "receivers missed {} messages and were shown {} again",
                figures.sync_missed, figures.sync_seen_again
            ),
        );
        if let Some(max) = max_stall_ms {
            let stall = self.stall_ms();
            must(
                stall <= max,
                format!("writes stood still for {stall} ms, which is more than {max} ms"),
            );
        }
        failures
    }

    /// What of this round is not as it is aimed for, but does not fail it.
    fn warnings(&self) -> Vec<String> {
        let figures = &self.figures;
        [
            (figures.read_failures, "reads failed"),
            (
                figures.usual_read_failures,
                "reads failed before the strike: the machine is too slow for this load",
            ),
            (figures.signin_failures, "sign-ins did not survive"),
            (figures.refused, "correct writes were refused"),
            (
                figures.sync_seen_early,
                "messages were shown before they were acknowledged, and again after",
            ),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("round {}: {count} {what}", self.round))
        .collect()
    }
}

/// How many clients there were, in the report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientCounts {
    /// Who sent messages.
    pub chat: usize,
    /// Who synced.
    pub receivers: usize,
    /// Who sent money.
    pub pay: usize,
    /// Who refreshed their sign-in.
    pub sign_in: usize,
    /// Who uploaded.
    pub media: usize,
    /// Who read.
    pub readers: usize,
}

impl From<Clients> for ClientCounts {
    fn from(clients: Clients) -> Self {
        Self {
            chat: clients.chat,
            receivers: clients.receivers,
            pay: clients.pay,
            sign_in: clients.refresh,
            media: clients.media,
            readers: clients.readers,
        }
    }
}

/// A whole drill, by the names of `haechi drill --json`. Over several rounds: counts are sums, stalls and times the
/// longest, and the capacity that of all rounds together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What was done.
    pub fault: String,
    /// To which site, or sites.
    pub site: String,
    /// Acknowledged writes.
    pub acknowledged: u64,
    /// Of them, those that are not there as they were acknowledged.
    pub lost: u64,
    /// Writes that are there more than once.
    pub duplicated: u64,
    /// The longest gaps between acknowledged writes from the strike on.
    pub write_stall_ms: Stalls,
    /// Reads that no site answered within a second, from the strike on.
    pub read_failures: u64,
    /// The longest that a read took from the strike on.
    pub read_stall_ms: u64,
    /// Sign-ins that did not survive.
    pub signin_failures: u64,
    /// The longest rejoining, in seconds.
    pub rejoin_s: Option<f64>,
    /// The ledger's sum; when it was not zero once, the last that was not.
    pub ledger_sum: i64,
    /// What the sites that were left carried in all rounds, as a share of what all sites carried in them. One round compares
    /// two stretches of seconds, which on a machine shared with others says little.
    pub capacity_left: Option<f64>,
    /// The same of the round in which it was the smallest.
    pub capacity_left_least: Option<f64>,
    /// How the rounds differ.
    pub percentiles: Percentiles,
    /// The bound on stalls that was given.
    pub max_stall_ms: Option<u64>,
    /// Whether nothing failed.
    pub passed: bool,
    /// What failed.
    pub failures: Vec<String>,
    /// What is not as it is aimed for.
    pub warnings: Vec<String>,
    /// The clients.
    pub clients: ClientCounts,
    /// The machine.
    pub machine: Machine,
    /// Of Haechi, PostgreSQL, Patroni and etcd.
    pub versions: BTreeMap<String, String>,
    /// Each round.
    pub rounds: Vec<Round>,
}

impl Report {
    /// The report of these rounds.
    #[must_use]
    pub fn new(
        rounds: Vec<Round>,
        clients: Clients,
        versions: BTreeMap<String, String>,
        max_stall_ms: Option<u64>,
    ) -> Self {
        let sum = |figure: fn(&Round) -> u64| rounds.iter().map(figure).sum();
        let failures: Vec<String> = rounds
            .iter()
            .flat_map(|round| round.failures(max_stall_ms))
            .collect();
        let percentiles = Percentiles::of(&rounds);
        let capacities = rounds.iter().filter_map(|round| round.figures.capacity_left);
        let rejoins = rounds.iter().filter_map(|round| round.rejoin_s);
        let ledger_sums = rounds.iter().rev().map(|round| round.ledger_sum);
        Self {
            fault: words(rounds.iter().map(|round| round.fault.as_str())),
            site: words(rounds.iter().map(|round| round.site.as_str())),
            acknowledged: sum(|round| round.acknowledged),
            lost: sum(|round| round.lost),
            duplicated: sum(|round| round.duplicated),
            write_stall_ms: percentiles.write_stall_ms.longest(),
            read_failures: sum(|round| round.figures.read_failures),
            read_stall_ms: percentiles
                .read_stall_ms
                .map(|spread| spread.max)
                .unwrap_or_default(),
            signin_failures: sum(|round| round.figures.signin_failures),
            rejoin_s: rejoins.max_by(f64::total_cmp),
            ledger_sum: ledger_sums.into_iter().find(|sum| *sum != 0).unwrap_or_default(),
            capacity_left: capacity_left(&rounds),
            capacity_left_least: capacities.min_by(f64::total_cmp),
            percentiles,
            max_stall_ms,
            passed: !rounds.is_empty() && failures.is_empty(),
            failures,
            warnings: rounds.iter().flat_map(Round::warnings).collect(),
            clients: clients.into(),
            machine: Machine::of_this(),
            versions,
            rounds,
        }
    }

    /// Fails the drill by what ended it early; what was measured until then stays.
    pub(crate) fn fail(&mut self, failure: String) {
        self.failures.push(failure);
        self.passed = false;
    }
}

/// What was carried after the strikes as a share of what was carried before them, of rounds in which both were measured.
fn capacity_left(rounds: &[Round]) -> Option<f64> {
    let measured = rounds
        .iter()
        .filter_map(|round| Some((round.figures.steady_per_s?, round.figures.struck_per_s?)));
    let (steady, struck) = measured.fold((0.0, 0.0), |sum, rates| (sum.0 + rates.0, sum.1 + rates.1));
    (steady > 0.0).then(|| thousandths(struck / steady))
}

/// Each word once, in the order in which they came.
fn words<'a>(all: impl Iterator<Item = &'a str>) -> String {
    let mut different: Vec<&str> = Vec::new();
    for word in all {
        if !different.contains(&word) {
            different.push(word);
        }
    }
    different.join(",")
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    pub(crate) fn round(number: u32, stall_ms: u64) -> Round {
        Round {
            round: number,
            fault: "burn".to_owned(),
            site: if number.is_multiple_of(2) {
                "anyang"
            } else {
                "pangyo"
            }
            .to_owned(),
            acknowledged: 100,
            rejoin_s: Some(4.0 + f64::from(number)),
            figures: Figures {
                write_stall_ms: Stalls::each(|_| Some(stall_ms)),
                read_stall_ms: stall_ms / 10,
                steady_per_s: Some(100.0 * f64::from(number)),
                struck_per_s: Some((100.0 - f64::from(number)) * f64::from(number)),
                capacity_left: Some(1.0 - f64::from(number) / 100.0),
                ..Figures::default()
            },
            ..Round::default()
        }
    }

    fn report(rounds: Vec<Round>, max_stall_ms: Option<u64>) -> Report {
        Report::new(rounds, Clients::default(), BTreeMap::new(), max_stall_ms)
    }

    #[test]
    fn the_json_has_the_names_that_were_agreed() {
        let json = serde_json::to_value(report(vec![round(1, 900)], None)).unwrap();
        let expected = serde_json::json!({
            "fault": "burn", "site": "pangyo", "acknowledged": 100, "lost": 0, "duplicated": 0,
            "write_stall_ms": { "overall": 900, "chat": 900, "pay": 900, "sign_in": 900, "media": 900 },
            "read_failures": 0, "read_stall_ms": 90, "signin_failures": 0, "rejoin_s": 5.0, "ledger_sum": 0,
            "capacity_left": 0.99, "passed": true,
        });
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&json[name], value, "{name}");
        }
        // A round has the same names.
        for name in [
            "acknowledged",
            "lost",
            "write_stall_ms",
            "read_stall_ms",
            "rejoin_s",
            "ledger_sum",
        ] {
            assert_eq!(json["rounds"][0][name], expected[name], "{name}");
        }
        assert!(json["machine"]["cores"].as_u64().unwrap() > 0);
    }

    #[test]
    fn a_report_is_read_again_as_it_was_written() {
        let report = report(vec![round(1, 900), round(2, 100)], Some(3_000));
        let json = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
    }

    #[test]
    fn over_several_rounds_the_worst_is_told() {
        let report = report(
            (1..=4)
                .map(|number| round(number, u64::from(number) * 100))
                .collect(),
            None,
        );
        assert_eq!(report.acknowledged, 400);
        assert_eq!(report.site, "pangyo,anyang");
        assert_eq!(report.write_stall_ms.overall, Some(400));
        assert_eq!(report.rejoin_s, Some(8.0));
        // Of 1,000 a second in all rounds 970 were left.
        assert_eq!(
            (report.capacity_left, report.capacity_left_least),
            (Some(0.97), Some(0.96))
        );
        let overall = report.percentiles.write_stall_ms.overall.unwrap();
        assert_eq!((overall.p50, overall.p95, overall.max), (200, 400, 400));
    }

    #[test]
    fn a_loss_a_double_and_a_passed_bound_fail_a_drill() {
        let mut lost = round(1, 10);
        lost.lost = 1;
        let mut doubled = round(1, 10);
        doubled.duplicated = 1;
        let mut unbalanced = round(1, 10);
        unbalanced.ledger_sum = -3;
        for bad in [lost, doubled, unbalanced, Round::default()] {
            assert!(!report(vec![round(1, 10), bad], None).passed);
        }
        assert!(!report(vec![round(1, 3_001)], Some(3_000)).passed);
        assert!(report(vec![round(1, 3_000)], Some(3_000)).passed);
        assert!(!report(Vec::new(), None).passed);
    }

    #[test]
    fn a_drill_that_ended_early_fails_and_keeps_its_rounds() {
        let mut report = report(vec![round(1, 900)], None);
        assert!(report.passed);
        report.fail("round 2 (burn): no site answers".to_owned());
        assert!(!report.passed);
        assert_eq!(report.failures, ["round 2 (burn): no site answers"]);
        assert_eq!((report.acknowledged, report.rounds.len()), (100, 1));
    }

    #[test]
    fn a_failed_read_is_a_warning() {
        let mut slow = round(1, 10);
        slow.figures.read_failures = 2;
        let report = report(vec![slow], None);
        assert!(report.passed);
        assert_eq!(report.warnings, ["round 1: 2 reads failed"]);
    }
}
