//! Runs the tests of rules.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Map, Value};
use zelo_core::timing::{DueQuestion, Records, Timetable};
use zelo_core::{AutomationId, Candidate, Event, EventId, Indexer, Job, JobId, JobState, KeyHash, LookupRef, Plan};

use super::{ExpectAction, Payload, RuleTest};
use crate::in_force::{Automation, InForce};
use crate::json;
use crate::load::RuleSet;
use crate::number::equal;
use crate::prepare::{Prepared, Unprepared};
use crate::rule::Rule;
use crate::source::Source;

/// What came of one test.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TestResult {
    pub rule: String,
    pub file: String,
    pub name: String,
    /// Where the test stands in the file, from 1.
    pub line: usize,
    pub passed: bool,
    /// What was expected and what came instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Runs every `[[test]]` of `set`.
///
/// `fixtures` gives the text of a file, or why it cannot; it is asked with the path as the test has it, joined to the
/// folder of the rule's file.
pub fn run_tests(set: &RuleSet, fixtures: &dyn Fn(&str) -> Result<String, String>) -> Vec<TestResult> {
    let set = Arc::new(set.clone());
    let results = set.rules().flat_map(|rule| rule.tests.iter().map(|test| (rule, test)).collect::<Vec<_>>());
    let run = |(rule, test): (&Rule, &RuleTest)| {
        let differences = match Run::new(&set, rule, test, fixtures) {
            Ok(run) => run.differences(),
            Err(problem) => vec![problem],
        };
        let passed = differences.is_empty();
        let message = (!passed).then(|| differences.join("\n"));
        TestResult { rule: rule.id.clone(), file: rule.file.clone(), name: test.name.clone(), line: test.line, passed, message }
    };
    results.map(run).collect()
}

/// One test with its world.
struct Run<'t> {
    test: &'t RuleTest,
    in_force: InForce,
    event: Event,
    candidates: Vec<Candidate>,
    records: World,
}

/// The records of a test.
struct World(HashMap<KeyHash, Value>);

impl Records for World {
    fn record(&self, hash: KeyHash) -> Option<&Value> {
        self.0.get(&hash)
    }
}

/// What came of one action.
struct Outcome {
    at: Option<jiff::Timestamp>,
    prepared: Result<Prepared, Unprepared>,
}

impl<'t> Run<'t> {
    fn new(set: &Arc<RuleSet>, rule: &Rule, test: &'t RuleTest, fixtures: &dyn Fn(&str) -> Result<String, String>) -> Result<Self, String> {
        let sources = set.sources().filter(|source| rule.source.as_ref().is_none_or(|id| *id == source.id));
        let mut sources = sources.peekable();
        // An event of a plugin is of the source whose event led to it: any will do.
        let emitted = sources.peek().copied().filter(|_| rule.on.contains(&test.event.kind));
        let source = sources.find(|source| source.types().any(|kind| kind == test.event.kind)).or(emitted);
        let source = source.ok_or_else(|| format!("no source names the event type `{}`", test.event.kind))?;
        let event = event(source, test, payload(rule, test, fixtures)?);
        let id = AutomationId::new(&rule.id, &event.connection, None);
        let automation = Automation {
            id,
            rule: rule.id.clone(),
            connection: event.connection.clone(),
            clinic: None,
            settings: test.settings.clone(),
            enabled: true,
        };
        let in_force = InForce::new(Arc::clone(set), vec![automation]);
        if let Some(problem) = in_force.problems().first() {
            return Err(format!("the automation cannot be switched on: {}", problem.text));
        }
        let candidates = in_force.candidates(&event, &Indexer::new(&[0; 32]));
        let records = World(candidates.iter().flat_map(|candidate| world(test, candidate)).collect());
        Ok(Self { test, in_force, event, candidates, records })
    }

