//! Runs the tests of rules.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};
use zelo_core::job::Reason;
use zelo_core::{Arrival, AutomationId, Candidate, Indexer, Job, JobId, JobState, Plan};

use super::compare::{Closeness, Difference, compare, compare_lists};
use super::runner::{Ran, Runner, Stage};
use super::world::{Making, World, source};
use super::{Ended, ExpectAction, RuleTest};
use crate::in_force::{Automation, InForce, document};
use crate::load::RuleSet;
use crate::prepare::{Prepared, Unprepared};
use crate::rule::{Rule, ZoneOf};
use crate::time;

/// What came of one test.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TestResult {
    pub rule: String,
    pub file: String,
    pub name: String,
    /// Where the test stands in the file, from 1.
    pub line: usize,
    pub passed: bool,
    /// What came otherwise than expected, all of it.
    pub differences: Vec<Difference>,
    /// The same for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What tests are run with.
#[derive(Clone, Copy)]
pub struct Testing<'t> {
    /// Gives the text of a file, or why it cannot; it is asked with the path as the test has it, joined to the folder of the
    /// rule's file.
    pub fixtures: &'t dyn Fn(&str) -> Result<String, String>,
    /// Runs plugins. Without one, a test that says what they do fails.
    pub runner: Option<&'t dyn Runner>,
    /// Only the tests for whose rule and name this holds are run.
    pub wanted: &'t dyn Fn(&str, &str) -> bool,
}

/// Runs the `[[test]]`s of `set` that are wanted.
pub fn run_tests(set: &RuleSet, testing: &Testing<'_>) -> Vec<TestResult> {
    let set = Arc::new(set.clone());
    let mut results = Vec::new();
    for rule in set.rules() {
        for test in rule.tests.iter().filter(|test| (testing.wanted)(&rule.id, &test.name)) {
            let (differences, zone) = match Run::new(&set, rule, test, testing) {
                Ok(run) => (run.differences(), run.zone()),
                Err((path, why)) => (vec![Difference::problem(path, why)], None),
            };
            let told: Vec<String> = differences.iter().map(|difference| difference.told(zone.as_ref())).collect();
            results.push(TestResult {
                rule: rule.id.clone(),
                file: rule.file.clone(),
                name: test.name.clone(),
                line: test.line,
                passed: differences.is_empty(),
                message: (!differences.is_empty()).then(|| told.join("\n")),
                differences,
            });
        }
    }
    results
}

/// One test that was played, and the runs of its plugins.
struct Run<'t> {
    rule: &'t Rule,
    test: &'t RuleTest,
    world: World,
    outcomes: BTreeMap<String, Outcome>,
}

/// What came of one action that fires.
struct Outcome {
    at: Option<Timestamp>,
    /// `None`: no job was made, though it fires.
    prepared: Option<Result<Prepared, Unprepared>>,
    /// None where no run of it was asked for, or none is possible.
    ran: Option<Result<Ran, String>>,
}

impl<'t> Run<'t> {
    fn new(set: &Arc<RuleSet>, rule: &'t Rule, test: &'t RuleTest, testing: &Testing<'_>) -> Result<Self, (String, String)> {
        let at_event = |why: String| ("event".to_owned(), why);
        let source = source(set, rule, &test.event.kind).map_err(at_event)?;
        let connection = test.connection.as_deref().unwrap_or(&source.id);
        let automation = Automation {
            id: AutomationId::new(&rule.id, connection, None),
            rule: rule.id.clone(),
            connection: connection.to_owned(),
            clinic: None,
            settings: test.settings.clone(),
            enabled: true,
        };
        let in_force = Arc::new(InForce::new(Arc::clone(set), vec![automation]));
        if let Some(problem) = in_force.problems().first() {
            return Err(("settings".to_owned(), format!("the automation cannot be switched on: {}", problem.text)));
        }
        let index = testing.runner.map_or_else(|| Indexer::new(&[0; 32]), |runner| runner.indexer().clone());
        let making = Making { set, rule, test, connection, in_force, index: &index, fixtures: testing.fixtures };
        let mut run = Self { rule, test, world: making.world()?, outcomes: BTreeMap::new() };
        run.play(testing.runner);
        Ok(run)
    }

