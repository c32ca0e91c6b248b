//! What people decide about jobs. For operators.

use std::num::NonZeroU32;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::middleware::from_fn;
use axum::routing::post;
use axum::{Json, Router};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zelo_core::revive::Verdict;
use zelo_core::{JobId, JobState};
use zelo_runtime::revive::Decision;
use zelo_store::{Cancellation, Revival, Revivals, Trouble, Which};

use super::query::Parameters;
use crate::access::{Known, operators};
use crate::problem::Problem;
use crate::{App, body};

/// The longest body in bytes: some thousand ids.
const BODY_MAX: usize = 256 << 10;

/// The routes that decide.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/jobs/retry", post(all))
        .route("/jobs/{id}/retry", post(one))
        .route("/jobs/{id}/cancel", post(cancel))
        .route_layer(from_fn(operators))
}

/// What is said of one job.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    verdict: Option<Verdict>,
}

/// Which jobs are meant, and what is said of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct All {
    /// These, and no others.
    jobs: Option<Vec<JobId>>,
    /// Else all that ended so; `dead`, where it does not say.
    state: Option<JobState>,
    rule: Option<String>,
    action: Option<String>,
    /// The code of the reason why they ended.
    code: Option<String>,
    connection: Option<String>,
    clinic: Option<String>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    verdict: Option<Verdict>,
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
#[derive(Serialize)]
struct RevivalsJson {
    items: Vec<Revival>,
    /// Ids of no job.
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

/// `POST /jobs/{id}/retry`: the job runs again, or what became of it is said.
async fn one(
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

/// Decides about one job; a problem that says why, where it is refused.
pub(crate) async fn decide(app: &App, who: &Known, id: JobId, verdict: Verdict) -> Result<Revivals, Problem> {
    let decision = Decision { which: Which::Jobs(vec![id]), verdict, per_minute: None, dry_run: false, actor: who.actor() };
    let revivals = app.runtime.revive(decision).await?;
    let first = revivals.jobs.first().ok_or_else(Problem::no_job)?;
    match &first.refused {
        Some(refused) => Err(Problem::job(refused)),
        None => Ok(revivals),
    }
}

/// `POST /jobs/retry`: the same for all that are meant, at a rate.
async fn all(State(app): State<App>, who: Known, parameters: Parameters, request: Body) -> Result<Json<RevivalsJson>, Problem> {
    parameters.none()?;
    const FORM: &str =
        "{jobs} or a filter {state, rule, action, code, connection, clinic, since, until}, with {verdict, per_minute, dry_run}";
    let mut asked: All = read(&app, request, FORM).await?.ok_or_else(|| Problem::malformed(format!("This is not {FORM}, as JSON.")))?;
    let which = asked.which()?;
    let All { verdict, per_minute, dry_run, .. } = asked;
    let decision = Decision { which, verdict: verdict.unwrap_or(Verdict::Retry), per_minute, dry_run, actor: who.actor() };
    Ok(Json(RevivalsJson::new(app.runtime.revive(decision).await?, dry_run)))
}

/// What became of a job that is not to run.
#[derive(Serialize)]
struct CancelledJson {
    job: JobId,
    /// `running`: it was asked to stop, before its next outward effect.
    state: JobState,
}

/// `POST /jobs/{id}/cancel`: a pending job does not run.
async fn cancel(
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
    match app.runtime.cancel(id, who.actor()).await? {
        Some(Cancellation::Ended(job) | Cancellation::Asked(job)) => Ok(job.state),
        Some(Cancellation::Over(state)) => Err(Problem::over(state)),
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
