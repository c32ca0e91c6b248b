//! The lists: events or jobs, newest first, as far as the filters say.

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::response::Response;
use http::StatusCode;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use maud::{Markup, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use utoipa::IntoParams;
use zelo_core::{JobState, KeyHash, Pseudonym, Status};
use zelo_runtime::Waits;
use zelo_store::{Concerning, EventView, EventsWanted, JobView, JobsWanted, Page};

use super::words::{Words, words};
use super::{event_title, event_url, job_url, rule_title, state_badge, status_badge, why};
use crate::access::Role;
use crate::pages::moments::{Zones, moment, zone_name};
use crate::pages::names;
use crate::pages::places::{Places, narrowed};
use crate::pages::tables::{reason, table};
use crate::pages::visit::{Place, Visit};
use crate::problem::Problem;
use crate::seen::Seen;

/// Rows of a page.
const ROWS: u32 = 40;
/// No select has more names; beyond, a name is written.
const NAMES_MAX: usize = 100;
/// What is written otherwise in the query of an address.
const PARTS: AsciiSet = NON_ALPHANUMERIC.remove(b'_').remove(b'-').remove(b'.').remove(b',');
/// The states of events that are stored: what came twice and what nobody names is only counted.
const STATUSES: [Status; 3] = [Status::Accepted, Status::Stale, Status::Quarantined];

/// What an address asks for. What is empty does not matter.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(crate) struct Asked {
    /// `events`, where it does not say, or `jobs`.
    show: String,
    connection: String,
    clinic: String,
    /// `connection/clinic`, in place of both.
    place: String,
    /// A type of events.
    r#type: String,
    status: String,
    state: String,
    rule: String,
    /// A day: from its beginning on.
    from: String,
    /// A day: up to its end.
    to: String,
    /// Keyed hashes of things, with commas between.
    things: String,
    /// Pseudonyms of people, with commas between. For admins.
    about: String,
    /// Only those before this one: the cursor of an earlier page.
    before: String,
}

/// What is wrong with what was asked: at which field, and why.
type Wrong = (&'static str, &'static str);

/// Events and jobs.
#[utoipa::path(get, path = "/activity", tag = "pages", operation_id = "activity", params(Asked), responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
    (status = 422, description = "The page, with what is wrong with a filter.", body = String, content_type = "text/html"),
))]
pub(crate) async fn show(visit: Visit, asked: Result<Query<Asked>, QueryRejection>) -> Result<Response, Problem> {
    let Query(asked) = asked.map_err(|_| Problem::query("A filter stands in the address twice, or is not in UTF-8."))?;
    page(&visit, &asked, StatusCode::OK, &html! {}, "").await
}

/// The page, under a `note`; `sought` stands in the search box.
pub(super) async fn page(visit: &Visit, asked: &Asked, status: StatusCode, note: &Markup, sought: &str) -> Result<Response, Problem> {
    let words = words(visit.words);
    let filters = Filters::of(visit, words, asked).await?;
    let list = if filters.wrong.is_empty() {
        filters.list().await?
    } else {
        html! {}
    };
    let status = if filters.wrong.is_empty() { status } else { StatusCode::UNPROCESSABLE_ENTITY };
    let content = html! {
        section data-key="search" aria-label=(words.search) { (note) (search(words, sought, visit.who.role)) }
        nav.tabs data-key="views" aria-label=(words.views) {
            @for (show, told) in [("events", visit.words.events), ("jobs", visit.words.jobs)] {
                a href=(asked.at_show(show)) aria-current=[(show == filters.show()).then_some("page")] { (told) }
            }
        }
        (filters.form().await?)
        (list)
    };
    Ok(visit.page_as(status, Place::Activity, visit.words.place(Place::Activity), &content))
}

fn search(words: &Words, sought: &str, role: Role) -> Markup {
    html! {
        form.search method="post" action="/activity" role="search" {
            div {
                label for="sought" { (words.search) }
                input id="sought" type="search" name="q" value=(sought) maxlength="200" autocomplete="off" aria-describedby="sought-how";
            }
            button type="submit" { (words.search_go) }
        }
        p.hint id="sought-how" { (if role == Role::Admin { words.search_how_admin } else { words.search_how }) }
    }
}

