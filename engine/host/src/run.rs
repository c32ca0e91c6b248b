//! One run of a plugin, from its invocation to its end.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use wasmtime::{Store, Trap, UpdateDeadline};
use zelo_core::Invocation;

use crate::bindings::types;
use crate::effects::{Effects, Level, Stop};
use crate::limits::{Limit, Limits};
use crate::meter::{Ceiling, Stopwatch};
use crate::plugin::Prepared;

/// What one run came to.
#[derive(Debug)]
pub struct Run {
    pub end: End,
    /// Computing, without waiting for effects.
    pub cpu: Duration,
    /// From beginning to end, without the wait for a free instance.
    pub wall: Duration,
    /// Bytes of linear memory at the end.
    pub memory: usize,
    /// Calls of imported functions.
    pub host_calls: u32,
    /// Lines of log that were over the limit.
    pub log_lines_dropped: u32,
}

/// How a run ended. Texts are the plugin's own words: kept sealed like personal data.
#[derive(Clone, PartialEq)]
pub enum End {
    /// It did what it was asked to.
    Outcome { code: String, summary: String, output: Option<Value> },
    /// It asks to be tried again.
    Retry { reason: String, after: Option<Duration> },
    /// It says that it will never work.
    Permanent { reason: String },
    /// It says that something is missing which a person or a later event may bring. Only a run that has done nothing yet
    /// can wait for it; the caller knows whether this one has.
    Missing { reason: String },
    /// The runtime ended it.
    Stopped(Stop),
    /// It used more than it may.
    Limit(Limit),
    /// It broke down: a panic, an instruction that traps, an answer that the contract does not allow. Never carries
    /// what the plugin wrote.
    Trap { message: String },
}

impl End {
    /// A word for logs and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Outcome { .. } => "outcome",
            Self::Retry { .. } => "retry",
            Self::Permanent { .. } => "permanent",
            Self::Missing { .. } => "missing",
            Self::Stopped(_) => "stopped",
            Self::Limit(_) => "limit",
            Self::Trap { .. } => "trap",
        }
    }
}

/// Prints what carries no content.
impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outcome { code, .. } => write!(f, "Outcome({code})"),
            Self::Retry { after, .. } => write!(f, "Retry({after:?})"),
            Self::Permanent { .. } => f.write_str("Permanent"),
            Self::Missing { .. } => f.write_str("Missing"),
            Self::Stopped(stop) => write!(f, "Stopped({stop:?})"),
            Self::Limit(limit) => write!(f, "Limit({})", limit.as_str()),
            Self::Trap { message } => write!(f, "Trap({message})"),
        }
    }
}

/// What the store of a run holds: everything that host calls need.
pub(crate) struct State {
    effects: Box<dyn Effects>,
    limits: Limits,
    watch: Arc<Stopwatch>,
    ceiling: Ceiling,
    /// Why the host ended the run; outranks whatever error comes out of the engine.
    ending: Option<End>,
    host_calls: u32,
    bytes_in: usize,
    bytes_out: usize,
    log_lines: u32,
}

/// Runs the plugin once. The caller has made sure that there is room for an instance.
pub(crate) async fn run(prepared: &Prepared, call: &Invocation, effects: Box<dyn Effects>, limits: Limits) -> Run {
    let watch = Arc::new(Stopwatch::start());
    let state = State {
        effects,
        limits,
        watch: Arc::clone(&watch),
        ceiling: Ceiling::new(&limits),
        ending: None,
        host_calls: 0,
        bytes_in: 0,
        bytes_out: 0,
        log_lines: 0,
    };
    let mut store = Store::new(prepared.pre().engine(), state);
    store.limiter(|state| &mut state.ceiling);
    store.set_hostcall_fuel(limits.bytes_out);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut context| context.data_mut().tick());

    let answer = {
        let mut work = pin!(attempt(&mut store, prepared, call));
        poll_fn(|context| {
            watch.resume();
            let polled = work.as_mut().poll(context);
            watch.busy();
            polled
        })
        .await
    };
    watch.resume();
    let cpu = watch.busy();
    // The state goes with the store: nothing of this run is left when the next one begins.
    let state = store.into_data();
    let run = |end| Run {
        end,
        cpu,
        wall: watch.wall(),
        memory: state.ceiling.memory(),
        host_calls: state.host_calls,
        log_lines_dropped: state.log_lines.saturating_sub(limits.log_lines),
    };
    if let Some(end) = state.ending {
        return run(end);
    }
    if let Some(limit) = state.ceiling.exceeded {
        return run(End::Limit(limit));
    }
    match answer {
        Ok(answer) => run(ended(answer, state.bytes_out, &limits)),
        Err(error) => run(broken(&error)),
    }
}

/// What `run` comes to, which is given up `after` this time: the limits inside of it end a run that computes or waits, this one that hangs
/// in the host.
pub(crate) async fn ended_by(after: Duration, run: impl Future<Output = Run>) -> Run {
    match tokio::time::timeout(after, run).await {
        Ok(run) => run,
        Err(_elapsed) => {
            Run { end: End::Limit(Limit::Deadline), cpu: Duration::ZERO, wall: after, memory: 0, host_calls: 0, log_lines_dropped: 0 }
        }
    }
}

type Answer = Result<types::Outcome, types::Failure>;

/// Instantiates and calls.
async fn attempt(store: &mut Store<State>, prepared: &Prepared, call: &Invocation) -> wasmtime::Result<Answer> {
    let call = store.data_mut().invocation(call)?;
    let instance = prepared.pre().instantiate_async(&mut *store).await?;
    instance.call_run(&mut *store, &call).await
}

