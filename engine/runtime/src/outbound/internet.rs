//! The network, for requests of plugins: public addresses and what the operator names, and nothing that is larger or takes longer than
//! it may.

use std::error::Error as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use zelo_core::http::{Body, Method, Response};

use super::address::{Inside, is_public};
use super::{Cut, Exchange, Hop, Outbound};

/// How far requests go.
#[derive(Clone, Debug)]
pub struct InternetConfig {
    /// What of the operator's own network may be reached.
    pub inside: Vec<Inside>,
    /// From the first byte out to the last byte in, redirects and all.
    pub timeout: Duration,
    /// No answer is longer, bytes.
    pub response_max: usize,
}

impl Default for InternetConfig {
    /// Less than a run may take and be given.
    fn default() -> Self {
        Self { inside: Vec::new(), timeout: Duration::from_secs(20), response_max: 512 << 10 }
    }
}

/// Nobody is waited for longer before a connection stands.
const CONNECT: Duration = Duration::from_secs(5);

/// Sends requests over the network.
pub struct Internet {
    client: reqwest::Client,
    gate: Arc<Gate>,
    response_max: usize,
    longest: Duration,
}

/// Who may be reached.
#[derive(Debug)]
struct Gate {
    inside: Vec<Inside>,
}

/// A host resolves to addresses that may not be reached.
#[derive(Debug, thiserror::Error)]
#[error("{0} is inside of the operator's network, and not among what `[http] inside` names")]
struct NotPublic(String);

impl Gate {
    fn lets(&self, host: &str, address: IpAddr) -> bool {
        is_public(address) || self.inside.iter().any(|inside| inside.covers(host, address))
    }
}

/// Resolves names, and gives those addresses only that may be reached: the connection goes to one of them, so nothing can change in
/// between.
struct Resolver(Arc<Gate>);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let gate = Arc::clone(&self.0);
        Box::pin(async move {
            let host = name.as_str().trim_end_matches('.').to_owned();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            let some = !found.is_empty();
            let open: Vec<SocketAddr> = found.into_iter().filter(|address| gate.lets(&host, address.ip())).collect();
            if some && open.is_empty() {
                return Err(NotPublic(host).into());
            }
            Ok(Box::new(open.into_iter()) as Addrs)
        })
    }
}

/// Has every TLS connection of this process use *ring*; whoever makes a client calls it first.
pub fn use_ring() {
    static PROVIDER: OnceLock<()> = OnceLock::new();
    // An error says that the process has one already, which is as good.
    PROVIDER.get_or_init(|| drop(rustls::crypto::ring::default_provider().install_default()));
}

impl Internet {
    /// A client with these bounds.
    ///
    /// # Errors
    /// TLS cannot be set up: no certificates of authorities are found, say.
    pub fn new(config: InternetConfig) -> Result<Self, String> {
        use_ring();
        let gate = Arc::new(Gate { inside: config.inside });
        let client = reqwest::Client::builder()
            .user_agent(concat!("zelo/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .dns_resolver(Resolver(Arc::clone(&gate)))
            .connect_timeout(CONNECT)
            .timeout(config.timeout)
            .pool_idle_timeout(Duration::from_secs(60))
            .pool_max_idle_per_host(8)
            .build()
            .map_err(|error| told(&error))?;
        Ok(Self { client, gate, response_max: config.response_max, longest: config.timeout })
    }

    /// Reads what came back, as far as it may go.
    async fn read(&self, mut answer: reqwest::Response) -> Exchange {
        let status = answer.status().as_u16();
        let headers =
            answer.headers().iter().filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))).collect();
        let head = Response { status, headers, body: Body(Vec::new()) };
        let too_large = |length: u64| usize::try_from(length).map_or(true, |length| length > self.response_max);
        if answer.content_length().is_some_and(too_large) {
            return Exchange::Headed { head, why: Cut::TooLarge(self.response_max) };
        }
        let mut body = Vec::new();
        loop {
            match answer.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > self.response_max => {
                    return Exchange::Headed { head, why: Cut::TooLarge(self.response_max) };
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => return Exchange::Answered(Response { body: Body(body), ..head }),
                Err(error) => return Exchange::Headed { head, why: Cut::BrokenOff(told(&error)) },
            }
        }
    }
}

#[async_trait]
impl Outbound for Internet {
    async fn exchange(&self, hop: &Hop<'_>) -> Exchange {
        // A host that is an address is never resolved.
        if let Some(address) = hop.url.address()
            && !self.gate.lets(&hop.url.host(), address)
        {
            return Exchange::Inside(NotPublic(hop.url.host()).to_string());
        }
        let mut request = self.client.request(method(hop.method), hop.url.as_str());
        for (name, value) in &hop.headers {
            request = request.header(name, value);
        }
        if let Some(body) = hop.body {
            request = request.body(body.to_vec());
        }
        match request.send().await {
            Ok(answer) => self.read(answer).await,
            Err(error) => failed(&error),
        }
    }

    fn longest(&self) -> Duration {
        self.longest
    }
}

/// What an error says about whether something was sent.
fn failed(error: &reqwest::Error) -> Exchange {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(refused) = inner.downcast_ref::<NotPublic>() {
            return Exchange::Inside(refused.to_string());
        }
        cause = inner.source();
    }
    if error.is_connect() || error.is_builder() { Exchange::Unsent(told(error)) } else { Exchange::Lost(told(error)) }
}

/// An error in words, without the URL, which may hold what is nobody's business.
fn told(error: &reqwest::Error) -> String {
    let mut words = match (error.is_timeout(), error.is_connect()) {
        (true, true) => "no connection in time".to_owned(),
        (true, false) => "no answer in time".to_owned(),
        (false, true) => "no connection".to_owned(),
        (false, false) => "no answer".to_owned(),
    };
    let mut cause = error.source();
    while let Some(inner) = cause {
        if inner.source().is_none() {
            words.push_str(": ");
            words.push_str(&inner.to_string());
        }
        cause = inner.source();
    }
    words
}

fn method(method: Method) -> reqwest::Method {
    match method {
        Method::Get => reqwest::Method::GET,
        Method::Head => reqwest::Method::HEAD,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Patch => reqwest::Method::PATCH,
        Method::Delete => reqwest::Method::DELETE,
    }
}
