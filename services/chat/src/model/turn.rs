//! Credentials for a TURN server that shares a secret with us (coturn, `use-auth-secret`).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use haechi_base::Time;
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha1::Sha1;

/// How long credentials are good: for the longest of calls.
const CREDENTIALS_LIFE: Duration = Duration::from_secs(24 * 3600);

/// Where calls find a TURN server, and what it shares with us.
#[derive(Clone)]
pub struct TurnSettings {
    /// `turn:turn.haechi.example?transport=udp`, and more of them.
    pub uris: Vec<String>,
    /// The secret, as `static-auth-secret` of coturn says it.
    pub secret: String,
}

/// What a client signs in to the TURN server with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct TurnCredentials {
    username: String,
    password: String,
    uris: Vec<String>,
    /// How long they are good, in seconds.
    ttl: u64,
}

impl TurnSettings {
    /// Credentials of a person: the time of their end and the user id, and their HMAC-SHA1 under the secret.
    pub(crate) fn credentials(&self, user_id: &str, now: Time) -> Option<TurnCredentials> {
        let end = (now + CREDENTIALS_LIFE).seconds();
        let username = format!("{end}:{user_id}");
        // HMAC takes keys of any length.
        let mac = Hmac::<Sha1>::new_from_slice(self.secret.as_bytes()).ok()?;
        let mac = mac.chain_update(username.as_bytes()).finalize().into_bytes();
        Some(TurnCredentials {
            username,
            password: STANDARD.encode(mac),
            uris: self.uris.clone(),
            ttl: CREDENTIALS_LIFE.as_secs(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_password_is_what_coturn_computes_from_the_username() {
        let settings = TurnSettings {
            uris: vec!["turn:turn.haechi.test?transport=udp".to_owned()],
            secret: "north".to_owned(),
        };
        let credentials = settings
            .credentials("@a:haechi.test", Time::from_micros(1_700_000_000_000_000))
            .unwrap();
        assert_eq!(credentials.username, "1700086400:@a:haechi.test");
        // printf '1700086400:@a:haechi.test' | openssl dgst -sha1 -hmac north -binary | base64
        assert_eq!(credentials.password, "y0xuMFRZRiGlJs9qSNvftKRDLW4=");
        assert_eq!(credentials.ttl, 86_400);
    }
}
