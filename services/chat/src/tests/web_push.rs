//! Web Push straight from the server: what a browser's push service gets, and only the browser can read.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use haechi_testkit::{SignedUp, TestApp, TestResponse, TestStore, assert_problem};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};
use web_push_native::Auth;
use web_push_native::p256::SecretKey;
use web_push_native::p256::elliptic_curve::sec1::ToEncodedPoint;

use super::push::{Sent, TestGateway, start_pushing, until};
use super::{get, make_room, make_room_of, post, put, say, start};

/// A browser with its own keys.
struct Browser {
    secret: SecretKey,
    auth: [u8; 16],
    endpoint: String,
}

impl Browser {
    fn at(gateway: &TestGateway, path: &str) -> Self {
        Self {
            secret: SecretKey::from_slice(&haechi_base::random::bytes::<32>()).unwrap(),
            auth: haechi_base::random::bytes(),
            endpoint: format!("{}/{path}", gateway.url),
        }
    }

    /// What `PushSubscription.toJSON()` gives.
    fn subscription(&self) -> Value {
        let public = self.secret.public_key().to_encoded_point(false);
        json!({
            "endpoint": self.endpoint,
            "expirationTime": null,
            "keys": {
                "p256dh": URL_SAFE_NO_PAD.encode(public.as_bytes()),
                "auth": URL_SAFE_NO_PAD.encode(self.auth),
            },
        })
    }

    fn read(&self, sent: &Sent) -> Value {
        let auth = Auth::from_slice(&self.auth);
        let plain = web_push_native::decrypt(sent.body.to_vec(), &self.secret, auth).unwrap();
        serde_json::from_slice(&plain).unwrap()
    }
}

async fn subscribe(app: &TestApp, who: &SignedUp, body: Value) -> TestResponse {
    let request = app.post("/api/chat/push/subscriptions").bearer(&who.access_token);
    request.json(body).send().await
}

async fn unsubscribe(app: &TestApp, who: &SignedUp) -> TestResponse {
    let request = app
        .delete("/api/chat/push/subscriptions")
        .bearer(&who.access_token);
    request.send().await
}

async fn public_key(app: &TestApp, who: &SignedUp) -> String {
    let told = app.get("/api/chat/push/key").bearer(&who.access_token);
    let told = told.send().await.expect(200).json();
    told["public_key"].as_str().unwrap().to_owned()
}

async fn endpoints(app: &TestApp, who: &SignedUp) -> Vec<String> {
    let told = get(app, who, "pushers").await.expect(200).json();
    let pushers = told["pushers"].as_array().unwrap().iter();
    pushers
        .map(|pusher| pusher["data"]["url"].as_str().unwrap().to_owned())
        .collect()
}

async fn only_the_browser_can_read_what_its_push_service_is_handed(store: TestStore) {
    let (app, chat) = start_pushing(store).await;
    let gateway = TestGateway::start().await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    let public = public_key(&app, &joon).await;
    assert_eq!(public, public_key(&app, &minji).await, "one key of the house");
    let browser = Browser::at(&gateway, "browser/1");
    subscribe(&app, &joon, browser.subscription()).await.expect(204);
    let text = "안녕 ".repeat(100);
    let event_id = say(&app, &minji, &room, "1", &text).await;
    let sent = gateway.sent(0).await;
    assert_eq!(sent.path, "/browser/1");
    assert_eq!(sent.headers["content-encoding"], "aes128gcm");
    assert_eq!(sent.headers["ttl"], "86400");
    assert_eq!(sent.headers["urgency"], "high");
    let told = browser.read(&sent);
    assert_eq!(told["event_id"], event_id.as_str());
    assert_eq!(told["sender_name"], "Minji");
    assert_eq!(told["room_name"], "Minji, Joon");
    assert_eq!(told["unread"], 1);
    let shortened = told["text"].as_str().unwrap();
    assert_eq!(shortened.chars().count(), 201, "{shortened}");
    assert!(text.starts_with(shortened.trim_end_matches('…')));
    assert!(!sent.body.windows(5).any(|window| window == b"Minji"));

    // The name tag is signed by the key that was told, for this push service, for less than a day.
    let header = sent.headers["authorization"].to_str().unwrap();
    let (tag, key) = header
        .strip_prefix("vapid t=")
        .unwrap()
        .split_once(", k=")
        .unwrap();
    assert_eq!(key, public);
    let point = URL_SAFE_NO_PAD.decode(key).unwrap();
    let half = |range: std::ops::Range<usize>| URL_SAFE_NO_PAD.encode(&point[range]);
    let decoding = DecodingKey::from_ec_components(&half(1..33), &half(33..65)).unwrap();
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_audience(&[&gateway.url]);
    validation.validate_exp = false;
    let claims = jsonwebtoken::decode::<Value>(tag, &decoding, &validation)
        .unwrap()
        .claims;
    let life = claims["exp"].as_i64().unwrap() - chat.moment().seconds();
    assert!((1..=86_400).contains(&life), "{claims}");
    assert_eq!(claims["sub"], "mailto:postmaster@haechi.test");
}

