//! What will be done and when: a day of the agenda, with the days around it; operators move, cancel, and send now.

mod calendar;
mod entry;
mod words;

use std::collections::BTreeSet;

use axum::extract::{FromRequestParts, Path, Query, Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::{StatusCode, Uri};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use maud::{Markup, html};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;
use zelo_core::JobId;
use zelo_core::timing::SendWindow;
use zelo_runtime::outlook::Outlook;
use zelo_store::{JobView, Page, Pending};

use self::calendar::{Calendar, days, span};
use self::entry::Entry;
pub(super) use self::entry::{PEOPLE, at, called, clinic, whom};
use self::words::{Words, words};
use super::attention::lacking;
use super::moments::{day, zone_name};
use super::places::{in_use, nameless};
use super::sent;
use super::tables::section;
use super::visit::{Place, Visit};
use crate::App;
use crate::access::{Gate, Known, Reach, Role};
use crate::api::jobs::{cancelled, rescheduled};
use crate::openapi::Table;
use crate::problem::Problem;
use crate::seen::Seen;

/// Entries of one page of a day.
const ROWS: u32 = 50;
/// Clinics that can be chosen.
const CLINICS: u32 = 200;

pub(crate) fn table() -> Table {
    Table::new()
        .at(Gate::Known(Role::Viewer, Reach::Clinics), routes!(show))
        .at(Gate::Known(Role::Operator, Reach::Clinics), routes!(decide))
}

/// What is asked for in the address.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(super) struct Asked {
    /// `2026-03-02`; today, where it does not say.
    day: String,
    /// `connection/clinic`, or a connection; all, where it does not say.
    place: String,
    /// The job that is shown whole.
    open: String,
    /// Where a page of a day goes on.
    after: String,
    /// What was done right before.
    done: String,
}

impl Asked {
    /// The same places on another day.
    fn at(&self, day: Date) -> String {
        self.with(&[("day", &day.to_string())])
    }

    /// The address of these parameters, at the same places.
    fn with(&self, parameters: &[(&str, &str)]) -> String {
        let place = Some(("place", self.place.as_str())).filter(|(_, place)| !place.is_empty());
        let all = parameters.iter().copied().chain(place).map(|(name, value)| format!("{name}={}", escaped(value)));
        format!("/scheduled?{}", all.collect::<Vec<_>>().join("&"))
    }

    /// The connection and the clinic.
    fn chosen(&self) -> (Option<String>, Option<String>) {
        match self.place.split_once('/') {
            Some((connection, clinic)) => (Some(connection.to_owned()), Some(clinic.to_owned())),
            None if self.place.is_empty() => (None, None),
            None => (Some(self.place.clone()), None),
        }
    }
}

/// A value of a query (RFC 3986 §2.3: what is not unreserved is escaped).
pub(super) fn escaped(value: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/:".contains(&byte);
    value.bytes().map(|byte| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// What could not be done, and what was filled in.
#[derive(Default)]
struct Wrong {
    job: String,
    date: String,
    hour: String,
    told: String,
    /// The button that does it all the same: what it sends, and what it says.
    confirm: Option<(String, &'static str)>,
}

/// A day of the agenda.
#[utoipa::path(get, path = "/scheduled", tag = "pages", operation_id = "scheduled_page", params(Asked), responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
))]
pub(crate) async fn show(visit: Visit, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let content = content(&visit, &asked, None).await?;
    Ok(visit.page(Place::Scheduled, visit.words.place(Place::Scheduled), &content))
}

/// The places that the reader may choose from: a value, and what it is called.
async fn places(visit: &Visit, chosen: &str) -> Result<Vec<(String, String)>, Problem> {
    let page = Page { limit: CLINICS, clinics: visit.who.clinics.clone(), ..Page::default() };
    let records = visit.app.runtime.store.records(&page, Some("clinic")).await?;
    let named = |place: &str| {
        let of = records.iter().find(|record| format!("{}/{}", record.connection, record.id) == place);
        of.and_then(|record| record.document.get("name")?.as_str()).map_or_else(
            || place.split_once('/').map_or_else(|| place.to_owned(), |(_, clinic)| nameless(visit.words, clinic)),
            str::to_owned,
        )
    };
    let places: Vec<String> = match visit.who.clinics.named() {
        Some(clinics) => clinics.iter().map(ToString::to_string).collect(),
        None => {
            // Those that are in use, and the one that is chosen.
            let chosen = |name: &&String| **name == *chosen;
            let mut connections: BTreeSet<String> = in_use(&visit.app);
            connections.extend(visit.app.runtime.connections.keys().filter(chosen).cloned());
            connections.extend(records.iter().map(|record| record.connection.clone()));
            let mut connections: Vec<String> = connections.into_iter().collect();
            connections.extend(records.iter().map(|record| format!("{}/{}", record.connection, record.id)));
            connections.sort_unstable();
            connections
        }
    };
    Ok(places.into_iter().map(|place| (place.clone(), named(&place))).collect())
}