    /// Prepares all actions of the test's own event, and runs those that are to be run.
    fn play(&mut self, runner: Option<&dyn Runner>) {
        let wanted = runner.map(|_| self.to_run()).unwrap_or_default();
        let mut stage = match runner {
            Some(runner) if !wanted.is_empty() => self.stage(runner, &wanted),
            _ => None,
        };
        let mut steps = self.test.steps.clone();
        let fired = self.world.candidates().iter().filter(|candidate| matches!(candidate.plan, Plan::Fire { .. }));
        for name in fired.map(|candidate| candidate.origin.action.clone()).collect::<Vec<_>>() {
            let mut outcome = self.outcome(&name, &steps);
            let own = self.world.own().map(|own| own.event.received);
            let id = self.world.own_job(&name);
            if let (Some(stage), true, Some(job), Some(id), Some(received)) =
                (&mut stage, wanted.contains(&name), self.world.job(&name), id, own)
            {
                outcome.run(stage, id, job.due.max(received));
            }
            if let Some(Ok(Ran { ended: Ended::Done, output, .. })) = &outcome.ran {
                steps.extend(output.clone().filter(|_| !self.test.steps.contains_key(&name)).map(|output| (name.clone(), output)));
            }
            self.outcomes.insert(name, outcome);
        }
    }

    /// The actions that the test wants to see running, and the steps before them of which it does not say what they gave.
    fn to_run(&self) -> BTreeSet<String> {
        let expects = |name: &str| self.test.expect.actions.get(name);
        let mut wanted = BTreeSet::new();
        for action in self.rule.actions.iter().rev() {
            let asked = expects(&action.name).is_some_and(ExpectAction::asks_for_a_run);
            let shown = expects(&action.name).is_some_and(|expected| !expected.with.is_empty());
            if asked {
                wanted.insert(action.name.clone());
            }
            if asked || shown || wanted.contains(&action.name) {
                wanted.extend(action.needs.iter().filter(|step| !self.test.steps.contains_key(*step)).cloned());
            }
        }
        wanted
    }

