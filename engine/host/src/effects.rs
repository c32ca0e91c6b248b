//! What a plugin does to the world, seen from the host: the runtime implements it.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use zelo_core::breaker::Held;
use zelo_core::job::Reason;
use zelo_core::{Effect, EffectResult};

/// Performs what a plugin asks for. One of these lives for one run.
#[async_trait]
pub trait Effects: Send {
    /// Does `effect`, or replays its result from the journal.
    ///
    /// The effects of a run come one after the other, in the order in which the plugin asks. The returned future is
    /// dropped when the wall time of the run is over: what must not be dropped midway belongs in a task of its own.
    ///
    /// # Errors
    /// [`Stop`] ends the run; the plugin never learns of it. What the plugin is to be told is an [`EffectResult`].
    async fn perform(&mut self, effect: Effect) -> Result<EffectResult, Stop>;

    /// Takes a line of the job's log. Already cut to length and number.
    fn log(&mut self, level: Level, text: &str);
}

/// How loud a line of a job's log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

impl Level {
    /// The word in WIT and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// Why the runtime ended a run from outside.
#[derive(Clone, PartialEq, Eq)]
pub enum Stop {
    /// The job was made needless while it ran.
    Cancelled(Reason),
    /// The effect cannot be done now, but perhaps later: its destination is down, or asks to wait.
    Later { reason: String, after: Option<Duration> },
    /// Its destination is left alone for a while, so it was not begun.
    Held(Held),
    /// It was begun on somebody else's machine, and nobody can know whether it happened.
    Unknown { reason: String },
    /// The journal could not be read or written.
    Store(String),
    /// A replay asks for something else than the first attempt did. Words for kinds and places, never content.
    Differs { asked: String, recorded: String },
}

impl Stop {
    /// A word for logs and spans.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Cancelled(_) => "cancelled",
            Self::Later { .. } => "later",
            Self::Held(_) => "held",
            Self::Unknown { .. } => "unknown",
            Self::Store(_) => "store",
            Self::Differs { .. } => "differs",
        }
    }
}

/// Prints the kind, and what carries no content.
impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled(reason) => write!(f, "Cancelled({})", reason.code),
            Self::Later { after, .. } => write!(f, "Later({after:?})"),
            Self::Held(held) => write!(f, "Held({})", held.host),
            Self::Unknown { .. } => f.write_str("Unknown"),
            Self::Store(_) => f.write_str("Store"),
            Self::Differs { asked, recorded } => write!(f, "Differs({asked}, {recorded})"),
        }
    }
}
