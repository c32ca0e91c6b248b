//! Conditions as the index evaluates them, and under which of their values they are filed.

use super::gate::Lock;
use super::scalar::Scalar;
use super::test::{Check, Test};
use crate::condition::combined;
use crate::facts::Slot;

/// The number of a distinct clause.
pub(super) type TestId = u32;

/// So many tests are held in one piece.
const FEW: usize = 4;

/// Of the locks of a rule, so many of the most telling are looked at.
const LOCKS_LOOKED_AT: usize = 64;

/// A condition over distinct clauses.
#[derive(Debug)]
pub(super) enum Plan {
    All(Box<[Plan]>),
    /// All of so many tests, in one piece: what most rules are.
    Few(u8, [TestId; FEW]),
    Any(Box<[Plan]>),
    Not(Box<Plan>),
    Test(TestId),
    /// It names settings: whether it holds is for each automation to say.
    Unknown,
}

/// Of the events that meet a condition, each has one of these values.
#[derive(Clone, Debug)]
pub(super) struct Handles {
    pub(super) each: Vec<Handle>,
    /// The test that says no more than that, where it is one.
    of: Option<TestId>,
}

/// A value, by its hash, or any text, in a slot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handle {
    pub(super) slot: Slot,
    pub(super) value: Option<u64>,
}

impl Plan {
    /// All of `parts`.
    pub(super) fn all(parts: Vec<Self>) -> Self {
        let test = |part: &Self| if let Self::Test(id) = part { Some(*id) } else { None };
        let tests: Option<Vec<TestId>> = parts.iter().map(test).collect();
        match tests {
            Some(tests) if tests.len() <= FEW => {
                let mut few = [0; FEW];
                few.iter_mut().zip(&tests).for_each(|(own, test)| *own = *test);
                Self::Few(tests.len() as u8, few)
            }
            _ => Self::All(parts.into()),
        }
    }

    /// The tests that it is the conjunction of, where it is held in one piece.
    fn few(&self) -> &[TestId] {
        if let Self::Few(count, tests) = self { tests.get(..usize::from(*count)).unwrap_or_default() } else { &[] }
    }

    /// Whether it holds; nothing where that depends on settings, or takes too much to tell.
    pub(super) fn holds(&self, test: &mut dyn FnMut(TestId) -> Option<bool>) -> Option<bool> {
        match self {
            Self::Few(..) => combined(self.few(), |id| test(*id), false),
            Self::All(parts) => combined(parts, |part| part.holds(test), false),
            Self::Any(parts) => combined(parts, |part| part.holds(test), true),
            Self::Not(part) => part.holds(test).map(|holds| !holds),
            Self::Test(id) => test(*id),
            Self::Unknown => None,
        }
    }

    /// All the ways to file it.
    pub(super) fn handles(&self, tests: &[Test], rarity: &dyn Fn(&Handles) -> f64) -> Vec<Handles> {
        match self {
            Self::Test(id) => {
                let handles = tests.get(*id as usize).and_then(Handles::of);
                handles.map(|handles| Handles { of: Some(*id), ..handles }).into_iter().collect()
            }
            Self::Few(..) => self.few().iter().flat_map(|id| Self::Test(*id).handles(tests, rarity)).collect(),
            Self::All(parts) => parts.iter().flat_map(|part| part.handles(tests, rarity)).collect(),
            Self::Any(parts) => {
                let best = |part: &Self| part.handles(tests, rarity).into_iter().min_by(|a, b| rarity(a).total_cmp(&rarity(b)));
                let each: Option<Vec<Handles>> = parts.iter().map(best).collect();
                each.map(|each| Handles { each: each.into_iter().flat_map(|handles| handles.each).collect(), of: None })
                    .into_iter()
                    .collect()
            }
            Self::Not(_) | Self::Unknown => Vec::new(),
        }
    }

    /// What cannot be done without, beside what it is filed under: the most telling first.
    pub(super) fn locks(&self, tests: &[Test], filed: Option<&Handles>, rarity: &dyn Fn(&Handles) -> f64) -> Vec<Lock> {
        let mut needed = Vec::new();
        self.needed(&mut needed);
        needed.retain(|id| filed.is_none_or(|handles| handles.of != Some(*id)));
        let lock = |test: &Test| Some((test.lock()?, Handles::of(test).map_or_else(|| test.generosity(), |handles| rarity(&handles))));
        let mut all: Vec<(Lock, f64)> = needed.iter().filter_map(|id| lock(tests.get(*id as usize)?)).collect();
        all.sort_by(|(_, a), (_, b)| a.total_cmp(b));
        let mut locks: Vec<Lock> = Vec::new();
        for (lock, _) in all.into_iter().take(LOCKS_LOOKED_AT) {
            if !locks.iter_mut().any(|own| own.takes_in(lock)) {
                locks.push(lock);
            }
        }
        locks
    }

    /// The clauses all of which must hold.
    fn needed(&self, needed: &mut Vec<TestId>) {
        match self {
            Self::Few(..) => needed.extend(self.few()),
            Self::All(parts) => parts.iter().for_each(|part| part.needed(needed)),
            Self::Test(id) => needed.push(*id),
            Self::Any(_) | Self::Not(_) | Self::Unknown => {}
        }
    }

    /// The distinct clauses in it.
    pub(super) fn tests(&self) -> Vec<TestId> {
        match self {
            Self::Few(..) => self.few().to_vec(),
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::tests).collect(),
            Self::Not(part) => part.tests(),
            Self::Test(id) => vec![*id],
            Self::Unknown => Vec::new(),
        }
    }
}

impl Handles {
    /// Those of a clause; nothing where it has none.
    pub(super) fn of(test: &Test) -> Option<Self> {
        let is = |slot: Slot, value: &Scalar| Handle { slot, value: Some(value.hash()) };
        let each = match &test.check {
            _ if test.is_negated() => return None,
            Check::Equals(slot, right) => vec![is(*slot, right)],
            Check::In(slot, rights) => rights.iter().map(|right| is(*slot, right)).collect(),
            Check::Contains { list, elements, part, .. } => {
                let text = part.text().map(|_| Handle { slot: *list, value: None });
                [is(*elements, part)].into_iter().chain(text).collect()
            }
            _ => return None,
        };
        Some(Self { each, of: None })
    }
}
