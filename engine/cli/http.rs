//! Deliveries as a provider sends them: one POST, and what the server answers.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use ureq::Agent;

use crate::config::Config;

/// How long a server may take to answer.
const TIMEOUT: Duration = Duration::from_secs(20);
/// The longest answer that is read, in bytes.
const ANSWER_MAX: u64 = 1 << 20;

/// Sends deliveries.
pub(super) struct Sender(Agent);

/// What a server answered.
pub(super) struct Answer {
    pub(super) status: u16,
    /// A receipt or a problem document; null if it is not JSON.
    pub(super) body: Value,
}

impl Sender {
    pub(super) fn new() -> Self {
        // No proxy of the environment: what is sent is signed for this address and no other.
        let config = Agent::config_builder().http_status_as_error(false).max_redirects(0).proxy(None).timeout_global(Some(TIMEOUT));
        Self(config.build().new_agent())
    }

    /// Posts `body`. An error is a server that did not answer; whatever one answers is an [`Answer`].
    pub(super) fn post(&self, url: &str, headers: &[(String, String)], body: &[u8]) -> Result<Answer> {
        let request = headers.iter().fold(self.0.post(url), |request, (name, value)| request.header(name, value));
        let mut response = request.send(body)?;
        let status = response.status().as_u16();
        let text = response.body_mut().with_config().limit(ANSWER_MAX).read_to_string().context("the answer cannot be read")?;
        Ok(Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::Null) })
    }
}

impl Answer {
    /// Whether the delivery was taken.
    pub(super) fn is_taken(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// What became of it: of each of its events, where it was split.
    pub(super) fn receipts(&self) -> &[Value] {
        self.body.as_array().map_or(std::slice::from_ref(&self.body), Vec::as_slice)
    }

    /// Why it was not: the title and the detail of the problem document.
    pub(super) fn refusal(&self) -> String {
        let text = |name: &str| self.body[name].as_str();
        match (text("title"), text("detail")) {
            (Some(title), Some(detail)) => format!("{} {title}: {detail}", self.status),
            (Some(only), None) | (None, Some(only)) => format!("{} {only}", self.status),
            (None, None) => self.status.to_string(),
        }
    }
}

/// A server's address, without a slash at its end. Only plain HTTP: what is sent here goes to a server nearby.
pub(super) fn base(url: &str) -> Result<String> {
    let url = url.trim().trim_end_matches('/');
    if url.starts_with("https://") {
        bail!("{url}: https is not spoken here; name the server's own address, such as http://127.0.0.1:8080");
    }
    match url.strip_prefix("http://") {
        Some(rest) if !rest.is_empty() && !rest.contains(['?', '#', ' ']) => Ok(url.to_owned()),
        _ => bail!("{url}: an address is like http://127.0.0.1:8080"),
    }
}

/// How to reach a server of `config` that listens on `address` from here.
///
/// # Errors
/// It speaks TLS only: nothing here does.
pub(super) fn local(config: &Config, mut address: std::net::SocketAddr) -> Result<String> {
    if config.server.tls.is_some() {
        bail!("the server here speaks TLS ([server.tls]), and this command does not: try it with a server that has none, on 127.0.0.1");
    }
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() { std::net::Ipv4Addr::LOCALHOST.into() } else { std::net::Ipv6Addr::LOCALHOST.into() });
    }
    Ok(format!("http://{address}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        assert_eq!(base("http://127.0.0.1:8080/").unwrap(), "http://127.0.0.1:8080");
        assert!(base("https://hooks.example.com").unwrap_err().to_string().contains("https is not spoken"));
        assert!(base("hooks.example.com").is_err());
        let mut config = Config::default();
        assert_eq!(local(&config, "0.0.0.0:8080".parse().unwrap()).unwrap(), "http://127.0.0.1:8080");
        assert_eq!(local(&config, "[::]:8080".parse().unwrap()).unwrap(), "http://[::1]:8080");
        config.server.tls = Some(crate::config::Tls { cert: "c".into(), key: "k".into() });
        assert!(local(&config, "0.0.0.0:8080".parse().unwrap()).is_err());
    }
}
