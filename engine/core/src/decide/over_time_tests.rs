use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::arrival::{Arrival, Origin, Plan, RecordRef};
use crate::concurrency::Lane;
use crate::decide::{Decision, State, decide};
use crate::entropy::SeededEntropy;
use crate::event::{Event, Status};
use crate::id::{AutomationId, EventId};
use crate::timing::{Due, DueQuestion, Records, Timetable};
use crate::window::{By, Count, OverTime, Quiet};

const WINDOW: KeyHash = KeyHash([5; 16]);
const KEY: KeyHash = KeyHash([6; 16]);
const QUIET: Quiet = Quiet { wait: SignedDuration::from_secs(30), max: Some(SignedDuration::from_secs(100)) };

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(1_772_000_000 + second).unwrap()
}

/// What is collected runs when it was quiet; the rest a day later.
struct InADay;

impl Timetable for InADay {
    fn due(&self, question: &DueQuestion<'_>, _: &dyn Records) -> Result<Due, Reason> {
        let at = match question.anchor.filter(|_| question.collected > 0) {
            Some(last) => QUIET.ends(question.reference, last, question.collected),
            None => question.reference.saturating_add(SignedDuration::from_hours(24)).unwrap(),
        };
        Ok(Due { at, expires: None })
    }
}

fn over() -> OverTime {
    OverTime::default()
}

fn throttled(limit: u32, seconds: i64) -> OverTime {
    OverTime { throttle: Some(Throttle { window: WINDOW, limit, per: SignedDuration::from_secs(seconds), by: By::Path }), ..over() }
}

fn counted(at_least: u32, seconds: i64) -> OverTime {
    OverTime { count: Some(Count { window: WINDOW, at_least, within: SignedDuration::from_secs(seconds) }), ..over() }
}

fn collecting() -> OverTime {
    OverTime { debounce: Some(KEY), ..over() }
}

fn fire(key: Option<KeyHash>, over: OverTime) -> Plan {
    Plan::Fire { key, anchor: None, lookups: Vec::new(), needs: Vec::new(), also_about: Vec::new(), over, lane: Lane::default() }
}

fn cancel() -> Plan {
    Plan::Cancel { key: KEY, code: "cancelled_by_event", text: "cancelled".into() }
}

fn id(number: u64) -> EventId {
    EventId::new(second(0), number as u16, &SeededEntropy::new(number))
}

/// Delivery `number`, of what happened at `time`: what each action wants.
fn arrival(number: u64, time: i64, plans: Vec<(&str, Plan)>) -> Arrival {
    let candidate = |(action, plan): (&str, Plan)| Candidate {
        origin: Arc::new(Origin {
            automation: AutomationId::new("r", "c", None),
            rule: "r".into(),
            action: action.into(),
            rule_digest: String::new(),
        }),
        plan,
    };
    Arrival {
        event: Event {
            id: id(number),
            connection: "c".into(),
            source: "s".into(),
            kind: "message.received".into(),
            time: second(time),
            received: second(9_000),
            entity: None,
            subjects: Vec::new(),
            clinic: None,
            data: Value::Null.into(),
            cause: None,
        },
        body: Arc::from(&b"{}"[..]),
        delivery: KeyHash(u128::from(number).to_le_bytes()),
        quarantined: false,
        entity: None,
        people: Vec::new(),
        consents: Vec::new(),
        records: Vec::new(),
        candidates: plans.into_iter().map(candidate).collect(),
        timetable: Arc::new(InADay),
    }
}

fn tell(state: &mut State, number: u64, time: i64, plan: Plan) -> Decision {
    decide(&arrival(number, time, vec![("act", plan)]), state)
}

fn codes(decision: &Decision) -> Vec<(&str, &str)> {
    let code = |job: &Job| job.reason.as_ref().map_or(String::new(), |reason| reason.code.clone());
    decision.jobs.iter().map(|job| (job.state.as_str(), code(job).leak() as &str)).collect()
}

