//! Log lines on their way out, many at a time.
//!
//! A call of the system for each line takes longer than to make the line. So lines gather for a moment; a thread writes what has gathered.
//! Warnings and errors are written at once, behind all that came before them: whatever ends the process, the last of them are there.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// How long a line may wait for others.
const GATHER: Duration = Duration::from_millis(10);
/// With more than this, in bytes, whoever adds a line writes them all: where the reader is slow, the process waits for it.
const MOST: usize = 1 << 18;

/// Where lines go. Cheap to clone.
#[derive(Clone)]
pub(super) struct Lines(Arc<Shared>);

struct Shared {
    gathered: Mutex<Vec<u8>>,
    /// There is something to write.
    some: Condvar,
    /// Whoever has it writes; what is taken out of `gathered` meanwhile keeps its order.
    out: Mutex<Box<dyn Write + Send>>,
}

impl Lines {
    /// To standard error.
    pub(super) fn begin() -> io::Result<Self> {
        let lines = Self::to(io::stderr());
        let writing = lines.clone();
        std::thread::Builder::new().name("zelo-log".into()).spawn(move || {
            loop {
                writing.wait();
                std::thread::sleep(GATHER);
                writing.flush();
            }
        })?;
        Ok(lines)
    }

    fn to(out: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Shared { gathered: Mutex::default(), some: Condvar::new(), out: Mutex::new(Box::new(out)) }))
    }

    /// Writes what has gathered.
    pub(super) fn flush(&self) {
        let mut out = lock(&self.0.out);
        let gathered = std::mem::take(&mut *lock(&self.0.gathered));
        // Nobody is left to be told where this fails.
        let _ = out.write_all(&gathered).and_then(|()| out.flush());
    }

    /// Adds a line; how many bytes have gathered.
    fn add(&self, line: &[u8]) -> usize {
        let mut gathered = lock(&self.0.gathered);
        if gathered.is_empty() {
            self.0.some.notify_one();
        }
        gathered.extend_from_slice(line);
        gathered.len()
    }

    /// Waits until there is something to write.
    fn wait(&self) {
        drop(self.0.some.wait_while(lock(&self.0.gathered), |gathered| gathered.is_empty()));
    }
}

/// What panicked with it in hand did not leave half a line: lines are added whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes a line.
pub(super) struct Line {
    lines: Lines,
    at_once: bool,
}

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.lines.add(line) > MOST || self.at_once {
            self.lines.flush();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { lines: self.clone(), at_once: true }
    }

    fn make_writer_for(&'a self, of: &Metadata<'_>) -> Line {
        Line { lines: self.clone(), at_once: *of.level() <= Level::WARN }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    struct Sink(Sender<String>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let text = std::str::from_utf8(bytes).map_err(io::Error::other)?;
            self.0.send(text.to_owned()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines() -> (Lines, Receiver<String>) {
        let (sender, written) = channel();
        (Lines::to(Sink(sender)), written)
    }

    #[test]
    fn lines_gather_and_a_warning_takes_them_along() {
        let (lines, written) = lines();
        let layer = tracing_subscriber::fmt::layer().without_time().with_level(false).with_target(false).with_ansi(false);
        let subscriber = tracing_subscriber::registry().with(layer.with_writer(lines.clone()));
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!("one");
            tracing::info!("two");
            assert!(written.try_recv().is_err(), "they wait for others");
            tracing::warn!("three");
            assert_eq!(written.try_recv().unwrap(), "one\ntwo\nthree\n");
            tracing::info!("four");
            assert!(written.try_recv().is_err());
        });
        lines.flush();
        assert_eq!(written.try_recv().unwrap(), "four\n");
    }

    #[test]
    fn what_gathers_is_bounded() {
        let (lines, written) = lines();
        let line = "x".repeat(1 << 10);
        for _ in 0..(MOST >> 10) {
            Line { lines: lines.clone(), at_once: false }.write_all(line.as_bytes()).unwrap();
        }
        assert!(written.try_recv().is_err());
        Line { lines, at_once: false }.write_all(line.as_bytes()).unwrap();
        assert_eq!(written.try_recv().unwrap().len(), MOST + (1 << 10));
    }

    #[test]
    fn whoever_writes_is_woken_by_the_first_line() {
        const TIMES: usize = 200;
        let (lines, written) = lines();
        let waiting = lines.clone();
        let writer = std::thread::spawn(move || {
            for _ in 0..TIMES {
                waiting.wait();
                waiting.flush();
            }
        });
        for _ in 0..TIMES {
            // Mostly it waits again by now.
            lines.add(b"one\n");
            assert_eq!(written.recv_timeout(Duration::from_secs(20)).unwrap(), "one\n");
        }
        writer.join().unwrap();
    }
}
