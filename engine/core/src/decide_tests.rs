use std::sync::Arc;

use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::arrival::Origin;
use crate::entropy::SeededEntropy;
use crate::event::{Entity, Event};
use crate::id::AutomationId;
use crate::timing::Due;
use crate::window::OverTime;

/// A timetable with one action: a day before its anchor, two hours to live; `late` records shift it by their `hours`.
struct DayBefore;

impl Timetable for DayBefore {
    fn due(&self, question: &DueQuestion<'_>, records: &dyn Records) -> Result<Due, Reason> {
        let shift =
            question.lookups.first().and_then(|lookup| records.record(lookup.record.hash)).and_then(|record| record["hours"].as_i64());
        let anchor = question.anchor.unwrap_or(question.reference);
        let at = anchor.saturating_add(SignedDuration::from_hours(shift.unwrap_or(0) - 24)).unwrap();
        Ok(Due { at, expires: Some(at.saturating_add(SignedDuration::from_hours(2)).unwrap()) })
    }
}

const KEY: KeyHash = KeyHash([1; 16]);
const RECORD: KeyHash = KeyHash([2; 16]);

pub(super) fn minute(minutes: i64) -> Timestamp {
    Timestamp::from_second(1_772_000_000 + minutes * 60).unwrap()
}

/// What an event of the tests asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Ask {
    /// An appointment so many days ahead.
    Book(i64),
    Cancel,
}

pub(super) fn arrival(number: u64, time: i64, ask: Option<Ask>) -> Arrival {
    let plan = ask.map(|ask| match ask {
        Ask::Book(days) => Plan::Fire {
            key: Some(KEY),
            anchor: Some(Ok(minute(days * 24 * 60))),
            lookups: vec![crate::LookupRef {
                name: "clinic".into(),
                position: 0,
                singular: true,
                record: RecordRef { kind: "clinic".into(), hash: RECORD },
            }],
            needs: Vec::new(),
            also_about: Vec::new(),
            over: OverTime::default(),
            lane: Lane::default(),
        },
        Ask::Cancel => Plan::Cancel { key: KEY, code: "cancelled_by_event", text: "cancelled".into() },
    });
    Arrival {
        event: Event {
            id: EventId::new(minute(time), 0, &SeededEntropy::new(number)),
            connection: "c".into(),
            source: "s".into(),
            kind: "appointment.created".into(),
            time: minute(time),
            received: minute(time),
            entity: Some(Entity { kind: "appointment".into(), id: "1".into() }),
            subjects: Vec::new(),
            clinic: None,
            data: Value::Null.into(),
            cause: None,
        },
        body: Arc::from(&b"{}"[..]),
        delivery: KeyHash(u128::from(number).to_le_bytes()),
        quarantined: false,
        entity: Some(KeyHash([9; 16])),
        people: Vec::new(),
        consents: Vec::new(),
        records: Vec::new(),
        candidates: plan
            .map(|plan| Candidate {
                origin: Arc::new(Origin {
                    automation: AutomationId::new("reminder", "c", None),
                    rule: "reminder".into(),
                    action: "remind".into(),
                    rule_digest: String::new(),
                }),
                plan,
            })
            .into_iter()
            .collect(),
        timetable: Arc::new(DayBefore),
    }
}

fn live(state: &State) -> Vec<&Job> {
    state.jobs.values().filter(|job| job.state.is_live()).collect()
}

#[test]
fn a_duplicate_changes_nothing() {
    let mut state = State::default();
    let first = decide(&arrival(1, 0, Some(Ask::Book(9))), &mut state);
    let again = decide(&Arrival { delivery: arrival(1, 0, None).delivery, ..arrival(2, 5, Some(Ask::Cancel)) }, &mut state);
    assert_eq!((again.status, again.event), (Status::Duplicate, first.event));
    assert_eq!(live(&state).len(), 1);
}

