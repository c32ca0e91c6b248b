//! What an action was not allowed is absent: from the memory of its plugin, from its log, its journal and its errors, and from
//! everything that stands in the clear.
//!
//! Random deliveries are full of markers ([`marker`]); a random rule allows some of it to plugins that tell all they know
//! ([`plugins`]). What each of them is to be given is worked out beforehand in the plainest way ([`case`]); then all of it
//! happens for real ([`place`]), and every byte that was left is searched. `PROPTEST_CASES` says how many cases there are.

#![allow(clippy::unwrap_used, reason = "what the tests share is no test to clippy")]

mod case;
mod document;
mod marker;
mod place;
mod plugins;

use std::io;
use std::sync::{Arc, Mutex, OnceLock};

use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};
use serde_json::json;
use tracing::level_filters::LevelFilter;
use zelo_core::{AuditKind, JournalEntry};

use case::{Action, Case, Given};
use marker::{Forbidden, texts};
use place::{Left, LeftOfJob, Plugins, printed};
use plugins::Kind;

/// So many cases, unless `PROPTEST_CASES` says otherwise.
const CASES: u32 = 64;

#[test]
fn what_was_not_allowed_is_absent() {
    let said = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let config = ProptestConfig {
        cases: said.unwrap_or(CASES),
        // The same cases each time, and the more of them the more are asked for.
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        max_shrink_iters: 100,
        ..ProptestConfig::default()
    };
    let (host, catalog) = plugins::installed();
    let plugins = Plugins { host, catalog };
    let logged = Logged::everywhere();
    let tasks = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let seen = Mutex::new(Vec::new());
    let mut runner = TestRunner::new(config);
    let outcome = runner.run(&case::picks(), |picks| {
        let case = picks.case(&place::hash);
        logged.take();
        let left = tasks.block_on(place::happen(&plugins, &case));
        seen.lock().unwrap().extend(case.actions.iter().map(|action| (action.kind, action.given.is_some())));
        check(&case, &left, &logged.take())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    // Who sees nothing finds nothing.
    let seen = seen.into_inner().unwrap();
    for kind in plugins::KINDS {
        assert!(seen.contains(&(kind, true)), "no {kind:?} ran");
    }
    assert!(seen.iter().any(|(_, ran)| !ran), "every action ran");
}

/// Whether nothing in `left` and in the log says what it must not, and all says what it must.
fn check(case: &Case, left: &Left, log: &[u8]) -> Result<(), TestCaseError> {
    let mut places: Vec<(String, &Forbidden, Vec<u8>)> = Vec::new();
    let nothing = Forbidden::but(&case.markers, &[]);
    places.push(("the log of zelo".to_owned(), &nothing, log.to_vec()));
    places.push(("what stands in the clear about jobs".to_owned(), &nothing, left.clear.clone().into_bytes()));
    places.push(("the audit log".to_owned(), &nothing, audit_text(left).into_bytes()));
    places.push(("what is said of refused deliveries".to_owned(), &nothing, left.refusals.join("\n").into_bytes()));
    prop_assert!(log.windows(8).any(|window| window == b"received"), "the log is heard");

    let allowed: Vec<(Forbidden, Forbidden)> = case.actions.iter().map(|action| allowed(case, action)).collect();
    prop_assert_eq!(left.jobs.len(), case.actions.len(), "a job each");
    for (action, (to_plugin, to_journal)) in case.actions.iter().zip(&allowed) {
        let job = left.jobs.iter().find(|job| job.view.job.action == action.name).unwrap();
        let text = printed(&(&job.view, &job.journal, &job.attempts)).replace(&case.visit["clinic"].to_string(), "the clinic");
        places.push((format!("what is printed of {}", action.name), &nothing, text.into_bytes()));
        match &action.given {
            None => prop_assert!(job.journal.is_empty() && job.attempts.is_empty(), "{} did not run", action.name),
            Some(given) => is_given(action.kind, given, job)?,
        }
        let of_job = left.audit.iter().map(|row| &row.entry).filter(|entry| entry.job == Some(job.view.job.id));
        let refused = of_job.filter(|entry| entry.kind == AuditKind::Refused);
        let mut refused: Vec<String> = refused.map(|entry| entry.detail()["effect"].as_str().unwrap().to_owned()).collect();
        refused.sort_unstable();
        let expected = action.given.as_ref().map(|given| given.refused.clone()).unwrap_or_default();
        prop_assert_eq!(refused, expected, "what {} was refused is in the audit log", &action.name);
        let (invocations, effects): (Vec<_>, Vec<_>) = job.journal.iter().partition(|entry| matches!(entry, JournalEntry::Invocation(_)));
        places.push((format!("the invocation of {}", action.name), to_journal, json!(invocations).to_string().into_bytes()));
        places.push((format!("the effects of {}", action.name), to_plugin, json!(effects).to_string().into_bytes()));
        let told: Vec<_> = effects.iter().map(|entry| entry.told()).collect();
        places.push((format!("the effects of {}, as told", action.name), to_plugin, json!(told).to_string().into_bytes()));
        for said in &job.attempts {
            let report = &said.report;
            let words = json!([report.summary, report.lines.iter().map(|line| &line.text).collect::<Vec<_>>()]);
            places.push((format!("what {} said", action.name), to_plugin, words.to_string().into_bytes()));
            places.push((format!("the output of {}", action.name), to_plugin, json!(report.output).to_string().into_bytes()));
        }
        for memory in memories(action.kind, job) {
            places.push((format!("the memory of {}", action.name), to_plugin, memory));
        }
        let summary = job.view.summary.clone().unwrap_or_default();
        places.push((format!("the summary of {}", action.name), to_plugin, summary.into_bytes()));
    }
    for (place, forbidden, bytes) in places {
        let found = forbidden.found_in(&bytes);
        prop_assert!(found.is_empty(), "{} says {}\n{}", place, found.join(", "), case.rule);
    }
    Ok(())
}

/// What must be nowhere but in the journal of an action, and not even there: beside what its plugin was given, its grants name
/// whom it may write to.
fn allowed(case: &Case, action: &Action) -> (Forbidden, Forbidden) {
    let shown: Vec<String> = action.given.iter().flat_map(|given| texts(&given.input)).collect();
    let read: Vec<String> = action.given.iter().flat_map(|given| given.read.values().flat_map(texts)).collect();
    let granted = action.given.iter().flat_map(|given| given.granted.clone()).collect();
    (Forbidden::but(&case.markers, &[shown.clone(), read].concat()), Forbidden::but(&case.markers, &[shown, granted].concat()))
}

/// The plugin was given exactly what it was to be given: in the journal, and in its memory.
fn is_given(kind: Kind, given: &Given, job: &LeftOfJob) -> Result<(), TestCaseError> {
    match job.journal.first() {
        Some(JournalEntry::Invocation(invocation)) => prop_assert_eq!(&invocation.input, &given.input),
        // Who did nothing and says that something is missing begins anew each time.
        _ => prop_assert_eq!(kind, Kind::Misses),
    }
    let input = given.input.to_string();
    let logged = job.attempts.iter().flat_map(|attempt| &attempt.report.lines).any(|line| input.starts_with(&line.text));
    prop_assert!(logged, "{:?} logs its input", kind);
    let memories = memories(kind, job);
    prop_assert_eq!(memories.is_empty(), kind == Kind::Traps);
    for memory in memories {
        prop_assert!(holds(&memory, input.as_bytes()), "the memory of {:?} holds {}", kind, input);
        for text in given.read.values().flat_map(texts) {
            prop_assert!(holds(&memory, json!(text).to_string().as_bytes()), "the memory of {:?} holds {}", kind, text);
        }
    }
    Ok(())
}

fn holds(memory: &[u8], text: &[u8]) -> bool {
    memory.windows(text.len()).any(|window| window == text)
}

/// The memory of the plugin at the end of each attempt, as it wrote it down.
fn memories(kind: Kind, job: &LeftOfJob) -> Vec<Vec<u8>> {
    let dumps = job.attempts.iter().filter_map(|attempt| match kind {
        Kind::Traps => None,
        Kind::Fails | Kind::Misses | Kind::Retries => attempt.report.summary.clone(),
        _ => attempt.report.output.as_ref()?.as_str().map(str::to_owned),
    });
    dumps.map(|dump| plugins::memory(&dump)).collect()
}

/// The audit log, without the clinic, which every row names.
fn audit_text(left: &Left) -> String {
    left.audit.iter().map(|row| format!("{} {} {}\n", row.entry.kind.as_str(), row.entry.actor.as_str(), row.entry.detail)).collect()
}

/// All that is logged in this process, in every detail.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl Logged {
    fn everywhere() -> Self {
        static LOGGED: OnceLock<Logged> = OnceLock::new();
        let logged = LOGGED.get_or_init(|| {
            let logged = Self::default();
            let writer = logged.clone();
            let format = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).without_time().with_ansi(false);
            format.with_writer(move || writer.clone()).init();
            logged
        });
        logged.clone()
    }

    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl io::Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
