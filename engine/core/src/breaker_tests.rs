use proptest::prelude::*;

use super::*;
use crate::settle::AttemptEnd;

/// Milliseconds into a test.
fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(1_772_000_000_000 + ms).unwrap()
}

fn ms(at: Timestamp) -> i64 {
    at.as_millisecond() - 1_772_000_000_000
}

/// Asks, and hears at once.
fn hear(breaker: &mut Breaker, heard: Heard, now: Timestamp) {
    let pass = breaker.ask(now).expect("it is let through");
    breaker.ended(pass, heard, now, 0);
}

/// One that was opened by failures at 0, for five seconds.
fn open() -> Breaker {
    let mut breaker = Breaker::new(at(0));
    for _ in 0..FAILURES {
        hear(&mut breaker, Heard::Failed, at(0));
    }
    assert_eq!(breaker.standing(), Standing::Open { since: at(0), until: at(5_000) });
    breaker
}

#[test]
fn failures_in_a_row_open_it_and_nothing_else_does() {
    let mut breaker = Breaker::new(at(0));
    for heard in [Heard::Failed, Heard::Failed, Heard::Failed, Heard::Failed, Heard::Working].repeat(3) {
        hear(&mut breaker, heard, at(0));
    }
    for heard in [Heard::Failed, Heard::Failed, Heard::Nothing, Heard::Failed, Heard::Failed] {
        hear(&mut breaker, heard, at(0));
    }
    assert_eq!(breaker.standing(), Standing::Closed);
    hear(&mut breaker, Heard::Failed, at(7));
    assert_eq!(breaker.standing(), Standing::Open { since: at(7), until: at(5_007) });
    assert!(breaker.ask(at(5_006)).is_none() && breaker.lets(at(5_007)));
}

#[test]
fn one_that_asks_is_left_alone_for_as_long_but_not_for_ever() {
    for (asked, until) in [(90, 90_000), (0, 1_000), (9_999_999, 3_600_000)] {
        let mut breaker = Breaker::new(at(0));
        hear(&mut breaker, Heard::Asked(SignedDuration::from_secs(asked)), at(0));
        assert_eq!(breaker.standing(), Standing::Open { since: at(0), until: at(until) });
    }
}

#[test]
fn it_is_open_for_twice_as_long_each_time_until_it_is_closed() {
    let mut breaker = open();
    let mut spans = Vec::new();
    for _ in 0..8 {
        let Standing::Open { until, .. } = breaker.standing() else { panic!("it is open") };
        hear(&mut breaker, Heard::Failed, until);
        let Standing::Open { until: next, since } = breaker.standing() else { panic!("it is open again") };
        assert_eq!(since, at(0), "down since then");
        spans.push(next.duration_since(until).as_secs());
    }
    assert_eq!(spans, [10, 20, 40, 80, 160, 300, 300, 300]);
    let Standing::Open { until, .. } = breaker.standing() else { panic!("it is open") };
    for window in 0..=i64::from(WINDOWS) {
        hear(&mut breaker, Heard::Working, after(until, SignedDuration::from_secs(window)));
    }
    assert_eq!(breaker.standing(), Standing::Closed);
    for _ in 0..FAILURES {
        hear(&mut breaker, Heard::Failed, at(9_000_000));
    }
    assert_eq!(breaker.standing(), Standing::Open { since: at(9_000_000), until: at(9_005_000) }, "from the beginning");
}

#[test]
fn one_goes_then_twice_as_many_each_second_until_all_do() {
    let mut breaker = open();
    for (window, room) in [1, 2, 4, 8, 16, 32].into_iter().enumerate() {
        let now = at(5_000 + 1_000 * window as i64);
        let passes: Vec<Pass> = std::iter::from_fn(|| breaker.ask(now)).take(99).collect();
        assert_eq!(passes.len(), room, "window {window}");
        assert!(passes.iter().all(|pass| pass.is_probe() == (window == 0)));
        assert!(!breaker.lets(after(now, WINDOW)), "not before they have come back");
        for pass in passes {
            breaker.ended(pass, Heard::Working, now, 0);
        }
        assert!(!breaker.lets(after(now, SignedDuration::from_millis(999))), "not before the window is over");
    }
    assert_eq!(breaker.standing(), Standing::HalfOpen { since: at(0) });
    assert!(std::iter::from_fn(|| breaker.ask(at(11_000))).take(99).count() == 99);
    assert_eq!(breaker.standing(), Standing::Closed);
}

