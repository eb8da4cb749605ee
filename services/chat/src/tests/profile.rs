//! Names and pictures, and that rooms hear of them.

use haechi_testkit::TestStore;
use serde_json::json;

use super::{assert_matrix_error, client, get, make_room_of, post, put, segment, start, sync};

async fn a_new_name_is_told_in_all_rooms(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let rooms = [
        make_room_of(&app, &minji, &[&joon]).await,
        make_room_of(&app, &joon, &[&minji]).await,
    ];
    let since = sync(&app, &joon, "").await["next_batch"]
        .as_str()
        .unwrap()
        .to_owned();
    let profile = format!("profile/{}", segment(&minji.user_id));
    put(
        &app,
        &minji,
        &format!("{profile}/displayname"),
        json!({ "displayname": "민지" }),
    )
    .await
    .expect(200);
    put(
        &app,
        &minji,
        &format!("{profile}/avatar_url"),
        json!({ "avatar_url": "mxc://localhost/a" }),
    )
    .await
    .expect(200);
    let news = sync(&app, &joon, &since).await;
    for room in &rooms {
        let events = super::joined(&news, room)["timeline"]["events"]
            .as_array()
            .unwrap()
            .clone();
        assert_eq!(events.last().unwrap()["content"]["displayname"], "민지");
        assert_eq!(
            events.last().unwrap()["content"]["avatar_url"],
            "mxc://localhost/a"
        );
        assert_eq!(
            super::joined(&news, room)["unread_notifications"]["notification_count"],
            0
        );
    }
}

async fn profiles_are_shown_and_found(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("민지").await, app.sign_up("Joon").await);
    make_room_of(&app, &minji, &[&joon]).await;
    let profile = format!("profile/{}", segment(&minji.user_id));
    let picture = format!("{profile}/avatar_url");
    put(
        &app,
        &minji,
        &picture,
        json!({ "avatar_url": "mxc://localhost/a" }),
    )
    .await
    .expect(200);
    let told = app.get(&client(&profile)).send().await.expect(200).json();
    assert_eq!(
        told,
        json!({ "displayname": "민지", "avatar_url": "mxc://localhost/a" })
    );
    put(
        &app,
        &minji,
        &format!("{profile}/avatar_url"),
        json!({ "avatar_url": "" }),
    )
    .await
    .expect(200);
    assert_matrix_error(
        &get(&app, &joon, &format!("{profile}/avatar_url")).await,
        404,
        "M_NOT_FOUND",
    );
    let found = post(
        &app,
        &joon,
        "user_directory/search",
        json!({ "search_term": "민" }),
    )
    .await
    .expect(200)
    .json();
    assert_eq!(found["results"][0]["user_id"], minji.user_id.as_str());
    let stranger = app.sign_up("Sora").await;
    let found = post(
        &app,
        &stranger,
        "user_directory/search",
        json!({ "search_term": "민" }),
    )
    .await
    .json();
    assert_eq!(found["results"], json!([]), "strangers are not listed");
    // Who knows a user id has found its person, as by their profile.
    let whole = json!({ "search_term": minji.user_id.to_uppercase() });
    let found = post(&app, &stranger, "user_directory/search", whole).await.json();
    assert_eq!(found["results"][0]["user_id"], minji.user_id.as_str());
    let part = json!({ "search_term": minji.user_id[1..33] });
    let of = async |who| {
        let found = post(&app, who, "user_directory/search", part.clone()).await;
        found.expect(200).json()["results"].as_array().unwrap().len()
    };
    assert_eq!((of(&joon).await, of(&stranger).await), (1, 0));
}

async fn a_profile_is_changed_by_its_owner_only(store: TestStore) {
    let (app, _) = start(store).await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let name = format!("profile/{}/displayname", segment(&minji.user_id));
    assert_matrix_error(
        &put(&app, &joon, &name, json!({ "displayname": "x" })).await,
        403,
        "M_FORBIDDEN",
    );
    for bad in [
        json!({ "displayname": "" }),
        json!({ "displayname": "x".repeat(65) }),
        json!({ "displayname": "a\u{0}" }),
    ] {
        assert_matrix_error(&put(&app, &minji, &name, bad).await, 400, "M_INVALID_PARAM");
    }
    assert_matrix_error(
        &put(&app, &minji, &name, json!({ "displayname": 5 })).await,
        400,
        "M_BAD_JSON",
    );
    let picture = format!("profile/{}/avatar_url", segment(&minji.user_id));
    let script = json!({ "avatar_url": "javascript:alert(1)" });
    assert_matrix_error(&put(&app, &minji, &picture, script).await, 400, "M_INVALID_PARAM");
    let nobody = format!(
        "profile/{}",
        segment(&format!("@{}{}", "0".repeat(32), &minji.user_id[33..]))
    );
    assert_matrix_error(&get(&app, &minji, &nobody).await, 404, "M_NOT_FOUND");
    assert_eq!(
        get(&app, &joon, &name).await.expect(200).json()["displayname"],
        "Minji"
    );
}

haechi_testkit::on_both_engines!(
    a_new_name_is_told_in_all_rooms,
    profiles_are_shown_and_found,
    a_profile_is_changed_by_its_owner_only
);
