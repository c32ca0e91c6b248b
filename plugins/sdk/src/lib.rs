//! Write plugins for zelo in Rust.
//!
//! A plugin is one function: from its inputs to an outcome or a failure. The inputs are what the rule's `[then.with]`
//! rendered; there is nothing else to see. What the plugin does to the world, it asks the host for.
//!
//! ```
//! use serde::Deserialize;
//! use zelo_plugin::{Context, Failure, Message, Outcome, info};
//!
//! #[derive(Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Input {
//!     to: String,
//!     name: String,
//! }
//!
//! fn run(input: Input, context: &Context) -> Result<Outcome, Failure> {
//!     info!("greeting for event {}", context.event.id);
//!     let sent = Message::text(input.to, format!("Hello, {}!", input.name)).send()?;
//!     Ok(Outcome::new("greeted", format!("Greeted through {}", sent.channel)))
//! }
//!
//! zelo_plugin::export!(run);
//!
//! // The same function runs natively, without WebAssembly: this is a test.
//! let run = zelo_plugin::testing::Run::of(run, serde_json::json!({ "to": "+55 11 98765-4321", "name": "Ana" }));
//! assert_eq!(run.outcome().code, "greeted");
//! assert_eq!(run.messages[0].to, "+55 11 98765-4321");
//! ```
//!
//! What to keep in mind:
//! - **The same in, the same out.** A job that is tried again gets the same input, the same `now` and the same seed, and
//!   must ask for the same effects in the same order: those that were done are answered from the journal.
//! - **There is no clock, no randomness and no environment.** `std::time` panics here. Time is [`Context::now`],
//!   randomness starts from [`Context::seed`].
//! - **Nothing is kept in memory** between runs. What must outlive one goes to [`state`].
//! - **Check first, then act.** A number that was taken stays taken; a price that is missing is worth waiting for
//!   ([`Failure::missing`]) only while nothing was done.

use core::fmt;
use core::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

#[cfg(all(target_family = "wasm", feature = "allocator"))]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

mod backend;
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod bindings;
pub mod documents;
pub mod events;
pub mod http;
pub mod log;
pub mod messages;
pub mod records;
mod refusals;
pub mod state;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

use refusals::refusals;

pub use documents::Document;
pub use messages::{Attachment, File, Message, Sent};

/// What a run may depend on, beside its input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// The job, the same on every attempt: a good base for ids that must not change when the job is tried again.
    pub job_id: String,
    /// The rule that made the job.
    pub rule: String,
    /// The name of the rule's action.
    pub action: String,
    /// The event that the job is for.
    pub event: Event,
    /// The present instant, RFC 3339: the beginning of the first attempt.
    pub now: String,
    /// Where randomness is wanted, the only source of it.
    pub seed: u64,
    /// The language of texts for people, BCP 47: `pt-BR`.
    pub locale: String,
}

/// The event that a job is for. Its content is not here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// zelo's id of the event.
    pub id: String,
    /// The type that its source gives it: `appointment.created`.
    pub kind: String,
    /// When it happened, RFC 3339.
    pub time: String,
}

impl Context {
    /// The language part of the locale, in small letters: `pt` of `pt-BR`.
    pub fn language(&self) -> String {
        self.locale.split('-').next().unwrap_or_default().to_ascii_lowercase()
    }
}

/// The plugin did what it was asked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What was done, for machines and statistics.
    pub code: String,
    /// What was done, for the people who read the job.
    pub summary: String,
    /// For later steps of the same rule: JSON.
    pub output: Option<String>,
}

impl Outcome {
    /// `code` is for machines (1 to 64 of `a`-`z`, `0`-`9`, `-`, `_`, `.`, a letter first), `summary` one short sentence
    /// for people.
    pub fn new(code: impl Into<String>, summary: impl Into<String>) -> Self {
        Self { code: code.into(), summary: summary.into(), output: None }
    }

    /// With something for later steps of the rule: `{{ steps.NAME.… }}`.
    ///
    /// # Errors
    /// `output` cannot be written as JSON.
    pub fn with_output(mut self, output: &impl Serialize) -> Result<Self, Failure> {
        let text = serde_json::to_string(output).map_err(|error| Failure::permanent(format!("the output is not JSON: {error}")))?;
        self.output = Some(text);
        Ok(self)
    }
}

/// The plugin did not do what it was asked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It may work later: the job is tried again, no sooner than `after`.
    Retry {
        /// For the people who read the job.
        reason: String,
        /// The host decides in the end, and bounds it.
        after: Option<Duration>,
    },
    /// It will never work: the job ends, and a person is told the reason.
    Permanent {
        /// For the people who read the job.
        reason: String,
    },
    /// Something is missing that a person or a later event may bring: the job waits under "needs attention", and is
    /// looked at again when a record that it reads changes. Only before the first effect; later it counts as permanent.
    Missing {
        /// For the people who read the job: what is missing.
        reason: String,
    },
}

impl Failure {
    /// It may work later.
    pub fn retry(reason: impl Into<String>) -> Self {
        Self::Retry { reason: reason.into(), after: None }
    }

    /// It may work later, but not before `after`.
    pub fn retry_after(reason: impl Into<String>, after: Duration) -> Self {
        Self::Retry { reason: reason.into(), after: Some(after) }
    }

    /// It will never work.
    pub fn permanent(reason: impl Into<String>) -> Self {
        Self::Permanent { reason: reason.into() }
    }

    /// Something is missing that a person or a later event may bring. Only before the first effect.
    pub fn missing(reason: impl Into<String>) -> Self {
        Self::Missing { reason: reason.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Retry { reason, .. } | Self::Permanent { reason } | Self::Missing { reason }) = self;
        f.write_str(reason)
    }
}

impl core::error::Error for Failure {}

/// Reads the input and calls the plugin's function. What [`export!`] and [`testing`] have in common.
#[doc(hidden)]
pub fn call<I: DeserializeOwned>(
    run: impl FnOnce(I, &Context) -> Result<Outcome, Failure>,
    input: &str,
    context: &Context,
) -> Result<Outcome, Failure> {
    let input = serde_json::from_str(input).map_err(|error| Failure::permanent(format!("the inputs do not fit: {error}")))?;
    run(input, context)
}

/// Makes a function the plugin: `export!(run)`, where `run` is a
/// `fn(Input, &Context) -> Result<Outcome, Failure>` and `Input` can be deserialized. Once per crate, and the crate's
/// type is `cdylib` (with `rlib` beside it for tests).
#[macro_export]
macro_rules! export {
    ($run:path) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            struct Plugin;

            impl $crate::bindings::Guest for Plugin {
                fn run(call: $crate::bindings::Invocation) -> Result<$crate::bindings::Outcome, $crate::bindings::Failure> {
                    $crate::bindings::run(call, $run)
                }
            }

            $crate::bindings::export! { Plugin with_types_in $crate::bindings }
        };

        #[cfg(not(target_family = "wasm"))]
        const _: fn(&str, &$crate::Context) -> Result<$crate::Outcome, $crate::Failure> =
            |input, context| $crate::call($run, input, context);
    };
}
