//! Trees of conditions: `and`, `or`, and what does not hold.
//!
//! A `not` goes down to the operators, where each has its own denial, so nothing has to be denied as a whole. Lists of one
//! kind inside each other are one list; of different kinds, the inner one stands in brackets.

use super::speaker::Speaker;
use super::words::list;
use crate::condition::Condition;

/// A condition, ready to be said.
enum Said {
    Clause(Clause),
    Group(Joint, Vec<Said>),
}

/// One clause: its subject, and what is said of it.
pub(super) struct Clause {
    pub(super) subject: String,
    pub(super) predicate: String,
    /// The next clause about the same subject may do without naming it.
    pub(super) shares: bool,
}

/// What holds a list together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Joint {
    And,
    Or,
}

impl Speaker<'_> {
    /// A condition, in brackets where it could be taken apart by an `and` beside it.
    pub(super) fn condition(&self, condition: &Condition) -> String {
        let said = self.said(&self.bound(condition), false);
        match &said {
            Said::Group(Joint::Or, parts) if parts.len() > 1 => format!("({})", self.text(&said)),
            _ => self.text(&said),
        }
    }

    /// A condition that stands alone.
    pub(super) fn alone(&self, condition: &Condition) -> String {
        self.text(&self.said(&self.bound(condition), false))
    }

    /// One clause, as it stands.
    pub(crate) fn clause_alone(&self, clause: &crate::condition::Clause) -> String {
        self.clause(clause, false).text()
    }

    /// Several conditions, all of which must hold.
    pub(super) fn all(&self, conditions: &[&Condition]) -> Option<String> {
        match conditions {
            [] => None,
            [one] => Some(self.condition(one)),
            many => Some(self.condition(&Condition::All(many.iter().copied().cloned().collect()))),
        }
    }

    fn said(&self, condition: &Condition, negated: bool) -> Said {
        let (joint, parts) = match (condition, negated) {
            (Condition::Clause(clause), _) => return Said::Clause(self.clause(clause, negated)),
            (Condition::Not(part), _) => return self.said(part, !negated),
            (Condition::All(parts), false) | (Condition::Any(parts), true) => (Joint::And, parts),
            (Condition::Any(parts), false) | (Condition::All(parts), true) => (Joint::Or, parts),
        };
        let mut joined = Vec::new();
        for part in parts {
            match self.said(part, negated) {
                Said::Group(inner, parts) if inner == joint || parts.len() == 1 => joined.extend(parts),
                part => joined.push(part),
            }
        }
        match joined.len() {
            1 => joined.remove(0),
            _ => Said::Group(joint, joined),
        }
    }

    fn text(&self, said: &Said) -> String {
        let (joint, parts) = match said {
            Said::Clause(clause) => return clause.text(),
            Said::Group(joint, parts) => (joint, parts),
        };
        let word = match joint {
            Joint::And if parts.is_empty() => return self.pick("vale sempre", "it always holds").to_owned(),
            Joint::Or if parts.is_empty() => return self.pick("nunca vale", "it never holds").to_owned(),
            Joint::And => self.pick("e", "and"),
            Joint::Or => self.pick("ou", "or"),
        };
        let mut subject: Option<&str> = None;
        let mut told = Vec::new();
        for part in parts {
            match part {
                Said::Clause(clause) if clause.shares && subject == Some(clause.subject.as_str()) => told.push(clause.predicate.clone()),
                Said::Clause(clause) => told.push(clause.text()),
                Said::Group(..) => told.push(format!("({})", self.text(part))),
            }
            subject = match part {
                Said::Clause(clause) if clause.shares => Some(&clause.subject),
                _ => None,
            };
        }
        list(&told, word)
    }
}

impl Clause {
    fn text(&self) -> String {
        format!("{} {}", self.subject, self.predicate)
    }
}
