//! Each verdict can fail: one thing at a time is broken in a cluster where all is well.
#![allow(clippy::unwrap_used)]

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

#[test]
fn where_all_is_well_everything_is_green_and_nothing_would_be_lost() {
    let examination = after(|_| {});
    for finding in examination
        .everywhere
        .iter()
        .chain(examination.sites.iter().flat_map(|site| &site.findings))
    {
        assert_eq!(finding.verdict, Verdict::Green, "{finding:?}");
        assert_eq!(finding.advice, None, "{finding:?}");
    }
    assert_eq!(examination.verdict, Verdict::Green);
    assert_eq!(
        site(&examination, "pangyo").summary,
        "If pangyo burned now: nothing acknowledged would be lost; writes would go on; the others carry 150 % of the \
         present load."
    );
}

#[test]
fn with_one_site_dead_the_next_fire_would_stop_writes() {
    let examination = after(|facts| kill(facts, 3));
    assert_eq!(examination.verdict, Verdict::Red);
    let gasan = site(&examination, "gasan");
    assert!(gasan.lost.is_empty() && !gasan.writes_go_on, "{gasan:#?}");
    assert!(
        gasan
            .summary
            .contains("2 of etcd's 4 members would be left, and 3 are needed"),
        "{}",
        gasan.summary
    );
    assert_eq!(finding(&gasan.findings, "messages").verdict, Verdict::Green);
    // The dead site itself holds nothing that could be lost.
    assert_eq!(site(&examination, "busan").verdict, Verdict::Green);
    assert_eq!(verdict(&examination, "PostgreSQL of busan"), Verdict::Amber);
    assert_eq!(verdict(&examination, "replication to busan"), Verdict::Amber);
    assert_eq!(
        verdict(&examination, "node http://busan:8480 in busan"),
        Verdict::Amber
    );
}

#[test]
fn what_fewer_than_two_other_sites_hold_is_red_and_what_none_holds_is_lost() {
    let two_left = after(|facts| {
        kill(facts, 3);
        kill(facts, 2);
    });
    let pangyo = site(&two_left, "pangyo");
    assert_eq!(finding(&pangyo.findings, "messages").verdict, Verdict::Red);
    assert!(pangyo.lost.is_empty());
    let missing = after(|facts| {
        for place in 1..4 {
            told(facts, place).tables.remove("pay_entry");
        }
    });
    assert_eq!(site(&missing, "pangyo").lost, ["money"]);
    assert_eq!(
        finding(&site(&missing, "pangyo").findings, "messages").verdict,
        Verdict::Green
    );
    assert!(site(&missing, "pangyo").summary.contains("lost would be: money;"));
}

#[test]
fn an_unlogged_table_is_on_the_primary_alone() {
    let examination = after(|facts| {
        for place in 0..4 {
            told(facts, place).tables.insert("chat_event".to_owned(), false);
        }
    });
    let found = finding(&site(&examination, "pangyo").findings, "messages");
    assert_eq!(
        (found.verdict, found.sites.as_slice()),
        (Verdict::Red, ["pangyo".to_owned()].as_slice())
    );
    assert_eq!(site(&examination, "pangyo").lost, ["messages"]);
    assert!(
        site(&examination, "gasan").lost.is_empty(),
        "the fire is elsewhere"
    );
}

#[test]
fn a_standby_far_behind_is_no_copy() {
    let examination = after(|facts| {
        for place in 0..2 {
            told(facts, 0).copies[place].lag_bytes = Some(1 << 30);
        }
    });
    let found = finding(&site(&examination, "pangyo").findings, "messages");
    assert_eq!((found.verdict, found.sites.len()), (Verdict::Red, 2));
    assert_eq!(verdict(&examination, "replication to gasan"), Verdict::Amber);
    let untold = after(|facts| {
        told(facts, 0).copies[0].lag_bytes = None;
        told(facts, 1).log_position = None;
    });
    assert_eq!(verdict(&untold, "replication to gasan"), Verdict::Amber);
    let lonely = after(|facts| told(facts, 0).copies[0].sync_state = "async".to_owned());
    assert_eq!(verdict(&lonely, "replication to gasan"), Verdict::Amber);
}

