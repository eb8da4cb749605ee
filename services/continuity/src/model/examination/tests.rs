//! Each verdict can fail: one thing at a time is broken in a cluster where all is well.
#![allow(clippy::unwrap_used)]

mod fires;
mod upkeep;

use std::collections::BTreeMap;

use haechi_base::Time;

use super::facts::*;
use super::{Examination, Finding, SiteExamination, Verdict, examine};

const NAMES: [&str; 4] = ["pangyo", "gasan", "sejong", "busan"];
const DAY_US: i64 = 24 * 60 * 60 * 1_000_000;

fn now() -> Time {
    Time::from_micros(1_000 * DAY_US)
}

fn days_ago(days: i64) -> Time {
    Time::from_micros(now().micros() - days * DAY_US)
}

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(pair).collect()
}

const DISK: Disk = Disk {
    free_bytes: 60,
    size_bytes: 100,
};

fn database(site: &str) -> Database {
    let is_standby = site != "pangyo";
    let copy = |site: &&str| Copy {
        site: (*site).to_owned(),
        state: "streaming".to_owned(),
        sync_state: "quorum".to_owned(),
        lag_bytes: Some(100),
        lag_ms: Some(3),
    };
    let told = DatabaseFacts {
        is_standby,
        version: "15.14".to_owned(),
        log_position: Some(5_000),
        settings: pairs(&[
            ("fsync", "on"),
            ("full_page_writes", "on"),
            ("data_checksums", "on"),
            ("synchronous_commit", "on"),
            ("synchronous_standby_names", "ANY 2 (gasan,sejong,busan)"),
        ]),
        tables: BTreeMap::from([("chat_event".to_owned(), true), ("pay_entry".to_owned(), true)]),
        copies: if is_standby {
            Vec::new()
        } else {
            NAMES[1..].iter().map(copy).collect()
        },
        chunks: Some([9, 0, 0]),
        disk: Some(DISK),
    };
    Database {
        site: site.to_owned(),
        host: format!("{site}:5432"),
        told: Ok(told),
    }
}

fn node(site: &str) -> NodeFacts {
    NodeFacts {
        site: site.to_owned(),
        url: format!("http://{site}:8480"),
        version: "0.1.0".to_owned(),
        told: NodeTold::All {
            requests_per_s: 100,
            clock_ahead_us: 2_000,
            clock_error_us: 500,
            is_clock_trusted: true,
            settings: pairs(&[("server-name", "haechi.example"), ("country", "KR")]),
            disk: Some(DISK),
        },
    }
}

/// Four sites, and nothing to do.
fn well() -> Facts {
    let kind = |name: &str, table: &str| Kind {
        name: name.to_owned(),
        tables: vec![KindTable {
            name: table.to_owned(),
            rows: Some(7),
        }],
    };
    let site = |name: &&str| ExaminedSite {
        name: (*name).to_owned(),
        capacity_per_s: Some(200),
        is_draining: false,
    };
    Facts {
        now: now(),
        sites: NAMES.iter().map(site).collect(),
        keeping: Keeping::Replicated {
            databases: NAMES.iter().map(|name| database(name)).collect(),
            etcd: Some(EtcdMembers::Voters(
                NAMES
                    .iter()
                    .map(|name| ((*name).to_owned(), true, *name == "gasan"))
                    .collect(),
            )),
            patroni: Some(PatroniRules {
                synchronous_mode: "quorum".to_owned(),
                is_strict: true,
                synchronous_node_count: 2,
            }),
        },
        kinds: vec![kind("messages", "chat_event"), kind("money", "pay_entry")],
        nodes: NAMES.iter().map(|name| node(name)).collect(),
        key: MasterKeyPlace::Given,
        backup: Some(BackupFacts {
            name: "20261122F".to_owned(),
            place: "stanza haechi".to_owned(),
            finished_at: days_ago(1),
        }),
        drill: Some(DrillFacts {
            held_at: days_ago(3),
            fault: "burn".to_owned(),
            lost: 0,
            duplicated: 0,
            capacity_left: Some(0.95),
        }),
        missing_migrations: Vec::new(),
        late_jobs: Vec::new(),
        certificates: vec![CertificateFacts {
            of: "https://pangyo.example".to_owned(),
            expires_at: Ok(days_ago(-60)),
        }],
        unencrypted: Vec::new(),
        dependencies: Vec::new(),
    }
}

/// All is well but for this.
fn after(change: impl FnOnce(&mut Facts)) -> Examination {
    let mut facts = well();
    change(&mut facts);
    examine(&facts)
}

fn databases(facts: &mut Facts) -> &mut Vec<Database> {
    match &mut facts.keeping {
        Keeping::Replicated { databases, .. } => databases,
        Keeping::Embedded { .. } => unreachable!("the facts are of a cluster"),
    }
}

/// The database of the site at that place.
fn told(facts: &mut Facts, place: usize) -> &mut DatabaseFacts {
    databases(facts)[place].told.as_mut().unwrap()
}

fn setting(facts: &mut Facts, name: &str, value: &str) {
    told(facts, 0).settings.insert(name.to_owned(), value.to_owned());
}

fn site<'e>(examination: &'e Examination, name: &str) -> &'e SiteExamination {
    examination.sites.iter().find(|site| site.site == name).unwrap()
}

fn finding<'f>(findings: &'f [Finding], thing: &str) -> &'f Finding {
    let found = findings.iter().find(|finding| finding.thing == thing);
    found.unwrap_or_else(|| unreachable!("no {thing} in {findings:#?}"))
}

fn verdict(examination: &Examination, thing: &str) -> Verdict {
    finding(&examination.everywhere, thing).verdict
}

/// The site's processes are gone: its database, its node and its etcd do not answer.
fn kill(facts: &mut Facts, place: usize) {
    databases(facts)[place].told = Err("refused".to_owned());
    facts.nodes[place].told = NodeTold::Nothing("refused".to_owned());
    if let Keeping::Replicated {
        etcd: Some(EtcdMembers::Voters(voters)),
        ..
    } = &mut facts.keeping
    {
        voters[place].1 = false;
    }
    if place > 0 {
        told(facts, 0).copies.remove(place - 1);
    }
}
