use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::super::tests::{Ask, arrival, minute};
use super::super::{Status, decide};
use super::*;
use crate::timing::{IfLate, Records, SendWindow, Timetable, Timing};
use crate::window::{Count, OverTime, Throttle};

const DAY: i64 = 24 * 60;

/// The action of the tests as its file would say it.
struct Rule(Timing);

impl Timetable for Rule {
    fn due(&self, question: &DueQuestion<'_>, _: &dyn Records) -> Result<Due, Reason> {
        self.0.due(question.anchor, question.reference)
    }
}

fn timing(hours: i64, if_late: IfLate) -> Timing {
    Timing { offset: SignedDuration::from_hours(hours), window: None, if_late, expires: None }
}

fn sixty() -> NonZeroU32 {
    NonZeroU32::new(60).unwrap()
}

fn known(state: &State) -> HashMap<JobId, (JobId, JobState)> {
    state.jobs.values().map(|job| (job.id, (job.id, job.state))).collect()
}

/// Replays `events` at `now`, of which the first `within` may make jobs; what came of each.
fn replay(events: &[Arrival], within: usize, now: i64, state: &mut State) -> Vec<Fate> {
    let mut replay = Replay::new(minute(now), Pace::after(minute(now), None, sixty()), known(state));
    let past = |(place, arrival)| Past { arrival, stale: false, within: place < within };
    let fired: Vec<Fired> = events.iter().enumerate().flat_map(|one| replay.decide(past(one), state)).collect();
    replay.finish(state);
    fired.into_iter().map(|fired| fired.fate).collect()
}

/// An event that fires without a key, as `over` says.
fn fires(number: u64, time: i64, over: OverTime) -> Arrival {
    let mut arrival = Arrival { entity: None, ..arrival(number, time, Some(Ask::Book(9))) };
    if let Plan::Fire { key, anchor, over: said, .. } = &mut arrival.candidates[0].plan {
        (*key, *anchor, *said) = (None, None, over);
    }
    arrival.timetable = Arc::new(Rule(timing(0, IfLate::Now)));
    arrival
}

fn codes(state: &State) -> Vec<(&str, &str)> {
    let mut jobs: Vec<_> = state.jobs.values().collect();
    jobs.sort_by_key(|job| job.reference);
    jobs.iter().map(|job| (job.state.as_str(), job.reason.as_ref().map_or("", |reason| reason.code.as_str()))).collect()
}

#[test]
fn a_later_word_is_heard_wherever_the_range_ends() {
    let sequence = [arrival(1, 0, Some(Ask::Book(900))), arrival(2, 1, Some(Ask::Book(901))), arrival(3, 2, Some(Ask::Cancel))];
    for (events, within, wanted) in [
        (&sequence[..2], 2, vec![("cancelled", "replaced"), ("scheduled", "")]),
        (&sequence[..], 2, vec![("cancelled", "replaced"), ("cancelled", "cancelled_by_event")]),
        (&sequence[..2], 1, vec![("cancelled", "outside")]),
        (&sequence[2..], 1, vec![]),
    ] {
        let mut state = State::default();
        replay(events, within, 9, &mut state);
        assert_eq!(codes(&state), wanted);
    }
}

#[test]
fn what_is_pending_of_another_event_of_the_same_second_stays() {
    let mut state = State::default();
    // The cancellation came first, and the booking after it has the last word.
    let (cancel, book) = (arrival(1, 5, Some(Ask::Cancel)), arrival(2, 5, Some(Ask::Book(900))));
    decide(&cancel, &mut state);
    decide(&book, &mut state);
    state.dirty = Default::default();
    let fates = replay(&[cancel, arrival(3, 5, Some(Ask::Book(901))), book], 3, 9, &mut state);
    assert_eq!(codes(&state), [("scheduled", "")]);
    assert!(matches!(fates[..], [Fate::Outdated(_), Fate::Known(_, JobState::Scheduled)]), "{fates:?}");
}

#[test]
fn a_newer_job_of_the_same_key_takes_the_place_of_what_is_made_here() {
    let mut state = State::default();
    let (old, new) = (arrival(1, 5, Some(Ask::Book(900))), arrival(2, 5, Some(Ask::Book(901))));
    decide(&new, &mut state);
    let job = state.jobs.values_mut().next().unwrap();
    job.state = JobState::Done;
    state.keys.values_mut().for_each(|row| row.live = None);
    state.dirty = Default::default();
    replay(&[old, new], 2, 9, &mut state);
    let mut found = codes(&state);
    found.sort_unstable();
    assert_eq!(found, [("cancelled", "replaced"), ("done", "")]);
}

