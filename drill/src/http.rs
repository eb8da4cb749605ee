//! Short questions over HTTP to what runs at the sites, each with a bound on its time.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use haechi_bench::client::{Answer, Client};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// How long one answer may take: a frozen site never answers.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// An answer.
pub(crate) struct Answered {
    pub(crate) status: u16,
    body: Vec<u8>,
}

impl Answered {
    /// Refuses every status that is no success, with what was said.
    pub(crate) fn success(&self) -> Result<()> {
        if !(200..300).contains(&self.status) {
            bail!("{}: {}", self.status, String::from_utf8_lossy(&self.body).trim());
        }
        Ok(())
    }

    /// The body of a success as JSON.
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        self.success()?;
        serde_json::from_slice(&self.body).context("the answer is not the JSON that was expected")
    }
}

impl From<Answer> for Answered {
    fn from(answer: Answer) -> Self {
        Self {
            status: answer.status.as_u16(),
            body: answer.body.to_vec(),
        }
    }
}

/// Asks with GET.
pub(crate) async fn get(address: SocketAddr, path: &str) -> Result<Answered> {
    in_time(ANSWER_TIMEOUT, address, async {
        Ok(Client::connect(address).await?.get(path).await?.into())
    })
    .await
}

/// Sends JSON with POST, with an access token if there is one, and waits for the answer this long at the most.
pub(crate) async fn post(
    address: SocketAddr,
    path: &str,
    body: &Value,
    token: Option<&str>,
    answer_timeout: Duration,
) -> Result<Answered> {
    in_time(answer_timeout, address, async {
        let mut client = Client::connect(address).await?;
        if let Some(token) = token {
            client.set_token(token)?;
        }
        Ok(client.post(path, body).await?.into())
    })
    .await
}

async fn in_time(
    answer_timeout: Duration,
    address: SocketAddr,
    ask: impl Future<Output = Result<Answered>>,
) -> Result<Answered> {
    tokio::time::timeout(answer_timeout, ask)
        .await
        .with_context(|| format!("{address} did not answer within {answer_timeout:?}"))?
}
