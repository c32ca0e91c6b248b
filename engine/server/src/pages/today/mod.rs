//! Today: what came, what was done, what failed and what comes next, in numbers; what is wrong, and what to do about it.
//!
//! The numbers are those of the store, by the day of the clinic that is looked at. What they are made of stands on other pages.

mod alarms;
mod chart;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::response::Response;
use http::StatusCode;
use jiff::ToSpan;
use jiff::tz::TimeZone;
use maud::{Markup, html};
use serde::Deserialize;
use utoipa_axum::routes;
use zelo_core::{ClinicRef, JobState};
use zelo_rules::RuleSet;
use zelo_store::{Counted, JobView, OPEN_MAX, Open, Page, Range, Tally};

use self::chart::Day;
use self::words::Words as Own;
use super::moments::{Zones, moment, number, zone_name};
use super::places::{in_use, nameless};
use super::tables::{section, table};
use super::visit::{Place, Visit, narrow};
use super::words::Words;
use super::{Language, halts};
use crate::App;
use crate::access::{self, Gate, Role};
use crate::openapi::Table;
use crate::problem::Problem;
use crate::seen::Seen;

/// The jobs that are told to come next.
const NEXT: u32 = 5;
/// How many days may be looked at.
const DAYS: [usize; 2] = [7, 14];

/// The routes.
pub(super) fn table_of_today() -> Table {
    Table::new().at(Gate::Open, routes!(show))
}

/// What the form asks for.
#[derive(Default, Deserialize)]
pub(crate) struct Asked {
    /// A connection, or a clinic of it: `centro/12`.
    #[serde(default)]
    clinic: String,
    #[serde(default)]
    days: String,
}

/// The first page, or how to get in.
#[utoipa::path(get, path = "/", tag = "pages", operation_id = "home", params(
    ("clinic" = Option<String>, Query, description = "A connection, or a clinic of it: `centro/12`."),
    ("days" = Option<String>, Query, description = "7 or 14."),
), responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
))]
pub(crate) async fn show(
    State(app): State<App>,
    Language(words): Language,
    query: Result<Query<Asked>, QueryRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let Some(who) = access::identify(&app, request.headers()).await? else { return Ok(outside(words)) };
    let Query(asked) = query.unwrap_or_default();
    let visit = Visit::of(&app, who, &mut request.into_parts().0).await?;
    let (own, all) = (words::words(words), visit.who.sees_everything());
    let look = Look::take(&visit, &asked).await?;
    Seen::of("today").rows(&look.next).by(&visit.who, &app).await?;
    let zones = visit.zones();
    let next = next(&visit, own, &look.next, &look.names, &zones).await?;
    let content = html! {
        @if all { (alarms::alarms(&app, words)) }
        @if !look.is_on { (first_steps(own, visit.who.role, all)) }
        @if look.names.len() > 1 || !asked.clinic.is_empty() || !asked.days.is_empty() { (filter(own, &look, &asked)) }
        (section("numbers", &look.heading(own), &numbers(words, own, &look)))
        (section("open", own.open, &open(words, own, &look.open)))
        (section("next", own.next, &next))
        (section("by-day", own.by_day, &by_day(words, own, &look)))
        @if look.by_clinic.len() > 1 { (section("by-clinic", own.by_clinic, &by_clinic(words, own, &look))) }
        @if all { (halts::form(&app, words, visit.who.role)) }
    };
    Ok(visit.page(Place::Today, words.place(Place::Today), &content))
}

/// For who is not signed in.
fn outside(words: &Words) -> Response {
    let body = html! {
        h1 { "zelo" }
        p { (words.outside) }
        p { code { "zelo token link" } }
        p { (words.outside_then) " " a href="/sign-in" { (words.sign_in) } }
    };
    narrow(StatusCode::OK, words, words.sign_in, &body)
}

/// What is there to be told.
struct Look {
    /// Today, where it is looked at.
    zone: TimeZone,
    days: Vec<Day>,
    messages: u64,
    documents: u64,
    open: Open,
    next: Vec<JobView>,
    by_clinic: BTreeMap<Scope, Day>,
    /// What each connection and clinic is called.
    names: BTreeMap<Scope, String>,
    is_on: bool,
}

/// A connection, or a clinic of it.
type Scope = (String, Option<String>);

