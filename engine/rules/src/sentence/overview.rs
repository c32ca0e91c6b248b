//! All that a person wants to know of a rule on one screen: what it does, what it shows to plugins and why, what they may do,
//! what can be chosen, what is tested. Commands, the API and pages print it; they add what is switched on.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::speaker::Speaker;
use super::words::{list, quoted};
use crate::condition::Spot;
use crate::diagnostic::closest;
use crate::load::RuleSet;
use crate::rule::{Action, ClassFrom, Field, Rule, Setting, Transform, basis};
use crate::source::Class;
use crate::text::{LOCALES, Text};

/// A text in every language.
type Told = BTreeMap<&'static str, String>;

/// A rule on one screen.
#[derive(Clone, Debug, Serialize)]
pub struct Overview {
    pub id: String,
    pub title: Text,
    pub description: Option<Text>,
    pub file: String,
    pub digest: String,
    pub source: Option<String>,
    /// The types of events that it is about.
    pub on: Vec<String>,
    /// The rule in words, with defaults for settings.
    pub sentence: Told,
    pub actions: Vec<Shown>,
    pub settings: Vec<Setting>,
    /// The names of its tests.
    pub tests: Vec<String>,
}

/// What one action shows to its plugin, why, and what that may do.
#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    pub action: String,
    pub plugin: String,
    pub version: String,
    pub purpose: Option<Text>,
    /// `lgpd:11.II.f`
    pub basis: Option<String>,
    /// What the law calls that.
    pub basis_words: Option<Told>,
    pub consent: Option<ConsentTold>,
    /// How delicate the most delicate is that reaches it: by its fields, its steps, and the records that it may read.
    pub class: Class,
    pub fields: Vec<FieldTold>,
    pub grants: Vec<GrantTold>,
}

/// Whose word an action heeds.
#[derive(Clone, Debug, Serialize)]
pub struct ConsentTold {
    pub topic: String,
    /// Whether it must have been given; else it must not have been withdrawn.
    pub needed: bool,
    pub words: Told,
}

/// A field that may reach a plugin.
#[derive(Clone, Debug, Serialize)]
pub struct FieldTold {
    pub name: String,
    /// What people call it.
    pub words: Told,
    /// The lookup whose record has it; none: the event.
    pub record: Option<String>,
    pub path: String,
    pub class: Class,
    /// Who says so.
    pub class_from: ClassFrom,
    /// What is made of it before anything sees it.
    #[serde(rename = "as")]
    pub transform: Option<&'static str>,
}

/// A grant, in words.
#[derive(Clone, Debug, Serialize)]
pub struct GrantTold {
    /// As in `[then.grant]`.
    pub grant: &'static str,
    pub words: Told,
}

impl RuleSet {
    /// The rule called `rule` on one screen; nothing where there is no such rule.
    pub fn overview(&self, rule: &str) -> Option<Overview> {
        let rule = self.rule(rule)?;
        let chosen = Map::<String, Value>::new();
        let speakers = LOCALES.map(|locale| (locale, Speaker::new(self, rule, &chosen, locale)));
        Some(Overview {
            id: rule.id.clone(),
            title: rule.title.clone(),
            description: rule.description.clone(),
            file: rule.file.clone(),
            digest: rule.digest.clone(),
            source: rule.source.clone(),
            on: rule.on.iter().cloned().collect(),
            sentence: self.sentences(&rule.id, &chosen),
            actions: rule.actions.iter().map(|action| shown(action, &speakers)).collect(),
            settings: rule.settings.clone(),
            tests: tests(rule),
        })
    }

    /// The id of a rule that is so close to `id` that it was probably meant.
    pub fn nearest(&self, id: &str) -> Option<&str> {
        let known: Vec<&str> = self.rules().map(|rule| rule.id.as_str()).collect();
        closest(id, &known)
    }
}

fn tests(rule: &Rule) -> Vec<String> {
    rule.tests.iter().map(|test| test.name.clone()).collect()
}

type Speakers<'s> = [(&'static str, Speaker<'s>); LOCALES.len()];

fn told(speakers: &Speakers<'_>, text: impl Fn(&Speaker<'_>) -> String) -> Told {
    speakers.iter().map(|(locale, speaker)| (*locale, text(speaker))).collect()
}

