//! Tests of rules, with a runner that only pretends.

use std::cell::RefCell;
use std::sync::Arc;

use serde_json::{Value, json};
use zelo_core::http::Answer;
use zelo_core::{Arrival, Indexer, JobId, Plan, RecordWrite, Timestamp};
use zelo_rules::{Ended, InForce, Prepared, Ran, Runner, Stage, TestResult, Testing, run_tests};

use super::common::with_rule;

/// A step and what needs it, and one that waits for a phone number.
const RULE: &str = r#"
id = "r"
title = "R"
on = ["appointment.created", "appointment.updated"]
[lookup.patient]
key = "$.data.patient.id"
[[then]]
name = "make"
plugin = "maker"
with = { any = "x" }
grant = { messages = { channels = ["outbox"], to = ["x"] }, documents = true, state = true, events = ["a.b"], records = { contact = ["stage"] } }
[[then]]
name = "send"
plugin = "reminder"
needs = ["make"]
with = { to = "x", text = "{{ steps.make.number }}" }
grant = { messages = { channels = ["outbox"], to = ["x"] } }
[[then]]
name = "call"
plugin = "reminder"
key = "$.data.id"
at = { time = "$.data.scheduled_start_at", before = "1h" }
expires = "30m"
purpose = "P"
basis = "lgpd:11.II.f"
[then.allow]
phone = { record = "patient", path = "$.phones[0]" }
[then.with]
to = "{{ phone }}"
text = "hello"
[then.grant]
messages = { channels = ["outbox"], to = ["{{ phone }}"] }
"#;

/// Answers every run in the same way, and remembers what it was asked.
struct Pretender {
    indexer: Indexer,
    ended: Ended,
    seen: RefCell<Vec<String>>,
}

impl Pretender {
    fn new(ended: Ended) -> Self {
        Self { indexer: Indexer::new(&[3; 32]), ended, seen: RefCell::default() }
    }
}

impl Runner for Pretender {
    fn indexer(&self) -> &Indexer {
        &self.indexer
    }

    fn stage(&self, _: Arc<InForce>, arrival: Arrival, _: Vec<RecordWrite>, _: Vec<Answer>) -> Result<Box<dyn Stage + '_>, String> {
        for candidate in &arrival.candidates {
            let Plan::Fire { needs, .. } = &candidate.plan else { continue };
            self.seen.borrow_mut().push(format!("stage {} {needs:?}", candidate.origin.action));
        }
        Ok(Box::new(self))
    }
}

impl Stage for &Pretender {
    fn run(&mut self, _: JobId, prepared: &Prepared, now: Timestamp) -> Result<Ran, String> {
        self.seen.borrow_mut().push(format!("run {} {} {now}", prepared.plugin, prepared.input));
        let effects = vec![json!({ "kind": "counter", "key": "k", "value": 1 })];
        Ok(Ran { ended: self.ended, said: Some("because".to_owned()), output: Some(json!({ "number": 7 })), effects })
    }
}

fn result(test: &str, runner: &dyn Runner) -> TestResult {
    let event = r#"event = { type = "appointment.created", data = { data = { id = "a", patient = { id = "p" }, scheduled_start_at = "2026-03-06 13:00:00" } } }"#;
    let event = if test.contains("event =") { "" } else { event };
    let set = with_rule(&format!("{RULE}\n[[test]]\nname = \"t\"\nnow = \"2026-03-02T12:00:00Z\"\n{event}\n{test}"));
    let none = |path: &str| Err(format!("no {path} here"));
    let results = run_tests(&set, &Testing { fixtures: &none, runner: Some(runner), wanted: &|_, _| true });
    results.into_iter().next().unwrap()
}

fn passes(test: &str, runner: &dyn Runner) {
    let result = result(test, runner);
    assert!(result.passed, "{}", result.message.unwrap_or_default());
}

#[test]
fn a_step_is_run_first_and_gives_what_it_gives() {
    let runner = Pretender::new(Ended::Done);
    passes(
        r#"expect = { actions.send = { with.text = "7", output = { number = 7 }, effects = [{ kind = "counter", value = 1 }] } }"#,
        &runner,
    );
    assert_eq!(
        runner.seen.into_inner(),
        [
            "stage make []",
            "stage send [\"make\"]",
            "run maker {\"any\":\"x\"} 2026-03-02T12:00:00Z",
            "run reminder {\"text\":\"7\",\"to\":\"x\"} 2026-03-02T12:00:00Z"
        ]
    );
}

