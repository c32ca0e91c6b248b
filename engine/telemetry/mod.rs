//! What is told of a running server: log lines, and traces where a collector is named.
//!
//! Without `OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` nothing of OpenTelemetry is built, and spans below the
//! level of the log are not made. The variables are [those of OpenTelemetry](https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).

mod collector;
mod lines;
mod sampling;
mod spans;

use std::env;
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchSpanProcessor, SpanProcessor};
use tokio::runtime::Handle;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use crate::config::LogFormat;
use collector::Collector;
use lines::Lines;
use sampling::Sampling;
use spans::Spans;

/// What has to be finished before the process ends.
pub(crate) struct Telemetry {
    lines: Lines,
    spans: Option<Arc<BatchSpanProcessor>>,
}

/// Begins to log to standard error, as `RUST_LOG` says, and to export spans, as the `OTEL_…` variables say.
///
/// # Errors
/// The system gives no thread to write with.
pub(crate) fn begin(format: LogFormat, handle: &Handle) -> io::Result<Telemetry> {
    let lines = Lines::begin()?;
    let filter = || EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    let (exporting, failed) = match exporting(handle) {
        Ok(exporting) => (exporting, None),
        Err(why) => (None, Some(why)),
    };
    let Some((spans, processor)) = exporting else {
        tracing_subscriber::registry().with(layer(format, &lines)).with(filter()).init();
        if let Some(why) = failed {
            tracing::error!(why, "no traces are exported: the OTEL_… variables cannot be followed");
        }
        return Ok(Telemetry { lines, spans: None });
    };
    let ours = filter_fn(|metadata| metadata.target().starts_with("zelo"));
    tracing_subscriber::registry().with(layer(format, &lines).with_filter(filter())).with(spans.with_filter(ours)).init();
    Ok(Telemetry { lines, spans: Some(processor) })
}

impl Telemetry {
    /// Hands out what was not exported yet, for at most `within`, and writes the last lines.
    pub(crate) async fn finish(self, within: Duration) {
        if let Some(processor) = self.spans {
            // It blocks until its thread has ended. What a collector that does not answer was not told is lost.
            let finished = tokio::task::spawn_blocking(move || drop(processor.shutdown_with_timeout(within)));
            let _ = tokio::time::timeout(within, finished).await;
        }
        self.lines.flush();
    }
}

fn layer(format: LogFormat, lines: &Lines) -> Box<dyn Layer<Registry> + Send + Sync> {
    let lines = fmt::layer().with_writer(lines.clone()).with_ansi(io::stderr().is_terminal());
    match format {
        LogFormat::Text => lines.with_target(false).boxed(),
        LogFormat::Json => lines.json().boxed(),
    }
}

/// What exports spans, where a collector is named.
fn exporting(handle: &Handle) -> Result<Option<(Spans, Arc<BatchSpanProcessor>)>, String> {
    if !is_wanted(|name| env::var(name).ok()) {
        return Ok(None);
    }
    let sampling = Sampling::named(env::var("OTEL_TRACES_SAMPLER").ok().as_deref(), env::var("OTEL_TRACES_SAMPLER_ARG").ok().as_deref())?;
    let builder = SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary);
    let exporter = builder.with_http_client(Collector::new(handle.clone())?).build().map_err(|error| error.to_string())?;
    let mut processor = BatchSpanProcessor::builder(exporter).build();
    processor.set_resource(&resource());
    let processor = Arc::new(processor);
    Ok(Some((Spans::new(processor.clone(), sampling), processor)))
}

/// Whether a collector is named, and nobody says that it is to be left alone.
fn is_wanted(variable: impl Fn(&str) -> Option<String>) -> bool {
    let says = |name: &str, word: &str| variable(name).is_some_and(|value| value.trim().eq_ignore_ascii_case(word));
    let named = |name: &str| variable(name).is_some_and(|value| !value.trim().is_empty());
    (named("OTEL_EXPORTER_OTLP_ENDPOINT") || named("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"))
        && !says("OTEL_SDK_DISABLED", "true")
        && !says("OTEL_TRACES_EXPORTER", "none")
}

/// What the process is: `zelo`, unless `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` say otherwise.
fn resource() -> Resource {
    let named = env::var("OTEL_SERVICE_NAME").is_ok_and(|name| !name.is_empty())
        || env::var("OTEL_RESOURCE_ATTRIBUTES").is_ok_and(|attributes| attributes.contains("service.name="));
    let version = opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let builder = Resource::builder().with_attribute(version);
    if named { builder.build() } else { builder.with_service_name("zelo").build() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_exported_unless_a_collector_is_named() {
        let wanted =
            |set: &[(&str, &str)]| is_wanted(|name| set.iter().find(|(given, _)| *given == name).map(|(_, value)| (*value).to_owned()));
        let named = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318");
        assert!(!wanted(&[]));
        assert!(!wanted(&[("OTEL_SERVICE_NAME", "zelo"), ("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]));
        assert!(wanted(&[named]));
        assert!(wanted(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://localhost:4318/v1/traces")]));
        assert!(!wanted(&[named, ("OTEL_SDK_DISABLED", "true")]));
        assert!(wanted(&[named, ("OTEL_SDK_DISABLED", "false")]));
        assert!(!wanted(&[named, ("OTEL_TRACES_EXPORTER", "none")]));
    }
}
