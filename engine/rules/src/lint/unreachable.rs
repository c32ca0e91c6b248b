//! Conditions that never or always hold, whatever comes; and actions that never fire.
//!
//! A condition is written out as alternatives, each a list of clauses that must come out one way; it never holds where each of
//! them contradicts itself, and always where its negation never does. The innermost part that is so is named, once.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

use super::contradiction::{Asked, Literal, contradict};
use crate::condition::{Clause, Condition, TestKind};
use crate::diagnostic::{Report, warning};
use crate::reader::{Table, parse};
use crate::rule::{Action, Rule};

/// A condition of more alternatives is not looked at as a whole.
const ALTERNATIVES_MAX: usize = 128;
/// Of longer lists only conditions on one place are held against each other, and of no more of these each two.
const PAIRS_OF_MAX: usize = 200;

/// Looks at all conditions of a rule.
pub(super) fn of_rule(report: &Report<'_>, rule: &Rule) {
    let look = Look { report };
    let said = rule.when.as_ref().is_some_and(|when| look.at(when));
    for action in &rule.actions {
        let own: Vec<&Condition> = action.when.iter().chain(&action.only_if).collect();
        let said_own = own.iter().filter(|part| look.at(part)).count() > 0;
        if !said && !said_own {
            let parts = rule.when.iter().chain(own).flat_map(conjuncts).collect();
            look.together(&parts);
        }
        if never_fires(rule, action) {
            look.never_fires(action);
        }
    }
}

/// Whether every event that could fire the action cancels it.
fn never_fires(rule: &Rule, action: &Action) -> bool {
    let cancelling: BTreeSet<&String> = action.cancel_on.iter().flat_map(|cancel| &cancel.types).collect();
    let mut about = action.on.as_ref().unwrap_or(&rule.on).iter().peekable();
    about.peek().is_some() && about.all(|kind| cancelling.contains(kind))
}

/// The alternatives under which a condition comes out as `wanted`; nothing where there are too many.
fn alternatives(condition: &Condition, wanted: bool) -> Option<Vec<Vec<Literal<'_>>>> {
    let found = match (condition, wanted) {
        (Condition::Clause(clause), _) => vec![vec![Literal { clause, negated: clause.test.negated == wanted }]],
        (Condition::Not(part), _) => return alternatives(part, !wanted),
        (Condition::Any(parts), true) | (Condition::All(parts), false) => {
            parts.iter().map(|part| alternatives(part, wanted)).collect::<Option<Vec<_>>>()?.concat()
        }
        (Condition::All(parts), true) | (Condition::Any(parts), false) => {
            let parts = parts.iter().map(|part| alternatives(part, wanted)).collect::<Option<Vec<_>>>()?;
            return all_of(&parts);
        }
    };
    (found.len() <= ALTERNATIVES_MAX).then_some(found)
}

/// Every way to take one alternative of each part.
fn all_of<'c>(parts: &[Vec<Vec<Literal<'c>>>]) -> Option<Vec<Vec<Literal<'c>>>> {
    let mut ways: Vec<Vec<Literal<'_>>> = vec![Vec::new()];
    for part in parts {
        if let [only] = part.as_slice() {
            ways.iter_mut().for_each(|way| way.extend(only));
            continue;
        }
        if ways.len() * part.len() > ALTERNATIVES_MAX {
            return None;
        }
        ways = ways.iter().flat_map(|way| part.iter().map(move |more| way.iter().chain(more).copied().collect())).collect();
    }
    Some(ways)
}

/// Whether the condition surely never comes out as `wanted`.
fn never(condition: &Condition, wanted: bool) -> bool {
    alternatives(condition, wanted).is_some_and(|ways| ways.iter().all(|way| contradict(way)))
}

/// Whether the conditions surely never hold together.
fn exclude(parts: &[&Condition]) -> bool {
    let parts = parts.iter().map(|part| alternatives(part, true)).collect::<Option<Vec<_>>>();
    parts.and_then(|parts| all_of(&parts)).is_some_and(|ways| ways.iter().all(|way| contradict(way)))
}

/// Two conditions that never hold together.
fn pair<'c>(list: &[&'c Condition]) -> Option<(&'c Condition, &'c Condition)> {
    (0..list.len()).find_map(|second| {
        let (before, rest) = list.split_at_checked(second)?;
        let second = *rest.first()?;
        before.iter().find(|first| may_exclude(first, second) && exclude(&[first, second])).map(|first| (*first, second))
    })
}

/// The clauses among conditions, those on one place together.
fn by_place<'c>(list: &[&'c Condition]) -> Vec<Vec<&'c Condition>> {
    let mut places: HashMap<Asked<'c>, usize> = HashMap::new();
    let mut groups: Vec<Vec<&Condition>> = Vec::new();
    for part in list {
        let Condition::Clause(clause) = part else { continue };
        let next = groups.len();
        let place = *places.entry(Asked::by(clause)).or_insert(next);
        match groups.get_mut(place) {
            Some(group) => group.push(part),
            None => groups.push(vec![part]),
        }
    }
    groups
}

/// Whether two conditions, each of which may hold, have anything to do with each other.
fn may_exclude(a: &Condition, b: &Condition) -> bool {
    match (a, b) {
        (Condition::Clause(a), Condition::Clause(b)) => Asked::by(a) == Asked::by(b),
        _ => true,
    }
}

