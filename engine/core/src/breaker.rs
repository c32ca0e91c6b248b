//! Whether a destination is asked now, or left alone for a while: a circuit breaker.
//!
//! *Closed*, every request goes out. After [`FAILURES`] in a row, or when the destination asks to be left alone, it is *open*: none
//! goes. When that time is over it is *half-open*: one request goes out, the probe; then, window by window, twice as many as in the
//! one before, as long as all of them come back well. After the last window it is closed. A failure opens it again, for twice as long.
//!
//! Who is not let through gets a *place*: the instant to come back at. Places are given in turn, and lie as far apart as the windows
//! will have room, so that those who wait come back by and by and not all at once.
//!
//! A function of what happened: instants are arguments, and so is jitter, which is any number. The runtime keeps one breaker for each
//! destination, in memory.

use jiff::{SignedDuration, Timestamp};

use crate::id::AutomationId;
use crate::job::{Job, Reason};
use crate::settle::AttemptEnd;

/// The code of the reason where a destination is left alone.
pub const DOWN: &str = "destination_down";

/// Failures in a row that open a closed breaker.
pub const FAILURES: u32 = 5;

/// How long it is open the first time; it doubles from then on, until it is closed.
pub const OPEN_FIRST: SignedDuration = SignedDuration::from_secs(5);

/// It is open for no longer, but for jitter, unless the destination asks for more.
pub const OPEN_LONGEST: SignedDuration = SignedDuration::from_mins(5);

/// No destination is left alone for longer than this because it asks for it.
pub const ASKED_LONGEST: SignedDuration = SignedDuration::from_hours(1);

/// A window of a half-open breaker is never over sooner.
pub const WINDOW: SignedDuration = SignedDuration::from_secs(1);

/// A half-open breaker that let something through, and then nobody asked for so long, is closed: nobody waits who could come at once.
pub const CALM: SignedDuration = SignedDuration::from_mins(1);

/// Windows until it is closed: of 1, 2, 4, 8, 16 and 32 requests. Places after them are as close as in the last one.
pub const WINDOWS: u32 = 6;

/// How long a job waits for its destination, from when it found it left alone.
pub const PATIENCE: SignedDuration = SignedDuration::from_hours(24);

/// What a request says about its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It works: it answered, if only that it does not like the request.
    Working,
    /// It was not reached, did not answer, or failed.
    Failed,
    /// It asks to be left alone for so long.
    Asked(SignedDuration),
    /// Nothing: the request was given up for another reason.
    Nothing,
}

/// The leave to send one request. Whoever has it says afterwards what was heard, whatever that is.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "the breaker waits to be told what was heard"]
pub struct Pass {
    epoch: u64,
    probe: bool,
}

impl Pass {
    /// Of a destination that nothing is known about.
    pub const UNKNOWN: Self = Self { epoch: 0, probe: false };

    /// Whether this is the one request by which an open breaker finds out.
    pub fn is_probe(&self) -> bool {
        self.probe
    }
}

/// How a destination stands, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Closed,
    /// Down `since`; nothing goes there before `until`.
    Open {
        since: Timestamp,
        until: Timestamp,
    },
    /// Down `since`, and being tried.
    HalfOpen {
        since: Timestamp,
    },
}

/// The breaker of one destination.
#[derive(Clone, Debug)]
pub struct Breaker {
    state: State,
    /// Rises with every change of the state: what is heard of a request that was let through before one says nothing any more.
    epoch: u64,
    /// Times that it was opened since it was closed last.
    openings: u32,
    /// When it was opened first since then.
    since: Timestamp,
    places: Places,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed { failures: u32 },
    Open { until: Timestamp },
    HalfOpen(Window),
}

/// A window of a half-open breaker.
#[derive(Clone, Copy, Debug)]
struct Window {
    number: u32,
    since: Timestamp,
    /// Requests that were let through, those of them that have come to something, and those that went well.
    begun: u32,
    ended: u32,
    well: u32,
}

/// The places that were given since a breaker was opened.
#[derive(Clone, Copy, Debug)]
struct Places {
    from: Timestamp,
    window: u32,
    taken: u32,
}

/// Requests in the window of this number.
fn room(window: u32) -> u32 {
    1 << window.min(WINDOWS - 1)
}

fn after(at: Timestamp, span: SignedDuration) -> Timestamp {
    at.saturating_add(span).unwrap_or(Timestamp::MAX)
}

/// Whether `at` is further away than a breaker is ever open: the clock was set back since.
fn is_left_behind(at: Timestamp, now: Timestamp) -> bool {
    at > after(now, times(ASKED_LONGEST, 2))
}

