//! Under which address the other side reached us.

use std::net::IpAddr;

use http::header::{HOST, HeaderMap, ORIGIN};
use http::{Extensions, Uri};

use crate::door::said;
use crate::{ProxyHeader, Settings};

/// Who is at the other end of the connection. Absent in tests that have none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Whether the world reaches this server by https, whoever asks.
pub(crate) fn is_https(settings: &Settings) -> bool {
    settings.tls.is_some() || settings.public_url.as_deref().is_some_and(|url| url.starts_with("https://"))
}

/// Scheme and authority, such as `https://hooks.example.com`: the configured one; else what a trusted proxy says; else
/// the host that was asked for, by what is spoken here.
pub(crate) fn base(settings: &Settings, headers: &HeaderMap, extensions: &Extensions) -> String {
    if let Some(url) = &settings.public_url {
        return url.trim_end_matches('/').to_owned();
    }
    let proxied = extensions.get::<Peer>().is_some_and(|peer| settings.trusted_proxies.iter().any(|proxy| proxy.has(peer.0)));
    let forwarded = |old: &str, new: &str| match settings.proxy_header {
        _ if !proxied => None,
        ProxyHeader::XForwardedFor => last(headers, old),
        ProxyHeader::Forwarded => said(headers, new),
    };
    let spoken = if settings.tls.is_some() { "https" } else { "http" };
    let scheme = forwarded("x-forwarded-proto", "proto").map_or(spoken, |scheme| if scheme == "https" { "https" } else { "http" });
    let host = forwarded("x-forwarded-host", "host").or_else(|| last(headers, HOST.as_str())).unwrap_or("localhost");
    format!("{scheme}://{host}")
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
