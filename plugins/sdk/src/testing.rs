//! Runs a plugin's function natively, records what it does, and performs nothing.
//!
//! Not a part of components: it is compiled for every target but WebAssembly.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::documents::{self, Document};
use crate::http::{self, Method, Request, Response};
use crate::log::Level;
use crate::messages::{self, Message, Sent};
use crate::records::{self, Edit};
use crate::{Context, Event, Failure, Outcome, events, state};

/// What one run did.
#[derive(Clone, Debug)]
pub struct Run {
    /// How it ended.
    pub end: Result<Outcome, Failure>,
    /// The messages that were sent, in order.
    pub messages: Vec<Message>,
    /// The documents that were stored, in order: `doc_1`, `doc_2`…
    pub documents: Vec<Document>,
    /// What was written in records, in order.
    pub records: Vec<Edit>,
    /// The events that were emitted, in order.
    pub events: Vec<Emitted>,
    /// The requests over HTTP that were sent, in order.
    pub requests: Vec<Request>,
    /// The lines of log, in order.
    pub log: Vec<(Level, String)>,
    /// The state after the run, as JSON texts.
    pub state: BTreeMap<String, String>,
    /// Where the counters stand after the run.
    pub counters: BTreeMap<String, u64>,
}

/// An event that was emitted.
#[derive(Clone, Debug, PartialEq)]
pub struct Emitted {
    /// Its type.
    pub kind: String,
    /// Its data, read.
    pub data: Value,
}

/// What a request over HTTP comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The method that it is for.
    pub method: Method,
    /// The address that it is for, as the plugin writes it.
    pub url: String,
    /// What the plugin gets.
    pub gives: Result<Response, http::Error>,
}

#[derive(Default)]
struct Recorder {
    messages: Vec<Message>,
    documents: Vec<Document>,
    records: Vec<Edit>,
    known: BTreeMap<(String, String), Map<String, Value>>,
    events: Vec<Emitted>,
    requests: Vec<Request>,
    answers: Vec<Answer>,
    counters: BTreeMap<String, u64>,
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
    /// Where the counters stand before the run.
    pub counters: BTreeMap<String, u64>,
    /// The records that are there before the run, by type and id.
    pub records: BTreeMap<(String, String), Map<String, Value>>,
    /// Recipients that are not granted.
    pub refused: Vec<String>,
    /// What requests over HTTP come to: to each, the first that fits.
    pub answers: Vec<Answer>,
}

impl Setup {
    /// [`context`], an empty state, no records, every recipient granted, nobody who answers.
    pub fn new() -> Self {
        Self {
            context: context(),
            state: BTreeMap::new(),
            counters: BTreeMap::new(),
            records: BTreeMap::new(),
            refused: Vec::new(),
            answers: Vec::new(),
        }
    }

    /// With a record.
    ///
    /// # Panics
    /// `fields` is not an object.
    pub fn record(mut self, record: &str, id: &str, fields: Value) -> Self {
        let Value::Object(fields) = fields else { panic!("the fields of a record are an object") };
        self.records.insert((record.to_owned(), id.to_owned()), fields);
        self
    }

    /// With an answer to requests of this method and address; [`response`] makes one.
    ///
    /// # Panics
    /// The status is one that passes: the host tries the job again, and no plugin sees it.
    pub fn answer(mut self, method: Method, url: impl Into<String>, gives: Result<Response, http::Error>) -> Self {
        if let Ok(Response { status: status @ (408 | 425 | 429 | 500..), .. }) = &gives {
            panic!("no plugin sees an answer with {status}: the host tries the job again");
        }
        self.answers.push(Answer { method, url: url.into(), gives });
        self
    }

