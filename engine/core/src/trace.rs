//! One name for all that comes of one event, as tracing tools know it: [W3C Trace Context](https://www.w3.org/TR/trace-context/).
//!
//! The trace of an event has the event's own sixteen bytes, so nothing has to be stored to go on with it weeks later: whoever has
//! the event, or a job of it, has the trace. Its spans that others refer to have derived ids, for the same reason.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::id::{EventId, JobId};

/// A trace: what a tool shows as one story.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId([u8; 16]);

/// A piece of work within a trace.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId([u8; 8]);

/// Where in which trace something is: what the header `traceparent` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    pub trace: TraceId,
    pub span: SpanId,
}

/// A text that is no trace context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no traceparent: 00, 32 and 16 hexadecimal digits, and flags")]
pub struct InvalidContext;

/// A text that is no trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no trace: 32 hexadecimal digits")]
pub struct InvalidTrace;

impl TraceId {
    pub fn bytes(&self) -> [u8; 16] {
        self.0
    }
}

/// From 32 hexadecimal digits, as it is printed.
impl FromStr for TraceId {
    type Err = InvalidTrace;

    fn from_str(text: &str) -> Result<Self, InvalidTrace> {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        let number = u128::from_str_radix(text, 16).ok().filter(|_| digits && text.len() == 32);
        number.map(|number| Self(number.to_be_bytes())).ok_or(InvalidTrace)
    }
}

impl From<EventId> for TraceId {
    fn from(event: EventId) -> Self {
        Self(*event.bytes())
    }
}

impl SpanId {
    pub fn bytes(&self) -> [u8; 8] {
        self.0
    }

    /// The arrival of an event: the first span of its trace.
    pub fn of_event(event: EventId) -> Self {
        Self::derived(event.bytes(), &[])
    }

    /// One attempt at a job, under this lease.
    pub fn of_attempt(job: JobId, lease: u64) -> Self {
        Self::derived(job.bytes(), &lease.to_be_bytes())
    }

    /// One effect of such an attempt.
    pub fn of_effect(job: JobId, lease: u64, index: u32) -> Self {
        Self::derived(job.bytes(), &[&lease.to_be_bytes()[..], &index.to_be_bytes()].concat())
    }

    fn derived(of: &[u8; 16], which: &[u8]) -> Self {
        let digest = Sha256::new().chain_update(of).chain_update(which).finalize();
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&digest[..8]);
        // All zeros would be no span.
        bytes[7] |= 1;
        Self(bytes)
    }
}

impl TraceContext {
    /// Where an event begins its trace.
    pub fn of_event(event: EventId) -> Self {
        Self { trace: event.into(), span: SpanId::of_event(event) }
    }

    /// The value of the header `traceparent`, version 00. It says `sampled`: who is asked decides for itself what it keeps.
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-01", self.trace, self.span)
    }
}

/// As it stands in `traceparent`; of a later version, what version 00 knows of it.
impl FromStr for TraceContext {
    type Err = InvalidContext;

    fn from_str(text: &str) -> Result<Self, InvalidContext> {
        let mut parts = text.split('-');
        let mut next = |digits: usize| {
            let lower = |part: &&str| part.len() == digits && part.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
            parts.next().filter(lower).ok_or(InvalidContext)
        };
        let (version, trace, span, _flags) = (next(2)?, next(32)?, next(16)?, next(2)?);
        if version == "ff" || (version == "00" && parts.next().is_some()) {
            return Err(InvalidContext);
        }
        let (trace, span) = (hex(trace).ok_or(InvalidContext)?, hex(span).ok_or(InvalidContext)?);
        if trace == [0; 16] || span == [0; 8] {
            return Err(InvalidContext);
        }
        Ok(Self { trace: TraceId(trace), span: SpanId(span) })
    }
}

/// Prints `TRACE-SPAN`.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.trace, self.span)
    }
}

macro_rules! hexadecimal {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&HEXLOWER.encode_display(&self.0), f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

hexadecimal!(TraceId);
hexadecimal!(SpanId);

fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = "evt_0198c0ffee007abc8def0123456789ab";

    #[test]
    fn the_trace_of_an_event_is_its_id() {
        let event: EventId = EVENT.parse().unwrap();
        assert_eq!(format!("evt_{}", TraceId::from(event)), EVENT);
        let header = TraceContext::of_event(event).traceparent();
        assert_eq!(header.len(), 55);
        assert_eq!(header.parse(), Ok(TraceContext::of_event(event)));
    }

    #[test]
    fn every_attempt_and_effect_is_a_span_of_its_own() {
        let job = JobId::from_bytes([7; 16]);
        let spans = [SpanId::of_attempt(job, 1), SpanId::of_attempt(job, 2), SpanId::of_effect(job, 1, 1), SpanId::of_effect(job, 2, 1)];
        assert!(spans.iter().enumerate().all(|(place, span)| !spans[..place].contains(span)), "{spans:?}");
        assert_eq!(SpanId::of_effect(job, 1, 1), spans[2], "the same, whoever asks");
    }

    #[test]
    fn what_others_send_is_read_strictly() {
        let parse = |text: &str| text.parse::<TraceContext>().map(|context| context.to_string());
        let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        let good = Ok(format!("{trace}-{span}"));
        assert_eq!(parse(&format!("00-{trace}-{span}-01")), good);
        assert_eq!(parse(&format!("cc-{trace}-{span}-01-what-the-future-brings")), good);
        for bad in [
            String::new(),
            format!("00-{trace}-{span}"),
            format!("00-{trace}-{span}-01-more"),
            format!("ff-{trace}-{span}-01"),
            format!("00-{}-{span}-01", trace.to_uppercase()),
            format!("00-{}-{span}-01", "0".repeat(32)),
            format!("00-{trace}-{}-01", "0".repeat(16)),
            format!("00-{trace}-{span}-01\r\nx: y"),
            format!("00-{trace} -{span}-01"),
        ] {
            assert_eq!(parse(&bad), Err(InvalidContext), "{bad}");
        }
    }
}
