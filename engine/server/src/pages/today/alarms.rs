//! What is wrong with the set-up, or around it; each with what to do about it.

use jiff::tz::TimeZone;
use maud::{Markup, html};
use zelo_rules::Diagnostic;
use zelo_runtime::Heard;
use zelo_runtime::outbound::Down;

use super::words::Words as Own;
use crate::App;
use crate::pages::moments::{Zones, moment};
use crate::pages::tables::section;
use crate::pages::words::Words;

/// What is wrong with the set-up, or around it.
pub(super) fn alarms(app: &App, words: &Words) -> Markup {
    let zone = Zones::new(app).of_all();
    let own = super::words::words(words);
    let connections = app.runtime.connections.values().filter(|connection| app.runtime.is_insecure(connection));
    let mut insecure: Vec<&str> = connections.map(|connection| connection.name.as_str()).collect();
    insecure.sort_unstable();
    let (problems, problem) = (app.runtime.rules.problems(), app.runtime.rules.problem());
    let edition = app.runtime.rules.current();
    let idle = edition.in_force.problems();
    let down = app.runtime.down();
    let heard = app.runtime.heard();
    let silent: Vec<&Heard> = heard.iter().filter(|heard| heard.silent).collect();
    let rising: Vec<&Heard> = heard.iter().filter(|heard| heard.refusals_rise).collect();
    html! {
        @if !insecure.is_empty() { (insecure_section(words, own, &insecure)) }
        @if !problems.is_empty() {
            (problems_section(words, own, &problems))
        } @else if let Some(problem) = &problem {
            (refused_section(words, problem))
        }
        @if !idle.is_empty() { (idle_section(words, own, idle)) }
        @if !down.is_empty() { (down_section(words, own, &down, &zone)) }
        @if !silent.is_empty() { (silent_section(words, own, &silent, &zone)) }
        @if !rising.is_empty() { (rising_section(words, own, &rising)) }
    }
}

/// What to do, with the page that helps.
fn remedy(own: &Own, what: &str, page: &str, title: &str) -> Markup {
    html! { p { strong { (own.alarm_do) } " " (what) " " a href=(page) { (title) } } }
}

fn alarm(id: &str, title: &str, content: &Markup) -> Markup {
    html! { div.alarm data-key={ "alarm " (id) } { (section(id, title, content)) } }
}

fn insecure_section(words: &Words, own: &Own, names: &[&str]) -> Markup {
    let content = html! {
        ul { @for name in names { li { code { (name) } } } }
        (remedy(own, words.insecure_how.trim_end_matches(':'), "/sources", own.see_sources))
    };
    alarm("insecure", words.insecure, &content)
}

fn problems_section(words: &Words, own: &Own, problems: &[Diagnostic]) -> Markup {
    let content = html! {
        p { (words.problems_how) }
        ul {
            @for problem in problems {
                li {
                    code { (problem.file) ":" (problem.line) ":" (problem.column) } " " (problem.message)
                    @if let Some(suggestion) = &problem.suggestion { " " (words.did_you_mean) " " code { (suggestion) } }
                    @if let Some(help) = &problem.help { br; (help) }
                }
            }
        }
        p { a href="/rules" { (own.see_rules) } }
    };
    alarm("problems", words.problems, &content)
}

/// What is not a mistake in a rule file, and keeps the files on disk out of force all the same.
fn refused_section(words: &Words, problem: &str) -> Markup {
    let content = html! { p { (words.refused_how) } p.text { (problem) } };
    alarm("problems", words.refused, &content)
}

fn idle_section(words: &Words, own: &Own, idle: &[zelo_rules::Problem]) -> Markup {
    let content = html! {
        ul { @for problem in idle { li { code { (problem.automation) } " " (problem.text) } } }
        (remedy(own, own.idle_do, "/automations", own.see_automations))
    };
    alarm("idle", words.idle, &content)
}

/// What is for these waits, and goes on by itself.
fn down_section(words: &Words, own: &Own, down: &[Down], zone: &TimeZone) -> Markup {
    let content = html! {
        ul {
            @for Down { host, automation, since, again } in down {
                li {
                    code { (host) } " "
                    @if let Some(automation) = automation { (words.down_for) " " code { (automation) } " · " } @else { (words.down_since) " " }
                    (moment(words, *since, zone)) " · "
                    @if let Some(again) = again { (words.down_again) " " (moment(words, *again, zone)) } @else { (words.down_tried) }
                }
            }
        }
        p { strong { (own.alarm_do) } " " (own.down_do) }
    };
    alarm("down", words.down, &content)
}

fn silent_section(words: &Words, own: &Own, silent: &[&Heard], zone: &TimeZone) -> Markup {
    let content = html! {
        ul {
            @for heard in silent {
                li {
                    code { (heard.connection) }
                    @if let Some(last) = heard.last { " " (words.silent_since) " " (moment(words, last, zone)) }
                }
            }
        }
        (remedy(own, words.silent_how.trim_end_matches(':'), "/sources", own.see_sources))
    };
    alarm("silent", words.silent, &content)
}

fn rising_section(words: &Words, own: &Own, rising: &[&Heard]) -> Markup {
    let content = html! {
        ul { @for heard in rising { li { code { (heard.connection) } } } }
        (remedy(own, words.rising_how.trim_end_matches(':'), "/failures", own.see_failures))
    };
    alarm("rising", words.rising, &content)
}
