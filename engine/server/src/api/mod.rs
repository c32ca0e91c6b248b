//! `/api/v1`: what is stored and what is in force, as JSON, for people and programs that are known.
//!
//! Lists answer `{items, next}`, newest first; `next` is what to give as `before` for the items after these, or null.
//! Times are RFC 3339 in UTC. Names are those of the design's words.

mod activity;
mod documents;
mod explain;
pub(crate) mod halts;
mod in_force;
pub(crate) mod jobs;
mod query;
mod refused;
mod replay;
mod subjects;
pub(crate) mod views;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use crate::App;
use crate::access;
use crate::problem::Problem;

/// The routes below `/api/v1`. Whoever is not known learns nothing here, not even which addresses exist.
pub(crate) fn routes(app: &App) -> Router<App> {
    Router::new()
        .route("/events", get(activity::events))
        .route("/events/{id}", get(activity::event))
        .route("/events/{id}/explanation", get(explain::stored))
        .route("/explain", post(explain::given))
        .route("/jobs", get(activity::jobs))
        .route("/jobs/{id}", get(activity::job))
        .route("/messages", get(activity::messages))
        .route("/documents", get(documents::documents))
        .route("/documents/{job}/{index}", get(documents::document))
        .route("/audit", get(activity::audit))
        .route("/audit/verify", get(activity::verify))
        .route("/records", get(activity::records))
        .route("/rules", get(in_force::rules))
        .route("/rules/{id}", get(in_force::rule))
        .route("/status", get(in_force::status))
        .merge(halts::routes())
        .merge(jobs::routes())
        .merge(refused::routes())
        .merge(replay::routes())
        .merge(subjects::routes())
        .method_not_allowed_fallback(async || Problem::method())
        .fallback(async || Problem::not_found("There is nothing at this address of the API."))
        .layer(from_fn_with_state(app.clone(), access::guard))
}
