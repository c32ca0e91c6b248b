//! Measures one run: computing time and memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use wasmtime::ResourceLimiter;

use crate::engine::TICK;
use crate::limits::{Limit, Limits};

/// Adds up how long a run computes: the time inside its polls, not between them.
///
/// It is read from inside a poll (when the epoch ends) and from outside, hence the atomics.
#[derive(Debug)]
pub(crate) struct Stopwatch {
    start: Instant,
    /// Nanoseconds since `start`: up to when `busy` is known.
    mark: AtomicU64,
    /// Nanoseconds.
    busy: AtomicU64,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now(), mark: AtomicU64::new(0), busy: AtomicU64::new(0) }
    }

    /// Since the start of the run.
    pub(crate) fn wall(&self) -> Duration {
        self.start.elapsed()
    }

    /// Computing begins, or begins again.
    pub(crate) fn resume(&self) {
        self.mark.store(self.now(), Ordering::Relaxed);
    }

    /// The computing done so far.
    ///
    /// A stretch between two looks counts for two ticks at most: a longer one means that the machine gave the thread to
    /// someone else, which is not the plugin's doing.
    pub(crate) fn busy(&self) -> Duration {
        let now = self.now();
        let stretch = now.saturating_sub(self.mark.swap(now, Ordering::Relaxed));
        let counted = stretch.min(2 * TICK.as_nanos() as u64);
        Duration::from_nanos(self.busy.fetch_add(counted, Ordering::Relaxed) + counted)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Counts memory over all memories of an instance, and elements over all tables.
#[derive(Debug)]
pub(crate) struct Ceiling {
    memory_max: usize,
    memory: usize,
    elements_max: usize,
    elements: usize,
    /// What was asked for beyond the ceiling.
    pub(crate) exceeded: Option<Limit>,
}

impl Ceiling {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { memory_max: limits.memory, memory: 0, elements_max: limits.table_elements, elements: 0, exceeded: None }
    }

    /// Bytes of linear memory in use; they never shrink, so also the most that there were.
    pub(crate) fn memory(&self) -> usize {
        self.memory
    }
}

/// Growing past the ceiling is an error, not `-1`: the guest ends at once, and the run says which limit it was.
impl ResourceLimiter for Ceiling {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.memory.saturating_add(desired.saturating_sub(current));
        if total > self.memory_max {
            self.exceeded = Some(Limit::Memory);
            wasmtime::bail!("memory limit");
        }
        self.memory = total;
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.elements.saturating_add(desired.saturating_sub(current));
        if total > self.elements_max {
            self.exceeded = Some(Limit::Tables);
            wasmtime::bail!("table limit");
        }
        self.elements = total;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_add_up() {
        let mut ceiling = Ceiling::new(&Limits { memory: 100, ..Limits::default() });
        assert!(ceiling.memory_growing(0, 40, None).unwrap());
        assert!(ceiling.memory_growing(0, 60, None).unwrap(), "a second memory");
        assert!(ceiling.memory_growing(40, 41, None).is_err());
        assert_eq!(ceiling.exceeded, Some(Limit::Memory));
    }

    #[test]
    fn a_stretch_that_the_machine_took_is_not_the_plugins() {
        let watch = Stopwatch::start();
        watch.resume();
        std::thread::sleep(5 * TICK);
        assert!(watch.busy() <= 2 * TICK);
        watch.resume();
        assert!(watch.busy() < 3 * TICK, "time between polls does not count");
    }
}
