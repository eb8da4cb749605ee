//! How pushes leave the house: to Matrix push gateways, and straight to browsers' push services. All of chat's HTTP that
//! goes out is here.

mod address;
mod web;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use haechi_base::Time;
use parking_lot::Mutex;
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use address::PublicOnly;
pub(crate) use web::{HouseKey, WebKeys};

/// How long a gateway may take to be reached, and to answer who waits longest for it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Largest answer of a gateway that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Pushes that a node sends at once.
const UNDER_WAY_MAX: usize = 64;

/// For how long a gateway that gave no answer is not asked.
const SHUNNED_FOR: Duration = Duration::from_secs(30);

/// Gateways that are remembered as silent.
const SHUNNED_MAX: usize = 10_000;

/// The path that the push gateway API has.
const GATEWAY_PATH: &str = "/_matrix/push/v1/notify";

/// For how long a browser's push service keeps what the browser does not fetch, in seconds: a day.
const TIME_TO_LIVE_SECONDS: &str = "86400";

/// What became of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The gateway has it.
    Taken,
    /// Nobody listens there any more: the pusher is to be forgotten.
    Gone,
    /// It can never be taken.
    Refused(String),
    /// It may be taken later.
    Late(String),
}

/// A push that is ready to leave.
#[derive(Debug, Clone)]
pub(crate) enum Parcel {
    /// For a Matrix push gateway.
    Matrix {
        /// The key that the gateway may reject.
        push_key: String,
        /// What it is told.
        notification: Value,
    },
    /// For a browser.
    Web {
        /// The browser's keys.
        keys: WebKeys,
        /// What it is told.
        notification: Value,
        /// Whether it is to be told at once.
        is_urgent: bool,
        /// The house's key.
        house: Arc<HouseKey>,
        /// Where the house can be reached by who runs the push service.
        contact: String,
    },
}

/// The way out.
pub(crate) struct Gateways {
    allows_any_address: bool,
    client: OnceLock<Result<Client, String>>,
    room: Semaphore,
    shunned: Mutex<HashMap<String, Time>>,
}

#[derive(Deserialize)]
struct GatewayAnswer {
    #[serde(default)]
    rejected: Vec<String>,
}

impl Gateways {
    /// Gateways at `https:` and public addresses, or at any for tests.
    pub(crate) fn new(allows_any_address: bool) -> Self {
        Self {
            allows_any_address,
            client: OnceLock::new(),
            room: Semaphore::new(UNDER_WAY_MAX),
            shunned: Mutex::default(),
        }
    }

    /// Reads where a pusher wants to be told.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn read_url(&self, text: &str, is_web: bool) -> Result<Url, String> {
        let url: Url = text
            .parse()
            .map_err(|error| format!("the url of a pusher: {error}"))?;
        let is_known_scheme = url.scheme() == "https" || (self.allows_any_address && url.scheme() == "http");
        if !is_known_scheme {
            return Err("the url of a pusher begins with https://".to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("the url of a pusher names no user".to_owned());
        }
        if !is_web && url.path() != GATEWAY_PATH {
            return Err(format!("the path in the url of a pusher is {GATEWAY_PATH}"));
        }
        if !self.allows_any_address && !address::may_be_public(&url) {
            return Err("the url of a pusher names a public host".to_owned());
        }
        Ok(url)
    }

