//! What a fire would take, and whether the others could carry on.

use super::*;

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
    assert_eq!(found.verdict, Verdict::Amber, "enough sites hold it, but not all");
    assert!(site(&other, "pangyo").lost.is_empty());
}

#[test]
fn a_setting_that_one_node_of_a_site_lacks_is_not_alike_on_every_node() {
    let examination = after(|facts| {
        let mut second = node("pangyo");
        if let NodeTold::All { settings, .. } = &mut second.told {
            settings.remove("country");
        }
        facts.nodes.push(second);
    });
    for name in NAMES {
        let found = &site(&examination, name).findings;
        let country = finding(found, "setting country");
        assert_eq!((country.verdict, country.sites.len()), (Verdict::Amber, 4));
        assert!(
            country.advice.as_ref().unwrap().contains("--country"),
            "{country:?}"
        );
        assert!(
            found.iter().all(|finding| finding.thing != "settings"),
            "{found:#?}"
        );
    }
    // The same node with all settings is one more of the same.
    let alike = after(|facts| facts.nodes.push(node("pangyo")));
    let settings = finding(&site(&alike, "pangyo").findings, "settings");
    assert_eq!(settings.verdict, Verdict::Green);
    assert!(settings.says.contains("alike on every node"), "{settings:?}");
}

#[test]
fn nodes_in_too_few_other_sites_are_red() {
    let examination = after(|facts| facts.nodes.truncate(2));
    let of = |name| finding(&site(&examination, name).findings, "nodes that serve").verdict;
    assert_eq!((of("pangyo"), of("busan")), (Verdict::Red, Verdict::Green));
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
