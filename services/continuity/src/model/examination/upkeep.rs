//! What concerns all sites alike: how everything is kept, how far copies are behind, clocks, versions, certificates,
//! disks, backups, drills, and what is needed from outside.

mod databases;

use haechi_base::Time;

use super::Finding;
use super::facts::{Dependency, Disk, Facts, Keeping, NodeTold, Place};

pub(super) const DAY_S: u64 = 24 * 60 * 60;

/// A drill older than this proves little.
pub(super) const DRILL_AGE_MAX_DAYS: u64 = 30;

/// A backup older than this is looked at; twice as old it is red.
const BACKUP_AGE_MAX_DAYS: u64 = 2;

/// A certificate that ends sooner is looked at; within a week it is red.
const CERTIFICATE_LEFT_MIN_DAYS: u64 = 30;
const CERTIFICATE_LEFT_RED_DAYS: u64 = 7;

/// How far clocks may differ before somebody should look, in microseconds; a second keeps a node out of the agreement.
const CLOCK_AMBER_US: i64 = 250_000;
const CLOCK_RED_US: i64 = 1_000_000;

/// A disk with less than this left, in percent.
const DISK_AMBER_PERCENT: u64 = 20;
const DISK_RED_PERCENT: u64 = 5;

/// A large disk has room for long with few percent: more than this many bytes is enough, or at least not urgent.
const DISK_AMBER_BYTES: u64 = 50 * 1024 * 1024 * 1024;
const DISK_RED_BYTES: u64 = 5 * 1024 * 1024 * 1024;

pub(super) fn findings(facts: &Facts) -> Vec<Finding> {
    let mut findings = databases::findings(facts);
    findings.extend(nodes(facts));
    findings.extend(clocks(facts));
    findings.extend(versions(facts));
    findings.push(migrations(facts));
    findings.push(jobs(facts));
    findings.extend(disks(facts));
    findings.push(backup(facts));
    findings.push(drill(facts));
    findings.extend(certificates(facts));
    findings.extend(facts.dependencies.iter().map(dependency));
    findings
}

/// How many whole days ago that was.
pub(super) fn age_days(now: Time, then: Time) -> u64 {
    now.since(then).as_secs() / DAY_S
}

fn nodes(facts: &Facts) -> Vec<Finding> {
    let finding = |node: &super::NodeFacts| {
        let thing = format!("node {} in {}", node.url, node.site);
        match &node.told {
            NodeTold::All { .. } => None,
            NodeTold::Nothing(reason) => Some(Finding::amber(
                thing,
                reason.clone(),
                "Start it; one that is gone for good is forgotten after ten minutes",
            )),
            NodeTold::AnotherKey => Some(Finding::red(
                thing,
                "it has another master key (or its clock is minutes off): people's tokens do not hold there",
                "Start it with the master key of the others",
            )),
        }
    };
    facts.nodes.iter().filter_map(finding).collect()
}

fn clocks(facts: &Facts) -> Vec<Finding> {
    let told: Vec<(&str, i64, i64, bool)> = facts
        .nodes
        .iter()
        .filter_map(|node| match node.told {
            NodeTold::All {
                clock_ahead_us,
                clock_error_us,
                is_clock_trusted,
                ..
            } => Some((
                node.site.as_str(),
                clock_ahead_us,
                clock_error_us,
                is_clock_trusted,
            )),
            NodeTold::Nothing(_) | NodeTold::AnotherKey => None,
        })
        .collect();
    let mut sorted: Vec<i64> = told.iter().map(|(_, ahead_us, _, _)| *ahead_us).collect();
    sorted.sort_unstable();
    // The clock of who examines may be the wrong one: each is compared with the middle of all.
    let Some(middle) = sorted.get(sorted.len() / 2).copied() else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    let mut worst_us = 0;
    for (site, ahead_us, error_us, is_trusted) in told {
        // What the way of the question may have added is not held against anybody.
        let off_us = ((ahead_us - middle).abs() - error_us).max(0);
        worst_us = worst_us.max(off_us);
        let thing = format!("clock of {site}");
        let says = format!("it is off by {} ms", off_us / 1_000);
        let advice = "Set it right: chronyc makestep; and see that chrony or systemd-timesyncd runs";
        if off_us > CLOCK_RED_US || !is_trusted {
            let says = format!("{says}; the node stays out of the agreement on silent sites");
            findings.push(Finding::red(thing, says, advice));
        } else if off_us > CLOCK_AMBER_US {
            findings.push(Finding::amber(thing, says, advice));
        }
    }
    if findings.is_empty() {
        let says = format!("all agree within {} ms", (worst_us / 1_000).max(1));
        findings.push(Finding::green("clocks", says));
    }
    findings
}

