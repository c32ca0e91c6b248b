//! The way in: verify → read → match → store. What it answers is a promise.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use serde::Serialize;
use tracing::{Instrument, Span, debug_span, info_span};
use zelo_core::decide::Decision;
use zelo_core::{Arrival, ConsentSaid, Entropy, Event, EventId, JobState, SpanId, Status, Timestamp, TraceContext, TraceId};
use zelo_rules::{Delivery, Headers, Read, Refusal, Source, Texts, Through};

use crate::Runtime;
use crate::connection::Connection;
use crate::rulebook::{self, Edition};

/// A delivery as it came.
pub struct Incoming<'a> {
    pub connection: &'a str,
    /// What follows `/hooks/{connection}/`.
    pub path: &'a str,
    /// The whole public URL, for providers that sign it.
    pub url: &'a str,
    pub headers: &'a Headers<'a>,
    pub body: &'a [u8],
}

/// When a delivery was there, and what it is known by from then on, whatever becomes of it.
#[derive(Clone, Copy, Debug)]
pub struct Arrived {
    /// The event that it becomes, if it does.
    pub event: EventId,
    pub at: Timestamp,
}

impl Arrived {
    /// What its log lines and spans are found by.
    pub fn trace(&self) -> TraceId {
        self.event.into()
    }
}

/// What an accepted delivery is answered.
#[derive(Clone, Debug, Serialize)]
pub struct Receipt {
    /// None for an ignored delivery, which is not stored.
    pub event_id: Option<EventId>,
    pub status: Status,
    /// How many rules matched.
    pub rules: usize,
    /// What the log lines and spans of this delivery are found by.
    pub trace_id: TraceId,
}

/// What an accepted delivery is answered: for one event, or for each of those that it holds.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Receipts {
    One(Receipt),
    Each(Vec<Receipt>),
}

impl Receipts {
    /// All of them, in the order of the delivery.
    pub fn all(&self) -> &[Receipt] {
        match self {
            Self::One(receipt) => std::slice::from_ref(receipt),
            Self::Each(receipts) => receipts,
        }
    }
}

/// Why a delivery was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("there is no connection `{0}`; the URL is /hooks/ and the name of a connection")]
    NoConnection(String),
    #[error(transparent)]
    Refusal(#[from] Refusal),
    #[error("too much is waiting to be stored; send it again")]
    Busy,
    #[error("the store does not answer; send it again")]
    Unavailable(#[source] zelo_store::Error),
}

impl Refused {
    /// A word for metrics: the end of the `type` of its problem document.
    fn word(&self) -> &'static str {
        match self {
            Self::NoConnection(_) => "connection",
            Self::Refusal(Refusal::Malformed { .. }) => "malformed",
            Self::Refusal(Refusal::Unverified { .. }) => "unverified",
            Self::Refusal(Refusal::Unsupported { .. }) => "format",
            Self::Refusal(Refusal::TooLarge { .. }) => "too-large",
            Self::Busy => "busy",
            Self::Unavailable(_) => "unavailable",
        }
    }
}

/// Numbers the events of this process.
#[derive(Debug, Default)]
pub struct Counts {
    /// The millisecond of the newest event, and its number in it: 12 bits.
    newest: AtomicU64,
}

impl Counts {
    /// The id of an event that arrived at `received`: it sorts after those that arrived before it, even in one millisecond.
    pub(crate) fn id(&self, received: Timestamp, entropy: &dyn Entropy) -> EventId {
        let now = u64::try_from(received.as_millisecond()).unwrap_or(0) << 12;
        let after = |newest: u64| if newest < now { now } else { newest.saturating_add(1) };
        let newest = after(self.newest.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |newest| Some(after(newest))).unwrap_or(0));
        // A clock that went back, or more than 4,096 events in a millisecond: the last number is for all of them.
        let number = newest.checked_sub(now).unwrap_or(u64::MAX).min(0xfff);
        EventId::new(received, number as u16, entropy)
    }
}

