use proptest::prelude::*;

use super::*;

/// Monday, 2026-03-02, 00:00.
const MONDAY: i64 = 1_772_409_600;

/// So many hours after that Monday began.
fn at(hour: i64) -> Timestamp {
    Timestamp::from_second(MONDAY + hour * 3600).unwrap()
}

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

/// Heard in each of these hours.
fn heard(hours: impl IntoIterator<Item = i64>) -> Heard {
    let mut heard = Heard::default();
    hours.into_iter().for_each(|hour| heard.accepted(at(hour)));
    heard
}

/// A process that has been there all the time.
fn is_silent(heard: &Heard, now: i64) -> bool {
    heard.is_silent(None, at(-9000), at(now))
}

/// A clinic's hours up to `end`: Monday to Friday, from 8 to 18.
fn clinic(end: i64) -> Vec<i64> {
    (0..end).filter(|hour| hour / 24 % 7 < 5 && (8..18).contains(&(hour % 24))).collect()
}

#[test]
fn nights_and_weekends_are_no_silence() {
    for now in 0..6 * 7 * 24 {
        assert!(!is_silent(&heard(clinic(now)), now), "hour {now}");
    }
}

#[test]
fn who_never_pauses_is_missed_after_two_hours() {
    let steady = heard(0..=240);
    assert!(!is_silent(&steady, 242));
    assert!(steady.is_silent(None, at(0), at(242) + SignedDuration::from_secs(1)));
}

#[test]
fn twice_the_longest_gap_is_too_long() {
    // Monday of the third week, from 8 on nobody comes: a weekend of 63 hours twice, since Friday at 17.
    let clinic = heard(clinic(14 * 24));
    let last = 11 * 24 + 17;
    assert_eq!(clinic.last(), Some(at(last)));
    assert!(!is_silent(&clinic, last + 126) && is_silent(&clinic, last + 127));
}

#[test]
fn of_whom_little_is_known_nothing_is_said() {
    assert!(!is_silent(&Heard::default(), 5000));
    assert!(!is_silent(&heard([0]), 5000));
    assert!(!is_silent(&heard(0..KNOWN), 5000), "it may be on its first weekend");
    assert!(is_silent(&heard(0..=KNOWN), 5000));
    let mut refused = heard(0..5);
    (0..300).for_each(|hour| refused.refused(at(hour)));
    assert!(!is_silent(&refused, 5000), "who is refused has not spoken");
}

#[test]
fn what_was_long_ago_does_not_count() {
    let patient = heard([0, 150].into_iter().chain(200..=200 + 340));
    assert!(is_silent(&patient, 200 + 340 + 3), "three weeks later, 150 hours are no excuse");
    let rare = heard((0..10).map(|turn| turn * 15 * 24));
    assert!(!is_silent(&rare, 9000), "nothing to compare with");
}

#[test]
fn what_is_expected_goes_before_what_is_usual() {
    let clinic = heard(clinic(11 * 24));
    let last = 10 * 24 + 17;
    let expects = |expect, listening, now| clinic.is_silent(Some(hours(expect)), at(listening), at(now));
    assert!(!expects(3, 0, last + 3) && expects(3, 0, last + 4));
    assert!(!expects(500, 0, last + 500) && expects(500, 0, last + 501));
    // Who was never heard is waited for from the start on.
    let nobody = |now| Heard::default().is_silent(Some(hours(3)), at(0), at(now));
    assert!(!nobody(3) && nobody(4));
    // After a stop of four hours providers get their time.
    assert!(!expects(3, last + 4, last + 4) && !expects(3, last + 4, last + 5) && expects(3, last + 4, last + 6));
}

/// `accepted` and `refused` in hour 0, after ten days with `usual` of each in an hour.
fn rises(usual: (u64, u64), accepted: u64, refused: u64) -> bool {
    let mut heard = Heard::default();
    for hour in -240..-1 {
        heard.add(hour_of(at(hour)), Hour { accepted: usual.0, refused: usual.1, last: Some(at(hour)) });
    }
    heard.add(hour_of(at(0)), Hour { accepted, refused, last: Some(at(0)) });
    heard.refusals_rise(at(0))
}

