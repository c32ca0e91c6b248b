//! The page of one automation, at one place: what it does, sees and may do, its settings, and who changed what.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use data_encoding::HEXLOWER;
use http::StatusCode;
use maud::{Markup, html};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use zelo_rules::{Rule, Shown};
use zelo_runtime::rulebook::Edition;
use zelo_store::AutomationRow;

use super::form::{Form, Texts, Wrong, Wrongs, capital, print, read};
use super::history::{history, last};
use super::spot::{Spot, Spots};
use super::words::{Words, words};
use crate::access::Role;
use crate::pages::moments::since;
use crate::pages::sent::form;
use crate::pages::tables::{section, table};
use crate::pages::visit::{Place, Visit};
use crate::problem::Problem;

/// A connection and a clinic, as they are asked for.
pub(super) type Named = (String, Option<String>);

/// One automation, read for one reader.
pub(super) struct One {
    pub(super) visit: Visit,
    pub(super) words: &'static Words,
    pub(super) spot: Spot,
    pub(super) edition: Arc<Edition>,
    pub(super) rows: Vec<AutomationRow>,
    id: String,
    spots: Spots,
}

/// What somebody filled in, and why it was not taken.
#[derive(Default)]
pub(super) struct Attempt {
    pub(super) texts: Texts,
    pub(super) wrongs: Wrongs,
    /// Of all of it.
    pub(super) why: Option<String>,
    /// How it stood when the form was drawn, as that says.
    pub(super) stood: Option<String>,
    /// What became of it since then.
    pub(super) meanwhile: Option<Markup>,
}

/// What a page shows beside what is stored.
#[derive(Default)]
struct Drawn {
    attempt: Option<Attempt>,
    pane: Option<Markup>,
    done: Option<Markup>,
}

/// The fields of a form that was sent, and the place that they name.
pub(super) async fn fields(visit: &Visit, request: Request) -> Result<(Named, Vec<(String, String)>), Problem> {
    let fields: Vec<(String, String)> = form(&visit.app, request).await?;
    let connection = sent(&fields, "connection").ok_or_else(|| Problem::malformed("The form of an automation names its connection."))?;
    Ok(((connection, sent(&fields, "clinic")), fields))
}

/// The field `name` of a form, where it has one.
pub(super) fn sent(fields: &[(String, String)], name: &str) -> Option<String> {
    fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
}

impl One {
    /// The automation of `rule` at the place that is named; else where it is on, or may be.
    pub(super) async fn of(visit: Visit, rule: &str, named: Option<Named>) -> Result<Self, Problem> {
        let edition = visit.app.runtime.rules.current();
        let rows = visit.app.runtime.store.automations().await?;
        let spots = Spots::of(&visit.app, visit.words, &visit.who, &rows).await?;
        let gone = || Problem::not_found("There is no such automation. /automations lists them.");
        let found = edition.rules.rule(rule).ok_or_else(gone)?;
        let places = spots.for_rule(&visit.app, &edition.rules, found, &visit.who);
        if places.is_empty() {
            return Err(gone());
        }
        let spot = match named {
            Some((connection, clinic)) => Spot::asked(&visit.app, &edition.rules, found, &visit.who, &connection, clinic.as_deref())?,
            None => {
                let on = places.iter().find(|spot| spot.row(rule, &rows).is_some_and(|row| row.enabled));
                on.or(places.first()).cloned().ok_or_else(gone)?
            }
        };
        let words = words(visit.words);
        Ok(Self { visit, words, spot, edition, rows, id: rule.to_owned(), spots })
    }

    pub(super) fn rule(&self) -> Result<&Rule, Problem> {
        self.edition.rules.rule(&self.id).ok_or_else(Problem::internal)
    }

    /// Whether the reader may switch it, and change its settings.
    pub(super) fn may_change(&self) -> bool {
        self.visit.who.role >= Role::Integrator
    }

    /// Its row at this place.
    pub(super) fn row(&self) -> Option<&AutomationRow> {
        self.spot.row(&self.id, &self.rows)
    }

    /// That of the whole connection, where this place is a clinic without a word of its own and the reader is told of it.
    fn followed(&self) -> Option<&AutomationRow> {
        let follows = self.spot.clinic.is_some() && self.row().is_none() && self.visit.who.sees_everything();
        self.spot.whole().row(&self.id, &self.rows).filter(|_| follows)
    }

    fn is_on(&self) -> bool {
        self.row().is_some_and(|row| row.enabled)
    }

