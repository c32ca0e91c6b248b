//! One reader at one page: who they are, in which language, and the frame around what they came for.
//!
//! A handler takes a [`Visit`], reads what it shows, has that written down ([`Seen`](crate::seen::Seen)), and answers with
//! [`Visit::page`].

use axum::extract::FromRequestParts;
use axum::response::Response;
use http::StatusCode;
use http::request::Parts;
use maud::{Markup, html};

use super::moments::Zones;
use super::words::Words;
use super::{LIVE_POLICY, Language, POLICY, answer, document, halts};
use crate::App;
use crate::access::{Known, Reach, Role};
use crate::live;
use crate::problem::Problem;

/// Where a page stands in the menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Today,
    Start,
    Automations,
    Scheduled,
    Activity,
    Attention,
    Failures,
    Messages,
    Documents,
    Contacts,
    Subjects,
    Rules,
    Plugins,
    Sources,
    People,
    Audit,
}

/// One entry of the menu: its address, and who finds something there, as its route says too.
struct Entry(Place, &'static str, Role, Reach);

/// The menu: what a clinic does every day, then whom it is about, then what integrators see to.
const MENU: [&[Entry]; 3] = [
    &[
        Entry(Place::Today, "/", Role::Viewer, Reach::Clinics),
        Entry(Place::Start, "/start", Role::Integrator, Reach::Everything),
        Entry(Place::Automations, "/automations", Role::Viewer, Reach::Clinics),
        Entry(Place::Scheduled, "/scheduled", Role::Viewer, Reach::Clinics),
        Entry(Place::Attention, "/attention", Role::Viewer, Reach::Clinics),
        Entry(Place::Failures, "/failures", Role::Viewer, Reach::Clinics),
        Entry(Place::Activity, "/activity", Role::Viewer, Reach::Clinics),
    ],
    &[
        Entry(Place::Messages, "/messages", Role::Viewer, Reach::Clinics),
        Entry(Place::Documents, "/documents", Role::Viewer, Reach::Clinics),
        Entry(Place::Contacts, "/contacts", Role::Viewer, Reach::Clinics),
        Entry(Place::Subjects, "/subjects", Role::Admin, Reach::Clinics),
    ],
    &[
        Entry(Place::Rules, "/rules", Role::Viewer, Reach::Everything),
        Entry(Place::Plugins, "/plugins", Role::Viewer, Reach::Everything),
        Entry(Place::Sources, "/sources", Role::Viewer, Reach::Everything),
        Entry(Place::People, "/people", Role::Admin, Reach::Everything),
        Entry(Place::Audit, "/audit", Role::Viewer, Reach::Clinics),
    ],
];

/// Who reads a page.
pub(crate) struct Visit {
    pub(crate) app: App,
    pub(crate) words: &'static Words,
    pub(crate) who: Known,
    /// What was newest before anything was read: what comes in between is shown twice, not missed.
    seen: String,
    /// Where they are, for the way back.
    at: String,
}

impl FromRequestParts<App> for Visit {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let who = Known::from_request_parts(parts, app).await?;
        Self::of(app, who, parts).await
    }
}

impl Visit {
    /// `who` at the page that `parts` ask for.
    pub(crate) async fn of(app: &App, who: Known, parts: &mut Parts) -> Result<Self, Problem> {
        let Ok(Language(words)) = Language::from_request_parts(parts, app).await;
        let seen = live::look(&app.runtime).await?;
        let visit = Self { app: app.clone(), words, who, seen, at: parts.uri.path_and_query().map_or("/", |at| at.as_str()).to_owned() };
        Ok(if parts.method.is_safe() { visit } else { visit.of_form("/".to_owned()) })
    }

    /// The zones of the clinics, each looked up once for this page.
    pub(crate) fn zones(&self) -> Zones<'_> {
        Zones::new(&self.app)
    }

    /// The same, in answer to a form: what it shows is not at an address of its own, so it does not renew itself; the way back leads to `at`.
    pub(crate) fn of_form(self, at: String) -> Self {
        Self { seen: String::new(), at, ..self }
    }

    /// The whole page: `content` under its title, with the menu. It shows by itself what changes, to whom changes are told.
    pub(crate) fn page(&self, place: Place, title: &str, content: &Markup) -> Response {
        self.page_as(StatusCode::OK, place, title, content)
    }

    /// The same with another status: what was sent could not be done, and the page says why.
    pub(crate) fn page_as(&self, status: StatusCode, place: Place, title: &str, content: &Markup) -> Response {
        // What is told to open pages is that something has changed, wherever that was.
        let seen = self.live().filter(|_| status == StatusCode::OK);
        self.framed(status, place, title, (&html! {}, content), seen)
    }

    /// The same with more in its head.
    pub(crate) fn page_with(&self, place: Place, title: &str, head: &Markup, content: &Markup) -> Response {
        self.framed(StatusCode::OK, place, title, (head, content), self.live())
    }

    /// The answer to a form, which nobody can fetch again: it stays as it is.
    pub(crate) fn answered(&self, place: Place, title: &str, content: &Markup) -> Response {
        self.framed(StatusCode::OK, place, title, (&html! {}, content), None)
    }

    /// What the page shows, where changes of it are told to the reader.
    fn live(&self) -> Option<&str> {
        Some(self.seen.as_str()).filter(|seen| self.who.sees_everything() && !seen.is_empty())
    }

    fn framed(&self, status: StatusCode, place: Place, title: &str, (head, content): (&Markup, &Markup), seen: Option<&str>) -> Response {
        let words = self.words;
        let body = html! {
            a.skip href="#main" { (words.skip) }
            div.frame {
                header.top {
                    a.brand href="/" { "zelo" }
                    div.reader {
                        (language_form(words, &self.at))
                        form method="post" action="/sign-out" { button.plain type="submit" { (words.sign_out) } }
                    }
                }
                (self.menu(place))
                div.page {
                    p.news id="news" role="status" data-new=(words.new) {}
                    main id="main" tabindex="-1" data-seen=[seen] {
                        h1 data-key="title" { (title) }
                        @if self.who.sees_everything() { (halts::banner(words, &self.app.runtime.line.halts(), self.who.role, &self.zones().of_all())) }
                        (content)
                    }
                }
            }
        };
        let head = html! { script src="/zelo.js" defer {} (head) };
        answer(status, LIVE_POLICY, &document(words, title, &head, &body))
    }

    /// Where they may go. On a small window it is folded.
    fn menu(&self, place: Place) -> Markup {
        let may = |entry: &&Entry| self.who.role >= entry.2 && (entry.3 != Reach::Everything || self.who.sees_everything());
        html! {
            details.menu {
                summary { (self.words.menu) }
                nav aria-label=(self.words.menu) {
                    @for group in MENU {
                        ul {
                            @for entry in group.iter().filter(may) {
                                li { a href=(entry.1) aria-current=[(entry.0 == place).then_some("page")] { (self.words.place(entry.0)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A page for who is not signed in: no menu, no script.
pub(super) fn narrow(status: StatusCode, words: &Words, title: &str, content: &Markup) -> Response {
    let body = html! {
        div.narrow {
            header.top { a.brand href="/" { "zelo" } (language_form(words, "/")) }
            main id="main" { (content) }
        }
    };
    answer(status, POLICY, &document(words, title, &html! {}, &body))
}

/// The other language, and back to where the reader is.
fn language_form(words: &Words, back: &str) -> Markup {
    let (lang, told) = words.other();
    html! {
        form method="post" action="/language" {
            input type="hidden" name="back" value=(back);
            button.plain type="submit" name="lang" value=(lang) lang=(lang) { (told) }
        }
    }
}
