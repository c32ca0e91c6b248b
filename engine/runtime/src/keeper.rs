//! Keeps jobs moving: claims what is due, hands it to attempts, settles them, renews their leases, and gives back what is stuck.

use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{Instrument, Span, debug_span, info_span};
use zelo_core::breaker::DOWN;
use zelo_core::settle::Settled;
use zelo_core::{Job, JobState, SpanId, Timestamp, TraceContext, TraceId};
use zelo_host::Limits;
use zelo_store::{Outcome, Work};

use crate::Runtime;
use crate::attempt;
use crate::hands::{Hands, Held};
use crate::room::{Place, Room};

/// How many jobs run at once, and how long one may be held.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Attempts at the same time.
    pub slots: u32,
    /// Renewed every third of it. How long a job waits whose worker is gone; and longer than any attempt takes, so that nobody loses a
    /// job to another for one renewal that did not get through: see [`Pace::under`].
    pub lease: SignedDuration,
    /// How long a stop waits for running attempts; what is left then is broken off, and run again at the next start.
    pub stop: Duration,
}

/// What a settlement may take until it is on disk: as much as a disk that is about to fail.
const SETTLE: Duration = Duration::from_secs(10);

impl Pace {
    /// The pace of runs that may use so much. No manifest raises these limits, so whatever plugins there are, the lease is longer than any
    /// of their attempts ([`attempt::longest`]) and its settlement.
    pub fn under(limits: &Limits) -> Self {
        let lease = attempt::longest(limits).saturating_add(SETTLE);
        let lease = SignedDuration::try_from(lease).unwrap_or(SignedDuration::MAX);
        Self { slots: 64, lease, stop: Duration::from_secs(20) }
    }

    /// How often a lease is renewed: it survives two renewals that do not get through.
    fn beat(self) -> Duration {
        Duration::try_from(self.lease / 3).unwrap_or(LONGEST_NAP)
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self::under(&Limits::default())
    }
}

/// No wait for something due is longer: it bounds what a jump of the machine's clock can do.
const LONGEST_NAP: Duration = Duration::from_secs(1);

/// How often jobs are looked for whose lease ran out while their process lives on.
const LOOK_FOR_STUCK: SignedDuration = SignedDuration::from_secs(30);

/// What is no mere correction of the machine's clock.
const JUMP: SignedDuration = SignedDuration::from_mins(1);

/// What came of asking for jobs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Claimed {
    Some,
    None,
    /// There is no room. Nothing was asked for.
    Busy,
    /// The store did not answer: it is left alone for a while.
    Failed,
}

/// Tells whether the clock was set, by one that nobody can set.
struct Watch {
    now: Timestamp,
    at: Instant,
}

impl Watch {
    fn new(now: Timestamp) -> Self {
        Self { now, at: Instant::now() }
    }

    /// Whether the clock went on by much more or less than time did since the last look.
    fn jumped(&mut self, now: Timestamp) -> bool {
        let before = std::mem::replace(self, Self::new(now));
        let passed = SignedDuration::try_from(self.at.duration_since(before.at)).unwrap_or(SignedDuration::MAX);
        now.duration_since(before.now).checked_sub(passed).is_none_or(|off| off.abs() >= JUMP)
    }
}

