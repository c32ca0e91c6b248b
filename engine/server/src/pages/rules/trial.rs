//! What a rule would have done: a backtest over stored events, begun with a form, with its progress while it runs.

use axum::extract::{Path, Request};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, ToSpan};
use maud::{Markup, html};
use serde::Deserialize;
use utoipa::ToSchema;
use zelo_rules::Rule;
use zelo_runtime::backtest::EXAMPLES_MAX;
use zelo_store::Range;

use super::words::{Words, words};
use super::{Side, missing, sides, title};
use crate::pages::moments::{moment, number, zone_name};
use crate::pages::sent;
use crate::pages::tables::{section, table};
use crate::pages::visit::{Place, Visit};
use crate::problem::Problem;
use crate::trials::{self, Refused, Stage, Trial, Tried};

/// Days that are looked back at, where nobody says otherwise.
const DAYS: i64 = 30;

/// What is sent.
#[derive(Deserialize, ToSchema)]
#[schema(as = BacktestForm)]
pub(crate) struct Said {
    /// `start` or `stop`.
    what: String,
    /// The first day, such as `2026-03-01`, and the last one.
    #[serde(default)]
    since: String,
    #[serde(default)]
    until: String,
    /// Only events of this connection.
    #[serde(default)]
    connection: String,
}

/// The days and the connection of the form, as they were filled in, and what is wrong with them.
struct Filled {
    since: String,
    until: String,
    connection: String,
    wrong: Option<&'static str>,
}

/// The form, and the trial of this rule that the reader has begun last.
#[utoipa::path(get, path = "/rules/{id}/backtest", tag = "pages", operation_id = "rule_backtest_page", params(("id" = String, Path, description = "Of the rule.")), responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
))]
pub(crate) async fn show(visit: Visit, Path(id): Path<String>) -> Result<Response, Problem> {
    let edition = visit.app.runtime.rules.current();
    let rule = edition.rules.rule(&id).ok_or_else(missing)?;
    let zone = visit.zones().of_all();
    let today = visit.app.runtime.clock.now().to_zoned(zone).date();
    let first = today.saturating_sub(DAYS.days());
    let filled = Filled { since: first.to_string(), until: today.to_string(), connection: String::new(), wrong: None };
    Ok(page(&visit, rule, StatusCode::OK, &filled))
}

/// Begins a trial, or stops the one that runs.
#[utoipa::path(post, path = "/rules/{id}/backtest", tag = "pages", operation_id = "backtest_rule", params(("id" = String, Path, description = "Of the rule.")), request_body(content = Said, content_type = "application/x-www-form-urlencoded"), responses(
    (status = 303, description = "Begun, or about to stop; the page comes next."),
    (status = 409, description = "Another one runs; the page says which.", body = String, content_type = "text/html"),
    (status = 422, description = "The form is not filled in right; the page says where.", body = String, content_type = "text/html"),
))]
pub(crate) async fn decide(visit: Visit, Path(id): Path<String>, request: Request) -> Result<Response, Problem> {
    let app = &visit.app;
    let edition = app.runtime.rules.current();
    let rule = edition.rules.rule(&id).ok_or_else(missing)?;
    let Said { what, since, until, connection } = sent::form(app, request).await?;
    let again = || Redirect::to(&format!("/rules/{}/backtest", rule.id)).into_response();
    match what.as_str() {
        "stop" => {
            app.trials.stop(&visit.who);
            return Ok(again());
        }
        "start" => {}
        _ => return Err(Problem::malformed("`what` is start or stop.")),
    }
    let w = words(visit.words);
    let known = connection.is_empty() || app.runtime.connections.contains_key(&connection);
    let Some(range) = range(&visit.zones().of_all(), &since, &until, &connection).filter(|_| known) else {
        let filled = Filled { since, until, connection, wrong: Some(w.wrong_days) };
        return Ok(page(&visit, rule, StatusCode::UNPROCESSABLE_ENTITY, &filled));
    };
    let wrong = match trials::begin(app, &visit.who, &rule.id, range).await? {
        Ok(()) => return Ok(again()),
        Err(Refused::Own) => w.own_runs,
        Err(Refused::Full) => w.others_run,
    };
    Ok(page(&visit, rule, StatusCode::CONFLICT, &Filled { since, until, connection, wrong: Some(wrong) }))
}

/// From the beginning of one day to the end of another.
fn range(zone: &TimeZone, since: &str, until: &str, connection: &str) -> Option<Range> {
    let day = |text: &str| text.trim().parse::<Date>().ok();
    let (since, until) = (day(since)?, day(until)?.tomorrow().ok()?);
    let at = |day: Date| Some(day.to_zoned(zone.clone()).ok()?.timestamp());
    let range = Range { since: at(since)?, until: at(until)?, connection: (!connection.is_empty()).then(|| connection.to_owned()) };
    (range.until.duration_since(range.since) > SignedDuration::ZERO).then_some(range)
}