    /// A stage into which the test's own event has come, for those actions alone that are run.
    fn stage<'r>(&self, runner: &'r dyn Runner, wanted: &BTreeSet<String>) -> Option<Result<Box<dyn Stage + 'r>, String>> {
        let own = self.world.own()?;
        let run = |name: &String| wanted.contains(name) && !self.test.steps.contains_key(name);
        let candidates = own.candidates.iter().filter(|candidate| wanted.contains(&candidate.origin.action)).cloned();
        let candidates = candidates.map(|mut candidate: Candidate| {
            if let Plan::Fire { needs, .. } = &mut candidate.plan {
                needs.retain(run);
            }
            candidate
        });
        let arrival = Arrival { candidates: candidates.collect(), ..own.clone() };
        Some(runner.stage(Arc::clone(&self.world.in_force), arrival, self.world.records.clone(), self.test.answers.clone()))
    }

    /// What comes of an action that fires, before it runs.
    fn outcome(&self, name: &str, steps: &Map<String, Value>) -> Outcome {
        let Some(job) = self.world.job(name) else { return Outcome { at: None, prepared: None, ran: None } };
        if let (JobState::Skipped, Some(reason)) = (job.state, &job.reason) {
            return Outcome { at: None, prepared: Some(Err(Unprepared::Skip(reason.clone()))), ran: None };
        }
        let prepared = match self.unfinished(job, steps) {
            Some(reason) => Err(Unprepared::Fail(reason)),
            None => match self.world.prepare(job, steps) {
                Some(prepared) => prepared,
                None => return Outcome { at: None, prepared: None, ran: None },
            },
        };
        Outcome { at: Some(job.due), prepared: Some(prepared), ran: None }
    }

    /// Why a step before `job` gave nothing, where it was to be run and was not done.
    fn unfinished(&self, job: &Job, steps: &Map<String, Value>) -> Option<Reason> {
        let need = job.needs.iter().find(|need| !steps.contains_key(&need.step))?;
        let step = self.outcomes.get(&need.step)?;
        let why = match (&step.ran, &step.prepared) {
            (Some(Ok(Ran { ended: Ended::Done, .. })), _) | (None, Some(Ok(_)) | None) => return None,
            (Some(Ok(ran)), _) => ran.told(),
            (Some(Err(why)), _) => why.clone(),
            (None, Some(Err(unprepared))) => unprepared.told(),
        };
        Some(Reason::new("step", format!("its step `{}` is not done: {why}", need.step)))
    }

    fn differences(&self) -> Vec<Difference> {
        let mut found = Vec::new();
        let expect = &self.test.expect;
        let fires = !self.outcomes.is_empty();
        if let Some(expected) = expect.fires.filter(|expected| *expected != fires) {
            let difference = Difference::between("fires", expected, fires);
            found.push(if fires { difference } else { difference.because(self.why_not()) });
        }
        if let Some(expected) = &expect.cancels {
            let cancels = self.world.candidates().iter().filter(|candidate| matches!(candidate.plan, Plan::Cancel { .. }));
            let came: BTreeSet<&str> = cancels.map(|candidate| candidate.origin.action.as_str()).collect();
            let expected: BTreeSet<&str> = expected.iter().map(String::as_str).collect();
            if came != expected {
                found.push(Difference::between("cancels", json!(expected), json!(came)));
            }
        }
        for (name, expected) in &expect.actions {
            let path = format!("actions.{name}");
            match self.outcomes.get(name) {
                Some(Outcome { prepared: None, .. }) => {
                    found.push(Difference::between(path, "makes a job", "makes none").because(self.world.why_nothing()));
                }
                Some(outcome) => outcome.compare(&path, expected, &mut found),
                None if fires || expect.fires != Some(true) => {
                    found.push(Difference::between(path, "fires", "does not fire").because(self.why_not()));
                }
                // Said already, for the rule as a whole.
                None => {}
            }
        }
        if let Some(expected) = &expect.jobs {
            let came: Vec<Value> = self.world.jobs().into_iter().map(|job| self.told(job)).collect();
            compare_lists("jobs", expected, &came, "action", job_in_short, &mut found);
        }
        found
    }

    fn why_not(&self) -> String {
        let Some(own) = self.world.own() else { return String::new() };
        if self.world.candidates().is_empty() && !own.candidates.is_empty() {
            return self.world.why_nothing().to_owned();
        }
        let why = self.world.in_force.why_not(&own.event).into_iter().next();
        why.map_or_else(|| format!("it is not about {}", own.event.kind), |(_, why)| why)
    }

    /// A job as tests name it.
    fn told(&self, job: &Job) -> Value {
        let mut told = json!({ "action": job.action, "state": job.state.as_str(), "at": job.due.to_string() });
        if let Some(reason) = job.attention.as_ref().or(job.reason.as_ref()) {
            told["reason"] = json!(reason.code);
        }
        if let Some(arrival) = self.world.arrival(job.event) {
            told["event"] = json!(arrival.event.kind);
        }
        told
    }

    /// The zone in which people there tell the time: that of the first window of the rule, else that of its source.
    fn zone(&self) -> Option<TimeZone> {
        let windows = self.rule.actions.iter().filter_map(|action| Some((action, action.timing.zone()?)));
        let mut zones = windows.filter_map(|(action, zone)| match zone {
            ZoneOf::Fixed(zone) => Some(zone.clone()),
            ZoneOf::Source => None,
            ZoneOf::Record { lookup, path } => {
                let job = self.world.job(&action.name)?;
                let document = document(&job.lookups, lookup, &self.world.state)?;
                time::zone(path.first(&document)?.as_str()?)
            }
        });
        zones.next().or_else(|| self.rule.clinic_timezone.clone())
    }
}

/// One line about a job.
fn job_in_short(job: &Value) -> String {
    let words = ["action", "state", "at"].into_iter().filter_map(|member| job.get(member)?.as_str());
    words.collect::<Vec<_>>().join(" ")
}

/// One word about an effect.
fn effect_in_short(effect: &Value) -> String {
    effect.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned()
}

impl Outcome {
    /// Runs what was prepared for `job`.
    fn run(&mut self, stage: &mut Result<Box<dyn Stage + '_>, String>, job: JobId, now: Timestamp) {
        let Some(Ok(prepared)) = &self.prepared else { return };
        self.ran = Some(match stage {
            Ok(stage) => stage.run(job, prepared, now),
            Err(why) => Err(why.clone()),
        });
    }