#[test]
fn who_may_not_know_a_standbys_state_goes_by_where_its_log_ends() {
    let unprivileged = |facts: &mut Facts| {
        for copy in &mut told(facts, 0).copies {
            *copy = Copy {
                site: copy.site.clone(),
                ..Copy::default()
            };
        }
    };
    let examination = after(unprivileged);
    assert_eq!(
        finding(&site(&examination, "pangyo").findings, "messages").verdict,
        Verdict::Green
    );
    let replication = finding(&examination.everywhere, "replication");
    assert_eq!(
        (replication.verdict, replication.sites.len()),
        (Verdict::Amber, 3)
    );
    let behind = after(|facts| {
        unprivileged(facts);
        told(facts, 0).log_position = Some(1 << 30);
        told(facts, 3).log_position = Some(1 << 30);
    });
    let messages = finding(&site(&behind, "pangyo").findings, "messages");
    assert_eq!((messages.verdict, messages.sites.len()), (Verdict::Red, 2));
}

#[test]
fn a_commit_that_waits_for_too_few_is_red() {
    const LATEST: &str = "the latest acknowledged writes";
    for (name, value, lost) in [
        ("synchronous_standby_names", "ANY 1 (gasan,sejong,busan)", false),
        ("synchronous_standby_names", "", true),
        ("synchronous_commit", "local", true),
        ("synchronous_commit", "remote_write", true),
    ] {
        let examination = after(|facts| setting(facts, name, value));
        let pangyo = site(&examination, "pangyo");
        assert_eq!(
            finding(&pangyo.findings, LATEST).verdict,
            Verdict::Red,
            "{name} {value}"
        );
        assert_eq!(!pangyo.lost.is_empty(), lost, "{name} {value}");
    }
    let nobody = after(|facts| told(facts, 0).is_standby = true);
    assert_eq!(
        finding(&site(&nobody, "pangyo").findings, LATEST).verdict,
        Verdict::Amber
    );
    assert_eq!(verdict(&nobody, "primary"), Verdict::Red);
    assert!(!site(&nobody, "gasan").writes_go_on);
    let two = after(|facts| told(facts, 1).is_standby = false);
    assert_eq!(verdict(&two, "primary"), Verdict::Red);
}

#[test]
fn a_promotion_that_cannot_be_safe_stops_writes() {
    // One confirms: of three standbys all are needed to know that one has everything.
    let examination = after(|facts| {
        setting(facts, "synchronous_standby_names", "ANY 1 (gasan,sejong,busan)");
        kill(facts, 3);
    });
    let found = finding(
        &site(&examination, "pangyo").findings,
        "a primary and who confirms",
    );
    assert_eq!(found.verdict, Verdict::Red, "{found:?}");
    let silent = after(|facts| {
        if let Keeping::Replicated { etcd, .. } = &mut facts.keeping {
            *etcd = Some(EtcdMembers::Silent("no majority".to_owned()));
        }
    });
    assert!(!site(&silent, "pangyo").writes_go_on);
    let none = after(|facts| {
        if let Keeping::Replicated { etcd, .. } = &mut facts.keeping {
            *etcd = None;
        }
    });
    assert!(
        site(&none, "pangyo").summary.contains("nobody elects"),
        "{}",
        site(&none, "pangyo").summary
    );
}

#[test]
fn etcds_leader_beside_the_primary_is_told() {
    let examination = after(|facts| {
        if let Keeping::Replicated {
            etcd: Some(EtcdMembers::Voters(voters)),
            ..
        } = &mut facts.keeping
        {
            voters[0].2 = true;
            voters[1].2 = false;
        }
    });
    let of = |name| finding(&site(&examination, name).findings, "election (etcd)").verdict;
    assert_eq!((of("pangyo"), of("gasan")), (Verdict::Amber, Verdict::Green));
}

