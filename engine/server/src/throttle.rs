//! Slows down who guesses passwords, and nobody else for good.
//!
//! A try counts before it is looked at, so that many at once are many; one that succeeds is taken back. What is counted is a name at an
//! address, an address whatever the name, and a name wherever it is tried: guessing one name from many addresses. The last is never more
//! than a minute, and not for an address where this person came in before: whoever tries to keep somebody out by guessing, does not. What is
//! refused here does not count, so waiting is enough. Kept in memory: a restart forgets it.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// Who is counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Who {
    Pair(String, Option<IpAddr>),
    Address(Option<IpAddr>),
    Name(String),
}

/// How many tries are free, and the longest wait after more.
#[derive(Clone, Copy)]
struct Measure {
    free: u32,
    longest: SignedDuration,
}

const PAIR: Measure = Measure { free: 5, longest: SignedDuration::from_mins(15) };
const ADDRESS: Measure = Measure { free: 30, longest: SignedDuration::from_mins(15) };
const NAME: Measure = Measure { free: 20, longest: SignedDuration::from_mins(1) };

/// After so long without a try, nothing is remembered of it.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// The most that is counted of one kind at once, and the most addresses that are known.
const COUNTED_MAX: usize = 20_000;
const KNOWN_MAX: usize = 5_000;

#[derive(Clone, Copy)]
struct Count {
    tries: u32,
    last: Timestamp,
}

impl Count {
    /// How much longer to wait at `now`.
    fn wait(&self, measure: Measure, now: Timestamp) -> Option<SignedDuration> {
        let over = self.tries.checked_sub(measure.free)?;
        let delay = SignedDuration::from_secs(1 << over.min(20)).min(measure.longest);
        // A clock that was set back is no reason to wait for longer than that.
        let passed = now.duration_since(self.last).max(SignedDuration::ZERO);
        delay.checked_sub(passed).filter(|left| left.is_positive())
    }
}

/// The tries of one kind.
#[derive(Default)]
struct Counts(HashMap<Who, Count>);

impl Counts {
    /// Counts a try. Where there are too many, the one whose last try is the longest ago is forgotten: who comes with many names or
    /// addresses makes others' tries no freer than that.
    fn add(&mut self, who: Who, now: Timestamp) {
        if self.0.len() >= COUNTED_MAX && !self.0.contains_key(&who) {
            self.0.retain(|_, count| now.duration_since(count.last) < FORGOTTEN_AFTER);
            let oldest = self.0.iter().min_by_key(|(_, count)| count.last).map(|(who, _)| who.clone());
            oldest.filter(|_| self.0.len() >= COUNTED_MAX).and_then(|oldest| self.0.remove(&oldest));
        }
        let count = self.0.entry(who).or_insert(Count { tries: 0, last: now });
        let forgotten = now.duration_since(count.last) >= FORGOTTEN_AFTER;
        *count = Count { tries: if forgotten { 1 } else { count.tries.saturating_add(1) }, last: now };
    }
}

#[derive(Default)]
struct State {
    pairs: Counts,
    addresses: Counts,
    names: Counts,
    /// Who came in where, the last one last.
    known: VecDeque<(String, Option<IpAddr>)>,
}

impl State {
    fn of(&self, who: &Who) -> &Counts {
        match who {
            Who::Pair(..) => &self.pairs,
            Who::Address(_) => &self.addresses,
            Who::Name(_) => &self.names,
        }
    }

    fn of_mut(&mut self, who: &Who) -> &mut Counts {
        match who {
            Who::Pair(..) => &mut self.pairs,
            Who::Address(_) => &mut self.addresses,
            Who::Name(_) => &mut self.names,
        }
    }
}

/// The tries so far.
#[derive(Default)]
pub(crate) struct Throttle(Mutex<State>);

impl Throttle {
    /// Counts a try to come in as `name` from `address`.
    ///
    /// # Errors
    /// It is too early: how long to wait.
    pub(crate) fn admit(&self, name: &str, address: Option<IpAddr>, now: Timestamp) -> Result<(), SignedDuration> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (network, name) = (address.map(network), name.to_owned());
        let is_known = state.known.contains(&(name.clone(), network));
        let mut measured = vec![(Who::Pair(name.clone(), network), PAIR), (Who::Address(network), ADDRESS)];
        if !is_known {
            measured.push((Who::Name(name), NAME));
        }
        let waits = measured.iter().filter_map(|(who, measure)| state.of(who).0.get(who)?.wait(*measure, now));
        if let Some(longest) = waits.max() {
            return Err(longest);
        }
        measured.into_iter().for_each(|(who, _)| state.of_mut(&who).add(who, now));
        Ok(())
    }

    /// Takes a try back that came to nothing: it was not looked at.
    pub(crate) fn unheard(&self, name: &str, address: Option<IpAddr>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (network, name) = (address.map(network), name.to_owned());
        for who in [Who::Pair(name.clone(), network), Who::Address(network), Who::Name(name)] {
            state.of_mut(&who).0.get_mut(&who).into_iter().for_each(|count| count.tries = count.tries.saturating_sub(1));
        }
    }

    /// Takes a try back that succeeded: `name` is known at `address` from now on.
    pub(crate) fn succeeded(&self, name: &str, address: Option<IpAddr>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (network, name) = (address.map(network), name.to_owned());
        state.pairs.0.remove(&Who::Pair(name.clone(), network));
        // Not the whole count: who has one password is no less a guesser of others.
        for who in [Who::Address(network), Who::Name(name.clone())] {
            if let Some(count) = state.of_mut(&who).0.get_mut(&who) {
                count.tries = count.tries.saturating_sub(1);
            }
        }
        let known = (name, network);
        state.known.retain(|one| *one != known);
        state.known.push_back(known);
        if state.known.len() > KNOWN_MAX {
            state.known.pop_front();
        }
    }
}

