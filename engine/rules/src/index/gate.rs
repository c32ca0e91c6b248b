//! Gates: what a rule cannot do without, so small that a list of rules is looked through in one piece of memory.
//!
//! Before an event is held against rules, what stands in each slot is summed up once ([`Sight`]). A gate asks these sums: it lets through
//! every rule whose conditions hold, and few others. Those are then tested in full, so a gate may be generous and never strict.

use std::ops::RangeInclusive;

use serde_json::Number;

use super::RuleNo;
use super::scalar;
use crate::condition::Comparison;
use crate::facts::{Node, Slot};

/// So many conditions of a rule are in its gate: the most telling ones.
const LOCKS: usize = 3;

/// The gate before a rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gate {
    pub(super) rule: RuleNo,
    /// The number of the type of events that it is about, here.
    kind: u32,
    /// That of the source whose events it is about; 0 for all.
    source: u32,
    locks: [Lock; LOCKS],
}

/// One condition, or what is left of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Lock {
    /// Nothing is asked.
    Open,
    /// There is something but null.
    Exists(Slot),
    /// There is nothing at all.
    Missing(Slot),
    /// There is a value of this hash.
    Value(Slot, u64),
    /// There is a value of this hash, or any text in the list's place.
    Holds { list: u16, elements: u16, hash: u64 },
    /// There is a value that has one of these bits.
    OneOf(Slot, u64),
    /// There are a number that is no less and one that is no more.
    Range(Slot, f32, f32),
    /// There is a text of at least this length that begins with these bytes.
    Begins(Slot, u8, u64),
}

/// What stands in a slot, summed up: of a person, so it is never printed.
#[derive(Clone, Copy)]
pub(super) struct Sight {
    nodes: u32,
    texts: u32,
    exists: bool,
    /// Of the last value.
    hash: u64,
    /// Of all values.
    bits: u64,
    /// The smallest and the greatest number.
    low: f64,
    high: f64,
    /// The first bytes of the last text.
    head: u64,
}

impl Gate {
    /// Made of locks, the most telling first.
    pub(super) fn new(rule: RuleNo, kind: u32, source: u32, locks: &[Lock]) -> Self {
        let mut own = [Lock::Open; LOCKS];
        own.iter_mut().zip(locks).for_each(|(own, lock)| *own = *lock);
        Self { rule, kind, source, locks: own }
    }

    /// What it looks at.
    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> {
        self.locks.iter().flat_map(Lock::slots)
    }

    /// Whether the rule may be met by an event of a kind and a source. It may stand where those of another kind are looked up: hashes
    /// are no proof.
    #[inline]
    pub(super) fn is_open(&self, kind: u32, source: u32, sights: &[Sight]) -> bool {
        self.kind == kind && (self.source == 0 || self.source == source) && self.locks.iter().all(|lock| lock.is_open(sights))
    }
}

impl Lock {
    /// The lock of numbers that compare so to `right`.
    pub(super) fn compared(slot: Slot, comparison: Comparison, right: &Number) -> Option<Self> {
        let right = right.as_f64()?;
        Some(match comparison {
            Comparison::Equal => Self::range(slot, right..=right),
            Comparison::Gt | Comparison::Gte => Self::range(slot, right..=f64::INFINITY),
            Comparison::Lt | Comparison::Lte => Self::range(slot, f64::NEG_INFINITY..=right),
        })
    }

    /// The lock of numbers in a range.
    pub(super) fn range(slot: Slot, range: RangeInclusive<f64>) -> Self {
        // Rounded outwards.
        let (mut low, mut high) = (*range.start() as f32, *range.end() as f32);
        if f64::from(low) > *range.start() {
            low = low.next_down();
        }
        if f64::from(high) < *range.end() {
            high = high.next_up();
        }
        Self::Range(slot, low, high)
    }

    /// The lock of texts that begin with `part`.
    pub(super) fn begins(slot: Slot, part: &str) -> Self {
        let (length, head) = head(part);
        Self::Begins(slot, length, head)
    }

    /// The lock of values of which each has one of these hashes.
    pub(super) fn one_of(slot: Slot, hashes: impl Iterator<Item = u64>) -> Self {
        Self::OneOf(slot, hashes.fold(0, |bits, hash| bits | bit(hash)))
    }

    /// Whether it asks for what `other` asks for, too: from now on.
    pub(super) fn takes_in(&mut self, other: Self) -> bool {
        match (self, other) {
            // The two bounds of a range are mostly two conditions.
            (Self::Range(slot, low, high), Self::Range(its, more, less)) if *slot == its => {
                (*low, *high) = (low.max(more), high.min(less));
                true
            }
            (own, other) => *own == other,
        }
    }

    /// What it looks at.
    fn slots(&self) -> impl Iterator<Item = Slot> + use<> {
        let (one, other) = match *self {
            Self::Open => (None, None),
            Self::Holds { list, elements, .. } => (Some(list.into()), Some(elements.into())),
            Self::Exists(slot)
            | Self::Missing(slot)
            | Self::Value(slot, _)
            | Self::OneOf(slot, _)
            | Self::Range(slot, ..)
            | Self::Begins(slot, ..) => (Some(slot), None),
        };
        one.into_iter().chain(other)
    }

