//! Steps that come after others, documents, counters, records and events of actions.

use serde_json::{Value, json};
use zelo_core::decide::{Imported, OnKnown};
use zelo_core::job::Reason;
use zelo_core::settle::{AttemptEnd, Checkpoint, Checkpointed, LocalWrite, Purpose, Report, Settlement};
use zelo_core::{Cause, Document, Effect, EffectResult, Job, JobState, JournalEntry, RecordEdit, RecordWrite, Status};
use zelo_store::{Import, Page, Work, effect_id, parse_effect_id};

use crate::build::{DAY, DayBefore, Db, done, minute, record_ref, sending, settlement, stamp};

fn named<'j>(jobs: &'j [Job], action: &str) -> &'j Job {
    jobs.iter().rfind(|job| job.action == action).unwrap()
}

/// Stores an event with a receipt and the message that needs it; the claimed receipt, and the message as it stands.
async fn chain(db: &Db, reads: Option<&str>) -> (Work, Job) {
    let index = db.store.indexer().clone();
    let delivery = db.delivery(1, 0).subject(&index, "p1").fires_after(&index, "issue", Some("77"), &[], reads);
    let jobs = db.record(delivery.fires_after(&index, "send", Some("77"), &["issue"], None)).await;
    let send = named(&jobs, "send").clone();
    assert!(send.waits() && send.state == JobState::Scheduled);
    let mut claimed = db.claim(1).await;
    assert_eq!(claimed.iter().map(|work| work.job.action.as_str()).collect::<Vec<_>>(), ["issue"], "a job that waits is not claimed");
    (claimed.remove(0), send)
}

fn gives(work: &Work, output: Value) -> Settlement {
    Settlement { report: Report { output: Some(output), ..Report::default() }, ..settlement(work, done()) }
}

fn document(text: &str) -> Document {
    Document { name: "recibo.pdf".into(), media_type: "application/pdf".into(), content: b"%PDF-1.7".to_vec(), text: text.into() }
}

fn counting(work: &Work, index: u32) -> Checkpoint {
    let effect = Effect::StateNext { key: "receipts".into() };
    let slot = zelo_core::KeyHash([7; 16]);
    Checkpoint {
        job: work.job.id,
        lease: work.job.lease,
        journal: Vec::new(),
        local: Vec::new(),
        emitted: Vec::new(),
        purpose: Purpose::Count { slot, index, effect },
    }
}

pub(crate) fn contact(db: &Db, stage: &str, note: &str, time: i64) -> LocalWrite {
    let edit = RecordEdit {
        record: "contact".into(),
        id: "p1".into(),
        set: json!({ "stage": stage }).as_object().unwrap().clone(),
        append: [("notes".to_owned(), note.to_owned())].into(),
    };
    LocalWrite::Record { hash: db.store.indexer().record("centro", "contact", "p1"), stamp: stamp(time, time as u64), edit }
}

