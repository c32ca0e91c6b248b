//! Under which address the other side reached us.

use std::net::IpAddr;

use http::header::{HOST, HeaderMap, ORIGIN};
use http::{Extensions, Uri};

use crate::Settings;

/// Who is at the other end of the connection. Absent in tests that have none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Scheme and authority, such as `https://hooks.example.com`: the configured one; else what a trusted proxy says; else
/// plain HTTP to the host that was asked for.
pub(crate) fn base(settings: &Settings, headers: &HeaderMap, extensions: &Extensions) -> String {
    if let Some(url) = &settings.public_url {
        return url.trim_end_matches('/').to_owned();
    }
    let proxied = extensions.get::<Peer>().is_some_and(|peer| settings.trusted_proxies.contains(&peer.0.to_canonical()));
    let forwarded = |name: &str| last(headers, name).filter(|_| proxied);
    let scheme = forwarded("x-forwarded-proto").filter(|scheme| *scheme == "https").unwrap_or("http");
    let host = forwarded("x-forwarded-host").or_else(|| last(headers, HOST.as_str())).unwrap_or("localhost");
    format!("{scheme}://{host}")
}

/// Who asks: the other end of the connection; behind a trusted proxy, the last address in `X-Forwarded-For` that is not one itself. None
/// where nobody knows.
pub(crate) fn asker(settings: &Settings, headers: &HeaderMap, extensions: &Extensions) -> Option<IpAddr> {
    let peer = extensions.get::<Peer>()?.0.to_canonical();
    let is_trusted = |address: &IpAddr| settings.trusted_proxies.contains(address);
    if !is_trusted(&peer) {
        return Some(peer);
    }
    let forwarded = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let forwarded: Vec<&str> = forwarded.collect();
    let nearest = forwarded.iter().rev().map_while(|address| address.trim().parse::<IpAddr>().ok()).map(|address| address.to_canonical());
    nearest.into_iter().find(|address| !is_trusted(address)).or(Some(peer))
}

/// The whole URL of a request, as its sender wrote it: what some providers sign.
pub(crate) fn url(settings: &Settings, headers: &HeaderMap, extensions: &Extensions, uri: &Uri) -> String {
    let rest = uri.path_and_query().map_or("/", |rest| rest.as_str());
    format!("{}{rest}", base(settings, headers, extensions))
}

/// Whether a form was sent from a page of this server.
///
/// `Sec-Fetch-Site` decides where the browser sends it (over https, and to localhost), else `Origin`. A browser says
/// `Origin: null` for a page with `Referrer-Policy: no-referrer`, as ours are, so that alone is no reason to refuse; the session
/// cookie is `SameSite=Strict`, and a sign-in needs a code that only the operator has.
pub(crate) fn is_same_site(settings: &Settings, headers: &HeaderMap, extensions: &Extensions) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    match headers.get(ORIGIN).map(|origin| origin.to_str().unwrap_or_default()) {
        None | Some("null") => true,
        Some(origin) => authority(origin) == authority(&base(settings, headers, extensions)),
    }
}

/// Without the scheme: a proxy that nobody declared may have taken TLS off.
fn authority(url: &str) -> Option<&str> {
    url.split_once("://").map(|(_, rest)| rest.split('/').next().unwrap_or(rest))
}

/// The last of the values of a header: the one that the nearest proxy added.
fn last<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let value = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    value.rsplit(',').next().map(str::trim).filter(|value| !value.is_empty())
}

/// What a proxy says of whom it asks for.
const FORWARDED: [&str; 6] = ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];

