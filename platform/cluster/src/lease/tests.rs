//! Who takes which lease, and who gives one away.
#![allow(clippy::unwrap_used)]

use haechi_base::uuid::Uuid;

use super::*;

fn node(number: u128) -> NodeId {
    NodeId::from_uuid(Uuid::from_u128(number))
}

fn at(seconds: i64) -> Time {
    Time::from_micros(seconds * 1_000_000)
}

fn candidates(sites: &[(u128, &str)]) -> Vec<Candidate> {
    let candidate = |(number, site): &(u128, &str)| Candidate {
        node_id: node(*number),
        site: (*site).to_owned(),
    };
    sites.iter().map(candidate).collect()
}

fn names() -> Vec<String> {
    ["a", "b", "c", "d"].map(str::to_owned).to_vec()
}

fn rows(owners: &[(&str, u128, i64)]) -> BTreeMap<String, LeaseRow> {
    let row = |(name, owner, expires_s): &(&str, u128, i64)| {
        let row = LeaseRow {
            owner: node(*owner),
            expires_at: at(*expires_s),
        };
        ((*name).to_owned(), row)
    };
    owners.iter().map(row).collect()
}

/// The names that `here` takes or gives, and to whom.
fn moves(
    here: u128,
    candidates: &[Candidate],
    rows: &BTreeMap<String, LeaseRow>,
    preferred_site: Option<&str>,
    is_settled: bool,
) -> Vec<(String, NodeId)> {
    let outlook = Outlook {
        here: node(here),
        now: at(100),
        names: &names(),
        rows,
        candidates,
        preferred_site,
        is_settled,
    };
    let moves = outlook.moves().into_iter();
    moves.map(|step| (step.name, step.to)).collect()
}

fn taken(here: u128, names: &[&str]) -> Vec<(String, NodeId)> {
    names
        .iter()
        .map(|name| ((*name).to_owned(), node(here)))
        .collect()
}

#[test]
fn new_leases_are_spread_evenly_and_each_is_taken_by_one() {
    let two = candidates(&[(1, "pangyo"), (2, "busan")]);
    assert_eq!(moves(1, &two, &rows(&[]), None, false), taken(1, &["a", "c"]));
    assert_eq!(moves(2, &two, &rows(&[]), None, false), taken(2, &["b", "d"]));
}

#[test]
fn the_primarys_site_holds_them_all_when_it_has_a_node() {
    let two = candidates(&[(1, "pangyo"), (2, "busan")]);
    assert_eq!(moves(1, &two, &rows(&[]), Some("busan"), true), []);
    assert_eq!(
        moves(2, &two, &rows(&[]), Some("busan"), true),
        taken(2, &["a", "b", "c", "d"])
    );
    assert_eq!(
        moves(1, &two, &rows(&[]), Some("sejong"), true),
        taken(1, &["a", "c"]),
        "a site without nodes leaves them spread"
    );
}

#[test]
fn a_lease_is_taken_only_when_it_missed_a_beat_and_its_owner_is_silent() {
    let two = candidates(&[(1, ""), (2, "")]);
    let one = candidates(&[(1, "")]);
    let renewed = rows(&[("a", 2, 102), ("b", 2, 102), ("c", 2, 102), ("d", 2, 102)]);
    assert_eq!(
        moves(1, &one, &renewed, None, true),
        [],
        "silent, renewed a second ago"
    );
    let missed = rows(&[("a", 2, 101), ("b", 2, 101), ("c", 2, 101), ("d", 2, 101)]);
    assert_eq!(
        moves(1, &one, &missed, None, true),
        taken(1, &["a", "b", "c", "d"])
    );
    assert_eq!(moves(1, &two, &missed, None, true), [], "it speaks");
    let expired = rows(&[("a", 2, 99), ("b", 2, 99), ("c", 2, 99), ("d", 2, 99)]);
    assert_eq!(moves(1, &two, &expired, None, true), [], "expired, not silent");
    assert_eq!(
        moves(1, &one, &expired, None, true),
        taken(1, &["a", "b", "c", "d"])
    );
    let long_expired = rows(&[("a", 2, 89), ("b", 2, 89), ("c", 2, 89), ("d", 2, 89)]);
    assert_eq!(
        moves(1, &two, &long_expired, None, true),
        taken(1, &["a", "b", "c", "d"]),
        "it speaks and does not renew"
    );
}

#[test]
fn a_lease_that_its_heir_leaves_lying_is_taken_by_another() {
    let two = candidates(&[(1, ""), (2, "")]);
    let just = rows(&[("a", 3, 99), ("b", 3, 99), ("c", 3, 99), ("d", 3, 99)]);
    assert_eq!(moves(1, &two, &just, None, true), taken(1, &["a", "c"]));
    let long = rows(&[("a", 3, 97), ("b", 3, 97), ("c", 3, 97), ("d", 3, 97)]);
    assert_eq!(moves(1, &two, &long, None, true), taken(1, &["a", "b", "c", "d"]));
}

#[test]
fn a_newcomer_is_given_its_share_once_things_have_settled() {
    let two = candidates(&[(1, ""), (2, "")]);
    let all_here = rows(&[("a", 1, 102), ("b", 1, 102), ("c", 1, 102), ("d", 1, 102)]);
    assert_eq!(moves(1, &two, &all_here, None, false), []);
    assert_eq!(
        moves(1, &two, &all_here, None, true),
        [("b".to_owned(), node(2)), ("d".to_owned(), node(2))]
    );
}

#[test]
fn who_leaves_gives_all_away_and_takes_none() {
    let other = candidates(&[(2, "")]);
    let all_here = rows(&[("a", 1, 102), ("b", 1, 102), ("c", 1, 102)]);
    assert_eq!(
        moves(1, &other, &all_here, None, true),
        [
            ("a".to_owned(), node(2)),
            ("b".to_owned(), node(2)),
            ("c".to_owned(), node(2))
        ]
    );
    assert_eq!(
        moves(1, &[], &all_here, None, true),
        [],
        "there is nobody to give them to"
    );
}
