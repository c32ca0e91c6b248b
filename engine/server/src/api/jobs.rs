//! What people decide about jobs. For operators.

use std::num::NonZeroU32;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zelo_core::revive::Verdict;
use zelo_core::{Job, JobId, JobState};
use zelo_runtime::revive::Decision;
use zelo_store::{Cancellation, Rescheduled, Revival, Revivals, Trouble, Which};

use super::query::Parameters;
use crate::access::Known;
use crate::openapi::shapes;
use crate::problem::Problem;
use crate::{App, body};

/// The longest body in bytes: some thousand ids.
const BODY_MAX: usize = 256 << 10;

/// What is said of one job.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = Said)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    /// `retry`, where it does not say.
    #[schema(value_type = Option<shapes::Verdict>)]
    verdict: Option<Verdict>,
}

/// Which jobs are meant, and what is said of them.
#[derive(Deserialize, ToSchema)]
#[schema(as = Meant)]
#[serde(deny_unknown_fields)]
pub(super) struct All {
    /// These, and no others.
    #[schema(value_type = Option<Vec<shapes::JobId>>)]
    jobs: Option<Vec<JobId>>,
    /// Else all that ended so; `dead`, where it does not say.
    #[schema(value_type = Option<shapes::Ended>)]
    state: Option<JobState>,
    rule: Option<String>,
    action: Option<String>,
    /// The code of the reason why they ended.
    code: Option<String>,
    connection: Option<String>,
    clinic: Option<String>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    #[schema(value_type = Option<shapes::Verdict>)]
    verdict: Option<Verdict>,
    /// At this rate; as fast as they can, where it does not say.
    #[schema(value_type = Option<u32>, minimum = 1)]
    per_minute: Option<NonZeroU32>,
    #[serde(default)]
    dry_run: bool,
}

impl All {
    fn which(&mut self) -> Result<Which, Problem> {
        let filter = Trouble {
            state: self.state.unwrap_or(Trouble::default().state),
            rule: self.rule.take(),
            action: self.action.take(),
            code: self.code.take(),
            connection: self.connection.take(),
            clinic: self.clinic.take(),
            since: self.since,
            until: self.until,
            ..Trouble::default()
        };
        match self.jobs.take() {
            Some(_) if self.state.is_some() || !filter.is_all() => Err(Problem::malformed("`jobs` stands alone, without a filter.")),
            Some(jobs) => Ok(Which::Jobs(jobs)),
            None if !matches!(filter.state, JobState::Dead | JobState::Unknown) => {
                Err(Problem::malformed("`state` is dead or unknown: others did not end badly."))
            }
            None => Ok(Which::All(filter)),
        }
    }
}

/// What became of them.
#[derive(Serialize, ToSchema)]
pub(super) struct RevivalsJson {
    #[schema(value_type = Vec<shapes::Revival>)]
    items: Vec<Revival>,
    /// Ids of no job.
    #[schema(value_type = Vec<shapes::JobId>)]
    missing: Vec<JobId>,
    /// How many were not decided as was asked.
    refused: usize,
    /// There are more than one call decides about: ask again.
    more: bool,
    dry_run: bool,
}

impl RevivalsJson {
    fn new(revivals: Revivals, dry_run: bool) -> Self {
        let refused = revivals.refused();
        let Revivals { jobs, missing, more } = revivals;
        Self { items: jobs, missing, refused, more, dry_run }
    }
}

/// The job runs again, or what became of it is said.
#[utoipa::path(post, path = "/api/v1/jobs/{id}/retry", tag = "api", operation_id = "retry_job", params(("id" = String, Path, description = "`job_` and 32 hexadecimal digits.")), request_body(content = Option<Said>), responses(
    (status = 200, description = "As asked for.", body = RevivalsJson),
    (status = 409, description = "It stands as it did.", body = shapes::Problem, content_type = "application/problem+json"),
))]
pub(super) async fn one(
    State(app): State<App>,
    who: Known,
    Path(id): Path<String>,
    parameters: Parameters,
    request: Body,
) -> Result<Json<RevivalsJson>, Problem> {
    parameters.none()?;
    let id: JobId = id.parse().map_err(|_| Problem::no_job())?;
    let Said { verdict } = read(&app, request, "{verdict}, which is retry, run, done or not").await?.unwrap_or_default();
    let revivals = decide(&app, &who, id, verdict.unwrap_or(Verdict::Retry)).await?;
    Ok(Json(RevivalsJson::new(revivals, false)))
}

