//! Filing the reports of drills.

use haechi_testkit::{SignedUp, TestRequest, TestStore, assert_problem, on_both_engines};
use serde_json::{Value, json};

use super::{House, start};

const DRILLS: &str = "/api/continuity/drills";

fn report(fault: &str) -> Value {
    json!({ "fault": fault, "site": "pangyo", "lost": 0, "duplicated": 0, "write_stall_ms": { "overall": 1_200 } })
}

fn file(house: &House, who: &SignedUp, key: &str, body: &Value) -> TestRequest {
    let request = house.app.post(DRILLS).bearer(&who.access_token);
    request.header("idempotency-key", key).json(body)
}

async fn list(house: &House, who: &SignedUp, query: &str) -> Value {
    let request = house
        .app
        .get(&format!("{DRILLS}{query}"))
        .bearer(&who.access_token);
    request.send().await.expect(200).json()
}

async fn a_report_is_filed_whole_and_listed_newest_first(store: TestStore) {
    let house = start(store).await;
    let staff = house.administrator().await;
    for (key, fault) in [("1", "burn"), ("2", "freeze"), ("3", "cut")] {
        let filed = file(&house, &staff, key, &report(fault))
            .send()
            .await
            .expect(201)
            .json();
        assert_eq!(
            (&filed["fault"], &filed["site"]),
            (&json!(fault), &json!("pangyo"))
        );
        assert_eq!(filed["report"], report(fault));
        house.app.advance(std::time::Duration::from_millis(1));
    }
    let first = list(&house, &staff, "?limit=2").await;
    let faults = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap().iter();
        items
            .map(|drill| drill["fault"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(faults(&first), ["cut", "freeze"]);
    let next = first["next"].as_str().unwrap();
    let rest = list(&house, &staff, &format!("?limit=2&before={next}")).await;
    assert_eq!(
        (faults(&rest), &rest["next"]),
        (vec!["burn".to_owned()], &json!(null))
    );
}

async fn the_same_report_sent_again_is_filed_once(store: TestStore) {
    let house = start(store).await;
    let staff = house.administrator().await;
    let first = file(&house, &staff, "key", &report("burn"))
        .send()
        .await
        .expect(201)
        .json();
    house.app.advance(std::time::Duration::from_secs(1));
    let again = file(&house, &staff, "key", &report("burn"))
        .send()
        .await
        .expect(201)
        .json();
    assert_eq!(first, again);
    let other = file(&house, &staff, "key", &report("freeze")).send().await;
    assert_problem(&other, 409, "idempotency-key-reused");
    assert_eq!(
        list(&house, &staff, "").await["items"].as_array().unwrap().len(),
        1
    );
}

async fn a_report_that_cannot_be_one_is_refused_and_nothing_is_filed(store: TestStore) {
    let house = start(store).await;
    let (staff, person) = (house.administrator().await, house.app.sign_up("Minji").await);
    let with = |field: &str, value: Value| {
        let mut changed = report("burn");
        changed[field] = value;
        changed
    };
    for (body, status, slug) in [
        (json!({}), 422, "drill-report"),
        (with("lost", json!(-1)), 422, "drill-report"),
        (with("duplicated", json!(null)), 422, "drill-report"),
        (with("fault", json!("x".repeat(41))), 422, "drill-report"),
        (
            with("rounds", json!("x".repeat(300_000))),
            413,
            "drill-report-too-large",
        ),
        (
            with("rounds", json!("x".repeat(2_000_000))),
            413,
            "body-too-large",
        ),
        (with("note", json!("a\u{0}b")), 422, "nul-character"),
        (json!([1]), 422, "invalid-body"),
    ] {
        assert_problem(&file(&house, &staff, "key", &body).send().await, status, slug);
    }
    let keyless = house
        .app
        .post(DRILLS)
        .bearer(&staff.access_token)
        .json(report("burn"));
    assert_problem(&keyless.send().await, 400, "idempotency-key-needed");
    let foreign = file(&house, &person, "key", &report("burn")).send().await;
    assert_problem(&foreign, 403, "administrator-needed");
    let cursor = house
        .app
        .get(&format!("{DRILLS}?before=yesterday"))
        .bearer(&staff.access_token);
    assert_problem(&cursor.send().await, 400, "invalid-query");
    assert_eq!(list(&house, &staff, "").await["items"], json!([]));
}

on_both_engines!(
    a_report_is_filed_whole_and_listed_newest_first,
    the_same_report_sent_again_is_filed_once,
    a_report_that_cannot_be_one_is_refused_and_nothing_is_filed,
);