fn shown(action: &Action, speakers: &Speakers<'_>) -> Shown {
    Shown {
        action: action.name.clone(),
        plugin: action.plugin.name.clone(),
        version: action.plugin.version.clone(),
        purpose: action.purpose.clone(),
        basis: action.basis.clone(),
        basis_words: action
            .basis
            .as_deref()
            .and_then(basis::words)
            .map(|words| told(speakers, |speaker| speaker.pick(words.0, words.1).to_owned())),
        consent: action.consent.as_ref().map(|consent| ConsentTold {
            topic: consent.topic.clone(),
            needed: consent.needed,
            words: told(speakers, |speaker| speaker.heeds(consent)),
        }),
        class: action.class,
        fields: action.allow.iter().map(|field| field_told(field, speakers)).collect(),
        grants: grants(action, speakers),
    }
}

fn field_told(field: &Field, speakers: &Speakers<'_>) -> FieldTold {
    let spot = Spot { record: field.record.clone(), path: field.path.clone() };
    FieldTold {
        name: field.name.clone(),
        words: told(speakers, |speaker| format!("{}{}", speaker.noun(&spot).text, speaker.made(field.transform))),
        record: field.record.clone(),
        path: field.path.as_str().to_owned(),
        class: field.class,
        class_from: field.class_from.clone(),
        transform: field.transform.map(Transform::as_str),
    }
}

impl Speaker<'_> {
    /// What a transform leaves of a field.
    fn made(&self, transform: Option<Transform>) -> &'static str {
        match transform {
            None => "",
            Some(Transform::FirstName) => self.pick(" (só o primeiro nome)", " (first name only)"),
            Some(Transform::Last4) => self.pick(" (só os quatro últimos caracteres)", " (last four characters only)"),
            Some(Transform::Initials) => self.pick(" (só as iniciais)", " (initials only)"),
            Some(Transform::Year) => self.pick(" (só o ano)", " (year only)"),
            Some(Transform::Month) => self.pick(" (só o ano e o mês)", " (year and month only)"),
            Some(Transform::Date) => self.pick(" (só o dia)", " (day only)"),
            Some(Transform::Age) => self.pick(" (só a idade)", " (age only)"),
            Some(Transform::PhoneE164) => self.pick(" (como telefone internacional)", " (as an international number)"),
            Some(Transform::Lower) => self.pick(" (em minúsculas)", " (in small letters)"),
            Some(Transform::Upper) => self.pick(" (em maiúsculas)", " (in capitals)"),
            Some(Transform::Trim) => self.pick("", ""),
            Some(Transform::Hash) => self.pick(" (só um código que não revela o valor)", " (only a code that does not tell the value)"),
            Some(Transform::Digits) => self.pick(" (só os algarismos)", " (digits only)"),
            Some(Transform::Instant) => self.pick(" (com data, hora e fuso)", " (as an exact instant)"),
        }
    }
}

fn grants(action: &Action, speakers: &Speakers<'_>) -> Vec<GrantTold> {
    let granted = &action.grant;
    let grant = |grant: &'static str, words: &dyn Fn(&Speaker<'_>) -> String| GrantTold { grant, words: told(speakers, words) };
    let mut found = Vec::new();
    if !granted.http.is_empty() {
        found.push(grant("http", &|speaker| speaker.requests(&granted.http).unwrap_or_default()));
    }
    if let Some(messages) = &granted.messages {
        found.push(grant("messages", &|speaker| speaker.sends(messages, action)));
    }
    if granted.documents {
        found.push(grant("documents", &|speaker| speaker.pick("guarda documentos", "keeps documents").to_owned()));
    }
    if !granted.records.is_empty() {
        found.push(grant("records", &|speaker| {
            let and = speaker.pick("e", "and");
            let records = granted.records.iter().map(|record| {
                let fields: Vec<String> = record.fields.iter().cloned().collect();
                let ids = record.ids.as_ref().map(|ids| ids.iter().map(|id| speaker.filled(id, action)).collect::<Vec<_>>());
                let which = match ids {
                    Some(ids) => format!(
                        "{} {}",
                        speaker.pick("do registro cujo id é", "of the record whose id is"),
                        list(&ids, speaker.pick("ou", "or"))
                    ),
                    None => speaker.pick("de qualquer registro", "of any record").to_owned(),
                };
                format!("{} {} ({}) {which}", speaker.pick("grava", "writes"), quoted(&record.record), list(&fields, and))
            });
            list(&records.collect::<Vec<_>>(), and)
        }));
    }
    if granted.state {
        found.push(grant("state", &|speaker| {
            speaker.pick("guarda valores próprios e conta", "keeps values of its own, and counts").to_owned()
        }));
    }
    if !granted.events.is_empty() {
        found.push(grant("events", &|speaker| {
            let types: Vec<String> = granted.events.iter().map(|kind| quoted(kind)).collect();
            format!("{} {}", speaker.pick("emite eventos", "emits events"), list(&types, speaker.pick("e", "and")))
        }));
    }
    found
}