impl Runtime {
    /// Runs due jobs until `stop` turns true, then waits for those that run.
    pub async fn keep(&self, pace: Pace, mut stop: watch::Receiver<bool>) {
        let room = Room::new(pace.slots as usize);
        let mut running = JoinSet::new();
        let hands = Hands::default();
        // No worker of an earlier process can be alive: the store is open here only.
        self.give_back(Timestamp::MAX, &hands).await;
        let mut looked = self.clock.now();
        let mut watch = Watch::new(looked);
        let mut beaten = Instant::now();
        while !*stop.borrow() {
            while running.try_join_next().is_some() {}
            let claimed = self.claim_some(&room, pace, &mut running, &hands, &stop).await;
            if matches!(claimed, Claimed::None | Claimed::Failed) {
                self.nap(&mut stop, claimed).await;
            }
            let now = self.clock.now();
            let jumped = watch.jumped(now);
            // By time that nobody can set; and at once where the clock was, by which all leases are meant from now on.
            if jumped || beaten.elapsed() >= pace.beat() {
                beaten = Instant::now();
                self.renew(pace, &hands).await;
            }
            if jumped {
                // A lease says nothing now; who holds a job is known.
                looked = now;
                self.give_back(Timestamp::MAX, &hands).await;
            } else if now.duration_since(looked).abs() >= LOOK_FOR_STUCK {
                looked = now;
                self.give_back(now, &hands).await;
            }
        }
        let drain = async {
            loop {
                tokio::select! {
                    ended = running.join_next() => if ended.is_none() { break },
                    () = tokio::time::sleep(pace.beat()) => self.renew(pace, &hands).await,
                }
            }
        };
        if tokio::time::timeout(pace.stop, drain).await.is_err() {
            tracing::warn!(jobs = running.len(), "jobs still run, and are broken off; they go on at the next start");
            // Nobody else can hold a lease: what these held is free again, and what they had sent stands in their journals.
            running.shutdown().await;
            self.give_back(Timestamp::MAX, &hands).await;
        }
    }

    /// Claims as many jobs as there is room for, and starts them. Where there is none for a while, what is due becomes ready all the same:
    /// who waits for a slot stands in the line.
    async fn claim_some(&self, room: &Room, pace: Pace, running: &mut JoinSet<()>, hands: &Hands, stop: &watch::Receiver<bool>) -> Claimed {
        let Ok(taken) = tokio::time::timeout(LONGEST_NAP, room.take()).await else {
            if let Err(error) = self.store.claim(self.clock.now(), 0, pace.lease, &self.concurrency()).await {
                tracing::error!(%error, "due jobs could not be made ready");
            }
            return Claimed::Busy;
        };
        // Whoever waited for room may have been told to stop since.
        if *stop.borrow() {
            return Claimed::None;
        }
        let limit = u32::try_from(taken.len()).unwrap_or(1);
        let claimed = match self.store.claim(self.clock.now(), limit, pace.lease, &self.concurrency()).await {
            Ok(claimed) => claimed,
            Err(error) => {
                tracing::error!(%error, "jobs could not be claimed");
                return Claimed::Failed;
            }
        };
        let outcome = if claimed.is_empty() { Claimed::None } else { Claimed::Some };
        for (work, taken) in claimed.into_iter().zip(taken) {
            let (runtime, held, mut stop) = (self.clone(), hands.hold(&work.job), stop.clone());
            let span = attempt_span(&work.job);
            let attempt = async move {
                runtime.work(work, taken, &held, &mut stop).await;
                drop(held);
                runtime.bell.notify_one();
            };
            running.spawn(attempt.instrument(span));
        }
        outcome
    }

