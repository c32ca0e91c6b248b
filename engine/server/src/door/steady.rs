//! How much time has passed, on a clock that may be set.
//!
//! Limits and lock-outs count by this: a clock that is set back by an hour shuts nobody out for an hour, and a test still advances
//! time by setting its clock.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use zelo_core::{Clock, Timestamp};

/// Time since it was made. It never goes back.
#[derive(Clone, Debug)]
pub(crate) struct Steady(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Arc<dyn Clock>,
    /// What the clock said last, and how much had passed then.
    last: Mutex<(Timestamp, Duration)>,
}

impl Steady {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let last = Mutex::new((clock.now(), Duration::ZERO));
        Self(Arc::new(Inner { clock, last }))
    }

    /// What has passed. Time by which the clock was set back has not passed twice.
    pub(crate) fn passed(&self) -> Duration {
        let mut last = self.0.last.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.0.clock.now();
        let since = Duration::try_from(now.duration_since(last.0)).unwrap_or_default();
        *last = (now, last.1.saturating_add(since));
        last.1
    }
}

impl governor::clock::Clock for Steady {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.passed()
    }
}

#[cfg(test)]
mod tests {
    use zelo_core::ManualClock;

    use super::*;

    #[test]
    fn it_goes_on_where_the_clock_is_set_back() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let clock = Arc::new(ManualClock::new(at(1_000)));
        let steady = Steady::new(clock.clone());
        let mut passed = Vec::new();
        for second in [1_000, 1_010, 400, 405, 1_000] {
            clock.set(at(second));
            passed.push(steady.passed().as_secs());
        }
        assert_eq!(passed, [0, 10, 10, 15, 610]);
    }
}
