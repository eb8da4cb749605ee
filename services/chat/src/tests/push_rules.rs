//! Push rules: kept for the person, changed by any device, heard of by the others.

use haechi_testkit::{SignedUp, TestApp, TestResponse, TestStore};
use serde_json::{Value, json};

use super::{assert_matrix_error, client, get, put, segment, start, sync};

async fn delete(app: &TestApp, who: &SignedUp, path: &str) -> TestResponse {
    app.delete(&client(path)).bearer(&who.access_token).send().await
}

/// The ids of a person's rules of one kind, the most important first.
async fn ids(app: &TestApp, who: &SignedUp, kind: &str) -> Vec<String> {
    let rules = get(app, who, &format!("pushrules/global/{kind}/"))
        .await
        .expect(200)
        .json();
    let rules = rules.as_array().unwrap().iter();
    rules
        .map(|rule| rule["rule_id"].as_str().unwrap().to_owned())
        .collect()
}

async fn keyword(app: &TestApp, who: &SignedUp, rule_id: &str, place: &str) -> TestResponse {
    let body = json!({ "pattern": rule_id, "actions": ["notify"] });
    put(
        app,
        who,
        &format!("pushrules/global/content/{rule_id}{place}"),
        body,
    )
    .await
}

async fn rules_are_put_moved_changed_and_taken_away(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    for rule in ["tea", "coffee", "cake"] {
        keyword(&app, &minji, rule, "").await.expect(200);
    }
    assert_eq!(ids(&app, &minji, "content").await, ["cake", "coffee", "tea"]);
    keyword(&app, &minji, "cake", "?after=tea").await.expect(200);
    assert_eq!(ids(&app, &minji, "content").await, ["coffee", "tea", "cake"]);
    keyword(&app, &minji, "tea", "?before=coffee").await.expect(200);
    assert_eq!(ids(&app, &minji, "content").await, ["tea", "coffee", "cake"]);

    let enabled = "pushrules/global/content/tea/enabled";
    put(&app, &minji, enabled, json!({ "enabled": false }))
        .await
        .expect(200);
    assert_eq!(
        get(&app, &minji, enabled).await.expect(200).json(),
        json!({ "enabled": false })
    );
    // What is changed or moved stays as it was switched.
    keyword(&app, &minji, "tea", "?after=cake").await.expect(200);
    let rule = get(&app, &minji, "pushrules/global/content/tea")
        .await
        .expect(200)
        .json();
    assert_eq!(
        rule,
        json!({ "rule_id": "tea", "pattern": "tea", "actions": ["notify"], "default": false, "enabled": false })
    );
    let actions = "pushrules/global/content/tea/actions";
    let loud = json!({ "actions": ["notify", { "set_tweak": "sound", "value": "default" }] });
    put(&app, &minji, actions, loud.clone()).await.expect(200);
    assert_eq!(get(&app, &minji, actions).await.expect(200).json(), loud);
    delete(&app, &minji, "pushrules/global/content/tea")
        .await
        .expect(200);
    assert_eq!(ids(&app, &minji, "content").await, ["coffee", "cake"]);
    let gone = delete(&app, &minji, "pushrules/global/content/tea").await;
    assert_matrix_error(&gone, 404, "M_NOT_FOUND");

    let all = get(&app, &minji, "pushrules/").await.expect(200).json();
    let global = get(&app, &minji, "pushrules/global/").await.expect(200).json();
    assert_eq!(all["global"], global);
    let path = format!("user/{}/account_data/m.push_rules", segment(&minji.user_id));
    assert_eq!(get(&app, &minji, &path).await.expect(200).json(), all);
}

async fn rules_of_everybody_may_be_changed_but_not_deleted(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let master = "pushrules/global/override/.m.rule.master";
    put(
        &app,
        &minji,
        &format!("{master}/enabled"),
        json!({ "enabled": true }),
    )
    .await
    .expect(200);
    let rule = get(&app, &minji, master).await.expect(200).json();
    assert_eq!((&rule["enabled"], &rule["default"]), (&json!(true), &json!(true)));
    let others = get(&app, &joon, master).await.expect(200).json();
    assert_eq!(others["enabled"], json!(false), "each has their own");
    assert_matrix_error(&delete(&app, &minji, master).await, 400, "M_UNKNOWN");
    let own = json!({ "actions": [], "conditions": [] });
    assert_matrix_error(&put(&app, &minji, master, own).await, 400, "M_UNKNOWN");
    assert_eq!(
        ids(&app, &minji, "override").await.first().map(String::as_str),
        Some(".m.rule.master")
    );
}

