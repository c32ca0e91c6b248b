//! The line of jobs that are ready: whose turn it is, who runs beside whom, and who comes after whom.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use zelo_core::concurrency::unlimited;
use zelo_core::job::Reason;
use zelo_core::retry::RetryPolicy;
use zelo_core::settle::AttemptEnd;
use zelo_core::{Concurrency, Job, JobId, JobState, KeyHash, Lane, Priority, Scope, Timestamp};
use zelo_store::{Page, Work};

use crate::build::{Db, Kind, LEASE, done, minute, settlement};

/// Scopes by the name of the action.
pub(crate) struct Rooms(BTreeMap<&'static str, Vec<(&'static str, u32)>>);

impl Rooms {
    pub(crate) fn of<const N: usize>(scopes: [(&'static str, &[(&'static str, u32)]); N]) -> Arc<dyn Concurrency> {
        Arc::new(Self(scopes.into_iter().map(|(action, scopes)| (action, scopes.to_vec())).collect()))
    }
}

impl Concurrency for Rooms {
    fn scopes(&self, job: &Job) -> Vec<Scope> {
        let scopes = self.0.get(job.action.as_str()).into_iter().flatten();
        scopes.map(|(name, limit)| Scope { name: (*name).to_owned(), limit: *limit }).collect()
    }

    fn is_unlimited(&self) -> bool {
        self.0.is_empty()
    }
}

fn prior(priority: Priority) -> Lane {
    Lane { priority, ..Lane::default() }
}

pub(crate) fn in_order(of: u8) -> Lane {
    Lane { order: Some(KeyHash([of; 16])), ..Lane::default() }
}

fn retry() -> AttemptEnd {
    AttemptEnd::Retry { reason: Reason::new("down", "down"), after: None }
}

impl Db {
    pub(crate) async fn admit(&self, now: i64, limit: u32, rooms: &Arc<dyn Concurrency>) -> Vec<Work> {
        self.store.claim(minute(now), limit, LEASE, rooms).await.unwrap()
    }

    pub(crate) async fn finish(&self, work: &Work, now: i64) {
        self.settle(work, done(), now).await;
    }
}

fn ids(work: &[Work]) -> Vec<JobId> {
    work.iter().map(|work| work.job.id).collect()
}

