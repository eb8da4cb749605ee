//! A client that knows all sites: on a failure it changes over to the next one and sends the very same request again.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use haechi_base::random;
use haechi_bench::client::{Answer, Call, Client};
use http::StatusCode;

use super::shared::Shared;

/// How long a connection may take.
const CONNECT_WAIT: Duration = Duration::from_millis(500);

/// How long the first site may take to acknowledge a write before the next one is asked. It doubles with each time
/// that it was not enough: sites that are only slow are not made slower by clients that ask again and again.
const WRITE_WAIT: Duration = Duration::from_secs(3);

/// Longest that one site may take.
const WRITE_WAIT_MAX: Duration = Duration::from_secs(12);

/// Longest pause after all sites were asked in vain, whatever they said of trying again.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// The pause when they said nothing of it.
const PAUSE_USUAL: Duration = Duration::from_millis(100);

/// How long a client stays away from its own site once it left it.
const AWAY_MIN: Duration = Duration::from_secs(5);

/// How long its own site must have been well before a client goes back to it.
const WELL_MIN: Duration = Duration::from_secs(3);

/// How a write ended.
pub(crate) enum Outcome {
    /// A site acknowledged it.
    Acknowledged(Acknowledged),
    /// A site refused it for good.
    Refused(Answer),
    /// The load ended before anybody acknowledged it.
    GaveUp,
}

/// An acknowledged write.
pub(crate) struct Acknowledged {
    pub(crate) answer: Answer,
    /// Which site it was, by its place among the addresses.
    pub(crate) site: usize,
    pub(crate) at_us: u64,
}

/// What became of one request to one site.
pub(crate) enum Tried {
    Answered(Answer),
    /// No connection: the site never saw it.
    NotSent,
    /// It went out, and no answer came: done or not, nobody knows.
    Unknown,
}

/// A client of all sites.
pub(crate) struct Roamer {
    pub(super) shared: Arc<Shared>,
    /// The sites in the order in which this client asks them, its own first.
    pub(super) order: Vec<usize>,
    /// Which of `order` it uses now.
    pub(super) at: usize,
    /// By site.
    pub(super) connections: Vec<Option<Client>>,
    token: Option<String>,
    left_home: Option<Instant>,
}

impl Roamer {
    /// A client whose own site is `home`. Clients of one site spread over the others when it fails: `number` is
    /// the client's.
    pub(crate) fn new(shared: Arc<Shared>, home: usize, number: usize) -> Self {
        let sites = shared.sites.len();
        let mut others: Vec<usize> = (0..sites).filter(|site| *site != home).collect();
        if !others.is_empty() {
            let turn = number % others.len();
            others.rotate_left(turn);
        }
        Self {
            shared,
            order: std::iter::once(home).chain(others).collect(),
            at: 0,
            connections: (0..sites).map(|_| None).collect(),
            token: None,
            left_home: None,
        }
    }

    /// Sends this token from now on.
    pub(crate) fn set_token(&mut self, token: &str) -> anyhow::Result<()> {
        self.token = Some(token.to_owned());
        for client in self.connections.iter_mut().flatten() {
            client.set_token(token)?;
        }
        Ok(())
    }

    /// The site it uses now.
    pub(crate) fn site(&self) -> usize {
        self.order.get(self.at).copied().unwrap_or_default()
    }

    /// Sends a write until it is acknowledged, at one site after the other, the same each time.
    pub(crate) async fn write(&mut self, call: &Call) -> Outcome {
        self.go_home();
        let mut attempts: u32 = 0;
        // Preparations have time.
        let mut wait = if self.shared.has_begun() {
            WRITE_WAIT
        } else {
            WRITE_WAIT_MAX
        };
        let mut pause = None;
        let sites = u32::try_from(self.order.len()).unwrap_or(u32::MAX).max(1);
        loop {
            attempts += 1;
            let site = self.site();
            match self.attempt(site, call, wait).await {
                Tried::Answered(answer) if answer.status.is_success() => {
                    self.shared.note_answered(site);
                    let at_us = self.shared.now_us();
                    return Outcome::Acknowledged(Acknowledged { answer, site, at_us });
                }
                Tried::Answered(answer) if is_passing(answer.status) => {
                    self.shared.unavailable.fetch_add(1, Ordering::Relaxed);
                    pause = pause.max(answer.retry_after);
                }
                Tried::Answered(answer) => return Outcome::Refused(answer),
                Tried::NotSent => {}
                Tried::Unknown => {
                    self.shared.unknown_retried.fetch_add(1, Ordering::Relaxed);
                    wait = (wait * 2).min(WRITE_WAIT_MAX);
                }
            }
            self.change_over();
            if self.shared.gives_up() {
                return Outcome::GaveUp;
            }
            if attempts.is_multiple_of(sites) {
                let told: Duration = pause.take().unwrap_or(PAUSE_USUAL);
                tokio::time::sleep(told.min(PAUSE_MAX).mul_f64(0.5 + random::fraction() / 2.0)).await;
            }
        }
    }