#[test]
fn an_edit_moves_the_job_and_a_cancellation_ends_it() {
    let mut state = State::default();
    decide(&arrival(1, 0, Some(Ask::Book(9))), &mut state);
    let moved = decide(&arrival(2, 1, Some(Ask::Book(10))), &mut state);
    assert_eq!(moved.jobs.len(), 2, "the old one ended, the new one made");
    assert_eq!(live(&state)[0].due, minute(9 * 24 * 60));
    decide(&arrival(3, 2, Some(Ask::Cancel)), &mut state);
    assert!(live(&state).is_empty());
    let late = decide(&arrival(4, 1, Some(Ask::Book(11))), &mut state);
    assert_eq!(late.status, Status::Stale);
    assert!(live(&state).is_empty(), "a late, older edit does not bring it back");
}

#[test]
fn an_edit_that_arrives_first_stands() {
    let mut state = State::default();
    decide(&arrival(1, 5, Some(Ask::Book(10))), &mut state);
    decide(&arrival(2, 0, Some(Ask::Book(9))), &mut state);
    assert_eq!(live(&state)[0].anchor, Some(minute(10 * 24 * 60)));
}

#[test]
fn what_was_done_for_a_time_is_not_done_for_it_again() {
    let mut state = State::default();
    let made = decide(&arrival(1, 0, Some(Ask::Book(9))), &mut state).jobs[0].clone();
    let row = state.keys.get_mut(&KEY).unwrap();
    row.live = None;
    row.done = Some(DoneAnchor(made.anchor));
    state.jobs.get_mut(&made.id).unwrap().state = JobState::Done;
    let again = decide(&arrival(2, 1, Some(Ask::Book(9))), &mut state).jobs;
    assert_eq!((again[0].state, again[0].reason.as_ref().unwrap().code.as_str()), (JobState::Skipped, "already_done"));
    assert_eq!(decide(&arrival(3, 2, Some(Ask::Book(10))), &mut state).jobs.len(), 1, "another time is another reminder");
    let back = decide(&arrival(4, 3, Some(Ask::Book(9))), &mut state).jobs;
    assert_eq!(back[0].state, JobState::Cancelled, "moved back: nothing is pending");
    assert!(live(&state).is_empty());
}

#[test]
fn a_running_job_is_kept_for_the_same_time_and_asked_to_stop_for_another() {
    let mut state = State::default();
    let id = decide(&arrival(1, 0, Some(Ask::Book(9))), &mut state).jobs[0].id;
    state.jobs.get_mut(&id).unwrap().state = JobState::Running;
    assert!(decide(&arrival(2, 1, Some(Ask::Book(9))), &mut state).jobs.is_empty());
    assert_eq!(decide(&arrival(3, 2, Some(Ask::Book(10))), &mut state).jobs.len(), 2);
    assert!(state.jobs[&id].cancel.is_some());
    assert_ne!(state.keys[&KEY].live, Some(id));
}

#[test]
fn a_record_that_changes_moves_the_jobs_that_read_it() {
    let mut state = State::default();
    let before = decide(&arrival(1, 0, Some(Ask::Book(9))), &mut state).jobs[0].clone();
    let mut news = arrival(2, 1, None);
    news.entity = Some(KeyHash([8; 16]));
    news.records = vec![RecordWrite {
        key: RecordRef { kind: "clinic".into(), hash: RECORD },
        id: "k".into(),
        fields: json!({ "hours": 3 }).as_object().unwrap().clone(),
        subject: None,
        clinic: None,
    }];
    let moved = decide(&news, &mut state);
    assert_eq!(moved.jobs[0].due, before.due.saturating_add(SignedDuration::from_hours(3)).unwrap());
    let older =
        Arrival { delivery: KeyHash([77; 16]), entity: None, event: Event { time: minute(0), ..news.event.clone() }, ..news.clone() };
    let mut older = older;
    older.records[0].fields = json!({ "hours": 9 }).as_object().unwrap().clone();
    assert!(decide(&older, &mut state).jobs.is_empty(), "an older word on a record is not heard");
}