#[test]
fn one_job_too_many_is_made_and_skipped() {
    let mut state = State::default();
    for number in 0..2 {
        assert_eq!(tell(&mut state, number, 0, fire(None, throttled(2, 60))).jobs[0].state, JobState::Scheduled);
    }
    let third = tell(&mut state, 3, 59, fire(None, throttled(2, 60)));
    assert_eq!(codes(&third), [("skipped", "throttled")]);
    assert_eq!(third.rules, ["r"]);
    assert_eq!(tell(&mut state, 3, 59, fire(None, throttled(2, 60))).status, Status::Duplicate);
    assert_eq!(tell(&mut state, 4, 60, fire(None, throttled(2, 60))).jobs[0].state, JobState::Scheduled, "what was skipped took no place");
}

#[test]
fn a_job_that_replaces_a_pending_one_takes_its_place() {
    let mut state = State::default();
    for number in 0..5 {
        let jobs = tell(&mut state, number, number as i64, fire(Some(KEY), throttled(1, 60))).jobs;
        assert_eq!(jobs.iter().filter(|job| job.state == JobState::Scheduled).count(), 1, "edit {number}");
    }
    let other = tell(&mut state, 9, 59, fire(Some(KeyHash([7; 16])), throttled(1, 60)));
    assert_eq!(codes(&other), [("skipped", "throttled")]);
    assert_eq!(state.windows[&WINDOW].entries.len(), 1);
    // Its place is where the first one had it, so this has room a span after that, and an edit later costs nothing again.
    assert_eq!(tell(&mut state, 20, 60, fire(Some(KeyHash([8; 16])), throttled(1, 60))).jobs[0].state, JobState::Scheduled);
    assert!(!codes(&tell(&mut state, 21, 61, fire(Some(KEY), throttled(1, 60)))).contains(&("skipped", "throttled")));
    // One that runs is asked to stop, so that what comes after it has its place: or neither of them would be done.
    let live = state.keys[&KEY].live.unwrap();
    state.jobs.get_mut(&live).unwrap().state = JobState::Running;
    state.jobs.get_mut(&live).unwrap().anchor = Some(second(0));
    let jobs = tell(&mut state, 10, 62, fire(Some(KEY), throttled(1, 60))).jobs;
    assert!(jobs.iter().any(|job| job.state == JobState::Scheduled), "{jobs:?}");
    assert!(state.jobs[&live].cancel.is_some());
}

#[test]
fn what_was_cancelled_leaves_its_place() {
    let mut state = State::default();
    tell(&mut state, 1, 0, fire(Some(KEY), throttled(1, 60)));
    tell(&mut state, 2, 1, cancel());
    assert_eq!(tell(&mut state, 3, 2, fire(Some(KEY), throttled(1, 60))).jobs[0].state, JobState::Scheduled);
    // The store says the same of those that ended before.
    let mut later = State { void: [state.windows[&WINDOW].entries[0].job].into(), windows: state.windows, ..State::default() };
    assert_eq!(tell(&mut later, 4, 3, fire(None, throttled(1, 60))).jobs[0].state, JobState::Scheduled);
}

#[test]
fn what_is_only_counted_makes_no_job() {
    let mut state = State::default();
    for number in 1..3 {
        let decision = tell(&mut state, number, 0, fire(None, counted(3, 60)));
        assert!(decision.jobs.is_empty() && decision.rules.is_empty());
        assert_eq!((decision.counted[0].count, decision.counted[0].at_least), (number as u32, 3));
        assert!(tell(&mut state, number, 0, fire(None, counted(3, 60))).counted.is_empty(), "a duplicate does not count");
    }
    let third = tell(&mut state, 3, 59, fire(None, counted(3, 60)));
    assert_eq!((third.jobs.len(), third.counted.len(), third.rules.len()), (1, 0, 1));
    assert_eq!(tell(&mut state, 4, 59, fire(None, counted(3, 60))).counted[0].count, 1, "it begins again");
}

