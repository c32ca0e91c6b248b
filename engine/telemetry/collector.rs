//! Sends spans to a collector: with the client and the TLS that everything else here uses.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use tokio::runtime::Handle;
use zelo_runtime::outbound;

/// How long one export may take, where `OTEL_EXPORTER_OTLP_TIMEOUT` does not say, in milliseconds.
const TIMEOUT_MS: u64 = 10_000;

/// The longest answer that is read, in bytes: an empty one is usual.
const ANSWER_MAX: usize = 64 << 10;

/// Who spans are sent to.
#[derive(Debug)]
pub(super) struct Collector {
    client: reqwest::Client,
    /// Where requests run: who sends is a thread of its own.
    handle: Handle,
    /// Whether the last export failed, which is said once and not each time.
    failing: AtomicBool,
}

impl Collector {
    /// # Errors
    /// TLS cannot be set up.
    pub(super) fn new(handle: Handle) -> Result<Self, String> {
        let variable = |name: &str| std::env::var(name).ok()?.trim().parse().ok();
        let timeout = variable("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT").or_else(|| variable("OTEL_EXPORTER_OTLP_TIMEOUT"));
        outbound::use_ring();
        let client = reqwest::Client::builder()
            .user_agent(concat!("zelo/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .timeout(Duration::from_millis(timeout.unwrap_or(TIMEOUT_MS)))
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { client, handle, failing: AtomicBool::new(false) })
    }
}

#[async_trait::async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = reqwest::Request::try_from(request)?;
        let sent = self.handle.spawn(send(self.client.clone(), request)).await?;
        let failed = match &sent {
            Ok(answer) => !answer.status().is_success(),
            Err(_) => true,
        };
        if self.failing.swap(failed, Ordering::Relaxed) != failed {
            match &sent {
                Ok(answer) if failed => tracing::warn!(status = answer.status().as_u16(), "the collector refuses spans; they are lost"),
                Ok(_) => tracing::info!("the collector takes spans again"),
                Err(_) => tracing::warn!("the collector of OTEL_EXPORTER_OTLP_ENDPOINT does not answer; spans are lost until it does"),
            }
        }
        sent
    }
}

async fn send(client: reqwest::Client, request: reqwest::Request) -> Result<Response<Bytes>, HttpError> {
    let mut answer = client.execute(request).await?;
    let status = answer.status();
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > ANSWER_MAX {
            return Err("the answer of the collector is too long".into());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Response::builder().status(status).body(body.into())?)
}
