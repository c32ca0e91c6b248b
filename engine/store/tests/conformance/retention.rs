//! Retention: what was kept long enough goes, and nothing else.

use serde_json::json;
use zelo_core::settle::LocalWrite;
use zelo_core::{Actor, Document, IdentityKind};
use zelo_store::{Aged, Page, Retained, Retention, Who};

use crate::build::{DAY, Db, done, minute, sending};

const LATER: i64 = 40 * DAY;

impl Db {
    async fn retained(&self, keep: Retention) -> Retained {
        self.store.retain(keep, Actor::engine(), minute(LATER)).await.unwrap()
    }

    /// Somebody whose event made a message, at minute `at`.
    async fn messaged(&self, number: u64, person: &str, at: i64) {
        let index = self.store.indexer().clone();
        let delivery = self.delivery(number, at).received(at).subject(&index, person).known_by(&index, IdentityKind::Cpf, person);
        self.record(delivery.remembers(&index, person, json!({ "name": person })).fires("thank")).await;
        let work = self.claim(at + 1).await.remove(0);
        let slot = index.state("centro", "7", "reminder", "thank", person);
        self.store.settle(sending(&work, slot, "5511", "Olá"), minute(at + 2)).await.unwrap();
    }
}

/// Of one type or action alone.
fn only(name: &str, before: i64) -> Aged {
    Aged { only: Some(vec![name.split_once('.').unwrap().1.into()]), ..Aged::all(name, minute(before)) }
}

fn all(before: i64) -> Retention {
    let all = |kind: &str| vec![Aged::all(kind, minute(before))];
    Retention {
        events: all("events"),
        jobs: all("jobs"),
        messages: all("messages"),
        documents: all("documents"),
        state: all("state"),
        records: vec![only("records.clinic", before)],
        refused: vec![],
    }
}