#[test]
fn what_waits_for_a_step_that_comes_to_nothing_ends_with_it() {
    let mut event = arrival(1, 0, Some(Ask::Book(900)));
    let mut after = event.candidates[0].clone();
    after.origin = Arc::new(crate::Origin { action: "after".into(), ..(*after.origin).clone() });
    if let Plan::Fire { key, needs, .. } = &mut after.plan {
        (*key, *needs) = (None, vec!["remind".into()]);
    }
    event.candidates.push(after);
    let mut state = State::default();
    replay(&[event, arrival(2, 1, Some(Ask::Cancel))], 2, 9, &mut state);
    let mut found = codes(&state);
    found.sort_unstable();
    assert_eq!(found, [("cancelled", "cancelled_by_event"), ("cancelled", "step")]);
}

#[test]
fn late_is_judged_from_now_as_the_rule_says() {
    let hours = |text: &str| text.parse().unwrap();
    let window = Some((SendWindow { from: hours("08:00"), to: hours("20:00") }, TimeZone::UTC));
    // Minute 0 is 06:13 on some day; the event is of then, the replay of two days and eight hours later, 14:13.
    let now = 2 * DAY + 8 * 60;
    let booked = |timing: Timing, anchor: Option<i64>| {
        let mut event = fires(1, 0, OverTime::default());
        if let Plan::Fire { anchor: said, .. } = &mut event.candidates[0].plan {
            *said = anchor.map(|minutes| Ok(minute(minutes)));
        }
        event.timetable = Arc::new(Rule(timing));
        let mut state = State::default();
        replay(&[event], 1, now, &mut state);
        let job = state.jobs.values().next().unwrap().clone();
        let wait = job.run_at.duration_since(minute(now)).as_mins();
        match &job.reason {
            Some(reason) => reason.code.clone(),
            None => format!("{} {wait}", job.state.as_str()),
        }
    };
    let before = |if_late| timing(-24, if_late);
    assert_eq!(booked(before(IfLate::Now), Some(4 * DAY)), format!("scheduled {}", DAY - 8 * 60), "its time is to come");
    assert_eq!(booked(before(IfLate::Now), Some(3 * DAY - 120)), "ready 0", "booked inside the 24 hours, as it were");
    assert_eq!(booked(before(IfLate::Skip), Some(3 * DAY - 120)), "late");
    assert_eq!(booked(before(IfLate::Now), Some(2 * DAY)), "late", "yesterday's");
    let expiring = |hours| Timing { expires: Some(SignedDuration::from_hours(hours)), ..before(IfLate::Now) };
    assert_eq!((booked(expiring(2), Some(3 * DAY)), booked(expiring(9), Some(3 * DAY))), ("late".to_owned(), "ready 0".to_owned()));
    assert_eq!(booked(timing(0, IfLate::Now), None), "ready 0", "as soon as may be");
    assert_eq!(booked(Timing { window: window.clone(), ..timing(0, IfLate::Now) }, None), "ready 0");
    let shut = Some((SendWindow { from: hours("08:00"), to: hours("12:00") }, TimeZone::UTC));
    assert!(booked(Timing { window: shut, ..timing(0, IfLate::Now) }, None).starts_with("scheduled 10"), "tomorrow at eight");
}

#[test]
fn what_is_late_runs_a_few_each_minute() {
    let mut state = State::default();
    let events: Vec<Arrival> = (1..=4).map(|number| fires(number, number as i64, OverTime::default())).collect();
    replay(&events, 4, 9, &mut state);
    let mut runs: Vec<i64> = state.jobs.values().map(|job| job.run_at.duration_since(minute(9)).as_secs()).collect();
    runs.sort_unstable();
    assert_eq!(runs, [0, 1, 2, 3]);
}

#[test]
fn a_throttle_holds_over_what_is_replayed_and_what_came_since() {
    let throttle = Throttle { window: KeyHash([7; 16]), limit: 1, per: SignedDuration::from_mins(60), by: crate::window::By::All };
    let over = OverTime { throttle: Some(throttle), ..OverTime::default() };
    let mut state = State::default();
    decide(&fires(9, 100, over), &mut state);
    replay(&[fires(1, 0, over), fires(2, 30, over), fires(3, 50, over)], 3, 200, &mut state);
    assert_eq!(codes(&state), [("ready", ""), ("skipped", "throttled"), ("skipped", "throttled"), ("ready", "")]);
}

#[test]
fn what_is_counted_is_counted_the_same_each_time() {
    let count = Count { window: KeyHash([8; 16]), at_least: 3, within: SignedDuration::from_mins(60) };
    let over = OverTime { count: Some(count), ..OverTime::default() };
    let mut state = State::default();
    // One that came since: the next but one of those to come fires.
    decide(&fires(9, 100, over), &mut state);
    let counted = state.windows.clone();
    let events: Vec<Arrival> = (1..=7).map(|number| fires(number, number as i64, over)).collect();
    for _ in 0..3 {
        replay(&events, 7, 200, &mut state);
        let mut made: Vec<i64> = state.jobs.values().map(|job| job.reference.duration_since(minute(0)).as_mins()).collect();
        made.sort_unstable();
        assert_eq!((made, &state.windows), (vec![3, 6], &counted));
        state.dirty = Default::default();
    }
}