async fn content(visit: &Visit, asked: &Asked, wrong: Option<&Wrong>) -> Result<Markup, Problem> {
    let (common, words) = (visit.words, words(visit.words));
    let (store, now) = (&visit.app.runtime.store, visit.app.runtime.clock.now());
    let places = places(visit, &asked.place).await?;
    let (connection, clinic) = asked.chosen();
    let zone = home(visit, &places, asked).await?;
    let today = now.to_zoned(zone.clone()).date();
    let shown: Date = asked.day.parse().unwrap_or(today);
    let (since, until) = span(shown, &zone);
    let after = asked
        .after
        .split_once('.')
        .and_then(|(at, cursor)| Some((Timestamp::from_millisecond(at.parse().ok()?).ok()?, cursor.parse().ok()?)));
    let clinics = visit.who.clinics.clone();
    let wanted = Pending { since, until, after, limit: ROWS + 1, connection, clinic, clinics };
    let archive = store.archive();
    let mut rows = archive.pending(&wanted).await?;
    let more = rows.len() > ROWS as usize;
    rows.truncate(ROWS as usize);
    let spans: Vec<_> = days(shown).into_iter().map(|day| span(day, &zone)).collect();
    let calendar = Calendar::new(shown, today, archive.pending_counts(&wanted, &spans).await?);
    // Entries say whose they are, by the records that they look up.
    let looked_up = rows.iter().flat_map(|row| &row.job.lookups).map(|lookup| lookup.record.hash).collect();
    let people = archive.people(&looked_up).await?;
    Seen::of("scheduled").rows(&rows).people(people).by(&visit.who, &visit.app).await?;
    let entries = Entry::all(visit, &rows, asked, wrong).await?;
    let next = rows.last().filter(|_| more).map(|row| format!("{}.{}", row.job.run_at.as_millisecond(), row.cursor));
    let done = match asked.done.as_str() {
        "move" => words.done_moved,
        "now" => words.done_now,
        "waits" => words.done_waits,
        "tried" => words.done_tried,
        "cancel" => words.done_cancelled,
        _ => "",
    };
    let waits = asked.done == "waits";
    let empty = html! {
        div.empty {
            p { strong { (words.empty) } }
            @match calendar.next() {
                Some(next) => p { (words.next) " " a href=(asked.at(next)) { (day(common, next)) } },
                None => p { (words.teach) },
            }
        }
    };
    let list = html! {
        @if let Some(wrong) = wrong.filter(|wrong| !rows.iter().any(|row| row.job.id.to_string() == wrong.job)) {
            p.error role="alert" { (words.refused) " " (wrong.told) }
        }
        @if rows.is_empty() { (empty) } @else {
            ul.agenda { @for entry in &entries { (entry.markup(words, common, asked, &zone)) } }
        }
        @if let Some(next) = &next {
            p.pager { a href=(asked.with(&[("day", &shown.to_string()), ("after", next)])) { (words.more) } }
        }
    };
    Ok(html! {
        p.none data-key="intro" { (words.intro) }
        @if !done.is_empty() { p.done role="status" data-key="said" { (done) @if waits { " " a href="/attention" { (common.place(Place::Attention)) } } } }
        (filters(words, common, asked, shown, &places))
        div data-key="calendar" { (calendar.markup(words, common, asked)) }
        (section("agenda", &title(common, shown), &html! {
            p.facts { (words.zone) " " (zone_name(&zone)) }
            (list)
        }))
    })
}

