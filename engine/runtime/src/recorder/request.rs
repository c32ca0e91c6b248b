//! Requests over HTTP in the journal.
//!
//! What only asks is done and noted. Anything else is put on disk as begun before it goes out, and with its answer before the plugin
//! sees that. Where neither an answer nor a refusal to try came, nobody knows whether it was carried out: it is repeated where the
//! destination can tell, by the same `Idempotency-Key`, that it is the same request, and otherwise the job ends as unknown.
//!
//! Where the destination is left alone for a while, a request is not begun at all, and the job comes back later.

use std::time::Instant;

use zelo_core::http::Request;
use zelo_core::settle::Purpose;
use zelo_core::{Effect, EffectResult, JournalEntry, SignedDuration, SpanId, TraceContext};
use zelo_host::Stop;
use zelo_store::effect_id;

use super::{Begun, Recorder, lock};
use crate::outbound::{Marks, Sending, Sent, Ways, Word};

impl Recorder {
    pub(super) async fn request(&self, index: u32, request: &Request, begun: Begun) -> Result<EffectResult, Stop> {
        let in_flight = begun == Begun::InFlight;
        let unknown = || {
            let reason = format!("a request to {} had begun when an earlier attempt ended", request.url.origin());
            Err(Stop::Unknown { reason })
        };
        let keys = self.runtime.keys_in_hand();
        let ways = Ways { grants: &self.grants.http, secrets: keys.of_headers() };
        let sending = match Sending::granted(request, ways) {
            Ok(sending) => sending,
            Err(_) if in_flight => return unknown(),
            Err(reason) => return Ok(EffectResult::Refused { reason }),
        };
        let asks = request.method.is_safe();
        let repeatable = sending.grant().repeatable(request.method);
        if in_flight && !repeatable {
            return unknown();
        }
        let passage = self.runtime.pass(&request.url, &self.job.automation).map_err(Stop::Held)?;
        if !asks {
            self.note(index, request, true);
            match self.checkpoint(Purpose::Begin).await {
                // From now on it may happen, whatever becomes of this process.
                Ok(_) => lock(&self.trace).outward = true,
                Err(Stop::Cancelled(_)) if in_flight => return unknown(),
                Err(stop) => return Err(stop),
            }
        }
        let key = effect_id(self.job.id, index);
        let trace = TraceContext { trace: self.job.event.into(), span: SpanId::of_effect(self.job.id, self.job.lease, index) };
        let begun = Instant::now();
        let marks = Marks { key: &key, trace: Some(trace) };
        let (sent, word) = sending.send(self.runtime.outbound.as_ref(), marks, self.runtime.clock.now()).await;
        self.runtime.metrics().requested(&request.url.host(), &sent, begun.elapsed());
        // A probe that fails uses an attempt of its job as any request does: what is asked may be the very reason. Where nobody was
        // reached it cannot be.
        let held = passage.end(word);
        let later = |reason: String, after: Option<SignedDuration>| match held {
            Some(held) if word == Word::Unreached => Stop::Held(held),
            held => {
                let behind = held.map(|held| held.until.duration_since(self.runtime.clock.now()));
                Stop::Later { reason, after: after.max(behind).and_then(|after| after.try_into().ok()) }
            }
        };
        match sent {
            // What an earlier attempt sent is still at work there
            // (draft-ietf-httpapi-idempotency-key-header, 2.6).
            Sent::Answered(response) if in_flight && response.status == 409 => {
                Err(later(format!("{} is still at the same request", request.url.origin()), None))
            }
            Sent::Answered(response) => Ok(EffectResult::Answered { response }),
            Sent::Unusable(reason) => Ok(EffectResult::Unusable { reason }),
            Sent::Refused(_) if in_flight => unknown(),
            Sent::Refused(reason) => Ok(EffectResult::Refused { reason }),
            Sent::NotYet { reason, after } => {
                // What an earlier attempt sent may have been carried out all the same.
                if !asks && !in_flight {
                    self.note(index, request, false);
                }
                Err(later(reason, after))
            }
            Sent::Lost { reason, after } if repeatable => Err(later(reason, after)),
            Sent::Lost { reason, .. } => Err(Stop::Unknown { reason }),
        }
    }

    /// Notes that a request has begun, and whether it may have been carried out.
    fn note(&self, index: u32, request: &Request, in_flight: bool) {
        let entry = JournalEntry::Begun { effect: Effect::Http(request.clone()), in_flight };
        lock(&self.trace).journal.push((index, entry));
    }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
