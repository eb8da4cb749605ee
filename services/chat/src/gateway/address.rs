//! Which addresses may be spoken to for a client: those that anybody on the internet could speak to as well. Else a pusher
//! would be a way to reach what stands beside this server.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Names that never are public.
const PRIVATE_NAMES: [&str; 5] = ["localhost", "local", "internal", "lan", "home.arpa"];

/// Finds the public addresses of a name. Asked for each connection, so that a name cannot change its mind after it was
/// looked at.
pub(super) struct PublicOnly {
    pub(super) allows_any_address: bool,
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let allows_any_address = self.allows_any_address;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let addresses: Vec<SocketAddr> = found
                .filter(|address| allows_any_address || is_public(address.ip()))
                .collect();
            if addresses.is_empty() {
                return Err("the name has no public address".into());
            }
            let addresses: Addrs = Box::new(addresses.into_iter());
            Ok(addresses)
        })
    }
}

/// Whether the host of a URL may be public: an address is looked at here, a name when it is resolved.
pub(super) fn may_be_public(url: &Url) -> bool {
    let Some(host) = url.host_str() else {
        return false;
    };
    let plain = host.trim_matches(['[', ']']);
    if let Ok(address) = plain.parse::<IpAddr>() {
        return is_public(address);
    }
    let name = plain.trim_end_matches('.').to_ascii_lowercase();
    let is_private = |private: &&str| name == **private || name.ends_with(&format!(".{private}"));
    !PRIVATE_NAMES.iter().any(is_private)
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let is_special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || first == 0
        // Multicast, reserved, broadcast.
        || first >= 224
        // Shared by the customers of a carrier (RFC 6598).
        || (first == 100 && (64..128).contains(&second))
        // Protocol assignments, and the old way from IPv6 to IPv4.
        || (first == 192 && second == 0 && third == 0)
        || (first == 192 && second == 88 && third == 99)
        // Benchmarks of networks (RFC 2544).
        || (first == 198 && (18..20).contains(&second));
    !is_special
}

/// Global unicast only, without what wraps IPv4 addresses, documents and tunnels.
fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(wrapped) = address.to_ipv4_mapped() {
        return is_public_v4(wrapped);
    }
    let [first, second, ..] = address.segments();
    let is_global = (0x2000..0x4000).contains(&first);
    let is_protocol = first == 0x2001 && (second < 0x0200 || second == 0x0db8);
    let is_wrapping = first == 0x2002;
    let is_documentation = first == 0x3fff && second < 0x1000;
    is_global && !is_protocol && !is_wrapping && !is_documentation
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_what_anybody_could_reach_is_public() {
        let public = ["1.1.1.1", "203.0.112.1", "2606:4700::1111", "::ffff:8.8.8.8"];
        let private = [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "127.8.8.8",
            "169.254.0.1",
            "172.16.0.1",
            "192.0.0.8",
            "192.168.1.1",
            "198.19.0.1",
            "203.0.113.9",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:192.168.1.1",
            "64:ff9b::a00:1",
            "2001:db8::1",
            "2001::1",
            "2002:a00:1::1",
            "fc00::1",
            "fe80::1",
            "ff02::1",
        ];
        for address in public {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
        for address in private {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }
}
