//! SIGKILL under load, again and again: what was acknowledged is there afterwards, once.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use haechi_bench::chat::{self, Writer};
use haechi_bench::pay::{self, Payer};
use haechi_bench::people::sign_up_administrator;
use haechi_bench::server::Server;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::program::{FreshStore, binary, on_both_engines};

/// How often the server is killed.
const KILLS: usize = 3;

/// Acknowledged requests of all clients together before each kill.
const ACKNOWLEDGED_BEFORE_KILL: usize = 200;

/// Longest that a round of load may take.
const ROUND_WAIT: Duration = Duration::from_secs(60);

/// What both kinds of client do here: ask again under the same key until the server acknowledges it.
trait LoadClient: Send + 'static {
    fn ask(&mut self, key: &str) -> impl Future<Output = Result<()>> + Send;
    fn reconnect(&mut self) -> impl Future<Output = Result<()>> + Send;
}

impl LoadClient for Writer {
    async fn ask(&mut self, key: &str) -> Result<()> {
        self.send(key, "a message that must not be lost").await
    }

    async fn reconnect(&mut self) -> Result<()> {
        self.person.client.reconnect().await
    }
}

impl LoadClient for Payer {
    async fn ask(&mut self, key: &str) -> Result<()> {
        self.pay(key).await
    }

    async fn reconnect(&mut self) -> Result<()> {
        self.person.client.reconnect().await
    }
}

/// Loads the server until it is killed; returns the client and the key whose answer never came.
async fn load_until_killed<C: LoadClient>(
    mut client: C,
    name: String,
    progress: watch::Sender<usize>,
) -> (C, String) {
    for number in 0_u64.. {
        let key = format!("{name}-{number}");
        if client.ask(&key).await.is_err() {
            return (client, key);
        }
        progress.send_modify(|acknowledged| *acknowledged += 1);
    }
    unreachable!("the numbers do not end")
}

/// One round: load, kill, restart on the same address, ask again what was unanswered.
async fn round<C: LoadClient>(
    server: Server,
    program: &Path,
    store: &str,
    clients: Vec<C>,
    name: &str,
) -> Result<(Server, Vec<C>)> {
    let (progress, mut seen) = watch::channel(0);
    let mut loads = JoinSet::new();
    for (number, mut client) in clients.into_iter().enumerate() {
        // The other kind's round may have killed the server since.
        client.reconnect().await?;
        loads.spawn(load_until_killed(
            client,
            format!("{name}-{number}"),
            progress.clone(),
        ));
    }
    tokio::time::timeout(
        ROUND_WAIT,
        seen.wait_for(|acknowledged| *acknowledged >= ACKNOWLEDGED_BEFORE_KILL),
    )
    .await
    .context("the load did not get far enough")??;
    let address = server.address().to_string();
    let mut server = server;
    server.kill().await?;
    let stopped = loads.join_all().await;
    let server = Server::start_on(program, store, &address).await?;
    let mut clients = Vec::with_capacity(stopped.len());
    for (mut client, unanswered) in stopped {
        client.reconnect().await?;
        // Nobody knows whether it was done before the kill. Asked again with its key, it is done once.
        client.ask(&unanswered).await?;
        clients.push(client);
    }
    Ok((server, clients))
}

async fn kill_under_load(store: &FreshStore) -> Result<()> {
    let program = binary();
    let mut server = Server::start(&program, &store.url).await?;
    let address = server.address();
    let mut writers = chat::writers(address, 0, 8).await?;
    let mut administrator = sign_up_administrator(&program, &store.url, address).await?;
    let mut payers = pay::payers(&mut administrator, address, 100, 8).await?;
    for kill in 0..KILLS {
        (server, writers) = round(server, &program, &store.url, writers, &format!("chat-{kill}")).await?;
        (server, payers) = round(server, &program, &store.url, payers, &format!("pay-{kill}")).await?;
    }
    administrator.client.reconnect().await?;
    let messages = chat::verify(address, &writers).await?;
    let transfers = pay::verify(&mut administrator, address, &payers).await?;
    let least = u64::try_from(KILLS * ACKNOWLEDGED_BEFORE_KILL)?;
    ensure!(
        messages >= least && transfers >= least,
        "only {messages} messages and {transfers} transfers"
    );
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_or_doubled_by_sigkill() -> Result<()> {
    on_both_engines(kill_under_load).await
}