impl Look {
    async fn take(visit: &Visit, asked: &Asked) -> Result<Self, Problem> {
        let (app, who) = (&visit.app, &visit.who);
        let archive = app.runtime.store.archive();
        let chosen = scope_of(&asked.clinic);
        let page = Page {
            limit: NEXT,
            connection: chosen.as_ref().map(|(connection, _)| connection.clone()),
            clinic: chosen.as_ref().and_then(|(_, clinic)| clinic.clone()),
            clinics: who.clinics.clone(),
            ..Page::default()
        };
        let mut scopes: BTreeSet<Scope> = match who.clinics.named() {
            None => in_use(app).into_iter().map(|connection| (connection, None)).collect(),
            Some(named) => named.iter().map(|ClinicRef { connection, clinic }| (connection.clone(), Some(clinic.clone()))).collect(),
        };
        let zones = visit.zones();
        // One that the address names and that is not theirs is not theirs to name, nor to know the zone of.
        let theirs = chosen.clone().filter(|(connection, clinic)| who.clinics.include(connection, clinic.as_deref()));
        let zone = match theirs.clone().or_else(|| scopes.first().cloned()) {
            Some((connection, clinic)) => zones.of(&connection, clinic.as_deref()).await?,
            None => zones.of_all(),
        };
        let wanted = DAYS.into_iter().find(|days| asked.days == days.to_string()).unwrap_or(DAYS[0]);
        let here = |tally: &Tally| {
            let asked = chosen.as_ref().is_none_or(|(connection, clinic)| {
                *connection == tally.connection && clinic.as_ref().is_none_or(|clinic| tally.clinic.as_ref() == Some(clinic))
            });
            (who.clinics.include(&tally.connection, tally.clinic.as_deref()), asked)
        };
        let today = app.runtime.clock.now().to_zoned(zone.clone()).date();
        let (mut days, mut by_clinic) = (Vec::with_capacity(wanted), BTreeMap::new());
        let (mut messages, mut documents) = (0, 0);
        for back in (0..wanted as i64).rev() {
            let date = today.saturating_sub(back.days());
            let start = |date: jiff::civil::Date| date.to_zoned(zone.clone()).map_or(jiff::Timestamp::MAX, |start| start.timestamp());
            let range = Range { since: start(date), until: start(date.saturating_add(1.day())), connection: None };
            let mut day = Day { date, came: 0, done: 0, failed: 0 };
            for tally in archive.tally(&range).await? {
                let (told, asked) = here(&tally);
                if !told {
                    continue;
                }
                let scope = (tally.connection.clone(), tally.clinic.clone());
                scopes.insert(scope.clone());
                if !asked {
                    continue;
                }
                day.add(&tally);
                if back == 0 {
                    by_clinic.entry(scope).or_insert(Day { date, came: 0, done: 0, failed: 0 }).add(&tally);
                    match tally.of {
                        Counted::Message => messages += tally.count,
                        Counted::Document => documents += tally.count,
                        Counted::Event(_) | Counted::Job(_) => {}
                    }
                }
            }
            days.push(day);
        }
        scopes.extend(theirs);
        let edition = app.runtime.rules.current();
        let is_on = edition.in_force.automations().any(|one| who.clinics.include(&one.connection, one.clinic.as_deref()));
        Ok(Self {
            open: archive.open(&page).await?,
            next: archive.next(&page).await?,
            names: names(visit, &scopes).await?,
            zone,
            days,
            messages,
            documents,
            by_clinic,
            is_on,
        })
    }

    fn heading(&self, own: &Own) -> String {
        match self.zone.iana_name() {
            Some(_) => format!("{} · {} {}", own.today, own.zone.to_lowercase(), zone_name(&self.zone)),
            None => format!("{} · UTC", own.today),
        }
    }
}

impl Day {
    fn add(&mut self, tally: &Tally) {
        match tally.of {
            Counted::Event(_) => self.came += tally.count,
            Counted::Job(JobState::Done) => self.done += tally.count,
            Counted::Job(JobState::Dead | JobState::Unknown) => self.failed += tally.count,
            Counted::Job(_) | Counted::Message | Counted::Document => {}
        }
    }
}

/// What the form names; nothing: all.
fn scope_of(asked: &str) -> Option<Scope> {
    match asked.parse::<ClinicRef>() {
        Ok(ClinicRef { connection, clinic }) => Some((connection, Some(clinic))),
        Err(_) if asked.is_empty() => None,
        Err(_) => Some((asked.to_owned(), None)),
    }
}

/// What each of `scopes` is called: a clinic as its record says, a connection by its name.
async fn names(visit: &Visit, scopes: &BTreeSet<Scope>) -> Result<BTreeMap<Scope, String>, Problem> {
    let store = &visit.app.runtime.store;
    let mut names = BTreeMap::new();
    for scope in scopes {
        let (connection, clinic) = scope;
        let name = match clinic {
            None => connection.clone(),
            Some(clinic) => {
                let record = store.record_at(store.indexer().record(connection, "clinic", clinic)).await?;
                let said = record.as_ref().and_then(|record| record.document.get("name")?.as_str());
                said.map_or_else(|| format!("{connection} · {}", nameless(visit.words, clinic)), str::to_owned)
            }
        };
        names.insert(scope.clone(), name);
    }
    Ok(names)
}

fn first_steps(own: &Own, role: Role, all: bool) -> Markup {
    html! {
        section.card.steps data-key="first-steps" aria-labelledby="first-steps-title" {
            h2 id="first-steps-title" { (own.first_steps) }
            @if all && role >= Role::Integrator {
                p { (own.first_steps_how) }
                p { a.button href="/start" { (own.first_steps_go) } }
            } @else {
                p { (own.first_steps_ask) }
            }
        }
    }
}