conforming! {
    async fn a_step_that_is_done_lets_go_of_who_needs_it(kind) {
        let db = Db::open(kind).await;
        let (issue, send) = chain(&db, None).await;
        assert_eq!(db.store.next_run().await.unwrap(), None, "nothing is due while the step runs");
        let outcome = db.store.settle(gives(&issue, json!({ "number": 1 })), minute(2)).await.unwrap();
        assert_eq!(outcome.others.iter().map(|job| (job.id, job.waits())).collect::<Vec<_>>(), [(send.id, false)]);
        let db = db.reopen().await;
        let work = db.claim(2).await.remove(0);
        assert_eq!(work.job.id, send.id);
        assert_eq!(Value::Object(work.steps.clone()), json!({ "issue": { "number": 1 } }));
        db.settle(&work, done(), 3).await;
        assert_eq!(db.job(send.id).await.needs[0].step, "issue", "and what it needed can still be seen");
    }

    async fn a_step_that_fails_takes_along_who_needs_it(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let delivery = db.delivery(1, 0).fires_after(&index, "a", None, &[], None).fires_after(&index, "b", Some("77"), &["a"], None);
        let jobs = db.record(delivery.fires_after(&index, "c", None, &["b"], None)).await;
        let work = db.claim(1).await.remove(0);
        let dead = AttemptEnd::Dead(Reason::new("plugin", "no"));
        let outcome = db.store.settle(settlement(&work, dead), minute(2)).await.unwrap();
        assert_eq!(outcome.others.len(), 2, "and so on down the chain");
        for action in ["b", "c"] {
            let job = db.job(named(&jobs, action).id).await;
            assert_eq!((job.state, job.reason.unwrap().code.as_str()), (JobState::Cancelled, "step"), "{action}");
        }
        // Its key is free again.
        let again = db.delivery(2, 5).fires_after(&index, "a", None, &[], None).fires_after(&index, "b", Some("77"), &["a"], None);
        assert!(named(&db.record(again).await, "b").state.is_live());
    }

    async fn a_cancelled_step_takes_along_who_needs_it(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        // "remind" is the action that `cancels` speaks of.
        let first = db.delivery(1, 0).fires_for(&index, "77", 3 * DAY, None).fires_after(&index, "send", None, &["remind"], None);
        let send = named(&db.record(first).await, "send").id;
        let changed = db.record(db.delivery(2, 5).cancels(&index, "77")).await;
        assert_eq!(named(&changed, "send").state, JobState::Cancelled, "the answer tells of it");
        assert_eq!(db.job(send).await.state, JobState::Cancelled);
    }

    async fn a_step_that_is_given_up_takes_along_who_needs_it(kind) {
        let db = Db::open(kind).await;
        let (issue, send) = chain(&db, None).await;
        let policy = zelo_core::retry::RetryPolicy { attempts: 1, ..Default::default() };
        let given = db.store.reclaim(zelo_core::Timestamp::MAX, policy, &[]).await.unwrap();
        assert_eq!(given.iter().map(|job| (job.id, job.state)).collect::<Vec<_>>(), [
            (issue.job.id, JobState::Dead),
            (send.id, JobState::Cancelled)
        ]);
    }

    async fn a_document_is_kept_once_and_read_back(kind) {
        let db = Db::open(kind).await;
        let (issue, _) = chain(&db, None).await;
        let local = vec![LocalWrite::Document { index: 2, document: document("Recibo nº 1") }];
        db.store.settle(Settlement { local, ..settlement(&issue, done()) }, minute(2)).await.unwrap();
        let db = db.reopen().await;
        let listed = db.store.documents(&Page::default()).await.unwrap().remove(0);
        assert_eq!((listed.name.as_str(), listed.text.as_str(), listed.size), ("recibo.pdf", "Recibo nº 1", 8));
        assert_eq!((listed.connection.as_str(), listed.clinic.as_deref(), listed.at), ("centro", Some("7"), minute(2)));
        assert_eq!(parse_effect_id(&listed.id), Some((issue.job.id, 2)));
        let (view, content) = db.store.document(issue.job.id, 2).await.unwrap().unwrap();
        assert_eq!((view.id, content), (effect_id(issue.job.id, 2), b"%PDF-1.7".to_vec()));
        assert!(db.store.document(issue.job.id, 3).await.unwrap().is_none());
    }

    async fn a_counter_commits_at_once_with_its_entry(kind) {
        let db = Db::open(kind).await;
        let (issue, _) = chain(&db, None).await;
        let frozen = sending(&issue, zelo_core::KeyHash([8; 16]), "5511", "Olá");
        let before = LocalWrite::Message { index: 1, channel: "outbox".into(), message: crate::build::message("5511", "Olá") };
        let check = Checkpoint { journal: frozen.journal[..2].to_vec(), local: vec![before], ..counting(&issue, 2) };
        assert_eq!(db.store.checkpoint(check, minute(2)).await.unwrap(), Checkpointed::Counted(1));
        // The process dies: number, journal and what came before it are there.
        let db = db.reopen().await;
        assert_eq!(db.message_count().await, 1);
        db.store.reclaim(zelo_core::Timestamp::MAX, Default::default(), &[]).await.unwrap();
        let again = db.claim(3).await.remove(0);
        assert_eq!(again.journal.len(), 3);
        let JournalEntry::Effect { result, .. } = &again.journal[2] else { panic!("no effect") };
        assert!(*result == EffectResult::Counted { value: 1 });
        assert_eq!(db.store.checkpoint(counting(&again, 3), minute(4)).await.unwrap(), Checkpointed::Counted(2), "and so on");
    }

    async fn a_counter_needs_the_lease_and_a_job_that_is_still_wanted(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        db.record(db.delivery(1, 0).fires_for(&index, "77", DAY, None)).await;
        let work = db.claim(1).await.remove(0);
        let late = Checkpoint { lease: work.job.lease - 1, ..counting(&work, 1) };
        assert_eq!(db.store.checkpoint(late, minute(2)).await.unwrap(), Checkpointed::Stale);
        db.record(db.delivery(2, 1).cancels(&index, "77")).await;
        let cancelled = db.store.checkpoint(counting(&work, 1), minute(2)).await.unwrap();
        assert!(matches!(cancelled, Checkpointed::Cancelled(reason) if reason.code == "cancelled_by_event"));
        assert!(db.store.journal(work.job.id).await.unwrap().is_empty(), "nothing was written");
        db.record(db.delivery(3, 2).fires("thank")).await;
        let work = db.claim(3).await.remove(0);
        assert_eq!(db.store.checkpoint(counting(&work, 1), minute(3)).await.unwrap(), Checkpointed::Counted(1), "no number was lost");
    }

    async fn a_number_that_was_given_outlives_a_cancellation(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        db.record(db.delivery(1, 0).fires_for(&index, "77", DAY, None)).await;
        let work = db.claim(1).await.remove(0);
        db.store.checkpoint(counting(&work, 0), minute(2)).await.unwrap();
        db.record(db.delivery(2, 2).cancels(&index, "77")).await;
        let local = vec![LocalWrite::Document { index: 1, document: document("Recibo nº 1") }];
        let end = Settlement { local, outward: true, ..settlement(&work, done()) };
        db.store.settle(end, minute(3)).await.unwrap();
        assert_eq!(db.job(work.job.id).await.state, JobState::Done);
        assert_eq!(db.store.documents(&Page::default()).await.unwrap().len(), 1);
    }

    async fn a_record_of_actions_is_the_same_in_whatever_order_they_run(kind) {
        let mut seen = Vec::new();
        for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
            let db = Db::open(kind).await;
            for number in 1..=3 {
                db.record(db.delivery(number, number as i64).subject(db.store.indexer(), "p1").fires("move")).await;
            }
            let works = db.claim(9).await;
            for place in order {
                let local = vec![contact(&db, &format!("stage {place}"), &format!("note {place}"), place as i64)];
                db.store.settle(Settlement { local, ..settlement(&works[place], done()) }, minute(10)).await.unwrap();
            }
            let db = db.reopen().await;
            let record = db.store.records(&Page::default(), Some("contact")).await.unwrap().remove(0);
            assert_eq!((record.id.as_str(), record.time, &record.document["stage"]), ("p1", minute(2), &json!("stage 2")));
            let hash = db.store.indexer().record("centro", "contact", "p1");
            assert_eq!(db.store.record_at(hash).await.unwrap().unwrap().document, record.document);
            seen.push(record.document);
        }
        assert!(seen.windows(2).all(|pair| pair[0] == pair[1]));
        assert_eq!(seen[0]["notes"].as_array().unwrap().len(), 3);
    }

    async fn a_record_of_an_action_wakes_who_waits_for_it(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let waiting = db.delivery(1, 0).fires_after(&index, "greet", None, &[], Some("9"));
        let waiting = db.record(waiting).await.remove(0);
        let work = db.claim(1).await.remove(0);
        let missing = AttemptEnd::Wait { reason: Reason::new("missing", "no phone"), until: minute(9000) };
        db.settle(&work, missing, 1).await;
        db.record(db.delivery(2, 2).fires("write")).await;
        let writer = db.claim(3).await.remove(0);
        let edit = RecordEdit { record: "clinic".into(), id: "9".into(), set: Default::default(), append: Default::default() };
        let local = vec![LocalWrite::Record { hash: record_ref(&index, "9").hash, stamp: stamp(2, 0), edit }];
        let outcome = db.store.settle(Settlement { local, ..settlement(&writer, done()) }, minute(4)).await.unwrap();
        assert_eq!(outcome.others.iter().map(|job| job.id).collect::<Vec<_>>(), [waiting.id]);
        assert_eq!(db.claim(4).await.remove(0).job.id, waiting.id, "it is looked at again at once");
    }

    async fn an_emitted_event_commits_with_the_settlement_and_fires(kind) {
        let db = Db::open(kind).await;
        let (issue, send) = chain(&db, None).await;
        let mut emitted = db.delivery(5, 2).subject(db.store.indexer(), "p1").fires("book").0;
        let cause = Cause { job: issue.job.id, lineage: vec![issue.job.automation.clone()] };
        emitted.event.cause = Some(cause.clone());
        let id = emitted.event.id;
        let end = Settlement { emitted: vec![emitted.clone()], ..settlement(&issue, done()) };
        let stale = Settlement { lease: 99, ..end.clone() };
        assert!(db.store.settle(stale, minute(2)).await.unwrap().emitted.is_empty());
        assert!(db.store.event(id).await.unwrap().is_none(), "a stale settlement emits nothing");
        let outcome = db.store.settle(end, minute(2)).await.unwrap();
        assert_eq!(outcome.emitted.iter().map(|one| one.status).collect::<Vec<_>>(), [Status::Accepted]);
        let db = db.reopen().await;
        assert_eq!(db.store.event(id).await.unwrap().unwrap().event.cause, Some(cause));
        let mut claimed: Vec<_> = db.claim(2).await.into_iter().map(|work| work.job.action).collect();
        claimed.sort();
        assert_eq!(claimed, ["book", "send"], "beside the next step");
        assert_eq!(db.job(send.id).await.state, JobState::Running);
        // The same effect again, from a settlement that nobody fenced off, is a duplicate.
        assert_eq!(db.store.record(emitted).await.unwrap().status, Status::Duplicate);
    }

    async fn an_import_fills_gaps_and_wakes_who_waits(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let known = db.delivery(1, 0).remembers(&index, "9", json!({ "name": "Ana", "phones": [] }));
        db.record(known.fires_after(&index, "greet", None, &[], Some("9"))).await;
        let work = db.claim(1).await.remove(0);
        let missing = AttemptEnd::Wait { reason: Reason::new("missing", "no phone"), until: minute(9000) };
        db.settle(&work, missing, 1).await;
        let write = |id: &str, fields: Value| RecordWrite {
            key: record_ref(&index, id),
            id: id.into(),
            fields: fields.as_object().unwrap().clone(),
            subject: Some(index.subject("centro", id)),
            clinic: Some("7".into()),
        };
        let import = |records: Vec<RecordWrite>, on_known| Import {
            connection: "centro".into(),
            records,
            on_known,
            timetable: std::sync::Arc::new(DayBefore),
        };
        let rows = vec![write("9", json!({ "name": "Anna", "phones": ["1"] })), write("8", json!({ "name": "Zé" }))];
        let outcomes = db.store.import(import(rows.clone(), OnKnown::Keep), minute(5)).await.unwrap();
        assert_eq!(outcomes, [Imported::Changed, Imported::New]);
        let db = db.reopen().await;
        let record = db.store.record_at(record_ref(&index, "9").hash).await.unwrap().unwrap();
        assert_eq!((record.document, record.time), (json!({ "name": "Ana", "phones": ["1"] }), minute(0)));
        assert_eq!(db.claim(6).await.remove(0).job.id, work.job.id, "a job that waited is looked at again");
        assert_eq!(db.store.import(import(rows.clone(), OnKnown::Keep), minute(7)).await.unwrap(), [Imported::Same, Imported::Same]);
        assert_eq!(db.store.import(import(rows, OnKnown::Replace), minute(7)).await.unwrap(), [Imported::Changed, Imported::Same]);
        // An event of before the import is newer than the import all the same.
        db.record(db.delivery(2, 3).remembers(&index, "8", json!({ "name": "José" }))).await;
        let record = db.store.record_at(record_ref(&index, "8").hash).await.unwrap().unwrap();
        assert_eq!(record.document["name"], "José");
    }

    async fn events_of_one_instant_have_their_say_in_the_order_of_arrival(kind) {
        for order in [[0, 1], [1, 0]] {
            let db = Db::open(kind).await;
            for number in 1..=2 {
                db.record(db.delivery(number, 1).subject(db.store.indexer(), "p1").fires("move")).await;
            }
            let works = db.claim(9).await;
            for place in order {
                let LocalWrite::Record { hash, edit, .. } = contact(&db, &format!("stage {place}"), &format!("note {place}"), 1) else { panic!() };
                let local = vec![LocalWrite::Record { hash, stamp: stamp(1, place as u64), edit }];
                db.store.settle(Settlement { local, ..settlement(&works[place], done()) }, minute(10)).await.unwrap();
            }
            let document = db.store.records(&Page::default(), Some("contact")).await.unwrap().remove(0).document;
            assert_eq!(document["stage"], "stage 1", "{order:?}");
            assert_eq!((&document["notes"][0]["text"], &document["notes"][1]["text"]), (&json!("note 0"), &json!("note 1")), "{order:?}");
        }
    }

    async fn a_record_stays_whose_it_is(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        db.record(db.delivery(1, 0).subject(&index, "p1").fires("move")).await;
        let first = db.claim(1).await.remove(0);
        let local = vec![contact(&db, "registered", "hello", 0)];
        db.store.settle(Settlement { local, ..settlement(&first, done()) }, minute(1)).await.unwrap();
        // A job about somebody else, at no clinic, writes the same card.
        let mut other = db.delivery(2, 2).subject(&index, "p2").fires("move");
        other.0.event.clinic = None;
        db.record(other).await;
        let second = db.claim(3).await.remove(0);
        let local = vec![contact(&db, "scheduled", "again", 2)];
        db.store.settle(Settlement { local, ..settlement(&second, done()) }, minute(3)).await.unwrap();
        let card = db.store.records(&Page::default(), Some("contact")).await.unwrap().remove(0);
        assert_eq!((card.clinic.as_deref(), &card.document["stage"]), (Some("7"), &json!("scheduled")));
        if kind == crate::build::Kind::SqliteFile {
            let under = "UPDATE records SET written = written WHERE kind = 'contact' AND key_id = (SELECT key_id FROM event_parts ORDER BY part_id LIMIT 1)";
            assert_eq!(db.sql(under).await, 1, "under the key of the person whose card it was first");
        }
    }

    async fn what_was_done_after_all_is_not_done_again_by_who_was_made_meanwhile(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let fires = |number, time| db.delivery(number, time).fires_for(&index, "77", 3 * DAY, None).fires_after(&index, "send", None, &["remind"], None);
        db.record(fires(1, 0)).await;
        let first = db.claim(3 * DAY).await.remove(0);
        db.record(db.delivery(2, 1).cancels(&index, "77")).await;
        let again = db.record(fires(3, 2)).await;
        assert!(named(&again, "remind").state.is_live() && named(&again, "send").state.is_live());
        // It had done what cannot be taken back, so it ends well.
        let outcome = db.store.settle(Settlement { outward: true, ..settlement(&first, done()) }, minute(5)).await.unwrap();
        let others: Vec<_> = outcome.others.iter().map(|job| (job.action.as_str(), job.state)).collect();
        assert!(others.contains(&("remind", JobState::Skipped)) && others.contains(&("send", JobState::Cancelled)), "{others:?}");
        assert_eq!(db.job(named(&again, "remind").id).await.reason.unwrap().code, "already_done");
    }

    async fn what_was_made_meanwhile_for_another_time_or_has_begun_goes_on(kind) {
        for (anchor, begins) in [(4 * DAY, false), (3 * DAY, true)] {
            let db = Db::open(kind).await;
            let index = db.store.indexer().clone();
            db.record(db.delivery(1, 0).fires_for(&index, "77", 3 * DAY, None)).await;
            let first = db.claim(3 * DAY).await.remove(0);
            db.record(db.delivery(2, 1).cancels(&index, "77")).await;
            let again = db.record(db.delivery(3, 2).fires_for(&index, "77", anchor, None)).await;
            let again = again.iter().find(|job| job.state.is_live() && job.id != first.job.id).unwrap().id;
            if begins {
                assert_eq!(db.claim(3 * DAY).await.remove(0).job.id, again);
            }
            db.store.settle(Settlement { outward: true, ..settlement(&first, done()) }, minute(5)).await.unwrap();
            assert!(db.job(again).await.state.is_live(), "anchor {anchor}, begun {begins}");
        }
    }
}
