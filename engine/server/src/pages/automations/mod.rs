//! Automations: what there is, what each does, sees and may do, and switching them without reading a rule.
//!
//! [`catalog`] lists them; [`one`] is the page of one of them, drawn from what [`form`] prints and [`history`] tells; [`change`] switches it,
//! and [`preview`] shows what it would send. Where it may be on, and who is told of that, says [`spot`].

mod catalog;
mod change;
mod form;
mod history;
mod one;
pub(crate) mod preview;
pub(crate) mod spot;
mod words;

use std::collections::BTreeMap;

use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::access::{Gate, Reach, Role};
use crate::openapi::Table;

/// Who sees automations, and tries them.
const SEES: Gate = Gate::Known(Role::Viewer, Reach::Clinics);
/// Who switches them.
const SWITCHES: Gate = Gate::Known(Role::Integrator, Reach::Clinics);

/// The routes of these pages.
pub(crate) fn table() -> Table {
    Table::new()
        .at(SEES, routes!(catalog::list))
        .at(SEES, routes!(change::show))
        .at(SWITCHES, routes!(change::change))
        .at(SWITCHES, routes!(change::ask_off))
        .at(SEES, routes!(preview::try_it))
}

/// What the form of an automation sends.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "it is a shape: a form is read field by field")]
struct AutomationForm {
    connection: String,
    clinic: Option<String>,
    /// `on` or `off`; nothing, to try it.
    r#do: Option<String>,
    /// How it stood when the form was drawn: where it does so no more, nothing is changed.
    stood: Option<String>,
    /// Each setting, under its name behind `s.`
    #[serde(flatten)]
    settings: BTreeMap<String, String>,
}
