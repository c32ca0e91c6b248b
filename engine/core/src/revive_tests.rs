use jiff::SignedDuration;

use super::*;
use crate::effect::Message;
use crate::entropy::SeededEntropy;
use crate::hash::KeyHash;
use crate::http::{Method, Request, Response, Target};
use crate::id::{AutomationId, EventId, JobId};
use crate::invocation::{EventRef, Invocation};
use crate::job::Need;

fn ts(text: &str) -> Timestamp {
    text.parse().unwrap()
}

const MADE: &str = "2026-03-05T12:00:00Z";
const NOW: &str = "2026-03-05T13:00:00Z";

fn ended(state: JobState) -> Job {
    let event = EventId::new(ts(MADE), 0, &SeededEntropy::new(1));
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
        key: Some(KeyHash([1; 16])),
        lane: crate::Lane::default(),
        lookups: Vec::new(),
        needs: Vec::new(),
        collected: 0,
        anchor: Some(ts("2026-03-06T13:00:00Z")),
        reference: ts(MADE),
        due: ts(MADE),
        expires: Some(ts("2026-03-05T15:00:00Z")),
        run_at: ts(MADE),
        state,
        attempt: 8,
        lease: 8,
        attention: None,
        reason: Some(Reason::new("later", "given up")),
        cancel: None,
        again: false,
        in_flight: false,
        plugin: None,
        moved: None,
    }
}

fn row(job: &Job) -> KeyRow {
    let done = (job.state == JobState::Unknown).then_some(DoneAnchor(job.anchor));
    KeyRow { live: None, newest: job.reference, done }
}

/// A question about a job of which everything is as it should be.
fn question<'a>(job: &'a Job, key: Option<&'a KeyRow>, journal: &'a [JournalEntry], steps: &'a [Option<JobState>]) -> Question<'a> {
    Question { job, key, echoed: false, journal, steps, lost: None, due: Ok(Due { at: job.due, expires: job.expires }) }
}

fn invocation() -> JournalEntry {
    JournalEntry::Invocation(Box::new(Invocation {
        job: String::new(),
        rule: String::new(),
        action: String::new(),
        event: EventRef { id: String::new(), kind: String::new(), time: String::new() },
        now: NOW.into(),
        seed: 1,
        locale: "en".into(),
        input: serde_json::Value::Null,
        grants: crate::Grants::default(),
        plugin_digest: String::new(),
        disclosure: crate::Disclosure::default(),
        records: Vec::new(),
    }))
}

fn request(method: Method) -> Effect {
    Effect::Http(Request { method, url: Target::parse("https://api.example.com/v1").unwrap(), headers: Vec::new(), body: None })
}

fn done(effect: Effect) -> JournalEntry {
    answered(effect, 200)
}

fn answered(effect: Effect, status: u16) -> JournalEntry {
    let response = Response { status, headers: Vec::new(), body: crate::http::Body(Vec::new()) };
    JournalEntry::Effect { effect, result: EffectResult::Answered { response } }
}

fn message() -> Effect {
    let body = crate::effect::Body::Text { text: "x".into() };
    Effect::Message(Message { channel: None, to: "t".into(), body, attachments: vec![], buttons: vec![] })
}

fn begun(in_flight: bool) -> JournalEntry {
    JournalEntry::Begun { effect: request(Method::Post), in_flight }
}

/// What becomes of it at [`NOW`].
fn at_once(question: &Question<'_>, verdict: Verdict) -> Result<Revived, Reason> {
    revive(question, verdict, ts(NOW), ts(NOW))
}

#[test]
fn who_says_what_about_which() {
    let outcome = |state, verdict| {
        let job = ended(state);
        let row = row(&job);
        at_once(&question(&job, Some(&row), &[], &[]), verdict).map(|revived| revived.job.state).map_err(|refused| refused.code)
    };
    let refused = |code: &str| Err(code.to_owned());
    for verdict in Verdict::ALL {
        assert_eq!(Verdict::parse(verdict.as_str()), Some(verdict));
        let runs = matches!(verdict, Verdict::Retry | Verdict::Run);
        assert_eq!(outcome(JobState::Dead, verdict), if runs { Ok(JobState::Ready) } else { refused("wrong_state") });
        let of_unknown = match verdict {
            Verdict::Retry => refused("undecided"),
            Verdict::Run => Ok(JobState::Ready),
            Verdict::Done => Ok(JobState::Done),
            Verdict::Not => Ok(JobState::Cancelled),
        };
        assert_eq!(outcome(JobState::Unknown, verdict), of_unknown);
        for other in [JobState::Scheduled, JobState::Ready, JobState::Running, JobState::Done, JobState::Skipped, JobState::Cancelled] {
            assert_eq!(outcome(other, verdict), refused("wrong_state"), "{other:?} {verdict:?}");
        }
    }
}

