//! One attempt at one job: is it still due, what may it see, what did it do, how did it end.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Map, Value};
use tracing::{Instrument, debug_span};
use zelo_core::breaker::{DOWN, Held, Patience};
use zelo_core::decide::{RULE_GONE, SWITCHED_OFF};
use zelo_core::halt::{HALTED, HaltScope};
use zelo_core::invocation::EventRef;
use zelo_core::job::Reason;
use zelo_core::reschedule;
use zelo_core::settle::{AttemptEnd, Report, Settlement, frozen};
use zelo_core::timing::{Due, Records};
use zelo_core::{Event, Indexer, Invocation, Job, JobId, Timestamp};
use zelo_host::{End, HARD_STOP, Limit, Limits, Run, Stop};
use zelo_rules::{InForce, Prepared, Unprepared};
use zelo_store::sqlite::WITHDRAWN;
use zelo_store::{RecordSet, Work};

use crate::Runtime;
use crate::budgets::{ASK_AGAIN, Answer, Places};
use crate::recorder::{self, Recorder, Trace};
use crate::rulebook::Edition;

/// How long a job without `expires` waits for a missing contact, counted from its due time.
pub const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How long what an attempt asks of the store may take before its plugin runs, and again what is on its way to the disk when it has run.
/// Longer than any answer takes that will come.
const GRACE: Duration = Duration::from_secs(10);
/// The code of the reason where something that an attempt waited for never came.
const DEADLINE: &str = "deadline";

/// An attempt takes no longer under `limits`, but for the wait for a free instance and for a plugin to be compiled, which have bounds of
/// their own: whatever hangs in it, it is over by then.
pub fn longest(limits: &Limits) -> Duration {
    limits.wall.saturating_add(HARD_STOP).saturating_add(2 * GRACE)
}

/// The code of the reason where the plugin itself asked to be run again, or said that it cannot be done.
pub(crate) const PLUGIN: &str = "plugin";
/// The code of the reason where the plugin said that something is missing; and where it said so too late to wait for it.
pub(crate) const MISSING: &str = "missing";
pub(crate) const MISSING_LATE: &str = "missing_late";

impl Runtime {
    /// Runs `work` once. Always comes to a settlement; the caller stores it, and lets go of the places then.
    pub async fn attempt(&self, work: Work) -> (Settlement, Places) {
        let edition = self.rules.current();
        let prepared = tokio::time::timeout(GRACE, self.prepare(&edition, &work)).instrument(debug_span!("prepare")).await;
        match prepared.unwrap_or_else(|_| Err(overdue("the store did not answer before it began"))) {
            Err(end) => self.settlement(work.job.id, work.job.lease, (end, Trace::default(), Said::default())),
            Ok((call, places)) => self.perform(&edition, work, call, places).await,
        }
    }

    /// The call to make, and the places that it holds; or how the attempt ends without one.
    async fn prepare(&self, edition: &Edition, work: &Work) -> Result<(Call, Places), AttemptEnd> {
        let call = self.ready_call(edition, work)?;
        self.not_held(&work.job, &call)?;
        self.consented(edition, &work.job).await?;
        let places = self.within_budget(&work.job, &call).await?;
        Ok((call, places))
    }

    /// Makes `call` for `work`, and comes to a settlement; also the places that it holds until that is stored.
    pub(crate) async fn perform(&self, edition: &Edition, work: Work, call: Call, places: Places) -> (Settlement, Places) {
        let (job, lease) = (work.job.id, work.job.lease);
        self.settlement(job, lease, self.call(edition, work, call, places).await)
    }

    fn settlement(&self, job: JobId, lease: u64, (end, trace, said): (AttemptEnd, Trace, Said)) -> (Settlement, Places) {
        let Trace { journal, shown, local, emitted, outward, lines, places, kept: _, writing: _ } = trace;
        let report = Report { summary: said.summary, output: said.output, lines };
        (Settlement { job, lease, end, journal, shown, local, emitted, outward, report, policy: self.retry }, places)
    }

