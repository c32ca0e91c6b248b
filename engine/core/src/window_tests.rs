use proptest::prelude::*;

use super::*;
use crate::entropy::SeededEntropy;
use crate::id::EventId;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_772_000_000 + second).unwrap()
}

fn secs(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

fn entry(number: usize, second: i64) -> Entry {
    let event = EventId::new(at(0), 0, &SeededEntropy::new(number as u64));
    Entry { at: at(second), job: JobId::derive(event, &AutomationId("a".into()), "b") }
}

/// The most that any span of `per` seconds holds.
fn fullest(times: &[i64], per: i64) -> usize {
    times.iter().map(|from| times.iter().filter(|time| (*from..from + per).contains(time)).count()).max().unwrap_or(0)
}

#[test]
fn a_span_is_half_open() {
    let mut window = Window::default();
    let mut admit = |number, second| window.admit(entry(number, second), 2, secs(60));
    assert!(admit(1, 0) && admit(2, 30) && !admit(3, 59) && admit(4, 60) && !admit(5, 60) && !admit(6, 15));
}

#[test]
fn what_takes_a_place_costs_nothing() {
    let mut window = Window::default();
    assert!(window.admit(entry(1, 0), 1, secs(60)));
    assert!(window.replace(entry(1, 0).job, entry(2, 90).job), "it is remembered where the first one was");
    assert!(!window.replace(entry(1, 0).job, entry(3, 0).job), "which has no place any more");
    assert!(window.admit(entry(4, 60), 1, secs(60)));
}

#[test]
fn what_is_forgotten_might_have_mattered() {
    let mut window = Window::default();
    for number in 0..200 {
        assert!(window.admit(entry(number, number as i64 * 100), 1, secs(60)));
    }
    assert_eq!(window.entries.len(), KEPT_MIN);
    let oldest = window.entries[0].at;
    let second = oldest.as_second() - at(0).as_second();
    assert!(!window.admit(entry(900, second - 61), 1, secs(40)), "one that fired 100 seconds before is forgotten");
    assert!(window.admit(entry(901, second - 60), 1, secs(40)));
}

#[test]
fn counting_begins_again() {
    let mut window = Window::default();
    let mut count = |number, second| window.count(entry(number, second), 3, secs(600));
    assert_eq!([count(1, 0), count(2, 600), count(3, 700), count(4, 800), count(5, 801), count(6, 790)], [1, 1, 2, 3, 1, 2]);
}

#[test]
fn reasons_and_counts_are_for_people() {
    let throttle = Throttle { window: KeyHash([1; 16]), limit: 3, per: SignedDuration::from_hours(1), by: By::Path };
    assert_eq!(throttle.reason().text, "already fired 3 times within 1h for this `by`");
    let throttle = Throttle { limit: 1, per: SignedDuration::from_hours(48), by: By::All, ..throttle };
    assert_eq!((throttle.reason().code.as_str(), throttle.reason().text.as_str()), ("throttled", "already fired once within 48h"));
    let counted = Counted {
        automation: AutomationId("a".into()),
        rule: "r".into(),
        action: "b".into(),
        count: 2,
        at_least: 3,
        within: SignedDuration::from_mins(10),
    };
    assert_eq!(counted.to_string(), "counted 2 of 3 within 10m");
}

proptest! {
    /// The naive version remembers everything and looks at every span.
    #[test]
    fn throttling_is_exact(times in prop::collection::vec(0..400_i64, 0..60), limit in 1..5_u32, per in 1..120_i64) {
        let (mut window, mut fired) = (Window::default(), Vec::new());
        for (number, time) in times.into_iter().enumerate() {
            let with: Vec<i64> = fired.iter().copied().chain([time]).collect();
            let fits = fullest(&with, per) <= limit as usize;
            prop_assert_eq!(window.admit(entry(number, time), limit, secs(per)), fits, "{} after {:?}", time, fired);
            if fits {
                fired = with;
            }
        }
    }

    /// However many there are, and however late some come: no span ever holds too many.
    #[test]
    fn no_span_holds_too_many(
        late in prop::collection::vec((0..3_000_i64, 0..40_i64), 100..200), limit in 1..40_u32, per in 1..300_i64,
    ) {
        let (mut window, mut fired) = (Window::default(), Vec::new());
        for (number, (late, ahead)) in late.into_iter().enumerate() {
            let time = number as i64 * 20 + ahead - late;
            if window.admit(entry(number, time), limit, secs(per)) {
                fired.push(time);
            }
            prop_assert!(window.entries.len() <= KEPT_MIN.max(2 * limit as usize));
        }
        prop_assert!(fullest(&fired, per) <= limit as usize);
    }

    /// In order, nothing that fits is ever turned away, however much was forgotten.
    #[test]
    fn in_order_nothing_is_turned_away_for_nothing(gaps in prop::collection::vec(0..40_i64, 150..250), limit in 1..40_u32, per in 1..300_i64) {
        let (mut window, mut fired, mut time) = (Window::default(), Vec::new(), 0);
        for (number, gap) in gaps.into_iter().enumerate() {
            time += gap;
            let fits = fired.iter().filter(|other| time - **other < per).count() < limit as usize;
            prop_assert_eq!(window.admit(entry(number, time), limit, secs(per)), fits);
            if fits {
                fired.push(time);
            }
        }
    }

    /// The naive version keeps what came since it last fired, and looks at every span that holds the event.
    #[test]
    fn counting_is_exact(times in prop::collection::vec(0..400_i64, 0..60), at_least in 1..5_u32, within in 1..120_i64) {
        let (mut window, mut since) = (Window::default(), Vec::new());
        for (number, time) in times.into_iter().enumerate() {
            since.push(time);
            let spans = since.iter().filter(|from| (**from..*from + within).contains(&time));
            let most = spans.map(|from| since.iter().filter(|other| (*from..from + within).contains(other)).count()).max().unwrap();
            prop_assert_eq!(window.count(entry(number, time), at_least, secs(within)) as usize, most);
            if most >= at_least as usize {
                since.clear();
            }
        }
    }

    #[test]
    fn a_collection_ends_when_it_was_quiet_and_never_later_than_it_may(
        first in 0..1000_i64, more in 0..1000_i64, wait in 1..100_i64, max in prop::option::of(1..500_i64), collected in 1..600_u32,
    ) {
        let last = first + more;
        let ends = Quiet { wait: secs(wait), max: max.map(secs) }.ends(at(first), at(last), collected);
        let quiet = max.map_or(last + wait, |max| (last + wait).min((first + max).max(last)));
        prop_assert_eq!(ends, at(if collected < COLLECTED_MAX { quiet } else { last }));
    }
}