#[test]
fn survivors_that_cannot_carry_the_load_are_red() {
    let thing = "capacity of the others";
    let with = |capacity: Option<u32>, change: fn(&mut Facts)| {
        let examination = after(|facts| {
            facts
                .sites
                .iter_mut()
                .for_each(|site| site.capacity_per_s = capacity);
            change(facts);
        });
        let pangyo = site(&examination, "pangyo");
        (
            finding(&pangyo.findings, thing).verdict,
            pangyo.others_carry_percent,
        )
    };
    assert_eq!(with(Some(200), |_| {}), (Verdict::Green, Some(150)));
    assert_eq!(with(Some(140), |_| {}), (Verdict::Amber, Some(105)));
    assert_eq!(with(Some(100), |_| {}), (Verdict::Red, Some(75)));
    let one_drains = with(Some(200), |facts| facts.sites[1].is_draining = true);
    assert_eq!(one_drains, (Verdict::Amber, Some(100)));
    // Where nobody measured each site, the last drill tells.
    assert_eq!(with(None, |_| {}), (Verdict::Green, None));
    assert_eq!(
        with(None, |facts| facts.drill.as_mut().unwrap().capacity_left =
            Some(0.7)),
        (Verdict::Red, None)
    );
    assert_eq!(
        with(None, |facts| facts.drill.as_mut().unwrap().held_at = days_ago(31)),
        (Verdict::Amber, None)
    );
    assert_eq!(with(None, |facts| facts.drill = None), (Verdict::Amber, None));
    assert_eq!(with(None, |facts| facts.nodes.truncate(1)), (Verdict::Red, None));
}

#[test]
fn a_key_or_a_setting_in_one_site_only_would_burn_with_it() {
    let key = after(|facts| {
        for node in &mut facts.nodes[1..] {
            node.told = NodeTold::AnotherKey;
        }
    });
    assert!(site(&key, "pangyo").lost.contains(&"master key".to_owned()));
    assert_eq!(verdict(&key, "node http://gasan:8480 in gasan"), Verdict::Red);
    let gateway = after(|facts| {
        if let NodeTold::All { settings, .. } = &mut facts.nodes[0].told {
            settings.insert("code-gateway".to_owned(), "https://sms.example".to_owned());
        }
    });
    assert_eq!(site(&gateway, "pangyo").lost, ["setting code-gateway"]);
    let found = finding(&site(&gateway, "pangyo").findings, "setting code-gateway");
    assert_eq!(
        (found.verdict, found.sites.as_slice()),
        (Verdict::Red, ["pangyo".to_owned()].as_slice())
    );
    let other = after(|facts| {
        if let NodeTold::All { settings, .. } = &mut facts.nodes[3].told {
            settings.insert("country".to_owned(), "JP".to_owned());
        }
    });
    let found = finding(&site(&other, "pangyo").findings, "setting country");
    assert_eq!(
        found.sites,
        ["gasan", "pangyo", "sejong"],
        "the odd one is not among them"
    );
}

#[test]
fn nodes_in_too_few_other_sites_are_red() {
    let examination = after(|facts| facts.nodes.truncate(2));
    let of = |name| finding(&site(&examination, name).findings, "nodes that serve").verdict;
    assert_eq!((of("pangyo"), of("busan")), (Verdict::Red, Verdict::Green));
}

#[test]
fn clocks_are_judged_by_the_middle_of_all_and_not_by_ours() {
    let shifted = |shifts: [i64; 4]| {
        after(|facts| {
            for (node, shift) in facts.nodes.iter_mut().zip(shifts) {
                if let NodeTold::All { clock_ahead_us, .. } = &mut node.told {
                    *clock_ahead_us = shift;
                }
            }
        })
    };
    let ours_is_wrong = shifted([9_000_000, 9_000_100, 9_000_200, 9_000_300]);
    assert_eq!(verdict(&ours_is_wrong, "clocks"), Verdict::Green);
    assert_eq!(
        verdict(&shifted([0, 0, 0, 2_000_000]), "clock of busan"),
        Verdict::Red
    );
    assert_eq!(
        verdict(&shifted([0, 0, 0, -400_000]), "clock of busan"),
        Verdict::Amber
    );
}

#[test]
fn databases_that_could_forget_are_red() {
    for (name, expected) in [
        ("fsync", Verdict::Red),
        ("full_page_writes", Verdict::Red),
        ("data_checksums", Verdict::Amber),
    ] {
        let examination = after(|facts| {
            told(facts, 2).settings.insert(name.to_owned(), "off".to_owned());
        });
        assert_eq!(
            verdict(&examination, &format!("{name} of the PostgreSQL in sejong")),
            expected
        );
    }
    let blobs = after(|facts| told(facts, 1).chunks = Some([9, 1, 0]));
    assert_eq!(verdict(&blobs, "blobs in gasan"), Verdict::Red);
    let version = after(|facts| told(facts, 1).version = "15.1".to_owned());
    assert_eq!(verdict(&version, "versions of PostgreSQL"), Verdict::Amber);
    let rules = after(|facts| {
        if let Keeping::Replicated {
            patroni: Some(rules), ..
        } = &mut facts.keeping
        {
            rules.is_strict = false;
        }
    });
    assert_eq!(verdict(&rules, "rules of Patroni"), Verdict::Red);
}