#[test]
fn a_record_that_changes_under_a_running_job_is_remembered() {
    let mut state = State::default();
    let id = decide(&arrival(1, 0, Some(Ask::Book(9))), &mut state).jobs[0].id;
    state.jobs.get_mut(&id).unwrap().state = JobState::Running;
    let mut news = arrival(2, 1, None);
    news.entity = None;
    news.records = vec![RecordWrite {
        key: RecordRef { kind: "clinic".into(), hash: RECORD },
        id: "k".into(),
        fields: json!({ "hours": 3 }).as_object().unwrap().clone(),
        subject: None,
        clinic: None,
    }];
    decide(&news, &mut state);
    assert!(state.jobs[&id].again && state.dirty.new_jobs.contains(&id));
}

#[test]
fn an_event_without_its_time_ends_what_is_pending_and_says_so() {
    let mut state = State::default();
    decide(&arrival(1, 0, Some(Ask::Book(9))), &mut state);
    let mut odd = arrival(2, 1, Some(Ask::Book(9)));
    let Plan::Fire { anchor, .. } = &mut odd.candidates[0].plan else { panic!() };
    *anchor = Some(Err("$.data.scheduled_start_at is not a time".into()));
    let jobs = decide(&odd, &mut state).jobs;
    assert_eq!(jobs.iter().map(|job| job.state).collect::<Vec<_>>(), [JobState::Cancelled, JobState::Skipped]);
    assert!(live(&state).is_empty());
}

#[test]
fn a_clock_that_is_ahead_does_not_silence_what_follows() {
    let mut state = State::default();
    let mut ahead = arrival(1, 0, Some(Ask::Book(9)));
    ahead.event.time = minute(500_000);
    decide(&ahead, &mut state);
    let cancelled = decide(&arrival(2, 1, Some(Ask::Cancel)), &mut state);
    assert_eq!(cancelled.status, Status::Accepted);
    assert!(live(&state).is_empty());
}

#[test]
fn switching_off_reaches_jobs_that_have_begun() {
    struct Off;
    impl Timetable for Off {
        fn due(&self, _: &DueQuestion<'_>, _: &dyn Records) -> Result<Due, Reason> {
            Err(Reason::new(SWITCHED_OFF, "off"))
        }
    }
    let mut state = State::default();
    let mut job = decide(&arrival(1, 0, Some(Ask::Book(9))), &mut state).jobs[0].clone();
    job.attempt = 2;
    let mut running = Job { state: JobState::Running, ..job.clone() };
    assert!(retime(&mut job, &Off, &state) && job.state == JobState::Cancelled);
    assert!(retime(&mut running, &Off, &state) && running.cancel.is_some());
    assert!(!retime(&mut running, &Off, &state), "asked once");
    let mut begun = Job { state: JobState::Scheduled, cancel: None, ..running };
    begun.due = minute(0);
    assert!(!retime(&mut begun, &DayBefore, &state), "what has begun keeps its time");
}

/// The naive version: whoever spoke last by (time, order of arrival) decides.
fn naive(asks: &[(i64, Ask)]) -> Option<Timestamp> {
    let mut newest = None;
    for (place, (time, ask)) in asks.iter().enumerate() {
        if newest.is_none_or(|(best, _, _)| *time >= best) {
            newest = Some((*time, place, *ask));
        }
    }
    match newest {
        Some((_, _, Ask::Book(days))) => Some(minute(days * 24 * 60)),
        _ => None,
    }
}

/// A receipt (under a key of its own) and the message that needs it.
fn chain(number: u64, time: i64) -> Arrival {
    let step = |action: &str, key: u8, needs: &[&str]| Candidate {
        origin: Arc::new(Origin {
            automation: AutomationId::new("receipt", "c", None),
            rule: "receipt".into(),
            action: action.into(),
            rule_digest: String::new(),
        }),
        plan: Plan::Fire {
            key: Some(KeyHash([key; 16])),
            anchor: None,
            lookups: Vec::new(),
            needs: needs.iter().map(|step| (*step).to_owned()).collect(),
            also_about: Vec::new(),
            over: OverTime::default(),
            lane: Lane::default(),
        },
    };
    Arrival { candidates: vec![step("issue", 1, &[]), step("send", 2, &["issue"])], ..arrival(number, time, None) }
}