    /// Whether there is something to switch off: also what a clinic has from its connection, which not everybody is told of.
    fn may_be_on(&self) -> bool {
        let unsaid = self.spot.clinic.is_some() && self.row().is_none() && !self.visit.who.sees_everything();
        self.is_on() || unsaid || self.followed().is_some_and(|row| row.enabled)
    }

    /// Its settings, as a form prints them.
    pub(super) fn texts(&self) -> Texts {
        let none = Map::new();
        let chosen = self.row().or(self.followed()).map_or(&none, |row| &row.settings);
        self.rule().map(|rule| print(&rule.settings, chosen)).unwrap_or_default()
    }

    /// What `texts` choose for it.
    ///
    /// # Errors
    /// All that cannot be taken.
    pub(super) fn chosen(&self, texts: &Texts) -> Result<Map<String, Value>, Wrongs> {
        let settings = self.edition.rules.rule(&self.id).map(|rule| rule.settings.as_slice()).unwrap_or_default();
        let chosen = read(settings, texts)?;
        let turned = self.edition.rules.turned_hours(&self.id, &chosen);
        if turned.is_empty() { Ok(chosen) } else { Err(turned.into_iter().map(|name| (name.to_owned(), Wrong::Turned)).collect()) }
    }

    /// How it stands, as its form says: another text after every change.
    pub(super) fn stands(&self) -> String {
        let Some(AutomationRow { id, settings, enabled, origin, changed, .. }) = self.row() else { return "never".to_owned() };
        let told = json!([id.0, settings, enabled, origin, changed.as_millisecond()]);
        HEXLOWER.encode(&Sha256::digest(told.to_string()))
    }

    /// The page again where it was changed since its form was drawn: how it stands now, beside what was filled in.
    pub(super) async fn changed_meanwhile(self, texts: Texts) -> Result<Response, Problem> {
        let (words, common) = (self.words, self.visit.words);
        let last = last(&self.visit, words, &self.id, &self.spot).await?;
        let zone = self.visit.zones().of(&self.spot.connection, self.spot.clinic.as_deref()).await?;
        let now = self.visit.app.runtime.clock.now();
        let meanwhile = html! {
            (last.as_ref().map_or(words.somebody, |(who, _)| who.as_str())) " " (words.changed_this)
            @if let Some((_, at)) = &last { " " (since(common, *at, now, &zone)) }
            ". " (words.meanwhile)
        };
        self.again(Attempt { texts, meanwhile: Some(meanwhile), ..Attempt::default() }).await
    }

    /// What people call this place.
    pub(super) fn place(&self) -> String {
        self.spots.name(&self.spot, self.words.every_clinic)
    }

    /// The address of this page.
    pub(super) fn address(&self) -> String {
        self.spot.address(&self.id)
    }

    /// How many pending jobs a word about this place ends: all that it has, or those only that the connection's own automation has here.
    pub(super) async fn pending(&self, of_connection: OfConnection) -> Result<u64, Problem> {
        let (own, whole) = (self.spot.id(&self.id), self.spot.whole().id(&self.id));
        let pending = self.visit.app.runtime.store.archive().live_jobs(&self.id).await?;
        let counted = pending.iter().filter(|one| match (&self.spot.clinic, of_connection) {
            (None, _) => one.automation == own,
            (Some(clinic), OfConnection::Alone) => one.automation == whole && one.clinic.as_ref() == Some(clinic),
            (Some(clinic), OfConnection::Too) => [&own, &whole].contains(&&one.automation) && one.clinic.as_ref() == Some(clinic),
        });
        Ok(counted.map(|one| one.jobs).sum())
    }

    /// The page, with what was done a moment ago.
    pub(super) async fn page(self, done: Option<Markup>) -> Result<Response, Problem> {
        self.drawn(StatusCode::OK, Drawn { done, ..Drawn::default() }).await
    }

    /// The page again, with what is wrong with what was filled in.
    pub(super) async fn again(self, attempt: Attempt) -> Result<Response, Problem> {
        let status = if attempt.wrongs.is_empty() { StatusCode::CONFLICT } else { StatusCode::UNPROCESSABLE_ENTITY };
        self.still().drawn(status, Drawn { attempt: Some(attempt), ..Drawn::default() }).await
    }

    /// The page with what would be done under what was filled in.
    pub(super) async fn tried(self, texts: Texts, stood: Option<String>, pane: Markup) -> Result<Response, Problem> {
        let attempt = Some(Attempt { texts, stood, ..Attempt::default() });
        self.still().drawn(StatusCode::OK, Drawn { attempt, pane: Some(pane), done: None }).await
    }

    /// The same as the answer to a form.
    fn still(self) -> Self {
        let at = self.address();
        Self { visit: self.visit.of_form(at), ..self }
    }

