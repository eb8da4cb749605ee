//! Several nodes note the same loss: it is kept once.

use std::time::Duration;

use haechi_base::Time;
use haechi_store::{StoreError, Tx};
use haechi_testkit::{TestStore, on_both_engines};
use serde_json::{Value, json};

use super::{House, named, start};
use crate::model::IncidentId;
use crate::ops;

impl House {
    async fn lost(&self, noticed_by: &'static str, lost_at: Time) {
        let id = IncidentId::new(self.app.context.now());
        let note = async move |tx: &mut Tx<'_>| {
            ops::note_lost(tx, id, &named("pangyo"), &named(noticed_by), lost_at).await
        };
        self.app.context.store.write_unkeyed(note).await.unwrap();
        self.app.advance(Duration::from_millis(1));
    }

    async fn returned(&self, returned_at: Time) {
        let note = async move |tx: &mut Tx<'_>| ops::note_returned(tx, &named("pangyo"), returned_at).await;
        self.app
            .context
            .store
            .write_unkeyed::<_, StoreError, _>(note)
            .await
            .unwrap();
    }

    /// What staff reads: by whom, from when to when, in seconds; newest first.
    async fn incidents(&self, token: &str) -> Vec<(String, i64, Option<i64>)> {
        let path = "/api/continuity/incidents";
        let page = self.app.get(path).bearer(token).send().await.expect(200).json();
        let second = |time: &Value| Some(time.as_i64()? / 1_000_000);
        let line = |incident: &Value| {
            assert_eq!(incident["site"], "pangyo");
            let by = incident["noticed_by"].as_str().unwrap().to_owned();
            (
                by,
                second(&incident["lost_at"]).unwrap(),
                second(&incident["returned_at"]),
            )
        };
        page["items"].as_array().unwrap().iter().map(line).collect()
    }
}

fn at(second: i64) -> Time {
    Time::from_micros(second * 1_000_000)
}

async fn a_loss_that_three_nodes_note_is_one_incident(store: TestStore) {
    let house = start(store)
        .await
        .with_sites(&["pangyo", "gasan", "sejong"])
        .await;
    let token = house.administrator().await.access_token;
    house.lost("gasan", at(101)).await;
    house.lost("sejong", at(100)).await;
    house.lost("gasan", at(102)).await;
    assert_eq!(house.incidents(&token).await, [("gasan".to_owned(), 100, None)]);
    for second in [160, 161, 162] {
        house.returned(at(second)).await;
    }
    let once = ("gasan".to_owned(), 100, Some(160));
    assert_eq!(house.incidents(&token).await, std::slice::from_ref(&once));
    // Who was cut off and tells of it late adds nothing.
    house.lost("sejong", at(103)).await;
    assert_eq!(house.incidents(&token).await, std::slice::from_ref(&once));
    house.lost("sejong", at(500)).await;
    assert_eq!(
        house.incidents(&token).await,
        [("sejong".to_owned(), 500, None), once]
    );
}

async fn a_return_that_is_older_than_the_loss_ends_nothing(store: TestStore) {
    let house = start(store)
        .await
        .with_sites(&["pangyo", "gasan", "sejong"])
        .await;
    let token = house.administrator().await.access_token;
    house.returned(at(50)).await;
    assert_eq!(house.incidents(&token).await, []);
    house.lost("gasan", at(100)).await;
    house.returned(at(99)).await;
    assert_eq!(house.incidents(&token).await, [("gasan".to_owned(), 100, None)]);
}

async fn incidents_come_in_pages(store: TestStore) {
    let house = start(store)
        .await
        .with_sites(&["pangyo", "gasan", "sejong"])
        .await;
    let token = house.administrator().await.access_token;
    for second in [100, 200, 300] {
        house.lost("gasan", at(second)).await;
        house.returned(at(second + 50)).await;
    }
    let page = async |query: &str| {
        let path = format!("/api/continuity/incidents{query}");
        house.app.get(&path).bearer(&token).send().await
    };
    let first = page("?limit=2").await.expect(200).json();
    assert_eq!(first["items"].as_array().unwrap().len(), 2);
    let next = first["next"].as_str().unwrap();
    let rest = page(&format!("?before={next}")).await.expect(200).json();
    assert_eq!(
        (rest["items"].as_array().unwrap().len(), &rest["next"]),
        (1, &json!(null))
    );
    page("?before=never").await.expect(400);
    page("?limit=0").await.expect(400);
}

on_both_engines!(
    a_loss_that_three_nodes_note_is_one_incident,
    a_return_that_is_older_than_the_loss_ends_nothing,
    incidents_come_in_pages,
);