conforming! {
    async fn a_flood_of_one_clinic_does_not_keep_the_others_waiting(kind) {
        let db = Db::open(kind).await;
        for number in 0..200 {
            db.record(db.delivery(number, 0).of_clinic("flood").fires("thank")).await;
        }
        let first = db.admit(1, 20, unlimited()).await;
        assert_eq!(first.len(), 20);
        // Who comes late, at once or when due, comes in the next claim.
        let at_once = db.record(db.delivery(300, 0).of_clinic("eight").fires("thank")).await[0].id;
        let index = db.store.indexer().clone();
        let when_due = db.record(db.delivery(301, 0).of_clinic("nine").fires_for(&index, "a", 24 * 60 + 2, None)).await[0].id;
        let next = ids(&db.admit(3, 4, unlimited()).await);
        assert!(next.contains(&at_once) && next.contains(&when_due), "{next:?}");
    }

    async fn turns_are_kept_when_the_store_is_opened_again(kind) {
        if kind == Kind::SqliteMemory {
            return;
        }
        let db = Db::open(kind).await;
        for number in 0..100 {
            db.record(db.delivery(number, 0).of_clinic("flood").fires("thank")).await;
        }
        db.admit(1, 10, unlimited()).await;
        let db = db.reopen().await;
        let late = db.record(db.delivery(300, 0).of_clinic("eight").fires("thank")).await[0].id;
        let of_flood = db.record(db.delivery(301, 0).of_clinic("flood").fires("thank")).await[0].id;
        assert!(ids(&db.admit(1, 3, unlimited()).await).contains(&late));
        let rest = ids(&db.admit(1, 200, unlimited()).await);
        assert!(rest.contains(&of_flood) && rest.len() == 89, "nobody is left out: {}", rest.len());
    }

    async fn a_high_priority_comes_sooner_and_starves_none(kind) {
        let db = Db::open(kind).await;
        for (place, priority) in [Priority::Low, Priority::Normal, Priority::High].into_iter().enumerate() {
            for number in 0..100 {
                db.record(db.delivery(place as u64 * 1000 + number, 0).fires("thank").beside(prior(priority))).await;
            }
        }
        let mut claimed: BTreeMap<Priority, u32> = BTreeMap::new();
        for work in db.admit(1, 63, unlimited()).await {
            *claimed.entry(work.job.lane.priority).or_default() += 1;
        }
        assert_eq!(claimed, [(Priority::High, 48), (Priority::Normal, 12), (Priority::Low, 3)].into());
        let one = db.record(db.delivery(9000, 0).of_clinic("eight").fires("thank").beside(prior(Priority::High))).await[0].id;
        assert!(ids(&db.admit(1, 2, unlimited()).await).contains(&one), "of another clinic: at once");
    }

    async fn no_more_run_than_there_is_room_for(kind) {
        let db = Db::open(kind).await;
        let rooms = Rooms::of([("a", &[("plugin:p", 3), ("action:a", 2)]), ("b", &[("plugin:p", 3)])]);
        for number in 0..10 {
            db.record(db.delivery(number, 0).fires(if number < 6 { "a" } else { "b" })).await;
        }
        let first = db.admit(1, 100, &rooms).await;
        let actions = |work: &[Work]| work.iter().map(|work| work.job.action.clone()).collect::<Vec<_>>();
        assert_eq!(actions(&first), ["a", "a", "b"]);
        assert!(db.admit(1, 100, &rooms).await.is_empty(), "it is full");
        assert_eq!(db.store.next_run().await.unwrap(), None, "who is parked is not looked at again and again");
        db.finish(&first[0], 1).await;
        assert_eq!(actions(&db.admit(2, 100, &rooms).await), ["a"]);
        db.finish(&first[2], 2).await;
        assert_eq!(actions(&db.admit(2, 100, &rooms).await), ["b"]);

        // Other rules: looked at again.
        assert_eq!(db.admit(2, 100, unlimited()).await.len(), 5);
    }

    async fn what_is_halted_waits_and_is_not_lost(kind) {
        let db = Db::open(kind).await;
        for number in 0..4 {
            db.record(db.delivery(number, 0).fires(if number % 2 == 0 { "a" } else { "b" })).await;
        }
        let halted = Rooms::of([("a", &[("halt:a", 0)])]);
        let claimed = db.admit(1, 100, &halted).await;
        assert!(claimed.len() == 2 && claimed.iter().all(|work| work.job.action == "b"));
        let db = db.reopen().await;
        assert!(db.admit(1, 100, &halted).await.is_empty());
        assert_eq!(db.admit(1, 100, unlimited()).await.len(), 2, "let go");
    }

    async fn who_is_parked_can_be_cancelled_and_moved(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let day = 24 * 60;
        let id = db.record(db.delivery(1, 0).fires_for(&index, "a", day, None)).await[0].id;
        let halted = Rooms::of([("remind", &[("halt:remind", 0)])]);
        assert!(db.admit(1, 9, &halted).await.is_empty());
        let moved = db.record(db.delivery(2, 1).fires_for(&index, "a", 3 * day, None)).await;
        assert!(moved.iter().any(|job| job.id == id && job.state == JobState::Cancelled));
        assert!(db.admit(2 * day - 1, 9, unlimited()).await.is_empty());
        assert_eq!(db.admit(2 * day, 9, unlimited()).await.len(), 1);
    }

    async fn jobs_of_one_order_run_one_after_another(kind) {
        let db = Db::open(kind).await;
        let mut made = Vec::new();
        for number in 0..3 {
            made.push(db.record(db.delivery(number, 0).fires("a").beside(in_order(1))).await[0].id);
        }
        let other = db.record(db.delivery(9, 0).fires("a").beside(in_order(2))).await[0].id;
        let first = db.admit(1, 100, unlimited()).await;
        assert_eq!(ids(&first), [made[0], other], "one of each order");
        // It is tried again: the others wait for it, and not for the other order.
        db.settle(&first[0], retry(), 1).await;
        assert!(db.admit(1, 100, unlimited()).await.is_empty());
        let again = db.admit(2, 100, unlimited()).await;
        assert_eq!(ids(&again), [made[0]]);
        db.settle(&again[0], AttemptEnd::Dead(Reason::new("no", "no")), 2).await;
        let second = db.admit(2, 100, unlimited()).await;
        assert_eq!(ids(&second), [made[1]], "dead is over, too");
        // One that waits for what is missing has not begun: it lets the next one by.
        db.settle(&second[0], AttemptEnd::Wait { reason: Reason::new("missing", "missing"), until: minute(50) }, 2).await;
        let third = db.admit(3, 100, unlimited()).await;
        assert_eq!(ids(&third), [made[2]]);
        assert!(db.admit(60, 100, unlimited()).await.is_empty());
        db.finish(&third[0], 60).await;
        assert_eq!(ids(&db.admit(60, 100, unlimited()).await), [made[1]]);
    }

    async fn an_order_outlives_its_limits_and_a_crash(kind) {
        let db = Db::open(kind).await;
        let mut made = Vec::new();
        for number in 0..2 {
            made.push(db.record(db.delivery(number, 0).fires("a").beside(in_order(1))).await[0].id);
        }
        // The first is parked under another scope: the second does not overtake it.
        let full = Rooms::of([("a", &[("halt:a", 0)])]);
        assert!(db.admit(1, 9, &full).await.is_empty());
        let one = db.admit(1, 1, unlimited()).await;
        assert_eq!(ids(&one), [made[0]]);
        let db = db.reopen().await;
        db.store.reclaim(Timestamp::MAX, RetryPolicy::default(), &[]).await.unwrap();
        assert_eq!(ids(&db.admit(1, 9, unlimited()).await), [made[0]], "given back: it still comes first");
    }

    async fn rooms_and_orders_hold_whatever_happens(kind) {
        for seed in 0..8 {
            whatever_happens(kind, seed).await;
        }
    }
}

