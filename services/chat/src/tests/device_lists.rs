//! Whose keys changed: told to those who share a room, and to nobody else.

use haechi_testkit::TestStore;
use serde_json::{Value, json};

use super::crypto::{CrossSigning, upload_device};
use super::{assert_matrix_error, client, get, make_room_of, post, start, sync};

fn next(sync: &Value) -> String {
    sync["next_batch"].as_str().unwrap().to_owned()
}

fn lists(changed: &[&str], left: &[&str]) -> Value {
    let sorted = |people: &[&str]| {
        let mut people = people.to_vec();
        people.sort_unstable();
        people.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    json!({ "changed": sorted(changed), "left": sorted(left) })
}

async fn a_change_wakes_those_who_share_a_room(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon, sora) = (
        app.sign_up("Minji").await,
        app.sign_up("Joon").await,
        app.sign_up("Sora").await,
    );
    make_room_of(&app, &minji, &[&joon]).await;
    let first = sync(&app, &joon, "").await;
    assert_eq!(first["device_lists"], lists(&[], &[]));
    let (since, since_sora) = (next(&first), next(&sync(&app, &sora, "").await));
    let path = client(&format!("sync?timeout=15000&since={since}"));
    let poll = tokio::spawn(app.get(&path).bearer(&joon.access_token).send());
    upload_device(&app, &minji, 1).await;
    let told = poll.await.unwrap().expect(200).json();
    assert_eq!(told["device_lists"], lists(&[&minji.user_id], &[]));
    assert_eq!(
        sync(&app, &sora, &since_sora).await["device_lists"],
        lists(&[], &[])
    );
    // Keys that are there already are no change.
    upload_device(&app, &minji, 1).await;
    let told = sync(&app, &joon, &next(&told)).await;
    assert_eq!(told["device_lists"], lists(&[], &[]));

    let now = next(&told);
    let changes = get(&app, &joon, &format!("keys/changes?from={since}&to={now}"))
        .await
        .expect(200)
        .json();
    assert_eq!(changes, lists(&[&minji.user_id], &[]));
    let refused = get(&app, &joon, &format!("keys/changes?from=x&to={now}")).await;
    assert_matrix_error(&refused, 400, "M_UNKNOWN_POS");
    let refused = get(&app, &joon, &format!("keys/changes?from={since}")).await;
    assert_matrix_error(&refused, 400, "M_INVALID_PARAM");
}

async fn who_comes_is_told_and_who_is_met_nowhere_else_has_left(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon, sora) = (
        app.sign_up("Minji").await,
        app.sign_up("Joon").await,
        app.sign_up("Sora").await,
    );
    let room = make_room_of(&app, &minji, &[&joon]).await;
    let since = next(&sync(&app, &minji, "").await);
    let since_sora = next(&sync(&app, &sora, "").await);
    post(
        &app,
        &minji,
        &format!("rooms/{room}/invite"),
        json!({ "user_id": sora.user_id }),
    )
    .await
    .expect(200);
    let invited = sync(&app, &minji, &since).await;
    assert_eq!(invited["device_lists"], lists(&[], &[]));
    post(&app, &sora, &format!("rooms/{room}/join"), json!({}))
        .await
        .expect(200);
    let came = sync(&app, &minji, &next(&invited)).await;
    assert_eq!(came["device_lists"], lists(&[&sora.user_id], &[]));
    let own = sync(&app, &sora, &since_sora).await;
    assert_eq!(own["device_lists"], lists(&[&minji.user_id, &joon.user_id], &[]));

    // Another room with one of them: of the two, only the other is gone.
    make_room_of(&app, &minji, &[&sora]).await;
    let since = next(&sync(&app, &minji, &next(&came)).await);
    let since_sora = next(&sync(&app, &sora, &next(&own)).await);
    for who in [&sora, &joon] {
        post(&app, who, &format!("rooms/{room}/leave"), json!({}))
            .await
            .expect(200);
    }
    let told = sync(&app, &minji, &since).await;
    assert_eq!(told["device_lists"], lists(&[], &[&joon.user_id]));
    let now = next(&told);
    let changes = get(&app, &minji, &format!("keys/changes?from={since}&to={now}"))
        .await
        .expect(200)
        .json();
    assert_eq!(changes, lists(&[], &[&joon.user_id]));
    let own = sync(&app, &sora, &since_sora).await;
    assert!(!own["device_lists"].to_string().contains(&minji.user_id));
}

async fn who_declines_an_invitation_meets_nobody(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[]).await;
    let since = next(&sync(&app, &joon, "").await);
    post(
        &app,
        &minji,
        &format!("rooms/{room}/invite"),
        json!({ "user_id": joon.user_id }),
    )
    .await
    .expect(200);
    post(&app, &joon, &format!("rooms/{room}/leave"), json!({}))
        .await
        .expect(200);
    let told = sync(&app, &joon, &since).await;
    assert_eq!(told["device_lists"], lists(&[], &[]));
}

async fn cross_signing_is_a_change_and_signing_another_ones_own(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    make_room_of(&app, &minji, &[&joon]).await;
    let tablet = app.sign_in(&minji.phone, None).await;
    let (since, since_joon) = (
        next(&sync(&app, &tablet, "").await),
        next(&sync(&app, &joon, "").await),
    );
    let (own, others) = (CrossSigning::new(&minji, 10), CrossSigning::new(&joon, 20));
    post(&app, &minji, "keys/device_signing/upload", own.upload())
        .await
        .expect(200);
    post(&app, &joon, "keys/device_signing/upload", others.upload())
        .await
        .expect(200);
    let told = sync(&app, &tablet, &since).await;
    assert_eq!(told["device_lists"], lists(&[&minji.user_id, &joon.user_id], &[]));
    let joon_told = sync(&app, &joon, &since_joon).await;

    let user_signing = format!("ed25519:{}", own.others.public());
    let signed = own
        .others
        .sign(others.master_object(), &minji.user_id, &user_signing);
    let body = json!({ &joon.user_id: { others.master.public(): signed } });
    let answer = post(&app, &minji, "keys/signatures/upload", body)
        .await
        .expect(200)
        .json();
    assert_eq!(answer["failures"], json!({}));
    let after = sync(&app, &tablet, &next(&told)).await;
    assert_eq!(after["device_lists"], lists(&[&joon.user_id], &[]));
    let after = sync(&app, &joon, &next(&joon_told)).await;
    assert_eq!(after["device_lists"], lists(&[], &[]));
}

haechi_testkit::on_both_engines!(
    a_change_wakes_those_who_share_a_room,
    who_comes_is_told_and_who_is_met_nowhere_else_has_left,
    who_declines_an_invitation_meets_nobody,
    cross_signing_is_a_change_and_signing_another_ones_own,
);
