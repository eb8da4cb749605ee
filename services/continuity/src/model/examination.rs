//! An examination: what would be lost if a site burned now, and whether the others could carry on. Pure functions over
//! collected facts; nothing is taken to be well that nobody told.

mod copies;
mod facts;
mod held;
mod survivors;
mod upkeep;

use serde::Serialize;

pub use copies::{CommitRule, SyncNames};
pub use facts::{
    BackupFacts, CertificateFacts, Copy, Database, DatabaseFacts, Dependency, Disk, DrillFacts, EtcdMembers,
    ExaminedSite, Facts, Keeping, Kind, KindTable, MasterKeyPlace, NodeFacts, NodeTold, PatroniRules, Place,
};

/// Fewer other sites than this are too few: the second of two is lost to the next fault.
pub const OTHER_SITES_MIN: usize = 2;

/// How well something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing to do.
    Green,
    /// Look at it soon, or it is not known.
    Amber,
    /// Do something now.
    Red,
}

/// One thing that was examined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What: `messages`, `master key`, `clock of busan`.
    pub thing: String,
    /// The sites that hold it; empty where that is no question.
    pub sites: Vec<String>,
    /// For a kind of data: its rows, each table counted up to a bound.
    pub rows: Option<u64>,
    /// How well it stands.
    pub verdict: Verdict,
    /// Why, in a sentence.
    pub says: String,
    /// What to do about it.
    pub advice: Option<String>,
}

impl Finding {
    fn green(thing: impl Into<String>, says: impl Into<String>) -> Self {
        Self {
            thing: thing.into(),
            sites: Vec::new(),
            rows: None,
            verdict: Verdict::Green,
            says: says.into(),
            advice: None,
        }
    }

    fn amber(thing: impl Into<String>, says: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Amber,
            advice: Some(advice.into()),
            ..Self::green(thing, says)
        }
    }

    fn red(thing: impl Into<String>, says: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Red,
            ..Self::amber(thing, says, advice)
        }
    }

    fn at(mut self, mut sites: Vec<String>) -> Self {
        sites.sort();
        self.sites = sites;
        self
    }
}

/// What would be if one site burned now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SiteExamination {
    /// The site.
    pub site: String,
    /// In one sentence.
    pub summary: String,
    /// The worst of its findings.
    pub verdict: Verdict,
    /// What would be lost: kinds of data, keys, settings. Empty when nothing would.
    pub lost: Vec<String>,
    /// Whether writes would go on without a hand.
    pub writes_go_on: bool,
    /// What the others carry at the most, in percent of what all sites carry at present, where it was measured.
    pub others_carry_percent: Option<u64>,
    /// Each kind of thing.
    pub findings: Vec<Finding>,
}

/// All that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Examination {
    /// When, in microseconds UTC.
    pub at: i64,
    /// The worst of all findings.
    pub verdict: Verdict,
    /// Site by site.
    pub sites: Vec<SiteExamination>,
    /// What concerns all sites alike.
    pub everywhere: Vec<Finding>,
}

/// Examines what was found out.
#[must_use]
pub fn examine(facts: &Facts) -> Examination {
    let sites: Vec<SiteExamination> = facts.sites.iter().map(|site| of_site(facts, site)).collect();
    let everywhere = upkeep::findings(facts);
    let worst_site = sites.iter().map(|site| site.verdict);
    let verdict = worst_site.chain([worst(&everywhere)]).max();
    Examination {
        at: facts.now.micros(),
        // Nobody to examine is nobody who holds anything.
        verdict: verdict.filter(|_| !sites.is_empty()).unwrap_or(Verdict::Red),
        sites,
        everywhere,
    }
}

fn worst(findings: &[Finding]) -> Verdict {
    findings
        .iter()
        .map(|finding| finding.verdict)
        .max()
        .unwrap_or(Verdict::Green)
}

fn of_site(facts: &Facts, site: &ExaminedSite) -> SiteExamination {
    let name = site.name.as_str();
    let held = held::findings(facts, name);
    let survivors = survivors::survivors(facts, name);
    let mut findings = held.findings;
    findings.extend(survivors.findings);
    let loses_all = facts.kinds.iter().all(|kind| held.lost.contains(&kind.name));
    let lost = if held.lost.is_empty() {
        "nothing acknowledged would be lost".to_owned()
    } else if loses_all && !facts.kinds.is_empty() {
        "everything would be lost".to_owned()
    } else {
        format!("lost would be: {}", held.lost.join(", "))
    };
    let writes = match &survivors.writes_stop {
        None => "writes would go on".to_owned(),
        Some(reason) => format!("writes would stop: {reason}"),
    };
    SiteExamination {
        site: name.to_owned(),
        summary: format!("If {name} burned now: {lost}; {writes}; {}.", survivors.load),
        verdict: worst(&findings),
        lost: held.lost,
        writes_go_on: survivors.writes_stop.is_none(),
        others_carry_percent: survivors.carry_percent,
        findings,
    }
}

/// Names of sites as a sentence has them.
fn listed(sites: &[String]) -> String {
    match sites {
        [] => "none".to_owned(),
        [one] => one.clone(),
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
    }
}

#[cfg(test)]
mod tests;
