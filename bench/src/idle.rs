//! Clients that wait: what a parked long poll costs the server's memory.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::client::Client;
use crate::crowd::Account;
use crate::machine::Memory;

/// Connections from one address: each has some 28,000 ports.
const CONNECTIONS_AN_ADDRESS: usize = 10_000;

/// First syncs under way at once.
const FIRST_SYNCS: usize = 64;

/// How long it may take until all wait at once.
const PARKED_WAIT: Duration = Duration::from_secs(120);

/// How long they then wait before and while it is measured.
const MEASURED: Duration = Duration::from_secs(4);

/// Parks a long poll of each of these people, all at once, and returns by how many bytes each of them made the server
/// grow: everything that their first sync and their poll left there.
pub(crate) async fn measure(address: SocketAddr, process_id: u32, people: &[Account]) -> Result<Memory> {
    let before = Memory::of_process(process_id)?;
    let parked = Arc::new(AtomicUsize::new(0));
    let (stop, stopped) = watch::channel(false);
    let first_syncs = Arc::new(Semaphore::new(FIRST_SYNCS));
    let mut polls = JoinSet::new();
    for (number, account) in people.iter().enumerate() {
        let poll = Poll {
            address,
            source: source(number)?,
            token: account.access_token.clone(),
            parked: Arc::clone(&parked),
            first_syncs: Arc::clone(&first_syncs),
            stopped: stopped.clone(),
        };
        polls.spawn(poll.run());
    }
    let outcome = tokio::select! {
        outcome = grown(process_id, &parked, people.len(), before) => outcome,
        ended = polls.join_next() => {
            ended.context("nobody polls")???;
            anyhow::bail!("a poll ended by itself")
        }
    };
    stop.send(true)?;
    while let Some(ended) = polls.join_next().await {
        ended??;
    }
    outcome
}

async fn grown(process_id: u32, parked: &AtomicUsize, count: usize, before: Memory) -> Result<Memory> {
    let begun = Instant::now();
    while parked.load(Ordering::Relaxed) < count {
        let waiting = parked.load(Ordering::Relaxed);
        ensure!(
            begun.elapsed() < PARKED_WAIT,
            "only {waiting} of {count} polls wait at once"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (begun, mut most) = (Instant::now(), Memory::default());
    while begun.elapsed() < MEASURED {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let now = Memory::of_process(process_id)?;
        most.resident = most.resident.max(now.resident);
        most.own = most.own.max(now.own);
    }
    let count = u64::try_from(count)?;
    Ok(Memory {
        resident: most.resident.saturating_sub(before.resident) / count,
        own: most.own.saturating_sub(before.own) / count,
    })
}

fn source(number: usize) -> Result<IpAddr> {
    let last = u8::try_from(2 + number / CONNECTIONS_AN_ADDRESS).context("too many clients")?;
    Ok(Ipv4Addr::new(127, 0, 0, last).into())
}

struct Poll {
    address: SocketAddr,
    source: IpAddr,
    token: String,
    parked: Arc<AtomicUsize>,
    first_syncs: Arc<Semaphore>,
    stopped: watch::Receiver<bool>,
}

impl Poll {
    async fn run(mut self) -> Result<()> {
        let permit = self.first_syncs.acquire().await?;
        let mut client = Client::connect_from(self.source, self.address).await?;
        client.set_token(&self.token)?;
        let mut since = next_batch(&mut client, "/_matrix/client/v3/sync").await?;
        drop(permit);
        while !*self.stopped.borrow() {
            let path = format!("/_matrix/client/v3/sync?timeout=30000&since={since}");
            self.parked.fetch_add(1, Ordering::Relaxed);
            let answer = tokio::select! {
                answer = next_batch(&mut client, &path) => answer,
                _ = self.stopped.wait_for(|stopped| *stopped) => return Ok(()),
            };
            self.parked.fetch_sub(1, Ordering::Relaxed);
            since = answer?;
        }
        Ok(())
    }
}

async fn next_batch(client: &mut Client, path: &str) -> Result<String> {
    let answer = client.get(path).await?.success()?;
    let since = answer["next_batch"].as_str();
    Ok(since.context("a sync without a token")?.to_owned())
}
