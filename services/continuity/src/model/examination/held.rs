//! What a site's fire would take: each kind of data, the keys and the settings, with the sites that hold them.

use std::collections::{BTreeMap, BTreeSet};

use super::copies::{CommitRule, primary};
use super::facts::{Copy, DatabaseFacts, Facts, Keeping, Kind, MasterKeyPlace, NodeTold};
use super::{Finding, OTHER_SITES_MIN, Verdict, listed};

/// A standby that is further behind than this is not counted as a copy: one segment of PostgreSQL's log.
pub(super) const LAG_BYTES_MAX: i64 = 16 * 1024 * 1024;

/// What was found about a site.
pub(super) struct Held {
    pub(super) findings: Vec<Finding>,
    /// What would be lost.
    pub(super) lost: Vec<String>,
}

impl Held {
    /// Judges by how many other sites hold a thing. `what_to_do` is told when they are too few.
    fn note(&mut self, thing: &str, before: &str, holders: &BTreeSet<String>, site: &str, what_to_do: &str) {
        let others = holders.iter().filter(|holder| holder.as_str() != site).count();
        let sites: Vec<String> = holders.iter().cloned().collect();
        let finding = match others {
            0 if holders.is_empty() => {
                Finding::red(thing, format!("{before}nobody who answers holds it"), what_to_do)
            }
            0 => Finding::red(
                thing,
                format!("{before}{site} alone holds it: it would be lost"),
                what_to_do,
            ),
            others if others < OTHER_SITES_MIN => Finding::red(
                thing,
                format!("{before}one other site holds it, and the next fault would take it"),
                what_to_do,
            ),
            others => Finding::green(thing, format!("{before}{others} other sites hold it")),
        };
        if others == 0 {
            self.lost.push(thing.to_owned());
        }
        self.findings.push(finding.at(sites));
    }

    /// What was noted last is not green, though enough sites hold it: it is not the same everywhere.
    fn doubt_last(&mut self, what_to_do: &str) {
        let Some(last) = self.findings.pop() else { return };
        self.findings.push(match last.verdict {
            Verdict::Green => Finding::amber(&last.thing, last.says, what_to_do).at(last.sites),
            Verdict::Amber | Verdict::Red => last,
        });
    }
}

pub(super) fn findings(facts: &Facts, site: &str) -> Held {
    let mut held = Held {
        findings: Vec::new(),
        lost: Vec::new(),
    };
    match &facts.keeping {
        Keeping::Embedded { path, .. } => embedded(&mut held, facts, site, path),
        Keeping::Replicated { .. } => {
            acknowledged(&mut held, facts, site);
            for kind in &facts.kinds {
                note_kind(&mut held, facts, kind, site);
            }
        }
    }
    for kind in &facts.kinds {
        let rows = kind.tables.iter().map(|table| table.rows).sum();
        let of_kind = held
            .findings
            .iter_mut()
            .filter(|finding| finding.thing == kind.name);
        of_kind.for_each(|finding| finding.rows = rows);
    }
    master_key(&mut held, facts, site);
    settings(&mut held, facts, site);
    held
}

fn embedded(held: &mut Held, facts: &Facts, site: &str, path: &str) {
    const MOVE: &str = "Move to a cluster: haechi migrate --from sqlite:... --to postgres://...; until then back up \
        to another building: haechi backup --to DIR";
    let here = BTreeSet::from([site.to_owned()]);
    for kind in &facts.kinds {
        held.note(&kind.name, &format!("in {path}; "), &here, site, MOVE);
    }
}

/// What was acknowledged last: its copies are those that a commit waits for.
fn acknowledged(held: &mut Held, facts: &Facts, site: &str) {
    const THING: &str = "the latest acknowledged writes";
    const SET: &str = "Set in Patroni (patronictl edit-config): synchronous_mode: quorum, synchronous_mode_strict: true, \
        synchronous_node_count: 2; and in PostgreSQL synchronous_commit = on";
    let Some(rule) = CommitRule::of(facts) else {
        held.findings.push(Finding::amber(
            THING,
            "no primary was found, so it is not known what a commit waits for",
            "Look again in a minute; if it stays so, ask each Patroni: patronictl list",
        ));
        return;
    };
    let copies = rule.copies_elsewhere(site);
    let finding = match copies {
        0 => {
            held.lost.push(THING.to_owned());
            Finding::red(THING, "a commit waits for no other site", SET)
        }
        1 => Finding::red(
            THING,
            "each is in one other site for certain, and the next fault would take it",
            SET,
        ),
        copies => Finding::green(
            THING,
            format!("each is on the disks of {copies} other sites before it is acknowledged"),
        ),
    };
    let mut sites: Vec<String> = vec![rule.primary];
    sites.extend(standbys(facts).into_iter().map(|copy| copy.site.clone()));
    held.findings.push(finding.at(sites));
}

/// The standbys that the primary sees and that keep up.
pub(super) fn standbys(facts: &Facts) -> Vec<&Copy> {
    let Some((_, told)) = primary(facts) else {
        return Vec::new();
    };
    let keeps_up = |copy: &&Copy| {
        // Who may not know the state still sees the standby there, and how far its own log goes.
        let is_there = copy.state == "streaming" || copy.state.is_empty();
        is_there && lag_bytes(facts, copy).is_some_and(|lag_bytes| lag_bytes <= LAG_BYTES_MAX)
    };
    let is_known = |copy: &&Copy| facts.sites.iter().any(|site| site.name == copy.site);
    told.copies.iter().filter(keeps_up).filter(is_known).collect()
}

