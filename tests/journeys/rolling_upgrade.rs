//! Two nodes on one database are replaced one after the other while people write, and no request fails.
//!
//! Who stands in front of the nodes (here: `Balancer`) asks each for `/health/ready` several times a second and sends
//! new requests only to those that answer 200. A node that is told to end (SIGTERM) says 503 there for three seconds
//! while it goes on as before, then answers what is under way and ends. So "no failed request" means: every request is
//! answered with success at the first try. No client tries anything again here.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use haechi_bench::chat::{self, Writer};
use haechi_bench::client::Client;
use haechi_bench::server::Server;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::program::{FreshStore, binary};

/// How often the balancer asks, and how long a node may take to answer.
const LOOK_PAUSE: Duration = Duration::from_millis(200);
const ANSWER_WAIT: Duration = Duration::from_secs(2);

/// Requests answered between two steps of the upgrade.
const BETWEEN_STEPS: usize = 100;

/// Longest that a step may take.
const STEP_WAIT: Duration = Duration::from_secs(90);

/// People who write all the time.
const WRITERS: usize = 6;

/// Knows which nodes may be sent requests.
struct Balancer {
    ready: watch::Receiver<Vec<SocketAddr>>,
    _asking: JoinSet<()>,
}

impl Balancer {
    fn start(nodes: Vec<SocketAddr>) -> Self {
        let (told, ready) = watch::channel(Vec::new());
        let mut asking = JoinSet::new();
        asking.spawn(async move {
            loop {
                let mut found = Vec::new();
                for node in &nodes {
                    if is_ready(*node).await {
                        found.push(*node);
                    }
                }
                told.send_replace(found);
                tokio::time::sleep(LOOK_PAUSE).await;
            }
        });
        Self {
            ready,
            _asking: asking,
        }
    }

    /// Waits until exactly these nodes may be sent requests.
    async fn wait_for(&mut self, nodes: &[SocketAddr]) -> Result<()> {
        let waiting = self.ready.wait_for(|ready| ready == nodes);
        tokio::time::timeout(STEP_WAIT, waiting)
            .await
            .with_context(|| format!("{nodes:?} did not become the ready ones"))??;
        Ok(())
    }
}

async fn is_ready(node: SocketAddr) -> bool {
    let ask = async { Client::connect(node).await?.get("/health/ready").await };
    matches!(tokio::time::timeout(ANSWER_WAIT, ask).await, Ok(Ok(answer)) if answer.status.is_success())
}

/// What all writers did together.
#[derive(Default)]
struct Load {
    ends: AtomicBool,
    answered: AtomicUsize,
}

impl Load {
    /// Waits until so many more requests were answered.
    async fn go_on(&self) -> Result<()> {
        let wanted = self.answered.load(Ordering::SeqCst) + BETWEEN_STEPS;
        let waiting = async {
            while self.answered.load(Ordering::SeqCst) < wanted {
                tokio::time::sleep(LOOK_PAUSE).await;
            }
        };
        tokio::time::timeout(STEP_WAIT, waiting)
            .await
            .context("nobody is answered any more")
    }
}

/// Writes until told to end; each request goes to a node that is ready, and the first failure ends it.
async fn write(
    mut writer: Writer,
    number: usize,
    ready: watch::Receiver<Vec<SocketAddr>>,
    load: Arc<Load>,
) -> Result<(Writer, usize)> {
    let (mut at, mut moves) = (None, 0);
    for message in 0_u32.. {
        if load.ends.load(Ordering::SeqCst) {
            break;
        }
        let nodes = ready.borrow().clone();
        if at.is_none_or(|at| !nodes.contains(&at)) {
            let node = nodes[number % nodes.len()];
            writer.person.client = Client::connect(node).await?;
            writer.person.client.set_token(&writer.person.access_token)?;
            at = Some(node);
            moves += 1;
        }
        writer
            .send(&format!("upgrade-{number}-{message}"), "while nodes are replaced")
            .await
            .with_context(|| format!("writer {number}, message {message}, at {at:?}"))?;
        load.answered.fetch_add(1, Ordering::SeqCst);
    }
    Ok((writer, moves))
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_are_replaced_one_by_one_and_no_request_fails() -> Result<()> {
    let store = FreshStore::postgres().await?;
    let mut nodes = vec![
        Server::start(&binary(), &store.url).await?,
        Server::start(&binary(), &store.url).await?,
    ];
    let addresses: Vec<SocketAddr> = nodes.iter().map(Server::address).collect();
    let mut balancer = Balancer::start(addresses.clone());
    balancer.wait_for(&addresses).await?;
    let load = Arc::new(Load::default());
    let mut writing = JoinSet::new();
    for (number, writer) in chat::writers(addresses[0], 0, WRITERS)
        .await?
        .into_iter()
        .enumerate()
    {
        writing.spawn(write(writer, number, balancer.ready.clone(), Arc::clone(&load)));
    }
    load.go_on().await?;
    for number in 0..addresses.len() {
        let old = nodes.remove(0);
        old.stop().await?;
        let others: Vec<SocketAddr> = nodes.iter().map(Server::address).collect();
        ensure!(!others.is_empty(), "no node is left");
        load.go_on().await?;
        nodes.push(Server::start_on(&binary(), &store.url, &addresses[number].to_string()).await?);
        balancer.wait_for(&addresses).await?;
        load.go_on().await?;
    }
    load.ends.store(true, Ordering::SeqCst);
    let mut writers = Vec::new();
    let mut moves = 0;
    while let Some(ended) = writing.join_next().await {
        let (writer, times) = ended??;
        moves += times;
        writers.push(writer);
    }
    ensure!(moves > WRITERS, "nobody was ever sent to another node");
    let acknowledged: usize = writers.iter().map(|writer| writer.acknowledged.len()).sum();
    ensure!(
        chat::verify(addresses[0], &writers).await? == u64::try_from(acknowledged)?,
        "messages are missing"
    );
    for node in nodes {
        node.stop().await?;
    }
    Ok(())
}
