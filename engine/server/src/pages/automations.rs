//! What is switched on, in words: one sentence for each automation.

use maud::{Markup, html};

use super::tables::{section, some};
use super::words::Words;
use crate::App;

/// The automations in force, each with what it does under its settings.
pub(super) fn automations(app: &App, words: &Words) -> Markup {
    let edition = app.runtime.rules.current();
    let told: Vec<_> = edition
        .in_force
        .automations()
        .filter_map(|automation| {
            let rule = edition.rules.rule(&automation.rule)?;
            let title = rule.title.get(words.lang).map_or(rule.id.as_str(), String::as_str);
            Some((automation, title, edition.rules.sentence(&rule.id, &automation.settings, words.lang)?.to_string()))
        })
        .collect();
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
                    }
                }
            }
        }
    };
    section("automations", words.automations, &some(words, told.is_empty(), list))
}
