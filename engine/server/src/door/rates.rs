//! How much is taken in a time: at each connection, and of all.
//!
//! Who is known at a connection does not share a limit with strangers: what strangers send costs the provider nothing. So there are
//! two of each: one for deliveries from places that are known there, one for those from others. Pages and API have a third of all, and each
//! place one of its own there: whoever asks for too much keeps nobody else from them.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use serde::Deserialize;

use super::lockout::At;
use super::network::Place;
use super::steady::Steady;

/// A limit: so many a second for as long as one likes, and so many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    pub per_second: NonZeroU32,
    pub burst: NonZeroU32,
}

impl Rate {
    const fn of(per_second: u32, burst: u32) -> Self {
        let (Some(per_second), Some(burst)) = (NonZeroU32::new(per_second), NonZeroU32::new(burst)) else { panic!("a limit of nothing") };
        Self { per_second, burst }
    }
}

/// The limits of a server.
#[derive(Clone, Debug)]
pub struct Rates {
    /// Of all connections together; of pages and API too.
    pub all: Rate,
    /// Of each connection that has none of its own.
    pub each: Rate,
    /// Of pages and API, for each address; of IPv6 for its /64.
    pub address: Rate,
    /// By connection.
    pub own: BTreeMap<String, Rate>,
}

impl Default for Rates {
    /// More than clinics have: a chain of a hundred sends some ten a second.
    fn default() -> Self {
        Self { all: Rate::of(2_000, 10_000), each: Rate::of(500, 5_000), address: Rate::of(50, 500), own: BTreeMap::new() }
    }
}

/// Counts down one limit: GCRA, in the memory of one number.
type Limiter = RateLimiter<NotKeyed, InMemoryState, Steady, NoOpMiddleware<Duration>>;

/// The same for each place.
type Placed = RateLimiter<Place, HashMapStateStore<Place>, Steady, NoOpMiddleware<Duration>>;

/// Places that are counted; those beyond it share the limit of whom nobody knows, until some of these have been quiet for long enough.
const PLACES_MAX: usize = 16_384;

/// One limit for deliveries from places that are known, one for the others.
struct Pair {
    known: Limiter,
    strangers: Limiter,
}

/// On whose account something is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Account {
    Known,
    Strangers,
}

impl Pair {
    fn new(rate: Rate, steady: &Steady) -> Self {
        Self { known: limiter(rate, steady), strangers: limiter(rate, steady) }
    }

    fn of(&self, account: Account) -> &Limiter {
        match account {
            Account::Known => &self.known,
            Account::Strangers => &self.strangers,
        }
    }
}

/// All limits, counting.
pub(crate) struct Limiters {
    steady: Steady,
    all: Pair,
    /// By the number of the connection.
    each: Vec<Pair>,
    others: Limiter,
    placed: Placed,
}

impl Limiters {
    /// For `connections`, in the order of their numbers.
    pub(crate) fn new<'c>(rates: &Rates, connections: impl IntoIterator<Item = &'c str>, steady: &Steady) -> Self {
        let quota = Quota::per_second(rates.address.per_second).allow_burst(rates.address.burst);
        let placed = RateLimiter::new(quota, HashMapStateStore::default(), steady.clone());
        let each = connections.into_iter().map(|name| Pair::new(*rates.own.get(name).unwrap_or(&rates.each), steady));
        Self { all: Pair::new(rates.all, steady), each: each.collect(), others: limiter(rates.all, steady), placed, steady: steady.clone() }
    }

    /// Takes one delivery, at a connection where it is one of ours; else how long to wait.
    pub(crate) fn delivery(&self, at: Option<At>, account: Account) -> Result<(), Duration> {
        if let Some(each) = at.and_then(|at| self.each.get(at)) {
            self.take(each.of(account))?;
        }
        self.take(self.all.of(account))
    }

    /// Takes one request that is no delivery; else how long to wait. What its own place has not left costs the others nothing.
    pub(crate) fn other(&self, place: Place) -> Result<(), Duration> {
        if self.placed.len() >= PLACES_MAX {
            self.placed.retain_recent();
        }
        let counted = if self.placed.len() < PLACES_MAX { place } else { Place::Unknown };
        self.placed.check_key(&counted).map_err(|not_yet| not_yet.wait_time_from(self.steady.passed()))?;
        self.take(&self.others)
    }

    fn take(&self, limiter: &Limiter) -> Result<(), Duration> {
        limiter.check().map_err(|not_yet| not_yet.wait_time_from(self.steady.passed()))
    }
}

