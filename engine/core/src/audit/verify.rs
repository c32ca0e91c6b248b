//! Holds the audit log against its own chain and against heads that were signed: what was changed, is missing, was moved or
//! was cut off.
//!
//! Who can write the database can also compute the chain anew. What he cannot do is sign: so a log that holds together in
//! itself is still compared with every signed head, and heads that are kept elsewhere show what was cut off at its end.

use std::collections::BTreeMap;
use std::fmt;

use super::{AuditEntry, Head, Link};

/// Something that was done to the log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// Entries from `from` to `to` are not there, with others after them.
    Missing { from: u64, to: u64 },
    /// The entry is not what was chained.
    Changed { seq: u64 },
    /// Each of two entries stands where the other was.
    Moved { seq: u64, other: u64 },
    /// The chain holds together, but is another one than was signed: something from entry `after` + 1 to `seq` was changed, by
    /// somebody who computed the chain anew.
    Rewritten { after: u64, seq: u64 },
    /// A head was signed over entry `signed`, and the log ends with entry `last`.
    CutOff { last: u64, signed: u64 },
    /// A head says of itself that it was signed over entry `seq`, and was not, by the key that signs this log.
    Forged { seq: u64 },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { from, to } if from == to => write!(f, "entry {from} is missing"),
            Self::Missing { from, to } => write!(f, "entries {from} to {to} are missing"),
            Self::Changed { seq } => write!(f, "entry {seq} was changed"),
            Self::Moved { seq, other } => write!(f, "entries {seq} and {other} stand in each other's place"),
            Self::Rewritten { after, seq } => {
                write!(
                    f,
                    "something among the entries {} to {seq} was changed, and the chain computed anew: it is not what was signed",
                    after + 1
                )
            }
            Self::CutOff { last, signed } => write!(f, "the log was cut off: it ends with entry {last}, but entry {signed} was signed"),
            Self::Forged { seq } => write!(f, "the signature of the head at entry {seq} is not of the key that signs this log"),
        }
    }
}

/// Entries that do not fit are compared with each other to tell which were moved; of more than these, only that they were changed.
const COMPARED: usize = 64;

/// Looks through a log, entry by entry, in the order of their places.
#[derive(Debug)]
pub struct Verifier {
    /// What entries before this place are to be: cut off, behind a signed head.
    base: Link,
    last: Link,
    /// Heads in the order of their places, those that are still to come. Of one place there may be two that differ.
    heads: BTreeMap<(u64, [u8; 32]), Head>,
    signed: u64,
    /// Entries that do not fit: themselves, the link that stands before them, and their own.
    strange: Vec<(AuditEntry, Link, Link)>,
    findings: Vec<Finding>,
    entries: u64,
    agreed: u64,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    pub findings: Vec<Finding>,
    /// The entries that were looked at.
    pub entries: u64,
    /// The signed heads that they were held against.
    pub heads: u64,
    pub last: Link,
}

impl Verifier {
    /// Begins after `base`, which is [`Link::FIRST`] where nothing was ever cut off. The signatures of `heads` were checked.
    pub fn new(base: Link, heads: impl IntoIterator<Item = Head>) -> Self {
        let heads = heads.into_iter().filter(|head| head.seq >= base.seq).map(|head| ((head.seq, head.hash), head)).collect();
        let mut verifier =
            Self { base, last: base, heads, signed: base.seq, strange: Vec::new(), findings: Vec::new(), entries: 0, agreed: 0 };
        verifier.compare();
        verifier
    }

    /// Entries before the base that were cut off without leave.
    pub fn missing(&mut self, from: u64, to: u64) {
        self.findings.push(Finding::Missing { from, to });
    }

    /// A head whose signature does not hold.
    pub fn forged(&mut self, seq: u64) {
        self.findings.push(Finding::Forged { seq });
    }

    /// The next entry, which is no longer one at all, with the hash that stands beside it.
    pub fn unreadable(&mut self, seq: u64, hash: [u8; 32]) {
        self.findings.push(Finding::Changed { seq });
        if seq > self.last.seq {
            self.entries += 1;
            self.last = Link { seq, hash };
            self.compare();
        }
    }

