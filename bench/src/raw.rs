//! The yardstick: the rows that a request leaves, written to the same store with nothing around them.
//!
//! As many tasks as there were clients write one transaction each, over and over, through the same [`Store`]:
//! group commit on SQLite, a pool of connections on PostgreSQL. What a service does beyond that (HTTP, sign-in,
//! rules, order) shows as the ratio.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use haechi_base::{SystemClock, random};
use haechi_store::{Statement, Store, StoreError, StoreLimits, Tx};

use crate::BenchOptions;
use crate::load::{self, AsyncStep};

/// Tables of the same shape as the services' own, so that the rows cost the same.
const CREATE: [&str; 6] = [
    "CREATE TABLE bench_event (event_id TEXT PRIMARY KEY NOT NULL, room_id TEXT NOT NULL, stream BIGINT NOT NULL,
        position BIGINT NOT NULL, sender TEXT NOT NULL, type TEXT NOT NULL, content TEXT NOT NULL,
        created_at BIGINT NOT NULL)",
    "CREATE INDEX bench_event_position ON bench_event (room_id, position)",
    "CREATE TABLE bench_transaction (name TEXT PRIMARY KEY NOT NULL, event_id TEXT NOT NULL)",
    "CREATE TABLE bench_transfer (transfer_id BYTEA PRIMARY KEY NOT NULL, key TEXT NOT NULL, amount BIGINT NOT NULL,
        memo TEXT, created_at BIGINT NOT NULL)",
    "CREATE TABLE bench_entry (entry_id BYTEA PRIMARY KEY NOT NULL, transfer_id BYTEA NOT NULL,
        account_id BYTEA NOT NULL, amount BIGINT NOT NULL, created_at BIGINT NOT NULL)",
    "CREATE INDEX bench_entry_account ON bench_entry (account_id, entry_id)",
];
const DROP: [&str; 4] = [
    "DROP TABLE bench_event",
    "DROP TABLE bench_transaction",
    "DROP TABLE bench_transfer",
    "DROP TABLE bench_entry",
];

const EVENT: &str = "INSERT INTO bench_event VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
const TRANSACTION: &str = "INSERT INTO bench_transaction VALUES ($1, $2)";
const TRANSFER: &str = "INSERT INTO bench_transfer VALUES ($1, $2, $3, $4, $5)";
const ENTRY: &str = "INSERT INTO bench_entry VALUES ($1, $2, $3, $4, $5)";

/// Which rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rows {
    /// Those of a message: the event and its transaction id.
    Message,
    /// Those of a transfer: itself with its key, and two entries.
    Transfer,
}

#[derive(Clone)]
struct RawWrite {
    store: Store,
    rows: Rows,
    position: Arc<AtomicU64>,
}

impl AsyncStep<usize> for RawWrite {
    async fn run(&self, worker: &mut usize, number: u64) -> Result<()> {
        let position = i64::try_from(self.position.fetch_add(1, Ordering::Relaxed))?;
        let statements = match self.rows {
            Rows::Message => message(*worker, number, position),
            Rows::Transfer => transfer(*worker, number, position),
        };
        let write = async move |tx: &mut Tx<'_>| tx.run_all(&statements).await.map(drop);
        Ok(self.store.write_unkeyed::<(), StoreError, _>(write).await?)
    }
}

fn message(worker: usize, number: u64, position: i64) -> Vec<Statement> {
    let event_id = format!("${}", random::token());
    let room_id = format!("!{:018}:localhost", worker / 2);
    let sender = format!("@{worker:032}:localhost");
    let content = format!(r#"{{"body":"message {number} of somebody","msgtype":"m.text"}}"#);
    let name = format!("{sender}/device/{number}");
    vec![
        Statement::new(TRANSACTION, &[&name, &event_id]),
        Statement::new(
            EVENT,
            &[
                &event_id,
                &room_id,
                &1_i64,
                &position,
                &sender,
                &"m.room.message",
                &content,
                &position,
            ],
        ),
    ]
}

fn transfer(worker: usize, number: u64, position: i64) -> Vec<Statement> {
    let [transfer_id, debit, credit] = [(); 3].map(|()| random::bytes::<16>());
    let key = format!("{worker:036}/{number}");
    let accounts = [worker, worker + 1].map(|number| format!("{number:016}").into_bytes());
    vec![
        Statement::new(TRANSFER, &[&transfer_id, &key, &1_i64, &"lunch", &position]),
        Statement::new(ENTRY, &[&debit, &transfer_id, &accounts[0], &-1_i64, &position]),
        Statement::new(ENTRY, &[&credit, &transfer_id, &accounts[1], &1_i64, &position]),
    ]
}

/// How many transactions with these rows the store takes in a second.
pub(crate) async fn measure(url: &str, rows: Rows, options: &BenchOptions) -> Result<f64> {
    let store = Store::open(&url.parse()?, &StoreLimits::default(), Arc::new(SystemClock))?;
    run_each(&store, &CREATE).await?;
    let write = RawWrite {
        store: store.clone(),
        rows,
        position: Arc::new(AtomicU64::new(0)),
    };
    let (measured, _) = load::run((0..options.clients).collect(), options, write).await?;
    run_each(&store, &DROP).await?;
    Ok(measured.per_s)
}

async fn run_each(store: &Store, statements: &'static [&'static str]) -> Result<()> {
    for statement in statements {
        let run = async move |tx: &mut Tx<'_>| tx.execute(statement, &[]).await.map(drop);
        store.write_unkeyed::<(), StoreError, _>(run).await?;
    }
    Ok(())
}
