//! Whether the others could carry on: elect, confirm, answer, and bear the load.

use super::copies::{CommitRule, primary};
use super::facts::{EtcdMembers, ExaminedSite, Facts, Keeping, NodeTold};
use super::held::standbys;
use super::upkeep::{DAY_S, DRILL_AGE_MAX_DAYS, age_days};
use super::{Finding, OTHER_SITES_MIN, listed};

/// What three of four sites carry at the least, as a share of what four do.
const CAPACITY_LEFT_MIN: f64 = 0.9;

/// What the others should carry at the least, in percent of the present load: it grows in an outage.
const CARRY_PERCENT_MIN: u64 = 120;

/// What was found about the others.
pub(super) struct Survivors {
    pub(super) findings: Vec<Finding>,
    /// Why writes would stop, if they would.
    pub(super) writes_stop: Option<String>,
    /// What the others carry, in percent of the present load of all.
    pub(super) carry_percent: Option<u64>,
    /// The same as a part of a sentence.
    pub(super) load: String,
}

pub(super) fn survivors(facts: &Facts, site: &str) -> Survivors {
    let votes = votes(facts, site);
    let promotion = promotion(facts, site);
    let nodes = nodes(facts, site);
    let (capacity, carry_percent, load) = capacity(facts, site);
    let stops = [&votes, &promotion, &nodes];
    let writes_stop = stops.into_iter().find(|(_, goes_on)| !goes_on);
    let writes_stop = writes_stop.map(|(finding, _)| finding.says.clone());
    Survivors {
        writes_stop,
        findings: vec![votes.0, promotion.0, nodes.0, capacity],
        carry_percent,
        load,
    }
}

/// Whether more than half of etcd's votes are left; and the same as a finding.
fn votes(facts: &Facts, site: &str) -> (Finding, bool) {
    const THING: &str = "election (etcd)";
    let etcd = match &facts.keeping {
        Keeping::Embedded { .. } => None,
        Keeping::Replicated { etcd, .. } => etcd.as_ref(),
    };
    let voters = match etcd {
        None => {
            let says = "nobody elects another primary";
            let advice = "Run PostgreSQL under Patroni with etcd in four sites: deploy/ shows how";
            return (Finding::red(THING, says, advice), false);
        }
        Some(EtcdMembers::Silent(reason)) => {
            let says = format!("etcd does not answer: {reason}");
            return (
                Finding::red(THING, says, "Bring a majority of etcd's members back"),
                false,
            );
        }
        Some(EtcdMembers::Voters(voters)) => voters,
    };
    let left = voters
        .iter()
        .filter(|(member, answers, _)| *answers && member != site)
        .count();
    let needed = voters.len() / 2 + 1;
    let sites: Vec<String> = voters
        .iter()
        .filter(|(_, answers, _)| *answers)
        .map(|(member, _, _)| member.clone())
        .collect();
    let total = voters.len();
    if left < needed {
        let says = format!("{left} of etcd's {total} members would be left, and {needed} are needed");
        let advice = "Bring the silent members back, or spread them over more sites";
        return (Finding::red(THING, says, advice).at(sites), false);
    }
    let says = format!("{left} of {total} members would be left, and {needed} are needed");
    let leads_beside = primary(facts).is_some_and(|(leads, _)| {
        leads == site
            && voters
                .iter()
                .any(|(member, _, is_leader)| *is_leader && member == leads)
    });
    let finding = if leads_beside {
        let says = format!("{says}; but etcd's leader is in the primary's site, which costs seconds");
        Finding::amber(
            THING,
            says,
            "The detector moves it away; if not: etcdctl move-leader",
        )
    } else {
        Finding::green(THING, says)
    };
    (finding.at(sites), true)
}

/// Whether a standby may be promoted, or the primary finds who confirms.
fn promotion(facts: &Facts, site: &str) -> (Finding, bool) {
    const THING: &str = "a primary and who confirms";
    if matches!(facts.keeping, Keeping::Embedded { .. }) {
        let says = "there is no second database";
        return (
            Finding::red(
                THING,
                says,
                "Move to a cluster: haechi migrate --from ... --to ...",
            ),
            false,
        );
    }
    let Some(rule) = CommitRule::of(facts) else {
        let says = "there is no primary at present";
        return (
            Finding::red(THING, says, "Ask each Patroni why: patronictl list, and its log"),
            false,
        );
    };
    let standbys: Vec<String> = standbys(facts)
        .iter()
        .map(|copy| copy.site.clone())
        .filter(|standby| standby != site)
        .collect();
    let left = standbys.len();
    let needed = if site == rule.primary {
        rule.needed_to_promote()
    } else {
        // Patroni lowers what it waits for as standbys go, to one.
        Some(1)
    };
    match needed {
        None => {
            let says = "no standby is known to have everything, so none may be promoted";
            (
                Finding::red(THING, says, "Set synchronous_mode: quorum in Patroni"),
                false,
            )
        }
        Some(needed) if left < needed => {
            let says = format!("of the standbys {left} would be left that keep up; needed: {needed}");
            let advice = "Bring the other PostgreSQLs back: patronictl list";
            (Finding::red(THING, says, advice).at(standbys), false)
        }
        Some(needed) if left < OTHER_SITES_MIN => {
            let says = format!(
                "{left} standby that keeps up would be left: writes go on, but not through another loss"
            );
            let advice =
                format!("Bring the other PostgreSQLs back ({needed} needed, {OTHER_SITES_MIN} wanted)");
            (Finding::amber(THING, says, advice).at(standbys), true)
        }
        Some(needed) => {
            let says = format!("of the standbys {left} would be left that keep up; needed: {needed}");
            (Finding::green(THING, says).at(standbys), true)
        }
    }
}

