//! The paths that are asked of events, as one tree of names: what a walk over an event keeps, and what it passes over.
//!
//! Paths of names, indexes and wildcards are walked natively: each has a slot, where what stands there is put. Of any other query
//! the names that it begins with are walked, and the rest is evaluated below, when somebody wants it.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use crate::path::{Hop, Path};

use super::name::{Key, Name};

/// The number of a slot.
pub(crate) type Slot = u32;
/// The number of a query.
pub(crate) type Query = u32;

/// All paths that are asked.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// The first is the root.
    nodes: Vec<Branch>,
    slots: u32,
    queries: Vec<Question>,
    by_text: HashMap<String, Query, FixedState>,
}

/// A place in the tree of paths.
#[derive(Debug, Default)]
pub(super) struct Branch {
    /// By key.
    names: Vec<(Name, u32)>,
    /// The bits of all names.
    bits: u64,
    /// In order.
    indexes: Vec<(usize, u32)>,
    /// Below all names and indexes.
    pub(super) any: Option<u32>,
    /// Somebody wants what stands here.
    pub(super) slot: Option<Slot>,
}

/// A distinct query.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) slot: Slot,
    /// What is asked below the slot, where that is not all.
    pub(super) below: Option<Below>,
    /// The slot of what the names and indexes that it begins with lead to, where somebody wants to know whether that is there.
    pub(super) beginning: Option<Slot>,
}

/// A query, and how many of its segments lead to the slot.
#[derive(Debug)]
pub(super) struct Below {
    pub(super) path: Path,
    pub(super) depth: usize,
}

impl Asked {
    /// Asks for what `path` yields.
    pub(crate) fn ask(&mut self, path: &Path) -> Query {
        if let Some(known) = self.by_text.get(path.as_str()) {
            return *known;
        }
        let question = match path.hops() {
            Some(hops) => Question { slot: self.slot(&hops), below: None, beginning: None },
            None => {
                let hops = path.beginning();
                Question { slot: self.slot(&hops), below: Some(Below { path: path.clone(), depth: hops.len() }), beginning: None }
            }
        };
        let query = self.queries.len() as Query;
        self.queries.push(question);
        self.by_text.insert(path.as_str().to_owned(), query);
        query
    }

    /// Asks for what `path` yields as one value, which is nothing where its beginning leads nowhere.
    pub(crate) fn ask_value(&mut self, path: &Path) {
        let query = self.ask(path);
        let beginning = path.named_beginning().map(|hops| self.slot(&hops));
        if let Some(question) = self.queries.get_mut(query as usize) {
            question.beginning = beginning;
        }
    }

    /// The slot of what stands where `hops` lead.
    pub(crate) fn slot(&mut self, hops: &[Hop]) -> Slot {
        if self.nodes.is_empty() {
            self.nodes.push(Branch::default());
        }
        let mut at = 0;
        for hop in hops {
            let next = self.nodes.len() as u32;
            let Some(branch) = self.nodes.get_mut(at as usize) else { break };
            let (there, new) = match branch.below(hop) {
                Some(there) => (there, false),
                None => {
                    branch.grow(hop, next);
                    (next, true)
                }
            };
            if new {
                self.nodes.push(Branch::default());
            }
            at = there;
        }
        let next = self.slots;
        let Some(branch) = self.nodes.get_mut(at as usize) else { return 0 };
        if branch.slot.is_none() {
            self.slots += 1;
        }
        *branch.slot.get_or_insert(next)
    }

    /// How many slots there are.
    pub(crate) fn slots(&self) -> usize {
        self.slots as usize
    }

    /// How many distinct queries there are.
    pub(crate) fn queries(&self) -> usize {
        self.queries.len()
    }

    /// The number of a query that was asked.
    pub(super) fn query(&self, path: &Path) -> Option<Query> {
        self.by_text.get(path.as_str()).copied()
    }

    /// The slot of a path that was asked, where its nodes are what stands there.
    pub(crate) fn slot_of(&self, path: &Path) -> Option<Slot> {
        self.question(self.query(path)?).filter(|question| question.below.is_none()).map(|question| question.slot)
    }

    pub(super) fn question(&self, query: Query) -> Option<&Question> {
        self.queries.get(query as usize)
    }

    #[inline]
    pub(super) fn branch(&self, at: u32) -> Option<&Branch> {
        self.nodes.get(at as usize)
    }

    /// An estimate of the memory that it takes, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let names: usize = self.nodes.iter().flat_map(|branch| &branch.names).map(|(name, _)| 40 + name.as_str().len()).sum();
        let texts: usize = self.by_text.keys().map(|text| 2 * (48 + text.len())).sum();
        names + texts + self.nodes.len() * size_of::<Branch>() + self.queries.len() * size_of::<Question>()
    }
}

impl Branch {
    fn below(&self, hop: &Hop) -> Option<u32> {
        match hop {
            Hop::Name(name) => self.name(Key::of(name.as_bytes()), name.as_bytes()),
            Hop::Index(index) => self.indexed(*index),
            Hop::Any => self.any,
        }
    }

    fn grow(&mut self, hop: &Hop, there: u32) {
        match hop {
            Hop::Name(name) => {
                let name = Name::new(name);
                let place = self.names.partition_point(|(known, _)| known.key() < name.key());
                self.bits |= bit(name.key());
                self.names.insert(place, (name, there));
            }
            Hop::Index(index) => {
                let place = self.indexes.partition_point(|(known, _)| known < index);
                self.indexes.insert(place, (*index, there));
            }
            Hop::Any => self.any = Some(there),
        }
    }

    /// Whether there may be something below names of this key: mostly only where there is.
    #[inline]
    pub(super) fn may_have(&self, key: Key) -> bool {
        self.bits & bit(key) != 0
    }

    /// What is below a name, which does not matter where it is all in its key.
    #[inline]
    pub(super) fn name(&self, key: Key, name: &[u8]) -> Option<u32> {
        // Few names: looking through them is faster than searching.
        let start = if self.names.len() <= 8 { 0 } else { self.names.partition_point(|(known, _)| known.key() < key) };
        let alike = self.names.get(start..)?.iter().take_while(|(known, _)| known.key() <= key);
        alike.filter(|(known, _)| known.is(key, name)).map(|(_, there)| *there).next()
    }

    /// What is below each name.
    pub(super) fn names(&self) -> impl Iterator<Item = (&str, u32)> {
        self.names.iter().map(|(name, there)| (name.as_str(), *there))
    }

    /// What is below each index.
    pub(super) fn indexes(&self) -> impl Iterator<Item = (usize, u32)> {
        self.indexes.iter().copied()
    }

    /// What is below an index.
    pub(super) fn indexed(&self, index: usize) -> Option<u32> {
        let place = self.indexes.binary_search_by_key(&index, |(known, _)| *known).ok()?;
        self.indexes.get(place).map(|(_, there)| *there)
    }

    /// Whether elements of a list matter.
    pub(super) fn has_elements(&self) -> bool {
        self.any.is_some() || !self.indexes.is_empty()
    }
}

fn bit(key: Key) -> u64 {
    1 << (key.tag() >> 26)
}
