//! The job that carries a drain out, on an engine that is written down: what a real one does is tried by `haechi drill
//! --drain`.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use haechi_service::CancellationToken;
use haechi_testkit::{TestStore, on_both_engines, operator};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use super::{House, named, start_on};
use crate::engine::{Engine, EngineError, EtcdMembership};
use crate::model::{EngineFacts, EtcdFact, PostgresFact, SiteState};
use crate::relief;

const FOUR: [&str; 4] = ["pangyo", "gasan", "sejong", "busan"];

/// An engine of four sites: it does what it is asked, unless it is told to fail.
struct Written {
    facts: Mutex<EngineFacts>,
    done: Mutex<Vec<String>>,
    fails: Mutex<bool>,
    /// The site of a primary whose disk is full.
    full: watch::Sender<Option<String>>,
    moved: Notify,
}

impl Written {
    fn new() -> Arc<Self> {
        let postgres = |site: &str| PostgresFact {
            site: site.to_owned(),
            is_reachable: true,
            state: "streaming".to_owned(),
            log_position: Some(1),
        };
        let etcd = |site: &str| EtcdFact {
            site: site.to_owned(),
            is_reachable: true,
            is_leader: site == "gasan",
            is_learner: false,
        };
        Arc::new(Self {
            facts: Mutex::new(EngineFacts {
                leader: Some("pangyo".to_owned()),
                postgres: FOUR.map(postgres).to_vec(),
                etcd: FOUR.map(etcd).to_vec(),
            }),
            done: Mutex::default(),
            fails: Mutex::new(false),
            full: watch::Sender::new(None),
            moved: Notify::new(),
        })
    }

    fn note(&self, what: String) -> Result<(), EngineError> {
        self.done.lock().push(what);
        if *self.fails.lock() {
            return Err(EngineError::Unreachable("no answer".to_owned()));
        }
        Ok(())
    }

    fn done(&self) -> Vec<String> {
        std::mem::take(&mut *self.done.lock())
    }
}

impl Engine for Written {
    fn look(&self) -> BoxFuture<'_, Result<EngineFacts, EngineError>> {
        Box::pin(async { Ok(self.facts.lock().clone()) })
    }

    fn move_primary<'a>(&'a self, from: &'a str) -> BoxFuture<'a, Result<String, EngineError>> {
        Box::pin(async move {
            self.note(format!("primary from {from}"))?;
            self.facts.lock().leader = Some("sejong".to_owned());
            self.moved.notify_one();
            Ok("sejong".to_owned())
        })
    }

    fn full_disk(&self) -> BoxFuture<'_, String> {
        Box::pin(async {
            let mut full = self.full.subscribe();
            let site = full.wait_for(Option::is_some).await;
            let site = site.unwrap().clone().unwrap();
            self.full.send_replace(None);
            site
        })
    }

    fn move_etcd_leader<'a>(&'a self, to: &'a str) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(async move {
            self.note(format!("etcd to {to}"))?;
            for member in &mut self.facts.lock().etcd {
                member.is_leader = member.site == to;
            }
            Ok(())
        })
    }

    fn add_etcd_member<'a>(
        &'a self,
        site: &'a str,
        _: &'a str,
    ) -> BoxFuture<'a, Result<EtcdMembership, EngineError>> {
        Box::pin(async move { Err(EngineError::Refused(site.to_owned())) })
    }

    fn promote_learners(&self) -> BoxFuture<'_, Result<usize, EngineError>> {
        Box::pin(async {
            self.note("promote".to_owned())?;
            Ok(0)
        })
    }

    fn remove_etcd_member<'a>(&'a self, site: &'a str) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(async move { Err(EngineError::Refused(site.to_owned())) })
    }
}

impl House {
    async fn wish(&self, site: &str, state: SiteState) {
        let site = named(site);
        self.continuity
            .change_site(&operator(), &site, state)
            .await
            .unwrap();
    }

    /// Runs what is due now, and lets the time until the next look pass.
    async fn run_jobs(&self) {
        self.app.run_due_jobs().await;
        self.app.advance(Duration::from_secs(2));
    }
}

async fn house(store: TestStore) -> (House, Arc<Written>) {
    let engine = Written::new();
    let house = start_on(store, Some(engine.clone()))
        .await
        .with_sites(&FOUR)
        .await;
    (house, engine)
}

async fn a_wish_to_drain_moves_the_primary_once_and_keeps_it_away(store: TestStore) {
    let (house, engine) = house(store).await;
    house.run_jobs().await;
    assert_eq!(engine.done(), Vec::<String>::new());
    house.wish("pangyo", SiteState::Draining).await;
    house.run_jobs().await;
    assert_eq!(engine.done(), ["primary from pangyo"]);
    for _ in 0..3 {
        house.run_jobs().await;
    }
    assert_eq!(engine.done(), Vec::<String>::new());
    // A fail-over brings it back while the site still drains: it is moved off again.
    engine.facts.lock().leader = Some("pangyo".to_owned());
    house.run_jobs().await;
    assert_eq!(engine.done(), ["primary from pangyo"]);
}

async fn a_site_that_returns_is_left_alone(store: TestStore) {
    let (house, engine) = house(store).await;
    house.wish("pangyo", SiteState::Draining).await;
    house.run_jobs().await;
    engine.done();
    house.wish("pangyo", SiteState::Active).await;
    engine.facts.lock().leader = Some("pangyo".to_owned());
    for _ in 0..3 {
        house.run_jobs().await;
    }
    assert_eq!(engine.done(), Vec::<String>::new());
    // And may be drained anew.
    house.wish("pangyo", SiteState::Draining).await;
    house.run_jobs().await;
    assert_eq!(engine.done(), ["primary from pangyo"]);
}

async fn what_fails_is_tried_again_soon_until_it_is_done(store: TestStore) {
    let (house, engine) = house(store).await;
    *engine.fails.lock() = true;
    house.wish("pangyo", SiteState::Draining).await;
    house.wish("gasan", SiteState::Draining).await;
    for _ in 0..5 {
        house.run_jobs().await;
        let done = engine.done();
        assert_eq!(done.len(), 2, "{done:?}");
    }
    *engine.fails.lock() = false;
    house.run_jobs().await;
    assert_eq!(engine.done(), ["primary from pangyo", "etcd to sejong"]);
    house.run_jobs().await;
    assert_eq!(engine.done().len(), 0);
}

async fn a_primary_whose_disk_is_full_leaves_its_site(store: TestStore) {
    let (house, engine) = house(store).await;
    let end = CancellationToken::new();
    let relieving = tokio::spawn(relief::run(house.continuity.clone(), end.clone()));
    engine.full.send_replace(Some("pangyo".to_owned()));
    timeout(Duration::from_secs(10), engine.moved.notified())
        .await
        .unwrap();
    assert_eq!(engine.done(), ["primary from pangyo"]);
    end.cancel();
    timeout(Duration::from_secs(10), relieving)
        .await
        .unwrap()
        .unwrap();
}

on_both_engines!(
    a_wish_to_drain_moves_the_primary_once_and_keeps_it_away,
    a_site_that_returns_is_left_alone,
    what_fails_is_tried_again_soon_until_it_is_done,
    a_primary_whose_disk_is_full_leaves_its_site,
);