/// `times` as many of `span`.
fn times(span: SignedDuration, times: u32) -> SignedDuration {
    span.checked_mul(times.try_into().unwrap_or(i32::MAX)).unwrap_or(SignedDuration::MAX)
}

impl Window {
    fn new(number: u32, since: Timestamp) -> Self {
        Self { number, since, begun: 0, ended: 0, well: 0 }
    }

    /// Whether nothing has to be tried any more: it was the last of them, or nobody has asked for long.
    fn is_last(&self, now: Timestamp) -> bool {
        let went_well = self.well > 0 || self.number > 0;
        let is_calm = self.ended == self.begun && now >= after(self.since, CALM);
        went_well && (is_calm || self.well > 0 && self.number + 1 == WINDOWS && self.is_over(now))
    }

    /// Whether all that it let through has come back, and its time is over (or the clock was set back before it).
    fn is_over(&self, now: Timestamp) -> bool {
        self.begun > 0 && self.ended == self.begun && (now >= after(self.since, WINDOW) || now < self.since)
    }
}

impl Breaker {
    /// A closed one.
    pub fn new(now: Timestamp) -> Self {
        Self {
            state: State::Closed { failures: 0 },
            epoch: Pass::UNKNOWN.epoch,
            openings: 0,
            since: now,
            places: Places { from: now, window: 0, taken: 0 },
        }
    }

    /// Asks to send a request; nothing where it has to wait.
    pub fn ask(&mut self, now: Timestamp) -> Option<Pass> {
        self.go_on(now);
        match &mut self.state {
            State::Closed { .. } => Some(Pass { epoch: self.epoch, probe: false }),
            State::HalfOpen(window) if window.begun < room(window.number) => {
                window.begun += 1;
                Some(Pass { epoch: self.epoch, probe: window.number == 0 })
            }
            State::HalfOpen(_) | State::Open { .. } => None,
        }
    }

    /// Whether it would let a request through now.
    pub fn lets(&self, now: Timestamp) -> bool {
        self.clone().ask(now).is_some()
    }

    /// When a request that was not let through is to come back. Each call gives another place.
    pub fn place(&mut self, now: Timestamp, jitter: u64) -> Timestamp {
        let Places { from, window, taken } = &mut self.places;
        if is_left_behind(*from, now) {
            *from = now;
        }
        // The first window that has not begun.
        let passed = now.duration_since(*from).as_millis().div_euclid(WINDOW.as_millis());
        let next = u32::try_from(passed.saturating_add(1).max(0)).unwrap_or(u32::MAX);
        if *window < next {
            (*window, *taken) = (next, 0);
        } else if *taken >= room(*window) {
            (*window, *taken) = (window.saturating_add(1), 0);
        }
        let apart = WINDOW.as_millis() as u64 / u64::from(room(*window));
        let within = u64::from(*taken) * apart + jitter % apart;
        *taken += 1;
        after(after(*from, times(WINDOW, *window)), SignedDuration::from_millis(within as i64))
    }

    /// When one is to come back that was let through and failed: behind the windows that those have who wait. Where it came before them, one
    /// that always fails would be every probe, and nobody would ever get in.
    pub fn behind(&self, jitter: u64) -> Timestamp {
        let within = SignedDuration::from_millis((jitter % WINDOW.as_millis() as u64) as i64);
        after(after(self.places.from, times(WINDOW, WINDOWS)), within)
    }

    /// What was heard of a request that was let through.
    pub fn ended(&mut self, pass: Pass, heard: Heard, now: Timestamp, jitter: u64) {
        if pass.epoch != self.epoch {
            return;
        }
        match (&mut self.state, heard) {
            (State::Closed { failures }, Heard::Failed) => {
                *failures += 1;
                if *failures >= FAILURES {
                    self.open(SignedDuration::ZERO, now, jitter);
                }
            }
            // One that asks says what is enough.
            (State::Closed { .. }, Heard::Asked(asked)) => self.open_for(asked, now, jitter),
            (State::Closed { failures }, Heard::Working) => *failures = 0,
            (State::HalfOpen(_), Heard::Failed) => self.open(SignedDuration::ZERO, now, jitter),
            (State::HalfOpen(_), Heard::Asked(asked)) => self.open(asked, now, jitter),
            (State::HalfOpen(window), Heard::Working | Heard::Nothing) => {
                window.ended += 1;
                window.well += u32::from(heard == Heard::Working);
                self.go_on(now);
            }
            (State::Closed { .. }, Heard::Nothing) | (State::Open { .. }, _) => {}
        }
    }

    /// How it stands at `now`, of which it may be the first to hear.
    pub fn look(&mut self, now: Timestamp) -> Standing {
        self.go_on(now);
        self.standing()
    }

