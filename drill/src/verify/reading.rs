//! Reads from whichever site answers.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use haechi_bench::client::{Answer, Call, Client};
use serde::de::DeserializeOwned;

use crate::load::SiteAddress;

/// How long one site may take.
const WAIT: Duration = Duration::from_secs(20);

/// How often all sites are asked before it is given up.
const ROUNDS_MAX: u32 = 10;

/// The pause between two rounds.
const ROUND_PAUSE: Duration = Duration::from_millis(500);

/// A reader of the sites that are left.
pub(super) struct Reading {
    sites: Vec<SiteAddress>,
    at: usize,
    connection: Option<Client>,
}

impl Reading {
    /// A reader that begins with one of the sites; which one, `number` tells.
    pub(super) fn new(sites: &[SiteAddress], number: usize) -> Self {
        Self {
            sites: sites.to_vec(),
            at: number % sites.len().max(1),
            connection: None,
        }
    }

    /// Asks another site from now on.
    pub(super) fn move_on(&mut self) {
        self.at = (self.at + 1) % self.sites.len().max(1);
        self.connection = None;
    }

    /// A JSON answer.
    ///
    /// # Errors
    /// It is refused, or no site answers.
    pub(super) async fn get<T: DeserializeOwned>(&mut self, path: &str, token: &str) -> Result<T> {
        let answer = self.ask(&Call::get(path), token).await?;
        if !answer.status.is_success() {
            bail!(
                "{path}: {}: {}",
                answer.status,
                String::from_utf8_lossy(&answer.body)
            );
        }
        serde_json::from_slice(&answer.body).with_context(|| format!("{path}: the answer is not understood"))
    }

    /// The first answer of any site that is no passing failure.
    ///
    /// # Errors
    /// No site answers.
    pub(super) async fn ask(&mut self, call: &Call, token: &str) -> Result<Answer> {
        let mut last = String::new();
        for round in 0..ROUNDS_MAX {
            if round > 0 {
                tokio::time::sleep(ROUND_PAUSE).await;
            }
            for _ in 0..self.sites.len() {
                match tokio::time::timeout(WAIT, self.ask_here(call, token)).await {
                    Ok(Ok(answer)) if !answer.status.is_server_error() => return Ok(answer),
                    Ok(Ok(answer)) => last = answer.status.to_string(),
                    Ok(Err(error)) => last = format!("{error:#}"),
                    Err(_) => "no answer in time".clone_into(&mut last),
                }
                self.move_on();
            }
        }
        bail!("no site answers {}: {last}", call.path)
    }

    async fn ask_here(&mut self, call: &Call, token: &str) -> Result<Answer> {
        let address = self.sites.get(self.at).context("there is no site")?.http;
        let mut client = match self.connection.take() {
            Some(client) if !client.is_closed() => client,
            _ => Client::connect(address).await?,
        };
        if !token.is_empty() {
            client.set_token(token)?;
        }
        let answer = client.call(call).await?;
        self.connection = Some(client);
        Ok(answer)
    }
}
