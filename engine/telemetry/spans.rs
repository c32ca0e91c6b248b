//! Spans of `tracing` as spans of OpenTelemetry.
//!
//! Not `tracing-opentelemetry`: there a trace gets its id from a generator, and here it is the event's (`zelo_core::trace`). A span says
//! where it belongs by fields: `trace_id` (else that of the span around it), `span_id` (else one is drawn), `parent_id` (else the span
//! around it), `link`, which points to a span of another trace. A span that belongs to no trace is not exported.

use std::borrow::Cow;
use std::collections::hash_map::RandomState;
use std::fmt::Debug;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use opentelemetry::trace::{Event as SpanEvent, Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{BatchSpanProcessor, SpanData, SpanEvents, SpanLinks, SpanProcessor};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::sampling::Sampling;

/// The fields that leave the machine, and what they are called there: ids, names that the operator chose, codes and durations. Whatever
/// else a log line says stays in the log.
const ATTRIBUTES: [(&str, &str); 18] = [
    ("connection", "zelo.connection"),
    ("event", "zelo.event"),
    ("job", "zelo.job"),
    ("rule", "zelo.rule"),
    ("action", "zelo.action"),
    ("attempt", "zelo.attempt"),
    ("plugin", "zelo.plugin"),
    ("status", "zelo.status"),
    ("state", "zelo.state"),
    ("reason", "zelo.reason"),
    ("code", "zelo.code"),
    ("rules", "zelo.rules"),
    ("kind", "zelo.kind"),
    ("index", "zelo.index"),
    ("outcome", "zelo.outcome"),
    ("end", "zelo.end"),
    ("cpu_us", "zelo.cpu_us"),
    ("effect", "zelo.effect"),
];

/// The log lines whose text leaves the machine: none has a value in it.
const MESSAGES: [&str; 5] = ["received", "refused", "settled", "emitted", "an effect was refused"];

/// Events that one span keeps.
const EVENTS_MAX: usize = 32;

/// Hands ended spans to an exporter.
#[derive(Debug)]
pub(super) struct Spans {
    processor: Arc<BatchSpanProcessor>,
    sampling: Sampling,
    scope: InstrumentationScope,
    /// Span ids that nobody refers to later are drawn by hashing a counter under this process's own key.
    key: RandomState,
    drawn: AtomicU64,
}

/// A span that has not ended.
struct Open {
    context: SpanContext,
    parent: SpanId,
    begun: SystemTime,
    name: Cow<'static, str>,
    kind: SpanKind,
    said: Said,
    events: Vec<SpanEvent>,
    dropped: u32,
    failed: bool,
}

impl Spans {
    pub(super) fn new(processor: Arc<BatchSpanProcessor>, sampling: Sampling) -> Self {
        let scope = InstrumentationScope::builder("zelo").with_version(env!("CARGO_PKG_VERSION")).build();
        Self { processor, sampling, scope, key: RandomState::new(), drawn: AtomicU64::new(0) }
    }

    fn draw(&self) -> SpanId {
        let number = self.drawn.fetch_add(1, Ordering::Relaxed);
        // All zeros would be no span.
        SpanId::from_bytes((self.key.hash_one(number) | 1).to_be_bytes())
    }
}

impl<S: Subscriber + for<'l> LookupSpan<'l>> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut said = Said::default();
        attributes.record(&mut said);
        let around = span.parent().and_then(|parent| Some(parent.extensions().get::<Open>()?.context.clone()));
        let Some(trace) = said.trace.or_else(|| around.as_ref().map(SpanContext::trace_id)) else { return };
        if !self.sampling.keeps(trace.to_bytes()) {
            return;
        }
        let own = said.span.unwrap_or_else(|| self.draw());
        let parent = said.parent.or_else(|| around.map(|around| around.span_id())).unwrap_or(SpanId::INVALID);
        span.extensions_mut().insert(Open {
            context: SpanContext::new(trace, own, TraceFlags::SAMPLED, false, TraceState::NONE),
            parent,
            begun: now(),
            name: name(span.metadata(), &said),
            kind: kind(span.metadata(), &said),
            said,
            events: Vec::new(),
            dropped: 0,
            failed: false,
        });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(open) = span.extensions_mut().get_mut::<Open>() {
            values.record(&mut open.said);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let Some(span) = context.event_span(event) else { return };
        let mut extensions = span.extensions_mut();
        let Some(open) = extensions.get_mut::<Open>() else { return };
        open.failed |= *event.metadata().level() == Level::ERROR;
        if open.events.len() == EVENTS_MAX {
            open.dropped += 1;
            return;
        }
        let mut said = Said::default();
        event.record(&mut said);
        open.events.push(SpanEvent::new(said.message.unwrap_or("log"), now(), said.attributes, 0));
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(open) = span.extensions_mut().remove::<Open>() else { return };
        let mut events = SpanEvents::default();
        events.events = open.events;
        events.dropped_count = open.dropped;
        let mut links = SpanLinks::default();
        links.links = open.said.link.map(Link::with_context).into_iter().collect();
        // A full queue drops it: nobody waits for a collector.
        self.processor.on_end(SpanData {
            span_context: open.context,
            parent_span_id: open.parent,
            parent_span_is_remote: false,
            span_kind: open.kind,
            name: open.name,
            start_time: open.begun,
            end_time: now(),
            attributes: open.said.attributes,
            dropped_attributes_count: 0,
            events,
            links,
            status: if open.failed { Status::error("") } else { Status::Unset },
            instrumentation_scope: self.scope.clone(),
        });
    }
}

