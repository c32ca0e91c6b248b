//! Why each rule fires or does not, for one event: the condition trees with what was seen, the first clause that failed, and the
//! jobs that would be made.
//!
//! Nothing here decides anything: what fires is what [`InForce`] says that it wants, told in a way that can be read.

mod job;
mod reason;
mod render;

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Map;
use zelo_core::timing::Records;
use zelo_core::{AutomationId, Candidate, Event, Indexer, Plan};

use crate::condition::{Language, Reveal, Spot, Told};
use crate::facts::Facts;
use crate::in_force::{Automation, EventOnly, InForce, Joined, Standing, is_second_lap, told_apart_by_nothing};
use crate::rule::{Action, Rule};
use crate::sentence::Speaker;
use crate::source::Class;

pub use job::JobTold;
use reason::Hindrance;
pub(crate) use reason::unnamed;

/// An event to be explained.
pub struct Question<'q> {
    pub event: &'q Event,
    pub index: &'q Indexer,
    /// The records that the rules look up, as far as they are known.
    pub records: &'q dyn Records,
    /// Values of this class and of less delicate ones are shown; of others only their type.
    pub reveal: Class,
    /// `pt-BR` or `en`.
    pub locale: &'q str,
}

/// Why each rule fires or does not.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    pub event: EventTold,
    pub rules: Vec<RuleTold>,
    /// The language of its sentences.
    pub language: &'static str,
}

/// The event that was explained: no values of its payload.
#[derive(Clone, Debug, Serialize)]
pub struct EventTold {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(rename = "type")]
    pub kind: String,
    pub source: String,
    pub connection: String,
    pub clinic: Option<String>,
    pub time: Timestamp,
}

/// What comes of a rule or an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It makes a job.
    Fires,
    /// It ends what is pending.
    Cancels,
    Silent,
}

/// One rule: for each automation of it on the event's connection, or once if it is off there.
#[derive(Clone, Debug, Serialize)]
pub struct RuleTold {
    pub rule: String,
    pub title: String,
    /// None: it is not switched on here, and told as it would be at its defaults.
    pub automation: Option<AutomationId>,
    pub outcome: Outcome,
    /// Why it does not fire: the first thing that keeps it. No values.
    pub why: Option<String>,
    /// `[when]`, where the rule is about the event and has one.
    pub when: Option<Told>,
    pub actions: Vec<ActionTold>,
}

/// One action of a rule that is about the event.
#[derive(Clone, Debug, Serialize)]
pub struct ActionTold {
    pub action: String,
    pub plugin: String,
    /// Whether it is about events of this type at all.
    pub about: bool,
    pub outcome: Outcome,
    pub why: Option<String>,
    pub when: Option<Told>,
    /// Asked again when the job runs.
    pub only_if: Option<Told>,
    /// What would be made; whether it would take something else's place is not known here.
    pub job: Option<JobTold>,
}

impl InForce {
    /// Explains what every rule makes of an event.
    pub fn explain(&self, question: &Question<'_>) -> Explanation {
        self.told(question, self.rules().rules())
    }

    /// The same of one rule; of none, where there is no such rule.
    pub fn explain_rule(&self, question: &Question<'_>, rule: &str) -> Explanation {
        self.told(question, self.rules().rule(rule).into_iter())
    }

    /// The same of those rules alone that listen to events of its type; and how many others there are.
    pub fn explain_listeners(&self, question: &Question<'_>) -> (Explanation, usize) {
        let (listeners, others): (Vec<&Rule>, Vec<_>) = self.rules().rules().partition(|rule| is_about(rule, question.event));
        (self.told(question, listeners.into_iter()), others.len())
    }