fn title(common: &super::words::Words, shown: Date) -> String {
    let weekday = common.weekdays[shown.weekday().to_monday_zero_offset() as usize];
    format!("{weekday}, {}", shown.strftime(if common.is_english() { "%Y-%m-%d" } else { "%d/%m/%Y" }))
}

fn filters(words: &Words, common: &super::words::Words, asked: &Asked, shown: Date, places: &[(String, String)]) -> Markup {
    html! {
        form.filters method="get" action="/scheduled" data-key="filters" {
            label { (words.day) input type="date" name="day" value=(shown); }
            @if places.len() > 1 {
                label { (common.clinic)
                    select name="place" {
                        option value="" { (words.whole) }
                        @for (place, name) in places { option value=(place) selected[*place == asked.place] { (name) } }
                    }
                }
            }
            button type="submit" { (words.show) }
        }
    }
}

/// The zone in which days are told: that of the place which is chosen, else of the first of all.
async fn home(visit: &Visit, places: &[(String, String)], asked: &Asked) -> Result<TimeZone, Problem> {
    let may = |place: &&str| places.iter().any(|(one, _)| one == place);
    let place = Some(asked.place.as_str()).filter(may).or_else(|| Some(places.first()?.0.as_str())).unwrap_or_default();
    let (connection, clinic) = place.split_once('/').map_or((place, None), |(connection, clinic)| (connection, Some(clinic)));
    visit.zones().of(connection, clinic).await
}

/// What is sent.
#[derive(Deserialize, ToSchema)]
#[schema(as = ScheduledForm)]
pub(crate) struct Said {
    /// `move`, `now` or `cancel`.
    what: String,
    /// `2026-03-02`, in the zone of the clinic.
    #[serde(default)]
    date: String,
    /// `09:30`
    #[serde(default)]
    hour: String,
    /// `yes`: outside of the hours in which it is sent, too.
    #[serde(default)]
    confirm: String,
    /// Where the reader is.
    #[serde(default)]
    day: String,
    #[serde(default)]
    place: String,
}

/// Moves a job, sends it now, or cancels it.
#[utoipa::path(post, path = "/scheduled/jobs/{id}", tag = "pages", operation_id = "decide_scheduled", params(("id" = String, Path, description = "`job_` and 32 hexadecimal digits.")), request_body(content = Said, content_type = "application/x-www-form-urlencoded"), responses(
    (status = 303, description = "Done; the agenda comes next."),
    (status = 409, description = "The job stands as it did: the page says why.", body = String, content_type = "text/html"),
    (status = 422, description = "Something is not filled in well: the page says what.", body = String, content_type = "text/html"),
))]
pub(crate) async fn decide(State(app): State<App>, who: Known, Path(id): Path<String>, request: Request) -> Result<Response, Problem> {
    let job: JobId = id.parse().map_err(|_| Problem::no_job())?;
    let (parts, body) = request.into_parts();
    let mut here = parts.clone();
    let malformed = || Problem::malformed("This is not the form of a scheduled job.");
    let said: Said = sent::form(&app, Request::from_parts(parts, body)).await?;
    if !["move", "now", "cancel"].contains(&said.what.as_str()) {
        return Err(malformed());
    }
    let view = app.runtime.store.job(job).await?.filter(|view| who.sees(view)).ok_or_else(Problem::no_job)?;
    let asked = Asked { day: said.day.clone(), place: said.place.clone(), open: id.clone(), ..Asked::default() };
    here.uri = asked.with(&[("day", &asked.day), ("open", &id)]).parse::<Uri>().map_err(|_| malformed())?;
    let visit = Visit::from_request_parts(&mut here, &app).await?;
    match act(&visit, &view, &said).await {
        Ok((day, done)) => {
            let day = day.map_or_else(|| said.day.clone(), |day| day.to_string());
            Ok(Redirect::to(&asked.with(&[("day", &day), ("done", done)])).into_response())
        }
        Err(Not::Problem(problem)) => Err(problem),
        Err(Not::Wrong(status, told, confirm)) => {
            let wrong = Wrong { job: id, date: said.date, hour: said.hour, told, confirm: confirm.map(|told| (said.what, told)) };
            // The page begins with the job that it is about, wherever that stands in its day.
            let (run_at, place) = (view.job.run_at, &view.job);
            let zone = visit.zones().of(&place.connection, place.clinic.as_deref()).await?;
            let after = format!("{}.{}", run_at.as_millisecond(), view.cursor - 1);
            let asked = Asked { day: run_at.to_zoned(zone).date().to_string(), after, ..asked };
            let content = content(&visit, &asked, Some(&wrong)).await?;
            Ok(visit.page_as(status, Place::Scheduled, visit.words.place(Place::Scheduled), &content))
        }
    }
}

