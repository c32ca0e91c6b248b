use super::*;
use crate::entropy::SeededEntropy;
use crate::id::{AutomationId, EventId};

fn ts(text: &str) -> Timestamp {
    text.parse().unwrap()
}

const NOW: &str = "2026-03-05T13:00:00Z";

fn running() -> Job {
    let event = EventId::new(ts(NOW), 0, &SeededEntropy::new(1));
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
        reference: ts(NOW),
        due: ts(NOW),
        expires: Some(ts("2026-03-05T15:00:00Z")),
        run_at: ts(NOW),
        state: JobState::Running,
        attempt: 1,
        lease: 5,
        attention: None,
        reason: None,
        cancel: None,
        again: false,
        in_flight: false,
        plugin: None,
        moved: None,
    }
}

fn settlement(job: &Job, end: AttemptEnd) -> Settlement {
    Settlement {
        job: job.id,
        lease: 5,
        end,
        journal: vec![],
        shown: None,
        local: vec![],
        emitted: vec![],
        outward: false,
        report: Report::default(),
        policy: RetryPolicy::default(),
    }
}

fn invocation() -> JournalEntry {
    let text = serde_json::json!({
        "job": "", "rule": "r", "action": "a", "event": { "id": "", "type": "", "time": "" }, "now": NOW, "seed": 1, "locale": "en",
        "input": null, "grants": {}, "plugin_digest": "", "disclosure": { "plugin": "p", "fields": {}, "purpose": null, "basis": null },
    });
    JournalEntry::Invocation(serde_json::from_value(text).unwrap())
}

#[test]
fn a_job_keeps_the_plugin_that_it_began_with() {
    let later = || AttemptEnd::Retry { reason: Reason::new("x", "x"), after: None };
    let plugin = |job: &Job, settlement: Settlement| match settle(job, None, &settlement, ts(NOW)) {
        Settled::Applied { job, .. } => (job.plugin, job.state, job.run_at == ts(NOW)),
        Settled::Stale => panic!("stale"),
    };
    let journal = || vec![(0, invocation())];
    let some = |name: &str| Some(name.to_owned());
    let fresh = running();
    assert_eq!(plugin(&fresh, Settlement { journal: journal(), ..settlement(&fresh, later()) }).0, some("p"));
    assert_eq!(plugin(&fresh, settlement(&fresh, later())).0, None, "nothing of it was kept");
    let begun = Job { plugin: some("p"), ..running() };
    assert_eq!(plugin(&begun, settlement(&begun, later())).0, some("p"));
    // Broken off, it stands in the line at once, and is kept out of it by what it began with.
    let halted = |begun| AttemptEnd::Interrupted { reason: Reason::new("halted", "x"), begun };
    let of = |job: &Job, begun| plugin(job, Settlement { journal: journal(), ..settlement(job, halted(begun)) });
    assert_eq!(of(&fresh, some("p")), (some("p"), JobState::Scheduled, true), "one that began before this was noted");
    assert_eq!(of(&fresh, None), (None, JobState::Scheduled, true), "nothing of it was kept");
}

fn row(job: &Job) -> KeyRow {
    KeyRow { live: Some(job.id), newest: job.reference, done: None }
}

fn applied(settled: Settled) -> (Job, Option<KeyRow>, bool) {
    match settled {
        Settled::Applied { job, key, keep_effects } => (*job, key, keep_effects),
        Settled::Stale => panic!("stale"),
    }
}

fn done() -> AttemptEnd {
    AttemptEnd::Done { code: "sent".into() }
}

#[test]
fn a_stale_lease_changes_nothing() {
    let job = running();
    let mut late = settlement(&job, done());
    late.lease = 4;
    assert_eq!(settle(&job, None, &late, ts(NOW)), Settled::Stale);
    let ended = Job { state: JobState::Done, ..job.clone() };
    assert_eq!(settle(&ended, None, &settlement(&job, done()), ts(NOW)), Settled::Stale);
}

