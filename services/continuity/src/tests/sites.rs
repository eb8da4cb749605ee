//! The list of sites, for everybody and for staff; drain and return as a wish.

use std::num::NonZeroU32;

use haechi_base::Actor;
use haechi_store::Tx;
use haechi_testkit::{TestStore, assert_problem, on_both_engines, operator};
use serde_json::json;

use super::{House, named, start};
use crate::model::{NewSite, SiteRefusal, SiteState};
use crate::ops::ContinuityError;

const FOUR: [&str; 4] = ["pangyo", "gasan", "sejong", "busan"];

async fn everybody_is_told_the_sites_in_their_order_and_may_keep_the_list(store: TestStore) {
    let house = start(store).await;
    let empty = house
        .app
        .get("/.well-known/haechi/sites")
        .send()
        .await
        .expect(200);
    assert_eq!(empty.json(), json!({ "here": null, "sites": [] }));
    let house = house.with_sites(&FOUR).await;
    let answer = house
        .app
        .get("/.well-known/haechi/sites")
        .send()
        .await
        .expect(200);
    assert_eq!(answer.headers["cache-control"], "public, max-age=60");
    assert_eq!(answer.headers["access-control-allow-origin"], "*");
    let first = json!({
        "name": "pangyo", "title": "PANGYO", "url": "https://pangyo.haechi.example",
        "latitude": 37.4, "longitude": 127.1, "state": "active",
    });
    assert_eq!(answer.json()["sites"][0], first);
    let told = house.told().await;
    let names: Vec<&str> = told.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, FOUR);
}

async fn a_second_site_with_the_name_or_the_url_of_another_is_refused(store: TestStore) {
    let house = start(store).await.with_sites(&FOUR).await;
    let add = async |name: &str, url: &str| {
        let new = NewSite::new(name, name, url, (0.0, 0.0)).unwrap();
        house.continuity.add_site(&operator(), new).await.unwrap_err()
    };
    let name = add("pangyo", "https://elsewhere.example").await;
    let taken = SiteRefusal::NameTaken(named("pangyo"));
    assert_eq!(name, ContinuityError::Site(taken));
    let url = add("daejeon", "https://pangyo.haechi.example").await;
    assert!(
        matches!(url, ContinuityError::Site(SiteRefusal::UrlTaken { .. })),
        "{url}"
    );
    assert_eq!(house.told().await.len(), 4);
    // Nobody but an administrator, also where other code asks.
    let person = house.app.sign_up("Minji").await.actor();
    let new = NewSite::new("daejeon", "D", "https://d.example", (0.0, 0.0)).unwrap();
    let refused = house.continuity.add_site(&person, new).await;
    assert_eq!(refused, Err(ContinuityError::NotAllowed));
    let drained = house
        .continuity
        .change_site(&person, &named("pangyo"), SiteState::Draining)
        .await;
    assert_eq!(drained, Err(ContinuityError::NotAllowed));
    assert_eq!(house.told().await.len(), 4);
}

async fn staff_drains_a_site_and_brings_it_back(store: TestStore) {
    let house = start(store).await.with_sites(&FOUR).await;
    let staff = house.administrator().await;
    let post = async |path: &str| {
        let path = format!("/api/continuity/sites/{path}");
        house.app.post(&path).bearer(&staff.access_token).send().await
    };
    for _ in 0..2 {
        let site = post("pangyo/drain").await.expect(200).json();
        assert_eq!(
            (&site["name"], &site["state"]),
            (&json!("pangyo"), &json!("draining"))
        );
        assert_eq!(state_of(&house, "pangyo").await, "draining");
    }
    for _ in 0..2 {
        assert_eq!(post("pangyo/return").await.expect(200).json()["state"], "active");
        assert_eq!(state_of(&house, "pangyo").await, "active");
    }
    for path in [
        "daejeon/drain",
        "daejeon/return",
        "No%20name/drain",
        "No%20name/return",
    ] {
        assert_problem(&post(path).await, 404, "no-such-site");
    }
    for site in ["gasan", "sejong", "busan"] {
        post(&format!("{site}/drain")).await.expect(200);
    }
    assert_problem(&post("pangyo/drain").await, 409, "last-active-site");
    assert_eq!(state_of(&house, "pangyo").await, "active");
}

async fn state_of(house: &House, name: &str) -> String {
    let told = house.told().await;
    told.into_iter().find(|(site, _)| site == name).unwrap().1
}

async fn a_retired_site_is_told_to_nobody_and_does_not_come_back(store: TestStore) {
    let house = start(store).await.with_sites(&FOUR).await;
    let staff = house.administrator().await;
    let change = async |to| {
        house
            .continuity
            .change_site(&operator(), &named("gasan"), to)
            .await
    };
    let refusal = change(SiteState::Retired).await.unwrap_err();
    assert_eq!(
        refusal,
        ContinuityError::Site(SiteRefusal::NotDrained(named("gasan")))
    );
    change(SiteState::Draining).await.unwrap();
    change(SiteState::Retired).await.unwrap();
    assert!(house.told().await.iter().all(|(name, _)| name != "gasan"));
    for verb in ["drain", "return"] {
        let path = format!("/api/continuity/sites/gasan/{verb}");
        let answer = house.app.post(&path).bearer(&staff.access_token).send().await;
        assert_problem(&answer, 409, "site-retired");
    }
    assert_eq!(house.told().await.len(), 3);
}

