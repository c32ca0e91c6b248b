//! What a plugin was shown of somebody whom the event is not about: it is found from them, and goes with them.

use serde_json::json;
use zelo_core::job::Reason;
use zelo_core::retry::RetryPolicy;
use zelo_core::settle::{AttemptEnd, Checkpoint, Checkpointed, Purpose, Settled, Settlement};
use zelo_core::timing::Records;
use zelo_core::{Actor, AuditKind, Effect, EffectResult, Invocation, JobState, JournalEntry, KeyHash, Plan, Pseudonym};
use zelo_store::sqlite::SqliteConfig;
use zelo_store::{Aged, AuditPage, Duties, Error, Page, Retention, Work};

use crate::build::{DAY, Db, done, minute, record_ref, sending, settlement};

/// There is a record of Bea.
async fn remember_bea(db: &Db) {
    let index = db.store.indexer();
    db.record(db.delivery(1, 0).subject(index, "bea").remembers(index, "bea", json!({ "name": "Bea" }))).await;
}

/// A claimed job of Ana's whose step is done, and was shown the record of Bea.
async fn after_a_step(db: &Db) -> Work {
    let index = db.store.indexer().clone();
    remember_bea(db).await;
    let delivery = db.delivery(2, 0).subject(&index, "ana").fires_after(&index, "issue", None, &[], None);
    db.record(delivery.fires_after(&index, "send", None, &["issue"], None)).await;
    let issue = db.claim(1).await.remove(0);
    db.store.settle(sent_with(db, &issue, record_ref(&index, "bea").hash), minute(2)).await.unwrap();
    db.claim(2).await.remove(0)
}

/// A job about Ana is claimed, and there is a record of Bea.
async fn of_ana(db: &Db) -> (Work, KeyHash) {
    let index = db.store.indexer().clone();
    remember_bea(db).await;
    db.record(db.delivery(2, 0).subject(&index, "ana").fires("thank")).await;
    (db.claim(1).await.remove(0), record_ref(&index, "bea").hash)
}

/// The attempt at `work` sent a message, with the record at `hash` before it.
fn sent_with(db: &Db, work: &Work, hash: KeyHash) -> Settlement {
    let slot = db.store.indexer().state("centro", "7", "reminder", &work.job.action, "last");
    let mut end = sending(work, slot, "5511", "Olá");
    match &mut end.journal[0].1 {
        JournalEntry::Invocation(invocation) => invocation.records.push(hash),
        other => panic!("{}", serde_json::to_string(other).unwrap()),
    }
    end
}

fn invocation(end: &Settlement) -> Box<Invocation> {
    let first = end.journal.iter().find_map(|(_, entry)| match entry {
        JournalEntry::Invocation(invocation) => Some(invocation.clone()),
        _ => None,
    });
    first.unwrap()
}

async fn people(db: &Db) -> [Pseudonym; 2] {
    let mut people = [db.person("ana").await, db.person("bea").await];
    people.sort_unstable();
    people
}