fn filter(own: &Own, look: &Look, asked: &Asked) -> Markup {
    let value = |(connection, clinic): &Scope| match clinic {
        Some(clinic) => format!("{connection}/{clinic}"),
        None => connection.clone(),
    };
    html! {
        form.filters data-key="filter" method="get" action="/" {
            div {
                label for="clinic" { (own.clinic) }
                select id="clinic" name="clinic" {
                    option value="" { (own.all_clinics) }
                    @for (scope, name) in &look.names {
                        @let value = value(scope);
                        option value=(value) selected[value == asked.clinic] { (name) }
                    }
                }
            }
            div {
                label for="days" { (own.days) }
                select id="days" name="days" {
                    @for days in DAYS { option value=(days) selected[days == look.days.len()] { ((own.last_days)(days)) } }
                }
            }
            button type="submit" { (own.show) }
        }
    }
}

/// One number, what it counts, and where to see more.
fn figure(class: &str, count: &str, title: &str, how: &str, link: Option<&str>) -> Markup {
    html! {
        li class={ "figure " (class) } {
            @if let Some(link) = link { a href=(link) { strong { (count) } " " span { (title) } } } @else { strong { (count) } " " span { (title) } }
            @if !how.is_empty() { small { (how) } }
        }
    }
}

fn numbers(words: &Words, own: &Own, look: &Look) -> Markup {
    let empty = Day { date: jiff::civil::Date::MIN, came: 0, done: 0, failed: 0 };
    let today = look.days.last().unwrap_or(&empty);
    let told = |count| number(words, count);
    html! {
        ul.figures {
            (figure("", &told(today.came), own.came, own.came_how, Some("/activity")))
            (figure("good", &told(today.done), own.done, own.done_how, Some("/activity")))
            (figure(if today.failed > 0 { "bad" } else { "" }, &told(today.failed), own.failed, own.failed_how, Some("/failures")))
            (figure("", &told(look.messages), own.messages, "", Some("/messages")))
            (figure("", &told(look.documents), own.documents, "", Some("/documents")))
        }
    }
}

fn open(words: &Words, own: &Own, open: &Open) -> Markup {
    let told = |count: u64| format!("{}{}", number(words, count), if count >= u64::from(OPEN_MAX) { "+" } else { "" });
    let class = |count: u64, class: &'static str| if count > 0 { class } else { "" };
    html! {
        ul.figures {
            (figure(class(open.attention, "wait"), &told(open.attention), words.place(Place::Attention), own.attention_how, Some("/attention")))
            (figure(class(open.failed, "bad"), &told(open.failed), words.place(Place::Failures), own.failures_how, Some("/failures")))
            (figure("", &told(open.scheduled), own.scheduled, own.scheduled_how, Some("/scheduled")))
        }
    }
}

async fn next(visit: &Visit, own: &Own, jobs: &[JobView], names: &BTreeMap<Scope, String>, zones: &Zones<'_>) -> Result<Markup, Problem> {
    let words = visit.words;
    let edition = visit.app.runtime.rules.current();
    let mut rows = Vec::with_capacity(jobs.len());
    for JobView { job, .. } in jobs {
        let zone = zones.of(&job.connection, job.clinic.as_deref()).await?;
        let place = names.get(&(job.connection.clone(), job.clinic.clone())).or_else(|| names.get(&(job.connection.clone(), None)));
        rows.push((job, moment(words, job.run_at, &zone), rule_title(&edition.rules, &job.rule, words), place));
    }
    Ok(html! {
        @if rows.is_empty() {
            div.empty { p { (own.next_none) } }
        } @else {
            ol.next {
                @for (job, when, title, place) in rows {
                    li data-key={ "next " (job.id) } {
                        (when) " " strong { (title) }
                        @if let Some(place) = place { " " span.none { (place) } }
                    }
                }
            }
            p { a href="/scheduled" { (own.next_all) } }
        }
    })
}

/// What people call a rule; its id where the rule is gone.
fn rule_title(rules: &RuleSet, id: &str, words: &Words) -> String {
    rules.rule(id).and_then(|rule| rule.title.get(words.lang).cloned()).unwrap_or_else(|| id.to_owned())
}

fn by_day(words: &Words, own: &Own, look: &Look) -> Markup {
    if look.days.iter().all(|day| day.came + day.done + day.failed == 0) {
        return html! { div.empty { p { (own.nothing_came) } } };
    }
    chart::charts(words, own, &look.days)
}

fn by_clinic(words: &Words, own: &Own, look: &Look) -> Markup {
    let rows = html! {
        @for ((connection, clinic), day) in &look.by_clinic {
            @let name = look.names.get(&(connection.clone(), clinic.clone())).map_or(connection.as_str(), String::as_str);
            tr data-key={ "clinic " (connection) " " (clinic.as_deref().unwrap_or_default()) } {
                th scope="row" { (name) @if clinic.is_none() { " · " (own.of_no_clinic) } }
                td.number { (number(words, day.came)) }
                td.number { (number(words, day.done)) }
                td.number { (number(words, day.failed)) }
            }
        }
    };
    table(own.by_clinic_what, &[own.clinic, own.came, own.done, own.failed], &rows)
}
