//! One entry of the agenda: when, what, about whom; opened, what would be sent, and the forms of operators.

use std::collections::{HashMap, HashSet};

use jiff::tz::TimeZone;
use maud::{Markup, html};
use serde_json::Value;
use zelo_core::job::Reason;
use zelo_core::timing::SendWindow;
use zelo_core::{Job, KeyHash, RecordRow};
use zelo_runtime::Waits;
use zelo_store::JobView;

use super::words::Words;
use super::{Asked, Wrong};
use crate::access::Role;
use crate::pages::moments::{hour, moment, zone_name};
use crate::pages::names;
use crate::pages::places::{nameless, titled};
use crate::pages::visit::Visit;
use crate::pages::words::Words as Common;
use crate::problem::Problem;

/// The types of records whose name says about whom a job is.
pub(in crate::pages) const PEOPLE: [&str; 6] = ["patient", "contact", "customer", "person", "client", "lead"];

/// One job of the agenda.
pub(super) struct Entry<'e> {
    view: &'e JobView,
    zone: TimeZone,
    title: String,
    purpose: Option<String>,
    whom: Option<String>,
    /// What it waits for: another action of its rule, by what that is for.
    after: Option<String>,
    at: Markup,
    waits: Option<String>,
    opened: Option<Opened>,
    acts: bool,
    wrong: Option<&'e Wrong>,
}

/// What is shown of the one that is open.
struct Opened {
    texts: Vec<String>,
    inputs: Vec<(String, String)>,
    why_not: Option<Reason>,
    /// The same as those who write rules know it.
    exact: Option<Markup>,
    window: Option<(SendWindow, TimeZone)>,
}

/// What an automation and one of its actions are called in the language of `common`: its title, and the action's purpose.
pub(in crate::pages) fn called(visit: &Visit, job: &Job) -> (String, Option<String>) {
    let edition = visit.app.runtime.rules.current();
    let title = edition.rules.rule(&job.rule).and_then(|rule| rule.title.get(visit.words.lang).cloned());
    let action = edition.in_force.action(&job.automation, &job.action);
    let purpose = action.and_then(|action| action.purpose()?.get(visit.words.lang).cloned());
    (title.unwrap_or_else(|| job.rule.clone()), purpose)
}

/// What the action `step` of the rule of `job` is for; its name, where that does not say.
fn step(visit: &Visit, job: &Job, step: &str) -> String {
    let edition = visit.app.runtime.rules.current();
    let action = edition.in_force.action(&job.automation, step);
    action.and_then(|action| action.purpose()?.get(visit.words.lang).cloned()).unwrap_or_else(|| step.to_owned())
}

/// The name of the person that a job is about, as far as a record has it.
pub(in crate::pages) fn whom(job: &Job, records: &HashMap<KeyHash, RecordRow>) -> Option<String> {
    let of_person = job.lookups.iter().filter(|lookup| PEOPLE.contains(&lookup.record.kind.as_str()));
    let text = |row: &RecordRow, field: &str| {
        row.document.get(field).and_then(Value::as_str).filter(|name| !name.trim().is_empty()).map(str::to_owned)
    };
    of_person.filter_map(|lookup| records.get(&lookup.record.hash)).find_map(|row| text(row, "name").or_else(|| text(row, "first_name")))
}

/// Where the record of a job's clinic is.
pub(in crate::pages) fn clinic(visit: &Visit, job: &Job) -> Option<KeyHash> {
    let indexer = visit.app.runtime.store.indexer();
    job.clinic.as_deref().map(|clinic| indexer.record(&job.connection, "clinic", clinic))
}

/// The clinic of a job by its name, where its record has one; else by its id. Its connection, where it is of no clinic.
pub(in crate::pages) fn at(visit: &Visit, job: &Job, records: &HashMap<KeyHash, RecordRow>) -> Markup {
    let row = clinic(visit, job).and_then(|hash| records.get(&hash));
    match (row.and_then(|row| row.document.get("name")?.as_str()), &job.clinic) {
        (Some(name), _) => html! { (name) },
        (None, Some(clinic)) => html! { (job.connection) " · " (titled(clinic, &nameless(visit.words, clinic))) },
        (None, None) => html! { (job.connection) },
    }
}

