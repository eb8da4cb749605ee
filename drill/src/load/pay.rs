//! Clients that send money to a neighbour.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use futures_util::{StreamExt, TryStreamExt};
use haechi_bench::client::Call;
use http::Method;
use serde::Deserialize;
use serde_json::json;

use super::chat::REFUSAL_PAUSE;
use super::notes::{PayNotes, Sent, amount, text};
use super::people::{Person, done, post};
use super::shared::Shared;

/// What each payer is given at first, in won: more than they can send.
const TOP_UP_AMOUNT: i64 = 10_000_000;

/// Somebody with money and a neighbour.
pub(super) struct Payer {
    pub(super) person: Person,
    pub(super) to: String,
    pub(super) client: usize,
}

/// Gives everybody money and somebody to send it to.
pub(super) async fn endow(administrator: &mut Person, people: Vec<Person>) -> Result<Vec<Payer>> {
    let user_ids: Vec<String> = people.iter().map(|person| person.user_id.clone()).collect();
    for user_id in &user_ids {
        let body = json!({ "to": user_id, "amount": { "amount": TOP_UP_AMOUNT, "currency": "KRW" } });
        let call = post("/api/pay/topups", &body).keyed(&format!("drill-{user_id}"))?;
        done(&mut administrator.roamer, &call).await?;
    }
    let neighbours = user_ids.into_iter().cycle().skip(1);
    let mut payers: Vec<Payer> = people
        .into_iter()
        .zip(neighbours)
        .enumerate()
        .map(|(client, (person, to))| Payer { person, to, client })
        .collect();
    // Looked at once, so that every wallet is open when a reader looks again.
    futures_util::stream::iter(&mut payers)
        .map(async |payer| done(&mut payer.person.roamer, &Call::get("/api/pay/wallet")).await)
        .buffer_unordered(4)
        .try_collect::<Vec<_>>()
        .await?;
    Ok(payers)
}

#[derive(Deserialize)]
struct TransferAnswer {
    transfer_id: String,
}

/// Sends money, one transfer after the other, until the load ends.
pub(super) async fn pay_all(mut payer: Payer, shared: Arc<Shared>, pause: Duration) -> PayNotes {
    let mut sent = Vec::new();
    for number in 0_u32.. {
        if shared.is_stopping() {
            break;
        }
        let Ok(call) = transfer(&payer.to, payer.client, number) else {
            break;
        };
        let first_sent_us = shared.now_us();
        let outcome = payer.person.roamer.write(&call).await;
        let noted = Sent::note(&shared, number, first_sent_us, outcome, |acknowledged| {
            let answer: TransferAnswer = serde_json::from_slice(&acknowledged.answer.body).ok()?;
            Some(answer.transfer_id)
        });
        let is_refused = noted.acknowledged_us.is_none();
        sent.push(noted);
        tokio::time::sleep(if is_refused { REFUSAL_PAUSE } else { pause }).await;
    }
    PayNotes {
        token: payer.person.token,
        user_id: payer.person.user_id,
        to: payer.to,
        client: payer.client,
        sent,
    }
}

/// A transfer under its key: whenever it is sent, it is this one transfer.
fn transfer(to: &str, client: usize, number: u32) -> Result<Call> {
    let body = format!(
        r#"{{"to":"{to}","amount":{{"amount":{},"currency":"KRW"}},"memo":"{}"}}"#,
        amount(number),
        text(client, number)
    );
    Call::with_body(Method::POST, "/api/pay/transfers", body).keyed(&format!("drill-{number}"))
}
