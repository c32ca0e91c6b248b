//! The catalogue: what there is, by what it is for, and where it is on.

use std::collections::HashMap;

use axum::extract::Query;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Map;
use utoipa::IntoParams;
use zelo_core::AutomationId;
use zelo_rules::{Rule, RuleSet};
use zelo_store::AutomationRow;

use super::spot::{Spot, Spots};
use super::words::{Words, words};
use crate::access::Role;
use crate::pages::tables::section;
use crate::pages::visit::{Place, Visit};
use crate::problem::Problem;

/// What an automation is for, by what it may do: whoever gets a document and a message wants the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Documents,
    Messages,
    Requests,
    Records,
    Other,
}

impl Purpose {
    const ALL: [Self; 5] = [Self::Messages, Self::Documents, Self::Records, Self::Requests, Self::Other];

    fn of(rule: &Rule) -> Self {
        let grants = || rule.actions.iter().map(|action| &action.grant);
        if grants().any(|grant| grant.documents) {
            Self::Documents
        } else if grants().any(|grant| grant.messages.is_some()) {
            Self::Messages
        } else if grants().any(|grant| !grant.http.is_empty()) {
            Self::Requests
        } else if grants().any(|grant| !grant.records.is_empty()) {
            Self::Records
        } else {
            Self::Other
        }
    }
}

/// Automations on one page.
const CARDS: usize = 60;

/// Which page is asked for.
#[derive(Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(crate) struct Asked {
    /// How many automations stand before it.
    from: String,
}

/// The catalogue of automations.
#[utoipa::path(get, path = "/automations", tag = "pages", operation_id = "automations", params(Asked), responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
))]
pub(crate) async fn list(visit: Visit, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let words = words(visit.words);
    let edition = visit.app.runtime.rules.current();
    let rows = visit.app.runtime.store.automations().await?;
    let spots = Spots::of(&visit.app, visit.words, &visit.who, &rows).await?;
    let from: usize = asked.from.parse().unwrap_or(0);
    let theirs = edition.rules.rules().filter(|rule| spots.has_some(&visit.app, &edition.rules, rule, &visit.who));
    let mut rules: Vec<(&Rule, Vec<Spot>)> =
        theirs.skip(from).take(CARDS + 1).map(|rule| (rule, spots.for_rule(&visit.app, &edition.rules, rule, &visit.who))).collect();
    let more = rules.len() > CARDS;
    rules.truncate(CARDS);
    // Once for the page: there may be as many of both as there are rules and clinics.
    let mut by_rule: HashMap<&str, Vec<&AutomationRow>> = HashMap::new();
    rows.iter().for_each(|row| by_rule.entry(row.rule.as_str()).or_default().push(row));
    let mut idle: HashMap<&AutomationId, Vec<&str>> = HashMap::new();
    edition.in_force.problems().iter().for_each(|one| idle.entry(&one.automation).or_default().push(&one.text));
    let card = |rule: &Rule, places: &[Spot]| {
        let rows = by_rule.get(rule.id.as_str()).map(Vec::as_slice).unwrap_or_default();
        let told = rows.iter().filter(|_| visit.who.sees_everything());
        let broken: Vec<&str> = told.filter_map(|row| idle.get(&row.id)).flatten().copied().collect();
        let rows = rows.iter().map(|row| (&row.id, *row)).collect();
        card(&visit, words, &edition.rules, rule, &Stand { places, spots: &spots, rows, broken: &broken })
    };
    let body = html! {
        p data-key="how" { (words.how) }
        @if rules.is_empty() { div.empty data-key="empty" { p { (words.empty) } p { (words.empty_how) } } }
        @for purpose in Purpose::ALL {
            @if rules.iter().any(|(rule, _)| Purpose::of(rule) == purpose) {
                (section(&format!("purpose-{}", purpose as usize), words.purposes[purpose as usize], &html! {
                    div.cards {
                        @for (rule, places) in rules.iter().filter(|(rule, _)| Purpose::of(rule) == purpose) { (card(rule, places)) }
                    }
                }))
            }
        }
        @if from > 0 || more {
            p.pager data-key="pager" {
                @if from > 0 { a href={ "/automations?from=" (from.saturating_sub(CARDS)) } { (words.earlier) } }
                @if more { a href={ "/automations?from=" (from + CARDS) } { (words.later) } }
            }
        }
    };
    Ok(visit.page(Place::Automations, visit.words.place(Place::Automations), &body))
}

/// Where a rule stands.
struct Stand<'s> {
    places: &'s [Spot],
    spots: &'s Spots,
    /// Those of the rule.
    rows: HashMap<&'s AutomationId, &'s AutomationRow>,
    /// Why it is on and does nothing.
    broken: &'s [&'s str],
}

fn card(visit: &Visit, words: &Words, rules: &RuleSet, rule: &Rule, stand: &Stand<'_>) -> Markup {
    let lang = visit.words.lang;
    let title = rule.title.get(lang).map_or(rule.id.as_str(), String::as_str);
    let placed = |on: bool| -> Vec<String> {
        let rows = stand.places.iter().filter_map(|spot| Some((spot, *stand.rows.get(&spot.id(&rule.id))?)));
        rows.filter(|(_, row)| row.enabled == on).map(|(spot, _)| stand.spots.name(spot, words.every_clinic)).collect()
    };
    let (on, off) = (placed(true), placed(false));
    // With its settings, where they are the same wherever it is on.
    let mut chosen =
        stand.places.iter().filter_map(|spot| stand.rows.get(&spot.id(&rule.id))).filter(|row| row.enabled).map(|row| &row.settings);
    let settings = chosen.next().filter(|first| chosen.all(|other| other == *first)).cloned().unwrap_or_else(Map::new);
    let sentence = rules.sentence(&rule.id, &settings, lang).map(|sentence| sentence.to_string()).unwrap_or_default();
    let does = rule.description.as_ref().and_then(|text| text.get(lang));
    // What a clinic has from its connection, only those are told who see all of it.
    let unsaid = on.is_empty() && off.is_empty() && !visit.who.sees_everything();
    let (badge, told) = match on.is_empty() {
        false => ("badge good", words.on),
        true if unsaid => ("badge off", words.as_connection),
        true => ("badge off", words.off),
    };
    html! {
        div.card.automation data-key={ "rule " (rule.id) } {
            h3 { a href={ "/automations/" (rule.id) } { (title) } " " span class=(badge) { (told) } }
            p { (does.unwrap_or(&sentence)) }
            @if does.is_some() { details data-key={ "sentence " (rule.id) } { summary { (words.what) } p.said { (sentence) } } }
            @if !on.is_empty() { p.facts { (words.on_for) " " (on.join(", ")) "." } }
            @if !off.is_empty() && !on.is_empty() { p.facts { (words.off_for) " " (off.join(", ")) "." } }
            @if unsaid { p.facts { (words.may_follow) } } @else if on.is_empty() { p.facts { (words.nowhere) } }
            @for why in stand.broken { p.error { (words.does_nothing) @if visit.who.role >= Role::Integrator { " " span lang="en" { (why) } } } }
        }
    }
}