/// How far a standby is behind: by the primary's word, or by where both say that their logs end.
pub(super) fn lag_bytes(facts: &Facts, copy: &Copy) -> Option<i64> {
    if copy.lag_bytes.is_some() {
        return copy.lag_bytes;
    }
    let (_, leads) = primary(facts)?;
    let Keeping::Replicated { databases, .. } = &facts.keeping else {
        return None;
    };
    let own = databases.iter().find(|database| database.site == copy.site)?;
    let own = own.told.as_ref().ok()?.log_position?;
    // They were asked one after the other: a standby asked later may seem to be ahead.
    Some((leads.log_position? - own).max(0))
}

/// The databases whose word counts: the primary, and each standby that answers and keeps up with it. While nobody is
/// primary, every standby that answers has what it has.
fn copies(facts: &Facts) -> Vec<(&str, &DatabaseFacts)> {
    let Keeping::Replicated { databases, .. } = &facts.keeping else {
        return Vec::new();
    };
    let leads = primary(facts).map(|(site, _)| site);
    let streaming: Vec<&str> = standbys(facts).iter().map(|copy| copy.site.as_str()).collect();
    let told = databases
        .iter()
        .filter_map(|database| Some((database.site.as_str(), database.told.as_ref().ok()?)));
    told.filter(|(site, _)| leads.is_none() || leads == Some(*site) || streaming.contains(site))
        .collect()
}

fn note_kind(held: &mut Held, facts: &Facts, kind: &Kind, site: &str) {
    let unlogged: BTreeSet<&str> = copies(facts)
        .iter()
        .flat_map(|(_, told)| told.tables.iter())
        .filter(|(_, is_logged)| !**is_logged)
        .map(|(table, _)| table.as_str())
        .filter(|table| kind.tables.iter().any(|known| known.name == *table))
        .collect();
    if !unlogged.is_empty() {
        let names: Vec<String> = unlogged.iter().map(|name| (*name).to_owned()).collect();
        let leads = primary(facts)
            .map(|(site, _)| site.to_owned())
            .into_iter()
            .collect();
        let says = format!("{} is not written to the log; ", listed(&names));
        let advice = format!("In PostgreSQL: ALTER TABLE {} SET LOGGED", names.join(", "));
        held.note(&kind.name, &says, &leads, site, &advice);
        return;
    }
    let has_all = |told: &DatabaseFacts| {
        kind.tables
            .iter()
            .all(|table| told.tables.contains_key(&table.name))
    };
    let holders = copies(facts)
        .into_iter()
        .filter(|(_, told)| has_all(told))
        .map(|(site, _)| site.to_owned())
        .collect();
    let advice = "Bring the PostgreSQL of the other sites back, so that three sites keep it: patronictl list";
    held.note(&kind.name, "", &holders, site, advice);
}

/// Without the key nobody reads a sealed secret again, and all sign-ins end.
fn master_key(held: &mut Held, facts: &Facts, site: &str) {
    const THING: &str = "master key";
    if let MasterKeyPlace::BesideTheFile(path) = &facts.key {
        let here = BTreeSet::from([site.to_owned()]);
        let advice = format!("Keep a copy of {path} in another building, where no backup of the data is");
        held.note(
            THING,
            &format!("beside the data in {path}; "),
            &here,
            site,
            &advice,
        );
        return;
    }
    if facts.nodes.is_empty() {
        held.findings.push(Finding::amber(
            THING,
            "no node is known, so nobody tells which sites hold it",
            "Keep copies in two other buildings",
        ));
        return;
    }
    let holds = |told: &NodeTold| matches!(told, NodeTold::All { .. });
    let holders: BTreeSet<String> = facts
        .nodes
        .iter()
        .filter(|node| holds(&node.told))
        .map(|node| node.site.clone())
        .collect();
    let advice = "Start nodes in the other sites with this very key";
    held.note(THING, "", &holders, site, advice);
}

/// A setting that exists in one building burns with it.
fn settings(held: &mut Held, facts: &Facts, site: &str) {
    let mut by_name: BTreeMap<&str, BTreeMap<&str, Vec<String>>> = BTreeMap::new();
    let mut told = Vec::new();
    for node in &facts.nodes {
        let NodeTold::All { settings, .. } = &node.told else {
            continue;
        };
        told.push(node.site.clone());
        for (name, value) in settings {
            let values = by_name.entry(name).or_default();
            values.entry(value).or_default().push(node.site.clone());
        }
    }
    if told.is_empty() {
        return;
    }
    // One entry a node: a site can have a node with the setting and one without.
    let alike = |values: &BTreeMap<&str, Vec<String>>| {
        values.len() == 1 && values.values().all(|holders| holders.len() == told.len())
    };
    let mut odd = 0;
    for (name, values) in by_name.iter().filter(|(_, values)| !alike(values)) {
        odd += 1;
        // The value that most nodes have is taken for the right one.
        let holders = values.values().max_by_key(|holders| holders.len());
        let holders = holders.into_iter().flatten().cloned().collect();
        let advice = format!("Give --{name} the same value on every node");
        let thing = format!("setting {name}");
        held.note(&thing, "not alike everywhere; ", &holders, site, &advice);
        held.doubt_last(&advice);
    }
    let sites: BTreeSet<String> = told.into_iter().collect();
    if odd == 0 {
        let advice = "Start nodes in the other sites with these settings";
        held.note(
            "settings",
            &format!("{} alike on every node; ", by_name.len()),
            &sites,
            site,
            advice,
        );
    }
}