    /// The invocation to run: the frozen one, or a new one if the job is still wanted, due and complete.
    fn ready_call(&self, edition: &Edition, work: &Work) -> Result<Call, AttemptEnd> {
        let job = &work.job;
        let now = self.clock.now();
        still_on(&edition.in_force, job)?;
        if let Some(invocation) = frozen(&work.journal) {
            not_expired(job, job.expires, now)?;
            return Ok(Call { invocation: invocation.clone(), frozen: true, until: now, expires: job.expires });
        }
        let events = if work.collected.is_empty() { std::slice::from_ref(&work.event) } else { &work.collected };
        let seen = Seen { event: &work.event, collected: events, records: &work.records, steps: &work.steps, index: self.store.indexer() };
        let (prepared, due) = readiness(&edition.in_force, job, &seen, now)?;
        Ok(Call::first(work, prepared, now, (waiting_until(job, due.expires), due.expires)))
    }

    /// Whether a job that has met a destination that is left alone would meet it again, whatever it asks for: then its plugin is not
    /// even shown what it is about.
    fn not_held(&self, job: &Job, call: &Call) -> Result<(), AttemptEnd> {
        let patience = Patience::of(job);
        if !patience.has_waited() {
            return Ok(());
        }
        match self.held_everywhere(&call.invocation.grants.http, &job.automation) {
            Some(held) => Err(self.deferred(patience, &held, call.frozen)),
            None => Ok(()),
        }
    }

    /// How an attempt at a job with this `patience` ends that met a destination which is left alone; `begun`, where something of it is
    /// kept.
    fn deferred(&self, patience: Patience, held: &Held, begun: bool) -> AttemptEnd {
        let end = held.end(patience, begun, self.clock.now());
        if matches!(end, AttemptEnd::Deferred { .. }) {
            self.metrics().deferred(&held.host);
        }
        end
    }

    /// Whether the people of `job` agree to it: a withdrawal ends it, and so does a consent that it needs and nobody gave.
    async fn consented(&self, edition: &Edition, job: &Job) -> Result<(), AttemptEnd> {
        let action = edition.in_force.action(&job.automation, &job.action);
        let Some(consent) = action.and_then(|action| action.consent()) else { return Ok(()) };
        let word = self.store.consent(job.id, &consent.topic).await;
        let word = word.map_err(|error| AttemptEnd::Retry { reason: Reason::new("store", error.to_string()), after: None })?;
        match word {
            Some(word) if !word.given => Err(AttemptEnd::Cancelled(Reason::new(
                WITHDRAWN,
                format!("the consent `{}` that it needs was withdrawn at {}", word.topic, word.at),
            ))),
            None if consent.needed => Err(AttemptEnd::Skipped(Reason::new(
                "no_consent",
                format!("its basis is the consent `{}`, which was not given", consent.topic),
            ))),
            Some(_) | None => Ok(()),
        }
    }

    /// Keeps a place free for a message to each recipient whose budget allows one more; skips the job where none does. A job
    /// that has begun goes on: what it has sent is counted, and what it will send is asked for when it does.
    async fn within_budget(&self, job: &Job, call: &Call) -> Result<Places, AttemptEnd> {
        let mut places = Places::default();
        let granted = call.invocation.grants.messages.as_ref().filter(|granted| !call.frozen && !granted.to.is_empty());
        let Some(granted) = granted else { return Ok(places) };
        let now = self.clock.now();
        let (mut free, mut spent, mut later) = (false, None, false);
        let mut asked = BTreeSet::new();
        for to in &granted.to {
            let Some(asking) = self.budgets.asking(self.store.as_ref(), job, to, granted.budget, now) else {
                free = true;
                continue;
            };
            if !asked.insert(asking.contact()) {
                continue;
            }
            match self.budgets.ask(self.store.as_ref(), &asking).await {
                Ok(Answer::Take(place)) => {
                    places.keep(place);
                    free = true;
                }
                Ok(Answer::Spent(why)) => spent = Some(why),
                Ok(Answer::Later) => later = true,
                Err(error) => return Err(AttemptEnd::Retry { reason: Reason::new("store", error.to_string()), after: None }),
            }
        }
        match spent {
            _ if free => Ok(places),
            Some(why) if !later => Err(AttemptEnd::Skipped(Reason::new("budget", why))),
            _ => {
                let again = SignedDuration::try_from(ASK_AGAIN).unwrap_or(SignedDuration::ZERO);
                Err(AttemptEnd::Moved(Due { at: now.saturating_add(again).unwrap_or(Timestamp::MAX), expires: call.expires }))
            }
        }
    }