/// `effect http` says more than `effect`.
fn name(metadata: &'static Metadata<'static>, said: &Said) -> Cow<'static, str> {
    match said.word("zelo.kind") {
        Some(kind) => Cow::Owned(format!("{} {kind}", metadata.name())),
        None => Cow::Borrowed(metadata.name()),
    }
}

fn kind(metadata: &Metadata<'_>, said: &Said) -> SpanKind {
    match metadata.name() {
        "receive" => SpanKind::Server,
        "attempt" => SpanKind::Consumer,
        "effect" if said.word("zelo.kind").as_deref() == Some("http") => SpanKind::Client,
        _ => SpanKind::Internal,
    }
}

#[expect(clippy::disallowed_methods, reason = "spans are of the machine's own time, whatever clock decides about jobs")]
fn now() -> SystemTime {
    SystemTime::now()
}

/// What a span or a log line says by its fields.
#[derive(Default)]
struct Said {
    trace: Option<TraceId>,
    span: Option<SpanId>,
    parent: Option<SpanId>,
    link: Option<SpanContext>,
    attributes: Vec<KeyValue>,
    message: Option<&'static str>,
}

impl Said {
    /// The attribute that this field is.
    fn word(&self, attribute: &str) -> Option<Cow<'_, str>> {
        self.attributes.iter().find(|found| found.key.as_str() == attribute).map(|found| found.value.as_str())
    }

    fn take(&mut self, field: &Field, value: impl Into<opentelemetry::Value>) {
        if let Some((_, attribute)) = ATTRIBUTES.iter().find(|(known, _)| *known == field.name()) {
            self.attributes.push(KeyValue::new(*attribute, value));
        }
    }
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = || format!("{value:?}");
        match field.name() {
            "trace_id" => self.trace = TraceId::from_hex(&text()).ok(),
            "span_id" => self.span = SpanId::from_hex(&text()).ok(),
            "parent_id" => self.parent = SpanId::from_hex(&text()).ok(),
            "link" => self.link = link(&text()),
            "message" => {
                let text = text();
                self.message = MESSAGES.into_iter().find(|known| *known == text);
            }
            _ => self.take(field, text()),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, value.to_owned());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.take(field, i64::try_from(value).unwrap_or(i64::MAX));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.take(field, value);
    }
}

/// `TRACE-SPAN`.
fn link(text: &str) -> Option<SpanContext> {
    let (trace, span) = text.split_once('-')?;
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    Some(SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::NONE))
}
