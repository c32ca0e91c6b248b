//! Which addresses plugins may reach: the public Internet, and what the operator names of their own network.
//!
//! From the registries of special addresses ([IPv4](https://www.iana.org/assignments/iana-ipv4-special-registry/),
//! [IPv6](https://www.iana.org/assignments/iana-ipv6-special-registry/)): what is not globally reachable is inside, and so is what
//! carries an IPv4 address that is.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Where clouds answer with the credentials of a machine, on an address that looks public.
const METADATA: [Ipv4Addr; 1] = [Ipv4Addr::new(168, 63, 129, 16)];

/// Whether `address` is on the public Internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match a {
        0 | 10 | 127 => true,
        100 => (64..128).contains(&b),
        169 => b == 254,
        172 => (16..32).contains(&b),
        192 => matches!((b, c), (0, 0 | 2) | (88, 99) | (168, _)),
        198 => matches!((b, c), (18 | 19, _) | (51, 100)),
        203 => (b, c) == (0, 113),
        // Multicast, reserved and broadcast.
        224.. => true,
        _ => false,
    };
    !special && !METADATA.contains(&address)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(mapped) = address.to_ipv4_mapped() {
        return is_public_v4(mapped);
    }
    let segments = address.segments();
    // NAT64 (RFC 6052): where a network has nothing but IPv6, this is how it reaches the rest.
    if segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
        let [.., a, b] = segments;
        return is_public_v4(Ipv4Addr::from(u32::from(a) << 16 | u32::from(b)));
    }
    // Global unicast is 2000::/3, without what is set apart in it for protocols (2001::/23, Teredo among them), 6to4 and
    // documentation.
    let special = match segments[0] {
        0x2001 => segments[1] < 0x200 || segments[1] == 0xdb8,
        0x2002 => true,
        0x3fff => segments[1] < 0x1000,
        first => !(0x2000..0x4000).contains(&first),
    };
    !special
}

/// What of the operator's own network plugins may reach, where rules grant it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inside {
    /// A host by its name, whatever it resolves to.
    Name(String),
    /// Addresses: `10.1.0.0/16`, `fd00::/8`, `127.0.0.1`.
    Network { address: IpAddr, prefix: u8 },
}

/// A text that names neither a host nor a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither the name of a host nor an address nor a network such as `10.1.0.0/16`")]
pub struct NotInside(String);

impl Inside {
    /// Whether `address`, which `host` resolves to, is what is named.
    pub fn covers(&self, host: &str, address: IpAddr) -> bool {
        match self {
            Self::Name(name) => name.eq_ignore_ascii_case(host),
            Self::Network { address: network, prefix } => match (*network, address.to_canonical()) {
                (IpAddr::V4(network), IpAddr::V4(address)) => {
                    let kept = u32::MAX.checked_shl(32 - u32::from(*prefix)).unwrap_or(0);
                    network.to_bits() & kept == address.to_bits() & kept
                }
                (IpAddr::V6(network), IpAddr::V6(address)) => {
                    let kept = u128::MAX.checked_shl(128 - u32::from(*prefix)).unwrap_or(0);
                    network.to_bits() & kept == address.to_bits() & kept
                }
                _ => false,
            },
        }
    }
}

impl FromStr for Inside {
    type Err = NotInside;

    fn from_str(text: &str) -> Result<Self, NotInside> {
        let bad = || NotInside(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u8>().map_err(|_| bad())?)),
            None => (text, None),
        };
        if let Ok(address) = address.parse::<IpAddr>() {
            let longest = if address.is_ipv4() { 32 } else { 128 };
            let prefix = prefix.unwrap_or(longest);
            return if prefix <= longest { Ok(Self::Network { address, prefix }) } else { Err(bad()) };
        }
        let is_label = |label: &str| {
            !label.is_empty() && label.len() <= 63 && label.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        };
        // A name that ends in a number would be read as an address that is written badly.
        let is_name = text.split('.').all(is_label) && text.chars().any(|c| c.is_ascii_alphabetic());
        if prefix.is_none() && is_name { Ok(Self::Name(text.to_owned())) } else { Err(bad()) }
    }
}

impl fmt::Display for Inside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Network { address, prefix } => write!(f, "{address}/{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_inside_is_not_public() {
        for inside in [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(inside.parse().unwrap()), "{inside}");
        }
        for public in [
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "192.169.0.1",
            "198.17.0.1",
            "198.20.0.1",
            "203.0.114.1",
            "223.255.255.254",
            "2001:4860:4860::8888",
            "2600::1",
            "2800:3f0::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn the_operator_names_hosts_and_networks() {
        let covers = |inside: &str, host: &str, address: &str| inside.parse::<Inside>().unwrap().covers(host, address.parse().unwrap());
        assert!(covers("crm.interno", "CRM.interno", "10.9.9.9"));
        assert!(!covers("crm.interno", "x.crm.interno", "10.9.9.9"));
        assert!(covers("10.1.0.0/16", "x", "10.1.2.3") && covers("10.1.0.0/16", "x", "::ffff:10.1.2.3"));
        assert!(!covers("10.1.0.0/16", "x", "10.2.0.0"));
        assert!(covers("127.0.0.1", "x", "127.0.0.1") && !covers("127.0.0.1", "x", "127.0.0.2"));
        assert!(covers("fd00::/8", "x", "fd12::1") && !covers("fd00::/8", "x", "fe80::1"));
        assert!(covers("0.0.0.0/0", "x", "10.0.0.1") && !covers("0.0.0.0/0", "x", "fd00::1"));
        for bad in ["", "10.1.0.0/33", "10.1.0", "*.interno", "crm.interno/8", "http://crm", "crm..interno", "999"] {
            assert!(bad.parse::<Inside>().is_err(), "{bad}");
        }
    }
}