fn versions(facts: &Facts) -> Option<Finding> {
    let mut versions: Vec<&str> = facts.nodes.iter().map(|node| node.version.as_str()).collect();
    versions.sort_unstable();
    versions.dedup();
    match versions.as_slice() {
        [] => None,
        [one] => Some(Finding::green("versions", format!("every node runs {one}"))),
        several => Some(Finding::amber(
            "versions",
            format!("nodes run {}", several.join(" and ")),
            "Finish the update: two versions run side by side during one, not for ever",
        )),
    }
}

fn migrations(facts: &Facts) -> Finding {
    if facts.missing_migrations.is_empty() {
        return Finding::green("migrations", "the store has all that this program knows");
    }
    let says = format!("the store lacks {}", facts.missing_migrations.join(", "));
    Finding::red("migrations", says, "haechi migrate")
}

fn jobs(facts: &Facts) -> Finding {
    if facts.late_jobs.is_empty() {
        return Finding::green("background jobs", "none is late; any node runs them");
    }
    let says = format!("late: {}", facts.late_jobs.join("; "));
    Finding::amber(
        "background jobs",
        says,
        "See the nodes' logs for why they do not finish",
    )
}

fn disks(facts: &Facts) -> Vec<Finding> {
    let mut seen: Vec<(String, Disk)> = Vec::new();
    for node in &facts.nodes {
        if let NodeTold::All { disk: Some(disk), .. } = node.told {
            seen.push((format!("disk of the node in {}", node.site), disk));
        }
    }
    match &facts.keeping {
        Keeping::Embedded { path, disk, .. } => {
            seen.extend(disk.map(|disk| (format!("disk of {path}"), disk)));
        }
        Keeping::Replicated { databases, .. } => seen.extend(databases.iter().filter_map(|database| {
            let disk = database.told.as_ref().ok()?.disk?;
            Some((format!("disk of the PostgreSQL in {}", database.site), disk))
        })),
    }
    let mut findings: Vec<Finding> = seen
        .iter()
        .filter_map(|(thing, disk)| full(thing, *disk))
        .collect();
    let least = seen.iter().map(|(_, disk)| free_percent(*disk)).min();
    if let (true, Some(least)) = (findings.is_empty(), least) {
        findings.push(Finding::green(
            "disks",
            format!("at least {least} % is free on each that was seen"),
        ));
    }
    if let Keeping::Replicated { databases, .. } = &facts.keeping {
        let unseen: Vec<&str> = databases
            .iter()
            .filter(|database| database.told.as_ref().is_ok_and(|told| told.disk.is_none()))
            .map(|database| database.site.as_str())
            .collect();
        if !unseen.is_empty() {
            findings.push(Finding::amber(
                "disks of PostgreSQL",
                format!("nobody could look at the disk in {}", unseen.join(", ")),
                "Give the store's user the role pg_monitor, and run a node beside each PostgreSQL; or watch the disk otherwise",
            ));
        }
    }
    findings
}

fn free_percent(disk: Disk) -> u64 {
    u64::try_from(u128::from(disk.free_bytes) * 100 / u128::from(disk.size_bytes.max(1))).unwrap_or(0)
}