    /// Sends a push, and says what became of it. One that takes longer than `patience` may arrive all the same.
    pub(crate) async fn send(&self, url: &str, parcel: &Parcel, patience: Duration, now: Time) -> Outcome {
        let is_web = matches!(parcel, Parcel::Web { .. });
        let url = match self.read_url(url, is_web) {
            Ok(url) => url,
            Err(reason) => return Outcome::Refused(reason),
        };
        let host = format!(
            "{}:{}",
            url.host_str().unwrap_or_default(),
            url.port_or_known_default().unwrap_or_default()
        );
        if self.is_shunned(&host, now) {
            return Outcome::Late("the gateway gave no answer a moment ago".to_owned());
        }
        let request = match self.request(url, parcel, now) {
            Ok(request) => request,
            Err(reason) => return Outcome::Refused(reason),
        };
        let Ok(_place) = self.room.acquire().await else {
            return Outcome::Late("the node ends".to_owned());
        };
        let answered = async { Ok::<_, reqwest::Error>(outcome(request.send().await?, parcel).await) };
        match timeout(patience, answered).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => {
                self.shun(host, now);
                Outcome::Late(error.without_url().to_string())
            }
            Err(_) => {
                self.shun(host, now);
                Outcome::Late(format!("the gateway gave no answer within {patience:?}"))
            }
        }
    }

    fn request(&self, url: Url, parcel: &Parcel, now: Time) -> Result<RequestBuilder, String> {
        let client = self.client.get_or_init(|| new_client(self.allows_any_address));
        let client = client.as_ref().map_err(Clone::clone)?;
        match parcel {
            Parcel::Matrix { notification, .. } => Ok(client.post(url).json(notification)),
            Parcel::Web {
                keys,
                notification,
                is_urgent,
                house,
                contact,
            } => {
                let authorization = house.authorization(&url, contact, now)?;
                let body = keys.encrypt(notification.to_string().into_bytes())?;
                Ok(client
                    .post(url)
                    .header("authorization", authorization)
                    .header("content-encoding", "aes128gcm")
                    .header("content-type", "application/octet-stream")
                    .header("ttl", TIME_TO_LIVE_SECONDS)
                    .header("urgency", if *is_urgent { "high" } else { "normal" })
                    .body(body))
            }
        }
    }

    fn is_shunned(&self, host: &str, now: Time) -> bool {
        self.shunned.lock().get(host).is_some_and(|until| now < *until)
    }

    fn shun(&self, host: String, now: Time) {
        let mut shunned = self.shunned.lock();
        if shunned.len() >= SHUNNED_MAX {
            shunned.retain(|_, until| now < *until);
        }
        if shunned.len() < SHUNNED_MAX {
            shunned.insert(host, now + SHUNNED_FOR);
        }
    }
}

fn new_client(allows_any_address: bool) -> Result<Client, String> {
    Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(ANSWER_TIMEOUT)
        // A redirection or a proxy would lead around the look at addresses.
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .dns_resolver(PublicOnly { allows_any_address })
        .build()
        .map_err(|error| error.to_string())
}

async fn outcome(response: Response, parcel: &Parcel) -> Outcome {
    let status = response.status();
    match parcel {
        Parcel::Web { .. } => match status {
            status if status.is_success() => Outcome::Taken,
            StatusCode::NOT_FOUND | StatusCode::GONE => Outcome::Gone,
            StatusCode::PAYLOAD_TOO_LARGE | StatusCode::BAD_REQUEST => {
                Outcome::Refused(format!("the push service answered {status}"))
            }
            status => Outcome::Late(format!("the push service answered {status}")),
        },
        Parcel::Matrix { push_key, .. } => {
            if !status.is_success() {
                return Outcome::Late(format!("the gateway answered {status}"));
            }
            let answer = read_answer(response).await;
            let is_rejected = answer.is_some_and(|answer| answer.rejected.contains(push_key));
            if is_rejected {
                Outcome::Gone
            } else {
                Outcome::Taken
            }
        }
    }
}

/// The gateway's answer; one that is too large or makes no sense rejects nothing.
async fn read_answer(mut response: Response) -> Option<GatewayAnswer> {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
            return None;
        }
        bytes.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_pusher_cannot_make_the_house_speak_to_its_own_network() {
        let gateways = Gateways::new(false);
        let refused = [
            "http://push.example.org/_matrix/push/v1/notify",
            "https://127.0.0.1/_matrix/push/v1/notify",
            "https://10.1.2.3/_matrix/push/v1/notify",
            "https://169.254.169.254/_matrix/push/v1/notify",
            "https://0x7f000001/_matrix/push/v1/notify",
            "https://[::1]/_matrix/push/v1/notify",
            "https://[::ffff:10.0.0.1]/_matrix/push/v1/notify",
            "https://[fd00::1]/_matrix/push/v1/notify",
            "https://localhost/_matrix/push/v1/notify",
            "https://me:secret@push.example.org/_matrix/push/v1/notify",
            "https://push.example.org/elsewhere",
            "ftp://push.example.org/_matrix/push/v1/notify",
            "no url",
        ];
        for url in refused {
            assert!(gateways.read_url(url, false).is_err(), "{url}");
        }
        for url in [
            "https://push.example.org/_matrix/push/v1/notify",
            "https://8.8.8.8:8443/_matrix/push/v1/notify",
        ] {
            assert!(gateways.read_url(url, false).is_ok(), "{url}");
        }
        assert!(
            gateways
                .read_url("https://push.example.org/some/browser", true)
                .is_ok()
        );
    }
}
