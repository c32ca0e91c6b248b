//! The clock and the randomness of the machine: the one place where they are read.

use jiff::Timestamp;
use zelo_core::{Clock, Entropy};

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everyone else is given")]
    fn now(&self) -> Timestamp {
        zelo_core::clock::from_ms(Timestamp::now().as_millisecond())
    }
}

/// The operating system's random bytes.
#[derive(Debug)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    /// # Panics
    /// If the operating system has no random bytes to give: then no key or id can be made safely.
    fn fill(&self, bytes: &mut [u8]) {
        if let Err(error) = getrandom::fill(bytes) {
            panic!("the operating system gives no random bytes: {error}");
        }
    }
}
