//! The yardstick: the rows that a request adds, written to the same store with nothing around them.
//!
//! As many tasks as there were clients write one transaction each, over and over, through the same [`Store`]:
//! group commit on SQLite, a pool of connections on PostgreSQL. What a service does beyond that (HTTP, sign-in,
//! rules, order, and the counters and balances it updates) shows as the ratio.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use haechi_base::{SystemClock, random};
use haechi_store::{Statement, Store, StoreError, StoreLimits, Tx};

use crate::BenchOptions;
use crate::load::{self, AsyncStep};

/// Tables with the columns, keys and indices of the services' own, so that the rows cost the same.
const CREATE: [&str; 6] = [
    "CREATE TABLE bench_event (event_id TEXT PRIMARY KEY NOT NULL, room_id TEXT NOT NULL, position BIGINT,
        ordinal BIGINT NOT NULL, sender BYTEA NOT NULL, type TEXT NOT NULL, state_key TEXT, content TEXT NOT NULL,
        sent_at BIGINT NOT NULL, visible_to TEXT NOT NULL, redacts TEXT, redacted_because TEXT, replaces TEXT,
        previous_content TEXT, sent_as TEXT, repeats BIGINT NOT NULL)",
    "CREATE INDEX bench_event_room_id_position ON bench_event (room_id, position)",
    "CREATE TABLE bench_transfer (transfer_id BYTEA PRIMARY KEY NOT NULL, kind TEXT NOT NULL,
        from_account BYTEA NOT NULL, to_account BYTEA NOT NULL, from_owner BYTEA NOT NULL, to_owner BYTEA NOT NULL,
        amount BIGINT NOT NULL, currency TEXT NOT NULL, memo TEXT, room_id TEXT, event_id TEXT,
        created_at BIGINT NOT NULL)",
    "CREATE TABLE bench_entry (entry_id BYTEA PRIMARY KEY NOT NULL, transfer_id BYTEA NOT NULL,
        account_id BYTEA NOT NULL, amount BIGINT NOT NULL, created_at BIGINT NOT NULL)",
    "CREATE INDEX bench_entry_account ON bench_entry (account_id, entry_id)",
    "CREATE TABLE bench_transfer_key (name TEXT PRIMARY KEY NOT NULL, fingerprint BYTEA NOT NULL,
        transfer_id BYTEA NOT NULL, attempts BIGINT NOT NULL, created_at BIGINT NOT NULL)",
];
const DROP: [&str; 4] = [
    "DROP TABLE bench_event",
    "DROP TABLE bench_transfer",
    "DROP TABLE bench_entry",
    "DROP TABLE bench_transfer_key",
];

const EVENT: &str = "
    INSERT INTO bench_event (event_id, room_id, position, ordinal, sender, type, content, sent_at, visible_to,
        sent_as, repeats) VALUES ($1, $2, $3, $3, $4, 'm.room.message', $5, $6, 'shared', $7, 0)";
const TRANSFER: &str = "
    INSERT INTO bench_transfer (transfer_id, kind, from_account, to_account, from_owner, to_owner, amount, currency,
        memo, created_at) VALUES ($1, 'transfer', $2, $3, $2, $3, 1, 'KRW', 'lunch', $4)";
const ENTRIES: &str = "INSERT INTO bench_entry VALUES ($1, $2, $3, -1, $6), ($4, $2, $5, 1, $6)";
const KEY: &str = "INSERT INTO bench_transfer_key VALUES ($1, $2, $3, 1, $4)";

/// Which rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rows {
    /// That of a message: the event.
    Message,
    /// Those of a transfer: itself, its key, and two entries.
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
    let sender = format!("{worker:016}").into_bytes();
    let content = format!(r#"{{"msgtype":"m.text","body":"message {number} of somebody"}}"#);
    let sent_as = format!("{worker:010} bench-{number}");
    vec![Statement::new(
        EVENT,
        &[
            &event_id, &room_id, &position, &sender, &content, &position, &sent_as,
        ],
    )]
}

fn transfer(worker: usize, number: u64, position: i64) -> Vec<Statement> {
    // Ids that grow with time, as the services' own do: they are added at the end of their index.
    let id = |part: u8| [&position.to_be_bytes()[..], &[part; 8]].concat();
    let (transfer_id, debit, credit) = (id(0), id(1), id(2));
    let name = format!("{worker:036}/bench-{number}");
    let [payer, receiver] = [worker, worker + 1].map(|number| format!("{number:016}").into_bytes());
    vec![
        Statement::new(KEY, &[&name, &random::bytes::<32>(), &transfer_id, &position]),
        Statement::new(TRANSFER, &[&transfer_id, &payer, &receiver, &position]),
        Statement::new(
            ENTRIES,
            &[&debit, &transfer_id, &payer, &credit, &receiver, &position],
        ),
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
