//! Conditions as the index evaluates them, and under which of their values they are filed.

use super::scalar::Scalar;
use super::test::{Check, Test};
use crate::facts::Slot;

/// The number of a distinct clause.
pub(super) type TestId = u32;

/// A condition over distinct clauses.
#[derive(Debug)]
pub(super) enum Plan {
    All(Box<[Plan]>),
    Any(Box<[Plan]>),
    Not(Box<Plan>),
    Test(TestId),
    /// It names settings: whether it holds is for each automation to say.
    Unknown,
}

/// Of the events that meet a condition, each has one of these values.
#[derive(Clone, Debug)]
pub(super) struct Handles(pub(super) Vec<Handle>);

/// A value, or any text, in a slot.
#[derive(Clone, Debug)]
pub(super) struct Handle {
    pub(super) slot: Slot,
    pub(super) value: Option<Scalar>,
}

impl Plan {
    /// Whether it holds; nothing where that depends on settings.
    pub(super) fn holds(&self, test: &mut dyn FnMut(TestId) -> bool) -> Option<bool> {
        match self {
            Self::All(parts) => combined(parts, test, false),
            Self::Any(parts) => combined(parts, test, true),
            Self::Not(part) => part.holds(test).map(|holds| !holds),
            Self::Test(id) => Some(test(*id)),
            Self::Unknown => None,
        }
    }

    /// All the ways to file it.
    pub(super) fn handles(&self, tests: &[Test], rarity: &dyn Fn(&Handles) -> f64) -> Vec<Handles> {
        match self {
            Self::Test(id) => tests.get(*id as usize).and_then(Handles::of).into_iter().collect(),
            Self::All(parts) => parts.iter().flat_map(|part| part.handles(tests, rarity)).collect(),
            Self::Any(parts) => {
                let best = |part: &Self| part.handles(tests, rarity).into_iter().min_by(|a, b| rarity(a).total_cmp(&rarity(b)));
                let each: Option<Vec<Handles>> = parts.iter().map(best).collect();
                each.map(|each| Handles(each.into_iter().flat_map(|handles| handles.0).collect())).into_iter().collect()
            }
            Self::Not(_) | Self::Unknown => Vec::new(),
        }
    }

    /// The distinct clauses in it.
    pub(super) fn tests(&self) -> Vec<TestId> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::tests).collect(),
            Self::Not(part) => part.tests(),
            Self::Test(id) => vec![*id],
            Self::Unknown => Vec::new(),
        }
    }
}

/// The value of parts of which one that comes out as `decisive` decides.
fn combined(parts: &[Plan], test: &mut dyn FnMut(TestId) -> bool, decisive: bool) -> Option<bool> {
    let mut known = true;
    for part in parts {
        match part.holds(test) {
            Some(holds) if holds == decisive => return Some(decisive),
            Some(_) => {}
            None => known = false,
        }
    }
    known.then_some(!decisive)
}

impl Handles {
    /// Those of a clause; nothing where it has none.
    pub(super) fn of(test: &Test) -> Option<Self> {
        let is = |slot: Slot, value: &Scalar| Handle { slot, value: Some(value.clone()) };
        match &test.check {
            _ if test.is_negated() => None,
            Check::Equals(slot, right) => Some(Self(vec![is(*slot, right)])),
            Check::In(slot, rights) => Some(Self(rights.iter().map(|right| is(*slot, right)).collect())),
            Check::Contains { list, elements, part, .. } => {
                let text = part.text().map(|_| Handle { slot: *list, value: None });
                Some(Self([is(*elements, part)].into_iter().chain(text).collect()))
            }
            _ => None,
        }
    }
}