/// Why something was not done: with what the page says, and the button that does it all the same, where it may be.
enum Not {
    Wrong(StatusCode, String, Option<&'static str>),
    Problem(Problem),
}

impl<E: Into<Problem>> From<E> for Not {
    fn from(error: E) -> Self {
        Self::Problem(error.into())
    }
}

/// Does what was said; the day on which the job is then, where that is another, and what was done.
async fn act(visit: &Visit, view: &JobView, said: &Said) -> Result<(Option<Date>, &'static str), Not> {
    let (app, words) = (&visit.app, words(visit.words));
    let refused = |problem: Problem| match problem.reason() {
        Some(reason) => Not::Wrong(StatusCode::CONFLICT, words.reason(visit.words, reason).to_owned(), None),
        None => Not::Problem(problem),
    };
    if said.what == "cancel" {
        cancelled(app, &visit.who, view.job.id).await.map_err(refused)?;
        return Ok((None, "cancel"));
    }
    let now = app.runtime.clock.now();
    let zone = visit.zones().of(&view.job.connection, view.job.clinic.as_deref()).await?;
    let to = if said.what == "now" {
        now
    } else {
        let no_date = || Not::Wrong(StatusCode::UNPROCESSABLE_ENTITY, words.no_date.to_owned(), None);
        let (date, hour) = (said.date.parse::<Date>(), said.hour.parse::<Time>());
        let local: DateTime = date.ok().zip(hour.ok()).map(|(date, hour)| date.to_datetime(hour)).ok_or_else(no_date)?;
        zone.to_timestamp(local).map_err(|_| no_date())?.max(now)
    };
    let outlook = app.runtime.outlook(&view.job).await?;
    // What is sent later may get what it lacks until then.
    let lacks = outlook.as_ref().filter(|_| said.what == "now").and_then(|outlook| lacks(visit, words, outlook));
    if said.confirm != "yes" {
        let is_open = |(window, zone): &(SendWindow, TimeZone)| window.contains(to.to_zoned(zone.clone()).time());
        let outside = outlook.as_ref().and_then(|outlook| outlook.window.as_ref()).is_some_and(|window| !is_open(window));
        let (outside, button) = (outside.then(|| words.outside.to_owned()), if lacks.is_some() { words.try_anyway } else { words.anyway });
        let told: Vec<String> = lacks.iter().map(|(told, _)| told.clone()).chain(outside).collect();
        if !told.is_empty() {
            return Err(Not::Wrong(StatusCode::CONFLICT, told.join(" "), Some(button)));
        }
    }
    let job = rescheduled(app, &visit.who, view.job.id, to).await.map_err(refused)?;
    Ok(match (said.what.as_str(), lacks) {
        ("move", _) => (Some(job.due.to_zoned(zone).date()), "move"),
        (_, Some((_, Then::Waits))) => (None, "waits"),
        (_, Some((_, Then::Ends))) => (None, "tried"),
        (_, None) => (None, "now"),
    })
}

/// What becomes of a job that would not do anything if it ran now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// A person fills in what it lacks.
    Waits,
    /// Whatever its rule says.
    Ends,
}

/// Why a job would not do anything if it ran now, in words; nothing where it would, or where only its steps tell.
fn lacks(visit: &Visit, words: &Words, outlook: &Outlook) -> Option<(String, Then)> {
    let reason = outlook.prepared.as_ref().err().filter(|reason| !matches!(reason.code.as_str(), "step" | "collects"))?;
    let lacking = lacking(visit, outlook.lacks.clone());
    Some(match lacking.is_empty() {
        true => (format!("{} {}.", words.would_not, words.reason(visit.words, reason)), Then::Ends),
        false => (format!("{} {}. {}", words.lacks, lacking.join(", "), words.lacks_then), Then::Waits),
    })
}