/// The conditions that must all hold for this one to hold.
fn conjuncts(condition: &Condition) -> Vec<&Condition> {
    match condition {
        Condition::All(parts) => parts.iter().flat_map(conjuncts).collect(),
        other => vec![other],
    }
}

/// The same of alternatives.
fn disjuncts(condition: &Condition) -> Vec<&Condition> {
    match condition {
        Condition::Any(parts) => parts.iter().flat_map(disjuncts).collect(),
        other => vec![other],
    }
}

/// What a clause asks: the same text of clauses that ask the same.
fn asked(clause: &Clause) -> String {
    format!("{:?}", (&clause.at, clause.every, clause.convert, &clause.test))
}

struct Look<'l> {
    report: &'l Report<'l>,
}

impl Look<'_> {
    /// Looks at a condition and what is in it; whether anything was said.
    fn at(&self, condition: &Condition) -> bool {
        let parts = match condition {
            Condition::All(parts) | Condition::Any(parts) => parts.iter().collect(),
            Condition::Not(part) => vec![part.as_ref()],
            Condition::Clause(clause) => return self.clause(condition, clause),
        };
        // What is nested in the same way is looked at here, with the rest of its list.
        let inner = parts.into_iter().filter(|part| self.at(part)).count() > 0;
        let list = match condition {
            Condition::All(_) => conjuncts(condition),
            Condition::Any(_) => disjuncts(condition),
            _ => Vec::new(),
        };
        if inner || self.duplicates(&list) {
            return true;
        }
        match condition {
            Condition::All(_) if never(condition, true) => {
                self.together(&list);
                true
            }
            Condition::Any(_) if never(condition, false) => self.always(condition),
            _ => false,
        }
    }

    fn clause(&self, condition: &Condition, clause: &Clause) -> bool {
        let (code, how) = if never(condition, true) {
            ("never-holds", "never")
        } else if never(condition, false) {
            ("always-holds", "always")
        } else {
            return false;
        };
        let why = match &clause.test.kind {
            TestKind::In(rights) if rights.is_empty() => "the list is empty, so this".to_owned(),
            _ => format!("whatever stands at `{}`, this", clause.at.path.as_str()),
        };
        self.report.push(warning(code, clause.spans.right.clone(), format!("{why} {how} holds")).help(ADVICE));
        true
    }

    /// Reports conditions of which some never hold together: two of them where two are enough.
    fn together(&self, parts: &Vec<&Condition>) {
        let of_places = if parts.len() > PAIRS_OF_MAX { by_place(parts) } else { vec![parts.clone()] };
        let pair = of_places.iter().filter(|list| list.len() <= PAIRS_OF_MAX).find_map(|list| pair(list));
        if let Some((Some(first), Some(second))) = pair.map(|(first, second)| (first_clause(first), first_clause(second))) {
            let (line, _) = self.report.file.position(first.spans.path.start);
            let text = format!("this never holds together with the condition on `{}` in line {line}", first.at.path.as_str());
            self.report.push(warning("never-holds", second.spans.right.clone(), text).help(ADVICE));
            return;
        }
        let list = of_places.iter().find(|list| exclude(list)).or_else(|| exclude(parts).then_some(parts));
        if let Some(clause) = list.and_then(|list| first_clause(list.first()?)) {
            let text = "this never holds together with the conditions beside it";
            self.report.push(warning("never-holds", clause.spans.right.clone(), text).help(ADVICE));
        }
    }

    fn always(&self, condition: &Condition) -> bool {
        let Some(clause) = first_clause(condition) else { return false };
        let text = "one of these alternatives always holds, whatever comes";
        self.report.push(warning("always-holds", clause.spans.path.clone(), text).help(ADVICE));
        true
    }

    fn duplicates(&self, list: &[&Condition]) -> bool {
        let clauses = list.iter().filter_map(|part| if let Condition::Clause(clause) = part { Some(clause.as_ref()) } else { None });
        let mut known: HashMap<String, &Clause> = HashMap::new();
        let mut said = false;
        for clause in clauses {
            match known.entry(asked(clause)) {
                Entry::Vacant(place) => _ = place.insert(clause),
                Entry::Occupied(before) => {
                    let (line, _) = self.report.file.position(before.get().spans.path.start);
                    let text = format!("the same condition stands in line {line} already");
                    self.report.push(warning("duplicate-condition", clause.spans.path.clone(), text).help("take one of them away"));
                    said = true;
                }
            }
        }
        said
    }

    fn never_fires(&self, action: &Action) {
        let scratch = Report::new(self.report.file);
        let Some(document) = parse(&scratch) else { return };
        let tables = Table::root(&scratch, &document).tables("then");
        let found = tables.iter().find(|table| table.string("name").is_some_and(|name| name.value == action.name));
        if let Some(item) = found.and_then(|table| table.get("cancel_on")) {
            let text = format!("every event that could fire `{}` cancels it instead, so it never fires", action.name);
            self.report.push(
                warning("never-fires", item.span(), text).help("what cancels an action never fires it; leave other types to fire it"),
            );
        }
    }
}

const ADVICE: &str = "say what is meant, or take it away";

fn first_clause(condition: &Condition) -> Option<&Clause> {
    condition.clauses().first().copied()
}

#[cfg(test)]
mod tests;