fn limiter(rate: Rate, steady: &Steady) -> Limiter {
    RateLimiter::direct_with_clock(Quota::per_second(rate.per_second).allow_burst(rate.burst), steady.clone())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use zelo_core::{ManualClock, Timestamp};

    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millisecond(1_772_000_000_000 + ms as i64).unwrap()
    }

    fn limiters(all: Rate, each: Rate) -> (Limiters, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::new(at(0)));
        let rates = Rates { all, each, address: Rate::of(1, 3), own: [("own".to_owned(), Rate::of(1, 1))].into() };
        (Limiters::new(&rates, ["a", "b", "own"], &Steady::new(clock.clone())), clock)
    }

    /// How many of a hundred are taken.
    fn taken(limiters: &Limiters, at: Option<At>, account: Account) -> usize {
        (0..100).filter(|_| limiters.delivery(at, account).is_ok()).count()
    }

    #[test]
    fn strangers_cost_the_known_nothing_and_one_connection_nothing_the_other() {
        let (limiters, clock) = limiters(Rate::of(1, 25), Rate::of(1, 10));
        assert_eq!(taken(&limiters, Some(0), Account::Strangers), 10);
        assert_eq!(taken(&limiters, Some(0), Account::Known), 10);
        assert_eq!(taken(&limiters, Some(1), Account::Strangers), 10);
        assert_eq!(taken(&limiters, Some(2), Account::Strangers), 1, "it has one of its own");
        assert_eq!(taken(&limiters, None, Account::Strangers), 4, "what is left of all");
        assert_eq!(limiters.other(place(1)), Ok(()), "pages have their own");
        assert_eq!(limiters.delivery(Some(0), Account::Known), Err(Duration::from_secs(1)));
        clock.set(at(3_000));
        assert_eq!(taken(&limiters, Some(0), Account::Known), 3);
    }

    fn place(number: u32) -> Place {
        Place::V4(number.into())
    }

    #[test]
    fn one_address_keeps_no_other_from_the_pages() {
        let (limiters, clock) = limiters(Rate::of(1, 10), Rate::of(1, 1));
        let taken = |number: u32| (0..100).filter(|_| limiters.other(place(number)).is_ok()).count();
        assert_eq!((taken(1), taken(2)), (3, 3), "what the first was refused cost nobody anything");
        assert_eq!(limiters.other(place(1)), Err(Duration::from_secs(1)));
        assert_eq!((taken(3), taken(4)), (3, 1), "together they have no more than all");
        clock.set(at(60_000));
        assert_eq!(taken(1), 3);
    }

    #[test]
    fn places_are_counted_in_bounded_memory() {
        let (limiters, clock) = limiters(Rate::of(1_000_000, 1_000_000), Rate::of(1, 1));
        let many = u32::try_from(PLACES_MAX).unwrap();
        (0..many + 3).for_each(|number| assert!(limiters.other(place(number)).is_ok() || number > many));
        assert!(limiters.placed.len() <= PLACES_MAX + 1, "{}", limiters.placed.len());
        assert!(limiters.other(place(many + 4)).is_err(), "those that are too many share one limit");
        clock.set(at(60_000));
        assert_eq!(limiters.other(place(many + 4)), Ok(()), "who is quiet makes room");
        assert!(limiters.placed.len() < 10, "{}", limiters.placed.len());
    }

    proptest! {
        #[test]
        fn never_more_than_the_burst_and_what_has_come_since(
            per_second in 1..50_u32, burst in 1..50_u32, pauses in proptest::collection::vec(0..200_u64, 1..300)
        ) {
            let (limiters, clock) = limiters(Rate::of(1_000_000, 1_000_000), Rate::of(per_second, burst));
            let (mut now, mut taken) = (0, 0_u64);
            for pause in pauses {
                now += pause;
                clock.set(at(now));
                match limiters.delivery(Some(0), Account::Known) {
                    Ok(()) => taken += 1,
                    Err(wait) => {
                        // Who waits as long as it says is taken.
                        now += wait.as_millis() as u64 + 1;
                        clock.set(at(now));
                        prop_assert!(limiters.delivery(Some(0), Account::Known).is_ok());
                        taken += 1;
                    }
                }
                prop_assert!(taken <= u64::from(burst) + now * u64::from(per_second) / 1000 + 1, "{taken} in {now} ms");
            }
        }
    }
}