#[test]
fn refusals_rise_by_share_or_by_what_is_usual() {
    assert!(!rises((100, 0), 0, 10) && rises((100, 0), 0, 11), "ten are none");
    assert!(!rises((1000, 10), 99, 11) && rises((1000, 10), 98, 11), "a tenth of what came");
    assert!(!rises((10_000, 2), 10_000, 20) && rises((10_000, 2), 10_000, 21), "five times two an hour, for two hours");
    let mut new = Heard::default();
    new.add(hour_of(at(0)), Hour { accepted: 10_000, refused: 50, last: Some(at(0)) });
    new.add(hour_of(at(-24)), Hour { accepted: 1, refused: 0, last: Some(at(-24)) });
    assert!(!new.refusals_rise(at(0)), "nobody knows what is usual");
    new.add(hour_of(at(-25)), Hour { accepted: 1, refused: 0, last: Some(at(-25)) });
    assert!(new.refusals_rise(at(0)));
}

#[test]
fn refusals_are_over_two_hours_later() {
    let mut heard = Heard::default();
    (0..50).for_each(|_| heard.refused(at(0)));
    assert_eq!([0, 1, 2].map(|hour| heard.refusals_rise(at(hour))), [true, true, false]);
}

#[test]
fn four_weeks_are_kept() {
    let mut kept = heard([0, 1, 100]);
    kept.refused(at(2));
    kept.forget(at(KEPT + 1));
    assert_eq!(kept.hours().map(|(hour, _)| hour - hour_of(at(0))).collect::<Vec<_>>(), [0, 1, 2, 100], "of who says nothing, all of it");
    kept.forget(at(KEPT + 3));
    assert_eq!(kept.hours().count(), 3, "but refusals go");
    kept.accepted(at(KEPT + 3));
    kept.forget(at(KEPT + 3));
    assert_eq!(kept.hours().map(|(hour, _)| hour - hour_of(at(0))).collect::<Vec<_>>(), [100, KEPT + 3]);
}

proptest! {
    #[test]
    fn silence_begins_after_a_delivery_and_lasts_until_the_next(
        times in prop::collection::vec(0_i64..30 * 24 * 60, 0..120),
        refused in prop::collection::vec(0_i64..30 * 24 * 60, 0..40),
        expect in prop::option::of(1_i64..30 * 24),
        after in prop::collection::vec(0_i64..90 * 24 * 60, 2..20),
        listening in 0_i64..40 * 24 * 60,
    ) {
        let minute = |minute: i64| Timestamp::from_second(MONDAY + minute * 60).unwrap();
        let mut heard = Heard::default();
        times.iter().for_each(|time| heard.accepted(minute(*time)));
        refused.iter().for_each(|time| heard.refused(minute(*time)));
        let (last, expect) = (times.iter().max().copied(), expect.map(hours));
        prop_assert_eq!(heard.last(), last.map(minute));
        let silent = |heard: &Heard, now: i64| heard.is_silent(expect, minute(listening), minute(now));
        let mut after: Vec<i64> = after.iter().map(|more| last.unwrap_or(0) + more).collect();
        after.sort_unstable();
        let told: Vec<bool> = after.iter().map(|now| silent(&heard, *now)).collect();
        prop_assert!(told.is_sorted(), "{:?}", told);
        // What is forgotten meanwhile changes nothing of it.
        for (now, told) in after.iter().zip(told) {
            heard.forget(minute(*now));
            prop_assert_eq!(silent(&heard, *now), told);
        }
        let now = after[after.len() - 1];
        heard.accepted(minute(now));
        prop_assert!(!silent(&heard, now), "it has just spoken");
    }

    /// The longest gap twice, found by looking at every pair of deliveries.
    #[test]
    fn no_gap_like_one_before_it_is_too_long(times in prop::collection::btree_set(0_i64..14 * 24 * 60, 2..60), again in 0_usize..60) {
        let times: Vec<i64> = times.into_iter().collect();
        let mut heard = Heard::default();
        times.iter().for_each(|minute| heard.accepted(Timestamp::from_second(MONDAY + minute * 60).unwrap()));
        let last = times[times.len() - 1];
        // Those that lie within two weeks before it was last heard, by the hour.
        let gaps: Vec<i64> = times.windows(2).filter(|pair| pair[0] / 60 >= last / 60 - USUAL).map(|pair| pair[1] - pair[0]).collect();
        let now = Timestamp::from_second(MONDAY + (last + gaps[again % gaps.len()]) * 60).unwrap();
        prop_assert!(!heard.is_silent(None, at(-9000), now));
    }
}