    fn told<'r>(&'r self, question: &Question<'_>, rules: impl Iterator<Item = &'r Rule>) -> Explanation {
        let event = question.event;
        let language = Language::of(question.locale);
        let facts = self.facts(event);
        let rules = rules.flat_map(|rule| {
            let standings = self.standings(&rule.id, &event.connection, event.clinic.as_deref());
            if standings.is_empty() {
                return vec![self.off(rule, question, &facts, language)];
            }
            let told = |(joined, standing): (&Joined, Standing)| {
                Telling { in_force: self, question, facts: &facts, language, rule, joined }.rule(Some(standing))
            };
            standings.into_iter().map(told).collect()
        });
        Explanation {
            event: EventTold {
                id: (event.id.bytes() != &[0; 16]).then(|| event.id.to_string()),
                kind: event.kind.clone(),
                source: event.source.clone(),
                connection: event.connection.clone(),
                clinic: event.clinic.clone(),
                time: event.time,
            },
            rules: rules.collect(),
            language: language.pick("pt-BR", "en"),
        }
    }

    /// A rule that is not switched on for the event's connection, as it would be at its defaults.
    fn off(&self, rule: &Rule, question: &Question<'_>, facts: &Facts<'_>, language: Language) -> RuleTold {
        let connection = question.event.connection.clone();
        let automation = Automation {
            id: AutomationId::new(&rule.id, &connection, None),
            rule: rule.id.clone(),
            connection,
            clinic: None,
            settings: Map::new(),
            enabled: false,
        };
        match Joined::new(self.rules(), rule, automation) {
            Ok(joined) => Telling { in_force: self, question, facts, language, rule, joined: &joined }.rule(None),
            // It cannot even be told: a setting has no default.
            Err(_) => RuleTold::silent(rule, None, &Hindrance::Off, language),
        }
    }
}

/// Whether a rule listens to events of this type and source.
fn is_about(rule: &Rule, event: &Event) -> bool {
    rule.source.as_ref().is_none_or(|source| *source == event.source) && rule.types().contains(event.kind.as_str())
}

/// One automation, or one that might be, being told about one event.
struct Telling<'t> {
    in_force: &'t InForce,
    question: &'t Question<'t>,
    /// What the event says of what rules ask.
    facts: &'t Facts<'t>,
    language: Language,
    rule: &'t Rule,
    joined: &'t Joined,
}

