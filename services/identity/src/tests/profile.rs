//! Who a person is, what they may do, and what other services ask.

use haechi_base::{PersonId, Role, Time};
use haechi_store::{Tx, WriteKey};
use haechi_testkit::{TestStore, assert_problem, on_both_engines, operator};
use serde_json::json;

use super::start;
use crate::{DisplayName, IdentityError, Person, ops};

async fn a_person_renames_themselves(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let joon = app.sign_up("Joon").await;
    let rename = |name: &str| {
        app.patch("/api/identity/me")
            .bearer(&minji.access_token)
            .json(json!({"display_name": name}))
            .send()
    };
    let person = rename(" 민지 ").await.expect(200).json();
    assert_eq!(person["display_name"], "민지");
    assert_problem(&rename("").await, 422, "malformed-display-name");
    let me = app
        .get("/api/identity/me")
        .bearer(&minji.access_token)
        .send()
        .await
        .expect(200)
        .json();
    assert_eq!(me, person);
    let other = app
        .get("/api/identity/me")
        .bearer(&joon.access_token)
        .send()
        .await
        .expect(200)
        .json();
    assert_eq!(other["display_name"], "Joon");
}

async fn only_an_administrator_grants_a_role(store: TestStore) {
    let (app, identity) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let store = &identity.context().store;
    let person = minji.person_id;
    for (actor, granted) in [(minji.actor(), false), (operator(), true)] {
        let outcome: Result<Person, IdentityError> = store
            .write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
                ops::grant_role(tx, &actor, person, Role::Administrator).await
            })
            .await;
        match outcome {
            Ok(person) => assert!(granted && person.role == Role::Administrator),
            Err(error) => assert!(!granted && error == IdentityError::NotAllowed),
        }
    }
    let me = app
        .get("/api/identity/me")
        .bearer(&minji.access_token)
        .send()
        .await
        .expect(200)
        .json();
    assert_eq!(me["role"], "administrator");
}

async fn people_are_found_by_id_and_number(store: TestStore) {
    let (app, identity) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let joon = app.sign_up("Joon").await;
    let store = &identity.context().store;
    let ids = [
        minji.person_id,
        joon.person_id,
        PersonId::new(Time::from_micros(5)),
    ];
    let phone = identity.parse_phone(&joon.phone).unwrap();
    let (mut people, by_phone, nobody) = store
        .read(async move |tx: &mut Tx<'_>| {
            let people = ops::find_people(tx, &ids).await?;
            let by_phone = ops::find_by_phone(tx, &phone).await?;
            Ok::<_, IdentityError>((people, by_phone, ops::find_person(tx, ids[2]).await?))
        })
        .await
        .unwrap();
    people.sort_by_key(|person| person.id);
    let found: Vec<PersonId> = people.iter().map(|person| person.id).collect();
    assert_eq!(found, [minji.person_id, joon.person_id]);
    assert_eq!(by_phone.unwrap().id, joon.person_id);
    assert_eq!(nobody, None);
}

async fn an_operator_registers_a_number_once(store: TestStore) {
    let (app, identity) = start(store).await;
    let store = &identity.context().store;
    let phone = identity.parse_phone("010-1000-0001").unwrap();
    let name: DisplayName = "Minji".parse().unwrap();
    let now = identity.context().now();
    let mut ids = Vec::new();
    for id in [PersonId::new(now), PersonId::new(now)] {
        let (phone, name) = (phone.clone(), name.clone());
        let person: Result<Person, IdentityError> = store
            .write(WriteKey::fresh(), async move |tx: &mut Tx<'_>| {
                ops::register(tx, &operator(), id, &phone, &name, now).await
            })
            .await;
        ids.push(person.unwrap().id);
    }
    assert_eq!(ids[0], ids[1]);
    assert_eq!(app.sign_in("010-1000-0001", None).await.person_id, ids[0]);
}

on_both_engines!(
    a_person_renames_themselves,
    only_an_administrator_grants_a_role,
    people_are_found_by_id_and_number,
    an_operator_registers_a_number_once,
);