/// A delivery that came to something.
pub enum Accepted {
    /// Of no type that the source names.
    Ignored { why: String },
    /// Stored, or known already.
    Recorded { event: Box<Event>, decision: Decision },
}

/// What a delivery says.
enum Matched {
    Ignored { why: String },
    Arrival(Box<Arrival>),
}

impl Runtime {
    /// How many bytes a delivery of `connection` may have.
    pub fn max_body(&self, connection: &str) -> Option<usize> {
        let source = &self.connections.get(connection)?.source;
        self.rules.current().rules.source(source).map(|source| source.max_body)
    }

    /// Gives a delivery that is there now its name.
    pub fn arrived(&self) -> Arrived {
        let at = self.clock.now();
        Arrived { event: self.counts.id(at, self.entropy.as_ref()), at }
    }

    /// Verifies a delivery, and accepts it.
    ///
    /// # Errors
    /// Why not. Nothing was stored then.
    pub async fn receive(&self, arrived: Arrived, incoming: Incoming<'_>) -> Result<Receipts, Refused> {
        // The name in a URL is anyone's text: it is told only where it is one of ours.
        let known = self.connections.contains_key(incoming.connection).then_some(incoming.connection);
        let span = info_span!(
            "receive",
            trace_id = %arrived.trace(),
            span_id = %SpanId::of_event(arrived.event),
            link = tracing::field::Empty,
            connection = known,
        );
        self.receive_counted(arrived, &incoming, known).instrument(span).await
    }

    async fn receive_counted(&self, arrived: Arrived, incoming: &Incoming<'_>, known: Option<&str>) -> Result<Receipts, Refused> {
        let begun = Instant::now();
        let outcome = self.verified(arrived, incoming).await;
        self.metrics().answered(begun.elapsed());
        match &outcome {
            Ok(receipts) => receipts.all().iter().for_each(|receipt| {
                self.metrics().received(incoming.connection, receipt.status);
                tracing::info!(
                    event = receipt.event_id.map(tracing::field::display),
                    status = receipt.status.as_str(),
                    rules = receipt.rules,
                    "received"
                );
            }),
            Err(refused) => {
                self.metrics().refused(known, refused.word());
                tracing::warn!(code = refused.word(), why = known.map(|_| tracing::field::display(refused)), "refused");
            }
        }
        outcome
    }

    async fn verified(&self, arrived: Arrived, incoming: &Incoming<'_>) -> Result<Receipts, Refused> {
        let missing = || Refused::NoConnection(incoming.connection.to_owned());
        let connection = self.connections.get(incoming.connection).ok_or_else(missing)?;
        let edition = self.rules.current();
        let source = edition.rules.source(&connection.source).ok_or_else(missing)?;
        let delivery = Delivery { path: incoming.path, url: incoming.url, headers: incoming.headers, body: incoming.body };
        if !connection.insecure {
            debug_span!("verify").in_scope(|| source.verify(&delivery, self.keys_in_hand().of(connection), arrived.at))?;
        }
        // Whose trace this belongs to is what the sender says: it is pointed to, and nothing hangs on it.
        if let Some(caller) = source.traceparent(&delivery).and_then(|said| said.parse::<TraceContext>().ok()) {
            Span::current().record("link", tracing::field::display(caller));
        }
        let trace_id = arrived.trace();
        let (accepted, split) = self.accept_as(arrived, connection, &delivery).await?;
        let mut receipts = accepted.into_iter().map(|accepted| match accepted {
            Accepted::Ignored { .. } => Receipt { event_id: None, status: Status::Ignored, rules: 0, trace_id },
            Accepted::Recorded { decision, .. } => {
                Receipt { event_id: Some(decision.event), status: decision.status, rules: decision.rules.len(), trace_id }
            }
        });
        Ok(match (split, receipts.next()) {
            (false, Some(receipt)) => Receipts::One(receipt),
            (_, first) => Receipts::Each(first.into_iter().chain(receipts).collect()),
        })
    }