#[test]
fn what_needs_a_step_that_only_counts_waits_with_it() {
    let mut state = State::default();
    let chain = |number: u64| {
        let after = |step: &str| Plan::Fire {
            key: None,
            anchor: None,
            lookups: Vec::new(),
            needs: vec![step.into()],
            also_about: Vec::new(),
            over: over(),
            lane: Lane::default(),
        };
        arrival(number, number as i64, vec![("a", fire(None, counted(2, 60))), ("b", after("a")), ("c", after("b"))])
    };
    let first = decide(&chain(1), &mut state);
    assert!(first.jobs.is_empty() && first.counted.len() == 1 && first.rules.is_empty());
    assert_eq!(decide(&chain(2), &mut state).jobs.len(), 3);
}

#[test]
fn a_burst_becomes_one_job_that_grows() {
    let mut state = State::default();
    let first = tell(&mut state, 1, 10, fire(None, collecting())).jobs[0].clone();
    assert_eq!((first.collected, first.due), (1, second(40)));
    let second_one = tell(&mut state, 2, 25, fire(None, collecting())).jobs[0].clone();
    assert_eq!((second_one.id, second_one.event, second_one.collected, second_one.due), (first.id, id(2), 2, second(55)));
    let late = tell(&mut state, 3, 5, fire(None, collecting())).jobs[0].clone();
    assert_eq!((late.event, late.collected, late.reference, late.due), (id(2), 3, second(5), second(55)), "in its place");
    // Begun is closed.
    state.jobs.get_mut(&first.id).unwrap().state = JobState::Running;
    let next = tell(&mut state, 4, 26, fire(None, collecting())).jobs;
    assert_eq!((next.len(), next[0].collected), (1, 1));
    assert_ne!(next[0].id, first.id);
    assert!(state.jobs[&first.id].cancel.is_none(), "and is left alone");
}

#[test]
fn a_full_collection_is_due_at_once() {
    let mut state = State::default();
    for number in 1..=u64::from(COLLECTED_MAX) {
        tell(&mut state, number, 0, fire(None, collecting()));
    }
    let full = state.jobs.values().next().unwrap().clone();
    assert_eq!((full.collected, full.due), (COLLECTED_MAX, second(0)));
    let next = tell(&mut state, 999, 0, fire(None, collecting())).jobs[0].clone();
    assert!(next.id != full.id && next.collected == 1);
}

#[test]
fn a_collection_that_has_no_room_in_its_window_is_skipped() {
    let mut state = State::default();
    let both = OverTime { debounce: Some(KEY), ..throttled(1, 600) };
    let open = tell(&mut state, 1, 0, fire(None, both)).jobs[0].id;
    assert_eq!(tell(&mut state, 2, 1, fire(None, both)).jobs[0].collected, 2, "what is collected takes no place of its own");
    state.jobs.get_mut(&open).unwrap().state = JobState::Running;
    assert_eq!(codes(&tell(&mut state, 3, 2, fire(None, both))), [("skipped", "throttled")]);
}

#[test]
fn a_cancellation_ends_what_is_collected_and_what_is_older() {
    let mut state = State::default();
    tell(&mut state, 1, 10, fire(None, collecting()));
    assert!(tell(&mut state, 2, 5, cancel()).jobs.is_empty(), "older than what is collected");
    assert_eq!(tell(&mut state, 3, 20, cancel()).jobs[0].state, JobState::Cancelled);
    assert!(tell(&mut state, 4, 19, fire(None, collecting())).jobs.is_empty(), "an older event does not bring it back");
    assert_eq!(tell(&mut state, 5, 20, fire(None, collecting())).jobs.len(), 1, "ties by arrival");
}

