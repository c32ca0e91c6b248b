//! Who got how many messages of late.

use jiff::Timestamp;
use proptest::prelude::*;
use zelo_core::budget::PER_MAX;
use zelo_core::settle::{Checkpoint, Checkpointed, LocalWrite, Purpose, Settlement};
use zelo_core::{AutomationId, Effect, KeyHash};
use zelo_store::Work;

use crate::build::{DAY, Db, Kind, done, message, minute, settlement};

/// An attempt that sent to these, one after the other.
fn sends(work: &Work, to: &[&str]) -> Settlement {
    let message = |(index, to): (u32, &&str)| LocalWrite::Message { index, channel: "outbox".into(), message: message(to, "Olá") };
    Settlement { local: (1..).zip(to).map(message).collect(), ..settlement(work, done()) }
}

fn automation() -> AutomationId {
    AutomationId::new("reminder", "centro", None)
}

async fn since(db: &Db, to: &str, action: Option<&str>, after: Timestamp) -> u32 {
    let contact: KeyHash = db.store.indexer().contact("centro", to);
    db.store.sent_since(contact, action.map(|action| (automation(), action.to_owned())), after).await.unwrap()
}

/// A job of `action`, claimed.
async fn claimed(db: &Db, number: u64, action: &str, now: i64) -> Work {
    db.record(db.delivery(number, now).fires(action)).await;
    db.claim(now).await.remove(0)
}

conforming! {
    async fn messages_are_counted_by_contact_and_action(kind) {
        let db = Db::open(kind).await;
        let work = claimed(&db, 1, "thank", 1).await;
        db.store.settle(sends(&work, &["+55 (11) 9", "55119", "ana@example.com"]), minute(2)).await.unwrap();
        let work = claimed(&db, 2, "remind", 3).await;
        db.store.settle(sends(&work, &["55 11-9"]), minute(4)).await.unwrap();

        let db = db.reopen().await;
        assert_eq!(since(&db, "55119", None, minute(0)).await, 3, "however the number is written");
        assert_eq!(since(&db, "55119", None, minute(2)).await, 1, "what was sent then is not later");
        assert_eq!(since(&db, "55119", None, minute(4)).await, 0);
        assert_eq!(since(&db, " ANA@example.com", None, minute(0)).await, 1);
        assert_eq!(since(&db, "55118", None, minute(0)).await, 0);
        assert_eq!(since(&db, "55119", Some("thank"), minute(0)).await, 2);
        assert_eq!(since(&db, "55119", Some("remind"), minute(0)).await, 1);
        assert_eq!(since(&db, "55119", Some("other"), minute(0)).await, 0);
        let index = db.store.indexer();
        let other = Some((AutomationId::new("other", "centro", None), "thank".to_owned()));
        assert_eq!(db.store.sent_since(index.contact("centro", "55119"), other, minute(0)).await.unwrap(), 0, "of another automation");
        assert_eq!(db.store.sent_since(index.contact("norte", "55119"), None, minute(0)).await.unwrap(), 0, "on another connection");
    }

    async fn whoever_asks_at_the_same_time_gets_an_answer_of_their_own(kind) {
        let db = Db::open(kind).await;
        let work = claimed(&db, 1, "thank", 1).await;
        let contacts: Vec<String> = (1..=9).map(|number| format!("5511{number}")).collect();
        let all: Vec<&str> = contacts.iter().enumerate().flat_map(|(place, to)| vec![to.as_str(); place + 1]).collect();
        db.store.settle(sends(&work, &all), minute(2)).await.unwrap();

        // More than any one statement has room for, in no order, some of them over before they are answered.
        let wanted: Vec<(usize, Option<&str>, i64)> = (0..600).map(|ask| (ask * 7 % 10, [None, Some("thank"), Some("other")][ask % 3], (ask % 2) as i64 * 2)).collect();
        let asked = wanted.iter().map(|(contact, action, after)| {
            let to = contacts.get(*contact).map_or("other", String::as_str);
            since(&db, to, *action, minute(*after))
        });
        let mut given_up: Vec<_> = (0..3).map(|_| Box::pin(since(&db, "55111", None, minute(0)))).collect();
        for one in &mut given_up {
            assert!(futures::poll!(one).is_pending());
        }
        drop(given_up);
        let found = futures::future::join_all(asked).await;
        for ((contact, action, after), found) in wanted.into_iter().zip(found) {
            let counts = contact < 9 && action != Some("other") && after < 2;
            assert_eq!(found, if counts { contact as u32 + 1 } else { 0 }, "{contact} {action:?} {after}");
        }
    }

    async fn what_is_taken_back_or_stale_does_not_count(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        db.record(db.delivery(1, 0).fires_for(&index, "77", DAY, None)).await;
        let work = db.claim(1).await.remove(0);
        db.record(db.delivery(2, 1).cancels(&index, "77")).await;
        db.store.settle(sends(&work, &["55119"]), minute(2)).await.unwrap();
        assert_eq!(since(&db, "55119", None, minute(0)).await, 0, "cancelled");
        let work = claimed(&db, 3, "thank", 3).await;
        let stale = Settlement { lease: work.job.lease + 1, ..sends(&work, &["55119"]) };
        db.store.settle(stale, minute(4)).await.unwrap();
        assert_eq!(since(&db, "55119", None, minute(0)).await, 0, "another worker's");
        db.store.settle(sends(&work, &["55119"]), minute(4)).await.unwrap();
        assert_eq!(since(&db, "55119", None, minute(0)).await, 1);
    }

    async fn a_checkpoint_counts_what_was_sent_before_it(kind) {
        let db = Db::open(kind).await;
        let work = claimed(&db, 1, "thank", 1).await;
        let Settlement { job, lease, local, .. } = sends(&work, &["55119", "55119"]);
        let effect = Effect::StateNext { key: "receipts".into() };
        let slot = db.store.indexer().state("centro", "7", "reminder", "thank", "receipts");
        let purpose = Purpose::Count { slot, index: 3, effect };
        let checkpoint = Checkpoint { job, lease, journal: Vec::new(), local, emitted: Vec::new(), purpose };
        assert_eq!(db.store.checkpoint(checkpoint, minute(2)).await.unwrap(), Checkpointed::Counted(1));
        assert_eq!(since(&db, "55119", None, minute(0)).await, 2);
        db.store.settle(settlement(&work, done()), minute(3)).await.unwrap();
        assert_eq!(since(&db, "55119", None, minute(0)).await, 2);
    }

    async fn what_can_matter_no_more_is_forgotten(kind) {
        let db = Db::open(kind).await;
        let longest = PER_MAX.as_mins();
        for (number, at, to) in [(1, 0, "55119"), (2, 1, "55119"), (3, longest, "55118")] {
            let work = claimed(&db, number, "thank", at).await;
            db.store.settle(sends(&work, &[to]), minute(at)).await.unwrap();
        }
        assert_eq!(since(&db, "55119", None, Timestamp::MIN).await, 1, "the first one is as old as a budget is long, and counts in none");
        assert_eq!(since(&db, "55118", None, Timestamp::MIN).await, 1);
    }
}

