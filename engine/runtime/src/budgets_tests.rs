use std::collections::BTreeMap;

use jiff::SignedDuration;
use proptest::prelude::*;
use zelo_core::grants::{Grants, Messages};
use zelo_core::settle::{AttemptEnd, LocalWrite};
use zelo_core::{Budget, Clock, EffectResult, JobState, JournalEntry, Timestamp};
use zelo_host::{Effects, Stop};
use zelo_store::Page;

use crate::Runtime;
use crate::recorder::tests::{
    TO, claim, claimed_as, done, later, lock_trace, message, next, recording, refused, runtime_with, settle, start, state_after,
};

fn budget(limit: i64, minutes: i64) -> Budget {
    Budget::new(limit, SignedDuration::from_mins(minutes)).unwrap()
}

fn granted(budget: Option<Budget>) -> Grants {
    let to = [TO, "+55 (11) 90000.0001", "Ana@example.com", " equipe"].map(str::to_owned).to_vec();
    Grants { messages: Some(Messages { channels: vec!["outbox".into()], to, budget }), state: true, ..Grants::default() }
}

async fn sent(runtime: &Runtime) -> usize {
    runtime.store.messages(&Page { limit: 1000, ..Page::default() }).await.unwrap().len()
}

fn is_later(result: Result<EffectResult, Stop>) -> bool {
    matches!(result, Err(Stop::Later { after: Some(super::ASK_AGAIN), .. }))
}

fn is_sent(result: &Result<EffectResult, Stop>) -> bool {
    matches!(result, Ok(EffectResult::Sent { .. }))
}

#[tokio::test]
async fn the_last_message_of_a_budget_is_not_given_twice() {
    let (runtime, _) = runtime_with(Some(budget(2, 60))).await;
    let [one, two, three] =
        [claimed_as(&runtime, 1, start()).await, claimed_as(&runtime, 2, start()).await, claimed_as(&runtime, 3, start()).await];
    let (mut first, first_trace) = recording(&runtime, &one, granted(None));
    let (mut second, second_trace) = recording(&runtime, &two, granted(None));
    let (mut third, third_trace) = recording(&runtime, &three, granted(None));
    assert!(is_sent(&first.perform(message(TO, "a")).await));
    assert!(is_sent(&second.perform(message("+55 (11) 90000.0001", "b")).await), "the same contact");
    assert!(is_later(third.perform(message(TO, "c")).await), "perhaps, if one of the two fails");
    assert!(is_sent(&third.perform(message("Ana@example.com", "c")).await), "another contact");
    assert_eq!(state_after(&runtime, &one.job, &first_trace, done()).await, JobState::Done);
    assert!(is_later(third.perform(message(TO, "c")).await), "one is on disk, the other may be soon");
    // The second one is never settled: its message is not there, and does not count.
    drop((second, second_trace, third, third_trace));
    let (mut third, again) = recording(&runtime, &three, granted(None));
    assert!(is_sent(&third.perform(message(TO, "c")).await));
    let why = refused(&mut third, message(TO, "d")).await;
    assert_eq!(why, "this contact had 2 messages within 1h, and no more are sent", "what it sent itself is certain");
    settle(&runtime, &three.job, &again, done()).await;
    drop((first, first_trace, third, again));
    assert_eq!((sent(&runtime).await, runtime.budgets.contacts_held()), (2, 0));
}