#[test]
fn it_is_the_same_job_from_the_beginning() {
    let job = ended(JobState::Dead);
    let key = row(&job);
    let revived = at_once(&question(&job, Some(&key), &[invocation()], &[]), Verdict::Retry).unwrap();
    assert_eq!((revived.job.id, revived.job.attempt, revived.job.lease, revived.job.run_at), (job.id, 0, 8, ts(NOW)));
    assert_eq!(revived.key, Some(KeyRow { live: Some(job.id), ..key }));
    let reason = revived.job.reason.unwrap();
    assert_eq!((reason.code.as_str(), reason.text.as_str()), (REVIVED, "a person had it run again; it had ended as dead: given up"));
}

#[test]
fn what_did_nothing_is_prepared_anew_and_all_else_is_replayed() {
    let job = ended(JobState::Dead);
    let refused = |effect| JournalEntry::Effect { effect, result: EffectResult::Refused { reason: "no".into() } };
    let read = JournalEntry::Effect { effect: Effect::StateGet { key: "k".into() }, result: EffectResult::Value { value: None } };
    for (entry, entries) in [
        (read, 0),
        (refused(request(Method::Post)), 0),
        (done(request(Method::Get)), 0),
        (answered(request(Method::Post), 403), 0),
        (answered(request(Method::Post), 302), 2),
        (done(request(Method::Post)), 2),
        (done(message()), 2),
        (begun(false), 2),
    ] {
        let journal = [invocation(), entry];
        let revived = at_once(&question(&job, None, &journal, &[]), Verdict::Retry).unwrap();
        assert_eq!((revived.journal.entries, revived.job.attempt), (entries, u32::from(entries > 0)), "{journal:?}");
    }
    // What was turned down is asked again, unless something was done after it.
    let journal = [invocation(), done(message()), answered(request(Method::Post), 401), refused(request(Method::Post))];
    let kept = |journal: &[JournalEntry]| at_once(&question(&job, None, journal, &[]), Verdict::Retry).unwrap().journal.entries;
    assert_eq!(kept(&journal), 2);
    assert_eq!(kept(&[&journal[..], &[done(message())]].concat()), 5);
}

#[test]
fn what_was_in_flight_is_not_any_more_once_a_person_says_so() {
    let job = ended(JobState::Unknown);
    let journal = [invocation(), done(message()), begun(true)];
    let asked = question(&job, None, &journal, &[]);
    let fate = |verdict| at_once(&asked, verdict).map(|revived| (revived.journal, revived.job.in_flight)).ok();
    assert_eq!(fate(Verdict::Run), Some((Kept { entries: 3, landed: true }, false)));
    assert_eq!(fate(Verdict::Not), Some((Kept { entries: 3, landed: true }, false)));
    assert_eq!(fate(Verdict::Done), Some((Kept { entries: 3, landed: false }, false)), "it says what it asked for");
    // Nobody has said so of a dead one.
    let dead = ended(JobState::Dead);
    let revived = at_once(&question(&dead, None, &journal, &[]), Verdict::Retry).unwrap();
    assert_eq!((revived.journal, revived.job.in_flight), (Kept { entries: 3, landed: false }, true));
}

#[test]
fn nothing_is_done_twice_or_against_a_newer_word() {
    let job = ended(JobState::Dead);
    let later = ts(MADE) + SignedDuration::from_mins(1);
    let other = JobId::from_bytes([9; 16]);
    let refused = |key: KeyRow| at_once(&question(&job, Some(&key), &[], &[]), Verdict::Retry).map_err(|refused| refused.code).err();
    let code = |code: &str| Some(code.to_owned());
    assert_eq!(refused(row(&job)), None);
    assert_eq!(refused(KeyRow { newest: later, ..row(&job) }), code("replaced"));
    assert_eq!(refused(KeyRow { live: Some(other), ..row(&job) }), code("replaced"));
    assert_eq!(refused(KeyRow { done: Some(DoneAnchor(job.anchor)), ..row(&job) }), code("already_done"));
    assert_eq!(refused(KeyRow { done: Some(DoneAnchor(None)), ..row(&job) }), None, "another time");
}

#[test]
fn the_mark_of_an_unknown_job_goes_or_stays_by_what_is_said() {
    let job = ended(JobState::Unknown);
    let key = row(&job);
    let asked = question(&job, Some(&key), &[], &[]);
    let said = |verdict| at_once(&asked, verdict).unwrap().key;
    assert_eq!(said(Verdict::Run), Some(KeyRow { live: Some(job.id), newest: job.reference, done: None }));
    assert_eq!(said(Verdict::Not), Some(KeyRow { live: None, newest: job.reference, done: None }));
    assert_eq!(said(Verdict::Done), None);
    // A newer event that wanted the same was skipped because of it: then this one is what there is.
    let key = KeyRow { newest: ts(NOW), ..key };
    let asked = question(&job, Some(&key), &[], &[]);
    assert_eq!(at_once(&asked, Verdict::Run).unwrap_err().code, "replaced");
    assert!(at_once(&Question { echoed: true, ..asked }, Verdict::Run).is_ok());
}