    /// One attempt and its settlement. Where the disk does not take that, it is tried until it does: what was done outside must not be
    /// forgotten. Where the lease is lost meanwhile, the attempt is broken off: nothing of it would be taken, and another may be at it.
    async fn work(&self, work: Work, mut place: Place, held: &Held, stop: &mut watch::Receiver<bool>) {
        let (rule, action, event) = (work.job.rule.clone(), work.job.action.clone(), work.job.event);
        let (job, lease) = (work.job.id, work.job.lease);
        let received = work.event.received;
        let (settlement, places) = tokio::select! {
            biased;
            () = held.lost() => {
                tracing::warn!(%job, rule, action, lease, "the lease of this job is lost; its attempt was broken off");
                return;
            }
            attempted = place.run(self.attempt(work)) => attempted,
        };
        let settle = || self.store.settle(settlement.clone(), self.clock.now()).instrument(debug_span!("settle"));
        let mut outcome = settle().await;
        while outcome.as_ref().is_err_and(zelo_store::Error::passes) && !*stop.borrow() {
            tracing::warn!(%job, "an attempt cannot be settled yet; it is tried again");
            tokio::select! {
                Ok(()) = stop.changed() => {}
                () = tokio::time::sleep(LONGEST_NAP) => {}
            }
            outcome = settle().await;
        }
        drop(places);
        drop(place);
        match outcome {
            Ok(Outcome { settled: Settled::Applied { job: settled, .. }, others, emitted }) => {
                self.count_attempt(&settled);
                self.count_ended(others.iter().chain([settled.as_ref()]));
                if settled.state == JobState::Done {
                    self.count_done(&settled, received);
                }
                let reason = settled.attention.as_ref().or(settled.reason.as_ref()).map(|reason| reason.code.as_str());
                // While a destination is down, all that waits for it looks in again and again: no news each time.
                if reason == Some(DOWN) && settled.state.is_live() {
                    tracing::debug!(%event, state = settled.state.as_str(), reason, "settled");
                } else {
                    tracing::info!(%event, state = settled.state.as_str(), reason, "settled");
                }
                for decision in emitted {
                    self.count_decision(&decision);
                    let cause = TraceContext { trace: event.into(), span: SpanId::of_attempt(job, lease) };
                    let begun = TraceContext::of_event(decision.event);
                    let span = info_span!(parent: None, "emit", trace_id = %begun.trace, span_id = %begun.span, link = %cause);
                    span.in_scope(|| tracing::info!(event = %decision.event, %job, rules = decision.rules.len(), "emitted"));
                }
                if settled.state == JobState::Dead {
                    tracing::warn!(%job, rule, action, reason, "a job died; see what it says under /api/v1/jobs");
                }
            }
            Ok(_) => tracing::warn!(%job, rule, action, "another worker holds this job now; its result was dropped"),
            // The lease runs out, and the job is run again.
            Err(error) => tracing::error!(%job, %error, "an attempt could not be settled"),
        }
    }

    async fn nap(&self, stop: &mut watch::Receiver<bool>, claimed: Claimed) {
        let now = self.clock.now();
        let next = match claimed {
            Claimed::Failed => None,
            _ => self.store.next_run().await.ok().flatten(),
        };
        let until = next.map_or(LONGEST_NAP, |at| Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO).min(LONGEST_NAP));
        tokio::select! {
            () = self.bell.notified() => {}
            _ = stop.changed() => {}
            () = tokio::time::sleep(until.max(Duration::from_millis(1))) => {}
        }
    }

    /// Renews the leases of all that is in hand, and lets go of what is not ours any more.
    async fn renew(&self, pace: Pace, hands: &Hands) {
        let leases = hands.leases();
        if leases.is_empty() {
            return;
        }
        let until = self.clock.now().saturating_add(pace.lease).unwrap_or(Timestamp::MAX);
        match self.store.renew(&leases, until).await {
            Ok(lost) => hands.lose(&lost),
            Err(error) => tracing::error!(%error, "leases could not be renewed"),
        }
    }

    /// Gives back jobs whose lease has run out at `now`, and that nobody here has in hand.
    async fn give_back(&self, now: Timestamp, hands: &Hands) {
        let held: Vec<_> = hands.leases().into_iter().map(|(job, _)| job).collect();
        match self.store.reclaim(now, self.retry, &held).await {
            Ok(jobs) if jobs.is_empty() => {}
            Ok(jobs) => {
                self.count_ended(&jobs);
                tracing::warn!(jobs = jobs.len(), "jobs whose worker is gone were given back");
            }
            Err(error) => tracing::error!(%error, "leases could not be looked through"),
        }
    }
}

/// What the log lines and spans of an attempt stand in: it belongs to the trace of its event.
fn attempt_span(job: &Job) -> Span {
    info_span!(
        parent: None,
        "attempt",
        trace_id = %TraceId::from(job.event),
        span_id = %SpanId::of_attempt(job.id, job.lease),
        parent_id = %SpanId::of_event(job.event),
        job = %job.id,
        rule = job.rule,
        action = job.action,
        attempt = job.attempt,
    )
}
