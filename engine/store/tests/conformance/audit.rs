//! The audit log: what it says, and that nobody can change it unseen.

use serde_json::{Value, json};
use zelo_core::audit::Head;
use zelo_core::audit::verify::Finding;
use zelo_core::settle::{AttemptEnd, Settlement};
use zelo_core::{Actor, AuditEntry, AuditKind, JournalEntry};
use zelo_store::seal::is_signed;
use zelo_store::{AuditPage, AuditPrune};

use crate::build::{Db, Kind, done, minute, sending, settlement};

impl Db {
    /// What the log says, oldest first.
    async fn told(&self) -> Vec<(AuditKind, Value)> {
        let mut rows = self.store.audit(&AuditPage::default()).await.unwrap();
        rows.reverse();
        rows.into_iter().map(|row| (row.entry.kind, row.entry.detail().into())).collect()
    }

    async fn findings(&self, others: Vec<Head>) -> Vec<Finding> {
        self.store.verify_audit(others).await.unwrap().findings
    }

    /// A log of `len` entries that are about nobody.
    async fn noted(&self, len: u64, at: i64) {
        for number in 0..len {
            let entry = AuditEntry::new(minute(at), AuditKind::Viewed, Actor::command(), &json!({ "number": number }));
            self.store.answer_for(vec![entry]).await.unwrap();
        }
    }
}

conforming! {
    async fn who_was_shown_what_and_what_was_done_is_told(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        db.record(db.delivery(1, 0).subject(&index, "p1").fires("thank")).await;
        let work = db.claim(1).await.remove(0);
        let slot = index.state("centro", "7", "reminder", "thank", "last");
        db.store.settle(sending(&work, slot, "5511", "Olá"), minute(2)).await.unwrap();
        let db = db.reopen().await;
        let shown = json!({
            "event": work.event.id.to_string(), "type": work.event.kind, "rule": "reminder", "action": "thank", "plugin": "messenger",
            "digest": "p1", "fields": { "phone": "personal" }, "purpose": "Thank", "basis": "lgpd:11.II.f",
        });
        let effects = json!([{ "entry": 1, "effect": "message", "to": "outbox" }, { "entry": 2, "effect": "state_set" }]);
        let did = json!({ "rule": "reminder", "action": "thank", "effects": effects });
        assert_eq!(db.told().await, [(AuditKind::Disclosed, shown), (AuditKind::Done, did)]);
        let person = db.person("p1").await;
        let seen = db.store.seen_of(person).await.unwrap();
        assert_eq!(seen.iter().map(|row| (row.cursor, row.entry.job)).collect::<Vec<_>>(), [(1, Some(work.job.id)), (2, Some(work.job.id))]);
        assert_eq!(db.findings(vec![]).await, []);
    }

    async fn what_a_plugin_saw_before_it_said_that_something_is_missing_is_told(kind) {
        let db = Db::open(kind).await;
        db.record(db.delivery(1, 0).fires("thank")).await;
        let work = db.claim(1).await.remove(0);
        let slot = db.store.indexer().state("centro", "7", "reminder", "thank", "last");
        let JournalEntry::Invocation(shown) = sending(&work, slot, "5511", "Olá").journal.remove(0).1 else { panic!("it is the first") };
        let reason = zelo_core::job::Reason::new("missing", "a phone");
        let waits = AttemptEnd::Wait { reason, until: minute(9) };
        db.store.settle(Settlement { shown: Some(shown), ..settlement(&work, waits) }, minute(2)).await.unwrap();
        assert_eq!(db.told().await.into_iter().map(|(kind, _)| kind).collect::<Vec<_>>(), [AuditKind::Disclosed]);
        assert_eq!(db.store.journal(work.job.id).await.unwrap(), []);
    }

    async fn nothing_is_told_of_what_was_taken_back(kind) {
        let db = Db::open(kind).await;
        db.record(db.delivery(1, 0).fires("thank")).await;
        let work = db.claim(1).await.remove(0);
        let slot = db.store.indexer().state("centro", "7", "reminder", "thank", "last");
        let mut twice = sending(&work, slot, "5511", "Olá");
        twice.local.push(twice.local[0].clone());
        assert!(db.store.settle(twice, minute(2)).await.is_err(), "one effect is one message");
        db.noted(1, 3).await;
        db.settle(&work, done(), 3).await;
        assert_eq!(db.told().await.into_iter().map(|(kind, _)| kind).collect::<Vec<_>>(), [AuditKind::Viewed]);
        assert_eq!(db.findings(vec![]).await, []);
    }

    async fn heads_are_signed_and_handed_out_once(kind) {
        let db = Db::open(kind).await;
        assert_eq!(db.store.sign_audit(minute(1)).await.unwrap(), None, "there is nothing to sign");
        db.noted(2, 1).await;
        let first = db.store.sign_audit(minute(1)).await.unwrap().unwrap();
        assert_eq!((first.seq, first.at, first.key, is_signed(&first)), (2, minute(1), db.store.audit_key(), true));
        assert_eq!(db.store.sign_audit(minute(2)).await.unwrap(), Some(first.clone()), "nothing came since");
        let db = db.reopen().await;
        db.noted(1, 3).await;
        let second = db.store.sign_audit(minute(3)).await.unwrap().unwrap();
        assert_eq!((second.seq, second.key), (3, first.key), "the key stays");
        assert_eq!(db.store.unexported_heads(9).await.unwrap(), [first.clone(), second.clone()]);
        db.store.exported_heads(vec![2]).await.unwrap();
        assert_eq!(db.store.unexported_heads(9).await.unwrap(), [second]);
        let verified = db.store.verify_audit(vec![]).await.unwrap();
        assert_eq!((verified.findings, verified.entries, verified.heads), (vec![], 3, 2));
    }

    async fn the_beginning_goes_behind_a_signed_head_only(kind) {
        let db = Db::open(kind).await;
        db.noted(3, 1).await;
        let prune = |before, exported| AuditPrune { before: minute(before), exported, actor: Actor::command() };
        assert_eq!(db.store.prune_audit(prune(9, false), minute(9)).await.unwrap(), None, "nothing was signed");
        let head = db.store.sign_audit(minute(1)).await.unwrap();
        db.noted(2, 5).await;
        assert_eq!(db.store.prune_audit(prune(5, true), minute(9)).await.unwrap(), None, "nobody else holds the head");
        db.store.exported_heads(vec![3]).await.unwrap();
        assert_eq!(db.store.prune_audit(prune(1, true), minute(9)).await.unwrap(), None, "nothing is so old");
        assert_eq!(db.store.prune_audit(prune(5, true), minute(9)).await.unwrap(), head);
        let db = db.reopen().await;
        assert_eq!(db.told().await.len(), 3, "two, and that it was pruned");
        assert_eq!(db.findings(head.into_iter().collect()).await, []);
        assert_eq!(db.store.prune_audit(prune(5, true), minute(9)).await.unwrap(), None, "that is done");
    }
}

