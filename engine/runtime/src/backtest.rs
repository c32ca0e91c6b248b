//! What would these rules have done? Past events through two rule sets, side by side.
//!
//! Free of side effects by construction: [`Backtest`] is given events and [`Past`], which only reads, and calls pure
//! functions of `zelo-core` and `zelo-rules`. It has no store, no host and no plugin, so there is nothing it could change.
//! [`replay`] feeds it from an [`Archive`], which leads to no writer either.
//!
//! What it knows, and what not:
//!
//! - Records are those known **now**, not then: a patient who gave a number last week has it here a month ago, too.
//! - Jobs that were pending before the first event are not looked at, and what was done before it is not known.
//! - What a plugin would say, write or emit is not known. Events that plugins emitted then are among the stored ones.
//! - Memory grows with the keys, entities and pending jobs of the range, not with its events.

mod alone;
mod side;
mod tally;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use zelo_core::{Event, EventId, Indexer, KeyHash, RecordRow, Status};
use zelo_rules::InForce;
use zelo_store::{Archive, Error, EventView, Range};

use crate::connection::Channels;
use side::Side;
pub use tally::{Compared, Counted, Counts, EXAMPLES_MAX};

/// Events that are read at once.
const PAGE: u32 = 200;

/// What is read beside the events that are looked at.
pub trait Past {
    /// An event that was looked at before.
    ///
    /// # Errors
    /// It cannot be read now. One that is gone for good is none.
    fn event(&self, id: EventId) -> Result<Option<Event>, Error>;

    /// The records at `hashes`, as far as there are any.
    ///
    /// # Errors
    /// They cannot be read now.
    fn records(&self, hashes: &HashSet<KeyHash>) -> Result<HashMap<KeyHash, RecordRow>, Error>;
}

/// Two rule sets and what they have done so far.
pub struct Backtest {
    old: Side,
    new: Side,
    counted: Counted,
}

impl Backtest {
    /// Compares `old`, with its automations, to `new`. `index` is the store's.
    pub fn new(old: Arc<InForce>, new: Arc<InForce>, channels: Channels, index: Indexer) -> Self {
        Self { old: Side::new(old, channels.clone(), index.clone()), new: Side::new(new, channels, index), counted: Counted::default() }
    }

    /// Looks at the next events in order of arrival.
    ///
    /// # Errors
    /// `past` cannot be read.
    pub fn look(&mut self, page: &[EventView], past: &dyn Past) -> Result<(), Error> {
        let old = self.old.look(page, past)?;
        let new = self.new.look(page, past)?;
        for ((view, old), new) in page.iter().zip(&old).zip(&new) {
            self.counted.events += 1;
            self.counted.fired(view.event.id, old, new);
        }
        Ok(())
    }

    /// What it came to, once everything is done that is left.
    ///
    /// # Errors
    /// `past` cannot be read.
    pub fn finish(self, past: &dyn Past) -> Result<Counted, Error> {
        let Self { old, new, mut counted, .. } = self;
        for (rule, counts) in old.finish(past)? {
            counted.rules.entry(rule).or_default().old = Some(counts);
        }
        for (rule, counts) in new.finish(past)? {
            counted.rules.entry(rule).or_default().new = Some(counts);
        }
        Ok(counted)
    }
}

/// How far a backtest is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Events looked at.
    pub done: u64,
    /// Events in all.
    pub total: u64,
}

/// Runs `backtest` over the events of `range`. `tell` hears how far it is and may stop it; then there is no result. Blocks,
/// and must not be called on a thread that others wait for: give it one that may block.
///
/// # Errors
/// The archive cannot be read.
pub fn replay(
    archive: Arc<dyn Archive>,
    handle: &Handle,
    range: &Range,
    mut backtest: Backtest,
    tell: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Option<Counted>, Error> {
    let progress = Progress { done: 0, total: handle.block_on(archive.count(range))? };
    let past = Blocking { archive: archive.as_ref(), handle, said: RefCell::new(Said { progress, reads: 0, stopped: false, tell }) };
    let counted = all(&past, range, &mut backtest).and_then(|()| backtest.finish(&past));
    if past.said.borrow().stopped { Ok(None) } else { counted.map(Some) }
}

/// Looks at all events of `range`.
fn all(past: &Blocking<'_>, range: &Range, backtest: &mut Backtest) -> Result<(), Error> {
    let Blocking { archive, handle, .. } = past;
    let mut after = 0;
    loop {
        past.go_on()?;
        let found = handle.block_on(archive.events(range, after, PAGE))?;
        let Some(last) = found.last() else { return Ok(()) };
        after = last.cursor;
        past.said.borrow_mut().progress.done += found.len() as u64;
        let mut page = Vec::with_capacity(found.len());
        for archived in found {
            match archived.event {
                // No rule saw what is in quarantine.
                Ok(view) if view.status == Status::Quarantined => {}
                Ok(view) => page.push(view),
                Err(Error::Sealed { .. } | Error::Inconsistent { .. }) => backtest.counted.unreadable += 1,
                Err(error) => return Err(error),
            }
        }
        backtest.look(&page, past)?;
    }
}

/// An archive, for code that does not wait.
struct Blocking<'a> {
    archive: &'a dyn Archive,
    handle: &'a Handle,
    said: RefCell<Said<'a>>,
}

/// Who hears how far it is, and whether they have had enough.
struct Said<'a> {
    progress: Progress,
    /// Events that were read again.
    reads: u32,
    stopped: bool,
    tell: &'a mut dyn FnMut(Progress) -> ControlFlow<()>,
}

impl Blocking<'_> {
    /// Says how far it is; an error where nobody wants it to go on.
    fn go_on(&self) -> Result<(), Error> {
        let said = &mut *self.said.borrow_mut();
        said.stopped |= (said.tell)(said.progress).is_break();
        if said.stopped { Err(Error::Closed) } else { Ok(()) }
    }
}

impl Past for Blocking<'_> {
    fn event(&self, id: EventId) -> Result<Option<Event>, Error> {
        // The jobs that are left at the end may be many.
        let reads = self.said.borrow().reads + 1;
        self.said.borrow_mut().reads = reads % PAGE;
        if reads == PAGE {
            self.go_on()?;
        }
        match self.handle.block_on(self.archive.event(id)) {
            Err(Error::Sealed { .. } | Error::Inconsistent { .. }) => Ok(None),
            other => other,
        }
    }

    fn records(&self, hashes: &HashSet<KeyHash>) -> Result<HashMap<KeyHash, RecordRow>, Error> {
        self.handle.block_on(self.archive.records(hashes.clone()))
    }
}
