//! Conditions, and the reference evaluator: written for being obviously right, and sharing nothing with zelo.
//!
//! A path reaches through lists, and a list that it ends at stands for its elements; a condition holds where any value that is
//! reached passes.

use std::collections::HashMap;
use std::rc::Rc;

use serde::Deserialize;
use serde_json::{Number, Value};

/// One condition of a rule.
#[derive(Clone, PartialEq, Eq, Hash, Deserialize)]
pub(crate) struct Condition {
    pub(crate) path: Vec<String>,
    #[serde(flatten)]
    pub(crate) test: Test,
}

/// What must hold of a value there; the names in files are those of the other benchmarks on this workload.
#[derive(Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(tag = "op", content = "value")]
pub(crate) enum Test {
    #[serde(rename = "eq")]
    Equals(Value),
    #[serde(rename = "in")]
    OneOf(Vec<Value>),
    /// An element of the list at the path, or across a list of objects, equals this.
    #[serde(rename = "contains")]
    Contains(Value),
    #[serde(rename = "prefix")]
    StartsWith(String),
    #[serde(rename = "exists")]
    Exists(bool),
    #[serde(rename = "range")]
    Range { gte: Option<Number>, lt: Option<Number> },
}

impl Condition {
    pub(crate) fn new(path: &str, test: Test) -> Self {
        Self { path: path.split('.').map(str::to_owned).collect(), test }
    }

    fn holds(&self, values: &[&Value]) -> bool {
        match &self.test {
            Test::Equals(wanted) | Test::Contains(wanted) => values.contains(&wanted),
            Test::OneOf(wanted) => values.iter().any(|value| wanted.contains(value)),
            Test::StartsWith(wanted) => values.iter().any(|value| value.as_str().is_some_and(|text| text.starts_with(wanted.as_str()))),
            Test::Exists(wanted) => values.is_empty() != *wanted,
            Test::Range { gte, lt } => {
                let bound = |bound: &Option<Number>| bound.as_ref().and_then(Number::as_f64);
                let (least, end) = (bound(gte).unwrap_or(f64::NEG_INFINITY), bound(lt).unwrap_or(f64::INFINITY));
                values.iter().filter_map(|value| value.as_f64()).any(|number| number >= least && number < end)
            }
        }
    }
}

/// The values that a path reaches in a document.
fn values<'e>(document: &'e Value, path: &[String]) -> Vec<&'e Value> {
    let below = |value: &'e Value, name: &String| -> Vec<&'e Value> {
        match value {
            Value::Array(elements) => elements.iter().filter_map(|element| element.get(name)).collect(),
            value => value.get(name).into_iter().collect(),
        }
    };
    let reached = path.iter().fold(vec![document], |reached, name| reached.into_iter().flat_map(|value| below(value, name)).collect());
    let elements = |value: &'e Value| match value {
        Value::Array(elements) => elements.iter().collect(),
        value => vec![value],
    };
    reached.into_iter().flat_map(elements).collect()
}

/// A set of events: the bit of each says whether it is in.
#[derive(Clone)]
pub(crate) struct Bits(Vec<u64>);

impl Bits {
    fn all(events: usize) -> Self {
        let mut bits = Self(vec![0; events.div_ceil(64)]);
        (0..events).for_each(|event| bits.insert(event));
        bits
    }

    fn insert(&mut self, event: usize) {
        self.0[event / 64] |= 1 << (event % 64);
    }

    fn keep(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word &= other);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The numbers of the events that are in.
    pub(crate) fn events(&self) -> impl Iterator<Item = usize> {
        let bits = self.0.iter().enumerate().filter(|(_, word)| **word != 0);
        bits.flat_map(|(at, word)| (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| 64 * at + bit))
    }
}

/// Evaluates conditions over all events, each distinct one once.
pub(crate) struct Judge<'e> {
    events: &'e [Value],
    reached: HashMap<Vec<String>, Vec<Vec<&'e Value>>>,
    judged: HashMap<Condition, Rc<Bits>>,
}

impl<'e> Judge<'e> {
    pub(crate) fn new(events: &'e [Value]) -> Self {
        Self { events, reached: HashMap::new(), judged: HashMap::new() }
    }

    /// The events of which all `conditions` hold.
    pub(crate) fn matches(&mut self, conditions: &[Condition]) -> Bits {
        let mut bits = Bits::all(self.events.len());
        conditions.iter().for_each(|condition| bits.keep(&self.holds(condition)));
        bits
    }

    fn holds(&mut self, condition: &Condition) -> Rc<Bits> {
        if let Some(judged) = self.judged.get(condition) {
            return Rc::clone(judged);
        }
        let reach = || self.events.iter().map(|event| values(event, &condition.path)).collect();
        let reached = self.reached.entry(condition.path.clone()).or_insert_with(reach);
        let mut bits = Bits(vec![0; self.events.len().div_ceil(64)]);
        reached.iter().enumerate().filter(|(_, values)| condition.holds(values)).for_each(|(event, _)| bits.insert(event));
        let bits = Rc::new(bits);
        self.judged.insert(condition.clone(), Rc::clone(&bits));
        bits
    }
}
