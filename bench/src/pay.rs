//! Transfers: each client sends one won at a time to a neighbour.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::BenchOptions;
use crate::client::Client;
use crate::load::{self, AsyncStep};
use crate::people::{Person, sign_up_administrator, sign_up_many};
use crate::raw::{self, Rows};
use crate::report::Report;
use crate::server::Server;
use crate::store::BenchStore;

/// What each payer starts with, in won.
const TOP_UP_AMOUNT: i64 = 10_000_000;

/// Entries on one page when they are read back.
const PAGE_ENTRIES: usize = 200;

/// Someone who pays, with what was acknowledged to them.
pub struct Payer {
    /// Who pays.
    pub person: Person,
    /// Whom.
    pub to: String,
    /// The transfers the server acknowledged.
    pub acknowledged: Vec<String>,
}

impl Payer {
    /// Sends one won under an idempotency key and notes the transfer.
    ///
    /// # Errors
    /// The server refuses, or goes away.
    pub async fn pay(&mut self, key: &str) -> Result<()> {
        let body = format!(
            r#"{{"to":"{}","amount":{{"amount":1,"currency":"KRW"}},"memo":"lunch"}}"#,
            self.to
        );
        let answer = self
            .person
            .client
            .post_once("/api/pay/transfers", key, body.into())
            .await?
            .success()?;
        let transfer_id = answer["transfer_id"]
            .as_str()
            .context("a transfer was answered without an id")?;
        self.acknowledged.push(transfer_id.to_owned());
        Ok(())
    }
}

/// Signs up `count` people (numbers counted from `first`), each with money and a neighbour to pay.
///
/// # Errors
/// The server refuses.
pub async fn payers(
    administrator: &mut Person,
    address: SocketAddr,
    first: usize,
    count: usize,
) -> Result<Vec<Payer>> {
    let people = sign_up_many(address, first, count).await?;
    let user_ids: Vec<String> = people.iter().map(|person| person.user_id.clone()).collect();
    for user_id in &user_ids {
        let body = json!({ "to": user_id, "amount": { "amount": TOP_UP_AMOUNT, "currency": "KRW" } });
        let key = format!("bench-{user_id}");
        administrator
            .client
            .post_once("/api/pay/topups", &key, body.to_string().into())
            .await?
            .success()?;
    }
    let neighbours = user_ids.iter().cycle().skip(1);
    Ok(people
        .into_iter()
        .zip(neighbours)
        .map(|(person, to)| Payer {
            person,
            to: to.clone(),
            acknowledged: Vec::new(),
        })
        .collect())
}

/// Reads every wallet's history and the ledger back; returns how many acknowledged transfers are there once.
///
/// # Errors
/// An acknowledged transfer is missing or there twice, or the ledger does not sum to zero.
pub async fn verify(administrator: &mut Person, address: SocketAddr, payers: &[Payer]) -> Result<u64> {
    let mut verified = 0;
    for payer in payers {
        let found = read_payments(address, &payer.person.access_token).await?;
        for transfer_id in &payer.acknowledged {
            let times = found.get(transfer_id).copied().unwrap_or(0);
            ensure!(
                times == 1,
                "the acknowledged transfer {transfer_id} is there {times} times"
            );
            verified += 1;
        }
    }
    let ledger = administrator.client.get("/api/pay/ledger").await?.success()?;
    ensure!(
        ledger["sum"] == 0 && ledger["wallets_out_of_balance"] == 0,
        "the ledger is out of balance: {ledger}"
    );
    Ok(verified)
}

/// How often each transfer was paid from a wallet.
async fn read_payments(address: SocketAddr, token: &str) -> Result<HashMap<String, u32>> {
    let mut client = Client::connect(address).await?;
    client.set_token(token)?;
    let mut found = HashMap::new();
    let mut before = String::new();
    loop {
        let page = client
            .get(&format!("/api/pay/entries?limit={PAGE_ENTRIES}{before}"))
            .await?
            .success()?;
        for entry in page["items"].as_array().context("a page without items")? {
            if entry["amount"]["amount"]
                .as_i64()
                .is_some_and(|amount| amount < 0)
            {
                let transfer_id = entry["transfer_id"]
                    .as_str()
                    .context("an entry without a transfer")?;
                *found.entry(transfer_id.to_owned()).or_insert(0) += 1;
            }
        }
        match page["next"].as_str() {
            Some(next) => before = format!("&before={next}"),
            None => return Ok(found),
        }
    }
}

#[derive(Clone)]
struct PayNeighbour;

impl AsyncStep<Payer> for PayNeighbour {
    async fn run(&self, payer: &mut Payer, number: u64) -> Result<()> {
        payer.pay(&format!("bench-{number}")).await
    }
}

/// Runs the bench against a server of its own, started from `program`.
///
/// # Errors
/// A request failed, or what was acknowledged is not there afterwards.
pub async fn run(program: &Path, options: &BenchOptions) -> Result<Report> {
    let store = BenchStore::named_or_temporary(options.store.as_deref())?;
    let server = Server::start(program, store.url()).await?;
    let mut administrator = sign_up_administrator(program, store.url(), server.address()).await?;
    let payers = payers(&mut administrator, server.address(), 0, options.clients.max(2)).await?;
    let (load, payers) = load::run(payers, options, PayNeighbour).await?;
    let verified = verify(&mut administrator, server.address(), &payers).await?;
    server.stop().await?;
    let raw_per_s = raw::measure(store.url(), Rows::Transfer, options).await?;
    Ok(Report::new(
        "pay",
        options,
        store.url(),
        &load,
        raw_per_s,
        verified,
    ))
}
