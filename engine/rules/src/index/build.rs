//! Building the index.

use std::collections::{BTreeMap, HashMap, HashSet};

use foldhash::fast::FixedState;

use super::gate::{Gate, Lock};
use super::plan::{Handle, Handles, Plan, TestId};
use super::score::Score;
use super::test::{Test, ask, identity};
use super::{Index, Kind, Lookups, conditions, scalar};
use crate::condition::Condition;
use crate::facts::{Asked, Slot};
use crate::path::Path;
use crate::rule::Rule;

impl Index {
    /// Files `rules`, whose events are also `asked` for other paths.
    ///
    /// # Errors
    /// Its score, in words, where it would blow up.
    pub(crate) fn new<'r>(rules: impl Iterator<Item = &'r Rule>, asked: impl Iterator<Item = &'r Path>) -> Result<Self, String> {
        let mut draft = Draft::default();
        asked.for_each(|path| draft.asked.ask_value(path));
        let rules: Vec<&Rule> = rules.collect();
        let plans: Vec<Plan> = rules.iter().map(|rule| draft.plan_of(rule)).collect();
        // Each action asks for itself, where the rule's own condition holds.
        let own = rules.iter().flat_map(|rule| &rule.actions).filter_map(|action| action.when.as_ref());
        own.flat_map(Condition::clauses).for_each(|clause| ask(clause, &mut draft.asked));
        let filings = draft.filings(&plans);
        let score = draft.score(&rules, &plans, &filings);
        if let Some(why) = score.refusal() {
            return Err(why);
        }
        let mut sources: Vec<String> = Vec::new();
        let mut kinds: HashMap<String, Kind, FixedState> = HashMap::default();
        let mut files: BTreeMap<u64, Vec<Gate>> = BTreeMap::new();
        for (number, (rule, filing)) in (0..).zip(rules.iter().zip(filings)) {
            let source = rule.source.as_ref().map_or(0, |source| numbered(&mut sources, source));
            for kind in &rule.on {
                let next = kinds.len() as u32;
                let kind = kinds.entry(kind.clone()).or_insert_with(|| Kind { number: next, ..Kind::default() });
                let gate = Gate::new(number, kind.number, source, &filing.locks);
                kind.look_at(gate.slots());
                match &filing.handles {
                    None => kind.rest.push(gate),
                    Some(handles) => handles.each.iter().for_each(|handle| {
                        let file = files.entry(kind.file(handle)).or_default();
                        if file.last().is_none_or(|last| last.rule != number) {
                            file.push(gate);
                        }
                    }),
                }
            }
        }
        let mut gates = Vec::new();
        let files = files.into_iter().map(|(hash, rules)| {
            let from = gates.len() as u32;
            gates.extend(rules);
            (hash, (from, gates.len() as u32))
        });
        let files = files.collect();
        Ok(Self {
            asked: draft.asked,
            tests: draft.tests,
            plans,
            sources,
            kinds,
            files,
            gates,
            #[cfg(test)]
            score,
            spare: std::sync::Mutex::default(),
        })
    }
}

/// The number of a source, from 1 on.
fn numbered(sources: &mut Vec<String>, source: &str) -> u32 {
    let place = sources.iter().position(|known| known == source).unwrap_or_else(|| {
        sources.push(source.to_owned());
        sources.len() - 1
    });
    place as u32 + 1
}

impl Kind {
    /// Where a rule is filed under a handle.
    fn file(&mut self, handle: &Handle) -> u64 {
        let lookups = self.lookups(handle.slot);
        lookups.values |= handle.value.is_some();
        lookups.texts |= handle.value.is_none();
        scalar::file(self.number, handle.slot, handle.value)
    }

    /// Has what stands in these slots summed up.
    fn look_at(&mut self, slots: impl Iterator<Item = Slot>) {
        slots.for_each(|slot| _ = self.lookups(slot));
    }

    fn lookups(&mut self, slot: Slot) -> &mut Lookups {
        let place = self.slots.binary_search_by_key(&slot, |lookups| lookups.slot).unwrap_or_else(|place| {
            self.slots.insert(place, Lookups { slot, values: false, texts: false });
            place
        });
        &mut self.slots[place]
    }
}