    /// The next entry, with the link that stands beside it.
    pub fn entry(&mut self, entry: AuditEntry, link: Link) {
        if link.seq <= self.last.seq && self.entries > 0 {
            self.findings.push(Finding::Changed { seq: link.seq });
            return;
        }
        self.entries += 1;
        if link.seq != self.last.seq + 1 {
            self.findings.push(Finding::Missing { from: self.last.seq + 1, to: link.seq - 1 });
            // What it was chained to is gone, so nothing can be said about it by itself.
        } else if self.last.next(&entry) != link {
            self.strange.push((entry, self.last, link));
        }
        self.last = link;
        self.compare();
    }

    /// Holds the present place against a head.
    fn compare(&mut self) {
        while let Some((place, head)) = self.heads.pop_first() {
            let seq = place.0;
            if seq > self.last.seq {
                self.heads.insert(place, head);
                return;
            }
            if seq == self.last.seq {
                if head.hash == self.last.hash {
                    self.agreed += 1;
                } else {
                    self.findings.push(Finding::Rewritten { after: self.signed, seq });
                }
                self.signed = seq;
            }
        }
    }

    /// What was found.
    pub fn finish(mut self) -> Verified {
        if let Some(((signed, _), _)) = self.heads.last_key_value() {
            self.findings.push(Finding::CutOff { last: self.last.seq, signed: *signed });
        }
        self.tell_strange();
        self.findings.sort_unstable();
        self.findings.dedup();
        let Self { findings, entries, agreed, last, .. } = self;
        Verified { findings, entries, heads: agreed, last }
    }

