//! What people decide about jobs: they run again, are said to be done or not, or are cancelled.

use std::num::NonZeroU32;
use std::sync::Arc;

use serde_json::{Value, json};
use zelo_core::decide::SWITCHED_OFF;
use zelo_core::http::{Body, Method, Request, Target};
use zelo_core::job::Reason;
use zelo_core::revive::Verdict;
use zelo_core::settle::{AttemptEnd, Checkpoint, Checkpointed, LocalWrite, Purpose, Settled, Settlement};
use zelo_core::timing::{Due, DueQuestion, Records, Timetable};
use zelo_core::{Actor, AuditKind, ClinicRef, Clinics, Effect, EffectResult, Job, JobId, JobState, JournalEntry, KeyHash, Lane};
use zelo_store::{Aged, AuditPage, Cancellation, Decided, Page, Retention, Revival, Revivals, Revive, Trouble, Which, Work};

use crate::build::{DAY, DayBefore, Db, done, message, minute, sending, settlement};

fn dead() -> AttemptEnd {
    AttemptEnd::Dead(Reason::new("later", "given up after 8 attempts"))
}

fn unknown() -> AttemptEnd {
    AttemptEnd::Unknown(Reason::new("unknown", "nobody knows"))
}

fn ask(which: Which, verdict: Verdict) -> Revive {
    let actor = Actor::credential("token", "ana");
    Revive { which, verdict, per_minute: None, dry_run: false, actor, timetable: Arc::new(DayBefore) }
}

/// Of each job its id, how it stands, and why it was refused.
fn told(revivals: &Revivals) -> Vec<(JobId, JobState, Option<&str>)> {
    let code = |job: &Revival| job.refused.as_ref().map(|refused| refused.code.clone());
    let told = revivals.jobs.iter().map(|job| (job.job, job.state, code(job)));
    told.map(|(job, state, code)| (job, state, code.map(|code| &*code.leak()))).collect()
}

impl Db {
    async fn decide(&self, job: JobId, verdict: Verdict, now: i64) -> Revivals {
        self.store.revive(ask(Which::Jobs(vec![job]), verdict), minute(now)).await.unwrap()
    }

    /// Why it is not done.
    async fn refused(&self, job: JobId, verdict: Verdict, now: i64) -> String {
        self.decide(job, verdict, now).await.jobs.remove(0).refused.expect("a refusal").code
    }

    /// A job that ends so at its first attempt, at minute 1.
    async fn ended(&self, number: u64, end: AttemptEnd) -> Work {
        self.record(self.delivery(number, 0).fires("thank")).await;
        let work = self.claim(1).await.remove(0);
        self.settle(&work, end, 1).await;
        work
    }

    async fn end_of(&self, job: JobId) -> Settled {
        let work = self.claim(DAY).await.into_iter().find(|work| work.job.id == job).expect("it is due");
        self.settle(&work, done(), DAY).await
    }

    async fn states(&self) -> Vec<(JobId, JobState)> {
        let jobs = self.store.jobs(&Page { limit: 200, ..Page::default() }, None).await.unwrap();
        jobs.into_iter().map(|view| (view.job.id, view.job.state)).collect()
    }
}

fn request() -> Effect {
    let url = Target::parse("https://api.example.com/v1").unwrap();
    Effect::Http(Request { method: Method::Post, url, headers: Vec::new(), body: Some(Body(b"{}".to_vec())) })
}

/// Begins a request, and does not hear of it again: entry 3, after what [`sending`] did.
async fn loses_a_request(db: &Db, work: &Work) {
    let slot = db.store.indexer().state("centro", "7", "reminder", "thank", "last");
    let Settlement { mut journal, local, .. } = sending(work, slot, "5511", "Olá");
    journal.push((3, JournalEntry::Begun { effect: request(), in_flight: true }));
    let (job, lease) = (work.job.id, work.job.lease);
    let check = Checkpoint { job, lease, journal, local, emitted: Vec::new(), purpose: Purpose::Begin };
    assert_eq!(db.store.checkpoint(check, minute(1)).await.unwrap(), Checkpointed::Kept);
    db.settle(work, unknown(), 1).await;
}

/// Every automation is off.
struct Off;

impl Timetable for Off {
    fn due(&self, _: &DueQuestion<'_>, _: &dyn Records) -> Result<Due, Reason> {
        Err(Reason::new(SWITCHED_OFF, "the automation is switched off"))
    }
}