#[test]
fn what_grows_old_is_told_before_it_is_too_late() {
    let backup = |days| after(|facts| facts.backup.as_mut().unwrap().finished_at = days_ago(days));
    assert_eq!(verdict(&backup(2), "backup"), Verdict::Amber);
    assert_eq!(verdict(&backup(4), "backup"), Verdict::Red);
    assert_eq!(
        verdict(&after(|facts| facts.backup = None), "backup"),
        Verdict::Red
    );
    assert_eq!(
        verdict(&after(|facts| facts.drill = None), "drill"),
        Verdict::Amber
    );
    assert_eq!(
        verdict(&after(|facts| facts.drill.as_mut().unwrap().lost = 1), "drill"),
        Verdict::Red
    );
    let certificate = |expires_at: Result<Time, String>| {
        let examination = after(|facts| facts.certificates[0].expires_at = expires_at);
        verdict(&examination, "certificate of https://pangyo.example")
    };
    assert_eq!(certificate(Ok(days_ago(-20))), Verdict::Amber);
    assert_eq!(certificate(Ok(days_ago(-3))), Verdict::Red);
    assert_eq!(certificate(Ok(days_ago(1))), Verdict::Red);
    assert_eq!(certificate(Err("refused".to_owned())), Verdict::Amber);
    let disk = |free_bytes| {
        let disk = Disk {
            free_bytes,
            size_bytes: 100,
        };
        verdict(
            &after(|facts| told(facts, 1).disk = Some(disk)),
            "disk of the PostgreSQL in gasan",
        )
    };
    assert_eq!((disk(4), disk(19)), (Verdict::Red, Verdict::Amber));
    assert_eq!(
        verdict(&after(|facts| told(facts, 1).disk = None), "disks of PostgreSQL"),
        Verdict::Amber
    );
}

#[test]
fn what_is_behind_unencrypted_or_outside_is_named() {
    let version = after(|facts| facts.nodes[0].version = "0.2.0".to_owned());
    assert_eq!(verdict(&version, "versions"), Verdict::Amber);
    let migrations = after(|facts| facts.missing_migrations.push("chat 2 (poll)".to_owned()));
    assert_eq!(verdict(&migrations, "migrations"), Verdict::Red);
    let jobs = after(|facts| facts.late_jobs.push("chat.clean: no room".to_owned()));
    assert_eq!(verdict(&jobs, "background jobs"), Verdict::Amber);
    let open = after(|facts| facts.unencrypted.push("http://gasan.example".to_owned()));
    assert_eq!(verdict(&open, "encryption on the way"), Verdict::Amber);
    let place = |place: Place| {
        let examination = after(|facts| {
            let what = "one-time codes".to_owned();
            facts.dependencies.push(Dependency { what, place });
        });
        verdict(&examination, "outside: one-time codes")
    };
    assert_eq!(place(Place::Inside("none".to_owned())), Verdict::Green);
    assert_eq!(
        place(Place::Address("https://sms.example".to_owned())),
        Verdict::Amber
    );
    assert_eq!(place(Place::Development("shown".to_owned())), Verdict::Amber);
}

#[test]
fn an_embedded_file_is_in_one_place_and_everything_in_it_would_be_lost() {
    let examination = after(|facts| {
        facts.sites.truncate(1);
        facts.nodes.clear();
        facts.key = MasterKeyPlace::BesideTheFile("/data/haechi.sqlite.key".to_owned());
        facts.keeping = Keeping::Embedded {
            path: "/data/haechi.sqlite".to_owned(),
            disk: Some(DISK),
            chunks: Some([3, 0, 0]),
        };
    });
    let here = &examination.sites[0];
    assert_eq!(examination.verdict, Verdict::Red);
    assert_eq!(here.lost, ["messages", "money", "master key"]);
    assert!(!here.writes_go_on);
    let found = finding(&here.findings, "messages");
    assert!(
        found.advice.as_ref().unwrap().contains("haechi migrate"),
        "{found:?}"
    );
}

#[test]
fn nobody_to_examine_is_not_well() {
    let examination = after(|facts| facts.sites.clear());
    assert_eq!(examination.verdict, Verdict::Red);
}