    fn differences(&self) -> Vec<String> {
        let mut found = Vec::new();
        let fires = self.candidates.iter().any(|candidate| matches!(candidate.plan, Plan::Fire { .. }));
        match self.test.expect.fires {
            Some(true) if !fires => found.push(format!("expected the rule to fire; {}", self.why_not())),
            Some(false) if fires => found.push("expected the rule not to fire, but it does".to_owned()),
            _ => {}
        }
        if let Some(expected) = &self.test.expect.cancels {
            let cancels = self.candidates.iter().filter(|candidate| matches!(candidate.plan, Plan::Cancel { .. }));
            let mut cancels: Vec<&str> = cancels.map(|candidate| candidate.action.as_str()).collect();
            let mut expected: Vec<&str> = expected.iter().map(String::as_str).collect();
            cancels.sort_unstable();
            expected.sort_unstable();
            if cancels != expected {
                found.push(difference("cancels", &format!("{expected:?}"), &format!("{cancels:?}")));
            }
        }
        for (name, expected) in &self.test.expect.actions {
            match self.outcome(name) {
                Some(outcome) => compare(name, expected, &outcome, &mut found),
                None if fires || self.test.expect.fires != Some(true) => {
                    found.push(format!("{name}: it does not fire; {}", self.why_not()))
                }
                // Said already, for the rule as a whole.
                None => {}
            }
        }
        found
    }

    fn why_not(&self) -> String {
        let why = self.in_force.why_not(&self.event).into_iter().next();
        why.map_or_else(|| format!("it is not about {}", self.event.kind), |(_, why)| why)
    }

    /// What comes of an action that fires.
    fn outcome(&self, name: &str) -> Option<Outcome> {
        let candidate = self.candidates.iter().find(|candidate| candidate.action == name)?;
        let Plan::Fire { anchor, lookups, over, .. } = &candidate.plan else { return None };
        let collected = u32::from(over.debounce.is_some());
        let unusable =
            |text: &String| Outcome { at: None, prepared: Err(Unprepared::Skip(zelo_core::job::Reason::new("no_time", text.clone()))) };
        let anchor = match anchor.clone().transpose() {
            Ok(anchor) => anchor,
            Err(text) => return Some(unusable(&text)),
        };
        let question = DueQuestion {
            automation: &candidate.automation,
            action: name,
            anchor,
            reference: self.event.time,
            collected,
            lookups,
            clinic: self.event.clinic.as_deref(),
        };
        let due = match self.in_force.due(&question, &self.records) {
            Ok(due) => due,
            Err(reason) => return Some(Outcome { at: None, prepared: Err(Unprepared::Skip(reason)) }),
        };
        let job = Job { collected, ..self.job(candidate, candidate.plan.key(), anchor, lookups, due) };
        let prepared = self.in_force.prepare(&job, &self.event, &self.records, &self.test.steps, &Indexer::new(&[0; 32]));
        Some(Outcome { at: Some(due.at), prepared })
    }

    fn job(
        &self,
        candidate: &Candidate,
        key: Option<KeyHash>,
        anchor: Option<jiff::Timestamp>,
        lookups: &[LookupRef],
        due: zelo_core::timing::Due,
    ) -> Job {
        Job {
            id: JobId::derive(self.event.id, &candidate.automation, &candidate.action),
            event: self.event.id,
            connection: self.event.connection.clone(),
            clinic: self.event.clinic.clone(),
            entity: None,
            automation: candidate.automation.clone(),
            rule: candidate.rule.clone(),
            action: candidate.action.clone(),
            rule_digest: candidate.rule_digest.clone(),
            key,
            lookups: lookups.to_vec(),
            needs: Vec::new(),
            collected: 0,
            anchor,
            reference: self.event.time,
            due: due.at,
            expires: due.expires,
            run_at: due.at,
            state: JobState::Running,
            attempt: 1,
            lease: 1,
            attention: None,
            reason: None,
            cancel: None,
            again: false,
        }
    }
}

fn payload(rule: &Rule, test: &RuleTest, fixtures: &dyn Fn(&str) -> Result<String, String>) -> Result<Value, String> {
    let mut data = match &test.event.payload {
        Payload::Data(data) => data.clone(),
        Payload::File(file) => {
            let path = joined(&rule.file, file);
            let text = fixtures(&path).map_err(|why| format!("{path} cannot be read: {why}"))?;
            json::parse(text.as_bytes()).map_err(|why| format!("{path} is not strict JSON: {why}"))?
        }
    };
    for (path, value) in &test.event.set {
        if !path.assign(&mut data, value.clone()) {
            return Err(format!("{} cannot be set: the payload has no such place", path.as_str()));
        }
    }
    Ok(data)
}