impl<'e> Entry<'e> {
    /// The entries of these rows.
    pub(super) async fn all(visit: &Visit, rows: &'e [JobView], asked: &Asked, wrong: Option<&'e Wrong>) -> Result<Vec<Self>, Problem> {
        let hashes: HashSet<KeyHash> = rows
            .iter()
            .flat_map(|row| &row.job.lookups)
            .filter(|lookup| PEOPLE.contains(&lookup.record.kind.as_str()))
            .map(|lookup| lookup.record.hash)
            .chain(rows.iter().filter_map(|row| clinic(visit, &row.job)))
            .collect();
        let archive = visit.app.runtime.store.archive();
        let records = archive.records(hashes).await?;
        let edition = visit.app.runtime.rules.current();
        let (halts, zones) = (visit.app.runtime.line.halts(), visit.zones());
        let mut entries = Vec::with_capacity(rows.len());
        for view in rows {
            let job = &view.job;
            let (title, purpose) = called(visit, job);
            let whom = match whom(job, &records) {
                Some(name) => Some(name),
                None => archive
                    .event(job.event)
                    .await?
                    .and_then(|event| event.entity)
                    .map(|entity| names::one(visit.words, &entity.kind, &entity.id)),
            };
            let zone = zones.of(&job.connection, job.clinic.as_deref()).await?;
            let is_open = asked.open == job.id.to_string();
            entries.push(Self {
                view,
                title,
                purpose,
                whom,
                after: job.needs.iter().find(|need| !need.done).map(|need| step(visit, job, &need.step)),
                at: at(visit, job, &records),
                waits: Waits::of(view, &halts).map(|waits| names::waits(visit.words, &edition.rules, &waits, &zone)),
                zone,
                opened: if is_open { Opened::of(visit, job).await? } else { None },
                acts: visit.who.role.sees_to_jobs(),
                wrong: wrong.filter(|wrong| wrong.job == job.id.to_string()),
            });
        }
        Ok(entries)
    }

    /// Where its zone is not `home`, in which the day is told, it says so.
    pub(super) fn markup(&self, words: &Words, common: &Common, asked: &Asked, home: &TimeZone) -> Markup {
        let job = &self.view.job;
        let id = job.id.to_string();
        let day = job.run_at.to_zoned(self.zone.clone()).date().to_string();
        let shown = if asked.day.is_empty() { &day } else { &asked.day };
        html! {
            li.card.follows[self.after.is_some()] id=(id) data-key={ "job " (id) } {
                p.when {
                    @if self.after.is_some() { (words.then) }
                    @else { (hour(job.run_at, &self.zone)) @if self.zone != *home { " " small { (zone_name(&self.zone)) } } }
                }
                div.what {
                    h3 { (self.title) @if let Some(whom) = &self.whom { " " span.whom { (words.about) " " (whom) } } }
                    @if let Some(purpose) = &self.purpose { p { (purpose) } }
                    p.facts {
                        @if let Some(moved) = &job.moved { span.badge { (words.moved) } " " (moment(common, moved.from, &self.zone)) " → " (hour(moved.to, &self.zone)) " " }
                        @if job.attempt > 0 { span.badge.wait { (words.again) " " (job.attempt + 1) } " " }
                        @if let Some(after) = &self.after { span.badge.wait { (words.comes_after) " “" (after) "”" } " " }
                        @if let Some(waits) = &self.waits { span.badge.wait { (waits) } " " }
                        (self.at)
                    }
                    @if let Some(opened) = &self.opened {
                        (opened.markup(words, common))
                        p { a href={ "/activity/jobs/" (id) } { (words.history) } }
                        @if self.acts && self.after.is_none() { (self.forms(words, asked, shown, opened)) }
                        p { a href={ (asked.with(&[("day", shown)])) "#" (id) } { (words.close) } }
                    } @else {
                        p {
                            a href={ (asked.with(&[("day", shown), ("open", &id)])) "#" (id) } aria-label={ (words.open) ": " (self.title) } { (words.open) }
                        }
                    }
                }
            }
        }
    }