    /// Of the entries that do not fit, those that fit in each other's place were moved.
    fn tell_strange(&mut self) {
        let mut left = std::mem::take(&mut self.strange);
        while let Some((entry, before, link)) = left.pop() {
            let befores: Vec<Link> = left.iter().map(|(_, before, _)| *before).chain([before]).collect();
            let links: Vec<Link> = left.iter().map(|(_, _, link)| *link).chain([link]).collect();
            let fits = |entry: &AuditEntry, seq: u64| {
                // Neighbours that were moved have each other's hash before them.
                let before = befores.iter().chain(&links).chain([&self.base]).map(|link| Link { seq: seq - 1, ..*link });
                before.map(|before| before.next(entry)).any(|found| links.iter().any(|link| link.hash == found.hash))
            };
            let place = (left.len() < COMPARED)
                .then(|| left.iter().position(|(other, _, at)| fits(&entry, at.seq) && fits(other, link.seq)))
                .flatten();
            match place.map(|place| left.remove(place)) {
                Some((_, _, other)) => {
                    let (seq, other) = (link.seq.min(other.seq), link.seq.max(other.seq));
                    self.findings.push(Finding::Moved { seq, other });
                }
                None => self.findings.push(Finding::Changed { seq: link.seq }),
            }
        }
        // What follows a moved entry was chained to the one that stood there.
        let moved: Vec<u64> = self
            .findings
            .iter()
            .flat_map(|finding| match finding {
                Finding::Moved { seq, other } => vec![*seq, *other],
                _ => Vec::new(),
            })
            .collect();
        self.findings.retain(|finding| !matches!(finding, Finding::Changed { seq } if moved.contains(&(seq - 1)) && !moved.contains(seq)));
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::audit::{Actor, AuditKind};

    fn chain(len: u64) -> Vec<(AuditEntry, Link)> {
        let mut last = Link::FIRST;
        let entry = |n: u64| AuditEntry::new(Timestamp::UNIX_EPOCH, AuditKind::Viewed, Actor::engine(), &serde_json::json!({ "n": n }));
        (1..=len)
            .map(|n| {
                last = last.next(&entry(n));
                (entry(n), last)
            })
            .collect()
    }

    fn head(log: &[(AuditEntry, Link)], seq: u64) -> Head {
        let link = log[seq as usize - 1].1;
        Head { seq, hash: link.hash, at: Timestamp::UNIX_EPOCH, key: [0; 32], signature: [0; 64] }
    }

    fn verify(log: &[(AuditEntry, Link)], heads: Vec<Head>) -> Vec<Finding> {
        let mut verifier = Verifier::new(Link::FIRST, heads);
        log.iter().cloned().for_each(|(entry, link)| verifier.entry(entry, link));
        verifier.finish().findings
    }

    fn lie(entry: &mut AuditEntry) {
        entry.detail = r#"{"n":0}"#.to_owned();
    }

    #[test]
    fn what_was_done_to_a_log_is_told() {
        let log = chain(10);
        let heads = vec![head(&log, 4), head(&log, 9)];
        assert_eq!(verify(&log, heads.clone()), []);

        let mut changed = log.clone();
        lie(&mut changed[4].0);
        assert_eq!(verify(&changed, heads.clone()), [Finding::Changed { seq: 5 }]);

        let mut gone = log.clone();
        gone.drain(4..6);
        assert_eq!(verify(&gone, heads.clone()), [Finding::Missing { from: 5, to: 6 }]);

        let mut beheaded = log.clone();
        beheaded.drain(..2);
        assert_eq!(verify(&beheaded, heads.clone()), [Finding::Missing { from: 1, to: 2 }]);

        assert_eq!(verify(&log[..8], heads.clone()), [Finding::CutOff { last: 8, signed: 9 }]);
        assert_eq!(verify(&[], heads.clone()), [Finding::CutOff { last: 0, signed: 9 }]);

        let mut anew = log.clone();
        lie(&mut anew[6].0);
        let mut last = anew[5].1;
        for (entry, link) in &mut anew[6..] {
            last = last.next(entry);
            *link = last;
        }
        assert_eq!(verify(&anew, heads), [Finding::Rewritten { after: 4, seq: 9 }]);
    }

    /// Entries that change places, with their hashes or without.
    fn swapped(log: &[(AuditEntry, Link)], one: usize, other: usize, with_hashes: bool) -> Vec<(AuditEntry, Link)> {
        let mut log = log.to_vec();
        let (a, b) = (log[one].clone(), log[other].clone());
        let hash = |mine: Link, theirs: Link| if with_hashes { Link { hash: theirs.hash, ..mine } } else { mine };
        log[one] = (b.0.clone(), hash(a.1, b.1));
        log[other] = (a.0, hash(b.1, a.1));
        log
    }

    #[test]
    fn entries_in_each_others_place_are_told() {
        let log = chain(10);
        for (one, other) in [(2, 6), (3, 4), (0, 1), (8, 9), (0, 9)] {
            for with_hashes in [false, true] {
                let found = verify(&swapped(&log, one, other, with_hashes), vec![]);
                let moved = Finding::Moved { seq: one as u64 + 1, other: other as u64 + 1 };
                assert_eq!(found, [moved], "{one} {other} {with_hashes}");
            }
        }
    }

    #[test]
    fn a_pruned_log_begins_where_it_was_signed() {
        let log = chain(6);
        let base = log[2].1;
        let run = |base: Link, log: &[(AuditEntry, Link)]| {
            let mut verifier = Verifier::new(base, vec![head(&chain(6), 3), head(&chain(6), 6)]);
            log.iter().cloned().for_each(|(entry, link)| verifier.entry(entry, link));
            verifier.finish()
        };
        let good = run(base, &log[3..]);
        assert_eq!((good.findings, good.entries, good.heads, good.last), (vec![], 3, 2, log[5].1));
        let other = Link { hash: [9; 32], ..base };
        assert_eq!(run(other, &log[3..]).findings, [Finding::Changed { seq: 4 }, Finding::Rewritten { after: 3, seq: 3 }]);
    }

    proptest! {
        #[test]
        fn no_change_goes_unnoticed(len in 2_u64..24, at in any::<prop::sample::Index>(), what in 0..4) {
            let log = chain(len);
            let at = at.index(log.len());
            let mut other = log.clone();
            match what {
                0 => lie(&mut other[at].0),
                1 => other[at].1.hash[3] ^= 1,
                2 => drop(other.remove(at)),
                _ => other.truncate(at),
            }
            let found = verify(&other, vec![head(&log, len)]);
            prop_assert!(!found.is_empty());
            let there = |finding: &Finding| match finding {
                Finding::Changed { seq } => [at as u64 + 1, at as u64 + 2].contains(seq),
                Finding::Missing { from, to } => (*from, *to) == (at as u64 + 1, at as u64 + 1),
                Finding::CutOff { last, signed } => (*last, *signed) == (other.len() as u64, len),
                Finding::Rewritten { .. } => at as u64 + 1 == len,
                _ => false,
            };
            prop_assert!(found.iter().all(there), "{found:?}");
        }
    }
}