/// An index that is being built.
#[derive(Default)]
struct Draft {
    asked: Asked,
    tests: Vec<Test>,
    known: HashMap<String, TestId, FixedState>,
}

/// Where a rule goes.
struct Filing {
    /// Under which values; nothing where it cannot be filed.
    handles: Option<Handles>,
    locks: Vec<Lock>,
}

impl Draft {
    fn plan_of(&mut self, rule: &Rule) -> Plan {
        let mut parts: Vec<Plan> = conditions(rule).into_iter().map(|condition| self.plan(condition)).collect();
        match parts.len() {
            1 => parts.remove(0),
            _ => Plan::all(parts),
        }
    }

    fn plan(&mut self, condition: &Condition) -> Plan {
        match condition {
            Condition::All(parts) => Plan::all(parts.iter().map(|part| self.plan(part)).collect()),
            Condition::Any(parts) => Plan::Any(parts.iter().map(|part| self.plan(part)).collect()),
            Condition::Not(part) => Plan::Not(Box::new(self.plan(part))),
            Condition::Clause(clause) if !condition.is_fixed() => {
                ask(clause, &mut self.asked);
                Plan::Unknown
            }
            Condition::Clause(clause) => {
                let identity = identity(clause);
                if let Some(id) = identity.as_ref().and_then(|identity| self.known.get(identity)) {
                    if let Some(test) = self.tests.get_mut(*id as usize) {
                        test.shared = true;
                    }
                    return Plan::Test(*id);
                }
                let id = self.tests.len() as TestId;
                self.tests.push(Test::new(clause, &mut self.asked));
                self.known.extend(identity.map(|identity| (identity, id)));
                Plan::Test(id)
            }
        }
    }

    /// Under which values each rule is filed, and what its gate asks.
    fn filings(&self, plans: &[Plan]) -> Vec<Filing> {
        // How selective a value of a slot is, nobody knows before there are events. But the more values rules tell apart there, the fewer events have
        // any one of them: clinics before types, types before yes and no.
        let mut values: HashMap<Slot, HashSet<u64>> = HashMap::new();
        for test in &self.tests {
            if let Some(handles) = Handles::of(test) {
                for handle in &handles.each {
                    values.entry(handle.slot).or_default().extend(handle.value);
                }
            }
        }
        let rarity = |handles: &Handles| {
            let of = |handle: &Handle| match handle.value {
                Some(_) => 1.0 / (2.0 + values.get(&handle.slot).map_or(0.0, |values| values.len() as f64)),
                // A list that holds what is looked for, and not a text, is what such a place has.
                None => 0.0,
            };
            handles.each.iter().map(of).sum::<f64>()
        };
        let filing = |plan: &Plan| {
            let handles = plan.handles(&self.tests, &rarity).into_iter().min_by(|a, b| rarity(a).total_cmp(&rarity(b)));
            Filing { locks: plan.locks(&self.tests, handles.as_ref(), &rarity), handles }
        };
        plans.iter().map(filing).collect()
    }

    fn score(&self, rules: &[&Rule], plans: &[Plan], filings: &[Filing]) -> Score {
        let mut work: HashMap<&str, u64> = HashMap::new();
        let mut memory = self.asked.bytes() + self.tests.iter().map(Test::bytes).sum::<usize>();
        for ((rule, plan), filing) in rules.iter().zip(plans).zip(filings) {
            let tests = plan.tests();
            memory += size_of::<Plan>() + tests.len() * size_of::<Plan>();
            match &filing.handles {
                Some(handles) => memory += rule.on.len() * handles.each.len() * (size_of::<(u64, u32, u32)>() + size_of::<Gate>()),
                None => {
                    let own: u64 = tests.iter().filter_map(|id| self.tests.get(*id as usize)).map(Test::work).sum();
                    memory += rule.on.len() * size_of::<Gate>();
                    rule.on.iter().for_each(|kind| *work.entry(kind).or_default() += own.max(1));
                }
            }
        }
        Score { memory: memory as u64, work: work.into_values().max().unwrap_or(0) }
    }
}