/// A problem, where `who` is not told of a job.
async fn seen(app: &App, who: &Known, id: JobId) -> Result<(), Problem> {
    let view = app.runtime.store.job(id).await?;
    if view.is_some_and(|view| who.sees(&view)) { Ok(()) } else { Err(Problem::no_job()) }
}

/// Decides about one job; a problem that says why, where it is refused.
pub(crate) async fn decide(app: &App, who: &Known, id: JobId, verdict: Verdict) -> Result<Revivals, Problem> {
    seen(app, who, id).await?;
    let decision = Decision { which: Which::Jobs(vec![id]), verdict, per_minute: None, dry_run: false, actor: who.actor() };
    let revivals = app.runtime.revive(decision).await?;
    let first = revivals.jobs.first().ok_or_else(Problem::no_job)?;
    match &first.refused {
        Some(refused) => Err(Problem::job(refused)),
        None => Ok(revivals),
    }
}

/// The same for all that are meant, at a rate.
#[utoipa::path(post, path = "/api/v1/jobs/retry", tag = "api", operation_id = "retry_jobs", request_body = All, responses(
    (status = 200, description = "As asked for.", body = RevivalsJson),
))]
pub(super) async fn all(State(app): State<App>, who: Known, parameters: Parameters, request: Body) -> Result<Json<RevivalsJson>, Problem> {
    parameters.none()?;
    const FORM: &str =
        "{jobs} or a filter {state, rule, action, code, connection, clinic, since, until}, with {verdict, per_minute, dry_run}";
    let mut asked: All = read(&app, request, FORM).await?.ok_or_else(|| Problem::malformed(format!("This is not {FORM}, as JSON.")))?;
    let which = asked.which()?;
    let All { verdict, per_minute, dry_run, .. } = asked;
    let verdict = verdict.unwrap_or(Verdict::Retry);
    let revivals = decide_all(&app, &who, Decision { which, verdict, per_minute, dry_run, actor: who.actor() }).await?;
    Ok(Json(RevivalsJson::new(revivals, dry_run)))
}

/// Decides about all that are meant and of which `who` is told.
pub(crate) async fn decide_all(app: &App, who: &Known, decision: Decision) -> Result<Revivals, Problem> {
    if who.clinics.named().is_none() {
        return Ok(app.runtime.revive(decision).await?);
    }
    let (which, unseen) = match decision.which.clone() {
        Which::Jobs(ids) => {
            let (mut told, mut unseen) = (Vec::new(), Vec::new());
            for id in ids {
                let view = app.runtime.store.job(id).await?;
                if view.is_some_and(|view| who.sees(&view)) { &mut told } else { &mut unseen }.push(id);
            }
            (Which::Jobs(told), unseen)
        }
        // All of them in one call, so that they share one rate.
        Which::All(filter) => (Which::All(Trouble { clinics: who.clinics.clone(), ..filter }), Vec::new()),
    };
    let mut revivals = app.runtime.revive(Decision { which, ..decision }).await?;
    revivals.missing.extend(unseen);
    Ok(revivals)
}

/// What became of a job that is not to run.
#[derive(Serialize, ToSchema)]
pub(super) struct CancelledJson {
    #[schema(value_type = shapes::JobId)]
    job: JobId,
    /// `running`: it was asked to stop, before its next outward effect.
    #[schema(value_type = shapes::JobState)]
    state: JobState,
}

