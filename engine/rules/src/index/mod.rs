//! Which rules may an event meet? An index over all rules, so that most of them are never looked at.
//!
//! Each rule is filed under the most selective condition that it cannot do without: the values, in some slot of the event, of which a
//! matching event must have one. An event is looked up under the values that it has. The rules found there, and the few that could
//! not be filed, pass a gate that asks for the rest of what they need; those that come through are evaluated in full. Each distinct clause is
//! tested at most once for an event, and only for a rule that is still possible. Memory is linear in the conditions: there is no
//! automaton, and no combination of values is ever stored.
//!
//! It holds rules, not automations: those join afterwards, and change without it.

mod build;
mod gate;
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

use gate::{Gate, Sight};
use plan::{Plan, TestId};
use test::Test;

/// The place of a rule among all of a set.
pub(crate) type RuleNo = u32;

/// A rule that an event may meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Possible {
    pub(crate) rule: RuleNo,
    /// Its conditions hold; otherwise that depends on settings, or takes too much to tell.
    pub(crate) certain: bool,
}

/// The rules of a set, filed.
pub(crate) struct Index {
    asked: Asked,
    tests: Vec<Test>,
    /// Of each rule.
    plans: Vec<Plan>,
    /// Those that rules name; the number of the first is 1.
    sources: Vec<String>,
    /// The event types that some rule is about.
    kinds: HashMap<String, Kind, FixedState>,
    /// By the hash of a value in a slot, for events of a kind: which of `gates`.
    files: HashMap<u64, (u32, u32), FixedState>,
    /// Those of rules that are looked at together stand together.
    gates: Vec<Gate>,
    #[cfg(test)]
    score: Score,
    /// What is used again from event to event.
    spare: Mutex<Vec<Memo>>,
}

/// What is filed for events of one type.
#[derive(Default)]
struct Kind {
    number: u32,
    /// The slots that are looked at, in order.
    slots: Vec<Lookups>,
    /// The rules that could not be filed.
    rest: Vec<Gate>,
}

struct Lookups {
    slot: Slot,
    /// Rules are filed under values, or under there being any text.
    values: bool,
    texts: bool,
}

/// So much room is kept from event to event.
const KEPT_MAX: usize = 4_096;

/// What is known of an event, for one after the other.
#[derive(Default)]
struct Memo {
    /// Of each slot.
    sights: Vec<Sight>,
    /// Which of the index's gates to look at.
    files: Vec<(u32, u32)>,
    /// Whose gates were open.
    open: Vec<RuleNo>,

    /// Four times the number of the event, and how the test came out: 0, 1, or 2 where nobody can tell.
    outcomes: Vec<u32>,
    event: u32,
}

/// Prints counts only.
impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Index({} rules, {} tests)", self.plans.len(), self.tests.len())
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
        self.look(kind, facts, &mut memo);
        let source = self.sources.iter().zip(1..).find(|(known, _)| *known == source).map_or(0, |(_, number)| number);
        let files = memo.files.iter().filter_map(|(from, to)| self.gates.get(*from as usize..*to as usize));
        let gates = files.chain([&*kind.rest]).flatten();
        memo.open.extend(gates.filter(|gate| gate.is_open(kind.number, source, &memo.sights)).map(|gate| gate.rule));
        // A rule is filed under several values, and an event may have more than one of them.
        memo.open.sort_unstable();
        memo.open.dedup();
        let open = std::mem::take(&mut memo.open);
        let mut found = Vec::with_capacity(open.len());
        for &rule in &open {
            let Some(plan) = self.plans.get(rule as usize) else { continue };
            let holds = plan.holds(&mut |test| self.test(test, rule, facts, documents, &mut memo));
            if holds != Some(false) {
                found.push(Possible { rule, certain: holds.is_some() });
            }
        }
        memo.open = open;
        self.give_back(memo);
        found
    }

    /// Sums up what an event says, and finds which rules are filed under it.
    #[inline]
    fn look(&self, kind: &Kind, facts: &Facts<'_>, memo: &mut Memo) {
        let mut find = |slot: Slot, hash: Option<u64>| memo.files.extend(self.files.get(&scalar::file(kind.number, slot, hash)));
        for lookups in &kind.slots {
            let Some(sight) = memo.sights.get_mut(lookups.slot as usize) else { continue };
            *sight = Sight::NOTHING;
            for node in facts.at(lookups.slot) {
                let hash = sight.add(node);
                if lookups.values && hash.is_some() {
                    find(lookups.slot, hash);
                }
                if lookups.texts && matches!(node, crate::facts::Node::Text(_)) {
                    find(lookups.slot, None);
                }
            }
        }
        // Many elements of a list may have one value.
        memo.files.sort_unstable();
        memo.files.dedup();
    }

    #[inline]
    fn test<'d>(
        &self,
        id: TestId,
        rule: RuleNo,
        facts: &Facts<'_>,
        documents: &dyn Fn(RuleNo) -> Box<dyn Documents + 'd>,
        memo: &mut Memo,
    ) -> Option<bool> {
        let test = self.tests.get(id as usize)?;
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
        if memo.event >= u32::MAX / 4 - 1 || memo.outcomes.len() != self.tests.len() {
            memo = Memo { outcomes: vec![0; self.tests.len()], sights: vec![Sight::NOTHING; self.asked.slots()], ..Memo::default() };
        }
        memo.event += 1;
        memo.files.clear();
        memo.open.clear();
        memo
    }

    fn give_back(&self, mut memo: Memo) {
        // Of an event that had many, no more is kept than the next may need.
        memo.files.shrink_to(KEPT_MAX);
        memo.open.shrink_to(KEPT_MAX);
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(memo);
    }
}

impl Memo {
    #[inline]
    fn outcome(&self, test: TestId) -> Option<Option<bool>> {
        let outcome = self.outcomes.get(test as usize)?;
        (outcome >> 2 == self.event).then_some((outcome & 2 == 0).then_some(outcome & 1 == 1))
    }

    #[inline]
    fn remember(&mut self, test: TestId, holds: Option<bool>) {
        if let Some(outcome) = self.outcomes.get_mut(test as usize) {
            *outcome = (self.event << 2) | holds.map_or(2, u32::from);
        }
    }
}

/// What must hold of an event for any action of a rule.
fn conditions(rule: &Rule) -> Vec<&crate::condition::Condition> {
    rule.when.iter().collect()
}

#[cfg(test)]
mod tests;