/// Checks what the plugin answered.
fn ended(answer: Answer, bytes_out: usize, limits: &Limits) -> End {
    let size = match &answer {
        Ok(outcome) => outcome.code.len() + outcome.summary.len() + outcome.output.as_ref().map_or(0, String::len),
        Err(types::Failure::Retry(retry)) => retry.reason.len(),
        Err(types::Failure::Permanent(reason) | types::Failure::Missing(reason)) => reason.len(),
    };
    if bytes_out.saturating_add(size) > limits.bytes_out {
        return End::Limit(Limit::BytesOut);
    }
    let outcome = match answer {
        Ok(outcome) => outcome,
        Err(types::Failure::Retry(types::Retry { reason, after_ms })) => {
            return End::Retry { reason, after: after_ms.map(Duration::from_millis) };
        }
        Err(types::Failure::Permanent(reason)) => return End::Permanent { reason },
        Err(types::Failure::Missing(reason)) => return End::Missing { reason },
    };
    if !is_code(&outcome.code) {
        return End::Trap { message: "the outcome's code is not 1 to 64 of a-z, 0-9, `-`, `_` and `.`, a letter first".into() };
    }
    let output = match outcome.output.as_deref().map(serde_json::from_str::<Value>).transpose() {
        Ok(output) => output,
        Err(error) => {
            let (line, column) = (error.line(), error.column());
            return End::Trap { message: format!("the outcome's output is not JSON (line {line}, column {column})") };
        }
    };
    End::Outcome { code: outcome.code, summary: outcome.summary, output }
}

fn is_code(code: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    code.len() <= 64 && code.starts_with(|c: char| c.is_ascii_lowercase()) && code.chars().all(plain)
}

/// What an error that comes out of the engine means.
fn broken(error: &wasmtime::Error) -> End {
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => return End::Limit(Limit::Stack),
        Some(trap) => return End::Trap { message: trap.to_string() },
        None => {}
    }
    // wasmtime keeps the type of this error to itself; a test holds its words still.
    let text = error.root_cause().to_string();
    if text.contains("fuel allocated for hostcalls has been exhausted") {
        return End::Limit(Limit::BytesOut);
    }
    End::Trap { message: text }
}

impl State {
    /// Ends the run from inside: the error that a host function or a callback gives back to the engine.
    pub(crate) fn end(&mut self, end: End) -> wasmtime::Error {
        self.ending.get_or_insert(end);
        wasmtime::format_err!("the host ended the run")
    }

    /// An epoch is over while the plugin computes: let others run, unless its time is up.
    fn tick(&mut self) -> wasmtime::Result<UpdateDeadline> {
        if self.watch.busy() > self.limits.cpu {
            return Err(self.end(End::Limit(Limit::Cpu)));
        }
        if self.watch.wall() > self.limits.wall {
            return Err(self.end(End::Limit(Limit::Wall)));
        }
        Ok(UpdateDeadline::Yield(1))
    }

    /// The invocation as the plugin sees it: without grants, digest and field names.
    fn invocation(&mut self, call: &Invocation) -> wasmtime::Result<types::Invocation> {
        let input = call.input.to_string();
        self.give(input.len())?;
        Ok(types::Invocation {
            job_id: call.job.clone(),
            rule: call.rule.clone(),
            action: call.action.clone(),
            event: types::Event { id: call.event.id.clone(), type_: call.event.kind.clone(), time: call.event.time.clone() },
            now: call.now.clone(),
            seed: call.seed,
            locale: call.locale.clone(),
            input,
        })
    }

    /// Counts a call of an imported function that brings `bytes`.
    pub(crate) fn called(&mut self, bytes: usize) -> wasmtime::Result<()> {
        self.host_calls += 1;
        if self.host_calls > self.limits.host_calls {
            return Err(self.end(End::Limit(Limit::HostCalls)));
        }
        self.bytes_out = self.bytes_out.saturating_add(bytes);
        if self.bytes_out > self.limits.bytes_out {
            return Err(self.end(End::Limit(Limit::BytesOut)));
        }
        Ok(())
    }

    /// Counts `bytes` that the plugin is given.
    pub(crate) fn give(&mut self, bytes: usize) -> wasmtime::Result<()> {
        self.bytes_in = self.bytes_in.saturating_add(bytes);
        if self.bytes_in > self.limits.bytes_in {
            return Err(self.end(End::Limit(Limit::BytesIn)));
        }
        Ok(())
    }

    /// Passes a line of log on, if there is room for one.
    pub(crate) fn log(&mut self, level: Level, text: &str) {
        self.log_lines += 1;
        if self.log_lines <= self.limits.log_lines {
            self.effects.log(level, text);
        }
    }

    /// Has an effect done, within the wall time that is left.
    pub(crate) async fn perform(&mut self, effect: zelo_core::Effect) -> wasmtime::Result<zelo_core::EffectResult> {
        let left = self.limits.wall.saturating_sub(self.watch.wall());
        match tokio::time::timeout(left, self.effects.perform(effect)).await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(stop)) => Err(self.end(End::Stopped(stop))),
            Err(_elapsed) => Err(self.end(End::Limit(Limit::Wall))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_run_that_hangs_is_given_up() {
        let started = tokio::time::Instant::now();
        let run = ended_by(Duration::from_secs(40), std::future::pending()).await;
        assert_eq!((run.end, started.elapsed().as_secs()), (End::Limit(Limit::Deadline), 40));
    }
}