async fn of_an_encrypted_room_it_is_only_told_that_something_came(store: TestStore) {
    let (app, _) = start_pushing(store).await;
    let gateway = TestGateway::start().await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let encryption = json!({
        "type": "m.room.encryption", "state_key": "", "content": { "algorithm": "m.megolm.v1.aes-sha2" },
    });
    let wish = json!({ "preset": "private_chat", "invite": [joon.user_id], "initial_state": [encryption] });
    let room = make_room(&app, &minji, wish).await;
    post(&app, &joon, &format!("rooms/{room}/join"), json!({}))
        .await
        .expect(200);
    let browser = Browser::at(&gateway, "browser");
    subscribe(&app, &joon, browser.subscription()).await.expect(204);
    let content = json!({ "algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "c2VjcmV0", "body": "x" });
    put(
        &app,
        &minji,
        &format!("rooms/{room}/send/m.room.encrypted/1"),
        content,
    )
    .await
    .expect(200);
    say(&app, &minji, &room, "2", "in the clear").await;
    for number in 0..2 {
        let told = browser.read(&gateway.sent(number).await);
        assert_eq!(told["text"], Value::Null, "{told}");
        assert_eq!(told["sender_name"], "Minji");
        assert!(!told.to_string().contains("c2VjcmV0"), "{told}");
    }
}

async fn a_browser_that_is_gone_is_forgotten(store: TestStore) {
    let (app, _) = start_pushing(store).await;
    let gateway = TestGateway::start().await;
    let (minji, joon) = (app.sign_up("Minji").await, app.sign_up("Joon").await);
    let room = make_room_of(&app, &minji, &[&joon]).await;
    let browser = Browser::at(&gateway, "browser");
    subscribe(&app, &joon, browser.subscription()).await.expect(204);
    gateway.answer(410, json!({}));
    say(&app, &minji, &room, "1", "hello").await;
    until("the pusher goes", async || {
        endpoints(&app, &joon).await.is_empty()
    })
    .await;
}

async fn a_sign_in_has_one_subscription_which_it_can_end(store: TestStore) {
    let (app, _) = start_pushing(store).await;
    let gateway = TestGateway::start().await;
    let joon = app.sign_up("Joon").await;
    let other = app.sign_in(&joon.phone, None).await;
    let [first, second, third] = ["1", "2", "3"].map(|path| Browser::at(&gateway, path));
    subscribe(&app, &joon, first.subscription()).await.expect(204);
    subscribe(&app, &other, second.subscription()).await.expect(204);
    subscribe(&app, &joon, third.subscription()).await.expect(204);
    let mut found = endpoints(&app, &joon).await;
    found.sort();
    assert_eq!(found, [second.endpoint.clone(), third.endpoint]);
    for _ in 0..2 {
        unsubscribe(&app, &joon).await.expect(204);
    }
    assert_eq!(endpoints(&app, &joon).await, [second.endpoint]);
}

async fn subscriptions_that_cannot_be_are_refused(store: TestStore) {
    // As operators have it: by https and to public addresses only.
    let (app, _) = start(store).await;
    let gateway = TestGateway::start().await;
    let joon = app.sign_up("Joon").await;
    let good = Browser::at(&gateway, "browser").subscription();
    let with = |path: &str, value: Value| {
        let mut changed = good.clone();
        changed["endpoint"] = "https://push.example.org/1".into();
        *changed.pointer_mut(path).unwrap() = value;
        changed
    };
    let cases = [
        good.clone(),
        with("/endpoint", "https://192.168.0.1/1".into()),
        with("/endpoint", "https://localhost/1".into()),
        with("/endpoint", "nowhere".into()),
        with(
            "/endpoint",
            format!("https://push.example.org/{}", "x".repeat(3_000)).into(),
        ),
        with("/keys/p256dh", "AAAA".into()),
        with("/keys/auth", "AAAA".into()),
        with("/keys", json!({})),
        with("/expirationTime", "soon".into()),
    ];
    for case in cases {
        let refused = subscribe(&app, &joon, case).await;
        assert_problem(
            &refused,
            422,
            refused.json()["type"]
                .as_str()
                .unwrap()
                .rsplit('/')
                .next()
                .unwrap(),
        );
    }
    assert!(endpoints(&app, &joon).await.is_empty());
    subscribe(&app, &joon, with("/expirationTime", Value::Null))
        .await
        .expect(204);
}

haechi_testkit::on_both_engines!(
    only_the_browser_can_read_what_its_push_service_is_handed,
    of_an_encrypted_room_it_is_only_told_that_something_came,
    a_browser_that_is_gone_is_forgotten,
    a_sign_in_has_one_subscription_which_it_can_end,
    subscriptions_that_cannot_be_are_refused,
);
