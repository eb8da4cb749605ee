//! What lies outside, or on the way: certificates, addresses without encryption, and what the program needs from others.

use std::net::IpAddr;

use anyhow::Result;
use futures_util::future::join_all;
use haechi_continuity::model::examination::{CertificateFacts, Dependency, NodeFacts, NodeTold, Place};
use haechi_continuity::model::{Site, SiteState};
use haechi_store::StoreUrl;
use reqwest::Url;

use super::certificates::{self, Beginning};
use crate::settings::Settings;

/// The word by which codes are shown instead of sent.
const DEVELOPMENT: &str = "development";

/// What was found.
pub(super) struct Outside {
    pub(super) certificates: Vec<CertificateFacts>,
    pub(super) unencrypted: Vec<String>,
    pub(super) dependencies: Vec<Dependency>,
}

pub(super) async fn look(
    settings: &Settings,
    url: &StoreUrl,
    sites: &[Site],
    nodes: &[NodeFacts],
) -> Result<Outside> {
    let mut urls: Vec<String> = sites
        .iter()
        .filter(|site| site.state != SiteState::Retired)
        .map(|site| site.url.clone())
        .collect();
    urls.extend(nodes.iter().map(|node| node.url.clone()));
    urls.extend(settings.etcd().iter().cloned());
    urls.push(settings.public_url(settings.listen())?);
    urls.sort();
    urls.dedup();
    let (mut asked, mut unencrypted) = (Vec::new(), Vec::new());
    for url in urls {
        match address(&url) {
            Some((address, true)) => asked.push((url, address, Beginning::Tls)),
            Some((address, false)) if !is_here(&address) => unencrypted.push(url),
            _ => {}
        }
    }
    for host in url.hosts() {
        if url.is_encrypted() {
            asked.push((format!("PostgreSQL at {host}"), host, Beginning::Postgres));
        } else if !is_here(&host) {
            unencrypted.push(format!("PostgreSQL at {host}"));
        }
    }
    let looks = asked
        .into_iter()
        .map(|(of, address, beginning)| certificates::look(of, address, beginning));
    Ok(Outside {
        certificates: join_all(looks).await,
        unencrypted,
        dependencies: dependencies(settings, nodes),
    })
}

/// `host:port` of a URL, and whether it is encrypted.
fn address(url: &str) -> Option<(String, bool)> {
    let url = Url::parse(url).ok()?;
    let address = format!("{}:{}", url.host_str()?, url.port_or_known_default()?);
    Some((address, url.scheme() == "https"))
}

/// Whether what is sent there never leaves this machine.
fn is_here(address: &str) -> bool {
    // A socket of this machine is a path.
    if address.starts_with('/') {
        return true;
    }
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_matches(['[', ']']);
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

fn dependencies(settings: &Settings, nodes: &[NodeFacts]) -> Vec<Dependency> {
    let told = nodes.iter().find_map(|node| match &node.told {
        NodeTold::All { settings, .. } => settings.get("code-gateway").cloned(),
        NodeTold::Nothing(_) | NodeTold::AnotherKey => None,
    });
    let codes = match told.or_else(|| settings.code_gateway_given()).as_deref() {
        None | Some(DEVELOPMENT) => Place::Development(
            "none: codes are shown to whoever asks, so anybody signs in as anybody".to_owned(),
        ),
        // Only where it is: the rest may hold what nobody else should read.
        Some(url) => {
            Place::Address(address(url).map_or_else(|| "an address that is none".to_owned(), |(at, _)| at))
        }
    };
    let blobs = Place::Inside("none: photos and files are in the store, and copied with it".to_owned());
    let of = |what: &str, place| Dependency {
        what: what.to_owned(),
        place,
    };
    vec![of("one-time codes", codes), of("object storage", blobs)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_with_its_port_and_whether_it_is_encrypted() {
        let of = |url: &str| address(url).map(|(address, is_encrypted)| format!("{address} {is_encrypted}"));
        assert_eq!(of("https://a.example").as_deref(), Some("a.example:443 true"));
        assert_eq!(of("http://10.0.0.1:8480").as_deref(), Some("10.0.0.1:8480 false"));
        assert_eq!(of("10.0.0.1"), None);
    }

    #[test]
    fn what_stays_on_this_machine_needs_no_encryption() {
        for here in [
            "127.0.1.3:8480",
            "localhost:5432",
            "[::1]:80",
            "/run/postgresql:5432",
        ] {
            assert!(is_here(here), "{here}");
        }
        for elsewhere in ["10.0.0.1:80", "haechi.example:443", "localhost.example:80"] {
            assert!(!is_here(elsewhere), "{elsewhere}");
        }
    }
}