    fn forms(&self, words: &Words, asked: &Asked, shown: &str, opened: &Opened) -> Markup {
        let job = &self.view.job;
        let local = job.run_at.to_zoned(self.zone.clone());
        let action = format!("/scheduled/jobs/{}", job.id);
        let (date, time) = match self.wrong {
            Some(wrong) if !wrong.date.is_empty() || !wrong.hour.is_empty() => (wrong.date.clone(), wrong.hour.clone()),
            _ => (local.date().to_string(), local.strftime("%H:%M").to_string()),
        };
        let back = html! {
            input type="hidden" name="day" value=(shown);
            input type="hidden" name="place" value=(asked.place);
        };
        let hint = format!("hint-{}", job.id);
        html! {
            @if let Some(wrong) = self.wrong {
                div.error id="wrong" role="alert" {
                    p { (words.refused) " " (wrong.told) }
                    @if let Some((what, told)) = &wrong.confirm {
                        form method="post" action=(action) {
                            (back)
                            input type="hidden" name="date" value=(wrong.date);
                            input type="hidden" name="hour" value=(wrong.hour);
                            input type="hidden" name="confirm" value="yes";
                            button type="submit" name="what" value=(what) { (told) }
                        }
                    }
                }
            }
            form.move method="post" action=(action) {
                (back)
                div.filters {
                    label { (words.date) input type="date" name="date" value=(date) required aria-describedby=(hint) aria-invalid=[self.wrong.map(|_| "true")]; }
                    label { (words.hour) input type="time" name="hour" value=(time) required aria-describedby=(hint) aria-invalid=[self.wrong.map(|_| "true")]; }
                    button type="submit" name="what" value="move" { (words.move_it) }
                }
                p.facts id=(hint) {
                    @if let Some((window, _)) = &opened.window { (words.window) " " (window.from.strftime("%H:%M")) "–" (window.to.strftime("%H:%M")) ". " }
                    @if let Some(expires) = job.expires { (words.until) " " time datetime=(expires) { (expires.to_zoned(self.zone.clone()).strftime("%d/%m/%Y %H:%M")) } ". " }
                    (words.stands)
                }
            }
            form.choices method="post" action=(action) {
                (back)
                button.quiet type="submit" name="what" value="now" { (words.now) }
            }
            details.cancel data-key={ "cancel " (job.id) } {
                summary { (words.cancel) "…" }
                form method="post" action=(action) {
                    (back)
                    p { (words.cancel_how) }
                    button.danger type="submit" name="what" value="cancel" { (words.cancel_sure) }
                }
            }
        }
    }
}

impl Opened {
    async fn of(visit: &Visit, job: &Job) -> Result<Option<Self>, Problem> {
        let Some(outlook) = visit.app.runtime.outlook(job).await? else { return Ok(None) };
        let window = outlook.window;
        Ok(Some(match outlook.prepared {
            Ok(prepared) => {
                let texts = visit.app.runtime.messages_of(&prepared).await;
                let told = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                // Beyond the message: as of an event's payload, and of the records that it looks up, which may be of no clinic.
                let whole = visit.who.role >= Role::Integrator && visit.who.sees_everything();
                let inputs = prepared
                    .input
                    .as_object()
                    .filter(|_| whole)
                    .into_iter()
                    .flatten()
                    .map(|(name, value)| (name.clone(), told(value)))
                    .collect();
                Self { texts, inputs, why_not: None, exact: None, window }
            }
            Err(reason) => {
                Self { texts: Vec::new(), inputs: Vec::new(), exact: Some(names::exact(visit, &reason)), why_not: Some(reason), window }
            }
        }))
    }

    fn markup(&self, words: &Words, common: &Common) -> Markup {
        html! {
            div.preview {
                @if let Some(reason) = &self.why_not {
                    p { @if matches!(reason.code.as_str(), "step" | "collects") { (words.no_preview) } @else { (words.as_of_now) } " " (words.reason(common, reason)) @if let Some(exact) = &self.exact { (exact) } }
                }
                @if !self.texts.is_empty() {
                    h4 { (words.preview) }
                    @for text in &self.texts { blockquote.bubble { (text) } }
                }
                @if !self.inputs.is_empty() {
                    details open[self.texts.is_empty()] {
                        summary { (words.inputs) }
                        dl { @for (name, value) in &self.inputs { div { dt { (name) } dd.said { (value) } } } }
                    }
                }
            }
        }
    }
}
