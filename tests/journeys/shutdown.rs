//! SIGTERM under load: requests under way are answered, and the program ends in time.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use haechi_bench::chat;
use haechi_bench::client::Client;
use haechi_bench::server::Server;
use tokio::sync::watch;

use crate::program::{FreshStore, binary, on_both_engines};

/// Longest that the program may take to end.
const END_WAIT: Duration = Duration::from_secs(15);

async fn end_under_load(store: &FreshStore) -> Result<()> {
    let server = Server::start(&binary(), &store.url).await?;
    let address = server.address();
    let mut people = chat::writers(address, 0, 4).await?;
    let reader = people.pop().context("four people were signed up")?;
    let mut writer = people.remove(0);

    // A long poll in another room that would last a minute: it is answered early, not cut.
    let mut waiting = Client::connect(address).await?;
    waiting.set_token(&reader.person.access_token)?;
    let first = waiting.get("/_matrix/client/v3/sync").await?.success()?;
    let since = first["next_batch"]
        .as_str()
        .context("a sync without a token")?
        .to_owned();
    let poll = tokio::spawn(async move {
        waiting
            .get(&format!("/_matrix/client/v3/sync?timeout=60000&since={since}"))
            .await
    });
    let (progress, mut seen) = watch::channel(0_u32);
    let load = tokio::spawn(async move {
        for number in 0_u32.. {
            if writer
                .send(&format!("load-{number}"), "a message while it ends")
                .await
                .is_err()
            {
                // Refused or closed between two requests; each that was taken was answered and noted.
                return writer;
            }
            progress.send_replace(number);
        }
        writer
    });
    // Well under way, and the poll long parked.
    tokio::time::timeout(END_WAIT, seen.wait_for(|number| *number >= 50))
        .await
        .context("no load")??;
    tokio::time::timeout(END_WAIT, server.stop())
        .await
        .context("the program did not end in time")??;
    let answer = poll.await??;
    ensure!(
        answer.status.is_success(),
        "the long poll was answered {}",
        answer.status
    );
    let writer = load.await?;

    let server = Server::start_on(&binary(), &store.url, &address.to_string()).await?;
    let acknowledged = writer.acknowledged.len();
    ensure!(
        chat::verify(address, &[writer]).await? == u64::try_from(acknowledged)?,
        "messages are missing"
    );
    server.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_is_cut_by_sigterm() -> Result<()> {
    on_both_engines(end_under_load).await
}