#[test]
fn where_nobody_waits_it_is_closed_after_a_calm_minute() {
    let mut breaker = open();
    assert_eq!(breaker.look(at(4_999)), breaker.standing());
    hear(&mut breaker, Heard::Working, at(5_000));
    assert_eq!(breaker.look(at(64_999)), Standing::HalfOpen { since: at(0) });
    // That somebody looked began the second window.
    assert_eq!(breaker.look(at(124_998)), Standing::HalfOpen { since: at(0) });
    let mut late = breaker.clone();
    let slow = late.ask(at(124_998)).unwrap();
    assert_eq!(late.look(at(199_000)), Standing::HalfOpen { since: at(0) }, "it may still fail");
    late.ended(slow, Heard::Failed, at(199_000), 0);
    assert!(matches!(late.standing(), Standing::Open { .. }));
    assert_eq!(breaker.look(at(124_999)), Standing::Closed);
    let mut breaker = open();
    hear(&mut breaker, Heard::Working, at(5_000));
    assert_eq!(breaker.look(at(65_000)), Standing::Closed);
    hear(&mut breaker, Heard::Failed, at(65_000));
    assert_eq!(breaker.standing(), Standing::Closed, "from the beginning");
}

#[test]
fn what_was_sent_before_says_nothing_any_more() {
    let mut breaker = Breaker::new(at(0));
    let [early, late] = [0, 1].map(|_| breaker.ask(at(0)).unwrap());
    for _ in 0..FAILURES {
        hear(&mut breaker, Heard::Failed, at(0));
    }
    breaker.ended(early, Heard::Working, at(1), 0);
    assert!(breaker.ask(at(1)).is_none());
    let probe = breaker.ask(at(5_000)).unwrap();
    breaker.ended(late, Heard::Failed, at(5_001), 0);
    assert_eq!(breaker.standing(), Standing::HalfOpen { since: at(0) });
    breaker.ended(probe, Heard::Working, at(5_002), 0);
    assert!(breaker.lets(at(6_000)));
}

#[test]
fn a_probe_that_is_given_up_makes_way_for_another() {
    let mut breaker = open();
    let probe = breaker.ask(at(5_000)).unwrap();
    assert!(!breaker.lets(at(99_000)), "it may still come back");
    breaker.ended(probe, Heard::Nothing, at(99_000), 0);
    assert!(breaker.ask(at(99_000)).unwrap().is_probe());
}

#[test]
fn places_are_as_far_apart_as_there_is_room() {
    let mut breaker = open();
    let places: Vec<i64> = (0..127).map(|number| ms(breaker.place(at(number), u64::MAX / 3)) - 5_000).collect();
    let mut by_second = [0; 8];
    for place in &places {
        by_second[*place as usize / 1000] += 1;
    }
    assert_eq!(by_second, [1, 2, 4, 8, 16, 32, 32, 32]);
    assert!(places.is_sorted(), "who asks first comes first");
    // In the midst of it: never in the past, and never in a second that has begun.
    assert_eq!(ms(breaker.place(at(9_500), 0)), 12_000 + 1_000, "behind the others");
    let mut fresh = open();
    assert_eq!(ms(fresh.place(at(7_300), 0)), 8_000);
    assert_eq!(ms(fresh.place(at(7_300), 0)), 8_000 + 125);
}

#[test]
fn a_clock_that_is_set_back_keeps_nobody_out() {
    let mut breaker = open();
    assert!(!breaker.lets(at(-3_600_000)), "an hour may be meant");
    assert!(breaker.lets(at(-86_400_000)));
    assert!(breaker.place(at(-86_400_000), 0) < at(-86_390_000));
}

#[test]
fn who_failed_comes_behind_those_that_wait() {
    let breaker = open();
    let behind = [0, 999, 1_000].map(|jitter| ms(breaker.behind(jitter)) - 5_000);
    assert_eq!(behind, [6_000, 6_999, 6_000]);
    let mut waits = breaker.clone();
    let last = (0..63).map(|_| waits.place(at(0), u64::MAX / 3)).max().unwrap();
    assert!(last < breaker.behind(0), "those that all windows have room for");
    assert_eq!(ms(waits.place(at(0), 0)) - 5_000, 6_000, "it has taken no place of theirs");
}

fn held(again: Option<Timestamp>) -> Held {
    Held { host: "api.example.com".into(), automation: None, since: at(123), again, until: at(6_000) }
}