impl Telling<'_> {
    /// The rule; without a standing it is off.
    fn rule(&self, standing: Option<Standing>) -> RuleTold {
        let Question { event, index, .. } = self.question;
        let automation = standing.map(|_| self.joined.automation.id.clone());
        let hindrance = match standing {
            None => Some(Hindrance::Off),
            Some(Standing::Replaced) => Some(Hindrance::Replaced),
            Some(Standing::Elsewhere) => Some(Hindrance::Elsewhere),
            Some(Standing::InForce) if is_second_lap(self.joined, event) => Some(Hindrance::SecondLap),
            Some(Standing::InForce) => None,
        };
        let of_source = self.rule.source.as_ref().is_none_or(|source| *source == event.source);
        if !is_about(self.rule, event) {
            let not_about = Hindrance::NotAbout { kind: &event.kind, types: self.rule.on.iter().map(String::as_str).collect() };
            return RuleTold::silent(self.rule, automation, hindrance.as_ref().filter(|_| of_source).unwrap_or(&not_about), self.language);
        }
        let documents = EventOnly::new(self.facts, self.in_force, self.rule, event);
        let candidates = self.in_force.wanted(self.joined, self.rule, event, self.facts, index);
        let speaker = Speaker::new(self.in_force.rules(), self.rule, &self.joined.automation.settings, self.question.locale);
        let reveal = Reveal {
            class: self.question.reveal,
            language: self.language,
            class_of: &|spot| self.class(spot),
            said: &|clause| speaker.clause_alone(clause),
        };
        let about = self.rule.on.contains(&event.kind);
        let when = self.joined.when(self.rule).filter(|_| about);
        let failure = when.and_then(|when| when.failure(&documents)).map(Hindrance::When);
        let blocked = hindrance.or(failure);
        let actions: Vec<ActionTold> = self
            .rule
            .actions
            .iter()
            .map(|action| {
                let candidate = candidates.iter().find(|candidate| candidate.origin.action == action.name);
                self.action(action, candidate, blocked.as_ref(), &documents, &reveal)
            })
            .collect();
        let of = |outcome| actions.iter().any(|action| action.outcome == outcome);
        let outcome = [Outcome::Fires, Outcome::Cancels].into_iter().find(|outcome| of(*outcome)).unwrap_or(Outcome::Silent);
        let why = match outcome {
            Outcome::Fires => None,
            Outcome::Cancels if blocked.is_none() => Some(Hindrance::Cancels { kind: &event.kind }.text(self.language)),
            _ => blocked.map(|hindrance| hindrance.text(self.language)).or_else(|| {
                // An action that is about the event is nearer to firing than one that is not.
                let told = |action: &ActionTold| Some(format!("{}: {}", action.action, action.why.as_ref()?));
                actions.iter().filter(|action| action.about).find_map(told).or_else(|| actions.iter().find_map(told))
            }),
        };
        RuleTold {
            rule: self.rule.id.clone(),
            title: self.title(),
            automation,
            outcome,
            why,
            when: when.map(|when| when.told(&documents, &reveal)),
            actions,
        }
    }

    fn action(
        &self,
        action: &Action,
        candidate: Option<&Candidate>,
        blocked: Option<&Hindrance<'_>>,
        documents: &EventOnly<'_>,
        reveal: &Reveal<'_>,
    ) -> ActionTold {
        let event = self.question.event;
        let cancels = action.cancel_on.iter().any(|cancel| cancel.types.contains(&event.kind));
        let about = self.rule.on.contains(&event.kind) && action.is_for(&event.kind) && !cancels;
        let own = self.joined.action(&action.name).and_then(|joined| joined.when(action)).filter(|_| about);
        let stops = blocked.filter(|hindrance| !matches!(hindrance, Hindrance::When(_)));
        let candidate = candidate.filter(|_| stops.is_none());
        let (outcome, why) = match candidate.map(|candidate| &candidate.plan) {
            Some(Plan::Fire { .. }) => (Outcome::Fires, None),
            Some(Plan::Cancel { .. }) if cancels => (Outcome::Cancels, None),
            // What no longer matches ends what is pending under its key.
            Some(Plan::Cancel { .. }) => {
                let failure = blocked.cloned().or_else(|| own.and_then(|when| when.failure(documents)).map(Hindrance::When));
                (Outcome::Cancels, failure.map(|hindrance| hindrance.text(self.language)))
            }
            plan => {
                let not_for = || Hindrance::NotAbout { kind: &event.kind, types: action.on.iter().flatten().map(String::as_str).collect() };
                let failure = own.and_then(|when| when.failure(documents)).map(Hindrance::When);
                let unnamed =
                    || told_apart_by_nothing(action, event).filter(|_| plan.is_none()).map(|(name, path)| Hindrance::Unnamed(name, path));
                let cancelling = || action.cancel_on.iter().find(|cancel| cancel.types.contains(&event.kind));
                let hindrance = match blocked {
                    Some(blocked) => Some(Cow::Borrowed(blocked)),
                    None if cancels => cancelling().map(|cancel| Cow::Owned(Hindrance::Unnamed("key", &cancel.key))),
                    None if !about => Some(Cow::Owned(not_for())),
                    None => failure.or_else(unnamed).map(Cow::Owned),
                };
                (Outcome::Silent, hindrance.map(|hindrance| hindrance.text(self.language)))
            }
        };
        let fires = candidate.filter(|_| outcome == Outcome::Fires);
        let prospect = fires.map(|candidate| job::Prospect::new(self.in_force, self.question, candidate));
        ActionTold {
            action: action.name.clone(),
            plugin: action.plugin.name.clone(),
            about,
            outcome,
            why,
            when: own.map(|when| when.told(documents, reveal)),
            only_if: prospect.as_ref().and_then(|prospect| prospect.only_if(reveal)),
            job: prospect.map(|prospect| prospect.told(self.language)),
        }
    }

    /// How delicate what stands at `spot` is. What a plugin emitted no source has classified: it is sensitive.
    fn class(&self, spot: &Spot) -> Class {
        let source = self.in_force.rules().source(&self.question.event.source).filter(|_| self.question.event.cause.is_none());
        let record = spot.record.as_ref().map(|name| self.rule.lookups.iter().find(|lookup| lookup.name == *name));
        match (source, record) {
            (Some(source), None) => source.class(&self.question.event.kind, &spot.path),
            // Which record it is tells the key.
            (Some(source), Some(Some(lookup))) => {
                source.record_class(&lookup.record, &spot.path).max(source.class(&self.question.event.kind, &lookup.key))
            }
            _ => Class::Sensitive,
        }
    }

    fn title(&self) -> String {
        title(self.rule, self.language)
    }
}

fn title(rule: &Rule, language: Language) -> String {
    rule.title.get(language.pick("pt-BR", "en")).cloned().unwrap_or_default()
}

impl RuleTold {
    fn silent(rule: &Rule, automation: Option<AutomationId>, hindrance: &Hindrance<'_>, language: Language) -> Self {
        Self {
            rule: rule.id.clone(),
            title: title(rule, language),
            automation,
            outcome: Outcome::Silent,
            why: Some(hindrance.text(language)),
            when: None,
            actions: Vec::new(),
        }
    }
}
