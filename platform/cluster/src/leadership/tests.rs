//! Following and confirming, against a real etcd.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use etcd_client::{Client, PutOptions};
use haechi_store::{Leadership as _, Term};
use haechi_testkit::etcd_server::EtcdServer;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::PatroniLeadership;
use crate::Etcd;

const PATIENCE: Duration = Duration::from_secs(10);

/// Plays Patroni at a site: its member key and the leader key hang on one lease.
pub(crate) async fn lead(client: &mut Client, site: &str, port: u16) -> i64 {
    let lease = client.lease_grant(60, None).await.unwrap().id();
    let member = format!(
        r#"{{"conn_url":"postgres://127.0.0.1:{port}/postgres","api_url":"http://127.0.0.1:1/patroni","state":"running","role":"primary","timeline":1}}"#
    );
    let held = Some(PutOptions::new().with_lease(lease));
    let key = format!("/service/haechi/members/{site}");
    client.put(key, member, held.clone()).await.unwrap();
    client.put("/service/haechi/leader", site, held).await.unwrap();
    reckon_for(client, site).await;
    lease
}

/// Patroni reckons the quorum for this leader from now on.
async fn reckon_for(client: &mut Client, site: &str) {
    let sync = format!(r#"{{"leader":"{site}","quorum":1,"sync_standby":"gasan,sejong"}}"#);
    client.put("/service/haechi/sync", sync, None).await.unwrap();
}

/// Waits for the next term, or for its end.
pub(crate) async fn told(
    leadership: &PatroniLeadership,
    wanted: impl Fn(Option<&Term>) -> bool,
) -> Option<Arc<Term>> {
    let mut term = leadership.term();
    let told = term.wait_for(|term| wanted(term.as_deref()));
    timeout(PATIENCE, told).await.unwrap().unwrap().clone()
}

pub(crate) async fn follow(urls: &[String]) -> (PatroniLeadership, Client) {
    let etcd = Etcd::new(urls).await.unwrap();
    let leadership = PatroniLeadership::follow(etcd, "haechi", &CancellationToken::new());
    let last = urls.last().unwrap();
    (leadership, Client::connect([last], None).await.unwrap())
}

#[tokio::test]
async fn a_term_begins_and_ends_with_the_session_of_the_leader() {
    let server = EtcdServer::start(&["pangyo"]);
    let (leadership, mut client) = follow(&server.urls()).await;
    assert!(leadership.term().borrow().is_none());

    let lease = lead(&mut client, "pangyo", 5_001).await;
    let term = told(&leadership, |term| term.is_some()).await.unwrap();
    assert_eq!(
        (term.member.as_str(), term.port, term.lease),
        ("pangyo", 5_001, lease)
    );
    assert_eq!(leadership.confirm(&term, 1).await, Ok(()));

    client.lease_revoke(lease).await.unwrap();
    assert!(told(&leadership, |term| term.is_none()).await.is_none());
    assert_eq!(leadership.confirm(&term, 1).await, Err("nobody leads".to_owned()));
    assert_eq!(leadership.members().first().unwrap().state, "silent");
}

#[tokio::test]
async fn a_term_is_not_confirmed_by_the_same_primary_under_another_session() {
    let server = EtcdServer::start(&["pangyo"]);
    let (leadership, mut client) = follow(&server.urls()).await;
    let lease = lead(&mut client, "pangyo", 5_001).await;
    let before = told(&leadership, |term| term.is_some()).await.unwrap();
    client.lease_revoke(lease).await.unwrap();
    let again = lead(&mut client, "pangyo", 5_001).await;

    let refused = leadership.confirm(&before, 1).await;
    assert_eq!(refused, Err("the term is over".to_owned()));
    let now = told(&leadership, |term| term.is_some_and(|term| term.lease == again))
        .await
        .unwrap();
    assert_eq!(leadership.confirm(&now, 1).await, Ok(()));
}

#[tokio::test]
async fn a_member_of_etcd_that_is_gone_is_passed_over() {
    let server = EtcdServer::start(&["pangyo"]);
    let mut urls = server.urls();
    urls.insert(0, "http://127.0.0.1:1".to_owned());
    let (leadership, mut client) = follow(&urls).await;
    lead(&mut client, "pangyo", 5_001).await;
    let term = told(&leadership, |term| term.is_some()).await.unwrap();
    assert_eq!(leadership.confirm(&term, 1).await, Ok(()));
    assert!(!leadership.is_etcd_silent());
}

#[tokio::test]
async fn a_new_term_confirms_nothing_before_history_and_quorum_are_its_own() {
    let server = EtcdServer::start(&["pangyo"]);
    let (leadership, mut client) = follow(&server.urls()).await;
    lead(&mut client, "gasan", 5_002).await;
    let term = told(&leadership, |term| term.is_some()).await.unwrap();

    reckon_for(&mut client, "pangyo").await;
    let mut confirming = tokio::spawn({
        let (leadership, term) = (leadership.clone(), Arc::clone(&term));
        async move { leadership.confirm(&term, 2).await }
    });
    let early = timeout(super::confirm::SETTLING_LOOK_EVERY * 4, &mut confirming).await;
    assert!(early.is_err(), "{early:?}");
    let history = r#"[[1,84158472,"no recovery target specified","2026-11-22T16:06:50","gasan"]]"#;
    client
        .put("/service/haechi/history", history, None)
        .await
        .unwrap();
    let early = timeout(super::confirm::SETTLING_LOOK_EVERY * 4, &mut confirming).await;
    assert!(
        early.is_err(),
        "the quorum is still reckoned for another: {early:?}"
    );
    reckon_for(&mut client, "gasan").await;
    assert_eq!(confirming.await.unwrap(), Ok(()));
    assert_eq!(leadership.confirm(&term, 2).await, Ok(()));
}