/// Whether somebody on this machine asks, and nobody through them.
pub(crate) fn is_local(settings: &Settings, headers: &HeaderMap, extensions: &Extensions) -> bool {
    let here = extensions.get::<Peer>().is_some_and(|peer| peer.0.to_canonical().is_loopback());
    let fronted = settings.public_url.is_some() || !settings.trusted_proxies.is_empty();
    here && !fronted && !FORWARDED.iter().any(|name| headers.contains_key(*name))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::HeaderName;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn from(peer: &str) -> Extensions {
        let mut extensions = Extensions::new();
        extensions.insert(Peer(peer.parse().unwrap()));
        extensions
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let settings = Settings { trusted_proxies: vec!["127.0.0.1".parse().unwrap()], ..Settings::default() };
        let sent =
            headers(&[("host", "inner:8080"), ("x-forwarded-proto", "https"), ("x-forwarded-host", "evil.example, hooks.example.com")]);
        let uri: Uri = "/hooks/a/b?c=d".parse().unwrap();
        assert_eq!(url(&settings, &sent, &from("127.0.0.1"), &uri), "https://hooks.example.com/hooks/a/b?c=d");
        assert_eq!(url(&settings, &sent, &from("::ffff:127.0.0.1"), &uri), "https://hooks.example.com/hooks/a/b?c=d");
        assert_eq!(url(&settings, &sent, &from("10.0.0.9"), &uri), "http://inner:8080/hooks/a/b?c=d");
        let settings = Settings { public_url: Some("https://zelo.example/".into()), ..settings };
        assert_eq!(url(&settings, &sent, &from("10.0.0.9"), &uri), "https://zelo.example/hooks/a/b?c=d", "what is configured stands");
    }

    #[test]
    fn who_asks_is_told_by_trusted_proxies_alone() {
        let settings = Settings { trusted_proxies: vec!["127.0.0.1".parse().unwrap(), "10.0.0.1".parse().unwrap()], ..Settings::default() };
        let told = |peer: &str, forwarded: &'static str| {
            asker(&settings, &headers(&[("x-forwarded-for", forwarded)]), &from(peer)).map(|address| address.to_string())
        };
        assert_eq!(told("127.0.0.1", "203.0.113.9").as_deref(), Some("203.0.113.9"));
        assert_eq!(
            told("127.0.0.1", "192.0.2.1, 203.0.113.9, 10.0.0.1").as_deref(),
            Some("203.0.113.9"),
            "what it sent itself is not believed"
        );
        assert_eq!(told("198.51.100.7", "203.0.113.9").as_deref(), Some("198.51.100.7"));
        assert_eq!(told("127.0.0.1", "unknown").as_deref(), Some("127.0.0.1"));
        assert_eq!(asker(&settings, &HeaderMap::new(), &Extensions::new()), None);
    }

    #[test]
    fn forms_of_other_sites_are_told_apart() {
        let check = |pairs: &[(&'static str, &'static str)]| is_same_site(&Settings::default(), &headers(pairs), &Extensions::new());
        assert!(check(&[("host", "z:1"), ("sec-fetch-site", "same-origin"), ("origin", "null")]));
        assert!(check(&[("host", "z:1"), ("origin", "http://z:1")]));
        assert!(check(&[("host", "z:1"), ("origin", "https://z:1")]));
        assert!(check(&[("host", "z:1")]), "no browser");
        assert!(!check(&[("host", "z:1"), ("sec-fetch-site", "cross-site"), ("origin", "http://z:1")]));
        assert!(!check(&[("host", "z:1"), ("sec-fetch-site", "same-site")]));
        assert!(!check(&[("host", "z:1"), ("origin", "http://evil.example")]));
        assert!(!check(&[("host", "z:1"), ("origin", "http://z:1.evil.example")]));
    }

    #[test]
    fn the_machine_itself_is_told_unless_others_come_through_it() {
        let told = |settings: &Settings, peer: &str, header: Option<&'static str>| {
            let headers = header.map(|name| (HeaderName::from_static(name), HeaderValue::from_static("203.0.113.9")));
            let mut extensions = Extensions::new();
            extensions.insert(Peer(peer.parse().unwrap()));
            is_local(settings, &headers.into_iter().collect(), &extensions)
        };
        let bare = Settings::default();
        for here in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert!(told(&bare, here, None), "{here}");
            assert!(FORWARDED.iter().all(|name| !told(&bare, here, Some(name))), "somebody else asks through a proxy");
        }
        for elsewhere in ["192.168.1.7", "203.0.113.9", "fd00::1"] {
            assert!(!told(&bare, elsewhere, None), "{elsewhere}");
        }
        let public = Settings { public_url: Some("https://hooks.example.com".into()), ..Settings::default() };
        let trusting = Settings { trusted_proxies: vec!["127.0.0.1".parse().unwrap()], ..Settings::default() };
        assert!(!told(&public, "127.0.0.1", None) && !told(&trusting, "127.0.0.1", None), "a proxy is on this machine too");
        assert!(!is_local(&bare, &HeaderMap::new(), &Extensions::new()), "nobody knows who asks");
    }
}
