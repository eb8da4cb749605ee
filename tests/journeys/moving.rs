//! From the embedded file to the cluster and back, by one command: no sign-in, message, money or picture is lost.

use anyhow::{Context, Result, ensure};
use haechi_bench::chat::{self, Writer};
use haechi_bench::pay::{self, Payer};
use haechi_bench::people::{Person, sign_up_administrator};
use haechi_bench::server::{Server, command};
use serde_json::{Value, json};

use crate::program::{FreshStore, binary, succeed};

/// People who were there before the move and go on after it.
struct People {
    writers: Vec<Writer>,
    payers: Vec<Payer>,
    administrator: Person,
    /// Where a file lies that one of them uploaded, and what it says.
    file: (String, Value),
}

impl People {
    async fn sign_up(server: &Server, store: &str) -> Result<Self> {
        let address = server.address();
        let mut writers = chat::writers(address, 0, 2).await?;
        let mut administrator = sign_up_administrator(&binary(), store, address).await?;
        let payers = pay::payers(&mut administrator, address, 100, 2).await?;
        // Of more than one chunk.
        let words = json!({ "words": "가나다라".repeat(60_000) });
        let client = &mut writers[0].person.client;
        let kept = client.post("/_matrix/media/v3/upload", &words).await?.success()?;
        let uri = kept["content_uri"].as_str().context("an upload without a URI")?;
        let file = uri.strip_prefix("mxc://").context("no Matrix URI")?.to_owned();
        Ok(Self {
            writers,
            payers,
            administrator,
            file: (file, words),
        })
    }

    /// Everybody says and pays something, signed in as they were.
    async fn live(&mut self, name: &str) -> Result<()> {
        for (number, writer) in self.writers.iter_mut().enumerate() {
            writer.person.client.reconnect().await?;
            writer.send(&format!("{name}-{number}"), "still here").await?;
        }
        for (number, payer) in self.payers.iter_mut().enumerate() {
            payer.person.client.reconnect().await?;
            payer.pay(&format!("{name}-{number}")).await?;
        }
        self.administrator.client.reconnect().await
    }

    /// Everything that was ever acknowledged is there once.
    async fn find_everything(&mut self, server: &Server) -> Result<()> {
        let address = server.address();
        chat::verify(address, &self.writers).await?;
        pay::verify(&mut self.administrator, address, &self.payers).await?;
        let path = format!("/_matrix/client/v1/media/download/{}", self.file.0);
        let found = self.writers[0].person.client.get(&path).await?.success()?;
        ensure!(found == self.file.1, "the file is another");
        Ok(())
    }
}

async fn move_everything(from: &str, to: &str) -> Result<Value> {
    let said = succeed(command(&binary()).args(["migrate", "--from", from, "--to", to, "--json"])).await?;
    Ok(serde_json::from_str(&said)?)
}

async fn refusal(arguments: &[&str]) -> Result<String> {
    let output = command(&binary()).args(arguments).output().await?;
    ensure!(!output.status.success(), "{arguments:?} was not refused");
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_moves_to_the_cluster_and_back() -> Result<()> {
    let (first, cluster, last) = (
        FreshStore::sqlite()?,
        FreshStore::postgres().await?,
        FreshStore::sqlite()?,
    );
    let server = Server::start(&binary(), &first.url).await?;
    let address = server.address().to_string();
    let mut people = People::sign_up(&server, &first.url).await?;
    people.live("file").await?;
    let reason = refusal(&["migrate", "--from", &first.url, "--to", &cluster.url]).await?;
    ensure!(reason.contains("is in use"), "while it is served: {reason}");
    server.stop().await?;

    let there = move_everything(&first.url, &cluster.url).await?;
    ensure!(
        there["different"] == json!([]) && there["rows"].as_u64() > Some(50),
        "{there}"
    );
    let reason = refusal(&["migrate", "--from", &first.url, "--to", &cluster.url]).await?;
    ensure!(reason.contains("holds rows already"), "a second time: {reason}");
    let server = Server::start_on(&binary(), &cluster.url, &address).await?;
    people.live("cluster").await?;
    people.find_everything(&server).await?;
    let reason = refusal(&["migrate", "--from", &cluster.url, "--to", &last.url]).await?;
    ensure!(
        reason.contains("is in use"),
        "while the cluster is served: {reason}"
    );
    server.stop().await?;

    let back = move_everything(&cluster.url, &last.url).await?;
    ensure!(back["key_fingerprint"] == there["key_fingerprint"], "another key");
    let mut check = command(&binary());
    check.args(["migrate", "--from", &cluster.url, "--to", &last.url, "--check"]);
    let told = succeed(&mut check).await?;
    ensure!(told.contains("same") && !told.contains("DIFFERENT"), "{told}");
    let server = Server::start_on(&binary(), &last.url, &address).await?;
    people.live("back").await?;
    people.find_everything(&server).await?;
    server.stop().await?;
    let reason = refusal(&["migrate", "--from", &cluster.url, "--to", &last.url, "--check"]).await?;
    ensure!(
        reason.contains("chat_event"),
        "what was said since is a difference: {reason}"
    );
    Ok(())
}
