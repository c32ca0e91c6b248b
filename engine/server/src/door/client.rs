//! Whose request it is: the other end of the connection, or whom a trusted proxy asks for.
//!
//! Each proxy adds the address that it was asked from at the right end of a list. So the list is read from there, and only as far as
//! trusted proxies have written it: what stands further left is whatever the client sent.

use std::net::IpAddr;

use http::header::{FORWARDED, HeaderMap};
use serde::Deserialize;

use super::network::{Network, any_has};

/// In which header trusted proxies say whom they ask for. Only one is read: a proxy passes on the other as the client sent it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProxyHeader {
    /// A list of addresses; with it `X-Forwarded-Proto` and `X-Forwarded-Host`.
    #[default]
    XForwardedFor,
    /// [RFC 7239](https://www.rfc-editor.org/rfc/rfc7239).
    Forwarded,
}

/// The address of the client, for whom `peer` asks; `None` where a trusted proxy says something that is no address.
pub(crate) fn address(peer: IpAddr, trusted: &[Network], header: ProxyHeader, headers: &HeaderMap) -> Option<IpAddr> {
    let mut client = peer.to_canonical();
    let hops = match header {
        ProxyHeader::XForwardedFor => hops(headers, "x-forwarded-for", |line| line.split(',').map(|hop| Some(hop.trim())).collect()),
        ProxyHeader::Forwarded => parameters(headers, "for"),
    };
    for hop in hops {
        if !any_has(trusted, client) {
            break;
        }
        client = hop.and_then(parse)?;
    }
    Some(client)
}

/// What the nearest trusted proxy says in a parameter of its `Forwarded`: `proto` or `host`.
pub(crate) fn said<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    parameters(headers, name).into_iter().next().flatten().map(unquoted)
}

/// A parameter of each element of `Forwarded`, from the right.
fn parameters<'h>(headers: &'h HeaderMap, name: &str) -> Vec<Option<&'h str>> {
    hops(headers, FORWARDED.as_str(), |line| split(line, ',').map(|element| parameter(element, name)).collect())
}

/// What the elements of a list say, from the right: over all lines of the header, as if they were one.
fn hops<'h>(headers: &'h HeaderMap, name: &str, read: impl Fn(&'h str) -> Vec<Option<&'h str>>) -> Vec<Option<&'h str>> {
    let mut hops = Vec::new();
    for line in headers.get_all(name) {
        match line.to_str() {
            Ok(line) => hops.extend(read(line)),
            Err(_) => hops.push(None),
        }
    }
    hops.reverse();
    hops
}

/// The parts between separators that stand outside of quotes.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let mut escaped = false;
    text.split(move |c| {
        let was_escaped = std::mem::take(&mut escaped);
        match c {
            '\\' if quoted && !was_escaped => escaped = true,
            '"' if !was_escaped => quoted = !quoted,
            _ => {}
        }
        c == separator && !quoted
    })
}

fn parameter<'e>(element: &'e str, wanted: &str) -> Option<&'e str> {
    let mut pairs = split(element, ';').filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim())
}

fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