/// A message: minutes after the one before, its contact, its action.
fn sent() -> impl Strategy<Value = (i64, usize, usize)> {
    (0..30_i64, 0..3_usize, 0..2_usize)
}

const CONTACTS: [&str; 3] = ["55119", "55118", "ana@example.com"];
const ACTIONS: [&str; 2] = ["thank", "remind"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, ..ProptestConfig::default() })]

    #[test]
    fn any_window_counts_what_a_list_of_all_messages_has(
        messages in prop::collection::vec(sent(), 1..30),
        questions in prop::collection::vec((0..900_i64, 0..3_usize, prop::option::of(0..2_usize)), 1..20),
    ) {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio.block_on(async {
            let db = Db::open(Kind::SqliteMemory).await;
            let (mut now, mut all) = (1, Vec::new());
            for ((wait, contact, action), number) in messages.into_iter().zip(1..) {
                now += wait;
                let work = claimed(&db, number, ACTIONS[action], now).await;
                db.store.settle(sends(&work, &[CONTACTS[contact]]), minute(now)).await.unwrap();
                all.push((now, contact, action));
            }
            for (after, contact, action) in questions {
                let counts = |(at, to, by): &&(i64, usize, usize)| *at > after && *to == contact && action.is_none_or(|action| *by == action);
                let naive = all.iter().filter(counts).count();
                let counted = since(&db, CONTACTS[contact], action.map(|action| ACTIONS[action]), minute(after)).await;
                assert_eq!(counted as usize, naive);
            }
        });
    }
}