async fn rules_that_cannot_be_are_refused_and_not_kept(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let before = get(&app, &minji, "pushrules/").await.expect(200).json();
    let plain = json!({ "actions": ["notify"] });
    let word = json!({ "pattern": "tea", "actions": ["notify"] });
    let conditions: Vec<Value> = (0..20)
        .map(|_| json!({ "kind": "contains_display_name" }))
        .collect();
    let many = json!({ "actions": [], "conditions": conditions });
    let long = json!({ "pattern": "x".repeat(200), "actions": [] });
    let cases = [
        ("content/.mine", word.clone(), 400, "M_UNKNOWN"),
        ("content/a%2Fb", word.clone(), 400, "M_UNKNOWN"),
        ("content/a%5Cb", word.clone(), 400, "M_UNKNOWN"),
        ("content/tea?after=coffee", word.clone(), 400, "M_UNKNOWN"),
        (
            "override/x?before=.m.rule.master",
            json!({ "actions": [], "conditions": [] }),
            400,
            "M_UNKNOWN",
        ),
        ("content/tea", plain.clone(), 400, "M_BAD_JSON"),
        ("content/tea", long, 413, "M_TOO_LARGE"),
        ("override/many", many, 413, "M_TOO_LARGE"),
        ("tea/tea", plain.clone(), 400, "M_INVALID_PARAM"),
        ("room/tea", plain.clone(), 400, "M_INVALID_PARAM"),
        ("sender/tea", plain.clone(), 400, "M_INVALID_PARAM"),
        (
            "content/tea/enabled",
            json!({ "enabled": true }),
            404,
            "M_NOT_FOUND",
        ),
        ("content/tea/actions", plain, 404, "M_NOT_FOUND"),
        (
            "tea/tea/enabled",
            json!({ "enabled": true }),
            400,
            "M_INVALID_PARAM",
        ),
        (
            "content/tea/enabled",
            json!({ "enabled": "yes" }),
            400,
            "M_BAD_JSON",
        ),
    ];
    for (path, body, status, code) in cases {
        let refused = put(&app, &minji, &format!("pushrules/global/{path}"), body).await;
        assert_matrix_error(&refused, status, code);
    }
    for path in ["content/tea", "content/tea/enabled", "content/tea/actions"] {
        let refused = get(&app, &minji, &format!("pushrules/global/{path}")).await;
        assert_matrix_error(&refused, 404, "M_NOT_FOUND");
    }
    let refused = get(&app, &minji, "pushrules/global/tea/").await;
    assert_matrix_error(&refused, 400, "M_INVALID_PARAM");
    assert_eq!(get(&app, &minji, "pushrules/").await.expect(200).json(), before);
}

async fn another_device_hears_of_a_change_by_its_sync(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let other = app.sign_in(&minji.phone, None).await;
    let first = get(&app, &other, "sync").await.expect(200).json();
    let since = first["next_batch"].as_str().unwrap();
    keyword(&app, &minji, "tea", "").await.expect(200);
    let told = sync(&app, &other, since).await;
    let events = told["account_data"]["events"].as_array().unwrap();
    assert_eq!(events.len(), 1, "{told}");
    assert_eq!(events[0]["type"], "m.push_rules");
    assert_eq!(events[0]["content"]["global"]["content"][0]["rule_id"], "tea");
}

async fn of_two_devices_that_change_rules_at_once_neither_undoes_the_others(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    let words: Vec<String> = (0..12).map(|number| format!("word{number}")).collect();
    let puts = words.iter().map(|word| keyword(&app, &minji, word, ""));
    for put in futures_util::future::join_all(puts).await {
        put.expect(200);
    }
    let mut found = ids(&app, &minji, "content").await;
    found.sort();
    let mut wanted = words;
    wanted.sort();
    assert_eq!(found, wanted);
}

async fn rules_of_ones_own_are_bounded(store: TestStore) {
    let (app, _) = start(store).await;
    let minji = app.sign_up("Minji").await;
    for number in 0..crate::limits::PUSH_RULES_OWN_MAX {
        keyword(&app, &minji, &format!("w{number}"), "").await.expect(200);
    }
    let refused = keyword(&app, &minji, "toomany", "").await;
    assert_matrix_error(&refused, 413, "M_TOO_LARGE");
    assert_eq!(
        ids(&app, &minji, "content").await.len(),
        crate::limits::PUSH_RULES_OWN_MAX
    );
}

haechi_testkit::on_both_engines!(
    rules_are_put_moved_changed_and_taken_away,
    rules_of_everybody_may_be_changed_but_not_deleted,
    rules_that_cannot_be_are_refused_and_not_kept,
    another_device_hears_of_a_change_by_its_sync,
    of_two_devices_that_change_rules_at_once_neither_undoes_the_others,
    rules_of_ones_own_are_bounded,
);
