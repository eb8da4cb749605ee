//! Keys that tests sign with, as a client would, and how they are sent.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use haechi_testkit::{SignedUp, TestApp};
use ruma::CanonicalJsonObject;
use serde_json::{Value, json};

use super::{get, post};

/// A signing key.
pub(super) struct TestKey(Ed25519KeyPair);

impl TestKey {
    /// A key of this number, always the same.
    pub(super) fn new(number: u8) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[number; 32]).unwrap())
    }

    /// The public key in base64.
    pub(super) fn public(&self) -> String {
        STANDARD_NO_PAD.encode(self.0.public_key().as_ref())
    }

    /// The object with this key's signature among its signatures.
    pub(super) fn sign(&self, mut object: Value, user_id: &str, key_id: &str) -> Value {
        let mut plain: CanonicalJsonObject = serde_json::from_value(object.clone()).unwrap();
        plain.remove("signatures");
        plain.remove("unsigned");
        let text = serde_json::to_string(&plain).unwrap();
        let signature = STANDARD_NO_PAD.encode(self.0.sign(text.as_bytes()).as_ref());
        object["signatures"][user_id][key_id] = signature.into();
        object
    }
}

/// The identity keys of a device, signed by itself.
pub(super) fn device_keys(who: &SignedUp, key: &TestKey) -> Value {
    device_keys_of(&who.user_id, &who.device_id, key)
}

/// The same for any device id.
pub(super) fn device_keys_of(user_id: &str, device_id: &str, key: &TestKey) -> Value {
    let name = format!("ed25519:{device_id}");
    let mut object = json!({
        "user_id": user_id,
        "device_id": device_id,
        "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
        "keys": {},
    });
    object["keys"][&name] = key.public().into();
    object["keys"][format!("curve25519:{device_id}")] = key.public().into();
    key.sign(object, user_id, &name)
}

/// Uploads the identity keys of a device, of a key of this number.
pub(super) async fn upload_device(app: &TestApp, who: &SignedUp, number: u8) -> TestKey {
    let key = TestKey::new(number);
    let body = json!({ "device_keys": device_keys(who, &key) });
    post(app, who, "keys/upload", body).await.expect(200);
    key
}

/// What somebody is told of another's keys.
pub(super) async fn query(app: &TestApp, asker: &SignedUp, user_id: &str) -> Value {
    let mut wanted = json!({ "device_keys": {} });
    wanted["device_keys"][user_id] = json!([]);
    post(app, asker, "keys/query", wanted).await.expect(200).json()
}

/// The three cross-signing keys of a person.
pub(super) struct CrossSigning {
    pub(super) master: TestKey,
    pub(super) own: TestKey,
    pub(super) others: TestKey,
    user_id: String,
}

impl CrossSigning {
    pub(super) fn new(who: &SignedUp, number: u8) -> Self {
        Self {
            master: TestKey::new(number),
            own: TestKey::new(number + 1),
            others: TestKey::new(number + 2),
            user_id: who.user_id.clone(),
        }
    }

    /// The master key as an object.
    pub(super) fn master_object(&self) -> Value {
        self.object("master", &self.master)
    }

    fn object(&self, usage: &str, key: &TestKey) -> Value {
        let public = key.public();
        let mut object = json!({ "user_id": self.user_id, "usage": [usage], "keys": {} });
        object["keys"][format!("ed25519:{public}")] = public.clone().into();
        object
    }

    /// The body of an upload, without `auth`.
    pub(super) fn upload(&self) -> Value {
        let master = format!("ed25519:{}", self.master.public());
        let signed = |usage, key| self.master.sign(self.object(usage, key), &self.user_id, &master);
        json!({
            "master_key": self.master_object(),
            "self_signing_key": signed("self_signing", &self.own),
            "user_signing_key": signed("user_signing", &self.others),
        })
    }
}

/// Gives somebody a password.
pub(super) async fn set_password(app: &TestApp, who: &SignedUp) {
    app.put("/api/identity/me/password")
        .bearer(&who.access_token)
        .json(json!({ "password": PASSWORD }))
        .send()
        .await
        .expect(204);
}

const PASSWORD: &str = "correct horse";

/// What answers the question for the password.
pub(super) fn auth(who: &SignedUp, password: &str) -> Value {
    json!({
        "type": "m.login.password",
        "identifier": { "type": "m.id.user", "user": who.user_id },
        "password": password,
    })
}

/// The right one.
pub(super) fn right_auth(who: &SignedUp) -> Value {
    auth(who, PASSWORD)
}

/// Asks until the answer is as wanted: for what is done beside a request.
pub(super) async fn until(app: &TestApp, who: &SignedUp, path: &str, is_done: impl Fn(&Value) -> bool) {
    for _ in 0..2_000 {
        if is_done(&get(app, who, path).await.expect(200).json()) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("{path} never answered as wanted");
}