    fn compare(&self, path: &str, expected: &ExpectAction, found: &mut Vec<Difference>) {
        if let Some(at) = expected.at
            && self.at != Some(at)
        {
            let actual = self.at.map(|at| Value::from(at.to_string()));
            found.push(Difference { actual, ..Difference::between(format!("{path}.at"), at.to_string(), "") });
        }
        if let Some(difference) = self.standing(path, expected) {
            found.push(difference);
            return;
        }
        let prepared = self.prepared.as_ref().and_then(|prepared| prepared.as_ref().ok());
        let input = prepared.and_then(|prepared| prepared.input.as_object());
        for (key, value) in &expected.with {
            compare(&format!("{path}.with.{key}"), value, input.and_then(|input| input.get(key)), Closeness::Exact, found);
        }
        if expected.asks_for_a_run() {
            match &self.ran {
                Some(Ok(ran)) => ran.compare(path, expected, found),
                Some(Err(why)) => found.push(Difference::problem(path, why)),
                None => found
                    .push(Difference::problem(path, "the test says what the plugin does, and nothing here runs plugins; `zelo test` does")),
            }
        }
    }

    /// Whether it runs, waits or is skipped otherwise than expected.
    fn standing(&self, path: &str, expected: &ExpectAction) -> Option<Difference> {
        let prepared = self.prepared.as_ref()?;
        let only_time = expected.at.is_some() && expected.with.is_empty() && !expected.asks_for_a_run();
        let (member, word) = match (&expected.waits, &expected.skipped, prepared) {
            (Some(code), _, Err(Unprepared::Wait(reason))) if *code == reason.code => return None,
            (_, Some(code), Err(Unprepared::Skip(reason))) if *code == reason.code => return None,
            (Some(code), _, _) => (".waits", code.as_str()),
            (_, Some(code), _) => (".skipped", code.as_str()),
            (None, None, Ok(_)) => return None,
            (None, None, Err(_)) if only_time && self.at.is_some() => return None,
            (None, None, Err(_)) => ("", "runs"),
        };
        let path = format!("{path}{member}");
        Some(match (member, prepared) {
            (".waits", Err(Unprepared::Wait(reason))) | (".skipped", Err(Unprepared::Skip(reason))) => {
                Difference::between(path, word, reason.code.as_str()).because(reason.text.as_str())
            }
            (_, Ok(_)) => Difference { actual: None, ..Difference::between(path, word, "") }.because("it runs"),
            (_, Err(unprepared)) => Difference::between(path, word, unprepared.word()).because(unprepared.told()),
        })
    }
}

impl Ran {
    fn compare(&self, path: &str, expected: &ExpectAction, found: &mut Vec<Difference>) {
        let ended = expected.outcome.unwrap_or(Ended::Done);
        if self.ended != ended {
            let said = self.said.clone().unwrap_or_default();
            found.push(Difference::between(format!("{path}.outcome"), ended.as_str(), self.ended.as_str()).because(said));
        }
        if let Some(output) = &expected.output {
            compare(&format!("{path}.output"), output, self.output.as_ref(), Closeness::Subset, found);
        }
        if let Some(effects) = &expected.effects {
            compare_lists(&format!("{path}.effects"), effects, &self.effects, "kind", effect_in_short, found);
        }
    }

    /// How it ended, in a few words.
    fn told(&self) -> String {
        let said = self.said.as_ref().map(|said| format!(" ({said})")).unwrap_or_default();
        format!("{}{said}", self.ended.as_str())
    }
}

impl Unprepared {
    /// The word in tests.
    fn word(&self) -> &'static str {
        match self {
            Self::Wait(_) => "waits",
            Self::Skip(_) => "is skipped",
            Self::Fail(_) => "fails",
        }
    }

    /// What it comes to and why, in a few words.
    fn told(&self) -> String {
        match self {
            Self::Wait(reason) => format!("waits = \"{}\": {}", reason.code, reason.text),
            Self::Skip(reason) => format!("skipped = \"{}\": {}", reason.code, reason.text),
            Self::Fail(reason) => reason.text.clone(),
        }
    }
}