/// One of a few appointments is booked or cancelled, so long after the start, heard of so much later.
fn words() -> impl Strategy<Value = Vec<Arrival>> {
    let word = (0..3u8, 0..40i64, 0..10i64, prop::option::of(1..4i64), any::<bool>());
    prop::collection::vec(word, 1..12).prop_map(|words| {
        let one = |(number, (which, time, delay, book, ordered)): (usize, (u8, i64, i64, Option<i64>, bool))| {
            let ask = book.map_or(Ask::Cancel, |days| Ask::Book(900 + days));
            let mut arrival = arrival(number as u64 + 1, time, Some(ask));
            arrival.event.received = minute(time + delay);
            arrival.entity = ordered.then_some(KeyHash([which; 16]));
            match &mut arrival.candidates[0].plan {
                Plan::Fire { key, .. } => *key = Some(KeyHash([100 + which; 16])),
                Plan::Cancel { key, .. } => *key = KeyHash([100 + which; 16]),
            }
            arrival
        };
        let mut words: Vec<Arrival> = words.into_iter().enumerate().map(one).collect();
        words.sort_by_key(|arrival| arrival.event.received);
        words
    })
}

/// How a job stands, when it runs, and the code of its reason.
type Stands = (JobState, Timestamp, Option<String>);

/// What is live under a key, and the newest word there.
type Spoken = (Option<JobId>, Timestamp);

/// Each job with how it stands, and what is remembered under each key.
fn left(state: &State) -> (BTreeMap<JobId, Stands>, BTreeMap<KeyHash, Spoken>) {
    let jobs = state.jobs.values().map(|job| (job.id, (job.state, job.run_at, job.reason.as_ref().map(|reason| reason.code.clone()))));
    (jobs.collect(), state.keys.iter().map(|(key, row)| (*key, (row.live, row.newest))).collect())
}

/// What is stored of `words` without the rule: which were stale.
fn stale(words: &[Arrival]) -> Vec<bool> {
    let mut state = State::default();
    let without = |arrival: &Arrival| Arrival { candidates: Vec::new(), ..arrival.clone() };
    words.iter().map(|arrival| decide(&without(arrival), &mut state).status == Status::Stale).collect()
}

fn replayed(words: &[Arrival], within: std::ops::Range<usize>, known: HashMap<JobId, (JobId, JobState)>, state: &mut State) {
    let mut replay = Replay::new(minute(100), Pace::after(minute(100), None, sixty()), known);
    for (place, (arrival, stale)) in words.iter().zip(stale(words)).enumerate() {
        replay.decide(Past { arrival, stale, within: within.contains(&place) }, state);
    }
    replay.finish(state);
}

proptest! {
    /// As long as nothing is due yet: a replay of all that came leaves what would be there had the rule been on, and the same again
    /// changes nothing.
    #[test]
    fn a_replay_is_as_if_the_rule_had_been_on(words in words()) {
        let (mut on, mut state) = (State::default(), State::default());
        for arrival in &words {
            decide(arrival, &mut on);
        }
        replayed(&words, 0..words.len(), HashMap::new(), &mut state);
        prop_assert_eq!(left(&state), left(&on));
        state.dirty = Default::default();
        let before = left(&state);
        replayed(&words, 0..words.len(), known(&state), &mut state);
        prop_assert_eq!(left(&state), before);
        prop_assert!(state.dirty.new_jobs.is_empty() && state.dirty.changed_jobs.is_empty());
    }

    /// Whatever part is replayed: what is left to run of it is left to run had the rule been on. A rule that was on in the meantime and
    /// has jobs of its own is not disturbed.
    #[test]
    fn a_part_makes_nothing_that_the_whole_would_not(words in words(), from in 0..12usize, to in 0..12usize, since in 0..12usize) {
        let (mut on, mut state) = (State::default(), State::default());
        for arrival in &words {
            decide(arrival, &mut on);
        }
        // Switched on with that word.
        for (place, arrival) in words.iter().enumerate() {
            let heard = if place < since { Arrival { candidates: Vec::new(), ..arrival.clone() } } else { arrival.clone() };
            decide(&heard, &mut state);
        }
        let own: Vec<JobId> = state.jobs.values().filter(|job| job.state.is_live()).map(|job| job.id).collect();
        state.dirty = Default::default();
        let known = known(&state);
        replayed(&words, from.min(to)..to, known, &mut state);
        for job in state.dirty.new_jobs.iter().filter_map(|id| state.jobs.get(id)).filter(|job| job.state.is_live()) {
            prop_assert!(on.jobs.get(&job.id).is_some_and(|same| same.state.is_live() && same.run_at == job.run_at), "{} in {from}..{to}", job.id);
        }
        for id in own.iter().filter(|id| on.jobs.get(*id).is_some_and(|job| job.state.is_live())) {
            prop_assert!(state.jobs.get(id).is_some_and(|job| job.state.is_live()));
        }
    }
}