#[test]
fn a_job_that_grows_reads_what_its_newest_event_names() {
    let mut state = State::default();
    let reading = |record: u8| {
        let record = RecordRef { kind: "k".into(), hash: KeyHash([record; 16]) };
        let lookups = vec![LookupRef { name: "n".into(), position: 0, singular: true, record }];
        Plan::Fire {
            key: None,
            anchor: None,
            lookups,
            needs: Vec::new(),
            also_about: Vec::new(),
            over: collecting(),
            lane: Lane::default(),
        }
    };
    let job = tell(&mut state, 1, 10, reading(1)).jobs[0].id;
    state.dirty = Default::default();
    for (number, time, record) in [(2, 20, 2), (3, 15, 3)] {
        tell(&mut state, number, time, reading(record));
    }
    assert_eq!(state.jobs[&job].lookups[0].record.hash, KeyHash([2; 16]));
    let readers: Vec<u8> = state.readers.iter().filter(|(_, jobs)| jobs.contains(&job)).map(|(hash, _)| hash.0[0]).collect();
    assert_eq!(readers, [2]);
    assert_eq!(state.dirty.grown[&job][0].record.hash, KeyHash([1; 16]), "what the store has to forget");
}

/// What happens in the property of collections.
#[derive(Clone, Copy, Debug)]
enum Happens {
    Event(i64),
    Cancel(i64),
    /// A worker takes what is open.
    Begin,
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![6 => (0..200_i64).prop_map(Happens::Event), 1 => (0..200_i64).prop_map(Happens::Cancel), 1 => Just(Happens::Begin)]
}

proptest! {
    /// Every event is collected by one job, or is older than a cancellation; the job says when its events happened.
    #[test]
    fn nothing_that_is_collected_is_lost(all in prop::collection::vec(happens(), 1..40)) {
        let mut state = State::default();
        let mut cancelled = None;
        let mut sent: BTreeMap<EventId, i64> = BTreeMap::new();
        for (number, what) in all.iter().enumerate() {
            match *what {
                Happens::Event(time) => {
                    tell(&mut state, number as u64, time, fire(None, collecting()));
                    if cancelled.is_none_or(|cancel| time >= cancel) {
                        sent.insert(id(number as u64), time);
                    }
                }
                Happens::Cancel(time) => {
                    tell(&mut state, number as u64, time, cancel());
                    cancelled = cancelled.max(Some(time));
                }
                Happens::Begin => {
                    if let Some(job) = state.keys.get(&KEY).and_then(|row| row.live) {
                        state.jobs.get_mut(&job).unwrap().state = JobState::Running;
                    }
                }
            }
        }
        let mut jobs: BTreeMap<JobId, Vec<EventId>> = BTreeMap::new();
        for joined in &state.dirty.joined {
            jobs.entry(joined.job).or_default().push(joined.event);
        }
        let collected: Vec<EventId> = jobs.values().flatten().copied().collect();
        prop_assert_eq!(collected.len(), collected.iter().collect::<BTreeSet<_>>().len(), "once each");
        prop_assert_eq!(collected.into_iter().collect::<BTreeSet<_>>(), sent.keys().copied().collect::<BTreeSet<_>>());
        for (job, events) in jobs {
            let job = &state.jobs[&job];
            let times: Vec<i64> = events.iter().map(|event| sent[event]).collect();
            let (first, last) = (*times.iter().min().unwrap(), *times.iter().max().unwrap());
            prop_assert_eq!((job.reference, job.anchor, job.collected as usize), (second(first), Some(second(last)), times.len()));
            prop_assert_eq!(job.due, second((last + 30).min((first + 100).max(last))));
            let newest = events.iter().rfind(|event| sent[*event] == last).unwrap();
            prop_assert_eq!(job.event, *newest, "the newest, and of one instant the last to arrive");
        }
        let open = state.jobs.values().filter(|job| job.state.is_live() && job.state != JobState::Running).count();
        prop_assert!(open <= 1, "one collection at a time");
    }
}