fn page(visit: &Visit, rule: &Rule, status: StatusCode, filled: &Filled) -> Response {
    let w = words(visit.words);
    let trial = visit.app.trials.of(&visit.who);
    let own = trial.as_ref().filter(|trial| trial.rule == rule.id);
    let elsewhere = trial.as_ref().filter(|trial| trial.rule != rule.id && matches!(trial.stage(), Stage::Runs(_)));
    let runs = own.is_some_and(|trial| matches!(trial.stage(), Stage::Runs(_)));
    let content = html! {
        (sides(w, &rule.id, Side::Trial))
        @if let Some(trial) = elsewhere { p.error data-key="elsewhere" { (w.own_runs) " " a href={ "/rules/" (trial.rule) "/backtest" } { (trial.rule) } } }
        @if let Some(trial) = own { (told(visit, w, trial)) }
        @if !runs { (section("begin", w.backtest, &form(visit, w, rule, filled))) }
    };
    // Without script, the page comes again by itself while there is something to wait for.
    let head = html! { @if runs { noscript { meta http-equiv="refresh" content="2"; } } };
    match status {
        StatusCode::OK => visit.page_with(Place::Rules, title(rule, visit.words.lang), &head, &content),
        _ => visit.page_as(status, Place::Rules, title(rule, visit.words.lang), &content),
    }
}

fn form(visit: &Visit, w: &Words, rule: &Rule, filled: &Filled) -> Markup {
    let mut connections: Vec<&str> = visit.app.runtime.connections.keys().map(String::as_str).collect();
    connections.sort_unstable();
    html! {
        p { (w.backtest_how) }
        @if visit.who.role.writes_rules() {
            @if let Some(wrong) = filled.wrong { p.error id="wrong" { (wrong) } }
            form.filters method="post" action={ "/rules/" (rule.id) "/backtest" } {
                div { label for="since" { (w.since) } input id="since" name="since" type="date" required value=(filled.since) aria-describedby=[filled.wrong.map(|_| "wrong")]; }
                div { label for="until" { (w.until) } input id="until" name="until" type="date" required value=(filled.until) aria-describedby=[filled.wrong.map(|_| "wrong")]; }
                div {
                    label for="connection" { (visit.words.connection) }
                    select id="connection" name="connection" {
                        option value="" { (w.all) }
                        @for name in connections { option value=(name) selected[name == filled.connection] { (name) } }
                    }
                }
                button type="submit" name="what" value="start" { (w.start) }
            }
            p.none { (w.days_in) " " (zone_name(&visit.zones().of_all())) }
        } @else { p.none { (w.tests_are_integrators) } }
    }
}

/// How far a trial is, or what it came to.
fn told(visit: &Visit, w: &Words, trial: &Trial) -> Markup {
    let zone = visit.zones().of_all();
    let range = html! {
        p.facts {
            (moment(visit.words, trial.range.since, &zone)) " – " (moment(visit.words, trial.range.until, &zone))
            @if let Some(connection) = &trial.range.connection { " · " (connection) }
        }
    };
    let (content, runs) = match trial.stage() {
        Stage::Runs(progress) => {
            let content = html! {
                p { label for="progress" { (w.runs) } " " (number(visit.words, progress.done)) " / " (number(visit.words, progress.total)) }
                // Until the events are counted nobody knows how far it is.
                @if progress.total == 0 { progress id="progress" {} }
                @else { progress id="progress" max=(progress.total) value=(progress.done) {} }
                form.choices method="post" action={ "/rules/" (trial.rule) "/backtest" } { button.quiet type="submit" name="what" value="stop" { (w.stop) } }
            };
            (content, true)
        }
        Stage::Done(tried) => (outcome(visit, w, &trial.rule, &tried), false),
        Stage::Stopped => (html! { p role="status" { (w.stopped) } }, false),
        Stage::Failed => (html! { p.error role="status" { (w.broke_off) } }, false),
    };
    html! {
        section id="trial" data-key="trial" aria-labelledby="trial-title" data-runs=[runs.then_some("")] {
            h2 id="trial-title" { (w.result) }
            (range)
            (content)
        }
    }
}

/// What the rule would have done.
fn outcome(visit: &Visit, w: &Words, rule: &str, tried: &Tried) -> Markup {
    let compared = tried.counted.rules.get(rule);
    let rows = compared.and_then(|compared| compared.new.as_ref()).map(zelo_runtime::backtest::Counts::rows).unwrap_or_default();
    let examples = compared.map(|compared| compared.only_new.as_slice()).unwrap_or_default();
    let fires = rows.iter().find(|(name, _)| name == "fires").map_or(0, |(_, count)| *count);
    html! {
        p.done role="status" { (w.looked_at) " " (number(visit.words, tried.counted.events)) " · " (w.would_fire) " " (number(visit.words, fires)) }
        @if tried.counted.unreadable > 0 { p.none { (number(visit.words, tried.counted.unreadable)) " " (w.unreadable) } }
        @if tried.as_if_on { p.none { (w.as_if_on) } }
        @if tried.counted.events == 0 { div.empty { p { (w.no_events_then) } } }
        @if !rows.is_empty() {
            (table(w.count, &[w.what, w.count], &html! {
                @for (name, count) in rows.iter().filter(|(name, count)| *count > 0 || ["events", "fires", "runs"].contains(&name.as_str())) {
                    tr { th scope="row" { (w.counted(name)) } td { (number(visit.words, *count)) } }
                }
            }))
        }
        @if !examples.is_empty() {
            h3 { (w.examples) }
            ul { @for event in examples { li { a href={ "/activity/events/" (event) } { code { (event) } } } } }
            @if examples.len() >= EXAMPLES_MAX { p.none { (w.first_examples) } }
        }
    }
}