#[test]
fn a_job_that_is_done_leaves_its_anchor_under_the_key() {
    let job = running();
    let (next, key, keep) = applied(settle(&job, Some(&row(&job)), &settlement(&job, done()), ts(NOW)));
    assert_eq!(next.state, JobState::Done);
    assert!(keep);
    assert_eq!(key, Some(KeyRow { live: None, newest: job.reference, done: Some(DoneAnchor(job.anchor)) }));
}

#[test]
fn a_cancellation_while_it_ran_takes_its_local_effects_back() {
    let job = Job { cancel: Some(Reason::new("cancelled_by_event", "x")), ..running() };
    let (next, key, keep) = applied(settle(&job, Some(&row(&job)), &settlement(&job, done()), ts(NOW)));
    assert_eq!((next.state, keep), (JobState::Cancelled, false));
    assert_eq!(key.unwrap().done, None);

    let mut out = settlement(&job, done());
    out.outward = true;
    let (next, _, keep) = applied(settle(&job, Some(&row(&job)), &out, ts(NOW)));
    assert_eq!((next.state, keep), (JobState::Done, true), "what has left the house cannot be called back");
}

#[test]
fn a_retry_waits_and_the_last_one_ends() {
    let job = running();
    let failed = AttemptEnd::Retry { reason: Reason::new("plugin", "busy"), after: None };
    let (next, key, _) = applied(settle(&job, Some(&row(&job)), &settlement(&job, failed.clone()), ts(NOW)));
    assert_eq!(next.state, JobState::Scheduled);
    assert!(next.run_at > ts(NOW));
    assert_eq!(key.unwrap().live, Some(job.id), "its key still points at it");

    let last = Job { attempt: 8, expires: None, ..job.clone() };
    assert_eq!(applied(settle(&last, None, &settlement(&last, failed.clone()), ts(NOW))).0.state, JobState::Dead);

    let expiring = Job { expires: Some(ts("2026-03-05T13:00:01Z")), ..job };
    assert_eq!(applied(settle(&expiring, None, &settlement(&expiring, failed), ts(NOW))).0.state, JobState::Dead);
}

#[test]
fn waiting_does_not_count_as_an_attempt() {
    let job = running();
    let until = job.expires.unwrap();
    let end = AttemptEnd::Wait { reason: Reason::new("missing", "patient $.phones[0] is missing"), until };
    let (next, _, _) = applied(settle(&job, Some(&row(&job)), &settlement(&job, end), ts(NOW)));
    assert_eq!((next.state, next.attempt, next.run_at), (JobState::Scheduled, 0, until));
    assert!(next.attention.is_some());
}

#[test]
fn waiting_for_a_destination_uses_no_attempt() {
    let down = || Reason::new(crate::breaker::DOWN, "destination api.example.com is down");
    let until = ts("2026-03-05T14:00:00Z");
    let deferred = |job: &Job, begun| {
        let end = AttemptEnd::Deferred { reason: down(), until, begun };
        applied(settle(job, Some(&row(job)), &settlement(job, end), ts(NOW)))
    };
    let job = running();
    let (next, key, keep) = deferred(&job, false);
    assert_eq!((next.state, next.attempt, next.run_at, keep), (JobState::Scheduled, 0, until, true));
    assert_eq!((next.reason, next.attention, key.unwrap().live), (Some(down()), None, Some(job.id)));
    assert_eq!(next.due, job.due, "it is late, and that can be seen");
    for (attempt, after) in [(1, 1), (2, 1), (7, 6)] {
        let (next, ..) = deferred(&Job { attempt, ..job.clone() }, true);
        assert_eq!(next.attempt, after, "what is done stays done, and it has begun");
    }
    let ordered = Job { lane: crate::Lane { order: Some(KeyHash([7; 16])), ..crate::Lane::default() }, ..job.clone() };
    assert_eq!(deferred(&ordered, false).0.attempt, 1, "nobody overtakes it");
    let (next, ..) = deferred(&Job { expires: Some(until), ..job.clone() }, false);
    assert!(next.state == JobState::Dead && next.reason.as_ref().unwrap().text.contains("is down"), "{:?}", next.reason);
    let (next, ..) = deferred(&Job { cancel: Some(Reason::new("x", "x")), ..job.clone() }, false);
    assert_eq!(next.state, JobState::Cancelled);
}

