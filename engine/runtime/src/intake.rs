//! The way in: verify → read → match → store. What it answers is a promise.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use serde::Serialize;
use tracing::{Instrument, Span, debug_span, info_span};
use zelo_core::decide::Decision;
use zelo_core::{Arrival, ConsentSaid, Entropy, Event, EventId, JobState, SpanId, Status, Timestamp, TraceContext, TraceId};
use zelo_rules::{Ack, Delivery, Headers, Method, OnViolation, Read, Refusal, Source, Texts, Through};

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

impl<'a> Incoming<'a> {
    fn delivery(&self) -> Delivery<'a> {
        Delivery { path: self.path, url: self.url, headers: self.headers, body: self.body }
    }
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
    /// Of a quarantined event, where it is not in the form of its type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub violation: Option<String>,
}

/// What an accepted delivery is answered: for one event, or for each of those that it was split into.
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

/// What is said to the provider.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The delivery was taken.
    Taken {
        receipts: Receipts,
        /// The provider wants to hear exactly this, and no receipt.
        ack: Option<Ack>,
    },
    /// It was no delivery: the provider asked whether we are here, and wants to hear this text.
    Handshake(String),
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
            Self::Refusal(Refusal::Handshake { .. }) => "handshake",
            Self::Refusal(Refusal::Violation { .. }) => "violation",
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

/// An event of a delivery that came to something; `E` is what is wanted of it.
pub enum Accepted<E = Box<Event>> {
    /// Of no type that the source names.
    Ignored { why: String },
    /// Stored, or known already.
    Recorded { event: E, decision: Decision, violation: Option<String> },
}

/// What an event of a delivery says.
enum Matched {
    Ignored { why: String },
    Arrival { arrival: Box<Arrival>, violation: Option<String> },
}

/// What a delivery says.
struct Told {
    events: Vec<Matched>,
    /// Whether it was split into these.
    split: bool,
}

impl Runtime {
    /// How many bytes a delivery of `connection` may have.
    pub fn max_body(&self, connection: &str) -> Option<usize> {
        let source = &self.connections.get(connection)?.source;
        self.rules.current().rules.source(source).map(|source| source.max_body)
    }

    /// Whether `connection` takes deliveries from anyone: it says so, or its source does.
    pub fn is_insecure(&self, connection: &Connection) -> bool {
        connection.insecure || self.rules.current().rules.source(&connection.source).is_some_and(|source| source.insecure)
    }

    /// Whether the provider of `connection` may ask by GET whether we are here.
    pub fn is_asked(&self, connection: &str) -> bool {
        let source = self.connections.get(connection).map(|connection| &connection.source);
        source.is_some_and(|source| self.rules.current().rules.source(source).is_some_and(|source| source.has_handshake(Method::Get)))
    }

    /// Answers a GET by which a provider asks whether we are here; none: it is no such question. Nobody signs it.
    ///
    /// # Errors
    /// Why it is not answered.
    pub fn ask(&self, arrived: Arrived, incoming: &Incoming<'_>) -> Result<Option<String>, Refused> {
        let Some(connection) = self.connections.get(incoming.connection) else {
            return Err(Refused::NoConnection(incoming.connection.to_owned()));
        };
        let edition = self.rules.current();
        let Some(source) = edition.rules.source(&connection.source) else { return Ok(None) };
        let _span = info_span!("ask", trace_id = %arrived.trace(), connection = connection.name).entered();
        match source.handshake(Method::Get, &incoming.delivery(), connection.handshake.as_deref()) {
            Ok(answer) => {
                answer.iter().for_each(|_| tracing::info!("handshake answered"));
                Ok(answer)
            }
            Err(refusal) => {
                let refused = Refused::from(refusal);
                self.count_refused(Some(&connection.name), refused.word());
                tracing::warn!(code = refused.word(), why = %refused, "refused");
                Err(refused)
            }
        }
    }

    /// Whether a delivery shows what somebody could have guessed, a secret itself: its head says so.
    pub fn is_guess(&self, incoming: &Incoming<'_>) -> bool {
        let Some(connection) = self.connections.get(incoming.connection) else { return false };
        self.rules.current().rules.source(&connection.source).is_some_and(|source| source.is_guess(&incoming.delivery()))
    }

    /// Gives a delivery that is there now its name.
    pub fn arrived(&self) -> Arrived {
        let at = self.clock.now();
        Arrived { event: self.counts.id(at, self.entropy.as_ref()), at }
    }

