//! Backtests that people begin on a page: in the background of this process, one at a time for each of them, and a few in all.
//!
//! A trial is kept in memory, with what it came to, until its owner begins another one, it has to make way for others', or the server
//! stops. It only reads, so nothing is lost with it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use zelo_core::Timestamp;
use zelo_runtime::Connection;
use zelo_runtime::backtest::{self, Backtest, Counted, Progress};
use zelo_store::Range;

use crate::App;
use crate::access::Known;
use crate::problem::Problem;

/// Trials that run at once: each takes a processor for itself.
const AT_ONCE: usize = 2;
/// Trials that are remembered, those that run among them.
const KEPT_MAX: usize = 32;

/// The trials of this process, the last one of each person.
#[derive(Default)]
pub(crate) struct Trials(Mutex<BTreeMap<String, Arc<Trial>>>);

/// One backtest.
pub(crate) struct Trial {
    pub(crate) rule: String,
    pub(crate) range: Range,
    pub(crate) begun: Timestamp,
    stopped: AtomicBool,
    stage: Mutex<Stage>,
}

/// How far a trial is.
#[derive(Clone)]
pub(crate) enum Stage {
    Runs(Progress),
    Done(Arc<Tried>),
    Stopped,
    /// The store does not answer, or the rule cannot be used.
    Failed,
}

/// What came of a trial.
pub(crate) struct Tried {
    pub(crate) counted: Counted,
    /// The rule is on nowhere, and was counted as if it were, with its defaults.
    pub(crate) as_if_on: bool,
}

/// Why a trial did not begin.
pub(crate) enum Refused {
    /// Another one of the same person runs.
    Own,
    /// As many of others run as may.
    Full,
}

impl Trial {
    pub(crate) fn stage(&self) -> Stage {
        lock(&self.stage).clone()
    }

    fn runs(&self) -> bool {
        matches!(*lock(&self.stage), Stage::Runs(_))
    }
}

impl Trials {
    /// The last one that `who` has begun.
    pub(crate) fn of(&self, who: &Known) -> Option<Arc<Trial>> {
        lock(&self.0).get(who.actor().as_str()).cloned()
    }

    /// Has the one of `who` stop, if it runs.
    pub(crate) fn stop(&self, who: &Known) {
        if let Some(trial) = self.of(who) {
            trial.stopped.store(true, Ordering::Release);
        }
    }

    fn enter(&self, who: &Known, trial: Arc<Trial>) -> Result<(), Refused> {
        let mut trials = lock(&self.0);
        let owner = who.actor().as_str().to_owned();
        if trials.get(&owner).is_some_and(|own| own.runs()) {
            return Err(Refused::Own);
        }
        if trials.values().filter(|trial| trial.runs()).count() >= AT_ONCE {
            return Err(Refused::Full);
        }
        if trials.len() >= KEPT_MAX
            && let Some(oldest) = trials.iter().filter(|(_, trial)| !trial.runs()).min_by_key(|(_, trial)| trial.begun)
        {
            let oldest = oldest.0.clone();
            trials.remove(&oldest);
        }
        trials.insert(owner, trial);
        Ok(())
    }
}

/// Begins a backtest of `rule`, which is in force, over the events of `range`, for `who`.
///
/// # Errors
/// The store does not answer.
pub(crate) async fn begin(app: &App, who: &Known, rule: &str, range: Range) -> Result<Result<(), Refused>, Problem> {
    let runtime = &app.runtime;
    let (edition, rows) = (runtime.rules.current(), runtime.store.automations().await?);
    let trial = Arc::new(Trial {
        rule: rule.to_owned(),
        range: range.clone(),
        begun: runtime.clock.now(),
        stopped: AtomicBool::new(false),
        stage: Mutex::new(Stage::Runs(Progress::default())),
    });
    if let Err(refused) = app.trials.enter(who, trial.clone()) {
        return Ok(Err(refused));
    }
    let (runtime, handle, ends) = (runtime.clone(), Handle::current(), app.stop.clone());
    let watched = trial.clone();
    let work = tokio::task::spawn_blocking(move || {
        let mut connections: Vec<&Connection> = runtime.connections.values().collect();
        connections.sort_by(|one, other| one.name.cmp(&other.name));
        let tools = (runtime.channels.clone(), runtime.store.indexer().clone());
        let ended = Backtest::alone(&edition, &rows, &trial.rule, &connections, tools).map_err(|error| error.to_string()).and_then(
            |(backtest, as_if_on)| {
                let mut tell = |progress: Progress| {
                    *lock(&trial.stage) = Stage::Runs(progress);
                    let ends = trial.stopped.load(Ordering::Acquire) || ends.as_ref().is_some_and(|ends| *ends.borrow());
                    if ends { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                };
                let counted = backtest::replay(runtime.store.archive(), &handle, &range, backtest, &mut tell);
                Ok((counted.map_err(|error| error.to_string())?, as_if_on))
            },
        );
        *lock(&trial.stage) = match ended {
            Ok((Some(counted), as_if_on)) => Stage::Done(Arc::new(Tried { counted, as_if_on })),
            Ok((None, _)) => Stage::Stopped,
            Err(error) => {
                tracing::error!(error, rule = trial.rule, "a backtest came to no end");
                Stage::Failed
            }
        };
    });
    tokio::spawn(async move {
        // One that broke off would else run for ever.
        if work.await.is_err() {
            *lock(&watched.stage) = Stage::Failed;
        }
    });
    Ok(Ok(()))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
