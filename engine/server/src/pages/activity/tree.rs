//! Why rules fired or not: the tree of conditions in words, each part marked with whether it held, and what was found there.

use maud::{Markup, html};
use zelo_rules::{ActionTold, Class, ClauseTold, Explanation, JobTold, Outcome, RuleTold, Seen, Told};

use super::words::Words;
use crate::pages::moments::moment;
use crate::pages::names;
use crate::pages::values::Reading;
use crate::pages::words::Words as Common;

/// Of the rules that did nothing no more are told.
const SILENT_MAX: usize = 50;

/// In which words it is told, and in which zone.
pub(super) struct Why<'w> {
    pub(super) common: &'w Common,
    pub(super) words: &'static Words,
    pub(super) zone: &'w jiff::tz::TimeZone,
    /// Whether amounts are in reais.
    pub(super) reais: bool,
    /// Whether the reader is told the codes of files too.
    pub(super) codes: bool,
}

impl Why<'_> {
    /// Those that did something first, open; those that did not folded, and of the rest how many there are.
    pub(super) fn told(&self, explanation: &Explanation, others: usize) -> Markup {
        let words = self.words;
        let (acting, silent): (Vec<&RuleTold>, Vec<_>) = explanation.rules.iter().partition(|rule| rule.outcome != Outcome::Silent);
        html! {
            @if acting.is_empty() { p.none { (words.no_rule_fired) } }
            @for rule in acting { (self.rule(rule, true)) }
            @for rule in silent.iter().take(SILENT_MAX) { (self.rule(rule, false)) }
            @if let Some(more) = silent.len().checked_sub(SILENT_MAX).filter(|more| *more > 0) { p.facts { (words.and_more(more)) } }
            @if others > 0 { p.facts { (words.not_listening(others)) } }
        }
    }

    fn rule(&self, rule: &RuleTold, open: bool) -> Markup {
        let words = self.words;
        let name = rule.automation.as_ref().map_or(rule.rule.as_str(), |automation| automation.0.as_str());
        let title = if rule.title.is_empty() { rule.rule.as_str() } else { rule.title.as_str() };
        html! {
            details.rule data-key={ "why " (name) } open[open] {
                summary { (self.outcome(rule.outcome)) " " strong { (title) } @if self.codes { " " small { code { (name) } } } }
                @if let Some(why) = &rule.why { p { (words.because_of) " " (why) } }
                @if let Some(when) = &rule.when { h4 { (words.conditions) } ul.tree { (self.tree(when)) } }
                @for action in rule.actions.iter().filter(|action| action.about || action.outcome != Outcome::Silent) { (self.action(action)) }
            }
        }
    }

    fn action(&self, action: &ActionTold) -> Markup {
        let words = self.words;
        html! {
            div.action {
                h4 { (words.action) " " (names::action(self.common, &action.action)) " " (self.outcome(action.outcome)) }
                @if let Some(why) = &action.why { p { (words.because_of) " " (why) } }
                @if let Some(when) = &action.when { ul.tree { (self.tree(when)) } }
                @if let Some(only_if) = &action.only_if { p { (words.only_if) } ul.tree { (self.tree(only_if)) } }
                @if let Some(job) = &action.job { (self.job(job)) }
            }
        }
    }

    /// What it would make, on what is known now.
    fn job(&self, job: &JobTold) -> Markup {
        let words = self.words;
        html! {
            p {
                (words.on_what_is_known) " " (words.would(job.state))
                @if let Some(due) = job.due { " " (moment(self.common, due, self.zone)) }
                @if let Some(expires) = job.expires { " · " (words.expires) " " (moment(self.common, expires, self.zone)) }
                @if let Some(reason) = &job.reason {
                    " · " (self.common.reason(zelo_core::JobState::Scheduled, reason).unwrap_or(&reason.text))
                }
            }
            @for provided in &job.provided { p.facts { (provided) } }
        }
    }

    fn outcome(&self, outcome: Outcome) -> Markup {
        let (mark, told, colour) = match outcome {
            Outcome::Fires => ("✓", self.words.fires, "badge good"),
            Outcome::Cancels => ("−", self.words.cancels, "badge wait"),
            Outcome::Silent => ("✗", self.words.silent, "badge off"),
        };
        html! { span class=(colour) { span aria-hidden="true" { (mark) } " " (told) } }
    }

    fn tree(&self, told: &Told) -> Markup {
        let words = self.words;
        let group = |holds: bool, name: &str, parts: &[Told]| {
            html! { li { (self.mark(holds)) " " (name) ul { @for part in parts { (self.tree(part)) } } } }
        };
        match told {
            Told::All { parts, .. } if parts.len() == 1 => self.tree(&parts[0]),
            Told::All { holds, parts } => group(*holds, words.all_of, parts),
            Told::Any { holds, parts } => group(*holds, words.any_of, parts),
            Told::Not { holds, part } => group(*holds, words.none_of, std::slice::from_ref(part)),
            Told::Clause(clause) => self.clause(clause),
        }
    }

    fn clause(&self, clause: &ClauseTold) -> Markup {
        let words = self.words;
        html! {
            li.decisive[clause.decisive] {
                (self.mark(clause.holds)) " " (clause.said)
                p.facts {
                    (words.found) " " (self.seen(clause, &clause.seen, clause.more))
                    @if !clause.against.is_empty() { " · " (words.against) " " (self.seen(clause, &clause.against, 0)) }
                    @if self.codes { " · " code { @if let Some(record) = &clause.record { (record) " " } (clause.path) " " (clause.operator) " " (clause.right) } }
                }
                @if clause.decisive { p.said { strong { (words.decisive) } @if let Some(why) = &clause.why { " " (why) } } }
            }
        }
    }

    /// Whether it held: as a sign, and in words for who does not see it.
    fn mark(&self, holds: bool) -> Markup {
        let (mark, told, class) = if holds { ("✓", self.words.holds, "mark good") } else { ("✗", self.words.holds_not, "mark bad") };
        html! { span class=(class) { span aria-hidden="true" { (mark) } span.hidden { (told) } } }
    }

    fn seen(&self, clause: &ClauseTold, seen: &[Seen], more: usize) -> Markup {
        let reading = Reading { words: self.common, zone: self.zone, written: &jiff::tz::TimeZone::UTC, reais: self.reais };
        html! {
            @if seen.is_empty() { (self.words.found_nothing) }
            @for (place, one) in seen.iter().enumerate() {
                @if place > 0 { ", " }
                @match one {
                    Seen::Shown { value } if value.is_null() => (self.words.null),
                    Seen::Shown { value } => q { (reading.told(&clause.path, &clause.said, value)) },
                    Seen::Redacted { redacted, .. } => em { (self.words.hidden) " (" (self.class(*redacted)) ")" },
                }
            }
            @if more > 0 { " +" (more) }
        }
    }

    fn class(&self, class: Class) -> &'static str {
        self.common.class(class)
    }
}