    async fn drawn(self, status: StatusCode, drawn: Drawn) -> Result<Response, Problem> {
        let (rule, words) = (self.rule()?, self.words);
        let overview = self.edition.rules.overview(&self.id).ok_or_else(Problem::internal)?;
        let replaced = match self.spot.clinic.is_some() && self.row().is_none() && self.may_change() {
            true => self.pending(OfConnection::Alone).await?,
            false => 0,
        };
        let history = history(&self.visit, words, rule, &self.spots).await?;
        let title = rule.title.get(self.visit.words.lang).map_or(self.id.as_str(), String::as_str).to_owned();
        let wrong = drawn.attempt.as_ref().is_some_and(|attempt| !attempt.wrongs.is_empty());
        let preview = match drawn.pane {
            Some(pane) => pane,
            None if wrong => html! { p.none { (words.preview_wrong) } },
            None => html! { p.none { (words.preview_how) } },
        };
        let body = html! {
            @if let Some(done) = &drawn.done { p.done role="status" data-key="done" { (done) } }
            (self.what(rule))
            (self.places(rule))
            (section("settings", words.settings, &self.settings(rule, drawn.attempt.as_ref(), replaced)))
            (section("preview", words.preview, &html! { div #preview-pane aria-live="polite" { (preview) } }))
            (section("sees", words.sees, &self.sees(&overview.actions)))
            (section("may", words.may, &self.may(&overview.actions)))
            (section("history", words.history, &history))
            p data-key="back" { a href="/automations" { (words.back) } }
        };
        Ok(self.visit.page_as(status, Place::Automations, &title, &body))
    }

    /// What it does, and whether.
    fn what(&self, rule: &Rule) -> Markup {
        let (words, lang) = (self.words, self.visit.words.lang);
        let none = Map::new();
        let settings = self.row().or(self.followed()).map_or(&none, |row| &row.settings);
        let sentence = self.edition.rules.sentence(&rule.id, settings, lang).map(|sentence| sentence.to_string()).unwrap_or_default();
        let from_file = self.row().is_some_and(|row| row.enabled && row.origin == "config");
        let idle = self.edition.in_force.problems().iter().find(|problem| self.is_on() && problem.automation == self.spot.id(&self.id));
        section(
            "what",
            words.what,
            &html! {
                div.card {
                    @if let Some(text) = rule.description.as_ref().and_then(|text| text.get(lang)) { p { strong { (text) } } }
                    p.said { (sentence) }
                    p { (words.here) " " (self.place()) " " (self.badge(&self.spot)) }
                    @if let Some(row) = self.followed() {
                        p.facts { (words.follows) " " ((if row.enabled { words.on } else { words.off }).to_lowercase()) "." }
                    } @else if self.spot.clinic.is_some() && self.row().is_none() && !self.visit.who.sees_everything() {
                        p.facts { (words.may_follow) }
                    }
                    @if from_file { p.facts { (words.from_file) } }
                    @if let Some(problem) = idle { p.error { (words.does_nothing) @if self.visit.who.role >= Role::Integrator { " " span lang="en" { (problem.text) } } } }
                }
            },
        )
    }

    fn badge(&self, spot: &Spot) -> Markup {
        let (class, told) = match spot.row(&self.id, &self.rows) {
            Some(row) if row.enabled => ("badge good", self.words.on),
            None if spot.clinic.is_some() => ("badge off", self.words.as_connection),
            _ => ("badge off", self.words.off),
        };
        html! { span class=(class) { (told) } }
    }

    /// The other places where it may be switched.
    fn places(&self, rule: &Rule) -> Markup {
        let places = self.spots.for_rule(&self.visit.app, &self.edition.rules, rule, &self.visit.who);
        if places.len() < 2 {
            return html! {};
        }
        let words = self.words;
        section(
            "where",
            words.where_,
            &html! {
                p.facts { (words.where_how) }
                ul.spots {
                    @for spot in &places {
                        li {
                            a href=(spot.address(&self.id)) aria-current=[(*spot == self.spot).then_some("true")] {
                                (self.spots.name(spot, words.every_clinic))
                            }
                            " " (self.badge(spot))
                        }
                    }
                }
            },
        )
    }

    fn hidden(&self) -> Markup {
        html! {
            input type="hidden" name="connection" value=(self.spot.connection);
            @if let Some(clinic) = &self.spot.clinic { input type="hidden" name="clinic" value=(clinic); }
        }
    }

    /// The form, or what is chosen for who may not change it.
    fn settings(&self, rule: &Rule, attempt: Option<&Attempt>, replaced: u64) -> Markup {
        let (words, none, stored) = (self.words, Wrongs::new(), self.texts());
        let (texts, wrongs) = attempt.map_or((&stored, &none), |attempt| (&attempt.texts, &attempt.wrongs));
        let meanwhile = attempt.and_then(|attempt| attempt.meanwhile.as_ref());
        let form = Form { words, common: self.visit.words, settings: &rule.settings, texts, wrongs, meanwhile: meanwhile.map(|_| &stored) };
        let preview = format!("/automations/{}/preview", self.id);
        if !self.may_change() {
            return html! {
                @if rule.settings.is_empty() { p.none { (words.none_to_choose) } } @else { (form.facts()) }
                form.choices method="post" action=(preview) data-preview=(preview) {
                    (self.hidden())
                    button.quiet type="submit" data-try { (words.try_it) }
                }
            };
        }
        html! {
            @if let Some(why) = attempt.and_then(|attempt| attempt.why.as_ref()) { p.error role="alert" { (why) } }
            @if let Some(meanwhile) = meanwhile { p.error role="alert" { (meanwhile) } }
            @if !wrongs.is_empty() { p.error role="alert" { (words.wrong) } }
            @if rule.settings.is_empty() { p.none { (words.none_to_choose) } } @else { p.facts { (words.settings_how) } }
            form.settings method="post" action={ "/automations/" (self.id) } data-preview=(preview) {
                (self.hidden())
                input type="hidden" name="stood" value=(attempt.and_then(|attempt| attempt.stood.clone()).unwrap_or_else(|| self.stands()));
                (form.fields())
                p.facts { (if self.is_on() { words.pending_moves } else { words.only_forward }) }
                @if replaced > 0 { p.facts { strong { (replaced) } " " (words.own_replaces) } }
                div.choices {
                    button type="submit" name="do" value="on" { (if self.is_on() { words.save } else { words.switch_on }) }
                    button.quiet type="submit" formaction=(preview) formnovalidate data-try { (words.try_it) }
                    @if self.may_be_on() {
                        a.button.quiet href=(self.spot.address(&format!("{}/off", self.id))) { (words.switch_off) }
                    }
                }
            }
        }
    }

    /// Each field that reaches it, and why.
    fn sees(&self, actions: &[Shown]) -> Markup {
        let (words, common) = (self.words, self.visit.words);
        let lang = common.lang;
        html! {
            p.facts { (words.sees_how) }
            @for (action, number) in actions.iter().zip(1..) {
                @let purpose = action.purpose.as_ref().and_then(|purpose| purpose.get(lang));
                div.purpose {
                    @if actions.len() > 1 { h3 { (number) ". " (purpose.unwrap_or(&action.action)) } }
                    @else if let Some(purpose) = purpose { p { strong { (words.purpose) } " " (purpose) } }
                    @if let Some(basis) = &action.basis {
                        p { strong { (common.basis) } " "
                            @if let Some(told) = action.basis_words.as_ref().and_then(|told| told.get(lang)) { (told) " " }
                            small { "(" (basis) ")" } }
                    }
                    @if let Some(told) = action.consent.as_ref().and_then(|consent| consent.words.get(lang)) { p { (capital(told)) "." } }
                    @if action.fields.is_empty() { p.none { (words.sees_nothing) } } @else {
                        @let rows = html! {
                            @for field in &action.fields {
                                tr {
                                    th scope="row" { (field.words.get(lang).map_or(field.name.as_str(), String::as_str)) }
                                    td { (common.class(field.class)) }
                                    td { @match &field.record { Some(record) => { (words.of_record) " " small { (record) } }, None => (words.of_event) } }
                                }
                            }
                        };
                        (table(&format!("{} · {}", words.sees, purpose.unwrap_or(&action.action)), &[words.field, words.class, words.from_where], &rows))
                    }
                }
            }
        }
    }

    /// What it may do, all of it.
    fn may(&self, actions: &[Shown]) -> Markup {
        let (words, lang) = (self.words, self.visit.words.lang);
        let mut told: Vec<String> = Vec::new();
        for text in actions.iter().flat_map(|action| &action.grants).filter_map(|grant| grant.words.get(lang)).map(|text| capital(text)) {
            if !told.contains(&text) {
                told.push(text);
            }
        }
        html! {
            @if told.is_empty() { p.none { (words.may_nothing) } } @else {
                p.facts { (words.may_how) }
                ul { @for text in &told { li { (text) "." } } }
            }
        }
    }
}

/// Whose jobs are counted for a clinic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OfConnection {
    /// Those of the connection's automation, and of no other.
    Alone,
    /// Those, and the clinic's own.
    Too,
}