    /// Verifies a delivery, and accepts it, or answers it where it is a handshake.
    ///
    /// # Errors
    /// Why not. Nothing was stored then.
    pub async fn receive(&self, arrived: Arrived, incoming: Incoming<'_>) -> Result<Answer, Refused> {
        // The name in a URL is anyone's text: it is told only where it is one of ours.
        let known = self.connections.contains_key(incoming.connection).then_some(incoming.connection);
        // For a collector: each line says itself what it is about, which costs a delivery less than a span of the log.
        let span = debug_span!(
            "receive",
            trace_id = %arrived.trace(),
            span_id = %SpanId::of_event(arrived.event),
            link = tracing::field::Empty,
            connection = known,
        );
        self.receive_counted(arrived, &incoming, known).instrument(span).await
    }

    async fn receive_counted(&self, arrived: Arrived, incoming: &Incoming<'_>, known: Option<&str>) -> Result<Answer, Refused> {
        let begun = Instant::now();
        let outcome = self.verified(arrived, incoming).await;
        self.metrics().answered(begun.elapsed());
        match &outcome {
            Ok(Answer::Handshake(_)) => tracing::info!(trace_id = %arrived.trace(), connection = known, "handshake answered"),
            Ok(Answer::Taken { receipts, .. }) => receipts.all().iter().for_each(|receipt| {
                self.metrics().received(incoming.connection, receipt.status);
                self.0.hearing.accepted(incoming.connection, arrived.at);
                tracing::info!(
                    trace_id = %receipt.trace_id,
                    connection = known,
                    event = receipt.event_id.map(tracing::field::display),
                    status = receipt.status.as_str(),
                    rules = receipt.rules,
                    violation = receipt.violation,
                    "received"
                );
            }),
            Err(refused) => {
                self.count_refused(known, refused.word());
                let why = known.map(|_| tracing::field::display(refused));
                tracing::warn!(trace_id = %arrived.trace(), connection = known, code = refused.word(), why, "refused");
            }
        }
        outcome
    }

    async fn verified(&self, arrived: Arrived, incoming: &Incoming<'_>) -> Result<Answer, Refused> {
        let missing = || Refused::NoConnection(incoming.connection.to_owned());
        let connection = self.connections.get(incoming.connection).ok_or_else(missing)?;
        let edition = self.rules.current();
        let source = edition.rules.source(&connection.source).ok_or_else(missing)?;
        let delivery = incoming.delivery();
        if !connection.insecure {
            debug_span!("verify").in_scope(|| source.verify(&delivery, self.keys_in_hand().of(connection), arrived.at))?;
        }
        if let Some(answer) = source.handshake(Method::Post, &delivery, connection.handshake.as_deref())? {
            return Ok(Answer::Handshake(answer));
        }
        // Whose trace this belongs to is what the sender says: it is pointed to, and nothing hangs on it.
        if let Some(caller) = source.traceparent(&delivery).and_then(|said| said.parse::<TraceContext>().ok()) {
            Span::current().record("link", tracing::field::display(caller));
        }
        let trace_id = arrived.trace();
        let ack = source.ack.clone();
        let (accepted, split) = self.accept_as(arrived, connection, &delivery, |_| ()).await?;
        let mut receipts = accepted.into_iter().map(|accepted| match accepted {
            Accepted::Ignored { .. } => Receipt { event_id: None, status: Status::Ignored, rules: 0, trace_id, violation: None },
            Accepted::Recorded { decision, violation, .. } => {
                let rules = decision.rules.len();
                // Of a duplicate it was told before.
                let violation = violation.filter(|_| decision.status == Status::Quarantined);
                Receipt { event_id: Some(decision.event), status: decision.status, rules, trace_id, violation }
            }
        });
        let receipts = match (split, receipts.next()) {
            (false, Some(receipt)) => Receipts::One(receipt),
            (_, first) => Receipts::Each(first.into_iter().chain(receipts).collect()),
        };
        Ok(Answer::Taken { receipts, ack })
    }