/// An address, as proxies write it: `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]`, `"[2001:db8::1]:4711"`.
fn parse(text: &str) -> Option<IpAddr> {
    let text = unquoted(text);
    let address = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            let port_is_one = port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
            IpAddr::V6(address.parse().ok().filter(|_| port_is_one)?)
        }
        None => match text.parse() {
            Ok(address) => address,
            Err(_) => IpAddr::V4(*text.parse::<std::net::SocketAddrV4>().ok()?.ip()),
        },
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(peer: &str, trusted: &[&str], header: ProxyHeader, lines: &[&str]) -> Option<IpAddr> {
        let trusted: Vec<Network> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        let name = if header == ProxyHeader::Forwarded { "forwarded" } else { "x-forwarded-for" };
        let headers = lines.iter().map(|line| (name.parse().unwrap(), line.parse().unwrap())).collect();
        address(peer.parse().unwrap(), &trusted, header, &headers)
    }

    fn known(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn the_list_is_read_from_the_right_through_trusted_hops() {
        let of = |peer: &str, lines: &[&str]| of(peer, &["127.0.0.1", "10.0.0.0/8", "fd00::/8"], ProxyHeader::XForwardedFor, lines);
        assert_eq!(of("198.51.100.7", &["203.0.113.1"]), known("198.51.100.7"), "nobody trusts that peer");
        assert_eq!(of("127.0.0.1", &[]), known("127.0.0.1"), "nobody stands behind it");
        assert_eq!(of("127.0.0.1", &["203.0.113.1"]), known("203.0.113.1"));
        assert_eq!(of("::ffff:127.0.0.1", &["203.0.113.1"]), known("203.0.113.1"));
        assert_eq!(of("127.0.0.1", &["10.9.9.9, 203.0.113.1"]), known("203.0.113.1"), "the client wrote the left one");
        assert_eq!(of("127.0.0.1", &["1.2.3.4, 203.0.113.1, 10.0.0.3"]), known("203.0.113.1"), "two trusted proxies");
        assert_eq!(of("127.0.0.1", &["1.2.3.4", "203.0.113.1"]), known("203.0.113.1"), "two lines are one list");
        assert_eq!(of("127.0.0.1", &["10.0.0.4, 10.0.0.3"]), known("10.0.0.4"), "somebody inside asks");
        assert_eq!(of("fd00::1", &["2001:db8::9"]), known("2001:db8::9"));
        assert_eq!(of("127.0.0.1", &["garbage, 203.0.113.1"]), known("203.0.113.1"), "the client's garbage is not read");
        for lines in [&["unknown"], &["203.0.113.1, "], &["203.0.113"], &["203.0.113.1 10.0.0.1"]] {
            assert_eq!(of("127.0.0.1", lines), None, "{lines:?}");
        }
        for written in ["203.0.113.1:4711", " 203.0.113.1 ", "::ffff:203.0.113.1", "[::ffff:203.0.113.1]:80"] {
            assert_eq!(of("127.0.0.1", &[written]), known("203.0.113.1"), "{written}");
        }
    }

    #[test]
    fn forwarded_is_read_where_it_is_the_one() {
        let of = |lines: &[&str]| of("127.0.0.1", &["127.0.0.1", "10.0.0.0/8"], ProxyHeader::Forwarded, lines);
        assert_eq!(of(&["for=203.0.113.1;proto=https"]), known("203.0.113.1"));
        assert_eq!(of(&["for=1.2.3.4, FOR=\"[2001:db8::1]:4711\";by=10.0.0.1, for=10.0.0.9"]), known("2001:db8::1"));
        assert_eq!(of(&["for=\"a,b;for=1.2.3.4\", for=203.0.113.1"]), known("203.0.113.1"), "what is quoted is one");
        for lines in [&["for=_hidden"], &["for=unknown"], &["proto=https"], &["for=\"[2001:db8::1\""], &["for=\"[2001:db8::1]:x\""]] {
            assert_eq!(of(lines), None, "{lines:?}");
        }
        let headers = [(FORWARDED, "proto=http;host=a, proto=https;host=\"hooks.example.com\"".parse().unwrap())].into_iter().collect();
        assert_eq!((said(&headers, "proto"), said(&headers, "host")), (Some("https"), Some("hooks.example.com")));
    }

    proptest! {
        #[test]
        fn what_an_untrusted_peer_writes_changes_nothing(line in "[ -~]{0,60}", forwarded in any::<bool>()) {
            let header = if forwarded { ProxyHeader::Forwarded } else { ProxyHeader::XForwardedFor };
            prop_assert_eq!(of("198.51.100.7", &["10.0.0.0/8"], header, &[&line]), known("198.51.100.7"));
        }

        #[test]
        fn what_the_client_writes_behind_a_proxy_changes_nothing(line in "[ -~]{0,60}") {
            // The proxy adds to what it was sent.
            let list = format!("{line}, 203.0.113.1");
            prop_assert_eq!(of("10.0.0.1", &["10.0.0.0/8"], ProxyHeader::XForwardedFor, &[&list]), known("203.0.113.1"));
        }
    }
}