    /// Asks one site once.
    pub(crate) async fn attempt(&mut self, site: usize, call: &Call, wait: Duration) -> Tried {
        let Some(mut client) = self.take_connection(site).await else {
            return Tried::NotSent;
        };
        match tokio::time::timeout(wait, client.call(call)).await {
            Ok(Ok(answer)) => {
                self.keep_connection(site, client);
                Tried::Answered(answer)
            }
            // The connection is dropped: what may still come on it is no answer to the next request.
            Ok(Err(_)) | Err(_) => Tried::Unknown,
        }
    }

    /// The kept connection to a site, or a new one.
    async fn take_connection(&mut self, site: usize) -> Option<Client> {
        if let Some(client) = self.connections.get_mut(site).and_then(Option::take)
            && !client.is_closed()
        {
            return Some(client);
        }
        connect(&self.shared, site, self.token.as_deref()).await
    }

    pub(super) fn keep_connection(&mut self, site: usize, client: Client) {
        if let Some(place) = self.connections.get_mut(site) {
            *place = Some(client);
        }
    }

    pub(super) fn token(&self) -> Option<String> {
        self.token.clone()
    }

    /// Uses the next site from now on.
    pub(crate) fn change_over(&mut self) {
        self.use_place((self.at + 1) % self.order.len().max(1));
    }

    /// Uses this place of the order from now on.
    pub(super) fn use_place(&mut self, place: usize) {
        if place == self.at {
            return;
        }
        self.shared.change_overs.fetch_add(1, Ordering::Relaxed);
        self.at = place;
        self.left_home = Some(Instant::now());
    }

    /// Goes back to its own site when that has been well for a while.
    pub(crate) fn go_home(&mut self) {
        let Some(home) = self.order.first().copied().filter(|_| self.at != 0) else {
            return;
        };
        let is_away_long = self.left_home.is_none_or(|left| left.elapsed() >= AWAY_MIN);
        if is_away_long && self.shared.is_ready_for(home, WELL_MIN) {
            self.at = 0;
        }
    }
}

/// Opens a connection to a site, in time or not at all.
pub(super) async fn connect(shared: &Shared, site: usize, token: Option<&str>) -> Option<Client> {
    let address = shared.sites.get(site)?.http;
    let mut client = tokio::time::timeout(CONNECT_WAIT, Client::connect(address))
        .await
        .ok()?
        .ok()?;
    if let Some(token) = token {
        client.set_token(token).ok()?;
    }
    Some(client)
}

/// Whether the same request may succeed later or elsewhere.
pub(super) fn is_passing(status: StatusCode) -> bool {
    status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
        )
}

/// Tells again and again whether a site says that it is ready, until it is aborted.
pub(crate) async fn watch(shared: Arc<Shared>, site: usize) {
    /// How often a site is asked.
    const PERIOD: Duration = Duration::from_millis(500);
    /// How long it may take to answer.
    const WAIT: Duration = Duration::from_millis(400);
    let mut client: Option<Client> = None;
    loop {
        let asked = tokio::time::timeout(WAIT, async {
            let mut open = match client.take().filter(|client| !client.is_closed()) {
                Some(open) => open,
                None => connect(&shared, site, None).await?,
            };
            let answer = open.get("/health/ready").await.ok()?;
            Some((open, answer.status.is_success()))
        })
        .await;
        let is_ready = match asked {
            Ok(Some((open, is_ready))) => {
                client = Some(open);
                is_ready
            }
            Ok(None) | Err(_) => false,
        };
        shared.note_ready(site, is_ready);
        tokio::time::sleep(PERIOD).await;
    }
}
