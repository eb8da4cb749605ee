//! The vote on a silent site, in a real etcd with a member a site.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use haechi_store::Term;
use haechi_testkit::etcd_server::EtcdServer;

use super::Watched;
use super::members::EtcdMembers;
use super::vote::Voter;
use crate::leadership::tests::{follow, lead, told};
use crate::{Etcd, PatroniLeadership};

/// Three sites, and who may vote in two of them.
struct Sites {
    _server: EtcdServer,
    leadership: PatroniLeadership,
    client: etcd_client::Client,
    gasan: Voter,
    busan: Voter,
}

async fn sites() -> Sites {
    let server = EtcdServer::start(&["pangyo", "gasan", "busan"]);
    let (leadership, client) = follow(&server.urls()).await;
    let members = EtcdMembers::default();
    let etcd = Etcd::new(&server.urls()).await.unwrap();
    let following = tokio::spawn(members.clone().follow(etcd));
    while members.majority().is_none() {
        tokio::task::yield_now().await;
    }
    following.abort();
    let voter = |site: &str| Voter::new(leadership.clone(), members.clone(), site.to_owned());
    Sites {
        gasan: voter("gasan"),
        busan: voter("busan"),
        _server: server,
        leadership,
        client,
    }
}

async fn leader(client: &mut etcd_client::Client) -> Option<(String, i64)> {
    let found = client.get("/service/haechi/leader", None).await.unwrap();
    let key = found.kvs().first()?;
    Some((key.value_str().unwrap().to_owned(), key.lease()))
}

#[tokio::test]
async fn a_session_ends_when_a_majority_of_sites_voted_against_it_and_not_before() {
    let mut sites = sites().await;
    let lease = lead(&mut sites.client, "pangyo", 5_001).await;
    let term = told(&sites.leadership, |term| term.is_some()).await.unwrap();

    sites.gasan.vote_against(&term).await;
    sites.gasan.vote_against(&term).await;
    let still = Some(("pangyo".to_owned(), lease));
    assert_eq!(
        leader(&mut sites.client).await,
        still,
        "one site of three is no majority"
    );

    sites.busan.vote_against(&term).await;
    assert_eq!(leader(&mut sites.client).await, None);
    let member = sites
        .client
        .get("/service/haechi/members/pangyo", None)
        .await
        .unwrap();
    assert!(
        member.kvs().is_empty(),
        "the member's key hangs on the same session"
    );
}

#[tokio::test]
async fn a_newer_session_is_not_touched_by_votes_against_the_last() {
    let mut sites = sites().await;
    let old = lead(&mut sites.client, "pangyo", 5_001).await;
    let term = told(&sites.leadership, |term| term.is_some()).await.unwrap();
    sites.client.lease_revoke(old).await.unwrap();
    let new = lead(&mut sites.client, "busan", 5_003).await;

    sites.gasan.vote_against(&term).await;
    sites.busan.vote_against(&term).await;
    assert_eq!(leader(&mut sites.client).await, Some(("busan".to_owned(), new)));
}

#[tokio::test]
async fn it_is_quiet_after_a_revocation() {
    let mut sites = sites().await;
    lead(&mut sites.client, "pangyo", 5_001).await;
    let first = told(&sites.leadership, |term| term.is_some()).await.unwrap();
    sites.gasan.vote_against(&first).await;
    sites.busan.vote_against(&first).await;
    told(&sites.leadership, |term| term.is_none()).await;

    let lease = lead(&mut sites.client, "pangyo", 5_001).await;
    let second = told(&sites.leadership, |term| term.is_some()).await.unwrap();
    sites.gasan.vote_against(&second).await;
    sites.busan.vote_against(&second).await;
    assert_eq!(
        leader(&mut sites.client).await,
        Some(("pangyo".to_owned(), lease))
    );
}

#[tokio::test]
async fn a_revocation_that_was_begun_and_not_finished_is_finished_by_another() {
    let mut sites = sites().await;
    let lease = lead(&mut sites.client, "pangyo", 5_001).await;
    let term = told(&sites.leadership, |term| term.is_some()).await.unwrap();
    // Who wrote this died before it revoked the lease.
    let begun = format!("{lease:x}");
    sites
        .client
        .put("/haechi/haechi/quiet", begun, None)
        .await
        .unwrap();
    sites.gasan.vote_against(&term).await;
    assert!(
        leader(&mut sites.client).await.is_some(),
        "one site is no majority"
    );
    sites.busan.vote_against(&term).await;
    assert_eq!(leader(&mut sites.client).await, None);
}

#[tokio::test]
async fn a_silent_site_is_left_alone_while_its_term_is_young() {
    let mut watched = Watched::begin(Arc::new(Term {
        member: "pangyo".to_owned(),
        host: "127.0.1.1".to_owned(),
        port: 5_432,
        lease: 1,
        create_revision: 1,
    }));
    let begun = watched.since;
    let after = |seconds| begun + Duration::from_secs(seconds);
    assert!(!watched.is_to_be_ended(after(59)), "young");
    assert!(watched.is_to_be_ended(after(60)));
    watched.answered_at = after(60);
    assert!(!watched.is_to_be_ended(after(60)), "it answers");
    assert!(watched.is_to_be_ended(after(61)));
}

#[tokio::test]
async fn votes_of_sites_that_etcd_does_not_know_do_not_count() {
    let mut sites = sites().await;
    let lease = lead(&mut sites.client, "pangyo", 5_001).await;
    let term = told(&sites.leadership, |term| term.is_some()).await.unwrap();
    for stranger in ["nowhere", "elsewhere"] {
        let key = format!("/haechi/haechi/silent/{lease:x}/{stranger}");
        sites.client.put(key, "pangyo", None).await.unwrap();
    }
    sites.gasan.vote_against(&term).await;
    assert_eq!(
        leader(&mut sites.client).await,
        Some(("pangyo".to_owned(), lease))
    );
}
