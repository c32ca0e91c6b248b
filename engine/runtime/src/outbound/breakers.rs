//! Which destinations are left alone: a [breaker](zelo_core::breaker) for each, in the memory of this process. A process that starts
//! knows nothing, and asks everybody.
//!
//! A destination is a scheme, a host and a port. One that answers with 429 works, and has had enough of who asks: that is kept for each
//! automation that asks it. Whose credentials a request carries, its plugin decides when it runs, and whose quota is spent nobody says; the
//! automation is known beforehand, and never stands for too many.
//!
//! Nothing is kept of what never failed. Redirects are not held, and say nothing about where they lead to: the request had begun before.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use zelo_core::breaker::{Breaker, Heard, Held, Pass, Standing};
use zelo_core::http::{HttpGrant, Target};
use zelo_core::{AutomationId, SignedDuration, Timestamp};

use crate::Runtime;

/// Breakers that are kept at most. Rules spell destinations out, so it takes a mistake to come so far; those that come then are asked
/// without a breaker.
const BREAKERS_MAX: usize = 1_000;

/// One that has been closed for so long is forgotten when room is needed.
const IDLE: SignedDuration = SignedDuration::from_hours(1);

/// What a request says about who was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// It works, if only to say that it does not like the request.
    Working,
    /// It did not answer, or failed.
    Failed,
    /// It was not reached: whatever was to be asked, it cannot be the reason.
    Unreached,
    /// It asks to be left alone for so long.
    Asked(SignedDuration),
    /// It works, and was asked for too much; for so long, where it says so.
    Enough(Option<SignedDuration>),
    /// Nothing: the request was given up for another reason.
    Nothing,
}

impl Word {
    /// What the destination as a whole has said.
    fn of_all(self) -> Heard {
        match self {
            Self::Working | Self::Enough(_) => Heard::Working,
            Self::Failed | Self::Unreached => Heard::Failed,
            Self::Asked(span) => Heard::Asked(span),
            Self::Nothing => Heard::Nothing,
        }
    }

    /// What it has said to the automation that asked.
    fn of_one(self) -> Heard {
        match self {
            Self::Working => Heard::Working,
            Self::Enough(None) => Heard::Failed,
            Self::Enough(Some(span)) => Heard::Asked(span),
            Self::Failed | Self::Unreached | Self::Asked(_) | Self::Nothing => Heard::Nothing,
        }
    }
}

/// An origin; as a whole, or as far as an automation asks it.
type Key = (String, Option<AutomationId>);

type Known = BTreeMap<Key, Destination>;

/// What has to let a request of `automation` through.
fn keys(url: &Target, automation: &AutomationId) -> [Key; 2] {
    [(url.origin(), None), (url.origin(), Some(automation.clone()))]
}

/// The destinations of this process that failed.
#[derive(Debug, Default)]
pub(crate) struct Breakers(Mutex<Known>);

/// A destination that failed at least once.
#[derive(Debug)]
struct Destination {
    host: String,
    automation: Option<AutomationId>,
    breaker: Breaker,
    /// When something was heard of it last.
    heard: Timestamp,
}

/// A destination that is left alone, or being tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Down {
    pub host: String,
    /// The automation that it takes no more of, where that is all.
    pub automation: Option<AutomationId>,
    pub since: Timestamp,
    /// Before when nothing goes there; nothing where it is being tried.
    pub again: Option<Timestamp>,
}

/// The leave to send one request. Dropped without a word (the attempt was broken off), it has said nothing about the destination.
pub(crate) struct Passage {
    runtime: Runtime,
    host: String,
    passes: Option<[(Key, Pass); 2]>,
}

impl Breakers {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Destination {
    /// Who is not let through, and comes back when it is its turn.
    fn held(&mut self, now: Timestamp, jitter: u64) -> Option<Held> {
        let down = self.down()?;
        Some(down.held(self.breaker.place(now, jitter)))
    }

    fn down(&self) -> Option<Down> {
        let (since, again) = match self.breaker.standing() {
            Standing::Closed => return None,
            Standing::Open { since, until } => (since, Some(until)),
            Standing::HalfOpen { since } => (since, None),
        };
        Some(Down { host: self.host.clone(), automation: self.automation.clone(), since, again })
    }
}

impl Down {
    fn held(self, until: Timestamp) -> Held {
        let Self { host, automation, since, again } = self;
        Held { host, automation, since, again, until }
    }
}

impl Runtime {
    /// Asks to send a request of `automation` to `url`.
    pub(crate) fn pass(&self, url: &Target, automation: &AutomationId) -> Result<Passage, Held> {
        let (now, keys) = (self.clock.now(), keys(url, automation));
        let mut known = self.0.breakers.lock();
        // Both are looked at before either is asked: where the one says no, no room of the other is taken.
        for key in &keys {
            let Some(destination) = known.get_mut(key) else { continue };
            self.look(destination, now);
            if !destination.breaker.lets(now)
                && let Some(held) = destination.held(now, self.jitter())
            {
                return Err(held);
            }
        }
        let passes = keys.map(|key| {
            let pass = known.get_mut(&key).and_then(|destination| destination.breaker.ask(now));
            (key, pass.unwrap_or(Pass::UNKNOWN))
        });
        drop(known);
        Ok(Passage { runtime: self.clone(), host: url.host(), passes: Some(passes) })
    }