    async fn call(&self, edition: &Edition, work: Work, call: Call, places: Places) -> (AttemptEnd, Trace, Said) {
        let Call { invocation, frozen, until, expires: _ } = call;
        let Some(plugin) = edition.catalog.with_digest(&self.host, &invocation.plugin_digest).await else {
            let text = "the version of the plugin that it began with is gone; bring that file back, or start the job anew";
            return (dead("no_plugin", text.to_owned()), Trace::default(), Said::default());
        };
        let prepared = match edition.catalog.prepared(&self.host, &plugin, invocation.grants.capabilities()) {
            Ok(prepared) => prepared,
            Err(missing) => return (dead("not_granted", missing.to_string()), Trace::default(), Said::default()),
        };
        // Claimed before the halt: it is shown nothing.
        if let Some(scope) = self.line.is_halted(&invocation.rule, &plugin.manifest().name) {
            return (halt(&scope, frozen.then(|| plugin.manifest().name.clone())), Trace::default(), Said::default());
        }
        let patience = Patience::of(&work.job);
        let limits = Limits::lowered_to(self.limits, plugin.manifest());
        let (recorder, trace) = Recorder::new(self, &edition.in_force, work, &invocation, frozen);
        recorder::lock(&trace).places = places;
        let name = &plugin.manifest().name;
        let span = debug_span!("call", plugin = name, end = tracing::field::Empty, cpu_us = tracing::field::Empty);
        let run = tokio::select! {
            biased;
            halted = self.line.halted(&invocation.rule, name) => Err(halted),
            run = self.host.run(&prepared, &invocation, Box::new(recorder), &limits).instrument(span.clone()) => Ok(run),
        };
        if let Ok(run) = &run {
            span.record("end", run.end.kind()).record("cpu_us", u64::try_from(run.cpu.as_micros()).unwrap_or(u64::MAX));
            self.metrics().called(name, run);
        }
        // What was on its way to the disk when the run ended gets there first, or not at all.
        let writing = recorder::lock(&trace).writing.clone();
        let written = tokio::time::timeout(GRACE, writing.lock()).await.is_ok();
        let mut trace = std::mem::take(&mut *recorder::lock(&trace));
        // Nobody knows how far it got: nothing is kept but what is on disk, and what gets there later is stale.
        if !written {
            return (overdue("what it did could not be put on disk"), trace.given_up(invocation, frozen), Said::default());
        }
        if let Ok(Run { end: End::Limit(Limit::Deadline), .. }) = &run {
            let frozen = frozen || trace.kept;
            return (overdue("its run did not end when it was told to"), trace.given_up(invocation, frozen), Said::default());
        }
        let run = match run {
            Ok(run) => run,
            Err(halted) => {
                let begun = frozen || trace.kept;
                return (halt(&halted, begun.then(|| name.clone())), trace.broken_off(invocation, begun), Said::default());
            }
        };
        let (end, said) = match run.end {
            // Nothing was done, so nothing needs to be repeated: the next attempt sees what has come by then.
            End::Missing { reason } if !frozen && trace.is_idle() => {
                trace.journal.clear();
                trace.shown = Some(Box::new(invocation));
                let missing = Reason::new(MISSING, "the plugin says that something is missing");
                (wait(missing, until, self.clock.now()), Said::because(reason))
            }
            end => {
                let begun = frozen || trace.kept || trace.has_asked() || !trace.is_idle();
                if let End::Stopped(Stop::Held(_)) = end {
                    // It says the same each time that it comes back.
                    trace.lines.clear();
                    if !begun {
                        trace.journal.clear();
                        trace.shown = Some(Box::new(invocation));
                    }
                }
                ended(end, |held| self.deferred(patience, held, begun))
            }
        };
        (end, trace, said)
    }
}

/// What is about to run.
pub(crate) struct Call {
    invocation: Invocation,
    /// Whether an earlier attempt stored it.
    frozen: bool,
    /// How long it may wait for what is missing.
    until: Timestamp,
    /// From when on it is too late.
    expires: Option<Timestamp>,
}

