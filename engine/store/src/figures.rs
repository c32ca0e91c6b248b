//! What a store stands at, in numbers.

use jiff::Timestamp;
use zelo_core::{JobState, Spread};

/// Numbers for monitoring; none says anything about anybody.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Live jobs whose time has not come. Those that wait for another step are not among them.
    pub scheduled: u64,
    /// Live jobs that wait for a worker.
    pub ready: u64,
    /// Live jobs that a worker holds.
    pub running: u64,
    /// Live jobs that wait for a person.
    pub attention: u64,
    /// All live jobs by kind, those that wait for another step too.
    pub live: Vec<Live>,
    /// Dead jobs that are still kept.
    pub dead: u64,
    /// Jobs of unknown end that are still kept.
    pub unknown: u64,
    /// As [`Store::next_run`](crate::Store::next_run).
    pub next_run: Option<Timestamp>,
    /// Writes that wait for the writer, and how many may.
    pub writes_waiting: u64,
    pub writes_max: u64,
    /// Seconds from the beginning of a transaction until it is on disk.
    pub commits: Spread,
    /// Writes that shared a transaction.
    pub batches: Spread,
    /// Transactions that came to nothing.
    pub failed: u64,
    /// Jobs that claims have read to find those that may begin.
    pub looked_at: u64,
    /// When the audit log was signed last.
    pub signed: Option<Timestamp>,
    /// When the first entry of the audit log was made that no signed head covers yet.
    pub unsigned: Option<Timestamp>,
    /// None where everything is in memory.
    pub disk: Option<OnDisk>,
}

/// How many live jobs there are of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    pub rule: String,
    pub action: String,
    /// The one that they began with; none: nothing of them has begun.
    pub plugin: Option<String>,
    pub state: JobState,
    pub jobs: u64,
}

/// How much room a store takes, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnDisk {
    /// The database.
    pub file: u64,
    /// The log of writes beside it.
    pub log: u64,
    /// What is left on its file system, for those who may use it.
    pub free: u64,
}
