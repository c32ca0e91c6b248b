//! What is switched on, in words: one sentence for each automation, and below it what its actions are shown of people, and why.

use std::collections::BTreeMap;

use maud::{Markup, html};
use zelo_rules::{Overview, Shown};

use crate::App;
use crate::access::Known;
use crate::pages::tables::{section, some};
use crate::pages::words::Words;

/// The automations in force of which `who` is told, each with what it does under its settings.
pub(in crate::pages) fn automations(app: &App, words: &Words, who: &Known) -> Markup {
    let edition = app.runtime.rules.current();
    let told: Vec<_> = edition
        .in_force
        .automations()
        .filter(|automation| who.clinics.include(&automation.connection, automation.clinic.as_deref()))
        .filter_map(|automation| {
            let rule = edition.rules.rule(&automation.rule)?;
            let title = rule.title.get(words.lang).map_or(rule.id.as_str(), String::as_str);
            Some((automation, title, edition.rules.sentence(&rule.id, &automation.settings, words.lang)?.to_string()))
        })
        .collect();
    let overviews: BTreeMap<&str, Overview> =
        told.iter().filter_map(|(automation, ..)| Some((automation.rule.as_str(), edition.rules.overview(&automation.rule)?))).collect();
    let list = || {
        html! {
            p.none { (words.automations_how) }
            ul.automations {
                @for (automation, title, sentence) in &told {
                    li data-key={ "automation " (automation.id) } {
                        strong {
                            (title) " · " (automation.connection)
                            @if let Some(clinic) = &automation.clinic { " · " (clinic) }
                        }
                        p.said { (sentence) }
                        @if let Some(overview) = overviews.get(automation.rule.as_str()) {
                            details data-key={ "shown " (automation.id) } {
                                summary { (words.shown) }
                                @for action in &overview.actions { (shown(action, words)) }
                            }
                        }
                    }
                }
            }
        }
    };
    section("automations", words.automations, &some(words, told.is_empty(), list))
}

/// What one action is shown, for what, on what basis, and whose word it heeds.
fn shown(action: &Shown, words: &Words) -> Markup {
    let said = |told: &BTreeMap<&'static str, String>| told.get(words.lang).cloned().unwrap_or_default();
    let purpose = action.purpose.as_ref().and_then(|purpose| purpose.get(words.lang));
    html! {
        p {
            strong { (action.action) } " · " (words.class(action.class))
            @if let Some(purpose) = purpose { br; (purpose) }
            @if let Some(basis) = &action.basis {
                br; (words.basis) " " (basis)
                @if let Some(called) = &action.basis_words { " (" (said(called)) ")" }
            }
            @if let Some(consent) = &action.consent { br; (said(&consent.words)) }
        }
        @if !action.fields.is_empty() {
            ul {
                @for field in &action.fields {
                    li { (said(&field.words)) " · " (words.class(field.class)) }
                }
            }
        }
    }
}
