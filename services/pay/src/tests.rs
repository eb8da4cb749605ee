//! Tests of the ledger: its routes through the real router, on both engines. The rules' own stand in `model.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod in_a_chat;
mod keys;
mod nodes;
mod outage;
mod refusals;
mod wallets;

use std::sync::Arc;

use haechi_base::Money;
use haechi_chat::Chat;
use haechi_identity::{Identity, IdentitySettings};
use haechi_service::Context;
use haechi_testkit::{SignedUp, TestApp, TestRequest, TestResponse, TestStore, Wiring};
use serde_json::{Value, json};

use crate::Pay;

/// A house with a ledger, and the services behind it.
struct House {
    app: TestApp,
    chat: Chat,
    pay: Pay,
}

async fn start(store: TestStore) -> House {
    let mut services = None;
    let app = TestApp::start(store, |context| wire(context, &mut services)).await;
    let (chat, pay) = services.unwrap();
    House { app, chat, pay }
}

/// The same as a node of a cluster, on a database that several nodes share.
async fn start_node(store: &TestStore, site: &str) -> House {
    let mut services = None;
    let app = TestApp::join(store, site, |context| wire(context, &mut services)).await;
    let (chat, pay) = services.unwrap();
    House { app, chat, pay }
}

fn wire(context: Context, services: &mut Option<(Chat, Pay)>) -> Wiring {
    let settings = IdentitySettings {
        tries_per_caller_hourly: None,
        ..IdentitySettings::default()
    };
    let identity = Identity::new(context.clone(), settings);
    let chat = Chat::new(context.clone(), identity.clone());
    let pay = Pay::new(context, identity.clone(), chat.clone());
    *services = Some((chat.clone(), pay.clone()));
    Wiring {
        services: vec![Arc::new(identity.clone()), Arc::new(chat), Arc::new(pay)],
        authenticator: Arc::new(identity),
    }
}

impl House {
    /// Signs somebody up who has so many won.
    async fn person_with(&self, name: &str, balance: i64) -> SignedUp {
        let person = self.app.sign_up(name).await;
        if balance > 0 {
            let key = person.person_id.to_string();
            self.pay
                .top_up("test", &key, person.person_id, Money::krw(balance))
                .await
                .unwrap();
        }
        person
    }

    fn transfer(&self, from: &SignedUp, key: &str, body: Value) -> TestRequest {
        self.app
            .post("/api/pay/transfers")
            .bearer(&from.access_token)
            .header("idempotency-key", key)
            .json(body)
    }

    async fn send_won(&self, from: &SignedUp, to: &SignedUp, key: &str, amount: i64) -> TestResponse {
        self.transfer(from, key, won(to, amount)).send().await
    }

    async fn balance(&self, person: &SignedUp) -> i64 {
        let wallet = self
            .app
            .get("/api/pay/wallet")
            .bearer(&person.access_token)
            .send()
            .await;
        wallet.expect(200).json()["balance"]["amount"].as_i64().unwrap()
    }

    async fn entries(&self, person: &SignedUp, query: &str) -> Value {
        let path = format!("/api/pay/entries{query}");
        self.app
            .get(&path)
            .bearer(&person.access_token)
            .send()
            .await
            .expect(200)
            .json()
    }

    /// The whole ledger sums to zero and agrees with every wallet.
    async fn assert_balanced(&self) {
        let read = async |tx: &mut haechi_store::Tx<'_>| crate::ops::check_ledger(tx).await;
        let ledger = self.app.context.store.read(read).await.unwrap();
        assert_eq!((ledger.sum, ledger.wallets_out_of_balance), (0, 0), "{ledger:?}");
    }
}

/// So many won for somebody.
fn won(to: &SignedUp, amount: i64) -> Value {
    json!({ "to": to.user_id, "amount": { "amount": amount, "currency": "KRW" } })
}