    /// Reads `delivery`, once, and matches its events.
    fn matched(&self, edition: &Edition, source: &Source, delivery: &Delivery<'_>, through: &Through<'_>) -> Result<Told, Refusal> {
        let Texts { all, split, of_body } = source.texts(delivery)?;
        let event = |(place, text): (usize, &Arc<[u8]>)| {
            // The first is known by the name of the delivery.
            let event = if place == 0 { through.event } else { self.counts.id(through.received, self.entropy.as_ref()) };
            let content = if of_body { delivery.body } else { text };
            self.matched_one(edition, source, delivery, &Through { event, ..*through }, text, content)
        };
        Ok(Told { events: all.iter().enumerate().map(event).collect::<Result<_, _>>()?, split })
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
        let violation = reading.violation.clone();
        if let (Some(why), OnViolation::Refuse) = (&violation, source.on_violation) {
            return Err(Refusal::Violation { why: why.clone() });
        }
        let index = self.store.indexer();
        let mut arrival = reading.arrival(through, content, index, edition.in_force.clone());
        if violation.is_some() {
            return Ok(Matched::Arrival { arrival: Box::new(arrival), violation });
        }
        arrival.candidates = edition.in_force.candidates_of(&arrival.event, &facts, index);
        let said = edition.in_force.consents_of(&arrival.event, &facts);
        arrival.consents = said
            .into_iter()
            .map(|(topic, given)| ConsentSaid { actions: rulebook::asking_for(&edition.rules, &topic), topic, given })
            .collect();
        Ok(Matched::Arrival { arrival: Box::new(arrival), violation })
    }

    /// Accepts a delivery that is known to be the provider's: all of its events, or none. What became of each.
    ///
    /// # Errors
    /// Why not. Nothing was stored then.
    pub async fn accept(&self, connection: &Connection, delivery: &Delivery<'_>, received: Timestamp) -> Result<Vec<Accepted>, Refused> {
        let arrived = Arrived { event: self.counts.id(received, self.entropy.as_ref()), at: received };
        Ok(self.accept_as(arrived, connection, delivery, |event| Box::new(event.clone())).await?.0)
    }

    /// The same, with what is `wanted` of each event, and whether the delivery was split.
    async fn accept_as<E>(
        &self,
        arrived: Arrived,
        connection: &Connection,
        delivery: &Delivery<'_>,
        wanted: fn(&Event) -> E,
    ) -> Result<(Vec<Accepted<E>>, bool), Refused> {
        let edition = self.rules.current();
        let source = edition.rules.source(&connection.source).ok_or_else(|| Refused::NoConnection(connection.name.clone()))?;
        let through = Through {
            connection: &connection.name,
            source: &connection.source,
            clinic: connection.clinic.as_deref(),
            event: arrived.event,
            received: arrived.at,
        };
        let matched = debug_span!("match").in_scope(|| self.matched(&edition, source, delivery, &through))?;
        let mut arrivals = Vec::with_capacity(matched.events.len());
        let mut told = Vec::with_capacity(matched.events.len());
        for event in matched.events {
            told.push(match event {
                Matched::Ignored { why } => Err(why),
                Matched::Arrival { arrival, violation } => {
                    let event = wanted(&arrival.event);
                    arrivals.push(*arrival);
                    Ok((event, violation))
                }
            });
        }
        let mut decisions = self.record(arrivals).instrument(debug_span!("record")).await?.into_iter();
        let mut accepted = Vec::with_capacity(told.len());
        for told in told {
            accepted.push(match told {
                Err(why) => Accepted::Ignored { why },
                Ok((event, violation)) => {
                    let decision = decisions.next().ok_or(Refused::Unavailable(zelo_store::Error::Closed))?;
                    self.count_decision(&decision);
                    if decision.jobs.iter().any(|job| job.state == JobState::Ready || job.run_at <= arrived.at) {
                        self.bell.notify_one();
                    }
                    Accepted::Recorded { event, decision, violation }
                }
            });
        }
        Ok((accepted, matched.split))
    }

    /// Stores what a delivery told: all of it, or nothing.
    async fn record(&self, mut arrivals: Vec<Arrival>) -> Result<Vec<Decision>, Refused> {
        let recorded = match (arrivals.len(), arrivals.pop()) {
            (_, None) => return Ok(Vec::new()),
            (1, Some(arrival)) => self.store.record(arrival).await.map(|decision| vec![decision]),
            (_, Some(last)) => {
                arrivals.push(last);
                self.store.record_all(arrivals).await
            }
        };
        recorded.map_err(|error| match error {
            zelo_store::Error::Busy => Refused::Busy,
            other => Refused::Unavailable(other),
        })
    }
}
