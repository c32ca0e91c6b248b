//! Runs a plugin's function natively, records what it does, and performs nothing.
//!
//! Not a part of components: it is compiled for every target but WebAssembly.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::log::Level;
use crate::messages::{self, Message, Sent};
use crate::{Context, Event, Failure, Outcome, state};

/// What one run did.
#[derive(Clone, Debug)]
pub struct Run {
    /// How it ended.
    pub end: Result<Outcome, Failure>,
    /// The messages that were sent, in order.
    pub messages: Vec<Message>,
    /// The lines of log, in order.
    pub log: Vec<(Level, String)>,
    /// The state after the run, as JSON texts.
    pub state: BTreeMap<String, String>,
}

#[derive(Default)]
struct Recorder {
    messages: Vec<Message>,
    log: Vec<(Level, String)>,
    state: BTreeMap<String, String>,
    refused: Vec<String>,
}

thread_local! {
    static RECORDER: RefCell<Recorder> = RefCell::default();
}

impl Run {
    /// Runs with [`context`] and an empty state; every recipient is granted.
    pub fn of<I: DeserializeOwned>(run: impl FnOnce(I, &Context) -> Result<Outcome, Failure>, input: impl Serialize) -> Self {
        Setup::new().run(run, input)
    }

    /// The outcome.
    ///
    /// # Panics
    /// The run failed.
    pub fn outcome(&self) -> &Outcome {
        match &self.end {
            Ok(outcome) => outcome,
            Err(failure) => panic!("the run failed: {failure}"),
        }
    }

    /// The failure.
    ///
    /// # Panics
    /// The run did not fail.
    pub fn failure(&self) -> &Failure {
        match &self.end {
            Ok(outcome) => panic!("the run did not fail but ended as `{}`", outcome.code),
            Err(failure) => failure,
        }
    }
}

/// What a run finds.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What it may depend on.
    pub context: Context,
    /// The state before the run, as JSON texts.
    pub state: BTreeMap<String, String>,
    /// Recipients that are not granted.
    pub refused: Vec<String>,
}

impl Setup {
    /// [`context`], an empty state, every recipient granted.
    pub fn new() -> Self {
        Self { context: context(), state: BTreeMap::new(), refused: Vec::new() }
    }

    /// Runs the plugin's function with this input, which goes through JSON as it would in the host.
    ///
    /// # Panics
    /// The input cannot be written as JSON.
    pub fn run<I: DeserializeOwned>(self, run: impl FnOnce(I, &Context) -> Result<Outcome, Failure>, input: impl Serialize) -> Run {
        let input = match serde_json::to_string(&input) {
            Ok(input) => input,
            Err(error) => panic!("the input is not JSON: {error}"),
        };
        RECORDER.with_borrow_mut(|recorder| {
            *recorder = Recorder { state: self.state, refused: self.refused, ..Recorder::default() };
        });
        let end = crate::call(run, &input, &self.context);
        let Recorder { messages, log, state, .. } = RECORDER.take();
        Run { end, messages, log, state }
    }
}

impl Default for Setup {
    fn default() -> Self {
        Self::new()
    }
}

/// A context like a real one: noon (UTC) of 2 March 2026, in `pt-BR`.
pub fn context() -> Context {
    Context {
        job_id: "job_0199a5d3f8007000800000000000abcd".into(),
        rule: "test".into(),
        action: "test".into(),
        event: Event {
            id: "evt_0199a5d3f8007000800000000000abcd".into(),
            kind: "test.happened".into(),
            time: "2026-03-02T11:59:58Z".into(),
        },
        now: "2026-03-02T12:00:00Z".into(),
        seed: 42,
        locale: "pt-BR".into(),
    }
}

pub(crate) fn log(level: Level, text: &str) {
    RECORDER.with_borrow_mut(|recorder| recorder.log.push((level, text.to_owned())));
}

pub(crate) fn send(message: Message) -> Result<Sent, messages::Error> {
    RECORDER.with_borrow_mut(|recorder| {
        if recorder.refused.contains(&message.to) {
            return Err(messages::Error::Refused("the rule does not grant this recipient".into()));
        }
        let channel = message.channel.clone().unwrap_or_else(|| "outbox".into());
        recorder.messages.push(message);
        Ok(Sent { id: format!("msg_{}", recorder.messages.len()), channel })
    })
}

pub(crate) fn get(key: &str) -> Result<Option<String>, state::Error> {
    Ok(RECORDER.with_borrow(|recorder| recorder.state.get(key).cloned()))
}

pub(crate) fn set(key: &str, value: &str) -> Result<(), state::Error> {
    RECORDER.with_borrow_mut(|recorder| recorder.state.insert(key.to_owned(), value.to_owned()));
    Ok(())
}

pub(crate) fn delete(key: &str) -> Result<(), state::Error> {
    RECORDER.with_borrow_mut(|recorder| recorder.state.remove(key));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state as kept;

    fn count(step: u32, _context: &Context) -> Result<Outcome, Failure> {
        let count = kept::get::<u32>("count")?.unwrap_or_default() + step;
        kept::set("count", &count)?;
        crate::info!("counted to {count}");
        Outcome::new("counted", "Counted").with_output(&count)
    }

    #[test]
    fn a_run_finds_and_leaves_state() {
        let mut setup = Setup::new();
        setup.state.insert("count".into(), "40".into());
        let run = setup.run(count, 2);
        assert_eq!(run.outcome().output.as_deref(), Some("42"));
        assert_eq!(run.state["count"], "42");
        assert_eq!(run.log, [(Level::Info, "counted to 42".to_owned())]);
        assert_eq!(Run::of(count, 1).state["count"], "1", "the next run starts afresh");
    }

    #[test]
    fn an_input_that_does_not_fit_is_a_permanent_failure() {
        let run = Run::of(count, "two");
        assert!(matches!(run.failure(), Failure::Permanent { reason } if reason.contains("do not fit")));
    }

    #[test]
    fn a_refusal_reaches_the_plugin() {
        let send = |to: String, _: &Context| Ok(Outcome::new("sent", Message::text(to, "hello").send()?.channel));
        assert_eq!(Run::of(send, "+55").messages.len(), 1);
        let run = Setup { refused: vec!["+55".into()], ..Setup::new() }.run(send, "+55");
        assert!(run.messages.is_empty() && run.failure().to_string().contains("refused"));
    }
}