#[tokio::test]
async fn a_retry_counts_once_and_is_refused_what_was_refused_before() {
    let (runtime, clock) = runtime_with(Some(budget(1, 60))).await;
    let work = claimed_as(&runtime, 1, start()).await;
    let (mut recorder, trace) = recording(&runtime, &work, granted(None));
    let first = recorder.perform(message(TO, "a")).await.unwrap();
    let why = refused(&mut recorder, message(TO, "b")).await;
    assert_eq!(state_after(&runtime, &work.job, &trace, later()).await, JobState::Scheduled);
    // Long after the window: the replay is told what the first attempt was told, and the budget has room for one more.
    clock.set(start() + SignedDuration::from_hours(2));
    let work = claim(&runtime, clock.now()).await;
    let (mut recorder, trace) = recording(&runtime, &work, granted(None));
    assert_eq!(recorder.perform(message(TO, "a")).await.unwrap(), first, "never refused");
    assert_eq!(refused(&mut recorder, message(TO, "b")).await, why);
    assert!(is_sent(&recorder.perform(message(TO, "c")).await), "the message of before counts no more, nor does its replay");
    settle(&runtime, &work.job, &trace, done()).await;
    assert_eq!(sent(&runtime).await, 2);
    let entries = runtime.store.journal(work.job.id).await.unwrap();
    let refusals = entries.iter().filter(|entry| matches!(entry, JournalEntry::Effect { result: EffectResult::Refused { .. }, .. }));
    assert_eq!(refusals.count(), 1);
}

#[tokio::test]
async fn what_a_checkpoint_stored_is_not_counted_twice() {
    let (runtime, _) = runtime_with(Some(budget(3, 60))).await;
    let work = claimed_as(&runtime, 1, start()).await;
    let (mut recorder, trace) = recording(&runtime, &work, granted(None));
    assert!(is_sent(&recorder.perform(message(TO, "a")).await));
    assert!(is_sent(&recorder.perform(message(TO, "b")).await));
    recorder.perform(next()).await.unwrap();
    assert!(is_sent(&recorder.perform(message(TO, "c")).await), "two on disk, none in memory");
    refused(&mut recorder, message(TO, "d")).await;
    settle(&runtime, &work.job, &trace, done()).await;
    assert_eq!(sent(&runtime).await, 3);
}

#[tokio::test]
async fn a_rule_may_ask_for_less() {
    let (runtime, clock) = runtime_with(None).await;
    let work = claimed_as(&runtime, 1, start()).await;
    let few = granted(Some(budget(2, 24 * 60)));
    let (mut recorder, trace) = recording(&runtime, &work, few.clone());
    assert!(is_sent(&recorder.perform(message(TO, "a")).await));
    assert!(is_sent(&recorder.perform(message(TO, "b")).await));
    let why = refused(&mut recorder, message(TO, "c")).await;
    assert_eq!(why, "this contact had 2 messages of this action within 24h, and no more are sent");
    settle(&runtime, &work.job, &trace, done()).await;

    clock.set(start() + SignedDuration::from_hours(1));
    let work = claimed_as(&runtime, 2, clock.now()).await;
    let (mut recorder, _trace) = recording(&runtime, &work, few.clone());
    refused(&mut recorder, message(TO, "c")).await;
    // Another action has a budget of its own, another rule without one has none.
    let other = zelo_store::Work { job: zelo_core::Job { action: "b".into(), ..work.job.clone() }, ..work };
    let (mut recorder, _trace) = recording(&runtime, &other, few);
    assert!(is_sent(&recorder.perform(message(TO, "d")).await));
    let (mut recorder, _trace) = recording(&runtime, &other, granted(None));
    for _ in 0..30 {
        assert!(is_sent(&recorder.perform(message(TO, "e")).await), "unlimited");
    }
    assert_eq!(runtime.budgets.contacts_held(), 1, "and what is not counted holds nothing");
}

#[tokio::test]
async fn an_address_of_the_clinic_itself_may_be_left_out() {
    let (runtime, _) = runtime_with(Some(budget(1, 60))).await;
    let work = claimed_as(&runtime, 1, start()).await;
    let (mut recorder, _trace) = recording(&runtime, &work, granted(None));
    for _ in 0..5 {
        assert!(is_sent(&recorder.perform(message(" equipe", "a lead")).await));
    }
    let (mut recorder, _trace) = recording(&runtime, &work, granted(Some(budget(1, 60))));
    assert!(is_sent(&recorder.perform(message(" equipe", "a lead")).await));
    refused(&mut recorder, message(" equipe", "a lead")).await;
}

