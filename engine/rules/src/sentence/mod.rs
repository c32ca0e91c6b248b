//! A rule as people say it: plain Portuguese or English, made from its syntax tree.
//!
//! A sentence has one part for each thing that a rule says, and each part is a file: which events (`events`), under which
//! conditions (`conditions` for the tree, `clause` for one operator), at what time (`timing`), what is done (`actions`). What
//! they share about the languages stands in `words`, and how a provider's own things are called in `speaker`: nothing here
//! knows any provider, their names come from source files and plugins.
//!
//! To tell of a new key of a rule: a function of [`Speaker`](speaker::Speaker) in the file of its part, its words in both
//! languages, a place in [`RuleSet::sentence`], and a row in the tables of tests.

mod actions;
mod clause;
mod conditions;
mod events;
mod overview;
mod speaker;
#[cfg(test)]
mod tests;
mod timing;
mod words;

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

pub use overview::{ConsentTold, FieldTold, GrantTold, Overview, Shown};

use crate::load::RuleSet;
use crate::text::LOCALES;
pub(crate) use speaker::Speaker;
use words::capital;

/// What a rule does, in one language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// What holds for all actions, where there are several: it ends with a colon.
    pub lead: Option<String>,
    /// What each action does, in the order of the rule.
    pub steps: Vec<Step>,
}

/// What one action does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The name of the action.
    pub action: String,
    pub text: String,
}

/// One paragraph; several actions are numbered lines under what holds for all of them.
impl fmt::Display for Sentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(lead) = &self.lead {
            f.write_str(lead)?;
        }
        for (step, number) in self.steps.iter().zip(1..) {
            match self.lead {
                Some(_) => write!(f, "\n{number}. {}", step.text)?,
                None if number > 1 => write!(f, "\n{}", step.text)?,
                None => f.write_str(&step.text)?,
            }
        }
        Ok(())
    }
}

impl RuleSet {
    /// The rule called `rule` in the language `locale` (one of [`LOCALES`]), with `settings` as chosen and defaults for the
    /// rest; nothing where there is no such rule.
    pub fn sentence(&self, rule: &str, settings: &Map<String, Value>, locale: &str) -> Option<Sentence> {
        let rule = self.rule(rule)?;
        let speaker = Speaker::new(self, rule, settings, locale);
        let (lead, mut steps) = match rule.actions.as_slice() {
            [action] => (None, vec![Step { action: action.name.clone(), text: speaker.whole(action) }]),
            actions => {
                let steps = actions.iter().map(|action| Step { action: action.name.clone(), text: speaker.step(action) });
                (Some(capital(&speaker.lead())), steps.collect())
            }
        };
        if let (Some(told), Some(last)) = (speaker.all_at_once(rule), steps.last_mut()) {
            last.text = format!("{} {told}", last.text);
        }
        Some(Sentence { lead, steps })
    }

    /// The same in every language, as text.
    pub fn sentences(&self, rule: &str, settings: &Map<String, Value>) -> BTreeMap<&'static str, String> {
        let told = |locale: &'static str| Some((locale, self.sentence(rule, settings, locale)?.to_string()));
        LOCALES.into_iter().filter_map(told).collect()
    }
}