/// Whether nodes are left that serve.
fn nodes(facts: &Facts, site: &str) -> (Finding, bool) {
    const THING: &str = "nodes that serve";
    let mut sites: Vec<String> = facts
        .nodes
        .iter()
        .filter(|node| matches!(node.told, NodeTold::All { .. }))
        .map(|node| node.site.clone())
        .collect();
    sites.sort();
    sites.dedup();
    let others: Vec<String> = sites.iter().filter(|other| *other != site).cloned().collect();
    let advice = "Start nodes in at least two other sites";
    let finding = match others.len() {
        0 => Finding::red(THING, "no node answers in any other site", advice),
        count if count < OTHER_SITES_MIN => {
            let says = format!("nodes answer in one other site only, {}", listed(&others));
            Finding::red(THING, says, advice)
        }
        count => Finding::green(THING, format!("nodes answer in {count} other sites")),
    };
    (finding.at(sites), !others.is_empty())
}

/// Whether the others can bear what all bear now: by what each was measured to carry, or by the last drill.
fn capacity(facts: &Facts, site: &str) -> (Finding, Option<u64>, String) {
    const THING: &str = "capacity of the others";
    let load = requests_per_s(facts, |_| true);
    let own = requests_per_s(facts, |name| name == site);
    let serves = |name: &str| {
        let is_there = |told: &NodeTold| matches!(told, NodeTold::All { .. });
        facts
            .nodes
            .iter()
            .any(|node| node.site == name && is_there(&node.told))
    };
    let others: Vec<&ExaminedSite> = facts
        .sites
        .iter()
        .filter(|other| other.name != site && !other.is_draining && serves(&other.name))
        .collect();
    let measured: Option<u64> = others
        .iter()
        .map(|other| other.capacity_per_s.map(u64::from))
        .sum::<Option<u64>>()
        .filter(|capacity| *capacity > 0);
    let names: Vec<String> = others.iter().map(|other| other.name.clone()).collect();
    if let Some(capacity) = measured {
        let percent = capacity * 100 / load.max(1);
        let says = format!(
            "the others were measured to carry {capacity} requests/s; all carry {load} now, of them {site} {own}"
        );
        let told = format!("the others carry {} of the present load", in_percent(percent));
        let advice = "Add nodes or machines in the other sites";
        let finding = match percent {
            0..100 => Finding::red(THING, says, advice),
            100..CARRY_PERCENT_MIN => Finding::amber(THING, says, advice),
            _ => Finding::green(THING, says),
        };
        return (finding.at(names), Some(percent), told);
    }
    let (finding, told) = by_drill(facts, others.len());
    (finding.at(names), None, told)
}

fn in_percent(percent: u64) -> String {
    // An idle cluster carries any multiple of nothing.
    if percent > 1_000 {
        return "more than ten times".to_owned();
    }
    format!("{percent} %")
}

fn by_drill(facts: &Facts, others: usize) -> (Finding, String) {
    const THING: &str = "capacity of the others";
    if others == 0 {
        let says = "there is nobody who could carry anything";
        return (
            Finding::red(THING, says, "Start nodes in other sites"),
            "nobody would carry its load".to_owned(),
        );
    }
    let unknown = || "what the others carry is not known".to_owned();
    let hold = "Hold a drill and file its report (POST /api/continuity/drills), or say with `haechi admin site` what \
        each site carries";
    let Some((drill, left)) = facts
        .drill
        .as_ref()
        .and_then(|drill| Some((drill, drill.capacity_left?)))
    else {
        let says = "nobody measured what the others carry";
        return (Finding::amber(THING, says, hold), unknown());
    };
    let days = age_days(facts.now, drill.held_at);
    let share = share(left);
    let says = format!(
        "in the drill of {days} days ago ({}) the others carried {share} of the load of all",
        drill.fault
    );
    if facts.now.since(drill.held_at).as_secs() > DRILL_AGE_MAX_DAYS * DAY_S {
        return (
            Finding::amber(THING, format!("{says}, which is long ago"), hold),
            unknown(),
        );
    }
    let told = format!("the others carried {share} of the load of all in the last drill");
    if left < CAPACITY_LEFT_MIN {
        return (
            Finding::red(
                THING,
                says,
                "Add nodes or machines in the other sites, and hold a drill again",
            ),
            told,
        );
    }
    (Finding::green(THING, says), told)
}

fn share(left: f64) -> String {
    format!("{:.0} %", left * 100.0)
}

fn requests_per_s(facts: &Facts, is_wanted: impl Fn(&str) -> bool) -> u64 {
    let told = facts.nodes.iter().filter(|node| is_wanted(&node.site));
    told.map(|node| match &node.told {
        NodeTold::All { requests_per_s, .. } => *requests_per_s,
        NodeTold::Nothing(_) | NodeTold::AnotherKey => 0,
    })
    .sum()
}
