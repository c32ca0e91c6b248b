use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn place(number: u8) -> Place {
    Place::V4([203, 0, 113, number].into())
}

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Fails until it is locked out.
fn lock(lockouts: &mut Lockouts, at: At, place: Place, now: Duration) -> Duration {
    (0..100).find_map(|_| lockouts.failed(at, place, now)).expect("it is locked out at last")
}

#[test]
fn the_tenth_failure_locks_out_and_each_after_it_for_twice_as_long() {
    let mut lockouts = Lockouts::new(Policy::default());
    let mut now = s(0);
    for _ in 0..9 {
        assert_eq!(lockouts.failed(0, place(1), now), None);
        assert_eq!(lockouts.ask(0, place(1), Proof::Guessable, now), Say::Stranger);
    }
    let mut spans = Vec::new();
    for _ in 0..9 {
        let span = lockouts.failed(0, place(1), now).unwrap();
        assert_eq!(lockouts.ask(0, place(1), Proof::Guessable, now), Say::Shut(span));
        assert_eq!(lockouts.ask(0, place(1), Proof::Guessable, now + span - SECOND), Say::Shut(SECOND));
        spans.push(span.as_secs());
        now += span;
        assert_eq!(lockouts.ask(0, place(1), Proof::Guessable, now), Say::Stranger);
    }
    assert_eq!(spans, [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]);
    now += Policy::default().remember;
    assert_eq!(lockouts.failed(0, place(1), now), None, "after a day without failures it begins anew");
}

#[test]
fn a_lock_out_is_of_one_place_at_one_connection() {
    let mut lockouts = Lockouts::new(Policy::default());
    lock(&mut lockouts, 0, place(1), s(0));
    assert_eq!(lockouts.ask(1, place(1), Proof::Guessable, s(0)), Say::Stranger);
    assert_eq!(lockouts.ask(0, place(2), Proof::Guessable, s(0)), Say::Stranger);
    lockouts.verified(1, place(1), s(0));
    assert!(matches!(lockouts.ask(0, place(1), Proof::Guessable, s(0)), Say::Shut(_)), "known elsewhere is not known here");
}

#[test]
fn a_good_signature_ends_it_and_the_place_is_known_from_then_on() {
    let mut lockouts = Lockouts::new(Policy::default());
    lock(&mut lockouts, 0, place(1), s(0));
    assert_eq!(lockouts.ask(0, place(1), Proof::Signature, s(1)), Say::Watched(s(29)));
    assert_eq!(lockouts.failed(0, place(1), s(1)), None, "another bad one makes it no longer");
    assert_eq!(lockouts.ask(0, place(1), Proof::Guessable, s(1)), Say::Shut(s(29)));
    lockouts.verified(0, place(1), s(2));
    for _ in 0..1000 {
        assert_eq!(lockouts.failed(0, place(1), s(3)), None);
    }
    assert_eq!(lockouts.ask(0, place(1), Proof::Guessable, s(3)), Say::Known);
    let week = Policy::default().known_for;
    assert_eq!(lockouts.ask(0, place(1), Proof::Guessable, s(2) + week - SECOND), Say::Known);
    assert_eq!(lockouts.ask(0, place(1), Proof::Guessable, s(2) + week), Say::Stranger);
}

#[test]
fn signatures_from_a_place_that_is_locked_out_are_looked_at_a_few_in_each_second() {
    let mut lockouts = Lockouts::new(Policy::default());
    lock(&mut lockouts, 0, place(1), s(0));
    let mut looked = 0;
    for ms in (0..10_000).step_by(10) {
        match lockouts.ask(0, place(1), Proof::Signature, Duration::from_millis(ms)) {
            Say::Watched(_) => looked += 1,
            Say::Shut(wait) => assert!(wait <= SECOND && !wait.is_zero()),
            say => panic!("{say:?}"),
        }
    }
    assert_eq!(looked, 50);
}

#[test]
fn many_addresses_do_not_make_it_grow_and_push_nobody_out_who_is_known() {
    let policy = Policy { suspects_max: 100, known_max: 10, ..Policy::default() };
    let mut lockouts = Lockouts::new(policy);
    lockouts.verified(0, place(1), s(0));
    for number in 0..10_000_u64 {
        lockouts.failed((number % 3) as At, Place::V6(number), s(number / 10));
        assert!(lockouts.suspects.len() <= 100);
    }
    assert_eq!(lockouts.ask(0, place(1), Proof::Guessable, s(1_000)), Say::Known);
    // Of those that are known the last ones stay, at each connection its own.
    for number in 0..100 {
        lockouts.verified(1, place(number), s(2_000 + u64::from(number)));
        assert!(lockouts.known[&1].len() <= 10);
    }
    assert_eq!(lockouts.ask(1, place(99), Proof::Guessable, s(2_100)), Say::Known);
    assert_eq!(lockouts.ask(0, place(1), Proof::Guessable, s(2_100)), Say::Known);
}

