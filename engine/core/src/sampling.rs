//! Which of many refusals are written down: whoever sends a great many does not fill the disk.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

/// Of each connection and reason, at most one refusal is written down in this time; the others are counted with the next.
pub const REFUSED_EVERY: SignedDuration = SignedDuration::from_secs(10);

/// Remembers what was written down last. Holds one entry for each connection and reason, both words of ours.
#[derive(Debug, Default)]
pub struct Sampler(BTreeMap<(String, &'static str), Run>);

#[derive(Debug, Default)]
struct Run {
    written: Option<Timestamp>,
    /// Those since then.
    unwritten: u64,
}

impl Sampler {
    /// One more refusal at `now`. How many it stands for, itself included, if it is to be written down.
    pub fn add(&mut self, connection: &str, code: &'static str, now: Timestamp) -> Option<u64> {
        let run = self.0.entry((connection.to_owned(), code)).or_default();
        run.unwritten = run.unwritten.saturating_add(1);
        // A clock that was set back is no reason to be silent.
        if run.written.is_some_and(|written| (SignedDuration::ZERO..REFUSED_EVERY).contains(&now.duration_since(written))) {
            return None;
        }
        run.written = Some(now);
        Some(std::mem::take(&mut run.unwritten))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn the_first_of_a_kind_is_written_and_what_follows_is_counted() {
        let mut sampler = Sampler::default();
        let told: Vec<_> = [0, 1, 9, 10, 11, 60].map(|second| sampler.add("a", "unverified", at(second))).into();
        assert_eq!(told, [Some(1), None, None, Some(3), None, Some(2)]);
        assert_eq!(sampler.add("b", "unverified", at(60)), Some(1), "of another connection");
        assert_eq!(sampler.add("a", "malformed", at(60)), Some(1), "for another reason");
        assert_eq!(sampler.add("a", "unverified", at(5)), Some(1), "the clock was set back");
    }

    proptest! {
        #[test]
        fn none_is_forgotten_and_few_are_written(gaps in prop::collection::vec(0_i64..20, 1..200)) {
            let mut sampler = Sampler::default();
            let mut now = 0;
            let told: Vec<u64> = gaps.iter().filter_map(|gap| { now += gap; sampler.add("a", "x", at(now)) }).collect();
            let left = sampler.0.values().map(|run| run.unwritten).sum::<u64>();
            prop_assert_eq!(told.iter().sum::<u64>() + left, gaps.len() as u64);
            prop_assert!(told.len() as i64 <= now / 10 + 1);
        }
    }
}