#[test]
fn a_job_waits_for_its_step() {
    let mut state = State::default();
    let made = decide(&chain(1, 0), &mut state).jobs;
    let [issue, send] = [&made.iter().find(|job| job.action == "issue").unwrap(), &made.iter().find(|job| job.action == "send").unwrap()];
    assert_eq!((issue.state, issue.waits()), (JobState::Ready, false));
    assert_eq!((send.state, send.waits()), (JobState::Scheduled, true));
    assert_eq!(send.needs, [Need { step: "issue".into(), job: issue.id, done: false }]);
}

#[test]
fn an_event_whose_step_was_done_leaves_the_pending_job_alone() {
    let mut state = State::default();
    let first = decide(&chain(1, 0), &mut state).jobs;
    let issue = first.iter().find(|job| job.action == "issue").unwrap();
    let send = first.iter().find(|job| job.action == "send").unwrap();
    state.jobs.get_mut(&issue.id).unwrap().state = JobState::Done;
    let row = state.keys.get_mut(&KEY).unwrap();
    (row.live, row.done) = (None, Some(DoneAnchor(None)));
    let again = decide(&chain(2, 1), &mut state).jobs;
    assert_eq!(again.iter().map(|job| (job.action.as_str(), job.state)).collect::<Vec<_>>(), [("issue", JobState::Skipped)]);
    assert_eq!(live(&state), [send], "it is neither replaced nor made needless");
    // With nothing pending, why nothing is sent can be asked.
    state.jobs.get_mut(&send.id).unwrap().state = JobState::Dead;
    state.keys.get_mut(&KeyHash([2; 16])).unwrap().live = None;
    let third = decide(&chain(3, 2), &mut state).jobs;
    let reason = third.iter().find(|job| job.action == "send").and_then(|job| job.reason.clone()).unwrap();
    assert_eq!((reason.code.as_str(), reason.text.contains("`issue`")), ("step", true));
}

#[test]
fn an_import_fills_gaps_and_wakes_who_waited() {
    let mut state = State::default();
    decide(&arrival(1, 0, Some(Ask::Book(9))), &mut state);
    let write = |fields: Value| RecordWrite {
        key: RecordRef { kind: "clinic".into(), hash: RECORD },
        id: "7".into(),
        fields: fields.as_object().unwrap().clone(),
        subject: None,
        clinic: None,
    };
    let mut bring = |fields: Value, on_known| import(&[write(fields)], on_known, &DayBefore, &mut state)[0];
    assert_eq!(bring(json!({ "hours": 2 }), OnKnown::Keep), Imported::New);
    assert_eq!(bring(json!({ "hours": 3 }), OnKnown::Keep), Imported::Same);
    assert_eq!(bring(json!({ "hours": 4 }), OnKnown::Replace), Imported::Changed);
    assert_eq!(live(&state)[0].due, minute((9 * 24 - 24 + 4) * 60), "a pending job is looked at again");
}

proptest! {
    /// In whatever order bookings, moves and cancellations arrive, however often each, what is pending at the end is
    /// what the newest of them says, exactly once.
    #[test]
    fn the_newest_word_decides(
        asks in prop::collection::vec((0..20i64, prop_oneof![3 => (5..9i64).prop_map(Ask::Book), 1 => Just(Ask::Cancel)]), 1..12),
        repeats in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let mut state = State::default();
        for (number, (time, ask)) in asks.iter().enumerate() {
            decide(&arrival(number as u64, *time, Some(*ask)), &mut state);
            for repeat in &repeats {
                let seen = repeat.index(number + 1);
                let again = decide(&arrival(seen as u64, asks[seen].0, Some(asks[seen].1)), &mut state);
                prop_assert_eq!(again.status, Status::Duplicate);
            }
        }
        let pending: Vec<_> = live(&state).into_iter().map(|job| job.anchor).collect();
        prop_assert_eq!(pending, naive(&asks).map(Some).into_iter().collect::<Vec<_>>());
    }
}