    /// How it stood when somebody asked, looked or was heard last.
    pub fn standing(&self) -> Standing {
        match self.state {
            State::Closed { .. } => Standing::Closed,
            State::Open { until } => Standing::Open { since: self.since, until },
            State::HalfOpen(_) => Standing::HalfOpen { since: self.since },
        }
    }

    /// What the passing of time changes.
    fn go_on(&mut self, now: Timestamp) {
        match self.state {
            State::Open { until } if now >= until || is_left_behind(until, now) => {
                self.turn(State::HalfOpen(Window::new(0, now)));
            }
            State::HalfOpen(window) if window.is_last(now) => {
                self.openings = 0;
                self.turn(State::Closed { failures: 0 });
            }
            // Where nothing was heard: once more.
            State::HalfOpen(window) if window.is_over(now) => {
                self.state = State::HalfOpen(Window::new(window.number + u32::from(window.well > 0), now));
            }
            State::Closed { .. } | State::Open { .. } | State::HalfOpen(_) => {}
        }
    }

    /// Opens it for longer than the last time, and for as long as the destination asks for.
    fn open(&mut self, asked: SignedDuration, now: Timestamp, jitter: u64) {
        let doubled = times(OPEN_FIRST, 1 << self.openings.min(16)).min(OPEN_LONGEST);
        self.open_for(doubled.max(asked), now, jitter);
    }

    /// Opens it for this long, and up to a tenth longer.
    fn open_for(&mut self, span: SignedDuration, now: Timestamp, jitter: u64) {
        let span = span.clamp(WINDOW, ASKED_LONGEST);
        let longer = jitter % (span.as_millis() as u64 / 10).max(1);
        let until = after(after(now, span), SignedDuration::from_millis(longer as i64));
        if self.openings == 0 {
            self.since = now;
        }
        self.openings = self.openings.saturating_add(1);
        self.places = Places { from: until, window: 0, taken: 0 };
        self.turn(State::Open { until });
    }

    fn turn(&mut self, state: State) {
        self.state = state;
        self.epoch += 1;
    }
}

/// A request that was not let through: nothing of it has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The host of the destination: of an address, nothing else may be told.
    pub host: String,
    /// The automation that it takes no more of, where that is all.
    pub automation: Option<AutomationId>,
    /// Since when it is down.
    pub since: Timestamp,
    /// Before when nothing goes there; nothing where it is being tried.
    pub again: Option<Timestamp>,
    /// When to come back.
    pub until: Timestamp,
}

impl Held {
    /// Why the job waits.
    pub fn reason(&self) -> Reason {
        // To the second: a person reads it.
        let told = |at: Timestamp| Timestamp::from_second(at.as_second()).unwrap_or(at);
        let (host, since) = (&self.host, told(self.since));
        let (is, was) = match &self.automation {
            None => ("is down".to_owned(), "was down".to_owned()),
            Some(rule) => (format!("takes no more of the rule {rule}"), format!("took no more of the rule {rule}")),
        };
        let text = match self.again {
            Some(again) => format!("destination {host} {is} since {since}, tried again at {}", told(again)),
            None => format!("destination {host} {was} since {since}, and gets a few requests at a time until it is known to work"),
        };
        Reason::new(DOWN, text)
    }

    /// How an attempt ends for it, of a job with this `patience`; `begun`, where something of the job is kept. It waits, without using
    /// an attempt.
    pub fn end(&self, patience: Patience, begun: bool, now: Timestamp) -> AttemptEnd {
        let reason = self.reason();
        if patience.is_over(now) && self.again.is_some() {
            let text = format!("given up: {}; it has waited for it for more than {} hours", reason.text, PATIENCE.as_hours());
            return AttemptEnd::Dead(Reason::new(DOWN, text));
        }
        let reason = Reason { since: Some(patience.since.unwrap_or(now)), ..reason };
        AttemptEnd::Deferred { reason, until: self.until, begun }
    }
}

/// How long a job waits for its destinations: [`PATIENCE`] from when it first met one that was left alone, whenever it was due. What
/// comes between (an attempt that is used, a halt, a person who has it run again) begins it anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    since: Option<Timestamp>,
    has_waited: bool,
}

impl Patience {
    /// That of a job, as it was claimed.
    pub fn of(job: &Job) -> Self {
        let reason = job.reason.as_ref().filter(|reason| reason.code == DOWN);
        Self { since: reason.and_then(|reason| reason.since), has_waited: reason.is_some() }
    }

    /// Whether it has met a destination that was left alone when it was looked at last.
    pub fn has_waited(self) -> bool {
        self.has_waited
    }

    fn is_over(self, now: Timestamp) -> bool {
        self.since.is_some_and(|since| now >= after(since, PATIENCE))
    }
}

#[cfg(test)]
#[path = "breaker_tests.rs"]
mod tests;
