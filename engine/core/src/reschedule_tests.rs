use proptest::prelude::*;

use super::*;
use crate::decide::retime;
use crate::entropy::SeededEntropy;
use crate::hash::KeyHash;
use crate::id::{AutomationId, EventId, JobId};
use crate::job::Need;

fn minute(minutes: i64) -> Timestamp {
    Timestamp::from_second(1_772_000_000 + minutes * 60).unwrap()
}

/// What the rules say: this minute, and a hundred to live.
struct Says(i64);

impl Timetable for Says {
    fn due(&self, _: &DueQuestion<'_>, _: &dyn Records) -> Result<Due, Reason> {
        Ok(said(self.0))
    }
}

struct NoRecords;

impl Records for NoRecords {
    fn record(&self, _: KeyHash) -> Option<&serde_json::Value> {
        None
    }
}

fn said(at: i64) -> Due {
    Due { at: minute(at), expires: Some(minute(at + 100)) }
}

/// A pending job, due at this minute.
fn pending(at: i64) -> Job {
    let event = EventId::new(minute(0), 0, &SeededEntropy::new(1));
    let automation = AutomationId::new("r", "c", None);
    Job {
        id: JobId::derive(event, &automation, "a"),
        event,
        connection: "c".into(),
        clinic: None,
        entity: None,
        automation,
        rule: "r".into(),
        action: "a".into(),
        rule_digest: String::new(),
        key: None,
        lane: crate::Lane::default(),
        lookups: Vec::new(),
        needs: Vec::new(),
        collected: 0,
        anchor: None,
        reference: minute(0),
        due: minute(at),
        moved: None,
        expires: said(at).expires,
        run_at: minute(at),
        state: JobState::Scheduled,
        attempt: 0,
        lease: 0,
        attention: None,
        reason: None,
        cancel: None,
        again: false,
        in_flight: false,
        plugin: None,
    }
}

fn refused(job: &Job, to: i64) -> String {
    reschedule(job, Ok(said(50)), minute(to), minute(10)).expect_err("a refusal").code
}

#[test]
fn a_job_runs_when_a_person_says_so() {
    let waiting = Job { attention: Some(Reason::new("missing", "no phone")), run_at: minute(90), ..pending(50) };
    let later = reschedule(&waiting, Ok(said(50)), minute(70), minute(10)).unwrap();
    assert_eq!((later.due, later.run_at, later.attention.is_some()), (minute(70), minute(70), false));
    assert_eq!(later.moved, Some(Moved { from: minute(50), to: minute(70) }));
    let past = reschedule(&later, Ok(said(50)), minute(3), minute(10)).unwrap();
    assert_eq!((past.run_at, past.state), (minute(10), JobState::Scheduled), "not before now");
    let back = reschedule(&past, Ok(said(50)), minute(50), minute(10)).unwrap();
    assert_eq!((back.moved, back.due), (None, minute(50)), "the rules say the same");
}

#[test]
fn what_has_begun_or_ended_or_waits_for_a_step_is_not_moved() {
    for state in JobState::ALL.into_iter().filter(|state| !matches!(state, JobState::Scheduled | JobState::Ready)) {
        assert_eq!(refused(&Job { state, ..pending(50) }, 60), "wrong_state", "{state:?}");
    }
    assert_eq!(refused(&Job { attempt: 1, ..pending(50) }, 60), "begun");
    let need = |done| vec![Need { step: "issue".into(), job: pending(1).id, done }];
    assert_eq!(refused(&Job { needs: need(false), ..pending(50) }, 60), "step");
    assert!(reschedule(&Job { needs: need(true), ..pending(50) }, Ok(said(50)), minute(60), minute(10)).is_ok());
    let off = Err(Reason::new("switched_off", "off"));
    assert_eq!(reschedule(&pending(50), off, minute(60), minute(10)).unwrap_err().code, "switched_off");
}

#[test]
fn a_job_is_not_moved_to_when_it_is_too_late() {
    assert_eq!(refused(&pending(50), 150), "expired");
    assert!(reschedule(&pending(50), Ok(said(50)), minute(149), minute(10)).is_ok());
    let before = Job { anchor: Some(minute(80)), ..pending(50) };
    assert_eq!(refused(&before, 80), "after_anchor");
    assert!(reschedule(&before, Ok(said(50)), minute(79), minute(10)).is_ok());
    // What comes after something may come later still; what collects counts from the last event.
    let after = Job { anchor: Some(minute(20)), ..pending(50) };
    assert!(reschedule(&after, Ok(said(50)), minute(90), minute(10)).is_ok());
    let collects = Job { collected: 2, ..before };
    assert!(reschedule(&collects, Ok(said(50)), minute(90), minute(10)).is_ok());
}

proptest! {
    /// Whatever rules and people say in turn: a person's word stands until the rules say something else than when it was given, and no
    /// longer.
    #[test]
    fn a_word_stands_until_the_rules_say_another_time(turns in prop::collection::vec((any::<bool>(), 20..60i64), 1..20)) {
        let mut job = pending(50);
        let (mut rules, mut word) = (50, None);
        for (person, at) in turns {
            if person {
                job = reschedule(&job, due(&Job { moved: None, ..job.clone() }, &Says(rules), &NoRecords), minute(at), minute(10)).unwrap();
                word = Some(at);
            } else {
                word = word.filter(|_| at == rules);
                rules = at;
                retime(&mut job, &Says(rules), &NoRecords);
            }
            prop_assert_eq!(job.due, minute(word.unwrap_or(rules)));
            prop_assert_eq!(job.run_at, job.due);
            prop_assert_eq!(due(&job, &Says(rules), &NoRecords).unwrap().at, job.due, "an attempt sees it so");
            prop_assert_eq!(job.expires, said(rules).expires);
        }
    }
}
