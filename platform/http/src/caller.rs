//! Where a request comes from, for limits on those who have not signed in.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{Extensions, HeaderMap};

/// The address at the other end of the connection; a request extension that the server sets.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

/// Who counts as one caller before a sign-in: an IPv4 address, or the /64 network of an IPv6 address, because
/// one household is given the whole of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Caller(pub IpAddr);

impl Caller {
    /// The caller of a request. `behind_proxy` takes the last address of `X-Forwarded-For`, which the trusted
    /// proxy in front added; anyone can write the ones before it.
    #[must_use]
    pub fn of(headers: &HeaderMap, extensions: &Extensions, behind_proxy: bool) -> Self {
        let forwarded = behind_proxy.then(|| last_forwarded(headers)).flatten();
        let peer = extensions.get::<Peer>().map(|Peer(address)| *address);
        let address = forwarded.or(peer).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        Self(network(address))
    }
}

fn last_forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let header = headers.get_all("x-forwarded-for").iter().next_back()?;
    header.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        // The machine itself, not a network of others.
        IpAddr::V6(address) if address.is_loopback() => IpAddr::V6(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        IpAddr::V4(address) => IpAddr::V4(address),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        // The layers know whether there is a proxy; they put the caller there.
        let known = parts.extensions.get::<Self>().copied();
        Ok(known.unwrap_or_else(|| Self::of(&parts.headers, &parts.extensions, false)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_the_proxys_own_word_is_believed_and_only_when_there_is_one() {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "6.6.6.6, 10.1.2.3".parse().unwrap());
        let mut extensions = Extensions::new();
        extensions.insert(Peer("127.0.0.1".parse().unwrap()));
        let direct = Caller::of(&headers, &extensions, false);
        assert_eq!(direct.0.to_string(), "127.0.0.1");
        let proxied = Caller::of(&headers, &extensions, true);
        assert_eq!(proxied.0.to_string(), "10.1.2.3");
    }

    #[test]
    fn an_ipv6_household_is_one_caller() {
        assert_eq!(
            network("2001:db8:1:2:3:4:5:6".parse().unwrap()).to_string(),
            "2001:db8:1:2::"
        );
        assert_eq!(
            network("::ffff:10.0.0.1".parse().unwrap()).to_string(),
            "10.0.0.1"
        );
        assert!(network("::1".parse().unwrap()).is_loopback());
    }
}
