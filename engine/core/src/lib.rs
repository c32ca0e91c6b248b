//! The nouns of zelo and its pure decisions.
//!
//! Nothing here does I/O, reads a clock or draws a random number: time comes in as an argument ([`Clock`]),
//! randomness as [`Entropy`], stored state as values. So every decision can be repeated, simulated and tested, and
//! the crate compiles to WebAssembly itself.
//!
//! Start with [`decide`] (what an arrival changes) and [`settle`] (what the end of an attempt changes).

pub mod arrival;
pub mod audit;
pub mod breaker;
pub mod budget;
pub mod clinics;
pub mod clock;
pub mod concurrency;
pub mod decide;
mod distribution;
pub mod effect;
pub mod entropy;
pub mod event;
pub mod grants;
pub mod halt;
pub mod hash;
pub mod hearing;
pub mod http;
pub mod id;
pub mod invocation;
pub mod job;
mod payload;
pub mod record;
pub mod reschedule;
pub mod retry;
pub mod revive;
pub mod sampling;
pub mod settle;
pub mod timing;
pub mod told;
pub mod trace;
pub mod window;

pub use arrival::{Arrival, Candidate, ConsentSaid, Identity, IdentityKind, LookupRef, Origin, Person, Plan, RecordRef, RecordWrite};
pub use audit::{Actor, AuditEntry, AuditKind};
pub use budget::{Budget, LINEAGE_MAX};
pub use clinics::{ClinicRef, Clinics};
pub use clock::{Clock, ManualClock};
pub use concurrency::{Concurrency, Lane, Priority, Scope};
pub use distribution::{Distribution, Spread};
pub use effect::{Document, Effect, EffectResult, Emitted, JournalEntry, RecordEdit};
pub use entropy::{Entropy, SeededEntropy};
pub use event::{Cause, Entity, Event, Status};
pub use grants::Grants;
pub use halt::{Halt, HaltScope};
pub use hash::{Indexer, KeyHash, KeyMap};
pub use id::{AutomationId, EventId, JobId, Pseudonym};
pub use invocation::{Disclosure, Invocation};
pub use job::{Job, JobState, Need};
pub use payload::Payload;
pub use record::{RecordRow, Stamp};
pub use trace::{SpanId, TraceContext, TraceId};
pub use window::OverTime;

pub use jiff::{SignedDuration, Timestamp};
