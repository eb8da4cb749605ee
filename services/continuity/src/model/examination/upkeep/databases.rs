//! How the databases are: whether each answers, keeps what it is given, keeps up, and holds whole blobs.

use crate::model::examination::copies::primary;
use crate::model::examination::facts::{Database, DatabaseFacts, Facts, Keeping, PatroniRules};
use crate::model::examination::held::{LAG_BYTES_MAX, lag_bytes};
use crate::model::examination::{Finding, OTHER_SITES_MIN};

/// Settings without which PostgreSQL loses what it acknowledged when its machine loses power, or does not notice damage.
const MUST_BE_ON: &[(&str, bool)] = &[
    ("fsync", true),
    ("full_page_writes", true),
    ("data_checksums", false),
];

pub(super) fn findings(facts: &Facts) -> Vec<Finding> {
    match &facts.keeping {
        Keeping::Embedded { chunks, .. } => blobs("here", *chunks).into_iter().collect(),
        Keeping::Replicated {
            databases, patroni, ..
        } => {
            let mut findings = vec![leader(facts, databases)];
            findings.extend(databases.iter().filter_map(silent));
            findings.extend(lags(facts));
            findings.extend(settings(databases));
            findings.extend(patroni_rules(patroni.as_ref()));
            findings.extend(all_blobs(databases));
            findings
        }
    }
}

fn leader(facts: &Facts, databases: &[Database]) -> Finding {
    const THING: &str = "primary";
    if let Some((site, _)) = primary(facts) {
        return Finding::green(THING, format!("{site} leads")).at(vec![site.to_owned()]);
    }
    let leads = |database: &&Database| database.told.as_ref().is_ok_and(|told| !told.is_standby);
    let leaders: Vec<String> = databases
        .iter()
        .filter(leads)
        .map(|database| database.site.clone())
        .collect();
    if leaders.is_empty() {
        let advice = "Within half a minute another is elected; if not, ask each Patroni: patronictl list";
        return Finding::red(THING, "nobody leads: nothing can be written", advice);
    }
    let says = "two say that they lead; only the one that holds the leader key is acknowledged";
    Finding::red(
        THING,
        says,
        "Ask each Patroni: patronictl list; the other is demoted by its own",
    )
    .at(leaders)
}

fn silent(database: &Database) -> Option<Finding> {
    let reason = database.told.as_ref().err()?;
    Some(Finding::amber(
        format!("PostgreSQL of {}", database.site),
        format!("{} does not answer: {reason}", database.host),
        "Bring it back; it rejoins by itself",
    ))
}

fn lags(facts: &Facts) -> Vec<Finding> {
    let Some((leads, told)) = primary(facts) else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    let (mut most, mut untold) = ((0, 0), Vec::new());
    for site in facts.sites.iter().filter(|site| site.name != leads) {
        let thing = format!("replication to {}", site.name);
        let advice =
            "See the log of its PostgreSQL, and the network between the two; patronictl reinit makes it anew";
        let Some(copy) = told.copies.iter().find(|copy| copy.site == site.name) else {
            findings.push(Finding::amber(thing, "it does not copy the primary", advice));
            continue;
        };
        let Some(lag_bytes) = lag_bytes(facts, copy) else {
            let says = "how far it is behind is not told";
            let advice = "Give the store's user the role pg_monitor in PostgreSQL";
            findings.push(Finding::amber(thing, says, advice));
            continue;
        };
        let lag_ms = copy
            .lag_ms
            .map(|lag_ms| format!(", {lag_ms} ms"))
            .unwrap_or_default();
        let says = format!(
            "{} {}, {lag_bytes} bytes{lag_ms} behind",
            copy.sync_state, copy.state
        );
        let says = says.trim_start().to_owned();
        if lag_bytes > LAG_BYTES_MAX || !matches!(copy.state.as_str(), "streaming" | "") {
            findings.push(Finding::amber(thing, says, advice));
        } else if copy.sync_state.is_empty() {
            untold.push(site.name.clone());
            most.0 = most.0.max(lag_bytes);
        } else if !matches!(copy.sync_state.as_str(), "quorum" | "sync") {
            let advice =
                "Set synchronous_mode: quorum in Patroni, and see that the site is not tagged nosync";
            findings.push(Finding::amber(
                thing,
                format!("{says}: no commit waits for it"),
                advice,
            ));
        } else {
            most = (most.0.max(lag_bytes), most.1.max(copy.lag_ms.unwrap_or(0)));
        }
    }
    if !untold.is_empty() {
        let says = format!(
            "at most {} bytes behind; whether commits wait for it is not told",
            most.0
        );
        let advice = "Let the store's user know, in PostgreSQL: GRANT pg_monitor TO the user of --store";
        findings.push(Finding::amber("replication", says, advice).at(untold));
    } else if findings.is_empty() && !told.copies.is_empty() {
        let says = format!(
            "every standby keeps up: at most {} bytes and {} ms behind",
            most.0, most.1
        );
        findings.push(Finding::green("replication", says));
    }
    findings
}