/// Something that happens.
#[derive(Clone, Copy, Debug)]
enum Step {
    Ask(Proof),
    Verified,
    Failed,
}

/// The same by its definition, from all that ever happened at one connection from one place.
#[derive(Clone, Default)]
struct Naive {
    verified: Option<Duration>,
    /// When it failed and counted, since it was verified or forgotten; and the lock-outs that came of it.
    failures: Vec<Duration>,
    locks: Vec<(Duration, Duration)>,
    last: Duration,
}

impl Naive {
    fn is_known(&self, policy: &Policy, now: Duration) -> bool {
        self.verified.is_some_and(|at| now < at + policy.known_for)
    }

    fn until(&self) -> Duration {
        self.locks.last().map_or(Duration::ZERO, |(begun, span)| *begun + *span)
    }

    fn fails(&mut self, policy: &Policy, now: Duration) {
        if self.is_known(policy, now) {
            return;
        }
        if now >= self.last.max(self.until()) + policy.remember {
            self.failures.clear();
            self.locks.clear();
        }
        self.last = now;
        if now < self.until() {
            return;
        }
        self.failures.push(now);
        if self.failures.len() >= policy.failures as usize {
            let span = (0..self.locks.len()).fold(policy.first, |span, _| (span * 2).min(policy.longest));
            self.locks.push((now, span));
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<(u64, At, u8, Step)>> {
    let step = prop_oneof![
        3 => prop_oneof![Just(Proof::Guessable), Just(Proof::Signature)].prop_map(Step::Ask),
        1 => Just(Step::Verified),
        8 => Just(Step::Failed),
    ];
    // Mostly moments, sometimes longer than anything is remembered.
    let pause = prop_oneof![8 => 0..3_000_u64, 2 => 0..200_000_u64, 1 => 0..2_000_000_u64];
    proptest::collection::vec((pause, 0..2_usize, 0..3_u8, step), 1..150)
}

proptest! {
    #[test]
    fn it_is_the_naive_one(steps in steps()) {
        let policy = Policy {
            failures: 3, first: s(10), longest: s(60), remember: s(600), known_for: s(900), looks: 2, suspects_max: 100, known_max: 100,
        };
        let mut lockouts = Lockouts::new(policy);
        let mut naive: HashMap<(At, Place), Naive> = HashMap::new();
        let mut now = Duration::ZERO;
        for (pause, at, number, step) in steps {
            now += Duration::from_millis(pause);
            let key = (at, place(number));
            let model = naive.entry(key).or_default();
            match step {
                Step::Failed => {
                    let locks = model.locks.last().copied();
                    model.fails(&policy, now);
                    let begun = model.locks.last().copied().filter(|lock| Some(*lock) != locks).map(|(_, span)| span);
                    prop_assert_eq!(lockouts.failed(at, key.1, now), begun);
                }
                Step::Verified => {
                    *model = Naive { verified: Some(now), ..Naive::default() };
                    lockouts.verified(at, key.1, now);
                }
                Step::Ask(proof) => {
                    let left = model.until().saturating_sub(now);
                    let say = lockouts.ask(at, key.1, proof, now);
                    if model.is_known(&policy, now) {
                        prop_assert_eq!(say, Say::Known);
                    } else if left.is_zero() {
                        prop_assert_eq!(say, Say::Stranger);
                    } else if proof == Proof::Guessable {
                        prop_assert_eq!(say, Say::Shut(left));
                    } else {
                        let fits = say == Say::Watched(left) || matches!(say, Say::Shut(wait) if wait <= SECOND);
                        prop_assert!(fits, "{:?}", say);
                    }
                }
            }
        }
    }

    #[test]
    fn it_never_holds_more_than_it_may_and_never_locks_out_who_is_known(
        steps in proptest::collection::vec((0..5_000_u64, 0..2_usize, 0..200_u64, any::<bool>()), 1..400)
    ) {
        let policy = Policy { failures: 2, suspects_max: 8, known_max: 8, ..Policy::default() };
        let mut lockouts = Lockouts::new(policy);
        // Of the provider: verified first, and not again.
        lockouts.verified(0, place(1), Duration::ZERO);
        let mut now = Duration::ZERO;
        for (pause, at, number, its_own) in steps {
            now += Duration::from_millis(pause);
            let from = if its_own { place(1) } else { Place::V6(number) };
            lockouts.failed(at, from, now);
            prop_assert!(lockouts.suspects.len() <= 8);
            prop_assert_eq!(lockouts.ask(0, place(1), Proof::Guessable, now), Say::Known);
        }
    }
}