#[test]
fn a_job_waits_for_a_day_from_when_it_first_had_to() {
    let late = after(at(0), SignedDuration::from_hours(24));
    let patience = |since| Patience { since, has_waited: true };
    let waits_since = |end: AttemptEnd| match end {
        AttemptEnd::Deferred { reason, until, begun: true } if until == at(6_000) => reason.since,
        _ => panic!("{end:?}"),
    };
    let down = held(Some(at(5_456)));
    assert_eq!(waits_since(down.end(patience(Some(at(0))), true, at(86_399_999))), Some(at(0)));
    assert_eq!(waits_since(down.end(patience(None), true, late)), Some(late), "now is the first time, whenever it was due");
    assert_eq!(waits_since(held(None).end(patience(Some(at(0))), true, late)), Some(at(0)), "it is its turn soon");
    let AttemptEnd::Dead(why) = down.end(patience(Some(at(0))), true, late) else { panic!("it waits on") };
    assert_eq!(why.code, DOWN);
    assert_eq!(
        why.text,
        "given up: destination api.example.com is down since 2026-02-25T06:13:20Z, tried again at 2026-02-25T06:13:25Z; \
         it has waited for it for more than 24 hours"
    );
    let of_one = Held { automation: Some(AutomationId::new("notice", "acme", None)), ..down };
    assert_eq!(
        of_one.reason().text,
        "destination api.example.com takes no more of the rule notice@acme since 2026-02-25T06:13:20Z, tried again at 2026-02-25T06:13:25Z"
    );
}

/// Remembers everything, and counts it up each time that it is asked.
#[derive(Debug)]
enum Naive {
    Closed {
        heard: Vec<Heard>,
    },
    Open {
        until: Timestamp,
        times: u32,
    },
    /// Windows by when they began; of each request what was heard of it.
    Tried {
        windows: Vec<(Timestamp, Vec<Option<Heard>>)>,
        times: u32,
    },
}

/// The place of a request: of which state, which window, and which in it.
type Ticket = (usize, usize, usize);

impl Naive {
    fn went_well(window: &(Timestamp, Vec<Option<Heard>>)) -> bool {
        window.1.contains(&Some(Heard::Working))
    }

    /// Moves on with time; the number of states that it has left.
    fn pass(&mut self, now: Timestamp) -> usize {
        match self {
            Self::Open { until, times } if now >= *until => {
                *self = Self::Tried { windows: vec![(now, Vec::new())], times: *times };
                1
            }
            Self::Tried { windows, .. } => {
                let (began, requests) = windows.last().unwrap();
                let is_over = !requests.is_empty() && requests.iter().all(Option::is_some) && now.duration_since(*began) >= WINDOW;
                let all_came = requests.iter().all(Option::is_some);
                let is_calm = all_came && windows.iter().any(Self::went_well) && now.duration_since(*began) >= SignedDuration::from_mins(1);
                if is_calm || is_over && windows.iter().filter(|window| Self::went_well(window)).count() == 6 {
                    *self = Self::Closed { heard: Vec::new() };
                    return 1;
                }
                if is_over {
                    windows.push((now, Vec::new()));
                }
                0
            }
            _ => 0,
        }
    }

    fn ask(&mut self) -> Option<(usize, usize)> {
        match self {
            Self::Closed { .. } => Some((0, 0)),
            Self::Open { .. } => None,
            Self::Tried { windows, .. } => {
                let went_well = windows.iter().filter(|window| Self::went_well(window)).count();
                let place = windows.len() - 1;
                let (_, requests) = &mut windows[place];
                let before = if requests.contains(&Some(Heard::Working)) { went_well - 1 } else { went_well };
                if requests.len() == 1 << before {
                    return None;
                }
                requests.push(None);
                Some((place, requests.len() - 1))
            }
        }
    }

