//! Which rules may an event meet? An index over all rules, so that most of them are never looked at.
//!
//! Each rule is filed under the most selective condition that it cannot do without: the values, in some slot of the event, of which a
//! matching event must have one. An event is looked up under the values that it has, and the rules found there are evaluated in
//! full, together with the few that could not be filed. Each distinct clause is tested at most once for an event, and only for a rule that is
//! still possible. Memory is linear in the conditions: there is no automaton, and no combination of values is ever stored.
//!
//! It holds rules, not automations: those join afterwards, and change without it.

mod build;
mod plan;
mod scalar;
mod score;
mod test;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use foldhash::fast::FixedState;

use crate::condition::Documents;
use crate::facts::{Asked, Facts, Slot};
use crate::rule::Rule;

#[cfg(test)]
use score::Score;

use plan::{Plan, TestId};
use test::Test;

/// The place of a rule among all of a set.
pub(crate) type RuleNo = u32;

/// A rule that an event may meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Possible {
    pub(crate) rule: RuleNo,
    /// Its conditions hold; otherwise that depends on settings.
    pub(crate) certain: bool,
}

/// The rules of a set, filed.
pub(crate) struct Index {
    asked: Asked,
    tests: Vec<Test>,
    entries: Vec<Entry>,
    /// The event types that some rule is about.
    kinds: HashMap<String, Kind, FixedState>,
    /// By the hash of a value in a slot, for events of a kind: which of `filed`.
    files: HashMap<u64, (u32, u32), FixedState>,
    filed: Vec<RuleNo>,
    #[cfg(test)]
    score: Score,
    /// What is used again from event to event.
    spare: Mutex<Vec<Memo>>,
}

/// One rule.
struct Entry {
    source: Option<String>,
    plan: Plan,
}

/// What is filed for events of one type.
#[derive(Default)]
struct Kind {
    number: u32,
    /// The slots in which values are looked up.
    slots: Vec<Lookups>,
    /// The rules that could not be filed.
    rest: Vec<RuleNo>,
}

struct Lookups {
    slot: Slot,
    /// Rules are filed under values, or under there being any text.
    values: bool,
    texts: bool,
}

/// Which tests came out how, for one event after the other.
#[derive(Default)]
struct Memo {
    /// Twice the number of the event, plus one where the test holds.
    outcomes: Vec<u32>,
    event: u32,
}

/// Prints counts only.
impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Index({} rules, {} tests)", self.entries.len(), self.tests.len())
    }
}

impl Index {
    /// What is asked of events.
    pub(crate) fn asked(&self) -> &Asked {
        &self.asked
    }

    /// What it costs.
    #[cfg(test)]
    pub(crate) fn score(&self) -> Score {
        self.score
    }

    /// The rules about events of type `kind` from `source` whose conditions hold, or may hold, in their order. `documents` are
    /// the event as a rule sees it.
    pub(crate) fn possible<'d>(
        &self,
        kind: &str,
        source: &str,
        facts: &Facts<'_>,
        documents: &dyn Fn(RuleNo) -> Box<dyn Documents + 'd>,
    ) -> Vec<Possible> {
        let Some(kind) = self.kinds.get(kind) else { return Vec::new() };
        let mut memo = self.take();
        let mut found = Vec::new();
        let mut consider = |rules: &[RuleNo]| {
            for rule in rules {
                found.extend(
                    self.entries.get(*rule as usize).filter(|entry| entry.source.as_deref().is_none_or(|own| own == source)).and_then(
                        |entry| {
                            let holds = entry.plan.holds(&mut |test| self.test(test, *rule, facts, documents, &mut memo));
                            (holds != Some(false)).then_some(Possible { rule: *rule, certain: holds.is_some() })
                        },
                    ),
                );
            }
        };
        for lookups in &kind.slots {
            for node in facts.at(lookups.slot) {
                if lookups.values
                    && let Some(hash) = scalar::hash(kind.number, lookups.slot, node)
                {
                    consider(self.file(hash));
                }
                if lookups.texts && matches!(node, crate::facts::Node::Text(_)) {
                    consider(self.file(scalar::any_text(kind.number, lookups.slot)));
                }
            }
        }
        consider(&kind.rest);
        self.give_back(memo);
        found.sort_unstable();
        found.dedup();
        found
    }

    #[inline]
    fn file(&self, hash: u64) -> &[RuleNo] {
        let place = self.files.get(&hash);
        place.and_then(|(from, to)| self.filed.get(*from as usize..*to as usize)).unwrap_or_default()
    }

    #[inline]
    fn test<'d>(
        &self,
        id: TestId,
        rule: RuleNo,
        facts: &Facts<'_>,
        documents: &dyn Fn(RuleNo) -> Box<dyn Documents + 'd>,
        memo: &mut Memo,
    ) -> bool {
        let Some(test) = self.tests.get(id as usize) else { return false };
        if test.shared
            && let Some(known) = memo.outcome(id)
        {
            return known;
        }
        let holds = test.holds(facts, || documents(rule));
        if test.shared {
            memo.remember(id, holds);
        }
        holds
    }

    fn take(&self) -> Memo {
        let mut memo = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        if memo.event >= u32::MAX / 2 - 1 || memo.outcomes.len() != self.tests.len() {
            memo = Memo { outcomes: vec![0; self.tests.len()], event: 0 };
        }
        memo.event += 1;
        memo
    }

    fn give_back(&self, memo: Memo) {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(memo);
    }
}

impl Memo {
    #[inline]
    fn outcome(&self, test: TestId) -> Option<bool> {
        let outcome = self.outcomes.get(test as usize)?;
        (outcome >> 1 == self.event).then_some(outcome & 1 == 1)
    }

    #[inline]
    fn remember(&mut self, test: TestId, holds: bool) {
        if let Some(outcome) = self.outcomes.get_mut(test as usize) {
            *outcome = (self.event << 1) | u32::from(holds);
        }
    }
}

/// What must hold of an event for any action of a rule.
fn conditions(rule: &Rule) -> Vec<&crate::condition::Condition> {
    rule.when.iter().collect()
}

#[cfg(test)]
mod tests;