    #[inline]
    fn is_open(&self, sights: &[Sight]) -> bool {
        let at = |slot: Slot| sights.get(slot as usize).unwrap_or(&Sight::NOTHING);
        match *self {
            Self::Open => true,
            Self::Value(slot, hash) => at(slot).may_have(hash),
            Self::OneOf(slot, bits) => at(slot).bits & bits != 0,
            Self::Holds { list, elements, hash } => at(elements.into()).may_have(hash) || at(list.into()).texts > 0,
            Self::Range(slot, low, high) => at(slot).high >= f64::from(low) && at(slot).low <= f64::from(high),
            Self::Begins(slot, length, head) => at(slot).may_begin(length, head),
            Self::Exists(slot) => at(slot).exists,
            Self::Missing(slot) => at(slot).nodes == 0,
        }
    }
}

impl Sight {
    pub(super) const NOTHING: Self =
        Self { nodes: 0, texts: 0, exists: false, hash: 0, bits: 0, low: f64::INFINITY, high: f64::NEG_INFINITY, head: 0 };

    /// Adds a node, and gives its hash; none where it is a list or an object.
    #[inline]
    pub(super) fn add(&mut self, node: &Node<'_>) -> Option<u64> {
        self.nodes += 1;
        self.exists |= !matches!(node, Node::Null);
        match node {
            Node::Number(number) => {
                let number = number.as_f64().unwrap_or_default();
                self.low = self.low.min(number);
                self.high = self.high.max(number);
            }
            Node::Text(text) => {
                self.texts += 1;
                self.head = head(text).1;
            }
            _ => {}
        }
        let hash = scalar::hash(node)?;
        self.hash = hash;
        self.bits |= bit(hash);
        Some(hash)
    }

    #[inline]
    fn may_have(&self, hash: u64) -> bool {
        if self.nodes == 1 { self.hash == hash && self.bits != 0 } else { self.bits & bit(hash) != 0 }
    }

    #[inline]
    fn may_begin(&self, length: u8, head: u64) -> bool {
        let own = 1_u64.checked_shl(u32::from(length) * 8).map_or(u64::MAX, |bit| bit - 1);
        self.texts > 1 || (self.texts == 1 && self.head & own == head)
    }
}

#[inline]
fn bit(hash: u64) -> u64 {
    1 << (hash >> 58)
}

/// The first eight bytes of a text, and how many they are.
#[inline]
fn head(text: &str) -> (u8, u64) {
    match text.as_bytes().first_chunk::<8>() {
        Some(head) => (8, u64::from_le_bytes(*head)),
        None => (text.len() as u8, text.bytes().rev().fold(0, |head, byte| (head << 8) | u64::from(byte))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_rounded_outwards() {
        for bound in [0.1, -0.1, 0.3, 16_777_217.0, -16_777_217.0, 1e300, -1e300, f64::MAX, f64::MIN, 5e-324, -5e-324, 0.0] {
            let mut sight = Sight::NOTHING;
            let number = Number::from_f64(bound).unwrap();
            sight.add(&Node::Number(number.clone()));
            for comparison in [Comparison::Equal, Comparison::Gte, Comparison::Gt, Comparison::Lt, Comparison::Lte] {
                assert!(Lock::compared(0, comparison, &number).unwrap().is_open(&[sight]), "{bound} {comparison:?}");
            }
            assert!(Lock::range(0, bound..=bound).is_open(&[sight]), "{bound}");
        }
    }

    #[test]
    fn a_gate_keeps_out_what_cannot_be() {
        let mut sight = Sight::NOTHING;
        sight.add(&Node::Text("Sala 10".into()));
        let hash = |text: &'static str| scalar::hash(&Node::Text(text.into())).unwrap();
        for (lock, open) in [
            (Lock::Open, true),
            (Lock::Exists(0), true),
            (Lock::Exists(1), false),
            (Lock::Missing(0), false),
            (Lock::Missing(1), true),
            (Lock::Value(0, hash("Sala 10")), true),
            (Lock::Value(0, hash("Sala 11")), false),
            (Lock::one_of(0, ["Sala 10", "Sala 12"].into_iter().map(hash)), true),
            (Lock::one_of(1, ["Sala 10", "Sala 12"].into_iter().map(hash)), false),
            (Lock::Holds { list: 1, elements: 1, hash: hash("10") }, false),
            (Lock::Holds { list: 0, elements: 1, hash: hash("10") }, true),
            (Lock::begins(0, ""), true),
            (Lock::begins(0, "Sal"), true),
            (Lock::begins(0, "Sala 10"), true),
            (Lock::begins(0, "Sala 101"), false),
            (Lock::begins(0, "S "), false),
            (Lock::range(0, 0.0..=f64::INFINITY), false),
        ] {
            assert_eq!(lock.is_open(&[sight, Sight::NOTHING]), open, "{lock:?}");
        }
        let mut several = sight;
        several.add(&Node::Text("Consultório".into()));
        for lock in [Lock::begins(0, "Sala"), Lock::begins(0, "Cons"), Lock::Value(0, hash("Sala 10")), Lock::Value(0, hash("Consultório"))]
        {
            assert!(lock.is_open(&[several]), "{lock:?}");
        }
        assert!(!Gate::new(1, 0, 2, &[]).is_open(0, 3, &[]), "another source");
        assert!(!Gate::new(1, 0, 0, &[]).is_open(1, 3, &[]), "another kind");
        assert!(Gate::new(1, 0, 0, &[]).is_open(0, 3, &[]));
    }

    #[test]
    fn two_bounds_are_one_range() {
        let mut lock = Lock::range(0, 1.0..=f64::INFINITY);
        assert!(lock.takes_in(Lock::range(0, f64::NEG_INFINITY..=2.0)));
        assert_eq!(lock, Lock::range(0, 1.0..=2.0));
        assert!(!lock.takes_in(Lock::range(1, 0.0..=1.0)));
        assert!(!lock.takes_in(Lock::Exists(0)));
    }
}