    /// Whether it has left its state.
    fn hear(&mut self, (window, request): (usize, usize), heard: Heard, now: Timestamp) -> bool {
        let (times, asked) = match self {
            Self::Open { .. } => unreachable!("nothing is on its way"),
            Self::Closed { heard: all } => {
                if heard != Heard::Nothing {
                    all.push(heard);
                }
                let five = all.iter().rev().take(5).filter(|heard| **heard == Heard::Failed).count() == 5;
                match heard {
                    Heard::Asked(asked) => (1, asked.max(WINDOW)),
                    _ if five => (1, SignedDuration::from_secs(5)),
                    _ => return false,
                }
            }
            Self::Tried { windows, times } => {
                windows[window].1[request] = Some(heard);
                let doubled = SignedDuration::from_secs((5 << *times).min(300));
                match heard {
                    Heard::Asked(asked) => (*times + 1, asked.max(doubled)),
                    Heard::Failed => (*times + 1, doubled),
                    _ => return false,
                }
            }
        };
        *self = Self::Open { until: now + asked.min(SignedDuration::from_hours(1)), times };
        true
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Ask,
    /// The answer to one of the requests that are on their way.
    Hear(usize, Heard),
    /// Milliseconds.
    Wait(i64),
}

fn heard() -> impl Strategy<Value = Heard> {
    prop_oneof![
        6 => Just(Heard::Working),
        4 => Just(Heard::Failed),
        1 => (0..4_000_000_i64).prop_map(|ms| Heard::Asked(SignedDuration::from_millis(ms))),
        1 => Just(Heard::Nothing),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Times when all goes well, and times when nothing does.
    let phase = (0..3_usize, 1..60_usize).prop_flat_map(|(mood, length)| {
        let heard = match mood {
            0 => heard().boxed(),
            1 => Just(Heard::Working).boxed(),
            _ => Just(Heard::Failed).boxed(),
        };
        let wait = prop_oneof![4 => 0..1_500_i64, 1 => 0..400_000_i64];
        let step = prop_oneof![
            4 => Just(Step::Ask),
            4 => (any::<usize>(), heard).prop_map(|(which, heard)| Step::Hear(which, heard)),
            2 => wait.prop_map(Step::Wait),
        ];
        prop::collection::vec(step, length)
    });
    prop::collection::vec(phase, 1..8).prop_map(|phases| phases.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// It does what one does that remembers everything; and half-open it never lets more through than the windows that can have
    /// been have room for.
    #[test]
    fn it_is_the_naive_one_and_never_lets_too_many_through(steps in steps()) {
        let (mut now, mut left) = (at(0), 0_usize);
        let (mut breaker, mut naive) = (Breaker::new(now), Naive::Closed { heard: Vec::new() });
        let mut on_their_way: Vec<(Pass, Ticket)> = Vec::new();
        let mut tried: Option<(Timestamp, u32)> = None;
        for step in steps {
            match step {
                Step::Wait(ms) => now += SignedDuration::from_millis(ms),
                Step::Ask => {
                    left += naive.pass(now);
                    let (pass, ticket) = (breaker.ask(now), naive.ask());
                    prop_assert_eq!(pass.is_some(), ticket.is_some(), "{:?} {:?}", &breaker, &naive);
                    if let Standing::HalfOpen { .. } = breaker.standing() {
                        let (began, count) = tried.get_or_insert((now, 0));
                        *count += u32::from(pass.is_some());
                        let seconds = now.duration_since(*began).as_secs();
                        let room: i64 = (0..=seconds.min(5)).map(|second| 1 << second).sum();
                        let most = room + 32 * (seconds - 5).max(0);
                        prop_assert!(i64::from(*count) <= most, "{} in {} seconds", count, seconds);
                    }
                    on_their_way.extend(pass.zip(ticket).map(|(pass, (window, request))| (pass, (left, window, request))));
                }
                Step::Hear(..) if on_their_way.is_empty() => {}
                Step::Hear(which, heard) => {
                    let (pass, (of, window, request)) = on_their_way.swap_remove(which % on_their_way.len());
                    breaker.ended(pass, heard, now, 0);
                    if of == left {
                        left += usize::from(naive.hear((window, request), heard, now));
                        left += naive.pass(now);
                    }
                }
            }
            if !matches!(breaker.standing(), Standing::HalfOpen { .. }) {
                tried = None;
            }
        }
    }

    /// Whatever happened: once all that is on its way has come back, somebody is let through within the longest time that it may be
    /// open; and where all goes well from then on, everybody is.
    #[test]
    fn somebody_is_let_through_in_the_end(steps in steps(), jitter in any::<u64>()) {
        let mut now = at(0);
        let mut breaker = Breaker::new(now);
        let mut on_their_way = Vec::new();
        for step in steps {
            match step {
                Step::Wait(ms) => now += SignedDuration::from_millis(ms),
                Step::Ask => on_their_way.extend(breaker.ask(now)),
                Step::Hear(..) if on_their_way.is_empty() => {}
                Step::Hear(which, heard) => {
                    let pass = on_their_way.swap_remove(which % on_their_way.len());
                    breaker.ended(pass, heard, now, jitter);
                }
            }
        }
        for pass in on_their_way {
            breaker.ended(pass, Heard::Nothing, now, jitter);
        }
        let place = breaker.place(now, jitter);
        let at_once = breaker.lets(now);
        now += SignedDuration::from_mins(66) + WINDOW;
        prop_assert!(at_once || place <= now || breaker.lets(place), "it has a place");
        prop_assert!(breaker.lets(now));
        for _ in 0..7 {
            let pass = breaker.ask(now);
            prop_assert!(pass.is_some());
            breaker.ended(pass.unwrap_or(Pass::UNKNOWN), Heard::Working, now, jitter);
            now += WINDOW;
        }
        prop_assert_eq!(breaker.standing(), Standing::Closed);
    }
}