async fn only_staff_sees_the_sites_as_they_are_and_drains_them(store: TestStore) {
    let house = start(store).await.with_sites(&FOUR).await;
    let (person, staff) = (house.app.sign_up("Minji").await, house.administrator().await);
    for path in ["sites", "drills", "incidents"] {
        let path = format!("/api/continuity/{path}");
        let refused = house.app.get(&path).bearer(&person.access_token).send().await;
        assert_problem(&refused, 403, "administrator-needed");
    }
    for verb in ["drain", "return"] {
        let path = format!("/api/continuity/sites/pangyo/{verb}");
        let refused = house.app.post(&path).bearer(&person.access_token).send().await;
        assert_problem(&refused, 403, "administrator-needed");
    }
    assert_eq!(state_of(&house, "pangyo").await, "active");
    let live = house
        .app
        .get("/api/continuity/sites")
        .bearer(&staff.access_token)
        .send()
        .await
        .expect(200)
        .json();
    let first = &live["sites"][0];
    assert_eq!(
        (&first["name"], &first["state"]),
        (&json!("pangyo"), &json!("active"))
    );
    // One database and no etcd: nothing is made up of an engine.
    for field in [
        "postgres",
        "etcd",
        "lag_bytes",
        "requests_per_s",
        "capacity_per_s",
    ] {
        assert_eq!(first[field], json!(null), "{field}");
    }
    assert_eq!(
        (&live["engine_error"], &live["here"]),
        (&json!(null), &json!(null))
    );
}

async fn what_a_site_carries_is_noted_when_it_was_measured(store: TestStore) {
    let house = start(store).await.with_sites(&FOUR).await;
    let (person, staff) = (house.app.sign_up("Minji").await, house.administrator().await);
    let note = async |actor: &Actor, name: &str, capacity_per_s: u32| {
        let (name, capacity_per_s) = (named(name), NonZeroU32::new(capacity_per_s).unwrap());
        let noted = house.continuity.set_capacity(actor, &name, capacity_per_s);
        noted.await.map(|site| site.capacity)
    };
    let told = async || {
        let list = house.app.get("/api/continuity/sites").bearer(&staff.access_token);
        let list = list.send().await.expect(200).json();
        let sites = list["sites"].as_array().unwrap().iter();
        sites
            .map(|site| site["capacity_per_s"].clone())
            .collect::<Vec<_>>()
    };
    for capacity_per_s in [900, 900, 1_200] {
        assert_eq!(
            note(&operator(), "gasan", capacity_per_s).await,
            Ok(Some(capacity_per_s))
        );
        assert_eq!(
            told().await,
            [json!(null), json!(capacity_per_s), json!(null), json!(null)]
        );
    }
    let refused = note(&person.actor(), "gasan", 1).await;
    assert_eq!(refused, Err(ContinuityError::NotAllowed));
    let nowhere = note(&operator(), "daejeon", 1).await;
    let unknown = SiteRefusal::NoSuchSite(named("daejeon"));
    assert_eq!(nowhere, Err(ContinuityError::Site(unknown)));
    let busan = named("busan");
    for state in [SiteState::Draining, SiteState::Retired] {
        let changed = house.continuity.change_site(&operator(), &busan, state).await;
        changed.unwrap();
    }
    let gone = note(&operator(), "busan", 1).await;
    assert_eq!(gone, Err(ContinuityError::Site(SiteRefusal::Retired(busan))));
    assert_eq!(told().await, [json!(null), json!(1_200), json!(null)]);
}

async fn the_list_is_told_while_the_store_cannot_be_asked(store: TestStore) {
    let house = start(store).await.with_sites(&FOUR).await;
    assert_eq!(house.told().await.len(), 4);
    let drop_table = async |tx: &mut Tx<'_>| {
        for table in ["continuity_incident", "continuity_site"] {
            tx.execute(&format!("DROP TABLE {table}"), &[]).await?;
        }
        Ok::<_, haechi_store::StoreError>(())
    };
    house.app.context.store.write_unkeyed(drop_table).await.unwrap();
    for _ in 0..3 {
        house.app.advance(std::time::Duration::from_secs(60));
        assert_eq!(house.told().await.len(), 4);
    }
}

on_both_engines!(
    everybody_is_told_the_sites_in_their_order_and_may_keep_the_list,
    a_second_site_with_the_name_or_the_url_of_another_is_refused,
    staff_drains_a_site_and_brings_it_back,
    a_retired_site_is_told_to_nobody_and_does_not_come_back,
    only_staff_sees_the_sites_as_they_are_and_drains_them,
    what_a_site_carries_is_noted_when_it_was_measured,
    the_list_is_told_while_the_store_cannot_be_asked,
);
