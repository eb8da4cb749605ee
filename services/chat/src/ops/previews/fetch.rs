//! Fetching what a stranger named, without becoming their way into the operator's network.
//!
//! An address is resolved once, by our own resolver: were one of its addresses not public, none would be called; the
//! connection goes to what was resolved and to nothing else. Redirects are followed by hand, each checked like the
//! first address. No proxy of the environment is used, since it would resolve by itself.

use std::net::{IpAddr, SocketAddr};

use bytes::{Bytes, BytesMut};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};
use thiserror::Error;

use crate::model::limits::{PREVIEW_BYTES_MAX, PREVIEW_FETCH_MAX, PREVIEW_REDIRECTS_MAX};
use crate::model::{ChatError, is_public};

/// How the program names itself to the sites it looks at.
const USER_AGENT: &str = concat!("Haechi/", env!("CARGO_PKG_VERSION"), " (link preview)");

/// What is to be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// HTML; of a long page only the beginning.
    Page,
    /// A picture, which must be whole.
    Picture,
}

/// What was fetched.
pub(super) struct Fetched {
    /// Where it was found in the end.
    pub(super) url: Url,
    pub(super) content_type: String,
    pub(super) bytes: Bytes,
}

/// Reads an address that a person named.
///
/// # Errors
/// [`ChatError::InvalidParameter`].
pub(super) fn read_url(text: &str) -> Result<Url, ChatError> {
    let mut url: Url = text
        .parse()
        .map_err(|_| ChatError::invalid("this is no address of a page"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(ChatError::invalid(
            "a preview is made of http and https addresses only",
        ));
    }
    url.set_fragment(None);
    Ok(url)
}

#[derive(Debug, Error)]
#[error("the name has no public address")]
struct NotPublic;

/// Resolves names to public addresses only.
struct Guard {
    reaches_this_machine: bool,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let reaches_this_machine = self.reaches_this_machine;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found: Vec<SocketAddr> = found.collect();
            // One that is not public among others is an attempt, or a mistake; neither is called.
            let is_allowed = found
                .iter()
                .all(|address| may_call(address.ip(), reaches_this_machine));
            if found.is_empty() || !is_allowed {
                return Err(NotPublic.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

fn may_call(address: IpAddr, reaches_this_machine: bool) -> bool {
    is_public(address) || (reaches_this_machine && address.is_loopback())
}

/// Fetches pages and pictures.
pub(super) struct Fetcher {
    client: Client,
    reaches_this_machine: bool,
}

impl Fetcher {
    pub(super) fn new(reaches_this_machine: bool) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .user_agent(USER_AGENT)
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            .pool_max_idle_per_host(0)
            .dns_resolver(Guard { reaches_this_machine })
            .timeout(PREVIEW_FETCH_MAX)
            .build()?;
        Ok(Self {
            client,
            reaches_this_machine,
        })
    }

    /// Fetches what is at an address.
    ///
    /// # Errors
    /// [`ChatError::NoPreview`], for whatever reason.
    pub(super) async fn fetch(&self, url: Url, wanted: Wanted) -> Result<Fetched, ChatError> {
        let fetched = tokio::time::timeout(PREVIEW_FETCH_MAX, self.follow(url, wanted)).await;
        fetched.ok().flatten().ok_or(ChatError::NoPreview)
    }

    async fn follow(&self, mut url: Url, wanted: Wanted) -> Option<Fetched> {
        for _ in 0..=PREVIEW_REDIRECTS_MAX {
            if !self.may_ask(&url) {
                return None;
            }
            let accepted = match wanted {
                Wanted::Page => "text/html",
                Wanted::Picture => "image/jpeg, image/png, image/gif, image/webp",
            };
            let request = self.client.get(url.clone()).header(ACCEPT, accepted);
            let response = request.send().await.ok()?;
            if response.status().is_redirection() {
                let location = response.headers().get(LOCATION)?.to_str().ok()?;
                url = url.join(location).ok()?;
                url.set_fragment(None);
                continue;
            }
            return take(url, response, wanted).await;
        }
        None
    }

    /// Whether an address may be asked, as far as it can be told without resolving its name.
    fn may_ask(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some()
        {
            return false;
        }
        // Addresses written as numbers go past the resolver.
        let literal: Option<IpAddr> = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
        let is_this_machine =
            self.reaches_this_machine && literal.is_some_and(|address| address.is_loopback());
        let is_allowed = literal.is_none_or(|address| may_call(address, self.reaches_this_machine));
        let is_ordinary_port = matches!(url.port_or_known_default(), Some(80 | 443));
        is_allowed && (is_ordinary_port || is_this_machine)
    }
}

/// Reads an answer as far as it is wanted.
async fn take(url: Url, mut response: Response, wanted: Wanted) -> Option<Fetched> {
    let header = |name| {
        let value = response.headers().get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_ascii_lowercase()
    };
    let content_type = header(CONTENT_TYPE);
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let is_wanted = match wanted {
        Wanted::Page => essence == "text/html",
        Wanted::Picture => essence.starts_with("image/"),
    };
    let encoding = header(CONTENT_ENCODING);
    if !response.status().is_success() || !is_wanted || !matches!(encoding.as_str(), "" | "identity") {
        return None;
    }
    let mut bytes = BytesMut::new();
    while let Some(piece) = response.chunk().await.ok()? {
        let left = PREVIEW_BYTES_MAX - bytes.len();
        if piece.len() > left {
            if wanted == Wanted::Picture {
                return None;
            }
            bytes.extend_from_slice(piece.get(..left)?);
            break;
        }
        bytes.extend_from_slice(&piece);
    }
    Some(Fetched {
        url,
        content_type,
        bytes: bytes.freeze(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_public_addresses_on_ordinary_ports_are_asked() {
        let fetcher = Fetcher::new(false).unwrap();
        let may = |url: &str| read_url(url).is_ok_and(|url| fetcher.may_ask(&url));
        for url in [
            "http://example.org/",
            "https://example.org:443/x",
            "http://1.1.1.1/",
            "https://[2606:4700::1111]/",
        ] {
            assert!(may(url), "{url}");
        }
        for url in [
            "ftp://example.org/",
            "file:///etc/passwd",
            "http://example.org:8080/",
            "http://example.org:22/",
            "http://user@example.org/",
            "http://user:pass@example.org/",
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://017700000001/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:a9fe:a9fe]/",
            "http://169.254.169.254/latest/meta-data/",
            "http://10.0.0.1/",
            "http://100.64.1.1/",
            "http://0.0.0.0/",
            "nonsense",
        ] {
            assert!(!may(url), "{url}");
        }
    }

    #[tokio::test]
    async fn a_name_of_this_machine_is_not_resolved() {
        let guard = |reaches_this_machine| Guard { reaches_this_machine };
        let name = || "localhost".parse::<Name>().unwrap();
        assert!(guard(false).resolve(name()).await.is_err());
        assert!(guard(true).resolve(name()).await.is_ok());
    }
}