#[tokio::test]
async fn a_worker_that_lost_its_job_has_sent_nothing() {
    let (runtime, _) = runtime_with(Some(budget(1, 60))).await;
    let work = claimed_as(&runtime, 1, start()).await;
    let (mut recorder, trace) = recording(&runtime, &work, granted(None));
    assert!(is_sent(&recorder.perform(message(TO, "a")).await));
    runtime.store.reclaim(Timestamp::MAX, Default::default(), &[]).await.unwrap();
    let current = claim(&runtime, start()).await;
    // The stale worker settles in vain.
    settle(&runtime, &work.job, &trace, done()).await;
    drop((recorder, trace));
    let (mut recorder, trace) = recording(&runtime, &current, granted(None));
    assert!(is_sent(&recorder.perform(message(TO, "a")).await));
    settle(&runtime, &current.job, &trace, done()).await;
    assert_eq!(sent(&runtime).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn however_many_ask_at_once() {
    let (runtime, _) = runtime_with(Some(budget(20, 60))).await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 1..=60 {
        let work = claimed_as(&runtime, number, start()).await;
        let runtime = runtime.clone();
        tasks.spawn(async move {
            for _ in 0..100_000 {
                let (mut recorder, trace) = recording(&runtime, &work, granted(None));
                match recorder.perform(message(TO, "a")).await {
                    // One of three fails: what it sent does not stand.
                    Ok(EffectResult::Sent { .. }) if number % 3 == 0 => {
                        tokio::task::yield_now().await;
                        return 0;
                    }
                    Ok(EffectResult::Sent { .. }) => {
                        let places = std::mem::take(&mut lock_trace(&trace).places);
                        settle(&runtime, &work.job, &trace, done()).await;
                        drop(places);
                        return 1;
                    }
                    Ok(EffectResult::Refused { .. }) => return 0,
                    Err(Stop::Later { .. }) => tokio::task::yield_now().await,
                    other => panic!("{other:?}"),
                }
            }
            panic!("the places of others are never given back");
        });
    }
    let told: usize = tasks.join_all().await.into_iter().sum();
    assert_eq!((told, sent(&runtime).await), (20, 20), "the budget, not one more, and not one less");
    assert_eq!(runtime.budgets.contacts_held(), 0);
}

/// A message: minutes after the one before, to which contact, whether its attempt stands.
fn step() -> impl Strategy<Value = (i64, usize, bool)> {
    (0..40_i64, 0..2_usize, prop::bool::weighted(0.8))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// A message is refused where, and only where, the window that ends with it is full of messages that stand.
    #[test]
    fn the_window_is_what_a_list_of_all_messages_says(limit in 1..4_i64, per in 1..90_i64, steps in prop::collection::vec(step(), 1..40)) {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio.block_on(async {
            let (runtime, clock) = runtime_with(Some(budget(limit, per))).await;
            let mut all: BTreeMap<&str, Vec<Timestamp>> = BTreeMap::new();
            for ((wait, contact, stands), number) in steps.into_iter().zip(1..) {
                let now = clock.now() + SignedDuration::from_mins(wait);
                clock.set(now);
                let to = [TO, "Ana@example.com"][contact];
                let before = all.entry(to).or_default();
                let full = before.iter().filter(|at| **at > now - SignedDuration::from_mins(per)).count() >= limit as usize;
                let work = claimed_as(&runtime, number, now).await;
                let (mut recorder, trace) = recording(&runtime, &work, granted(None));
                let result = recorder.perform(message(to, "x")).await;
                assert_eq!(is_sent(&result), !full, "{result:?}");
                let end = if stands { done() } else { AttemptEnd::Done { code: "not".into() } };
                if !stands {
                    lock_trace(&trace).local.retain(|write| !matches!(write, LocalWrite::Message { .. }));
                }
                settle(&runtime, &work.job, &trace, end).await;
                if stands && !full {
                    before.push(now);
                }
            }
        });
    }
}