    /// Reads `delivery`, once, and matches its events; whether it was split into them.
    fn matched(
        &self,
        edition: &Edition,
        source: &Source,
        delivery: &Delivery<'_>,
        through: &Through<'_>,
    ) -> Result<(Vec<Matched>, bool), Refusal> {
        let Texts { all, split, of_body } = source.texts(delivery)?;
        let event = |(place, text): (usize, &Arc<[u8]>)| {
            // The first is known by the name of the delivery.
            let event = if place == 0 { through.event } else { self.counts.id(through.received, self.entropy.as_ref()) };
            let content = if of_body { delivery.body } else { text };
            self.matched_one(edition, source, delivery, &Through { event, ..*through }, text, content)
        };
        Ok((all.iter().enumerate().map(event).collect::<Result<_, _>>()?, split))
    }

    /// Reads one event of `delivery`, and matches it. Where nothing else identifies it, its `content` does.
    fn matched_one(
        &self,
        edition: &Edition,
        source: &Source,
        delivery: &Delivery<'_>,
        through: &Through<'_>,
        text: &Arc<[u8]>,
        content: &[u8],
    ) -> Result<Matched, Refusal> {
        let facts = edition.rules.facts(text)?;
        let reading = match source.read_facts(delivery, text, &facts) {
            Read::Ignored { why } => return Ok(Matched::Ignored { why }),
            Read::Event(reading) => reading,
        };
        let index = self.store.indexer();
        let mut arrival = reading.arrival(through, content, index, edition.in_force.clone());
        arrival.candidates = edition.in_force.candidates_of(&arrival.event, &facts, index);
        let said = edition.in_force.consents_of(&arrival.event, &facts);
        arrival.consents = said
            .into_iter()
            .map(|(topic, given)| ConsentSaid { actions: rulebook::asking_for(&edition.rules, &topic), topic, given })
            .collect();
        Ok(Matched::Arrival(Box::new(arrival)))
    }

    /// Accepts a delivery that is known to be the provider's. What became of each of its events.
    ///
    /// # Errors
    /// Why not. Nothing was stored then, unless the store failed in the midst of several: sent again, those are duplicates.
    pub async fn accept(&self, connection: &Connection, delivery: &Delivery<'_>, received: Timestamp) -> Result<Vec<Accepted>, Refused> {
        let arrived = Arrived { event: self.counts.id(received, self.entropy.as_ref()), at: received };
        Ok(self.accept_as(arrived, connection, delivery).await?.0)
    }

    /// The same, and whether the delivery was split.
    async fn accept_as(
        &self,
        arrived: Arrived,
        connection: &Connection,
        delivery: &Delivery<'_>,
    ) -> Result<(Vec<Accepted>, bool), Refused> {
        let edition = self.rules.current();
        let source = edition.rules.source(&connection.source).ok_or_else(|| Refused::NoConnection(connection.name.clone()))?;
        let through = Through {
            connection: &connection.name,
            source: &connection.source,
            clinic: connection.clinic.as_deref(),
            event: arrived.event,
            received: arrived.at,
        };
        let (matched, split) = debug_span!("match").in_scope(|| self.matched(&edition, source, delivery, &through))?;
        let mut accepted = Vec::with_capacity(matched.len());
        for event in matched {
            accepted.push(self.record(event, arrived.at).await?);
        }
        Ok((accepted, split))
    }

    /// Stores what an event of a delivery says.
    async fn record(&self, matched: Matched, received: Timestamp) -> Result<Accepted, Refused> {
        let arrival = match matched {
            Matched::Ignored { why } => return Ok(Accepted::Ignored { why }),
            Matched::Arrival(arrival) => *arrival,
        };
        let event = Box::new(arrival.event.clone());
        let recorded = self.store.record(arrival).instrument(debug_span!("record")).await;
        let decision = recorded.map_err(|error| match error {
            zelo_store::Error::Busy => Refused::Busy,
            other => Refused::Unavailable(other),
        })?;
        self.count_decision(&decision);
        if decision.jobs.iter().any(|job| job.state == JobState::Ready || job.run_at <= received) {
            self.bell.notify_one();
        }
        Ok(Accepted::Recorded { event, decision })
    }
}
