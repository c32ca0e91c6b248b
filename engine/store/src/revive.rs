//! What people decide about jobs: what they ask for, and what becomes of it.

use std::num::NonZeroU32;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use zelo_core::job::Reason;
use zelo_core::revive::Verdict;
use zelo_core::timing::Timetable;
use zelo_core::{Actor, Clinics, Job, JobId, JobState};

/// Asks that ended jobs be run again, or be said to be done or not.
#[derive(Clone)]
pub struct Revive {
    pub which: Which,
    pub verdict: Verdict,
    /// How many of them run each minute, so that a destination that has just come back is not flooded; none: all at once.
    pub per_minute: Option<NonZeroU32>,
    /// Only says what would become of them.
    pub dry_run: bool,
    pub actor: Actor,
    /// The rules in force: a job whose automation is off is not run.
    pub timetable: Arc<dyn Timetable>,
}

/// Which jobs are meant.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    Jobs(Vec<JobId>),
    All(Trouble),
}

/// Jobs that ended badly. What is not given does not matter.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trouble {
    /// `dead`, or `unknown`.
    #[serde(default = "dead")]
    pub state: JobState,
    pub rule: Option<String>,
    pub action: Option<String>,
    /// The code of the reason why they ended.
    pub code: Option<String>,
    pub connection: Option<String>,
    pub clinic: Option<String>,
    /// Ended then or later.
    pub since: Option<Timestamp>,
    /// Ended before.
    pub until: Option<Timestamp>,
    /// Only those of these: what who asks is told of, which is not theirs to say.
    #[serde(skip)]
    pub clinics: Clinics,
}

fn dead() -> JobState {
    JobState::Dead
}

impl Default for Trouble {
    /// All that are dead.
    fn default() -> Self {
        Self {
            state: dead(),
            rule: None,
            action: None,
            code: None,
            connection: None,
            clinic: None,
            since: None,
            until: None,
            clinics: Clinics::All,
        }
    }
}

impl Trouble {
    /// Whether all are meant that ended so.
    pub fn is_all(&self) -> bool {
        let Self { state: _, rule, action, code, connection, clinic, since, until, clinics } = self;
        let unsaid = [rule, action, code, connection, clinic].into_iter().all(Option::is_none) && since.is_none() && until.is_none();
        unsaid && clinics.named().is_none()
    }
}

/// No call decides about more jobs than this; of those that a step brings back, no more are told.
pub const REVIVED_MAX: usize = 10_000;

/// What becomes of the jobs that were meant, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Revivals {
    pub jobs: Vec<Revival>,
    /// There are no jobs with these ids.
    pub missing: Vec<JobId>,
    /// There are more than [`REVIVED_MAX`].
    pub more: bool,
}

impl Revivals {
    /// How many were not decided as was asked.
    pub fn refused(&self) -> usize {
        self.missing.len() + self.jobs.iter().filter(|job| job.refused.is_some()).count()
    }
}

/// What becomes of one job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Revival {
    pub job: JobId,
    pub rule: String,
    pub action: String,
    pub connection: String,
    pub clinic: Option<String>,
    /// How it stood.
    pub was: JobState,
    /// How it stands now.
    pub state: JobState,
    /// When it runs, where it is live again.
    pub run_at: Option<Timestamp>,
    /// The step with which it comes back.
    pub with: Option<JobId>,
    /// Why not: it stands as it did.
    pub refused: Option<Reason>,
}

/// What became of a job that a person cancels.
#[derive(Clone, Debug, PartialEq)]
pub enum Cancellation {
    /// It ended.
    Ended(Box<Job>),
    /// It runs, and is asked to stop before its next outward effect.
    Asked(Box<Job>),
    /// It had ended before, so.
    Over(JobState),
}

/// Asks that a pending job run at another time.
#[derive(Clone)]
pub struct Reschedule {
    pub job: JobId,
    /// At once, where that has passed.
    pub to: Timestamp,
    pub actor: Actor,
    /// The rules in force: they say when it would run.
    pub timetable: Arc<dyn Timetable>,
}

/// What became of a job that a person moves.
#[derive(Clone, Debug, PartialEq)]
pub enum Rescheduled {
    /// It runs then.
    Moved(Box<Job>),
    /// It stands as it did.
    Refused(Reason),
}

/// What a person decided about a job.
#[derive(Clone, Debug, PartialEq)]
pub struct DecisionView {
    pub at: Timestamp,
    pub actor: Actor,
    pub decision: Decided,
    /// How it stood before, and why; one that a replay made, how it was made.
    pub was: JobState,
    pub reason: Option<Reason>,
    /// The step with which it came back.
    pub with: Option<JobId>,
}

/// A decision of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decided {
    /// To run it again.
    Revived,
    /// That it was carried out.
    Done,
    /// That it was not, and is not wanted.
    GivenUp,
    /// That it shall not run.
    Cancelled,
    /// To make it, in a replay.
    Replayed,
    /// When it runs.
    Moved,
}

impl Decided {
    /// Every decision.
    pub const ALL: [Self; 6] = [Self::Revived, Self::Done, Self::GivenUp, Self::Cancelled, Self::Replayed, Self::Moved];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Revived => "revived",
            Self::Done => "done",
            Self::GivenUp => "given_up",
            Self::Cancelled => "cancelled",
            Self::Replayed => "replayed",
            Self::Moved => "moved",
        }
    }

    /// The decision that a word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|decision| decision.as_str() == word)
    }
}
