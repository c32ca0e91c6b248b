//! The seven steps, as they look from where somebody is.

use maud::{Markup, html};
use zelo_rules::{Rule, Source};
use zelo_runtime::Connection;

use super::words::{Words, words};
use super::{Asked, Failed, Made, Way, Would, listening};
use crate::access::Role;
use crate::pages::automations::preview;
use crate::pages::moments::moment;
use crate::pages::sent::address;
use crate::pages::tables::table;
use crate::problem::Problem;

/// Whether a step is behind somebody, before them, or later.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stand {
    Done,
    Now,
    Next,
}

impl Stand {
    /// Of a step whose end is `done`, which can be begun when what is before it is.
    fn of(done: bool, before: bool) -> Self {
        match (done, before) {
            (true, _) => Self::Done,
            (false, true) => Self::Now,
            (false, false) => Self::Next,
        }
    }
}

impl Way<'_> {
    /// All steps.
    pub(super) async fn steps(&self) -> Result<Markup, Problem> {
        let own = words(self.visit.words);
        let (chosen, came, rule) = (self.chosen.is_some(), self.event.is_some(), self.rule.is_some());
        let there = !self.arrived.is_empty();
        let does = matches!(&self.would, Some(Would::Do(..)));
        let is_on = self.is_on();
        let would = self.would(own).await?;
        let arrived = self.arrived(own).await?;
        Ok(html! {
            p.intro data-key="intro" { (own.intro) }
            (step(own, 1, own.choose, Stand::of(chosen, true), &self.choose(own)))
            (step(own, 2, own.address, Stand::of(there, chosen), &self.chosen.map_or_else(|| later(own), |(connection, source)| self.address(own, connection, source))))
            (step(own, 3, own.sample, Stand::of(came, chosen), &self.chosen.map_or_else(|| later(own), |(connection, source)| self.sample(own, connection, source))))
            (step(own, 4, own.arrived, Stand::of(came, there), &arrived))
            (step(own, 5, own.rule, Stand::of(rule, came), &self.rules(own)))
            (step(own, 6, own.would, Stand::of(does, rule), &would))
            (step(own, 7, own.switch, Stand::of(is_on, does), &self.switch(own, is_on)))
        })
    }

    fn choose(&self, own: &Words) -> Markup {
        let words = self.visit.words;
        if self.connections.is_empty() {
            return html! { div.empty { p { (own.choose_none) } } };
        }
        html! {
            p { (own.choose_how) }
            form.filters method="get" action="/start" {
                div {
                    label for="connection" { (own.connection) }
                    select id="connection" name="connection" {
                        @for (connection, source) in &self.connections {
                            option value=(connection.name) selected[connection.name == self.asked.connection] {
                                (source.title.get(words.lang).map_or(source.id.as_str(), String::as_str)) " · " (connection.name)
                            }
                        }
                    }
                }
                button.quiet[self.chosen.is_some()] type="submit" { (own.choose_go) }
            }
            p.facts { (own.choose_more) " " a href="/sources" { (words.place(crate::pages::visit::Place::Sources)) } }
        }
    }

    fn address(&self, own: &Words, connection: &Connection, source: &Source) -> Markup {
        let root = format!("{}/hooks/{}/", self.base, connection.name);
        let mut paths: Vec<(&str, String)> = source
            .events
            .iter()
            .filter_map(|event| Some((event.matches.path.as_deref().filter(|path| !path.is_empty())?, self.title(source, &event.kind))))
            .collect();
        paths.dedup();
        let rows = html! { @for (path, title) in &paths { tr { th scope="row" { code { (root) (path) } } td { (title) } } } };
        let insecure = self.visit.app.runtime.is_insecure(connection);
        html! {
            label for="address" { (own.address_how) }
            input id="address" readonly value=(root);
            @if !paths.is_empty() {
                details data-key="addresses" { summary { (own.address_each) } (table(own.address_each, &["URL", own.event], &rows)) }
            }
            h3 { (own.secret) }
            @if insecure {
                p.error { (own.secret_open) }
            } @else if connection.secrets.is_empty() {
                p { (own.secret_none) }
            } @else {
                p { ((own.secret_is)(connection.secrets.len())) " " @match self.secret {
                    Made::Elsewhere => ((own.secret_where)(&connection.name)),
                    Made::Shown => ((own.secret_shown)(&connection.name)),
                    Made::Here => {},
                } }
                @if self.secret == Made::Here && self.visit.who.role >= Role::Admin {
                    form method="post" action="/start/secret" {
                        p { (own.secret_made) }
                        input type="hidden" name="connection" value=(connection.name);
                        button.quiet type="submit" { (own.secret_show) }
                    }
                } @else if self.secret == Made::Here { p { (own.secret_ask) } }
            }
            @if !insecure && !source.verify.is_empty() {
                p { (own.secret_ways) }
                ul { @for scheme in &source.verify { @let (shows, place) = scheme.shows(); li { ((own.shows)(shows, place)) } } }
            }
        }
    }

    fn sample(&self, own: &Words, connection: &Connection, source: &Source) -> Markup {
        let mut kinds: Vec<&str> = source.samples().map(|(kind, _)| kind).collect();
        kinds.dedup();
        let chosen = self.event.as_ref().map(|view| view.event.kind.as_str());
        html! {
            @if let Some(Failed::Sample(why)) = &self.failed { div.error role="alert" { (why) } }
            @match self.asked.sent.as_str() {
                "came" if self.event.is_some() => div.done role="status" { (own.sample_came) },
                "known" => div.done role="status" { (own.sample_known) },
                _ => {},
            }
            @if kinds.is_empty() {
                p { (own.sample_none) }
            } @else {
                p { (own.sample_how) }
                form.filters method="post" action="/start/sample" {
                    input type="hidden" name="connection" value=(connection.name);
                    input type="hidden" name="rule" value=(self.rule.map_or("", |rule| rule.id.as_str()));
                    div {
                        label for="kind" { (own.sample_kind) }
                        select id="kind" name="kind" {
                            @for kind in &kinds { option value=(kind) selected[Some(*kind) == chosen] { (self.title(source, kind)) } }
                        }
                    }
                    button type="submit" { (own.sample_go) }
                }
            }
        }
    }

    async fn arrived(&self, own: &Words) -> Result<Markup, Problem> {
        let Some((connection, source)) = self.chosen else { return Ok(later(own)) };
        let (words, zones) = (self.visit.words, self.visit.zones());
        let mut rows = Vec::with_capacity(self.arrived.len());
        for view in &self.arrived {
            let zone = zones.of(&connection.name, view.event.clinic.as_deref()).await?;
            rows.push((view, moment(words, view.event.received, &zone), self.title(source, &view.event.kind)));
        }
        let chosen = self.event.as_ref().map(|view| view.event.id);
        Ok(html! {
            @if rows.is_empty() {
                div.empty { p { (own.arrived_none) } }
            } @else {
                ul.arrivals {
                    @for (view, when, title) in rows {
                        @let event = &view.event;
                        li data-key={ "event " (event.id) } data-news=(title) {
                            span { (when) " " a href={ "/activity/events/" (event.id) } { (title) } " " small.none { (event.kind) } }
                            @if Some(event.id) == chosen {
                                span.badge.good { (own.arrived_this) }
                            } @else {
                                @let there = Asked { event: event.id.to_string(), sent: String::new(), ..self.asked.clone() };
                                a.button.quiet href=(there.address()) { (own.arrived_look) }
                            }
                        }
                    }
                }
            }
        })
    }

    fn rules(&self, own: &Words) -> Markup {
        let (Some(view), Some((_, source))) = (&self.event, self.chosen) else { return later(own) };
        let (lang, edition) = (self.visit.words.lang, self.visit.app.runtime.rules.current());
        let rules: Vec<&Rule> = listening(self.rules, source, &view.event.kind).collect();
        let sentence = |rule: &Rule| {
            let settings = edition.rules.settings_for(&rule.id, &serde_json::Map::new()).ok()?;
            Some(edition.rules.sentence(&rule.id, &settings, lang)?.to_string())
        };
        html! {
            @if rules.is_empty() {
                div.empty { p { (own.rule_none) } }
            } @else {
                p { (own.rule_how) }
                div.cards {
                    @for rule in rules {
                        @let is_this = self.rule.is_some_and(|chosen| chosen.id == rule.id);
                        div.card {
                            h3 { (rule.title.get(lang).map_or(rule.id.as_str(), String::as_str)) }
                            @if let Some(sentence) = sentence(rule) { p { (sentence) } }
                            @if is_this {
                                span.badge.good { (own.rule_chosen) }
                            } @else {
                                @let there = Asked { rule: rule.id.clone(), sent: String::new(), ..self.asked.clone() };
                                a.button.quiet href=(there.address()) aria-label={ (own.rule_go) ": " (rule.title.get(lang).map_or(rule.id.as_str(), String::as_str)) } { (own.rule_go) }
                            }
                        }
                    }
                }
            }
        }
    }

    async fn would(&self, own: &Words) -> Result<Markup, Problem> {
        let (Some(would), Some(view), Some(rule)) = (&self.would, &self.event, self.rule) else { return Ok(later(own)) };
        let event = &view.event;
        let zone = self.visit.zones().of(&event.connection, event.clinic.as_deref()).await?;
        let words = self.visit.words;
        Ok(html! {
            @match would {
                Would::Do(tried, example) => {
                    p { (own.would_how) }
                    (preview::would(words, tried, &zone))
                    @if let Some(example) = example {
                        p { (own.would_example) }
                        (preview::would(words, example, &zone))
                    }
                },
                Would::Nothing(why) => {
                    p { (own.would_nothing) } p.text { (why) }
                    @if rule.fires_with(&event.kind).is_some() {
                        form method="post" action="/start/sample" {
                            input type="hidden" name="connection" value=(event.connection);
                            input type="hidden" name="kind" value=(event.kind);
                            input type="hidden" name="rule" value=(rule.id);
                            button type="submit" { (own.would_fire) }
                        }
                    }
                },
                Would::Unknown(why) => p.error { (own.would_unknown) " " span lang="en" { (why) } },
            }
        })
    }

    fn switch(&self, own: &Words, is_on: bool) -> Markup {
        let Some(rule) = self.rule else { return later(own) };
        let there = self.chosen.map(|(connection, _)| address(&format!("/automations/{}", rule.id), &[("connection", &connection.name)]));
        let there = there.unwrap_or_else(|| format!("/automations/{}", rule.id));
        if is_on {
            let another = Asked { rule: String::new(), sent: String::new(), ..self.asked.clone() };
            return html! {
                div.done role="status" { (own.switch_done) }
                h3 { (own.then) }
                ul {
                    li { a href="/scheduled" { (own.then_agenda) } }
                    li { a href="/attention" { (own.then_attention) } }
                    li { a href=(there) { (own.then_settings) } }
                    li { a href={ (another.address()) "#step-5" } { (own.then_another) } }
                }
            };
        }
        html! {
            @if let Some(Failed::Switch(why)) = &self.failed { div.error role="alert" { (own.switch_failed) @for why in why { " " span lang="en" { (why) } } } }
            form method="post" action="/start/on" {
                input type="hidden" name="connection" value=(self.asked.connection);
                input type="hidden" name="event" value=(self.asked.event);
                input type="hidden" name="rule" value=(rule.id);
                p { (own.switch_so) }
                button type="submit" { (own.switch_now) }
            }
            p { (own.switch_how) }
            p { a.button.quiet href=(there) { (own.switch_go) } }
        }
    }

    /// Whether the chosen rule is switched on for the chosen connection, or a clinic of it.
    fn is_on(&self) -> bool {
        let edition = self.visit.app.runtime.rules.current();
        let chosen = self.rule.zip(self.chosen);
        chosen.is_some_and(|(rule, (connection, _))| {
            edition.in_force.automations().any(|one| one.enabled && one.rule == rule.id && one.connection == connection.name)
        })
    }

    /// What people call events of a type.
    fn title(&self, source: &Source, kind: &str) -> String {
        let title = source.events.iter().find(|event| event.kind == kind).and_then(|event| event.title.as_ref());
        title.and_then(|title| title.get(self.visit.words.lang)).cloned().unwrap_or_else(|| kind.to_owned())
    }
}

fn step(own: &Words, number: u8, title: &str, stand: Stand, content: &Markup) -> Markup {
    let (class, told) = match stand {
        Stand::Done => ("badge good", own.done),
        Stand::Now => ("badge", own.now),
        Stand::Next => ("badge off", own.next),
    };
    html! {
        section.card.step id={ "step-" (number) } data-key={ "step-" (number) } aria-labelledby={ "step-" (number) "-title" } {
            h2 id={ "step-" (number) "-title" } { span.place aria-hidden="true" { (number) } " " (title) " " span class=(class) { (told) } }
            (content)
        }
    }
}

fn later(own: &Words) -> Markup {
    html! { p.none { (own.later) } }
}