conforming! {
    async fn whose_record_was_shown_is_told_of_it(kind) {
        let db = Db::open(kind).await;
        let (work, hash) = of_ana(&db).await;
        db.store.settle(sent_with(&db, &work, hash), minute(2)).await.unwrap();
        let db = db.reopen().await;
        let (both, bea, ana) = (people(&db).await, db.person("bea").await, db.person("ana").await);
        assert_eq!(db.store.job(work.job.id).await.unwrap().unwrap().about, both);
        assert_eq!(db.store.messages(&Page::default()).await.unwrap()[0].about, both, "who looks at it looks at both");
        let told = db.store.audit(&AuditPage { kind: Some(AuditKind::Disclosed), ..AuditPage::default() }).await.unwrap();
        assert_eq!(told[0].entry.about, both);
        assert_eq!(db.store.seen_of(bea).await.unwrap().len(), 2, "what was shown, and what was sent with it");
        let of_bea = db.store.export_subject(bea).await.unwrap().unwrap();
        assert_eq!(of_bea.jobs.iter().map(|job| job.job.job.id).collect::<Vec<_>>(), [work.job.id]);
        let of_ana = db.store.export_subject(ana).await.unwrap().unwrap();
        let counts = |of: &zelo_store::SubjectExport| (of.jobs[0].journal.len(), of.messages.len(), of.state.len());
        assert_eq!(counts(&of_bea), (0, 0, 0), "what is Ana's is not Bea's to have");
        assert_eq!(counts(&of_ana), (0, 1, 0), "what was sent to Ana is hers; what may have Bea's data besides is not handed out");

        db.store.hold(bea, Some("a lawsuit".into()), Actor::command(), minute(3)).await.unwrap();
        assert!(matches!(db.store.erase(ana, Actor::command(), minute(4)).await, Err(Error::Held)), "Bea's data would go too");
        db.store.hold(bea, None, Actor::command(), minute(4)).await.unwrap();
        db.store.hold(ana, Some("a lawsuit".into()), Actor::command(), minute(4)).await.unwrap();
        assert!(matches!(db.store.erase(bea, Actor::command(), minute(4)).await, Err(Error::Held)), "and the other way round");
        db.store.hold(ana, None, Actor::command(), minute(4)).await.unwrap();
        let erasure = db.store.erase(bea, Actor::command(), minute(5)).await.unwrap().unwrap();
        let gone = ["jobs", "messages", "journal", "reports", "state", "records"].map(|kind| erasure.deleted.get(kind).copied());
        assert_eq!(gone, [None, Some(1), Some(3), Some(1), Some(1), Some(1)]);
        let left = db.store.job(work.job.id).await.unwrap().unwrap();
        assert_eq!((left.job.state, left.summary, left.about), (JobState::Done, None, vec![ana]), "that it was done stays: it is not done twice");
        assert_eq!(db.store.events(&Page::default()).await.unwrap()[0].about, [ana], "what came of Ana is Ana's");
        assert_eq!(db.store.verify_audit(vec![]).await.unwrap().findings, []);
    }

    async fn one_shown_nothing_of_others_is_about_nobody_else(kind) {
        let db = Db::open(kind).await;
        let (work, _) = of_ana(&db).await;
        let index = db.store.indexer().clone();
        db.record(db.delivery(3, 0).subject(&index, "ana").remembers(&index, "ana", json!({ "name": "Ana" }))).await;
        db.store.settle(sent_with(&db, &work, record_ref(&index, "ana").hash), minute(2)).await.unwrap();
        let (bea, ana) = (db.person("bea").await, db.person("ana").await);
        assert_eq!(db.store.job(work.job.id).await.unwrap().unwrap().about, [ana]);
        assert_eq!(db.store.seen_of(bea).await.unwrap(), []);
        assert!(!db.store.erase(bea, Actor::command(), minute(5)).await.unwrap().unwrap().deleted.contains_key("jobs"));
        assert_eq!(db.store.export_subject(ana).await.unwrap().unwrap().jobs[0].journal.len(), 3, "her own is handed out");
    }

    async fn what_a_plugin_read_by_itself_counts_too(kind) {
        let db = Db::open(kind).await;
        let (work, _) = of_ana(&db).await;
        let effect = |id: &str| Effect::RecordGet { record: "clinic".into(), id: id.into() };
        let read = |id: &str, fields| JournalEntry::Effect { effect: effect(id), result: EffectResult::Record { fields } };
        let named = json!({ "name": "Bea" }).as_object().cloned();
        let end = Settlement { journal: vec![(1, read("nobody", None)), (2, read("bea", named))], ..settlement(&work, done()) };
        db.store.settle(end, minute(2)).await.unwrap();
        assert_eq!(db.store.job(work.job.id).await.unwrap().unwrap().about, people(&db).await);
    }

    async fn what_was_shown_in_an_attempt_of_which_nothing_is_kept_counts_too(kind) {
        let db = Db::open(kind).await;
        let (work, hash) = of_ana(&db).await;
        let shown = invocation(&sent_with(&db, &work, hash));
        db.store.settle(Settlement { shown: Some(shown), ..settlement(&work, done()) }, minute(2)).await.unwrap();
        assert_eq!(db.store.job(work.job.id).await.unwrap().unwrap().about, people(&db).await);
    }

    async fn what_a_step_was_shown_the_next_one_has(kind) {
        let db = Db::open(kind).await;
        let send = after_a_step(&db).await;
        assert_eq!(send.job.action, "send");
        db.store.settle(settlement(&send, done()), minute(3)).await.unwrap();
        assert_eq!(db.store.job(send.job.id).await.unwrap().unwrap().about, people(&db).await);
    }

    async fn whom_the_first_job_was_shown_nobody_asks_about_what_it_emitted(kind) {
        let db = Db::open(kind).await;
        let (work, hash) = of_ana(&db).await;
        let index = db.store.indexer().clone();
        let emitted = db.delivery(5, 2).subject(&index, "ana").fires("remind").0;
        db.store.settle(Settlement { emitted: vec![emitted], ..sent_with(&db, &work, hash) }, minute(2)).await.unwrap();
        let job = db.store.jobs(&Page::default(), None).await.unwrap().into_iter().find(|view| view.job.action == "remind").unwrap();
        assert_eq!(job.about, people(&db).await);
        let id = job.job.id;
        db.record(db.delivery(6, 3).subject(&index, "bea").says("messages", true)).await;
        assert_eq!(db.store.consent(id, "messages").await.unwrap(), None, "what Bea gave was not given for Ana");
        db.record(db.delivery(7, 4).subject(&index, "bea").says("messages", false)).await;
        assert!(db.job(id).await.state.is_live(), "the reminder is Ana's");
        db.store.erase(db.person("bea").await, Actor::command(), minute(5)).await.unwrap().unwrap();
        assert_eq!(db.job(id).await.state, JobState::Cancelled, "its event had Bea's data");
    }

    async fn what_runs_with_a_record_begins_anew_without_it(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        remember_bea(&db).await;
        db.record(db.delivery(2, 0).subject(&index, "ana").fires_after(&index, "thank", Some("1"), &[], Some("bea"))).await;
        let work = db.claim(1).await.remove(0);
        let hash = record_ref(&index, "bea").hash;
        assert!(work.records.record(hash).is_some());
        db.store.erase(db.person("bea").await, Actor::command(), minute(1)).await.unwrap().unwrap();
        let end = sent_with(&db, &work, hash);
        assert_eq!(db.store.settle(end, minute(2)).await.unwrap().settled, Settled::Stale);
        let again = db.claim(2).await.remove(0);
        assert_eq!((again.job.id, again.records.record(hash), again.job.attempt), (work.job.id, None, 1), "at once, and no attempt is lost");
        assert!(again.job.lease > work.job.lease);
    }

    async fn what_waits_with_what_it_was_shown_begins_anew_unless_it_did_something(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let hash = record_ref(&index, "bea").hash;
        remember_bea(&db).await;
        let mut ids = Vec::new();
        for (number, entries) in [(2, 1), (3, 3)] {
            db.record(db.delivery(number, 0).subject(&index, "ana").fires("thank")).await;
            let work = db.claim(1).await.remove(0);
            let end = AttemptEnd::Retry { reason: Reason::new("busy", "busy"), after: None };
            let mut end = Settlement { end, local: vec![], ..sent_with(&db, &work, hash) };
            end.journal.truncate(entries);
            db.store.settle(end, minute(2)).await.unwrap();
            ids.push(work.job.id);
        }
        db.store.erase(db.person("bea").await, Actor::command(), minute(3)).await.unwrap().unwrap();
        let states = [db.job(ids[0]).await.state, db.job(ids[1]).await.state];
        assert_eq!(states, [JobState::Scheduled, JobState::Cancelled]);
        assert_eq!(db.store.journal(ids[0]).await.unwrap(), [], "what it was shown is gone");
        assert_eq!(db.message_count().await, 0);
        assert_eq!(db.claim(DAY).await[0].job.attempt, 1);
    }

    async fn a_step_that_begins_anew_is_still_waited_for(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        remember_bea(&db).await;
        let delivery = db.delivery(2, 0).subject(&index, "ana").fires_after(&index, "issue", None, &[], Some("bea"));
        let jobs = db.record(delivery.fires_after(&index, "send", None, &["issue"], None)).await;
        let send = jobs.iter().find(|job| job.action == "send").unwrap().id;
        db.claim(1).await.remove(0);
        db.store.erase(db.person("bea").await, Actor::command(), minute(3)).await.unwrap().unwrap();
        let issue = db.claim(4).await.remove(0);
        assert_eq!(issue.job.action, "issue");
        db.settle(&issue, done(), 5).await;
        assert_eq!(db.claim(6).await[0].job.id, send);
    }

    async fn what_was_collected_and_emitted_is_asked_for_consents(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        for (number, person) in [(1, "ana"), (2, "bea")] {
            db.record(db.delivery(number, number as i64).subject(&index, person).collected(&index, "all", None)).await;
        }
        let work = db.claim(DAY).await.remove(0);
        let emitted = db.delivery(5, DAY).subject(&index, "bea").fires("remind").0;
        db.store.settle(Settlement { emitted: vec![emitted], ..settlement(&work, done()) }, minute(DAY)).await.unwrap();
        let job = db.store.jobs(&Page::default(), None).await.unwrap().into_iter().find(|view| view.job.action == "remind").unwrap().job.id;
        db.record(db.delivery(6, DAY + 1).subject(&index, "ana").says("messages", false)).await;
        assert!(!db.store.consent(job, "messages").await.unwrap().unwrap().given, "what is Ana's came with it");
        assert_eq!(db.job(job).await.state, JobState::Cancelled);
    }

    async fn an_emitted_event_is_held_with_whoever_was_shown(kind) {
        let db = Db::open(kind).await;
        let (work, hash) = of_ana(&db).await;
        let emitted = db.delivery(5, 2).received(2).subject(db.store.indexer(), "ana").0;
        let id = emitted.event.id;
        db.store.settle(Settlement { emitted: vec![emitted], ..sent_with(&db, &work, hash) }, minute(2)).await.unwrap();
        let bea = db.person("bea").await;
        let keep = || Retention { events: vec![Aged::all("events", minute(DAY))], ..Retention::default() };
        db.store.hold(bea, Some("a lawsuit".into()), Actor::command(), minute(3)).await.unwrap();
        db.store.retain(keep(), Actor::engine(), minute(2 * DAY)).await.unwrap();
        assert!(db.store.event(id).await.unwrap().is_some());
        db.store.hold(bea, None, Actor::command(), minute(4)).await.unwrap();
        db.store.retain(keep(), Actor::engine(), minute(2 * DAY)).await.unwrap();
        assert!(db.store.event(id).await.unwrap().is_none());
    }

    async fn a_step_that_lost_what_it_gave_takes_along_what_runs_with_it(kind) {
        let db = Db::open(kind).await;
        let send = after_a_step(&db).await;
        db.store.erase(db.person("bea").await, Actor::command(), minute(3)).await.unwrap().unwrap();
        assert_eq!(db.store.settle(settlement(&send, done()), minute(4)).await.unwrap().settled, Settled::Stale);
        assert_eq!(db.job(send.job.id).await.state, JobState::Cancelled);
    }

    async fn what_a_law_keeps_of_somebody_else_stays_theirs(kind) {
        let config = SqliteConfig { duties: Duties { messages: Some("a law".into()), ..Duties::default() }, ..SqliteConfig::default() };
        let db = Db::open_with(kind, config).await;
        let (work, hash) = of_ana(&db).await;
        db.store.settle(sent_with(&db, &work, hash), minute(2)).await.unwrap();
        let ana = db.person("ana").await;
        db.store.erase(db.person("bea").await, Actor::command(), minute(5)).await.unwrap().unwrap();
        assert_eq!(db.store.messages(&Page::default()).await.unwrap()[0].about, [ana], "Ana's message, under Ana's key");
        assert_eq!(db.store.export_subject(ana).await.unwrap().unwrap().messages.len(), 1);
    }

    async fn what_is_emitted_goes_with_whose_record_was_shown(kind) {
        let db = Db::open(kind).await;
        let (work, hash) = of_ana(&db).await;
        let emitted = db.delivery(5, 2).subject(db.store.indexer(), "ana").0;
        let id = emitted.event.id;
        db.store.settle(Settlement { emitted: vec![emitted], ..sent_with(&db, &work, hash) }, minute(2)).await.unwrap();
        assert_eq!(db.store.event(id).await.unwrap().unwrap().about, [db.person("ana").await], "it is Ana's");
        assert_eq!(db.store.export_subject(db.person("bea").await).await.unwrap().unwrap().events.len(), 1, "Bea is told of her own alone");
        db.store.erase(db.person("bea").await, Actor::command(), minute(5)).await.unwrap().unwrap();
        assert!(db.store.event(id).await.unwrap().is_none());
    }

    async fn what_was_shown_of_somebody_erased_meanwhile_is_not_kept(kind) {
        let db = Db::open(kind).await;
        let (work, hash) = of_ana(&db).await;
        db.store.erase(db.person("bea").await, Actor::command(), minute(1)).await.unwrap().unwrap();
        let end = sent_with(&db, &work, hash);
        let journal = vec![(0, JournalEntry::Invocation(invocation(&end)))];
        let (job, lease) = (work.job.id, work.job.lease);
        let checkpoint = Checkpoint { job, lease, journal, local: vec![], emitted: vec![], purpose: Purpose::Begin };
        assert_eq!(db.store.checkpoint(checkpoint, minute(2)).await.unwrap(), Checkpointed::Stale, "nothing leaves with it");
        assert_eq!(db.store.settle(end, minute(2)).await.unwrap().settled, Settled::Stale);
        assert_eq!((db.message_count().await, db.job(job).await.state), (0, JobState::Running));
        assert_eq!(db.store.journal(job).await.unwrap(), []);
        db.store.reclaim(minute(20), RetryPolicy::default(), &[]).await.unwrap();
        assert_eq!(db.claim(DAY).await[0].job.id, job, "and it is tried again, without what is gone");
    }

    async fn whose_record_was_shown_is_not_asked_for_a_consent(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        remember_bea(&db).await;
        db.record(db.delivery(2, 0).subject(&index, "ana").fires("remind")).await;
        let work = db.claim(1).await.remove(0);
        let journal = vec![(0, JournalEntry::Invocation(invocation(&sent_with(&db, &work, record_ref(&index, "bea").hash))))];
        let (job, lease) = (work.job.id, work.job.lease);
        let checkpoint = Checkpoint { job, lease, journal, local: vec![], emitted: vec![], purpose: Purpose::Begin };
        assert_eq!(db.store.checkpoint(checkpoint, minute(2)).await.unwrap(), Checkpointed::Kept);
        assert_eq!(db.store.job(job).await.unwrap().unwrap().about, people(&db).await, "before anything leaves");
        db.record(db.delivery(3, 3).subject(&index, "bea").says("messages", false)).await;
        assert_eq!(db.store.consent(job, "messages").await.unwrap(), None);
        assert_eq!(db.job(job).await.cancel, None, "the reminder is Ana's");
        db.record(db.delivery(4, 3).subject(&index, "ana").says("messages", false)).await;
        assert!(!db.store.consent(job, "messages").await.unwrap().unwrap().given);
        assert!(db.job(job).await.cancel.is_some());
    }

    async fn whose_part_an_action_collects_is_told_of_it(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let body = json!({ "patient": { "name": "Ana" }, "pharmacist": { "name": "Bea" } });
        for number in [1, 2] {
            let both = db.delivery(number, 0).body(&body).subject(&index, "ana").subject(&index, "bea").part(r#"{"name":"Bea"}"#);
            let mut both = both.collected(&index, "ana", None);
            if let Plan::Fire { also_about, .. } = &mut both.0.candidates[0].plan {
                also_about.push(1);
            }
            db.record(both).await;
        }
        let work = db.claim(DAY).await.remove(0);
        assert_eq!(work.job.collected, 2);
        assert_eq!(db.store.job(work.job.id).await.unwrap().unwrap().about, people(&db).await);
        db.store.erase(db.person("bea").await, Actor::command(), minute(DAY + 1)).await.unwrap().unwrap();
        assert_eq!(db.job(work.job.id).await.state, JobState::Cancelled, "it cannot do without what it collected");
    }
}
