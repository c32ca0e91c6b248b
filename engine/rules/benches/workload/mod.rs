//! The matching workload: 2,000 events of a clinic network, and sets of rules of which an event matches about three at every size.
//!
//! A rule is two to four conditions that must all hold: equality, one of a list, membership in a list (also across a list of
//! objects), beginning, presence, range of a number. What an event matches is computed by a reference evaluator
//! that shares no code with zelo.
//!
//! It is made here from a fixed seed; or read from the folder that `ZELO_BENCH_WORKLOAD` names, so that several
//! matchers can be measured on the very same files (see [`files`]). To ask about something else, add a kind to [`kinds`]; to write a
//! condition in another way, see [`rule_file`].

mod conditions;
mod dice;
mod events;
mod files;
mod kinds;
mod rule_file;
mod select;
mod words;

use conditions::{Condition, Judge};
use dice::Dice;
pub(crate) use events::Events;
pub(crate) use rule_file::number;
use zelo_rules::FileText;

const SEED: u64 = 20_260_101;

/// The events, and the rules for them.
pub(crate) struct Workload {
    pub(crate) events: Events,
    folder: Option<std::path::PathBuf>,
}

/// Rules, and what they match.
pub(crate) struct Rules {
    pub(crate) files: Vec<FileText>,
    /// How many conditions they have in all.
    pub(crate) conditions: usize,
    /// Of each event the numbers of the rules that it matches, in order.
    pub(crate) expected: Vec<Vec<usize>>,
}

impl Workload {
    pub(crate) fn new() -> Self {
        let folder = files::folder();
        let events = folder.as_deref().map_or_else(|| Events::generated(&mut Dice::new(SEED)), files::events);
        Self { events, folder }
    }

    /// Where the events come from.
    pub(crate) fn origin(&self) -> String {
        self.folder.as_ref().map_or_else(|| "generated".to_owned(), |folder| format!("from {}", folder.display()))
    }

    /// `count` rules.
    ///
    /// # Panics
    /// Where the folder's expectations are not those of the reference evaluator.
    pub(crate) fn rules(&self, count: usize) -> Rules {
        let mut judge = Judge::new(&self.events.trees);
        let read = self.folder.as_deref().and_then(|folder| files::rules(folder, count));
        let (conditions, given) = match read {
            Some(given) => (given.rules, Some(given.expected)),
            None => (select::rules(count, self.events.len(), &mut judge, &mut Dice::new(SEED + count as u64)), None),
        };
        let expected = expected(&conditions, self.events.len(), &mut judge);
        if let Some(given) = given {
            let wrong = given.iter().zip(&expected).position(|(given, expected)| given != expected);
            assert!(wrong.is_none() && given.len() == expected.len(), "{count} rules: the file expects something else of event {wrong:?}");
        }
        Rules {
            files: conditions.iter().enumerate().map(|(number, conditions)| rule_file::rule_file(number, conditions)).collect(),
            conditions: conditions.iter().map(Vec::len).sum(),
            expected,
        }
    }
}

impl Rules {
    /// How many of them an event matches, in the mean.
    pub(crate) fn mean_matches(&self) -> f64 {
        self.expected.iter().map(Vec::len).sum::<usize>() as f64 / self.expected.len() as f64
    }
}

fn expected(rules: &[Vec<Condition>], events: usize, judge: &mut Judge<'_>) -> Vec<Vec<usize>> {
    let mut expected = vec![Vec::new(); events];
    for (number, rule) in rules.iter().enumerate() {
        judge.matches(rule).events().for_each(|event| expected[event].push(number));
    }
    expected
}
