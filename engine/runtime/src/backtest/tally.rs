//! The counts of a backtest, and how those of two rule sets compare.
//!
//! Numbers, codes, names of channels and ids of events: nothing that an event says. To count something more, add it to
//! [`Counts`] and to [`Counts::rows`]; `side` fills it in.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use zelo_core::EventId;
use zelo_core::job::{Job, JobState};

/// Events that are named of each kind of difference.
pub const EXAMPLES_MAX: usize = 20;

/// What one rule would have done.
///
/// Every job that is `made` ends in one way: `made = runs + replaced + cancelled + all skipped + failed`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Events of its types, on connections and for clinics where it is on.
    pub events: u64,
    /// Those among them that it fires for.
    pub fires: u64,
    /// Those that it does nothing about, because it led to them itself.
    pub second_laps: u64,
    /// Jobs.
    pub made: u64,
    /// Jobs whose plugin would run.
    pub runs: u64,
    /// Jobs that made way for a newer event of the same key.
    pub replaced: u64,
    /// Jobs that something else ended.
    pub cancelled: u64,
    /// Jobs that the rule says not to run, by the code of the reason.
    pub skipped: BTreeMap<String, u64>,
    /// Jobs that can never run as they are: a text of theirs cannot be made.
    pub failed: u64,
    /// Jobs that would wait for something that is missing, a contact for one; they ended in one of the ways above.
    pub waited: u64,
    /// Runs of actions that may send a message, by the channel it would take.
    pub messages: BTreeMap<String, u64>,
    /// Runs that are due before 08:00 or from 20:00 on, by the clinic's clock.
    pub outside_hours: u64,
    /// Messages of actions that may see personal or sensitive fields and name no `basis`. What people agreed to is not
    /// recorded, so it cannot be counted.
    pub no_basis: u64,
}

/// What one rule did under both sets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compared {
    /// Under the rules in force; none where it is not on.
    pub old: Option<Counts>,
    /// Under the rules that were given; none where it is not among them.
    pub new: Option<Counts>,
    /// Events that it fires for under the old rules only, the first of them.
    pub only_old: Vec<EventId>,
    /// … and under the new ones only.
    pub only_new: Vec<EventId>,
}

/// What came of a backtest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Events looked at.
    pub events: u64,
    /// Events that cannot be read any more: erased, or damaged.
    pub unreadable: u64,
    /// By rule.
    pub rules: BTreeMap<String, Compared>,
}

impl Counts {
    /// Counts a job that has ended.
    pub(super) fn end(&mut self, job: &Job) {
        let code = job.reason.as_ref().map_or("", |reason| reason.code.as_str());
        match job.state {
            JobState::Done => self.runs += 1,
            JobState::Cancelled if code == "replaced" => self.replaced += 1,
            JobState::Cancelled => self.cancelled += 1,
            JobState::Skipped => *self.skipped.entry(code.to_owned()).or_default() += 1,
            JobState::Dead | JobState::Unknown => self.failed += 1,
            JobState::Scheduled | JobState::Ready | JobState::Running => {}
        }
    }

    /// Every count with its name; those by code or channel as `skipped.late`.
    pub fn rows(&self) -> Vec<(String, u64)> {
        let named = |kind: &'static str, counts: &BTreeMap<String, u64>| -> Vec<(String, u64)> {
            counts.iter().map(|(name, count)| (format!("{kind}.{name}"), *count)).collect()
        };
        let single = |name: &str, count: u64| vec![(name.to_owned(), count)];
        [
            single("events", self.events),
            single("fires", self.fires),
            single("second_laps", self.second_laps),
            single("made", self.made),
            single("runs", self.runs),
            single("replaced", self.replaced),
            single("cancelled", self.cancelled),
            named("skipped", &self.skipped),
            single("failed", self.failed),
            single("waited", self.waited),
            named("messages", &self.messages),
            single("outside_hours", self.outside_hours),
            single("no_basis", self.no_basis),
        ]
        .concat()
    }
}

impl Compared {
    /// Every count with its name, old and new; what one side has not is 0.
    pub fn rows(&self) -> Vec<(String, u64, u64)> {
        let counts = |side: &Option<Counts>| side.clone().unwrap_or_default().rows();
        let (old, new) = (counts(&self.old), counts(&self.new));
        let mut names: Vec<&String> = Vec::new();
        for (name, _) in old.iter().chain(&new) {
            if !names.contains(&name) {
                // Beside those of its kind.
                let kind = name.split('.').next();
                let place = names.iter().rposition(|other| other.split('.').next() == kind).map_or(names.len(), |place| place + 1);
                names.insert(place, name);
            }
        }
        let of = |rows: &[(String, u64)], name: &str| rows.iter().find(|(other, _)| other == name).map_or(0, |(_, count)| *count);
        names.into_iter().map(|name| (name.clone(), of(&old, name), of(&new, name))).collect()
    }

    /// Whether both sets do the same with it, as far as it is counted.
    pub fn is_same(&self) -> bool {
        self.old == self.new && self.only_old.is_empty() && self.only_new.is_empty()
    }
}

impl Counted {
    /// Notes that one event fired these rules.
    pub(super) fn fired(&mut self, event: EventId, old: &BTreeSet<String>, new: &BTreeSet<String>) {
        for rule in old.difference(new) {
            note(&mut self.rules.entry(rule.clone()).or_default().only_old, event);
        }
        for rule in new.difference(old) {
            note(&mut self.rules.entry(rule.clone()).or_default().only_new, event);
        }
    }
}

fn note(examples: &mut Vec<EventId>, event: EventId) {
    if examples.len() < EXAMPLES_MAX {
        examples.push(event);
    }
}