impl Call {
    /// The first call for `work`, at `now`, with what was prepared for it; it may wait `until` then for what is missing, and is
    /// too late when it `expires`.
    pub(crate) fn first(work: &Work, prepared: Prepared, now: Timestamp, (until, expires): (Timestamp, Option<Timestamp>)) -> Self {
        let job = &work.job;
        let invocation = Invocation {
            job: job.id.to_string(),
            rule: job.rule.clone(),
            action: job.action.clone(),
            event: EventRef { id: job.event.to_string(), kind: work.event.kind.clone(), time: work.event.time.to_string() },
            now: now.to_string(),
            seed: seed(job),
            locale: prepared.locale,
            input: prepared.input,
            grants: prepared.grants,
            plugin_digest: prepared.plugin_digest,
            disclosure: prepared.disclosure,
            records: prepared.records,
        };
        Self { invocation, frozen: false, until, expires }
    }
}

/// What an attempt at a job reads.
pub(crate) struct Seen<'s> {
    pub(crate) event: &'s Event,
    /// All events of the job, in their order; most have one.
    pub(crate) collected: &'s [Event],
    pub(crate) records: &'s dyn Records,
    pub(crate) steps: &'s Map<String, Value>,
    pub(crate) index: &'s Indexer,
}

/// What the plugin of `job` is given if it runs at `now`, and when it was due; or how its attempt ends without a run. A
/// function of its arguments.
pub(crate) fn readiness(in_force: &InForce, job: &Job, seen: &Seen<'_>, now: Timestamp) -> Result<(Prepared, Due), AttemptEnd> {
    still_on(in_force, job)?;
    let due = still_due(in_force, job, seen.records, now)?;
    not_expired(job, due.expires, now)?;
    let prepared = in_force
        .prepare_collected(job, seen.event, seen.collected, seen.records, seen.steps, seen.index)
        .map_err(|unprepared| unready(job, due, unprepared, now))?;
    Ok((prepared, due))
}

/// What a person or the rules say about the time of `job`, on `records`.
fn due(in_force: &InForce, job: &Job, records: &dyn Records) -> Result<Due, Reason> {
    reschedule::due(job, in_force, records)
}

/// A job whose automation is off is not run, not even to its end.
fn still_on(in_force: &InForce, job: &Job) -> Result<(), AttemptEnd> {
    match due(in_force, job, &RecordSet::default()) {
        Err(reason) if reason.code == SWITCHED_OFF || reason.code == RULE_GONE => Err(AttemptEnd::Cancelled(reason)),
        _ => Ok(()),
    }
}

/// Checks the due time once more, on the rules and records of now.
fn still_due(in_force: &InForce, job: &Job, records: &dyn Records, now: Timestamp) -> Result<Due, AttemptEnd> {
    match due(in_force, job, records) {
        Ok(due) if due.at > now => Err(AttemptEnd::Moved(due)),
        Ok(due) => Ok(due),
        Err(reason) => Err(AttemptEnd::Skipped(reason)),
    }
}

/// Too late is skipped, never sent late.
fn not_expired(job: &Job, expires: Option<Timestamp>, now: Timestamp) -> Result<(), AttemptEnd> {
    let Some(expires) = expires.filter(|expires| now >= *expires) else { return Ok(()) };
    Err(match (&job.attention, &job.reason) {
        (Some(missing), _) => {
            AttemptEnd::Skipped(Reason::new(&missing.code, format!("{}, and was still missing when it expired at {expires}", missing.text)))
        }
        (None, Some(failure)) if job.attempt > 1 || failure.code == DOWN => {
            AttemptEnd::Dead(Reason::new(&failure.code, format!("given up: it expired at {expires}; the last attempt: {}", failure.text)))
        }
        _ => AttemptEnd::Skipped(Reason::new("expired", format!("too late: it expired at {expires}"))),
    })
}

fn unready(job: &Job, due: Due, unprepared: Unprepared, now: Timestamp) -> AttemptEnd {
    match unprepared {
        Unprepared::Skip(reason) => AttemptEnd::Skipped(reason),
        Unprepared::Fail(reason) => AttemptEnd::Dead(reason),
        Unprepared::Wait(reason) => wait(reason, waiting_until(job, due.expires), now),
    }
}

