//! Time as an argument.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

/// Says what time it is. Every part of zelo that needs the time takes one of these.
///
/// The system clock lives in `zelo-runtime`; tests and `zelo simulate` use [`ManualClock`].
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The present instant, in whole milliseconds (what the store keeps).
    fn now(&self) -> Timestamp;
}

/// A clock that moves only when told to.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that stands at `start`.
    pub fn new(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.as_millisecond()))
    }

    /// Moves the clock to `instant`, forwards or back.
    pub fn set(&self, instant: Timestamp) {
        self.0.store(instant.as_millisecond(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        from_ms(self.0.load(Ordering::SeqCst))
    }
}

/// An instant from milliseconds since 1970, as stored; out of range is clamped to what can be told.
pub fn from_ms(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(if ms < 0 { Timestamp::MIN } else { Timestamp::MAX })
}