conforming! {
    async fn a_dead_job_runs_again_as_the_same_job(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        db.record(db.delivery(1, 0).subject(&index, "p1").fires_for(&index, "77", DAY, Some("k1"))).await;
        let work = db.claim(1).await.remove(0);
        db.settle(&work, dead(), 1).await;
        assert_eq!((db.claim(5).await.len(), db.job(work.job.id).await.state), (0, JobState::Dead));
        let revived = db.decide(work.job.id, Verdict::Retry, 5).await;
        assert_eq!(told(&revived), [(work.job.id, JobState::Ready, None)]);
        assert_eq!((revived.jobs[0].was, revived.jobs[0].run_at), (JobState::Dead, Some(minute(5))));
        let db = db.reopen().await;
        // It holds its key, and reads what it read.
        db.record(db.delivery(2, 6).remembers(&index, "k1", json!({ "hours": 1 }))).await;
        let moved = db.job(work.job.id).await;
        assert_eq!((moved.state, moved.run_at), (JobState::Scheduled, minute(60)), "an hour later");
        let again = db.claim(60).await.remove(0);
        assert_eq!((again.job.id, again.job.lease, again.job.attempt), (work.job.id, work.job.lease + 1, 1));
        assert_eq!(db.settle(&work, done(), 61).await, Settled::Stale, "who held it before is not heard");
        assert!(matches!(db.settle(&again, done(), 61).await, Settled::Applied { .. }));
        let skipped = db.record(db.delivery(3, 62).fires_for(&index, "77", DAY, None)).await;
        assert_eq!(skipped[0].reason.as_ref().unwrap().code, "already_done");
    }

    async fn a_newer_event_takes_the_place_of_a_revived_job(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        db.record(db.delivery(1, 0).fires_for(&index, "77", DAY, None)).await;
        let work = db.claim(1).await.remove(0);
        db.settle(&work, dead(), 1).await;
        db.decide(work.job.id, Verdict::Retry, 2).await;
        db.record(db.delivery(2, 3).cancels(&index, "77")).await;
        assert_eq!(db.job(work.job.id).await.state, JobState::Cancelled);
        assert_eq!(db.refused(work.job.id, Verdict::Retry, 4).await, "wrong_state");
    }

    async fn what_was_done_is_replayed_and_what_was_not_is_prepared_anew(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let slot = index.state("centro", "7", "reminder", "thank", "last");
        db.record(db.delivery(1, 0).fires("thank")).await;
        let work = db.claim(1).await.remove(0);
        let whole = sending(&work, slot, "5511", "Olá");
        db.store.settle(Settlement { end: dead(), ..whole.clone() }, minute(1)).await.unwrap();
        db.decide(work.job.id, Verdict::Retry, 2).await;
        let again = db.claim(2).await.remove(0);
        assert_eq!(again.journal, whole.journal.iter().map(|(_, entry)| entry.clone()).collect::<Vec<_>>());
        db.settle(&again, done(), 3).await;
        assert_eq!(db.message_count().await, 1);

        let frozen = db.ended(2, dead()).await;
        db.decide(frozen.job.id, Verdict::Retry, 2).await;
        let work = db.claim(2).await.remove(0);
        let journal = sending(&work, slot, "5511", "Olá").journal.drain(..1).collect();
        db.store.settle(Settlement { end: dead(), journal, ..settlement(&work, done()) }, minute(3)).await.unwrap();
        assert_eq!(db.store.journal(work.job.id).await.unwrap().len(), 1);
        db.decide(work.job.id, Verdict::Retry, 4).await;
        assert_eq!(db.claim(4).await.remove(0).journal, [], "on what is known now");
    }

    async fn a_person_says_what_became_of_an_unknown_job(kind) {
        let db = Db::open(kind).await;
        for (number, verdict, state) in
            [(1, Verdict::Run, JobState::Ready), (2, Verdict::Done, JobState::Done), (3, Verdict::Not, JobState::Cancelled)]
        {
            db.record(db.delivery(number, 0).fires("thank")).await;
            let work = db.claim(1).await.remove(0);
            let id = work.job.id;
            loses_a_request(&db, &work).await;
            assert_eq!(db.refused(id, Verdict::Retry, 2).await, "undecided");
            let before = db.store.journal(id).await.unwrap();
            assert_eq!(told(&db.decide(id, verdict, 3).await), [(id, state, None)]);
            let entry = db.store.journal(id).await.unwrap().remove(3);
            let in_flight = verdict == Verdict::Done;
            assert_eq!(entry, JournalEntry::Begun { effect: request(), in_flight }, "{verdict:?}");
            assert_eq!(db.store.journal(id).await.unwrap()[..3], before[..3]);
            if verdict != Verdict::Run {
                assert_eq!(db.job(id).await.reason.unwrap().code, "decided");
                assert_eq!(db.refused(id, Verdict::Run, 4).await, "wrong_state", "that stands");
                continue;
            }
            let again = db.claim(4).await.remove(0);
            assert!(!again.job.in_flight && again.journal.len() == 4);
            // It fails, and is dead: nothing is in flight any more.
            db.settle(&again, dead(), 5).await;
            assert_eq!(db.job(id).await.state, JobState::Dead);
        }
        assert_eq!(db.message_count().await, 3, "each once");
    }

    async fn the_key_of_an_unknown_job_goes_with_what_is_said(kind) {
        for (verdict, next) in [(Verdict::Done, JobState::Skipped), (Verdict::Not, JobState::Scheduled)] {
            let db = Db::open(kind).await;
            let index = db.store.indexer().clone();
            db.record(db.delivery(1, 0).fires_for(&index, "77", 2 * DAY, None)).await;
            let work = db.claim(DAY).await.remove(0);
            db.settle(&work, unknown(), DAY).await;
            // The same was wanted again, and was perhaps done.
            let skipped = db.record(db.delivery(2, 5).fires_for(&index, "77", 2 * DAY, None)).await;
            assert_eq!(skipped[0].state, JobState::Skipped);
            assert_eq!(db.decide(work.job.id, verdict, DAY).await.refused(), 0);
            let made = db.record(db.delivery(3, 6).fires_for(&index, "77", 2 * DAY, None)).await;
            assert_eq!(made[0].state, next, "{verdict:?}");
        }
    }

    async fn an_unknown_job_is_run_although_the_same_was_wanted_again(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        db.record(db.delivery(1, 0).fires_for(&index, "77", DAY, None)).await;
        let work = db.claim(1).await.remove(0);
        db.settle(&work, unknown(), 1).await;
        db.record(db.delivery(2, 5).fires_for(&index, "77", DAY, None)).await;
        assert_eq!(told(&db.decide(work.job.id, Verdict::Run, 6).await), [(work.job.id, JobState::Ready, None)]);
        assert!(matches!(db.end_of(work.job.id).await, Settled::Applied { .. }));
        // Not where what came was a cancellation.
        db.record(db.delivery(3, 5).fires_for(&index, "78", DAY, None)).await;
        let work = db.claim(6).await.remove(0);
        db.settle(&work, unknown(), 6).await;
        db.record(db.delivery(4, 7).cancels(&index, "78")).await;
        assert_eq!(db.refused(work.job.id, Verdict::Run, 8).await, "replaced");
    }

    async fn each_refusal_says_why(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let dies = async |number: u64, key: &str| {
            db.record(db.delivery(number, 0).fires_for(&index, key, DAY, None)).await;
            let work = db.claim(1).await.remove(0);
            db.settle(&work, dead(), 1).await;
            work.job.id
        };
        let replaced = dies(1, "1").await;
        db.record(db.delivery(10, 5).fires_for(&index, "1", 9 * DAY, None)).await;
        assert_eq!(db.refused(replaced, Verdict::Retry, 6).await, "replaced");
        let expired = dies(2, "2").await;
        assert_eq!(db.refused(expired, Verdict::Retry, 99 * 60).await, "expired");
        assert_eq!(db.refused(expired, Verdict::Done, 6).await, "wrong_state");
        let pending = db.record(db.delivery(11, 5).fires_for(&index, "3", 9 * DAY, None)).await.remove(0);
        assert_eq!(db.refused(pending.id, Verdict::Retry, 6).await, "wrong_state");
        let off = Revive { timetable: Arc::new(Off), ..ask(Which::Jobs(vec![expired]), Verdict::Retry) };
        let refused = db.store.revive(off, minute(6)).await.unwrap().jobs.remove(0).refused.unwrap();
        assert_eq!(refused.code, SWITCHED_OFF);
        let nobody = JobId::from_bytes([3; 16]);
        let answer = db.decide(nobody, Verdict::Retry, 6).await;
        assert_eq!((answer.jobs.len(), answer.missing.clone(), answer.refused()), (0, vec![nobody], 1));
        // None of that has changed anything.
        assert_eq!(db.job(replaced).await.state, JobState::Dead);
        assert_eq!(db.job(expired).await.state, JobState::Dead);
        assert_eq!(db.store.decisions(expired).await.unwrap(), []);
        assert_eq!(told(&db.decide(expired, Verdict::Retry, 7).await), [(expired, JobState::Ready, None)]);
    }

    async fn what_is_deleted_or_erased_cannot_be_run(kind) {
        let db = Db::open(kind).await;
        let work = db.ended(1, dead()).await;
        let keep = Retention { events: vec![Aged::all("events", minute(9))], ..Retention::default() };
        db.store.retain(keep, Actor::command(), minute(10)).await.unwrap();
        assert_eq!(db.refused(work.job.id, Verdict::Retry, 11).await, "gone");

        // A job of nobody's that was shown a record of somebody, and said so elsewhere.
        let index = db.store.indexer().clone();
        db.record(db.delivery(2, 0).subject(&index, "p1").remembers(&index, "p1", json!({ "name": "Íris" }))).await;
        db.record(db.delivery(3, 0).fires("thank")).await;
        let work = db.claim(1).await.remove(0);
        let slot = index.state("centro", "7", "reminder", "thank", "last");
        let mut end = sending(&work, slot, "5511", "Olá");
        if let JournalEntry::Invocation(invocation) = &mut end.journal[0].1 {
            invocation.records = vec![index.record("centro", "clinic", "p1")];
        }
        db.store.settle(Settlement { end: dead(), ..end }, minute(1)).await.unwrap();
        db.store.erase(db.person("p1").await, Actor::command(), minute(5)).await.unwrap();
        assert_eq!(db.store.journal(work.job.id).await.unwrap(), [], "what it did is not known any more");
        assert_eq!(db.refused(work.job.id, Verdict::Retry, 6).await, "gone");
    }

    async fn what_came_after_a_step_comes_back_with_it(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        for (number, end, verdict) in [(1, dead(), Verdict::Retry), (2, unknown(), Verdict::Run), (3, unknown(), Verdict::Done)] {
            let key = number.to_string();
            let delivery = db.delivery(number, 0).fires_after(&index, "a", Some(&key), &[], None);
            let delivery = delivery.fires_after(&index, "b", Some(&key), &["a"], None).fires_after(&index, "c", None, &["b"], None);
            let ids: Vec<JobId> = db.record(delivery).await.iter().map(|job| job.id).collect();
            let work = db.claim(1).await.remove(0);
            let [a, b, c] = ["a", "b", "c"].map(|action| {
                *ids.iter().find(|id| **id == JobId::derive(work.job.event, &work.job.automation, action)).unwrap()
            });
            db.settle(&work, end, 1).await;
            assert_eq!(db.job(c).await.state, JobState::Cancelled);
            assert_eq!(db.refused(c, Verdict::Retry, 2).await, "step", "it comes back with its step");
            let dry = Revive { dry_run: true, ..ask(Which::Jobs(vec![a]), verdict) };
            let would = db.store.revive(dry, minute(3)).await.unwrap();
            let revived = db.decide(a, verdict, 3).await;
            assert_eq!(would, revived);
            let with: Vec<_> = revived.jobs.iter().map(|job| (job.job, job.with)).collect();
            assert_eq!(with, [(a, None), (b, Some(a)), (c, Some(b))]);
            let order = if verdict == Verdict::Done { vec![b, c] } else { vec![a, b, c] };
            for id in order {
                let work = db.claim(4).await;
                assert_eq!(work.iter().map(|work| work.job.id).collect::<Vec<_>>(), [id], "one after the other");
                db.settle(&work[0], done(), 4).await;
            }
        }
    }

    async fn a_job_after_two_steps_waits_for_both_to_come_back(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let delivery = db.delivery(1, 0).fires_after(&index, "a", None, &[], None).fires_after(&index, "b", None, &[], None);
        let jobs = db.record(delivery.fires_after(&index, "c", None, &["a", "b"], None)).await;
        let c = jobs.iter().find(|job| job.action == "c").unwrap().id;
        let work = db.claim(1).await;
        for work in &work {
            db.settle(work, dead(), 1).await;
        }
        let one = db.decide(work[0].job.id, Verdict::Retry, 2).await;
        assert_eq!((one.jobs.len(), one.refused()), (1, 0));
        let other = db.decide(work[1].job.id, Verdict::Retry, 2).await;
        assert_eq!(other.jobs.iter().map(|job| job.job).collect::<Vec<_>>(), [work[1].job.id, c]);
        assert!(db.job(c).await.waits());
    }

    async fn all_that_ended_so_run_at_a_rate(kind) {
        let db = Db::open(kind).await;
        // More than one portion.
        let mut ids = Vec::new();
        for number in 0..150 {
            let end = if number % 50 == 49 { AttemptEnd::Dead(Reason::new("plugin", "no")) } else { dead() };
            ids.push((number % 50 != 49, db.ended(number, end).await.job.id));
        }
        let unknown = db.ended(200, unknown()).await.job.id;
        let meant: Vec<JobId> = ids.iter().filter(|(meant, _)| *meant).map(|(_, id)| *id).collect();
        let trouble = Trouble { code: Some("later".into()), rule: Some("reminder".into()), ..Trouble::default() };
        let all = |dry_run| Revive { per_minute: NonZeroU32::new(60), dry_run, ..ask(Which::All(trouble.clone()), Verdict::Retry) };
        let before = db.states().await;
        let would = db.store.revive(all(true), minute(10)).await.unwrap();
        assert_eq!(db.states().await, before, "a dry run changes nothing");
        assert_eq!((db.claim(99).await.len(), db.store.audit(&AuditPage { kind: Some(AuditKind::Decided), ..AuditPage::default() }).await.unwrap()), (0, vec![]));
        let revived = db.store.revive(all(false), minute(10)).await.unwrap();
        assert_eq!(would, revived, "and says what will be");
        assert_eq!(revived.jobs.iter().map(|job| job.job).collect::<Vec<_>>(), meant);
        for (turn, job) in revived.jobs.iter().enumerate() {
            assert_eq!(job.run_at.unwrap(), minute(10) + zelo_core::SignedDuration::from_secs(turn as i64));
        }
        let db = db.reopen().await;
        assert_eq!((db.claim(10).await.len(), db.claim(11).await.len(), db.claim(12).await.len()), (1, 60, 60));
        assert_eq!(db.job(unknown).await.state, JobState::Unknown, "unknown ones are not among the dead");
        assert_eq!(db.states().await.iter().filter(|(_, state)| *state == JobState::Dead).count(), 3);
    }

    async fn a_filter_means_what_it_says(kind) {
        let db = Db::open(kind).await;
        let job = db.ended(1, dead()).await.job.id;
        let count = async |trouble: Trouble| {
            let ask = Revive { dry_run: true, ..ask(Which::All(trouble), Verdict::Retry) };
            db.store.revive(ask, minute(5)).await.unwrap().jobs.iter().filter(|told| told.job == job).count()
        };
        let some = |text: &str| Some(text.to_owned());
        let clinics = |named: &[&str]| Clinics::of(named.iter().map(|clinic| ClinicRef { connection: "centro".into(), clinic: (*clinic).into() }));
        let none = Trouble::default;
        for (meant, trouble) in [
            (1, none()),
            (0, Trouble { state: JobState::Unknown, ..none() }),
            (0, Trouble { state: JobState::Done, ..none() }),
            (1, Trouble { rule: some("reminder"), action: some("thank"), code: some("later"), ..none() }),
            (0, Trouble { rule: some("x"), ..none() }),
            (0, Trouble { action: some("x"), ..none() }),
            (0, Trouble { code: some("x"), ..none() }),
            (1, Trouble { connection: some("centro"), clinic: some("7"), ..none() }),
            (0, Trouble { connection: some("x"), ..none() }),
            (1, Trouble { clinics: clinics(&["7", "8"]), ..none() }),
            (0, Trouble { clinics: clinics(&["8"]), ..none() }),
            (0, Trouble { clinics: Clinics::Only([].into()), ..none() }),
            (0, Trouble { clinic: some("8"), ..none() }),
            (1, Trouble { since: Some(minute(1)), until: Some(minute(2)), ..none() }),
            (0, Trouble { since: Some(minute(2)), ..none() }),
            (0, Trouble { until: Some(minute(1)), ..none() }),
        ] {
            assert_eq!(count(trouble.clone()).await, meant, "{trouble:?}");
        }
    }

    async fn of_two_jobs_for_one_key_one_comes_back(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let mut ids = Vec::new();
        for number in 1..=2 {
            db.record(db.delivery(number, 0).fires_for(&index, "77", DAY, None)).await;
            let work = db.claim(1).await.remove(0);
            db.settle(&work, dead(), 1).await;
            ids.push(work.job.id);
        }
        let ask = |dry_run| Revive { dry_run, ..ask(Which::All(Trouble::default()), Verdict::Retry) };
        let would = db.store.revive(ask(true), minute(2)).await.unwrap();
        assert_eq!(told(&would), [(ids[0], JobState::Ready, None), (ids[1], JobState::Dead, Some("replaced"))]);
        assert_eq!(db.store.revive(ask(false), minute(2)).await.unwrap(), would);
    }

    async fn a_person_cancels_what_is_pending(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let delivery = db.delivery(1, 0).fires_after(&index, "a", Some("77"), &[], None).fires_after(&index, "b", None, &["a"], None);
        let jobs = db.record(delivery).await;
        let [a, b] = ["a", "b"].map(|action| jobs.iter().find(|job| job.action == action).unwrap().id);
        let cancel = async |job, now| db.store.cancel(job, Actor::credential("token", "ana"), minute(now)).await.unwrap();
        let Some(Cancellation::Ended(job)) = cancel(a, 1).await else { panic!("it was pending") };
        assert_eq!((job.state, job.reason.unwrap().code.as_str()), (JobState::Cancelled, "cancelled_by_person"));
        let db = db.reopen().await;
        assert_eq!(db.job(b).await.reason.unwrap().code, "step");
        assert_eq!(db.claim(5).await.len(), 0);
        assert_eq!(db.store.cancel(a, Actor::command(), minute(2)).await.unwrap(), Some(Cancellation::Over(JobState::Cancelled)));
        assert_eq!(db.store.cancel(JobId::from_bytes([1; 16]), Actor::command(), minute(2)).await.unwrap(), None);
        // Its key is free.
        assert_eq!(db.record(db.delivery(2, 3).fires_after(&index, "a", Some("77"), &[], None)).await[0].state, JobState::Ready);
    }

    async fn a_job_that_runs_stops_before_its_next_outward_effect(kind) {
        let db = Db::open(kind).await;
        db.record(db.delivery(1, 0).fires("thank")).await;
        let work = db.claim(1).await.remove(0);
        let asked = db.store.cancel(work.job.id, Actor::command(), minute(2)).await.unwrap();
        assert!(matches!(asked, Some(Cancellation::Asked(job)) if job.state == JobState::Running));
        let (job, lease) = (work.job.id, work.job.lease);
        let check = Checkpoint { job, lease, journal: vec![], local: vec![], emitted: vec![], purpose: Purpose::Begin };
        assert!(matches!(db.store.checkpoint(check, minute(2)).await.unwrap(), Checkpointed::Cancelled(why) if why.code == "cancelled_by_person"));
        let local = vec![LocalWrite::Message { index: 1, channel: "outbox".into(), message: message("5511", "Olá") }];
        db.store.settle(Settlement { local, ..settlement(&work, done()) }, minute(3)).await.unwrap();
        assert_eq!((db.job(job).await.state, db.message_count().await), (JobState::Cancelled, 0));
    }

    async fn who_decided_is_answered_for_and_stands_with_the_job(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        db.record(db.delivery(1, 0).subject(&index, "p1").fires("thank")).await;
        let work = db.claim(1).await.remove(0);
        let id = work.job.id;
        db.settle(&work, dead(), 1).await;
        db.decide(id, Verdict::Retry, 2).await;
        db.store.cancel(id, Actor::command(), minute(3)).await.unwrap();
        let db = db.reopen().await;
        let decided: Vec<_> = db.store.decisions(id).await.unwrap();
        let told: Vec<_> = decided.iter().map(|view| (view.at, view.actor.as_str(), view.decision, view.was)).collect();
        assert_eq!(told, [(minute(2), "token:ana", Decided::Revived, JobState::Dead), (minute(3), "command", Decided::Cancelled, JobState::Ready)]);
        assert_eq!(decided[0].reason.as_ref().unwrap().code, "later");
        let entries = db.store.audit(&AuditPage { kind: Some(AuditKind::Decided), ..AuditPage::default() }).await.unwrap();
        assert_eq!(entries.len(), 2);
        let first = &entries[1].entry;
        assert_eq!((first.about.as_slice(), first.job, first.actor.as_str()), (&[db.person("p1").await][..], Some(id), "token:ana"));
        assert_eq!(
            Value::from(first.detail()),
            json!({ "decision": "revived", "was": "dead", "rule": "reminder", "action": "thank", "reason": "later" })
        );
        assert_eq!(db.store.verify_audit(vec![]).await.unwrap().findings, []);
        // They go with the job, and with its person.
        db.store.erase(db.person("p1").await, Actor::command(), minute(5)).await.unwrap();
        assert_eq!((db.store.job(id).await.unwrap().is_none(), db.store.decisions(id).await.unwrap()), (true, vec![]));
        let other = db.ended(2, dead()).await.job.id;
        db.decide(other, Verdict::Retry, 2).await;
        db.end_of(other).await;
        let keep = Retention { jobs: vec![Aged::all("jobs", minute(2 * DAY))], ..Retention::default() };
        db.store.retain(keep, Actor::command(), minute(2 * DAY)).await.unwrap();
        assert_eq!(db.store.decisions(other).await.unwrap(), []);
    }

    async fn collected_events_come_back_with_their_job(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        db.record(db.delivery(1, 0).collected(&index, "p1", None)).await;
        db.record(db.delivery(2, 5).collected(&index, "p1", None)).await;
        let work = db.claim(60).await.remove(0);
        db.settle(&work, dead(), 60).await;
        // What comes since is collected by another, whose place it does not take.
        let other = db.record(db.delivery(3, 61).collected(&index, "p1", None)).await.remove(0);
        assert_eq!(db.decide(work.job.id, Verdict::Retry, 62).await.refused(), 0);
        let again = db.claim(62).await.remove(0);
        assert_eq!((again.job.id, again.collected.len()), (work.job.id, 2));
        db.settle(&again, done(), 62).await;
        let grown: Vec<Job> = db.record(db.delivery(4, 63).collected(&index, "p1", None)).await;
        assert_eq!((grown[0].id, grown[0].collected), (other.id, 2));
    }

    async fn a_revived_job_and_the_next_of_its_order_do_not_wait_for_each_other(kind) {
        let db = Db::open(kind).await;
        let lane = Lane { order: Some(KeyHash([1; 16])), ..Lane::default() };
        let mut made = Vec::new();
        for number in 0..3 {
            made.push(db.record(db.delivery(number, 0).fires("thank").beside(lane)).await[0].id);
        }
        let next = async |now| db.claim(now).await.into_iter().map(|work| work.job.id).collect::<Vec<_>>();
        let first = db.claim(1).await.remove(0);
        loses_a_request(&db, &first).await;
        let second = db.claim(1).await.remove(0);
        db.settle(&second, AttemptEnd::Retry { reason: Reason::new("down", "down"), after: None }, 1).await;
        db.decide(made[0], Verdict::Run, 2).await;
        assert!(db.job(made[0]).await.attempt > 0, "it has begun, as the second has");
        let again = db.claim(30).await;
        assert_eq!(again.iter().map(|work| work.job.id).collect::<Vec<_>>(), [made[0]], "the first one made goes first");
        assert_eq!(next(31).await, []);
        db.settle(&again[0], done(), 31).await;
        let again = db.claim(32).await;
        assert_eq!(again.iter().map(|work| work.job.id).collect::<Vec<_>>(), [made[1]], "one that has begun, before one that has not");
        db.settle(&again[0], done(), 32).await;
        assert_eq!(next(33).await, [made[2]]);
    }

    async fn what_a_plugin_was_refused_is_asked_again(kind) {
        let db = Db::open(kind).await;
        db.record(db.delivery(1, 0).fires("thank")).await;
        let work = db.claim(1).await.remove(0);
        let slot = db.store.indexer().state("centro", "7", "reminder", "thank", "last");
        let frozen = sending(&work, slot, "5511", "Olá").journal.remove(0);
        let refused = JournalEntry::Effect { effect: request(), result: EffectResult::Refused { reason: "not granted".into() } };
        let journal = vec![frozen, (1, refused)];
        db.store.settle(Settlement { end: dead(), journal, ..settlement(&work, done()) }, minute(1)).await.unwrap();
        db.decide(work.job.id, Verdict::Retry, 2).await;
        assert_eq!(db.claim(2).await.remove(0).journal, []);
    }
}