#[test]
fn a_step_that_the_test_gives_is_not_run() {
    let runner = Pretender::new(Ended::Done);
    passes("steps.make = { number = 3 }\nexpect = { actions.send = { with.text = \"3\", outcome = \"done\" } }", &runner);
    assert_eq!(runner.seen.into_inner(), ["stage send []", "run reminder {\"text\":\"3\",\"to\":\"x\"} 2026-03-02T12:00:00Z"]);
}

#[test]
fn what_asks_for_no_run_is_not_run() {
    let runner = Pretender::new(Ended::Done);
    passes(r#"expect = { fires = true, actions.make = { with.any = "x" }, actions.call = { waits = "missing" } }"#, &runner);
    assert!(runner.seen.into_inner().is_empty());
}

#[test]
fn every_end_has_its_word() {
    for (ended, word) in [(Ended::Done, "done"), (Ended::Missing, "missing"), (Ended::Retry, "retry"), (Ended::Permanent, "permanent")] {
        passes(&format!("expect = {{ actions.make.outcome = \"{word}\" }}"), &Pretender::new(ended));
    }
    let broken = result("expect = { actions.make = { effects = [{ kind = \"counter\" }] } }", &Pretender::new(Ended::Broken));
    let [difference] = broken.differences.as_slice() else { panic!("{:?}", broken.message) };
    assert_eq!((difference.path.as_str(), &difference.actual), ("actions.make.outcome", &Some(Value::from("broken"))));
    assert_eq!(difference.note.as_deref(), Some("because"));
}

#[test]
fn what_needs_a_step_that_was_not_done_does_not_run() {
    let failed = result("expect = { actions.send = { effects = [] } }", &Pretender::new(Ended::Retry));
    assert!(failed.message.unwrap().contains("its step `make` is not done: retry (because)"));
}

/// The jobs of `call` that a test sees in the end, where the same appointment came before.
fn jobs(records: &str, now: &str, jobs: &str) {
    let appointment = |kind: &str, more: &str| {
        format!(
            "{{ type = \"{kind}\", data = {{ data = {{ id = \"a\", patient = {{ id = \"p\" }}, scheduled_start_at = \"2026-03-06 13:00:00\", n = {more} }} }}"
        )
    };
    let before = format!("before = [{}, at = \"2026-03-02T12:00:00Z\" }}]", appointment("appointment.created", "1"));
    let event = format!("event = {} }}", appointment("appointment.updated", "2"));
    let test = format!("[[test]]\nname = \"t\"\nnow = \"{now}\"\n{before}\n{event}\n{records}\nexpect = {{ jobs = {jobs} }}");
    let set = with_rule(&format!("{RULE}\n{test}"));
    let none = |path: &str| Err(format!("no {path} here"));
    let result = run_tests(&set, &Testing { fixtures: &none, runner: None, wanted: &|_, _| true }).remove(0);
    assert!(result.passed, "{}", result.message.unwrap_or_default());
}

#[test]
fn what_fell_due_before_is_done_waits_or_expired() {
    let others = r#"{ action = "make", state = "done" }, { action = "send", state = "done" }"#;
    let later = r#"{ action = "make", state = "ready" }, { action = "send", state = "scheduled" }"#;
    let phone = "records.patient = { phones = [\"1\"] }";
    let pending = r#"{ state = "cancelled", reason = "replaced" }, { action = "call", state = "scheduled", at = "2026-03-06T12:00:00Z" }"#;
    jobs(phone, "2026-03-03T12:00:00Z", &format!("[{others}, {later}, {pending}]"));
    let twice = r#"{ action = "call", state = "done" }, { action = "call", state = "skipped", reason = "already_done" }"#;
    jobs(phone, "2026-03-06T12:10:00Z", &format!("[{others}, {twice}, {later}]"));
    let waiting = r#"{ action = "call", state = "cancelled", reason = "replaced" }, { action = "call", state = "ready" }"#;
    jobs("", "2026-03-06T12:10:00Z", &format!("[{others}, {waiting}, {later}]"));
    let expired = r#"{ action = "call", state = "skipped", reason = "missing" }"#;
    jobs("", "2026-03-06T12:40:00Z", &format!("[{others}, {expired}, {{ action = \"call\" }}, {later}]"));
}