fn full(thing: &str, disk: Disk) -> Option<Finding> {
    let percent = free_percent(disk);
    let says = format!("{percent} % is free, {} MiB", disk.free_bytes / 1024 / 1024);
    let advice = "Make room, or give it a larger disk: a full disk stops writes there";
    match (percent, disk.free_bytes) {
        (0..DISK_RED_PERCENT, 0..DISK_RED_BYTES) => Some(Finding::red(thing, says, advice)),
        (0..DISK_AMBER_PERCENT, 0..DISK_AMBER_BYTES) => Some(Finding::amber(thing, says, advice)),
        _ => None,
    }
}

/// Copies in other sites do not help against a wrong DELETE: that takes a backup.
fn backup(facts: &Facts) -> Finding {
    const THING: &str = "backup";
    const MAKE: &str = "haechi backup, daily; docs/operators-guide.md shows how";
    let Some(backup) = &facts.backup else {
        return Finding::red(THING, "none was ever noted", MAKE);
    };
    let days = age_days(facts.now, backup.finished_at);
    let says = format!(
        "the newest, {}, is {days} days old and lies in {}",
        backup.name, backup.place
    );
    match days {
        0..BACKUP_AGE_MAX_DAYS => Finding::green(THING, says),
        days if days < BACKUP_AGE_MAX_DAYS * 2 => Finding::amber(THING, says, MAKE),
        _ => Finding::red(THING, says, MAKE),
    }
}

fn drill(facts: &Facts) -> Finding {
    const THING: &str = "drill";
    const HOLD: &str =
        "haechi drill --burn primary --json, and file the report (POST /api/continuity/drills)";
    let Some(drill) = &facts.drill else {
        return Finding::amber(THING, "none is on file", HOLD);
    };
    let days = age_days(facts.now, drill.held_at);
    let says = format!("the last one ({}) was {days} days ago", drill.fault);
    if drill.lost > 0 || drill.duplicated > 0 {
        let says = format!(
            "{says}: {} writes were lost and {} doubled",
            drill.lost, drill.duplicated
        );
        return Finding::red(THING, says, "Find out why before anything else");
    }
    if days >= DRILL_AGE_MAX_DAYS {
        return Finding::amber(THING, says, HOLD);
    }
    Finding::green(THING, format!("{says}, and nothing was lost"))
}

fn certificates(facts: &Facts) -> Vec<Finding> {
    let mut findings: Vec<Finding> = facts
        .certificates
        .iter()
        .map(|certificate| {
            let thing = format!("certificate of {}", certificate.of);
            let expires_at = match &certificate.expires_at {
                Ok(expires_at) => *expires_at,
                Err(reason) => {
                    return Finding::amber(
                        thing,
                        format!("it could not be read: {reason}"),
                        "See that the address answers",
                    );
                }
            };
            let left = age_days(expires_at, facts.now);
            let says = format!("it is good for {left} days");
            let advice = "Renew it";
            if expires_at <= facts.now {
                return Finding::red(thing, "it is over", advice);
            }
            match left {
                0..CERTIFICATE_LEFT_RED_DAYS => Finding::red(thing, says, advice),
                CERTIFICATE_LEFT_RED_DAYS..CERTIFICATE_LEFT_MIN_DAYS => Finding::amber(thing, says, advice),
                _ => Finding::green(thing, says),
            }
        })
        .collect();
    if !facts.unencrypted.is_empty() {
        findings.push(Finding::amber(
            "encryption on the way",
            format!("none for {}", facts.unencrypted.join(", ")),
            "Use https:// and sslmode=verify-full, unless the network between the sites is encrypted (WireGuard, IPsec)",
        ));
    } else if facts.certificates.is_empty() {
        findings.push(Finding::green(
            "certificates",
            "none is used: everything stays on this machine",
        ));
    }
    findings
}

fn dependency(dependency: &Dependency) -> Finding {
    let thing = format!("outside: {}", dependency.what);
    match &dependency.place {
        Place::Inside(reason) => Finding::green(thing, reason.clone()),
        Place::Address(address) => Finding::amber(
            thing,
            format!("needs {address}, and nobody here knows in which building that stands"),
            "Ask who runs it where it stands; it should not stand in one of your sites alone",
        ),
        Place::Development(reason) => Finding::amber(
            thing,
            reason.clone(),
            "Say --code-gateway URL before real people use this",
        ),
    }
}