/// A number below `below`, another one each time.
fn draw(state: &mut u64, below: u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state % below
}

/// Jobs are made, claimed and settled at random, rules change, processes die: nobody enters a full scope, orders hold, and in the end
/// everybody has run.
async fn whatever_happens(kind: Kind, seed: u64) {
    let mut dice = 0x9e37_79b9_7f4a_7c15 ^ (seed + 1).wrapping_mul(0x2545_f491_4f6c_dd1d);
    let open = Rooms::of([("a", &[("plugin:p", 3), ("action:a", 1)]), ("b", &[("plugin:p", 3), ("rule:r", 2)])]);
    let halted = Rooms::of([("a", &[("halt:a", 0)]), ("b", &[("plugin:p", 1)])]);
    let mut rooms = open.clone();
    let mut db = Db::open(kind).await;
    let (mut now, mut made, mut ended) = (1, 0_u64, BTreeSet::new());
    let mut running: Vec<Work> = Vec::new();
    // Of each order, those that are not over, as they came.
    let mut orders: BTreeMap<KeyHash, Vec<JobId>> = BTreeMap::new();
    for step in 0..400 {
        // Everything comes to an end: nothing new, and room for all but what the rules always say.
        let closing = step >= 160;
        if closing {
            rooms = open.clone();
        }
        match draw(&mut dice, if closing { 6 } else { 12 }) {
            0 | 1 => {
                let limit = 1 + draw(&mut dice, 6) as u32;
                let work = db.admit(now, limit, &rooms).await;
                for one in &work {
                    for scope in rooms.scopes(&one.job) {
                        let inside = running.iter().chain(&work).filter(|other| rooms.scopes(&other.job).contains(&scope)).count();
                        assert!(inside as u32 <= scope.limit, "seed {seed}, step {step}: {inside} in {scope:?}");
                    }
                    let first = one.job.lane.order.map(|order| orders[&order][0]);
                    assert!(first.is_none_or(|first| first == one.job.id), "seed {seed}, step {step}: {} is not the first", one.job.id);
                }
                running.extend(work);
            }
            2..=4 if !running.is_empty() => {
                let work = running.swap_remove(draw(&mut dice, running.len() as u64) as usize);
                let end = match draw(&mut dice, 4) {
                    0 if work.job.attempt < 4 => retry(),
                    1 => AttemptEnd::Dead(Reason::new("no", "no")),
                    _ => done(),
                };
                let over = !matches!(end, AttemptEnd::Retry { .. });
                db.store.settle(settlement(&work, end), minute(now)).await.unwrap();
                if over {
                    assert!(ended.insert(work.job.id), "it ends once");
                    if let Some(order) = work.job.lane.order {
                        orders.entry(order).or_default().retain(|id| *id != work.job.id);
                    }
                }
            }
            5 => now += 1 + draw(&mut dice, 10) as i64,
            6 => rooms = if Arc::ptr_eq(&rooms, &open) { halted.clone() } else { open.clone() },
            7 if draw(&mut dice, 4) == 0 => {
                db = db.reopen().await;
                db.store.reclaim(Timestamp::MAX, RetryPolicy { attempts: 99, ..RetryPolicy::default() }, &[]).await.unwrap();
                running.clear();
            }
            8.. => {
                let lane = match draw(&mut dice, 4) {
                    0 => Lane::default(),
                    order => Lane { priority: Priority::ALL[draw(&mut dice, 3) as usize], ..in_order(order as u8) },
                };
                // Of one order, one priority and clinic, as the jobs of one action have.
                let lane = Lane { priority: if lane.order.is_some() { Priority::Normal } else { lane.priority }, ..lane };
                made += 1;
                let delivery = db.delivery(made, now).fires(if draw(&mut dice, 2) == 0 { "a" } else { "b" }).beside(lane);
                let id = db.record(delivery).await[0].id;
                if let Some(order) = lane.order {
                    orders.entry(order).or_default().push(id);
                }
            }
            _ => {}
        }
    }
    for _ in 0..500 {
        now += 30;
        let work = db.admit(now, 10, &open).await;
        if work.is_empty() && running.is_empty() {
            break;
        }
        for work in running.drain(..).chain(work) {
            db.finish(&work, now).await;
            ended.insert(work.job.id);
        }
    }
    assert_eq!(ended.len() as u64, made, "seed {seed}: everybody has run");
    let live = db.store.jobs(&Page { limit: 1000, ..Page::default() }, None).await.unwrap();
    assert!(live.iter().all(|view| !view.job.state.is_live()), "seed {seed}");
}