fn settings(databases: &[Database]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut seen = 0;
    for (database, told) in databases
        .iter()
        .filter_map(|database| Some((database, database.told.as_ref().ok()?)))
    {
        seen += 1;
        for (name, loses) in MUST_BE_ON {
            let value = told.settings.get(*name).map_or("not told", String::as_str);
            if value == "on" {
                continue;
            }
            let thing = format!("{name} of the PostgreSQL in {}", database.site);
            let finding = if *loses {
                let says = format!("it is {value}: what was acknowledged may be gone after a power cut");
                Finding::red(thing, says, format!("Set {name} = on"))
            } else {
                let says = format!("it is {value}: damage on the disk is not noticed");
                Finding::amber(thing, says, "Stop it and run pg_checksums --enable")
            };
            findings.push(finding);
        }
    }
    findings.extend(versions(databases));
    if findings.is_empty() && seen > 0 {
        findings.push(Finding::green(
            "settings of PostgreSQL",
            "fsync, full_page_writes and data checksums are on everywhere",
        ));
    }
    findings
}

/// A standby of another major version cannot copy; of another minor one it may behave differently.
fn versions(databases: &[Database]) -> Option<Finding> {
    let told = databases
        .iter()
        .filter_map(|database| database.told.as_ref().ok());
    let mut versions: Vec<&str> = told.map(|told: &DatabaseFacts| told.version.as_str()).collect();
    versions.sort_unstable();
    versions.dedup();
    (versions.len() > 1).then(|| {
        let says = format!("the PostgreSQLs run {}", versions.join(" and "));
        Finding::amber(
            "versions of PostgreSQL",
            says,
            "Update the others too, standbys first",
        )
    })
}

fn patroni_rules(rules: Option<&PatroniRules>) -> Option<Finding> {
    const THING: &str = "rules of Patroni";
    let rules = rules?;
    let wanted = OTHER_SITES_MIN as u64;
    let mut wrong = Vec::new();
    if rules.synchronous_mode != "quorum" {
        wrong.push(format!(
            "synchronous_mode is {}, not quorum",
            rules.synchronous_mode
        ));
    }
    if !rules.is_strict {
        wrong.push("synchronous_mode_strict is off: alone, a primary would go on without a copy".to_owned());
    }
    if rules.synchronous_node_count < wanted {
        wrong.push(format!(
            "synchronous_node_count is {}, not {wanted}",
            rules.synchronous_node_count
        ));
    }
    if wrong.is_empty() {
        let says = format!(
            "quorum, strict, {} standbys confirm each commit",
            rules.synchronous_node_count
        );
        return Some(Finding::green(THING, says));
    }
    Some(Finding::red(
        THING,
        wrong.join("; "),
        "Set them: patronictl edit-config",
    ))
}

fn all_blobs(databases: &[Database]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut read = 0;
    for database in databases {
        let Ok(told) = &database.told else { continue };
        match blobs(&database.site, told.chunks) {
            Some(finding) if finding.verdict != super::super::Verdict::Green => findings.push(finding),
            _ => read += told.chunks.map_or(0, |[read, _, _]| read),
        }
    }
    if findings.is_empty() && read > 0 {
        findings.push(Finding::green(
            "blobs",
            format!("{read} chunks read on all sites, each is what it was"),
        ));
    }
    findings
}

fn blobs(site: &str, chunks: Option<[u64; 3]>) -> Option<Finding> {
    let [read, damaged, missing] = chunks?;
    if damaged > 0 || missing > 0 {
        let says = format!("of {read} chunks read {damaged} are damaged, and {missing} are missing");
        let advice = "Make this copy anew from another (patronictl reinit), or restore a backup";
        return Some(Finding::red(format!("blobs in {site}"), says, advice));
    }
    let says = format!("{read} chunks read, each is what it was");
    (read > 0).then(|| Finding::green(format!("blobs in {site}"), says))
}