#[test]
fn a_record_that_changed_while_it_ran_makes_it_look_again() {
    let job = Job { again: true, attempt: 2, ..running() };
    let missing = Reason::new("missing", "patient $.phones[0] is missing");
    for end in [
        AttemptEnd::Wait { reason: missing.clone(), until: job.expires.unwrap() },
        AttemptEnd::Skipped(missing),
        AttemptEnd::Moved(Due { at: job.due, expires: job.expires }),
    ] {
        let (next, _, _) = applied(settle(&job, Some(&row(&job)), &settlement(&job, end), ts(NOW)));
        assert_eq!((next.state, next.attempt, next.run_at, next.again), (JobState::Ready, 0, ts(NOW), false));
    }
    assert_eq!(applied(settle(&job, None, &settlement(&job, done()), ts(NOW))).0.state, JobState::Done);
}

#[test]
fn a_cancellation_outranks_a_failure() {
    let job = Job { cancel: Some(Reason::new("cancelled_by_event", "x")), ..running() };
    let failed = AttemptEnd::Dead(Reason::new("plugin", "x"));
    let (next, _, keep) = applied(settle(&job, Some(&row(&job)), &settlement(&job, failed), ts(NOW)));
    assert_eq!((next.state, keep), (JobState::Cancelled, false));
}

#[test]
fn a_job_whose_worker_died_is_tried_again_but_not_for_ever() {
    let policy = RetryPolicy::default();
    let now = ts(NOW);
    let back = reclaim(&Job { again: true, ..running() }, policy, now);
    assert_eq!((back.state, back.again), (JobState::Ready, false));
    assert_eq!(reclaim(&Job { attempt: 4, ..running() }, policy, now).state, JobState::Ready);
    for attempt in 5..8 {
        let later = reclaim(&Job { attempt, ..running() }, policy, now);
        assert!(later.state == JobState::Scheduled && later.run_at > now + SignedDuration::from_mins(1), "{attempt}: {}", later.run_at);
    }
    assert_eq!(reclaim(&Job { attempt: 8, ..running() }, policy, now).state, JobState::Dead);
    let asked = Job { cancel: Some(Reason::new("x", "x")), ..running() };
    assert_eq!(reclaim(&asked, policy, now).state, JobState::Cancelled);
}

#[test]
fn a_step_lets_go_or_takes_along() {
    let step = |number| JobId::derive(EventId::new(ts(NOW), 0, &SeededEntropy::new(number)), &AutomationId::new("r", "c", None), "step");
    let need = |number| crate::job::Need { step: format!("step{number}"), job: step(number), done: false };
    let job = Job { state: JobState::Scheduled, attempt: 0, lease: 0, needs: vec![need(7), need(8)], ..running() };
    assert_eq!(step_ended(&job, step(9), JobState::Done), None, "not a step of its own");
    assert_eq!(step_ended(&job, step(7), JobState::Running), None, "not ended");
    let half = step_ended(&job, step(7), JobState::Done).unwrap();
    assert!(half.waits() && half.state == JobState::Scheduled);
    assert_eq!(step_ended(&half, step(7), JobState::Dead), None, "what is done is done");
    let free = step_ended(&half, step(8), JobState::Done).unwrap();
    assert!(!free.waits() && free.run_at == job.run_at, "due at its own time");
    for end in [JobState::Dead, JobState::Cancelled, JobState::Skipped] {
        let gone = step_ended(&half, step(8), end).unwrap();
        assert_eq!(gone.state, JobState::Cancelled);
        assert!(gone.reason.unwrap().text.contains("`step8`"));
    }
}