#[tokio::test]
async fn whatever_is_done_to_the_log_is_told() {
    let done: [(&'static str, Vec<Finding>); 7] = [
        ("UPDATE audit_log SET detail = '{}' WHERE seq = 2", vec![Finding::Changed { seq: 2 }]),
        ("UPDATE audit_log SET actor = 'somebody' WHERE seq = 4", vec![Finding::Changed { seq: 4 }]),
        ("UPDATE audit_log SET kind = 'no word' WHERE seq = 2", vec![Finding::Changed { seq: 2 }]),
        ("DELETE FROM audit_log WHERE seq = 3", vec![Finding::Missing { from: 3, to: 3 }]),
        ("DELETE FROM audit_log WHERE seq > 3", vec![Finding::CutOff { last: 3, signed: 5 }]),
        ("UPDATE audit_log SET seq = CASE seq WHEN 2 THEN -4 WHEN 4 THEN -2 ELSE seq END", vec![Finding::Moved { seq: 2, other: 4 }]),
        ("UPDATE audit_heads SET hash = zeroblob(32)", vec![Finding::Forged { seq: 5 }]),
    ];
    for (sql, found) in done {
        let db = Db::open(Kind::SqliteFile).await;
        db.noted(5, 1).await;
        let head = db.store.sign_audit(minute(1)).await.unwrap().unwrap();
        assert_eq!(db.findings(vec![head.clone()]).await, []);
        db.sql(sql).await;
        db.sql("UPDATE audit_log SET seq = -seq WHERE seq < 0").await;
        assert_eq!(db.findings(vec![]).await, found, "{sql}");
        // Who holds the head elsewhere sees the end cut off even where the database has forgotten that there was one.
        db.sql("DELETE FROM audit_heads").await;
        assert!(!db.findings(vec![]).await.iter().any(|one| matches!(one, Finding::CutOff { .. } | Finding::Forged { .. })));
        assert_eq!(db.findings(vec![head]).await.is_empty(), sql.contains("audit_heads"), "{sql}");
    }
}

#[tokio::test]
async fn nobody_cuts_off_the_beginning_without_leave() {
    let db = Db::open(Kind::SqliteFile).await;
    db.noted(5, 1).await;
    let head = db.store.sign_audit(minute(1)).await.unwrap().unwrap();
    db.sql("INSERT INTO meta (name, value) SELECT 'audit_base', CAST(unhex(printf('%016x', seq)) || hash AS BLOB) FROM audit_log WHERE seq = 3").await;
    db.sql("DELETE FROM audit_log WHERE seq <= 3").await;
    assert_eq!(db.findings(vec![head]).await, [Finding::Missing { from: 1, to: 3 }]);
}