    /// Runs the plugin's function with this input, which goes through JSON as it would in the host.
    ///
    /// # Panics
    /// The input cannot be written as JSON, or the plugin sends a request that nobody answers.
    pub fn run<I: DeserializeOwned>(self, run: impl FnOnce(I, &Context) -> Result<Outcome, Failure>, input: impl Serialize) -> Run {
        let input = match serde_json::to_string(&input) {
            Ok(input) => input,
            Err(error) => panic!("the input is not JSON: {error}"),
        };
        let Self { context, state, counters, records: known, refused, answers } = self;
        RECORDER.with_borrow_mut(|recorder| {
            *recorder = Recorder { state, counters, known, refused, answers, ..Recorder::default() };
        });
        let end = crate::call(run, &input, &context);
        let Recorder { messages, documents, records, events, requests, log, state, counters, .. } = RECORDER.take();
        Run { end, messages, documents, records, events, requests, log, state, counters }
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

/// An answer over HTTP, without headers.
pub fn response(status: u16, body: impl Into<Vec<u8>>) -> Response {
    Response { status, headers: Vec::new(), body: body.into() }
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

pub(crate) fn store(document: Document) -> Result<String, documents::Error> {
    RECORDER.with_borrow_mut(|recorder| {
        recorder.documents.push(document);
        Ok(format!("doc_{}", recorder.documents.len()))
    })
}

pub(crate) fn record(record: &str, id: &str) -> Result<Option<String>, records::Error> {
    let key = (record.to_owned(), id.to_owned());
    Ok(RECORDER.with_borrow(|recorder| recorder.known.get(&key).map(|fields| Value::Object(fields.clone()).to_string())))
}

pub(crate) fn edit(edit: Edit) -> Result<(), records::Error> {
    RECORDER.with_borrow_mut(|recorder| recorder.records.push(edit));
    Ok(())
}

pub(crate) fn emit(kind: &str, data: &str) -> Result<(), events::Error> {
    let data: Value = serde_json::from_str(data).map_err(|error| events::Error::Invalid(error.to_string()))?;
    if !data.is_object() {
        return Err(events::Error::Invalid("the event's data is not a JSON object".into()));
    }
    RECORDER.with_borrow_mut(|recorder| recorder.events.push(Emitted { kind: kind.to_owned(), data }));
    Ok(())
}

pub(crate) fn request(request: Request) -> Result<Response, http::Error> {
    let (method, url) = (request.method, request.url.clone());
    let answer = RECORDER.with_borrow_mut(|recorder| {
        recorder.requests.push(request);
        recorder.answers.iter().find(|answer| answer.method == method && answer.url == url).map(|answer| answer.gives.clone())
    });
    answer.unwrap_or_else(|| panic!("the test gives no answer to {} {url}: see `Setup::answer`", method.as_str()))
}

pub(crate) fn next(key: &str) -> Result<u64, state::Error> {
    Ok(RECORDER.with_borrow_mut(|recorder| {
        let counter = recorder.counters.entry(key.to_owned()).or_default();
        *counter += 1;
        *counter
    }))
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
    fn a_counter_is_not_a_value() {
        let count = |_: Value, _: &Context| {
            let (first, second) = (kept::next("n")?, kept::next("n")?);
            Outcome::new("counted", "Counted").with_output(&(first, second, kept::get::<u64>("n")?))
        };
        let run = Setup { counters: [("n".to_owned(), 6)].into(), ..Setup::new() }.run(count, ());
        assert_eq!((run.outcome().output.as_deref(), run.counters["n"]), (Some("[7,8,null]"), 8));
        assert!(run.state.is_empty());
    }

    #[test]
    fn records_are_found_and_written() {
        let move_on = |id: String, _: &Context| {
            let stage = records::get("contact", &id)?.and_then(|fields| fields.get("stage").cloned());
            Edit::of("contact", &id).set("stage", "scheduled").append("notes", "Called.").write()?;
            Outcome::new("moved", "Moved").with_output(&stage)
        };
        let run = Setup::new().record("contact", "17", serde_json::json!({ "stage": "lead" })).run(move_on, "17");
        assert_eq!(run.outcome().output.as_deref(), Some(r#""lead""#));
        assert_eq!((&run.records[0].set["stage"], run.records[0].append["notes"].as_str()), (&Value::from("scheduled"), "Called."));
        assert_eq!(Run::of(move_on, "17").outcome().output.as_deref(), Some("null"));
    }

    #[test]
    fn an_event_carries_an_object() {
        let emit = |data: Value, _: &Context| {
            events::emit("a.b", &data)?;
            Ok(Outcome::new("emitted", "Emitted"))
        };
        assert_eq!(Run::of(emit, serde_json::json!({ "n": 1 })).events[0].data["n"], 1);
        assert!(Run::of(emit, 1).failure().to_string().contains("not valid"));
    }

    #[test]
    fn a_refusal_reaches_the_plugin() {
        let send = |to: String, _: &Context| Ok(Outcome::new("sent", Message::text(to, "hello").send()?.channel));
        assert_eq!(Run::of(send, "+55").messages.len(), 1);
        let run = Setup { refused: vec!["+55".into()], ..Setup::new() }.run(send, "+55");
        assert!(run.messages.is_empty() && run.failure().to_string().contains("refused"));
    }
}
