//! Which jobs may run beside one another.
//!
//! A [`Scope`] is something that only so many jobs may be in at once: a plugin, a rule, an action, a value that the action tells its
//! jobs apart by, or whatever was halted, which has room for nobody. The rules in force say in which scopes a job is
//! ([`Concurrency`]); the store lets a job begin when there is room in all of them. What finds none is *parked*: it waits outside of
//! the line of those that may begin, until somebody leaves the scope.

use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

use crate::halt::HaltScope;
use crate::hash::KeyHash;
use crate::job::Job;

/// How soon a job is let in, beside others of its clinic and of other clinics.
///
/// Every clinic has its turn, however many jobs another one has waiting; within the turns of all, a job of high priority counts for
/// less of its clinic's share than one of low priority, and so comes sooner. No priority starves another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    High,
    #[default]
    Normal,
    Low,
}

impl Priority {
    /// Every priority.
    pub const ALL: [Self; 3] = [Self::High, Self::Normal, Self::Low];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
        }
    }

    /// The priority that a word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|priority| priority.as_str() == word)
    }

    /// What a job of it counts for in its line: where all lines are long, four of the high ones run for each normal one, and
    /// four of those for each low one.
    pub fn cost(self) -> i64 {
        match self {
            Self::High => 1,
            Self::Normal => 4,
            Self::Low => 16,
        }
    }
}

/// What a job says about those beside it. Fixed when it is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lane {
    pub priority: Priority,
    /// Jobs with the same run one after another, in the order in which they became ready. Those of different clinics never have the same.
    pub order: Option<KeyHash>,
    /// What the action's limit tells its jobs apart by.
    pub group: Option<KeyHash>,
}

/// Something that only so many jobs may be in at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// `plugin:receipt`, `rule:attendance-receipt`, …: the same for all who are in it. Holds no value of an event.
    pub name: String,
    /// 0: it is halted.
    pub limit: u32,
}

/// Who may run beside whom, by the rules in force. A plain table in tests.
///
/// What one says is always the same: other rules are another one, and everybody who waits is looked at again then.
pub trait Concurrency: Send + Sync {
    /// Where `job` is when it runs, beside the line of those that go one after another ([`Lane::order`]).
    fn scopes(&self, job: &Job) -> Vec<Scope>;

    /// Whether no job is in any scope.
    fn is_unlimited(&self) -> bool;
}

/// Anything may run beside anything.
#[derive(Clone, Copy, Debug)]
pub struct Unlimited;

impl Concurrency for Unlimited {
    fn scopes(&self, _: &Job) -> Vec<Scope> {
        Vec::new()
    }

    fn is_unlimited(&self) -> bool {
        true
    }
}

/// [`Unlimited`], always the same one.
pub fn unlimited() -> &'static Arc<dyn Concurrency> {
    static UNLIMITED: LazyLock<Arc<dyn Concurrency>> = LazyLock::new(|| Arc::new(Unlimited));
    &UNLIMITED
}

/// What is before the name of the scope of what is halted.
pub const HALT: &str = "halt:";

/// What a job that is ready waits for beside a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wait {
    /// What it is in is halted.
    Halt(HaltScope),
    /// As many as may are in this scope: `plugin:NAME`, `rule:NAME`, or `action:RULE/NAME`, which may count each value for itself.
    Room { scope: String, limit: u32 },
    /// One of the same order is before it.
    Order,
}

impl Wait {
    /// What a job waits for that finds no room in `scope`.
    pub fn of_scope(scope: &str, limit: u32) -> Self {
        if let Some(halted) = scope.strip_prefix(HALT).and_then(|name| name.parse().ok()) {
            return Self::Halt(halted);
        }
        // A hash tells people nothing.
        let value = scope.rsplit_once(':').filter(|(of, value)| of.contains(':') && value.len() == 32 && !value.contains('/'));
        Self::Room { scope: value.map_or(scope, |(of, _)| of).to_owned(), limit }
    }
}

/// The name of the scope of those that go one after another.
pub fn order_scope(order: KeyHash) -> String {
    format!("order:{order:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_waited_for_holds_no_value() {
        let room = |scope: &str| Wait::Room { scope: scope.into(), limit: 2 };
        let value = KeyHash([7; 16]);
        assert_eq!(Wait::of_scope("plugin:receipt", 2), room("plugin:receipt"));
        assert_eq!(Wait::of_scope(&format!("action:thank/send:{value:?}"), 2), room("action:thank/send"));
        assert_eq!(Wait::of_scope("halt:rule:a:b", 0), Wait::Halt(HaltScope::Rule("a:b".into())));
        assert_eq!(Wait::of_scope("halt:all", 0), Wait::Halt(HaltScope::All));
    }

    #[test]
    fn a_word_is_one_priority() {
        assert_eq!(Priority::ALL.map(|priority| Priority::parse(priority.as_str())), Priority::ALL.map(Some));
        assert_eq!(Priority::parse("urgent"), None);
        assert!(Priority::ALL.windows(2).all(|pair| pair[0].cost() < pair[1].cost()), "the sooner, the less it counts for");
    }
}