/// `path` seen from the folder of `file`.
fn joined(file: &str, path: &str) -> String {
    if path.starts_with('/') {
        return path.to_owned();
    }
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." if parts.last().is_some_and(|last| !matches!(*last, ".." | "." | "")) => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn event(source: &Source, test: &RuleTest, data: Value) -> Event {
    let mut event = Event {
        id: EventId::from_bytes([0; 16]),
        connection: test.connection.clone().unwrap_or_else(|| source.id.clone()),
        source: source.id.clone(),
        kind: test.event.kind.clone(),
        time: test.now,
        received: test.now,
        entity: None,
        subjects: Vec::new(),
        clinic: None,
        data: Arc::new(data),
        cause: None,
    };
    // An event of a plugin is read by no source.
    if let Some(reading) = source.read_as(&test.event.kind, event.data.clone()) {
        event = Event { entity: reading.entity, subjects: reading.subjects, clinic: reading.clinic, ..event };
    }
    event
}

/// The records that a test gives, at the places where the candidate looks for them.
fn world(test: &RuleTest, candidate: &Candidate) -> Vec<(KeyHash, Value)> {
    let Plan::Fire { lookups, .. } = &candidate.plan else { return Vec::new() };
    let record = |lookup: &LookupRef| {
        let document = test.records.get(&lookup.name)?;
        let record = match document {
            Value::Array(records) => records.get(lookup.position as usize)?,
            record => record,
        };
        (!record.is_null()).then(|| (lookup.record.hash, record.clone()))
    };
    lookups.iter().filter_map(record).collect()
}

fn compare(name: &str, expected: &ExpectAction, outcome: &Outcome, found: &mut Vec<String>) {
    if let Some(at) = expected.at
        && outcome.at != Some(at)
    {
        let came = outcome.at.map_or("none".to_owned(), |at| at.to_string());
        found.push(difference(&format!("{name} at"), &at.to_string(), &came));
    }
    let came = match &outcome.prepared {
        Ok(_) => "runs".to_owned(),
        Err(Unprepared::Wait(reason)) => format!("waits = \"{}\" ({})", reason.code, reason.text),
        Err(Unprepared::Skip(reason)) => format!("skipped = \"{}\" ({})", reason.code, reason.text),
        Err(Unprepared::Fail(reason)) => format!("fails: {}", reason.text),
    };
    let wanted = match (&expected.waits, &expected.skipped, &outcome.prepared) {
        (Some(code), _, Err(Unprepared::Wait(reason))) if *code == reason.code => None,
        (_, Some(code), Err(Unprepared::Skip(reason))) if *code == reason.code => None,
        (Some(code), _, _) => Some(format!("waits = \"{code}\"")),
        (_, Some(code), _) => Some(format!("skipped = \"{code}\"")),
        (None, None, Ok(_)) => None,
        (None, None, Err(_)) if expected.with.is_empty() && expected.at.is_some() && outcome.at.is_some() => None,
        (None, None, Err(_)) => Some("runs".to_owned()),
    };
    if let Some(wanted) = wanted {
        found.push(difference(name, &wanted, &came));
        return;
    }
    let empty = Map::new();
    let input = outcome.prepared.as_ref().ok().and_then(|prepared| prepared.input.as_object()).unwrap_or(&empty);
    for (key, value) in &expected.with {
        if !input.get(key).is_some_and(|came| equal(came, value)) {
            let came = input.get(key).map_or("nothing".to_owned(), Value::to_string);
            found.push(difference(&format!("{name} with.{key}"), &value.to_string(), &came));
        }
    }
}

fn difference(what: &str, expected: &str, came: &str) -> String {
    let mut text = format!("{what}:");
    // Writing to a `String` cannot fail.
    let _ = write!(text, "\n  - expected {expected}\n  + but came {came}");
    text
}
