//! Networks, as configuration names them, and places: what counts as one sender.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use ipnet::IpNet;
use serde::Deserialize;

/// Addresses: `203.0.113.0/24`, `2001:db8::/32`, or one alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network(IpNet);

/// A text that names no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither an address nor a network such as `203.0.113.0/24` or `2001:db8::/32`")]
pub struct NotANetwork(String);

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical())));
        network.map(Self).map_err(|_| NotANetwork(text.to_owned()))
    }
}

impl TryFrom<String> for Network {
    type Error = NotANetwork;

    fn try_from(text: String) -> Result<Self, NotANetwork> {
        text.parse()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Network {
    /// Whether `address` is one of these. An IPv4 address that is written as IPv6 (`::ffff:…`) is that IPv4 address.
    pub fn has(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

/// Whether `address` is in one of `networks`.
pub(crate) fn any_has(networks: &[Network], address: IpAddr) -> bool {
    networks.iter().any(|network| network.has(address))
}

/// What counts as one sender: an IPv4 address, or the /64 of an IPv6 address, which one subscriber has all of (RFC 6177).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Place {
    V4(Ipv4Addr),
    /// The upper half of the address.
    V6(u64),
    /// Nobody knows.
    Unknown,
}

impl Place {
    pub(crate) fn of(address: Option<IpAddr>) -> Self {
        match address.map(|address| address.to_canonical()) {
            Some(IpAddr::V4(address)) => Self::V4(address),
            Some(IpAddr::V6(address)) => Self::V6((address.to_bits() >> 64) as u64),
            None => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(network: &str, address: &str) -> bool {
        network.parse::<Network>().unwrap().has(address.parse().unwrap())
    }

    #[test]
    fn a_network_has_its_addresses() {
        assert!(has("203.0.113.0/24", "203.0.113.9") && !has("203.0.113.0/24", "203.0.114.9"));
        assert!(has("203.0.113.9/24", "203.0.113.200"), "what stands below the prefix does not matter");
        assert!(has("203.0.113.9", "203.0.113.9") && !has("203.0.113.9", "203.0.113.8"));
        assert!(has("203.0.113.0/24", "::ffff:203.0.113.9") && has("::ffff:203.0.113.9", "203.0.113.9"));
        assert!(has("2001:db8::/32", "2001:db8:9::1") && !has("2001:db8::/32", "2001:db9::1"));
        assert!(has("0.0.0.0/0", "198.51.100.1") && !has("0.0.0.0/0", "2001:db8::1"), "all of IPv4 is not all");
        for bad in ["", "localhost", "10.0.0.0/33", "10.0.0", "10.0.0.0/", "2001:db8::/129"] {
            assert!(bad.parse::<Network>().unwrap_err().to_string().contains(bad), "{bad}");
        }
    }

    #[test]
    fn an_ipv6_address_counts_as_its_64() {
        let place = |text: &str| Place::of(Some(text.parse().unwrap()));
        assert_eq!(place("2001:db8:1:2::1"), place("2001:db8:1:2:ffff::9"));
        assert_ne!(place("2001:db8:1:2::1"), place("2001:db8:1:3::1"));
        assert_eq!(place("::ffff:203.0.113.9"), place("203.0.113.9"));
        assert_ne!(place("203.0.113.9"), place("203.0.113.8"));
        assert_ne!(Place::of(None), place("0.0.0.0"));
    }
}
