//! `[server]`: who is let in, how much is taken of them, and under which certificate.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use zelo_server::{Allow, Certificates, Rate, Rates, Settings};

use super::Config;

/// `[server.tls]`: files in PEM. They are looked at again while the server runs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate, and those that lead to one that clients trust.
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// `[server.rates]`: how much is taken in a time.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimits {
    /// Of all connections together, and of pages and API.
    pub all: Option<Rate>,
    /// Of each connection that has none of its own.
    pub connection: Option<Rate>,
    /// Of pages and API, for each address.
    pub address: Option<Rate>,
}

/// `[server.limits]`: what is borne at once, and for how long somebody is waited for.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Open connections, and those of one address.
    pub connections: Option<NonZeroU32>,
    pub connections_per_address: Option<NonZeroU32>,
    /// Requests in work.
    pub requests: Option<NonZeroU32>,
    /// Bytes of the head of a request, and headers in it.
    pub head_bytes: Option<NonZeroU32>,
    pub headers: Option<NonZeroU32>,
    /// Seconds that a head, a body and a pause between requests may take.
    pub request_timeout_s: Option<NonZeroU32>,
    /// Seconds that a client may take nothing of its answer.
    pub answer_timeout_s: Option<NonZeroU32>,
}

/// The least that hyper reads a head into, in bytes.
const HEAD_MIN: u32 = 8192;
/// More than any machine takes, and what can still be counted.
const RATE_MAX: u32 = 1_000_000;

impl Config {
    /// How the server listens, whom it lets in and what it bears.
    ///
    /// # Errors
    /// A limit is not one, or there is no certificate to serve with.
    pub fn door(&self) -> Result<Settings> {
        let (server, defaults) = (&self.server, Settings::default());
        let tls = server.tls.as_ref().map(|tls| Certificates::load(&self.path(&tls.cert), &self.path(&tls.key)));
        let limits = &server.limits;
        let count = |limit: Option<NonZeroU32>, default: usize| limit.map_or(default, |limit| limit.get() as usize);
        let seconds = |limit: Option<NonZeroU32>, default| limit.map_or(default, |limit| Duration::from_secs(limit.get().into()));
        let head_max = count(limits.head_bytes, defaults.head_max);
        ensure!(head_max >= HEAD_MIN as usize, "[server.limits] head_bytes: at least {HEAD_MIN}");
        Ok(Settings {
            public_url: server.public_url.clone(),
            origins: self.connections.iter().map(|(name, given)| (name.clone(), given.origins.clone())).collect(),
            keep_refused: self.connections.iter().filter(|(_, given)| given.keep_refused_body).map(|(name, _)| name.clone()).collect(),
            configured: Some(self.connections.keys().cloned().collect()),
            trusted_proxies: server.trusted_proxies.clone(),
            proxy_header: server.proxy_header,
            allow: self.allow(),
            rates: self.rates()?,
            tls: tls.transpose().context("[server.tls]")?.map(Arc::new),
            requests_max: count(limits.requests, defaults.requests_max),
            connections_max: count(limits.connections, defaults.connections_max),
            connections_each_max: count(limits.connections_per_address, defaults.connections_each_max),
            head_max,
            headers_max: count(limits.headers, defaults.headers_max),
            request_timeout: seconds(limits.request_timeout_s, defaults.request_timeout),
            answer_timeout: seconds(limits.answer_timeout_s, defaults.answer_timeout),
            stop_timeout: Duration::from_secs(server.stop_timeout_s),
            rules: Some(self.rules()),
            ..defaults
        })
    }

    fn allow(&self) -> Allow {
        let listed = self.connections.iter().filter(|(_, connection)| !connection.allow.is_empty());
        Allow {
            admin: self.server.admin_allow.clone(),
            connections: listed.map(|(name, connection)| (name.clone(), connection.allow.clone())).collect(),
        }
    }

