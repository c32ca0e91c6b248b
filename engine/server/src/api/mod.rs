//! `/api/v1`: what is stored and what is in force, as JSON, for people and programs that are known.
//!
//! Lists answer `{items, next}`, newest first; `next` is what to give as `before` for the items after these, or null.
//! Times are RFC 3339 in UTC. Names are those of the design's words.

mod activity;
mod automations;
pub(crate) mod documents;
mod explain;
pub(crate) mod halts;
mod in_force;
pub(crate) mod jobs;
mod query;
mod refused;
mod replay;
pub(crate) mod subjects;
pub(crate) mod views;

use utoipa_axum::routes;

use crate::access::{Gate, Reach, Role};
use crate::openapi::{self, Table};

/// Who may see what is of their clinics.
const SEES: Gate = Gate::Known(Role::Viewer, Reach::Clinics);
/// Who may see what is of the whole server.
const SEES_ALL: Gate = Gate::Known(Role::Viewer, Reach::Everything);
/// Who decides about the jobs of their clinics.
const DECIDES: Gate = Gate::Known(Role::Operator, Reach::Clinics);
/// Who decides about all jobs.
const DECIDES_ALL: Gate = Gate::Known(Role::Operator, Reach::Everything);
/// Who sees to the people of their clinics.
const ANSWERS: Gate = Gate::Known(Role::Admin, Reach::Clinics);
/// Who sees to all that is held of people.
const ANSWERS_ALL: Gate = Gate::Known(Role::Admin, Reach::Everything);

/// The routes below `/api/v1`. Whoever is not known learns nothing here, not even which addresses exist.
pub(crate) fn table() -> Table {
    Table::new()
        .at(Gate::Known(Role::Viewer, Reach::Nothing), routes!(openapi::document))
        .at(SEES, routes!(activity::events))
        .at(SEES, routes!(activity::event))
        .at(SEES, routes!(explain::stored))
        // Rules look up what is stored of whomever a payload names.
        .at(SEES_ALL, routes!(explain::given))
        .at(SEES, routes!(activity::jobs))
        .at(SEES, routes!(activity::job))
        .at(DECIDES, routes!(jobs::all))
        .at(DECIDES, routes!(jobs::one))
        .at(DECIDES, routes!(jobs::cancel))
        .at(DECIDES, routes!(jobs::reschedule))
        .at(SEES, routes!(activity::messages))
        .at(SEES, routes!(documents::documents))
        .at(SEES, routes!(documents::document))
        .at(SEES, routes!(activity::audit))
        .at(SEES_ALL, routes!(activity::verify))
        .at(SEES, routes!(activity::records))
        .at(SEES, routes!(in_force::rules))
        .at(SEES, routes!(in_force::rule))
        .at(SEES, routes!(automations::list))
        .at(Gate::Known(Role::Integrator, Reach::Clinics), routes!(automations::switch))
        .at(SEES_ALL, routes!(in_force::status))
        .at(SEES_ALL, routes!(halts::list))
        .at(DECIDES_ALL, routes!(halts::halt))
        .at(DECIDES_ALL, routes!(halts::resume))
        .at(Gate::Known(Role::Integrator, Reach::Everything), routes!(replay::replay))
        .at(ANSWERS, routes!(subjects::find))
        .at(ANSWERS, routes!(subjects::export))
        .at(ANSWERS, routes!(subjects::disclosures))
        // A person is known to a connection, whatever its clinics: what becomes of them becomes of them everywhere.
        .at(ANSWERS_ALL, routes!(subjects::erase))
        .at(ANSWERS_ALL, routes!(subjects::hold))
        .at(ANSWERS_ALL, routes!(subjects::release))
        .at(ANSWERS_ALL, routes!(subjects::consent))
        .at(SEES_ALL, routes!(refused::list))
        .at(Gate::Known(Role::Integrator, Reach::Everything), routes!(refused::one))
}
