//! The loops: how an event gets in, and how a job gets done.
//!
//! - [`intake`]: verify → read → match → [`Store::record`](zelo_store::Store::record); its answer is a promise.
//! - [`attempt`]: one run of a job: its time, its fields, its plugin, its journal, its end.
//! - [`keeper`]: claims what is due and hands it to attempts; gives back what a dead process held.
//! - [`line`]: who may run beside whom, and what is halted.
//! - [`caretaker`]: signs the audit log, and deletes what was kept long enough.
//! - [`hearing`]: which connections have fallen silent, and of which more is refused than usual.
//! - [`budgets`]: how many messages one contact gets, while jobs run side by side.
//! - [`rulebook`]: the rules in force, and how they are exchanged while everything goes on.
//! - [`revive`]: jobs that people decide about.
//! - [`automations`]: what a person's switch comes to, and how it takes effect.
//! - [`preview`]: what a rule would do about the latest events, or a sample, under settings that somebody tries; in the real sandbox, over a store of its own.
//! - [`backtest`]: what other rules would have done about stored events; it only reads.
//! - [`explain`]: why rules did or did not fire, asked of the rules in force.
//! - [`outlook`]: what a pending job would do.
//! - [`dry`]: runs a plugin by itself, and performs nothing.
//! - [`installed`] and [`lock`]: which plugins are there, and which of them may run at all.
//! - [`metrics`]: what happened, in numbers.
//! - [`outbound`]: requests of plugins, and how far they go.
//! - [`preview`]: what a rule would do with one stored event; nothing of it is kept.
//! - [`rehearsal`]: runs plugins for the tests of rules.
//! - [`simulation`]: the same on a clock that is set, over a store in memory.
//!
//! Nothing here knows HTTP or SQL, and nothing decides: decisions are functions in `zelo-core` and `zelo-rules`.

pub mod attempt;
pub mod automations;
pub mod backtest;
pub mod budgets;
pub mod caretaker;
pub mod catalog;
pub mod connection;
pub mod dry;
pub mod explain;
mod hands;
pub mod hearing;
pub mod installed;
pub mod intake;
pub mod keeper;
mod keys;
pub mod line;
pub mod lock;
pub mod metrics;
pub mod outbound;
pub mod outlook;
pub mod preview;
mod recorder;
pub mod rehearsal;
pub mod replay;
pub mod revive;
mod room;
pub mod rulebook;
pub mod simulation;
pub mod system;
pub mod waits;

use std::collections::HashMap;
use std::sync::Arc;

use zelo_core::retry::RetryPolicy;
use zelo_core::{Clock, Entropy};
use zelo_host::{Host, Limits};
use zelo_store::Store;

pub use budgets::Budgets;
pub use caretaker::{Care, Holders};
pub use catalog::Catalog;
pub use connection::{ChannelKind, Channels, Connection};
pub use hearing::Heard;
pub use installed::Installed;
pub use intake::{Answer, Arrived, Incoming, Receipt, Receipts, Refused};
pub use line::Line;
pub use lock::Lock;
pub use metrics::Metrics;
pub use outbound::{Outbound, Secrets};
pub use outlook::Outlook;
pub use rulebook::Rulebook;
pub use waits::Waits;

/// All that the loops share. Cheap to clone.
#[derive(Clone)]
pub struct Runtime(Arc<Parts>);

/// All in one place: whoever clones a [`Runtime`] counts once.
struct Parts {
    shared: Shared,
    metrics: Arc<Metrics>,
    breakers: outbound::Breakers,
    hearing: hearing::Hearing,
    keys: keys::Keys,
}

/// What a [`Runtime`] is made of.
pub struct Shared {
    pub store: Arc<dyn Store>,
    pub host: Arc<Host>,
    pub rules: Rulebook,
    pub connections: HashMap<String, Connection>,
    pub channels: Channels,
    pub outbound: Arc<dyn Outbound>,
    pub secrets: Secrets,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub retry: RetryPolicy,
    pub limits: Limits,
    pub budgets: Budgets,
    pub line: Line,
    /// Rung when there may be something to claim.
    pub bell: tokio::sync::Notify,
    pub counts: intake::Counts,
}

impl Runtime {
    /// A runtime over these parts.
    pub fn new(shared: Shared) -> Self {
        let metrics = Metrics::new(shared.clock.now(), shared.connections.keys().map(String::as_str));
        let hearing = hearing::Hearing::new(shared.clock.now(), shared.connections.values());
        let (breakers, keys) = (outbound::Breakers::default(), keys::Keys::default());
        Self(Arc::new(Parts { shared, metrics: Arc::new(metrics), breakers, hearing, keys }))
    }

    /// What happened so far, in numbers.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.0.metrics
    }
}

impl std::ops::Deref for Runtime {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0.shared
    }
}