impl Asked {
    /// What a search leads to.
    pub(super) fn found(things: String, about: String) -> Self {
        Self { things, about, ..Self::default() }
    }

    /// As pairs, without those that are empty.
    fn pairs(&self) -> Vec<(&'static str, &str)> {
        let Self { show, connection, clinic, place, r#type, status, state, rule, from, to, things, about, before } = self;
        let all = [
            ("show", show),
            ("connection", connection),
            ("clinic", clinic),
            ("place", place),
            ("type", r#type),
            ("status", status),
            ("state", state),
            ("rule", rule),
            ("from", from),
            ("to", to),
            ("things", things),
            ("about", about),
            ("before", before),
        ];
        all.into_iter().map(|(name, value)| (name, value.as_str())).filter(|(_, value)| !value.is_empty()).collect()
    }

    /// The address that asks so.
    pub(super) fn address(&self) -> String {
        let pair = |(name, value): (&str, &str)| format!("{name}={}", utf8_percent_encode(value, &PARTS));
        let pairs: Vec<String> = self.pairs().into_iter().map(pair).collect();
        if pairs.is_empty() { "/activity".to_owned() } else { format!("/activity?{}", pairs.join("&")) }
    }

    /// The same for the other view, as far as both have it.
    fn at_show(&self, show: &str) -> String {
        let none = String::new;
        Self { show: show.into(), r#type: none(), status: none(), state: none(), rule: none(), before: none(), ..self.clone() }.address()
    }

    fn behind(&self, cursor: i64) -> String {
        Self { before: cursor.to_string(), ..self.clone() }.address()
    }
}

/// What was asked for, read.
struct Filters<'f> {
    visit: &'f Visit,
    words: &'static Words,
    asked: &'f Asked,
    places: Places,
    zones: Zones<'f>,
    /// In which days are meant.
    zone: TimeZone,
    page: Page,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    status: Option<Status>,
    state: Option<JobState>,
    concerning: Concerning,
    wrong: Vec<Wrong>,
}

impl<'f> Filters<'f> {
    async fn of(visit: &'f Visit, words: &'static Words, asked: &'f Asked) -> Result<Self, Problem> {
        let mut wrong = Vec::new();
        let some = |text: &str| (!text.trim().is_empty()).then(|| text.trim().to_owned());
        let (mut connection, mut clinic) = (some(&asked.connection), some(&asked.clinic));
        if !asked.place.is_empty() {
            Page { connection, clinic, .. } = narrowed(Page::default(), &asked.place);
        }
        let zones = visit.zones();
        let zone = zone(visit, &zones, connection.as_deref(), clinic.as_deref()).await?;
        let mut instant = |name, text: &str, days: i64| {
            let day = some(text)?.parse::<Date>();
            let at = day.and_then(|day| day.checked_add(jiff::Span::new().try_days(days)?)?.to_zoned(zone.clone()));
            at.map_err(|_| wrong.push((name, words.no_day))).ok().map(|at| at.timestamp())
        };
        let (since, until) = (instant("from", &asked.from, 0), instant("to", &asked.to, 1));
        if since.zip(until).is_some_and(|(since, until)| since >= until) {
            wrong.push(("to", words.before_from));
        }
        let concerning = concerning(visit, asked)?;
        let page = Page { limit: ROWS + 1, before: asked.before.parse().ok(), connection, clinic, clinics: visit.who.clinics.clone() };
        let places = Places::of(visit).await?;
        let (status, state) = (Status::parse(&asked.status), JobState::parse(&asked.state));
        Ok(Self { visit, words, asked, places, zones, zone, page, since, until, status, state, concerning, wrong })
    }

    fn show(&self) -> &'static str {
        if self.asked.show == "jobs" { "jobs" } else { "events" }
    }

    async fn list(&self) -> Result<Markup, Problem> {
        let Self { visit, page, since, until, .. } = self;
        let archive = visit.app.runtime.store.archive();
        let (page, concerning) = (page.clone(), self.concerning.clone());
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let (since, until) = (*since, *until);
        if self.show() == "jobs" {
            let wanted = JobsWanted { page, state: self.state, rule: some(&self.asked.rule), since, until, event: None, concerning };
            let found = archive.find_jobs(&wanted).await?;
            let shown = &found[..found.len().min(ROWS as usize)];
            Seen::of("jobs").rows(shown).by(&visit.who, &visit.app).await?;
            let pager = self.pager(found.len(), shown.last().map(|view| view.cursor));
            return Ok(html! { (self.jobs(shown).await?) (pager) });
        }
        let wanted = EventsWanted { page, kind: some(&self.asked.r#type), status: self.status, since, until, concerning };
        let found = archive.find_events(&wanted).await?;
        let shown = &found[..found.len().min(ROWS as usize)];
        Seen::of("events").rows(shown).by(&visit.who, &visit.app).await?;
        let pager = self.pager(found.len(), shown.last().map(|view| view.cursor));
        Ok(html! { (self.events(shown).await?) (pager) })
    }

    async fn events(&self, shown: &[EventView]) -> Result<Markup, Problem> {
        let (words, common) = (self.words, self.visit.words);
        if shown.is_empty() {
            return Ok(self.empty(words.no_events, words.no_events_how));
        }
        let edition = self.visit.app.runtime.rules.current();
        let mut rows = Vec::new();
        for EventView { event, status, .. } in shown {
            let zone = self.zones.of(&event.connection, event.clinic.as_deref()).await?;
            rows.push(html! {
                tr data-key={ "event " (event.id) } data-news=(event_title(&edition.rules, common, event)) {
                    td { (moment(common, event.received, &zone)) }
                    th scope="row" {
                        a href=(event_url(event.id)) { (event_title(&edition.rules, common, event)) }
                        (names::code(self.visit, &event.kind))
                    }
                    td { @if let Some(entity) = &event.entity { (names::one(common, &entity.kind, &entity.id)) } }
                    td { (status_badge(common, *status)) }
                    td { (self.places.whole(&event.connection, event.clinic.as_deref())) }
                }
            });
        }
        let columns = [words.arrived, words.what_happened, common.entity, common.status, common.clinic];
        Ok(html! { section.rows data-key="list" { (table(words.events_caption, &columns, &html! { @for row in &rows { (row) } })) } })
    }

    async fn jobs(&self, shown: &[JobView]) -> Result<Markup, Problem> {
        let (words, common) = (self.words, self.visit.words);
        if shown.is_empty() {
            return Ok(self.empty(words.no_jobs, words.no_jobs_how));
        }
        let (edition, halts) = (self.visit.app.runtime.rules.current(), self.visit.app.runtime.line.halts());
        let mut rows = Vec::new();
        for view in shown {
            let job = &view.job;
            let zone = self.zones.of(&job.connection, job.clinic.as_deref()).await?;
            let title = rule_title(&edition.rules, common, &job.rule);
            rows.push(html! {
                tr data-key={ "job " (job.id) } data-news={ (title) ": " (common.state(job.state)) } {
                    td { (moment(common, job.due, &zone)) }
                    th scope="row" {
                        a href=(job_url(job.id)) { (title) }
                        small { (names::capital(&names::action_of(self.visit, job))) }
                        (names::code(self.visit, &format!("{}/{}", job.rule, job.action)))
                    }
                    td { (state_badge(common, job.state)) }
                    td {
                        @if let Some(waits) = Waits::of(view, &halts) { (names::waits(common, &edition.rules, &waits, &zone)) }
                        @else if let Some(why) = why(job) { (reason(common, job.state, why)) }
                    }
                    td { (self.places.whole(&job.connection, job.clinic.as_deref())) }
                }
            });
        }
        let columns = [common.due, words.automation, common.state, common.because, common.clinic];
        Ok(html! { section.rows data-key="list" { (table(words.jobs_caption, &columns, &html! { @for row in &rows { (row) } })) } })
    }

    /// Nothing at all, or nothing of what is asked for.
    fn empty(&self, what: &str, how: &str) -> Markup {
        let narrowed = self.asked.pairs().iter().any(|(name, _)| *name != "show");
        html! {
            section.empty data-key="list" {
                @if narrowed {
                    p { strong { (self.words.none_such) } }
                    p { a href={ "/activity?show=" (self.show()) } { (self.words.show_all) } }
                } @else {
                    p { strong { (what) } }
                    p { (how) }
                }
            }
        }
    }

    fn pager(&self, found: usize, last: Option<i64>) -> Markup {
        let older = last.filter(|_| found > ROWS as usize).map(|cursor| self.asked.behind(cursor));
        let newest = (!self.asked.before.is_empty()).then(|| Asked { before: String::new(), ..self.asked.clone() }.address());
        html! {
            nav.pager data-key="pager" aria-label=(self.words.pages) {
                @if let Some(newest) = newest { a href=(newest) rel="prev" { (self.words.newest) } }
                @if let Some(older) = older { a href=(older) rel="next" { (self.words.older) } }
            }
        }
    }

    /// What narrows the list, filled in as it is.
    async fn form(&self) -> Result<Markup, Problem> {
        let Self { words, asked, visit, .. } = self;
        let common = visit.words;
        let jobs = self.show() == "jobs";
        let types = if jobs { Vec::new() } else { self.types().await? };
        let states = JobState::ALL.map(|state| (state.as_str().to_owned(), common.state(state).to_owned()));
        let statuses = STATUSES.map(|status| (status.as_str().to_owned(), common.status(status).to_owned()));
        let narrowed = asked.pairs().iter().any(|(name, _)| *name != "show");
        Ok(html! {
            section data-key={ "filters " (self.show()) } aria-label=(words.filters) {
                @if !asked.things.is_empty() || !asked.about.is_empty() { p.done { (words.only_found) " " a href="/activity" { (words.show_all) } } }
                form.filters method="get" action="/activity" {
                    input type="hidden" name="show" value=(self.show());
                    @for (name, value) in [("things", &asked.things), ("about", &asked.about)] {
                        @if !value.is_empty() { input type="hidden" name=(name) value=(value); }
                    }
                    (self.places())
                    @if jobs {
                        (select("state", common.state, words.any, &states, &asked.state))
                        (self.rules())
                    } @else {
                        (select("type", common.kind, words.any, &types, &asked.r#type))
                        (select("status", common.status, words.any, &statuses, &asked.status))
                    }
                    (self.day("from", words.from, &asked.from))
                    (self.day("to", words.to, &asked.to))
                    button type="submit" { (words.filter) }
                    @if narrowed { a.button.plain href={ "/activity?show=" (self.show()) } { (words.clear) } }
                }
                p.hint {
                    (if jobs { words.days_of_jobs } else { words.days_of_events }) " " (zone_name(&self.zone)) ". "
                    @if !jobs { (words.not_listed) }
                }
            }
        })
    }

    fn day(&self, name: &'static str, label: &str, value: &str) -> Markup {
        let wrong = self.wrong.iter().find(|(field, _)| *field == name);
        html! {
            div {
                label for=(name) { (label) }
                input id=(name) type="date" name=(name) value=(value) aria-invalid=[wrong.map(|_| "true")]
                    aria-describedby=[wrong.map(|_| format!("{name}-wrong"))];
                @if let Some((_, why)) = wrong { p.error id={ (name) "-wrong" } { (why) } }
            }
        }
    }

    /// Whose: a connection or a clinic.
    fn places(&self) -> Markup {
        let Page { connection, clinic, .. } = &self.page;
        let chosen = match (connection, clinic) {
            (Some(connection), Some(clinic)) => format!("{connection}/{clinic}"),
            // What stands in an address, and is no place: it is kept.
            (None, Some(clinic)) => return html! { input type="hidden" name="clinic" value=(clinic); },
            (connection, None) => connection.clone().unwrap_or_default(),
        };
        self.places.select(self.visit.words.clinic, self.words.any_place, &chosen)
    }

    /// The types of stored events, by what people call them.
    async fn types(&self) -> Result<Vec<(String, String)>, Problem> {
        let edition = self.visit.app.runtime.rules.current();
        let lang = self.visit.words.lang;
        let told = |kind: String| {
            let mut mappings = edition.rules.sources().flat_map(|source| &source.events).filter(|mapping| mapping.kind == kind);
            let title = mappings.find_map(|mapping| mapping.title.as_ref()?.get(lang));
            let told = title.map_or_else(|| kind.clone(), |title| super::capital(title));
            (kind, told)
        };
        Ok(self.visit.app.runtime.store.archive().event_types().await?.into_iter().map(told).collect())
    }

    /// A choice among the rules that are on, where they are few enough to choose among.
    fn rules(&self) -> Markup {
        let edition = self.visit.app.runtime.rules.current();
        let mut on: Vec<&str> = edition
            .in_force
            .automations()
            .filter(|one| one.clinic.is_none() || self.visit.who.clinics.include(&one.connection, one.clinic.as_deref()))
            .map(|one| one.rule.as_str())
            .collect();
        on.sort_unstable();
        on.dedup();
        let label = self.words.automation;
        if on.len() > NAMES_MAX || (!self.asked.rule.is_empty() && !on.contains(&self.asked.rule.as_str())) {
            return html! {
                div {
                    label for="rule" { (label) }
                    input id="rule" type="text" name="rule" value=(self.asked.rule) maxlength="200" autocomplete="off";
                }
            };
        }
        let named = on.into_iter().map(|rule| (rule.to_owned(), rule_title(&edition.rules, self.visit.words, rule)));
        select("rule", label, self.words.any, &named.collect::<Vec<_>>(), &self.asked.rule)
    }
}

/// One of `options`, each with its words, or any.
fn select(name: &str, label: &str, any: &str, options: &[(String, String)], chosen: &str) -> Markup {
    html! {
        div {
            label for=(name) { (label) }
            select id=(name) name=(name) {
                option value="" selected[chosen.is_empty()] { (any) }
                @for (value, told) in options { option value=(value) selected[value == chosen] { (told) } }
            }
        }
    }
}

/// The zone in which days are meant: of the clinic that is asked for, or the reader's only one, or the first connection.
async fn zone(visit: &Visit, zones: &Zones<'_>, connection: Option<&str>, clinic: Option<&str>) -> Result<TimeZone, Problem> {
    // Of a clinic of others, its zone is not theirs to know either.
    if let Some(connection) = connection.filter(|connection| visit.who.clinics.include(connection, clinic)) {
        return zones.of(connection, clinic).await;
    }
    if let Some(one) = visit.who.clinics.named().and_then(|named| named.first()) {
        return zones.of(&one.connection, Some(&one.clinic)).await;
    }
    match visit.app.runtime.connections.keys().min() {
        Some(first) => zones.of(first, clinic).await,
        None => Ok(TimeZone::UTC),
    }
}

/// What the list is about, where somebody looked for it.
fn concerning(visit: &Visit, asked: &Asked) -> Result<Concerning, Problem> {
    let wrong = || Problem::query("This is not what a search leads to.");
    if !asked.about.is_empty() {
        if visit.who.role < Role::Admin {
            return Err(Problem::role(Role::Admin.as_str()));
        }
        let people = asked.about.split(',').map(|one| one.parse::<Pseudonym>().map_err(|_| wrong()));
        return Ok(Concerning::People(people.collect::<Result<_, _>>()?));
    }
    if asked.things.is_empty() {
        return Ok(Concerning::Anything);
    }
    let hash = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok().map(KeyHash);
    let things: Option<Vec<KeyHash>> = asked.things.split(',').map(hash).collect();
    Ok(Concerning::Things(things.ok_or_else(wrong)?))
}