/// A pending job does not run.
#[utoipa::path(post, path = "/api/v1/jobs/{id}/cancel", tag = "api", operation_id = "cancel_job", params(("id" = String, Path, description = "`job_` and 32 hexadecimal digits.")), responses(
    (status = 200, description = "As asked for.", body = CancelledJson),
    (status = 409, description = "It stands as it did.", body = shapes::Problem, content_type = "application/problem+json"),
))]
pub(super) async fn cancel(
    State(app): State<App>,
    who: Known,
    Path(id): Path<String>,
    parameters: Parameters,
) -> Result<Json<CancelledJson>, Problem> {
    parameters.none()?;
    let job = id.parse().map_err(|_| Problem::no_job())?;
    Ok(Json(CancelledJson { job, state: cancelled(&app, &who, job).await? }))
}

/// Cancels a job; how it stands then, or a problem that says why not.
pub(crate) async fn cancelled(app: &App, who: &Known, id: JobId) -> Result<JobState, Problem> {
    seen(app, who, id).await?;
    match app.runtime.cancel(id, who.actor()).await? {
        Some(Cancellation::Ended(job) | Cancellation::Asked(job)) => Ok(job.state),
        Some(Cancellation::Over(state)) => Err(Problem::over(state)),
        None => Err(Problem::no_job()),
    }
}

/// When a job is to run.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = MoveTo)]
#[serde(deny_unknown_fields)]
pub(super) struct MoveTo {
    /// At once, where it does not say, or where that has passed.
    #[schema(value_type = Option<shapes::Timestamp>)]
    to: Option<Timestamp>,
}

/// A job that was moved.
#[derive(Serialize, ToSchema)]
pub(super) struct MovedJson {
    #[schema(value_type = shapes::JobId)]
    job: JobId,
    #[schema(value_type = shapes::Timestamp)]
    due: Timestamp,
}

/// A pending job runs at another time, as long as nothing newer says when.
#[utoipa::path(post, path = "/api/v1/jobs/{id}/move", tag = "api", operation_id = "move_job", params(("id" = String, Path, description = "`job_` and 32 hexadecimal digits.")), request_body(content = Option<MoveTo>), responses(
    (status = 200, description = "As asked for.", body = MovedJson),
    (status = 409, description = "It stands as it did.", body = shapes::Problem, content_type = "application/problem+json"),
))]
pub(super) async fn reschedule(
    State(app): State<App>,
    who: Known,
    Path(id): Path<String>,
    parameters: Parameters,
    request: Body,
) -> Result<Json<MovedJson>, Problem> {
    parameters.none()?;
    let job: JobId = id.parse().map_err(|_| Problem::no_job())?;
    let MoveTo { to } = read(&app, request, "{to}, a time").await?.unwrap_or_default();
    let moved = rescheduled(&app, &who, job, to.unwrap_or_else(|| app.runtime.clock.now())).await?;
    Ok(Json(MovedJson { job, due: moved.due }))
}

/// Moves a job; how it stands then, or a problem that says why not.
pub(crate) async fn rescheduled(app: &App, who: &Known, id: JobId, to: Timestamp) -> Result<Job, Problem> {
    seen(app, who, id).await?;
    match app.runtime.reschedule(id, to, who.actor()).await? {
        Some(Rescheduled::Moved(job)) => Ok(*job),
        Some(Rescheduled::Refused(why)) => Err(Problem::job(&why)),
        None => Err(Problem::no_job()),
    }
}

/// The body, where there is one.
async fn read<T: DeserializeOwned>(app: &App, request: Body, form: &str) -> Result<Option<T>, Problem> {
    let held = body::read(request, BODY_MAX, app.settings.request_timeout, &app.bodies).await?;
    if held.bytes.is_empty() {
        return Ok(None);
    }
    let malformed =
        |error: serde_json::Error| Problem::malformed(format!("This is not {form}: line {}, column {}.", error.line(), error.column()));
    serde_json::from_slice(&held.bytes).map(Some).map_err(malformed)
}