    /// What holds an action of `automation` back whatever it asks for: none of the destinations that `grants` name would be asked now.
    pub(crate) fn held_everywhere(&self, grants: &[HttpGrant], automation: &AutomationId) -> Option<Held> {
        let now = self.clock.now();
        let mut known = self.0.breakers.lock();
        let mut last = None;
        for grant in grants {
            let closed = |key: &Key| known.get(key).is_some_and(|destination| !destination.breaker.lets(now));
            last = Some(keys(grant.request.destination(), automation).into_iter().find(closed)?);
        }
        known.get_mut(&last?)?.held(now, self.jitter())
    }

    /// The destinations that are left alone or being tried, by their hosts.
    pub fn down(&self) -> Vec<Down> {
        let mut all: Vec<Down> = self.looked_at().values().filter_map(Destination::down).collect();
        all.sort_by(|one, other| (&one.host, &one.automation).cmp(&(&other.host, &other.automation)));
        all
    }

    /// How each destination that ever failed stands, by its host: closed, half-open or open; of several ports of one host, or
    /// several automations that ask it, the worst.
    pub(crate) fn breaker_states(&self) -> BTreeMap<String, u64> {
        let mut all = BTreeMap::new();
        for destination in self.looked_at().values() {
            let state = match destination.breaker.standing() {
                Standing::Closed => 0,
                Standing::HalfOpen { .. } => 1,
                Standing::Open { .. } => 2,
            };
            let worst = all.entry(destination.host.clone()).or_insert(state);
            *worst = state.max(*worst);
        }
        all
    }

    /// All of them, as they stand now.
    fn looked_at(&self) -> MutexGuard<'_, Known> {
        let now = self.clock.now();
        let mut known = self.0.breakers.lock();
        for destination in known.values_mut() {
            self.look(destination, now);
        }
        known
    }

    fn look(&self, destination: &mut Destination, now: Timestamp) {
        let before = destination.breaker.standing();
        destination.breaker.look(now);
        self.tell(destination, before);
    }

    /// Says when a destination goes down or works again, which stood as `before`.
    fn tell(&self, destination: &Destination, before: Standing) {
        let (host, automation) = (&*destination.host, destination.automation.as_ref().map(|automation| &*automation.0));
        match (before, destination.breaker.standing()) {
            (Standing::Open { .. }, Standing::Open { .. }) => {}
            (_, Standing::Open { until, .. }) => {
                self.metrics().opened(host);
                // One that is down for an hour is tried a dozen times: once is news.
                if before == Standing::Closed {
                    tracing::warn!(host, automation, %until, "a destination is down: it is left alone, and what is for it waits");
                } else {
                    tracing::debug!(host, automation, %until, "a destination is still down");
                }
            }
            (Standing::Open { .. } | Standing::HalfOpen { .. }, Standing::Closed) => {
                tracing::info!(host, automation, "a destination works again");
            }
            _ => {}
        }
    }

    /// Has the breaker of `key` hear of a request. Where that was its probe, and it is still open: what the job of it waits for.
    fn hear(&self, known: &mut Known, host: &str, (key, pass): (Key, Pass), heard: Heard) -> Option<Held> {
        let (now, is_probe) = (self.clock.now(), pass.is_probe());
        if !known.contains_key(&key) {
            if matches!(heard, Heard::Working | Heard::Nothing) {
                return None;
            }
            if known.len() >= BREAKERS_MAX {
                known.retain(|_, kept| kept.breaker.standing() != Standing::Closed || now.duration_since(kept.heard) < IDLE);
            }
            if known.len() >= BREAKERS_MAX {
                return None;
            }
        }
        let automation = key.1.clone();
        let new = || Destination { host: host.to_owned(), automation, breaker: Breaker::new(now), heard: now };
        let destination = known.entry(key).or_insert_with(new);
        let before = destination.breaker.standing();
        destination.breaker.ended(pass, heard, now, self.jitter());
        destination.heard = now;
        self.tell(destination, before);
        let down = destination.down().filter(|down| is_probe && down.again.is_some())?;
        Some(down.held(destination.breaker.behind(self.jitter())))
    }

    fn jitter(&self) -> u64 {
        let mut bytes = [0; 8];
        self.entropy.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}

impl Passage {
    /// Says what was heard. Where this was the probe, and who was asked is still down: what its job waits for, behind all others.
    pub(crate) fn end(mut self, word: Word) -> Option<Held> {
        self.say(word)
    }

    fn say(&mut self, word: Word) -> Option<Held> {
        let [all, one] = self.passes.take()?;
        let runtime = &self.runtime;
        let mut known = runtime.0.breakers.lock();
        let held = runtime.hear(&mut known, &self.host, all, word.of_all());
        held.or(runtime.hear(&mut known, &self.host, one, word.of_one()))
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        self.say(Word::Nothing);
    }
}