/// How long `job` waits for what is missing.
fn waiting_until(job: &Job, expires: Option<Timestamp>) -> Timestamp {
    expires.unwrap_or_else(|| job.due.saturating_add(LONGEST_WAIT).unwrap_or(Timestamp::MAX))
}

/// Broken off by a halt; `begun`, where something of it is on disk, with this plugin.
fn halt(scope: &HaltScope, begun: Option<String>) -> AttemptEnd {
    AttemptEnd::Interrupted {
        reason: Reason::new(HALTED, format!("broken off: {scope} was halted; it goes on when that is lifted")),
        begun,
    }
}

/// Something hung. It is tried again, but not for ever; what it had begun elsewhere stands in its journal.
fn overdue(what: &str) -> AttemptEnd {
    tracing::warn!(what, "an attempt was broken off at its deadline");
    AttemptEnd::Retry { reason: Reason::new(DEADLINE, format!("broken off at its deadline: {what}")), after: None }
}

/// Waits for what is missing until `until`; not for ever.
fn wait(missing: Reason, until: Timestamp, now: Timestamp) -> AttemptEnd {
    if until <= now {
        return AttemptEnd::Skipped(Reason::new(&missing.code, format!("{}, and has been for too long", missing.text)));
    }
    AttemptEnd::Wait { reason: missing, until }
}

/// How a run ends its attempt. A trap or a limit on what it does comes again with the same input, so it is final; a
/// limit on time may be the fault of a busy machine. `deferred` says how long a destination that is left alone is waited for.
fn ended(end: End, deferred: impl FnOnce(&Held) -> AttemptEnd) -> (AttemptEnd, Said) {
    let later = |code: &str, text: &str, after: Option<std::time::Duration>| AttemptEnd::Retry {
        reason: Reason::new(code, text),
        after: after.and_then(|after| SignedDuration::try_from(after).ok()),
    };
    match end {
        End::Outcome { code, summary, output } => (AttemptEnd::Done { code }, Said { summary: Some(summary), output }),
        End::Retry { reason, after } => (later(PLUGIN, "the plugin asked to be run again later", after), Said::because(reason)),
        End::Permanent { reason } => (dead(PLUGIN, "the plugin says that it cannot be done".to_owned()), Said::because(reason)),
        End::Missing { reason } => {
            (dead(MISSING_LATE, "the plugin says that something is missing, after it had begun".to_owned()), Said::because(reason))
        }
        End::Limit(limit @ (Limit::Cpu | Limit::Wall)) => (later(limit.as_str(), &limit.to_string(), None), Said::default()),
        End::Limit(limit) => (dead(limit.as_str(), limit.to_string()), Said::default()),
        End::Trap { message } => (dead("trap", "the plugin broke off".to_owned()), Said::because(message)),
        End::Stopped(Stop::Cancelled(reason)) => (AttemptEnd::Cancelled(reason), Said::default()),
        End::Stopped(Stop::Later { reason, after }) => (later("later", "an effect could not be done yet", after), Said::because(reason)),
        End::Stopped(Stop::Held(held)) => (deferred(&held), Said::default()),
        End::Stopped(Stop::Unknown { reason }) => {
            let text = "a request was begun, and nobody can know whether it was carried out; look there, and decide";
            (AttemptEnd::Unknown(Reason::new("unknown", text)), Said::because(reason))
        }
        End::Stopped(Stop::Store(why)) => (later("store", &why, None), Said::default()),
        End::Stopped(Stop::Differs { asked, recorded }) => {
            let text = format!("this attempt asks for {asked}, where an earlier one did {recorded}; a plugin must do the same again");
            (dead("differs", text), Said::default())
        }
    }
}

/// What a plugin said of its end: it may hold personal data, so it is kept apart from the reason, sealed.
#[derive(Default)]
struct Said {
    summary: Option<String>,
    output: Option<Value>,
}

impl Said {
    fn because(summary: String) -> Self {
        Self { summary: Some(summary), output: None }
    }
}

fn dead(code: &str, text: String) -> AttemptEnd {
    AttemptEnd::Dead(Reason::new(code, text))
}

/// A number of the job's own, the same on every attempt.
fn seed(job: &Job) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|place| job.id.bytes()[8 + place]))
}