/// What one subscriber has: an address of version 4, or the first half of one of version 6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        version_4 => version_4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3600;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000_000 + second).unwrap()
    }

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    /// How many tries of a guesser who waits as told get through in `span` seconds, from `from` on.
    fn tries(throttle: &Throttle, name: &str, address: &str, from: i64, span: i64) -> usize {
        let (mut now, mut through) = (from, 0);
        while now < from + span {
            match throttle.admit(name, ip(address), at(now)) {
                Ok(()) => through += 1,
                Err(wait) => now += wait.as_secs().max(1),
            }
        }
        through
    }

    #[test]
    fn who_guesses_waits_for_ever_longer() {
        let throttle = Throttle::default();
        for _ in 0..5 {
            throttle.admit("ana", ip("203.0.113.9"), at(0)).unwrap();
        }
        let mut waits = Vec::new();
        let mut now = 0;
        while waits.len() < 13 {
            match throttle.admit("ana", ip("203.0.113.9"), at(now)) {
                Ok(()) => {}
                Err(wait) => {
                    waits.push(wait.as_secs());
                    now += wait.as_secs();
                }
            }
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
        assert!(tries(&Throttle::default(), "ana", "203.0.113.9", 0, 24 * HOUR) < 110, "in a day");
    }

    #[test]
    fn many_names_from_one_address_are_one_guesser() {
        let throttle = Throttle::default();
        let through = (0..1000).filter(|name| throttle.admit(&format!("name{name}"), ip("2001:db8::1"), at(0)).is_ok()).count();
        assert_eq!(through, 30);
        assert!(throttle.admit("other", ip("2001:db8::ffff"), at(0)).is_err(), "the same subscriber");
        assert!(throttle.admit("other", ip("2001:db8:0:1::1"), at(0)).is_ok(), "another one");
    }

    #[test]
    fn nobody_keeps_somebody_out_by_guessing() {
        let throttle = Throttle::default();
        throttle.admit("ana", ip("198.51.100.1"), at(0)).unwrap();
        throttle.succeeded("ana", ip("198.51.100.1"));
        // From a thousand addresses, without an end.
        let (mut through, mut longest) = (0, SignedDuration::ZERO);
        for second in 1..HOUR {
            match throttle.admit("ana", ip(&format!("203.0.{}.{}", second / 250, second % 250)), at(second)) {
                Ok(()) => through += 1,
                Err(wait) => longest = longest.max(wait),
            }
        }
        assert!(through < 90 && longest <= SignedDuration::from_mins(1), "{through} {longest}");
        assert!(throttle.admit("ana", ip("198.51.100.1"), at(HOUR)).is_ok(), "where she came in before");
        assert!(throttle.admit("bia", ip("198.51.100.2"), at(HOUR)).is_ok(), "somebody else");
    }

    #[test]
    fn who_comes_in_begins_anew() {
        let throttle = Throttle::default();
        for _ in 0..50 {
            throttle.admit("ana", ip("198.51.100.1"), at(0)).unwrap();
            throttle.succeeded("ana", ip("198.51.100.1"));
        }
        let throttle = Throttle::default();
        for _ in 0..5 {
            throttle.admit("ana", None, at(0)).unwrap();
        }
        assert!(throttle.admit("ana", None, at(0)).is_err());
        assert!(throttle.admit("ana", None, at(-HOUR)).is_err(), "a clock that was set back");
        assert_eq!(tries(&throttle, "ana", "192.0.2.1", HOUR, 1), 5, "after an hour of silence");
    }

    #[test]
    fn who_comes_with_many_names_and_addresses_makes_guessing_no_freer() {
        let throttle = Throttle::default();
        for number in 0..COUNTED_MAX + 500 {
            let address = format!("10.{}.{}.{}", number >> 16, (number >> 8) & 255, number & 255);
            let _ = throttle.admit(&format!("nobody{number}"), ip(&address), at(0));
        }
        let through = (0..60).filter(|_| throttle.admit("ana", ip("192.0.2.1"), at(1)).is_ok()).count();
        assert_eq!(through, PAIR.free as usize, "each is counted");
        let state = throttle.0.lock().unwrap();
        assert!([&state.pairs, &state.addresses, &state.names].iter().all(|counts| counts.0.len() <= COUNTED_MAX));
    }

    #[test]
    fn what_was_not_looked_at_is_no_try() {
        let throttle = Throttle::default();
        for _ in 0..100 {
            assert_eq!(throttle.admit("ana", ip("192.0.2.1"), at(0)), Ok(()));
            throttle.unheard("ana", ip("192.0.2.1"));
        }
    }
}