    fn rates(&self) -> Result<Rates> {
        let (given, defaults) = (&self.server.rates, Rates::default());
        let own = self.connections.iter().filter_map(|(name, connection)| Some((name.clone(), connection.rate?)));
        let rates = Rates {
            all: given.all.unwrap_or(defaults.all),
            each: given.connection.unwrap_or(defaults.each),
            address: given.address.unwrap_or(defaults.address),
            own: own.collect(),
        };
        for rate in [&rates.all, &rates.each, &rates.address].into_iter().chain(rates.own.values()) {
            let fits = rate.per_second.get() <= RATE_MAX && rate.burst.get() <= RATE_MAX;
            ensure!(fits, "[server.rates]: per_second and burst are {RATE_MAX} at most, which is as good as no limit");
        }
        Ok(rates)
    }

    /// Whether what is listened on can be reached by others without anything between that is theirs to read: plain HTTP, on an address
    /// that is not of this machine alone, and no proxy in front.
    pub fn is_open_to_listeners(&self) -> bool {
        let server = &self.server;
        server.tls.is_none() && server.trusted_proxies.is_empty() && !server.listen.ip().to_canonical().is_loopback()
    }
}

/// Why deliveries with personal data may come in plain HTTP: nobody says this by mistake.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Reason(pub String);

impl TryFrom<String> for Reason {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.trim().len() < 8 { Err("say why, in a few words".to_owned()) } else { Ok(Self(text)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Config> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("zelo.toml");
        std::fs::write(&path, text).unwrap();
        Config::load(Some(&path))
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let (door, defaults) = (load("").unwrap().door().unwrap(), Settings::default());
        assert_eq!((door.rates.all, door.rates.each), (defaults.rates.all, defaults.rates.each));
        assert!(door.allow.admin.is_empty() && door.allow.connections.is_empty() && door.tls.is_none());
        let text = "[server]\nadmin_allow = [\"10.0.0.0/8\"]\ntrusted_proxies = [\"127.0.0.1\", \"fd00::/8\"]\nproxy_header = \"forwarded\"\n\
                    [server.rates]\nconnection = { per_second = 5, burst = 50 }\n[server.limits]\nconnections_per_address = 7\n\
                    [connections.a]\nsource = \"x\"\ninsecure = true\nallow = [\"203.0.113.0/24\"]\nrate = { per_second = 1, burst = 2 }\n";
        let door = load(text).unwrap().door().unwrap();
        assert_eq!((door.rates.each.per_second.get(), door.rates.own["a"].burst.get(), door.connections_each_max), (5, 2, 7));
        assert!(door.allow.admin[0].has("10.1.2.3".parse().unwrap()) && door.allow.connections.contains_key("a"));
    }

    #[test]
    fn mistakes_say_where() {
        let why = |text: &str| match load(text) {
            Err(error) => format!("{error:#}"),
            Ok(config) => format!("{:#}", config.door().unwrap_err()),
        };
        let bad = why("[server]\nadmin_allow = [\"10.0.0.0/33\"]\n");
        assert!(bad.contains("line 2") && bad.contains("10.0.0.0/33"), "{bad}");
        assert!(why("[server.rates]\nall = { per_second = 0, burst = 1 }\n").contains("line 2"));
        assert!(why("[server.rates]\nall = { per_second = 1, burst = 2000000 }\n").contains("at most"));
        assert!(why("[server.limits]\nhead_bytes = 100\n").contains("head_bytes"));
        assert!(why("[server]\nplain_http = \"\"\n").contains("say why"));
        let tls = why("[server.tls]\ncert = \"none.pem\"\nkey = \"none.key\"\n");
        assert!(tls.contains("[server.tls]") && tls.contains("none.pem"), "{tls}");
    }

    #[test]
    fn plain_http_is_open_where_others_may_listen() {
        let open = |text: &str| load(&format!("[server]\n{text}")).unwrap().is_open_to_listeners();
        assert!(!open("") && !open("listen = \"[::1]:80\"\n") && !open("listen = \"127.0.0.9:80\"\n"));
        assert!(open("listen = \"0.0.0.0:80\"\n") && open("listen = \"[::]:80\"\n") && open("listen = \"10.0.0.1:80\"\n"));
        assert!(!open("listen = \"0.0.0.0:80\"\ntrusted_proxies = [\"10.0.0.2\"]\n"));
        assert!(!open("listen = \"0.0.0.0:443\"\ntls = { cert = \"c\", key = \"k\" }\n"));
    }
}