conforming! {
    async fn what_is_old_goes_and_the_keys_of_whom_nothing_is_left(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        db.messaged(1, "old", 0).await;
        db.messaged(2, "new", 20 * DAY).await;
        let (old, new) = (db.person("old").await, db.person("new").await);
        assert!(db.retained(Retention::default()).await.is_empty(), "for ever");
        assert!(db.retained(all(0)).await.is_empty(), "nothing is so old");
        let would = db.store.aged(all(10 * DAY)).await.unwrap();
        assert_eq!(would, ["events", "jobs", "messages", "records.clinic", "state"].map(|kind| (kind.to_owned(), 1)).into());
        assert_eq!(db.message_count().await, 2, "nothing was deleted");
        let messages = Retention { messages: vec![Aged::all("messages", minute(10 * DAY))], ..Retention::default() };
        assert_eq!(db.retained(messages).await.deleted, [("messages".to_owned(), 1)].into());
        let retained = db.retained(all(10 * DAY)).await;
        let gone = ["events", "jobs", "records.clinic", "state"].map(|kind| (kind.to_owned(), 1));
        assert_eq!((retained.deleted, retained.keys, retained.more), (gone.into(), 1, false));
        let db = db.reopen().await;
        assert_eq!(db.store.events(&Page::default()).await.unwrap().len(), 1);
        assert_eq!(db.message_count().await, 1);
        assert!(db.store.find_subjects(Who::Pseudonym(old)).await.unwrap()[0].erased.is_some(), "nothing of them is left");
        assert_eq!(db.store.find_subjects(Who::Identity(index.identity(IdentityKind::Cpf, "old"))).await.unwrap(), []);
        assert_eq!(db.store.export_subject(new).await.unwrap().unwrap().jobs.len(), 1);
        assert!(db.retained(all(10 * DAY)).await.is_empty(), "once");
        db.messaged(3, "old", 30 * DAY).await;
        assert_ne!(db.person("old").await, old, "somebody new");
        assert_eq!(db.store.verify_audit(vec![]).await.unwrap().findings, []);
    }

    async fn what_live_jobs_need_stays_and_so_does_who_is_on_hold(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        db.record(db.delivery(1, 0).subject(&index, "waits").fires_for(&index, "1", LATER * 2, None)).await;
        db.messaged(2, "held", 1).await;
        let held = db.person("held").await;
        db.store.hold(held, Some("lawsuit".into()), Actor::command(), minute(2)).await.unwrap();
        assert_eq!(db.retained(all(30 * DAY)).await, Retained::default());
        db.store.hold(held, None, Actor::command(), minute(3)).await.unwrap();
        let retained = db.retained(all(30 * DAY)).await;
        assert_eq!((retained.deleted["events"], retained.keys), (1, 1), "the one that waits keeps its event");
        assert_eq!(db.store.events(&Page::default()).await.unwrap()[0].event.subjects, ["waits"]);
    }

    async fn a_step_stays_while_what_comes_after_it_is_pending(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let chain = db.delivery(1, 0).subject(&index, "p1").fires("issue").fires_after(&index, "send", None, &["issue"], None);
        db.record(chain).await;
        let issue = db.claim(1).await.remove(0);
        let slot = index.state("centro", "7", "reminder", "issue", "last");
        db.store.settle(sending(&issue, slot, "5511", "Olá"), minute(2)).await.unwrap();
        assert!(!db.retained(all(30 * DAY)).await.deleted.contains_key("jobs"));
        let send = db.claim(3).await.remove(0);
        db.settle(&send, done(), 4).await;
        assert_eq!(db.retained(all(30 * DAY)).await.deleted["jobs"], 2);
    }

    async fn who_stands_in_what_is_kept_longer_can_be_found(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        for (number, person) in [(1, "p1"), (2, "p2")] {
            db.record(db.delivery(number, number as i64).subject(&index, person).collected(&index, "all", None)).await;
        }
        let work = db.claim(DAY).await.remove(0);
        let slot = index.state("centro", "7", "reminder", "answer", "last");
        db.store.settle(sending(&work, slot, "5511", "both"), minute(DAY)).await.unwrap();
        let p1 = db.person("p1").await;
        let keep = Retention { messages: vec![], ..all(30 * DAY) };
        assert_eq!(db.retained(keep).await.keys, 0);
        assert_eq!((db.message_count().await, db.person("p1").await), (1, p1));
        let erasure = db.store.erase(p1, Actor::command(), minute(LATER)).await.unwrap().unwrap();
        assert_eq!((erasure.deleted["messages"], db.message_count().await), (1, 0));
    }

    async fn types_of_events_may_be_kept_longer_or_shorter(kind) {
        let db = Db::open(kind).await;
        let typed = |number, kind: &str| {
            let mut delivery = db.delivery(number, 0);
            delivery.0.event.kind = kind.into();
            delivery
        };
        for (number, kind) in [(1, "clinic.updated"), (2, "appointment.created"), (3, "clinic.updated")] {
            db.record(typed(number, kind)).await;
        }
        let others = Aged { except: vec!["clinic.updated".into()], ..Aged::all("events", minute(9)) };
        let keep = Retention { events: vec![only("events.clinic.updated", -9), others], ..Retention::default() };
        assert_eq!(db.retained(keep).await.deleted, [("events".to_owned(), 1)].into());
        let keep = Retention { events: vec![only("events.clinic.updated", 9)], ..Retention::default() };
        assert_eq!(db.retained(keep).await.deleted, [("events.clinic.updated".to_owned(), 2)].into());
    }

    async fn what_came_of_an_action_may_be_kept_longer_or_shorter_and_outlive_its_job(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        for (number, action) in [(1, "thank"), (2, "issue")] {
            db.record(db.delivery(number, 0).subject(&index, "p1").fires(action)).await;
            let work = db.claim(1).await.remove(0);
            let slot = index.state("centro", "7", "reminder", action, "last");
            let mut end = sending(&work, slot, "5511", action);
            let document = Document { name: "a.pdf".into(), media_type: "application/pdf".into(), content: vec![1], text: String::new() };
            end.local.push(LocalWrite::Document { index: 3, document });
            db.store.settle(end, minute(2)).await.unwrap();
        }
        let db = db.reopen().await;
        let jobs = Retention { jobs: vec![Aged::all("jobs", minute(DAY))], ..Retention::default() };
        assert_eq!(db.retained(jobs).await.deleted["jobs"], 2);
        let but = |name: &str| Aged { except: vec!["reminder/issue".into()], ..Aged::all(name, minute(DAY)) };
        let of = |name: &str| vec![but(name)];
        let keep = Retention { messages: of("messages"), documents: of("documents"), state: of("state"), ..Retention::default() };
        let one_each = ["messages", "documents", "state"].map(|kind| (kind.to_owned(), 1));
        assert_eq!(db.retained(keep.clone()).await.deleted, one_each.clone().into());
        assert!(db.retained(keep).await.is_empty(), "what is left is of the other action");
        let of = |kind: &str| vec![only(&format!("{kind}.reminder/issue"), DAY)];
        let keep = Retention { messages: of("messages"), documents: of("documents"), state: of("state"), ..Retention::default() };
        let of_action = one_each.map(|(kind, rows)| (format!("{kind}.reminder/issue"), rows));
        assert_eq!(db.retained(keep).await.deleted, of_action.into());
    }

    async fn jobs_go_by_their_actions_too(kind) {
        let db = Db::open(kind).await;
        for (number, action) in [(1, "thank"), (2, "issue")] {
            db.record(db.delivery(number, 0).fires(action)).await;
            let work = db.claim(1).await.remove(0);
            db.settle(&work, done(), 2).await;
        }
        let keep = Retention { jobs: vec![only("jobs.reminder/issue", DAY)], ..Retention::default() };
        assert_eq!(db.retained(keep).await.deleted["jobs.reminder/issue"], 1);
        assert_eq!(db.store.jobs(&Page::default(), None).await.unwrap()[0].job.action, "thank");
    }

    async fn whose_data_others_have_is_held_there_too(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        for (number, person) in [(1, "p1"), (2, "p2")] {
            db.record(db.delivery(number, number as i64).subject(&index, person).collected(&index, "all", None)).await;
        }
        let work = db.claim(DAY).await.remove(0);
        let slot = index.state("centro", "7", "reminder", "answer", "last");
        db.store.settle(sending(&work, slot, "5511", "both"), minute(DAY)).await.unwrap();
        db.store.hold(db.person("p1").await, Some("lawsuit".into()), Actor::command(), minute(DAY)).await.unwrap();
        let keep = Retention { events: vec![], ..all(30 * DAY) };
        assert_eq!(db.retained(keep).await, Retained::default(), "messages, state and the job have what is of p1");
    }
}