#[test]
fn collected_events_take_nobodys_place() {
    let job = Job { collected: 2, anchor: Some(ts(NOW)), ..ended(JobState::Dead) };
    let other = Some(JobId::from_bytes([9; 16]));
    let key = KeyRow { live: other, newest: Timestamp::MIN, done: Some(DoneAnchor(job.anchor)) };
    let revived = at_once(&question(&job, Some(&key), &[], &[]), Verdict::Retry).unwrap();
    assert_eq!(revived.key.unwrap().live, other);
    let cancelled = KeyRow { newest: ts("2026-03-05T13:00:01Z"), ..key };
    assert_eq!(at_once(&question(&job, Some(&cancelled), &[], &[]), Verdict::Retry).unwrap_err().code, "replaced");
}

#[test]
fn too_late_is_not_run_and_what_is_not_due_waits() {
    let job = ended(JobState::Dead);
    let expires = job.expires.unwrap();
    let asked = question(&job, None, &[], &[]);
    assert_eq!(revive(&asked, Verdict::Retry, expires, expires).unwrap_err().code, "expired");
    let just = expires - SignedDuration::from_millis(1);
    assert!(revive(&asked, Verdict::Retry, just, just).is_ok());
    let slot = ts(NOW) + SignedDuration::from_mins(1);
    let revived = revive(&asked, Verdict::Retry, slot, ts(NOW)).unwrap().job;
    assert_eq!((revived.state, revived.run_at, revived.due), (JobState::Scheduled, slot, job.due));
    // The rules of now say another time: one that did something keeps its own.
    let due = Due { at: slot, expires: None };
    let moved = Question { due: Ok(due), ..question(&job, None, &[], &[]) };
    let revived = at_once(&moved, Verdict::Retry).unwrap().job;
    assert_eq!((revived.due, revived.run_at, revived.expires), (slot, slot, None));
    let journal = [invocation(), done(message())];
    let begun = Question { due: Ok(due), ..question(&job, None, &journal, &[]) };
    assert_eq!(at_once(&begun, Verdict::Retry).unwrap().job.due, job.due);
}

#[test]
fn what_is_gone_is_gone() {
    let job = ended(JobState::Dead);
    let asked = || question(&job, None, &[], &[]);
    let refused = at_once(&Question { lost: Some("its event was deleted"), ..asked() }, Verdict::Retry).unwrap_err();
    assert_eq!((refused.code.as_str(), refused.text.as_str()), ("gone", "its event was deleted, so there is nothing to run it on"));
    for code in [SWITCHED_OFF, RULE_GONE, "late"] {
        let off = Question { due: Err(Reason::new(code, "no")), ..asked() };
        assert_eq!(at_once(&off, Verdict::Retry).unwrap_err().code, code);
        let journal = [invocation(), done(message())];
        let begun = Question { due: Err(Reason::new(code, "no")), ..question(&job, None, &journal, &[]) };
        let refused = at_once(&begun, Verdict::Retry).err().map(|refused| refused.code);
        assert_eq!(refused.as_deref(), Some(code).filter(|code| *code != "late"), "it keeps its time, but is not run where it is off");
    }
}

#[test]
fn a_step_brings_back_what_came_after_it() {
    let need = |step: &str| Need { step: step.into(), job: JobId::from_bytes([2; 16]), done: false };
    let job = Job { needs: vec![need("one"), need("two")], reason: Some(Reason::new(STEP, "its step")), ..ended(JobState::Cancelled) };
    let back = |one, two| {
        let steps = [one, two];
        let revived = at_once(&question(&job, None, &[], &steps), Verdict::Retry);
        revived.map(|revived| (revived.job.state, revived.job.needs.iter().map(|need| need.done).collect::<Vec<_>>()))
    };
    let (live, over) = (Some(JobState::Ready), Some(JobState::Done));
    assert_eq!(back(over, over), Ok((JobState::Ready, vec![true, true])));
    assert_eq!(back(live, over), Ok((JobState::Scheduled, vec![false, true])));
    for other in [Some(JobState::Dead), Some(JobState::Unknown), None] {
        assert_eq!(back(over, other).unwrap_err().code, STEP, "{other:?}");
    }
    let otherwise = Job { reason: Some(Reason::new("replaced", "x")), ..job.clone() };
    assert_eq!(at_once(&question(&otherwise, None, &[], &[over, over]), Verdict::Retry).unwrap_err().code, "wrong_state");
}

#[test]
fn a_person_cancels() {
    let pending = ended(JobState::Scheduled);
    let next = cancel(&pending);
    assert_eq!((next.state, next.reason.unwrap().code.as_str()), (JobState::Cancelled, BY_PERSON));
    assert_eq!(cancel(&Job { in_flight: true, ..pending }).state, JobState::Unknown, "nobody knows what is in flight");
    let running = ended(JobState::Running);
    let asked = cancel(&running);
    assert_eq!((asked.state, asked.cancel.as_ref().unwrap().code.as_str()), (JobState::Running, BY_PERSON));
    let before = Job { cancel: Some(Reason::new("replaced", "x")), ..running };
    assert_eq!(cancel(&before).cancel, before.cancel, "the first to ask is the reason");
}
