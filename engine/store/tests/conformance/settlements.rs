//! What is stored with the end of an attempt.

use serde_json::{Value, json};
use zelo_core::job::Reason;
use zelo_core::settle::{AttemptEnd, Checkpoint, Checkpointed, LocalWrite, LogLine, Purpose, Report, Settled, Settlement};
use zelo_core::{AuditKind, Effect, EffectResult, JobState, JournalEntry};
use zelo_store::{AuditPage, Page, effect_id};

use crate::build::{DAY, Db, done, message, minute, sending, settlement};

conforming! {
    async fn effects_commit_with_the_end_of_the_attempt(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        db.record(db.delivery(1, 0).subject(&index, "p1").fires("thank")).await;
        let work = db.claim(1).await.remove(0);
        let slot = index.state("centro", "7", "reminder", "thank", "last");
        let settled = db.store.settle(sending(&work, slot, "5511", "Olá"), minute(2)).await.unwrap();
        assert!(matches!(settled.settled, Settled::Applied { keep_effects: true, .. }));

        let db = db.reopen().await;
        let sent = db.store.messages(&Page::default()).await.unwrap().remove(0);
        assert_eq!((sent.id, sent.job, sent.at), (effect_id(work.job.id, 1), work.job.id, minute(2)));
        assert_eq!((sent.channel.as_str(), sent.connection.as_str(), sent.clinic.as_deref()), ("outbox", "centro", Some("7")));
        assert_eq!(sent.message, message("5511", "Olá"));
        assert_eq!(db.store.state(slot).await.unwrap().as_deref(), Some("Olá"));
        let view = db.store.job(work.job.id).await.unwrap().unwrap();
        assert_eq!((view.job.state, view.summary.as_deref(), view.ended), (JobState::Done, Some("told 5511: Olá"), Some(minute(2))));
        let journal = db.store.journal(work.job.id).await.unwrap();
        assert_eq!(journal, sending(&work, slot, "5511", "Olá").journal.into_iter().map(|(_, entry)| entry).collect::<Vec<_>>());
    }

    async fn a_retry_finds_the_journal_of_earlier_attempts(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        db.record(db.delivery(1, 0).fires("thank")).await;
        let work = db.claim(1).await.remove(0);
        let slot = index.state("centro", "7", "reminder", "thank", "last");
        let whole = sending(&work, slot, "5511", "Olá");
        let failed = Settlement {
            end: AttemptEnd::Retry { reason: Reason::new("trap", "the plugin failed"), after: None },
            journal: whole.journal[..1].to_vec(),
            ..settlement(&work, done())
        };
        db.store.settle(failed, minute(1)).await.unwrap();
        let again = db.claim(60).await.remove(0);
        assert_eq!(again.journal, [whole.journal[0].1.clone()]);
        assert!(matches!(again.journal[0], JournalEntry::Invocation(_)));
        let rest = Settlement { journal: whole.journal[1..].to_vec(), ..settlement(&again, done()) };
        db.store.settle(rest, minute(61)).await.unwrap();
        assert_eq!(db.store.journal(work.job.id).await.unwrap().len(), 3);
    }

    async fn what_has_begun_gets_its_end_and_nothing_else_is_written_over(kind) {
        let db = Db::open(kind).await;
        db.record(db.delivery(1, 0).fires("thank")).await;
        let work = db.claim(1).await.remove(0);
        let index = db.store.indexer().clone();
        let slot = index.state("centro", "7", "reminder", "thank", "last");
        let frozen = sending(&work, slot, "5511", "Olá").journal.remove(0);
        let entry = |in_flight: Option<bool>| match in_flight {
            Some(in_flight) => (1, JournalEntry::Begun { effect: Effect::StateGet { key: "k".into() }, in_flight }),
            None => (1, JournalEntry::Effect { effect: Effect::StateGet { key: "k".into() }, result: EffectResult::Value { value: None } }),
        };
        let check = |journal, purpose| Checkpoint {
            job: work.job.id,
            lease: work.job.lease,
            journal,
            local: Vec::new(),
            emitted: Vec::new(),
            purpose,
        };
        let kept = async |journal, purpose| db.store.checkpoint(check(journal, purpose), minute(2)).await;
        assert_eq!(kept(vec![frozen.clone(), entry(Some(true))], Purpose::Begin).await.unwrap(), Checkpointed::Kept);
        assert_eq!(db.store.journal(work.job.id).await.unwrap(), [frozen.1.clone(), entry(Some(true)).1]);
        assert_eq!(kept(vec![entry(Some(false))], Purpose::Begin).await.unwrap(), Checkpointed::Kept, "it is known not to be");
        assert_eq!(kept(vec![entry(None)], Purpose::Done).await.unwrap(), Checkpointed::Kept);
        assert_eq!(db.store.journal(work.job.id).await.unwrap(), [frozen.1.clone(), entry(None).1]);
        kept(vec![entry(Some(true))], Purpose::Begin).await.expect_err("a result stands for good");
        kept(vec![frozen.clone()], Purpose::Begin).await.expect_err("so does what was frozen");
        assert_eq!(db.store.journal(work.job.id).await.unwrap(), [frozen.1, entry(None).1]);

        let late = Checkpoint { lease: work.job.lease + 1, ..check(Vec::new(), Purpose::Done) };
        assert_eq!(db.store.checkpoint(late, minute(3)).await.unwrap(), Checkpointed::Stale);
        let unknown = AttemptEnd::Unknown(Reason::new("unknown", "nobody knows"));
        db.store.settle(Settlement { end: unknown, ..settlement(&work, done()) }, minute(3)).await.unwrap();
        let view = db.store.job(work.job.id).await.unwrap().unwrap();
        assert_eq!((view.job.state, view.job.reason.unwrap().code.as_str()), (JobState::Unknown, "unknown"));
    }

    async fn a_job_that_was_asked_to_stop_begins_nothing_and_keeps_what_was_done(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        db.record(db.delivery(1, 0).fires_for(&index, "77", DAY, None)).await;
        let work = db.claim(1).await.remove(0);
        db.record(db.delivery(2, 1).cancels(&index, "77")).await;
        let check = |purpose| {
            let (journal, local, emitted) = (Vec::new(), Vec::new(), Vec::new());
            Checkpoint { job: work.job.id, lease: work.job.lease, journal, local, emitted, purpose }
        };
        assert!(matches!(db.store.checkpoint(check(Purpose::Begin), minute(2)).await.unwrap(), Checkpointed::Cancelled(_)));
        assert_eq!(db.store.checkpoint(check(Purpose::Done), minute(2)).await.unwrap(), Checkpointed::Kept);
    }

    async fn what_was_refused_has_to_be_answered_for(kind) {
        let db = Db::open(kind).await;
        db.record(db.delivery(1, 0).fires("thank")).await;
        let work = db.claim(1).await.remove(0);
        let effect = |result| JournalEntry::Effect { effect: Effect::StateGet { key: "Ana".into() }, result };
        let refused = || effect(EffectResult::Refused { reason: "not granted: Ana".into() });
        let journal = vec![(0, refused()), (1, effect(EffectResult::Value { value: None })), (2, refused())];
        db.store.settle(Settlement { journal, ..settlement(&work, done()) }, minute(2)).await.unwrap();
        let db = db.reopen().await;
        let refused = AuditPage { kind: Some(AuditKind::Refused), ..AuditPage::default() };
        let rows = db.store.audit(&refused).await.unwrap();
        let detail = |entry| json!({ "entry": entry, "effect": "state_get", "rule": "reminder", "action": "thank" });
        let told: Vec<_> = rows.iter().map(|row| (Value::from(row.entry.detail()), row.entry.at, row.entry.job)).collect();
        assert_eq!(told, [(detail(2), minute(2), Some(work.job.id)), (detail(0), minute(2), Some(work.job.id))]);
        assert_eq!((rows[0].entry.clinic.as_deref(), rows[0].entry.actor.as_str()), (Some("7"), "engine"));
        let elsewhere = Page { clinic: Some("8".into()), ..Page::default() };
        assert_eq!(db.store.audit(&AuditPage { page: elsewhere, ..AuditPage::default() }).await.unwrap(), []);
    }

    async fn what_a_cancelled_attempt_was_refused_has_to_be_answered_for_too(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        db.record(db.delivery(1, 0).fires_for(&index, "77", DAY, None)).await;
        let work = db.claim(1).await.remove(0);
        db.record(db.delivery(2, 1).cancels(&index, "77")).await;
        let refused = EffectResult::Refused { reason: "not granted".into() };
        let journal = vec![(0, JournalEntry::Effect { effect: Effect::StateGet { key: "k".into() }, result: refused })];
        db.store.settle(Settlement { journal, ..settlement(&work, done()) }, minute(2)).await.unwrap();
        assert_eq!(db.store.job(work.job.id).await.unwrap().unwrap().job.state, JobState::Cancelled);
        assert_eq!(db.store.journal(work.job.id).await.unwrap(), []);
        assert_eq!(db.store.audit(&AuditPage::default()).await.unwrap().len(), 1);
    }

    async fn a_cancellation_takes_local_effects_back(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        db.record(db.delivery(1, 0).fires_for(&index, "77", DAY, None)).await;
        let work = db.claim(1).await.remove(0);
        let asked = db.record(db.delivery(2, 1).cancels(&index, "77")).await;
        assert_eq!((asked[0].state, asked[0].cancel.is_some()), (JobState::Running, true));
        let slot = index.state("centro", "7", "reminder", "remind", "last");
        let settled = db.store.settle(sending(&work, slot, "5511", "Olá"), minute(2)).await.unwrap();
        assert!(matches!(settled.settled, Settled::Applied { keep_effects: false, .. }));
        let view = db.store.job(work.job.id).await.unwrap().unwrap();
        assert_eq!((view.job.state, view.summary), (JobState::Cancelled, None));
        assert_eq!((db.message_count().await, db.store.state(slot).await.unwrap()), (0, None));
        assert!(db.store.journal(work.job.id).await.unwrap().is_empty());
    }

    async fn what_a_plugin_said_is_kept_with_each_attempt(kind) {
        let db = Db::open(kind).await;
        db.record(db.delivery(1, 0).subject(db.store.indexer(), "p1").fires("thank")).await;
        let line = |text: &str| LogLine { level: "info".into(), text: text.into() };
        let first = Report { summary: Some("busy".into()), output: None, lines: vec![line("one"), line("two")] };
        let second = Report { summary: Some("thanked".into()), output: Some(json!({ "total": "1,20" })), lines: Vec::new() };
        let work = db.claim(1).await.remove(0);
        let failed = AttemptEnd::Retry { reason: Reason::new("plugin", "later"), after: None };
        db.store.settle(Settlement { report: first.clone(), ..settlement(&work, failed) }, minute(1)).await.unwrap();
        let work = db.claim(60).await.remove(0);
        db.store.settle(Settlement { report: second.clone(), ..settlement(&work, done()) }, minute(60)).await.unwrap();
        let db = db.reopen().await;
        let said: Vec<_> = db.store.attempts(work.job.id).await.unwrap().into_iter().map(|view| (view.attempt, view.state, view.report)).collect();
        assert_eq!(said, [(1, JobState::Scheduled, first), (2, JobState::Done, second)]);
    }

    async fn a_record_that_comes_while_a_job_runs_is_not_missed(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        db.record(db.delivery(1, 0).fires_for(&index, "77", DAY, Some("k1"))).await;
        let work = db.claim(1).await.remove(0);
        db.record(db.delivery(2, 1).remembers(&index, "k1", json!({ "name": "Centro" }))).await;
        let missing = AttemptEnd::Wait { reason: Reason::new("missing", "clinic $.name is missing"), until: minute(DAY) };
        db.settle(&work, missing.clone(), 2).await;
        let again = db.claim(2).await.remove(0);
        assert_eq!((again.job.id, again.job.again, again.records.0.len()), (work.job.id, false, 1), "it looks again at once");
        db.settle(&again, missing, 3).await;
        assert!(db.claim(4).await.is_empty(), "and then waits");
    }

    async fn the_same_effect_is_never_stored_twice(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        for number in 1..=3 {
            db.record(db.delivery(number, 0).fires("thank")).await;
        }
        let work = db.claim(1).await;
        let slot = index.state("centro", "7", "reminder", "thank", "last");
        let twice = Settlement {
            local: vec![
                LocalWrite::Message { index: 1, channel: "outbox".into(), message: message("5511", "Olá") },
                LocalWrite::Message { index: 1, channel: "outbox".into(), message: message("5511", "Olá") },
            ],
            ..settlement(&work[1], done())
        };
        // In one batch with two that are in order: those are stored, this one is refused as a whole.
        let (first, second, third) = futures::join!(
            db.store.settle(sending(&work[0], slot, "5511", "Olá"), minute(2)),
            db.store.settle(twice, minute(2)),
            db.store.settle(sending(&work[2], slot, "5512", "Olá"), minute(2)),
        );
        assert!(first.is_ok() && third.is_ok());
        assert!(second.unwrap_err().to_string().contains("store messages"));
        assert_eq!(db.message_count().await, 2);
        assert_eq!(db.job(work[1].job.id).await, work[1].job, "still running, as if nothing had been said");
    }

    async fn state_takes_the_last_word(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let mut wishes = vec![vec![Some("1"), Some("2")], vec![None], vec![Some("3"), None, Some("4")]];
        for number in 1..=3 {
            db.record(db.delivery(number, 0).fires("thank")).await;
            let work = db.claim(1).await.remove(0);
            let slot = index.state("centro", "7", "reminder", "thank", "last");
            let values = wishes.remove(0);
            let local = values.iter().map(|value| LocalWrite::State { slot, value: value.map(str::to_owned) }).collect();
            db.store.settle(Settlement { local, ..settlement(&work, done()) }, minute(2)).await.unwrap();
            assert_eq!(db.store.state(slot).await.unwrap().as_deref(), values[values.len() - 1]);
        }
    }

    async fn what_was_done_is_not_done_again(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        db.record(db.delivery(1, 0).fires_for(&index, "77", DAY, None)).await;
        let work = db.claim(1).await.remove(0);
        db.settle(&work, done(), 2).await;
        let db = db.reopen().await;
        let again = db.record(db.delivery(2, 3).fires_for(&index, "77", DAY, None)).await;
        assert_eq!((again.len(), again[0].state), (1, JobState::Skipped));
        assert_eq!(again[0].reason.as_ref().unwrap().code, "already_done");
        assert_eq!(db.record(db.delivery(3, 4).fires_for(&index, "77", 2 * DAY, None)).await.len(), 1);
    }

    async fn every_end_is_stored_as_it_was_decided(kind) {
        let db = Db::open(kind).await;
        let ends = [
            (done(), JobState::Done),
            (AttemptEnd::Dead(Reason::new("refused", "not granted")), JobState::Dead),
            (AttemptEnd::Cancelled(Reason::new("gone", "gone")), JobState::Cancelled),
            (AttemptEnd::Skipped(Reason::new("only_if", "a condition does not hold")), JobState::Skipped),
        ];
        for (number, (end, state)) in ends.into_iter().enumerate() {
            db.record(db.delivery(number as u64, 0).fires("thank")).await;
            let work = db.claim(1).await.remove(0);
            let Settled::Applied { job, .. } = db.settle(&work, end, 2).await else { panic!("stale") };
            assert_eq!(job.state, state);
            assert_eq!(db.job(work.job.id).await, *job);
            assert_eq!(db.store.jobs(&Page::default(), Some(state)).await.unwrap().len(), 1);
        }
    }
}
