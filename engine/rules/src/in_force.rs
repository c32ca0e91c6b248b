//! What is in force: a rule set, and the automations that are on.
//!
//! Built aside and swapped in as a whole; never changed. Events are matched against it before the queue, jobs are
//! prepared with it when they run, and due times are computed from it at any time between: `matching` says what a rule wants because
//! of an event, `silence` why it wants nothing, `timetable` when a job is due, `beside` what may run beside it. `outlook` answers those who count what it would do.

mod beside;
mod consents;
mod lacks;
mod matching;
mod outlook;
mod silence;
mod timetable;

pub use lacks::Lack;
pub(crate) use matching::EventOnly;
pub use outlook::Concerned;
pub(crate) use silence::told_apart_by_nothing;
pub(crate) use timetable::document;

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use foldhash::fast::FixedState;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};
use zelo_core::job::Reason;
use zelo_core::{AutomationId, Candidate, Event, Indexer, Origin, Plan};

use crate::condition::{Circumstances, Condition, Documents};
use crate::digest;
use crate::facts::Facts;
use crate::index::RuleNo;
use crate::load::RuleSet;
use crate::rule::{Action, Consent, Rule, SetOverTime, SetTiming, locale};
use crate::template::Templates;
use crate::text::Text;
use matching::{Known, Matching};

/// A rule that is switched on; or off for one clinic, while the connection has it on.
#[derive(Clone, Debug, PartialEq)]
pub struct Automation {
    pub id: AutomationId,
    pub rule: String,
    pub connection: String,
    /// Only for this clinic; then it stands in for the automation of the whole connection.
    pub clinic: Option<String>,
    /// What was chosen; the rest is defaults.
    pub settings: Map<String, Value>,
    /// Where it is not, it does nothing but stand in for the automation of the whole connection.
    pub enabled: bool,
}

/// Why an automation is on and yet does nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub automation: AutomationId,
    pub text: String,
}

/// A rule set with the automations that are on.
pub struct InForce {
    pub(crate) rules: Arc<RuleSet>,
    automations: Vec<Joined>,
    by_id: HashMap<AutomationId, usize>,
    connections: HashMap<String, Listeners, FixedState>,
    /// By connection and clinic, the rules for which the clinic has an automation of its own: on, off or broken.
    own: HashMap<String, HashMap<String, HashSet<String>>>,
    problems: Vec<Problem>,
}

/// The automations of one connection.
#[derive(Default)]
struct Listeners {
    /// Those that listen to a type of event.
    all: HashMap<String, Vec<usize>, FixedState>,
    /// Those among them that may do something about it even where their conditions do not hold: end what is pending.
    watchful: HashMap<String, Vec<usize>, FixedState>,
    by_rule: HashMap<RuleNo, Places, FixedState>,
}

/// Which of the automations: mostly one.
struct Places {
    first: Place,
    more: Vec<Place>,
}

struct Place {
    automation: usize,
    /// What is wanted of every event that the rule's own condition holds of: where the automation is on for the connection, and the rule has one
    /// action about which an event decides nothing else. Then nothing else is looked at.
    plain: Option<Arc<Origin>>,
}

/// An automation that an event concerns.
struct Concern<'f> {
    automation: usize,
    known: Known,
    plain: Option<&'f Arc<Origin>>,
}

/// An automation joined to its rule.
pub(crate) struct Joined {
    pub(crate) automation: Automation,
    /// All settings, defaults filled in.
    pub(crate) settings: Map<String, Value>,
    /// The place of its rule.
    rule: RuleNo,
    /// What the condition of the rule is under these settings, where it names any.
    when: Option<Condition>,
    /// In the order of the rule.
    actions: Vec<JoinedAction>,
    /// Of the rule and the settings.
    digest: String,
}

/// An action joined to settings.
pub(crate) struct JoinedAction {
    origin: Arc<Origin>,
    timing: SetTiming,
    over: SetOverTime,
    /// What its conditions are under these settings, where they name any.
    when: Option<Condition>,
    only_if: Option<Condition>,
}

/// An action of an automation that is on.
#[derive(Clone, Copy)]
pub struct ActionRef<'f> {
    pub rule: &'f Rule,
    pub action: &'f Action,
    pub(crate) joined: &'f Joined,
}

/// Whether an automation is the one in force for a clinic.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    InForce,
    /// It is the connection's, and the clinic has one of its own.
    Replaced,
    /// It is another clinic's.
    Elsewhere,
}

/// Prints counts only.
impl fmt::Debug for InForce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InForce({} automations, {} problems)", self.automations.len(), self.problems.len())
    }
}

impl<'f> ActionRef<'f> {
    /// The digest of what runs: rule, plugins, sources and settings.
    pub fn digest(&self) -> &'f str {
        &self.joined.digest
    }

    /// The settings in force.
    pub fn settings(&self) -> &'f Map<String, Value> {
        &self.joined.settings
    }

    /// The language of its texts.
    pub fn locale(&self) -> &'f str {
        locale(&self.joined.settings)
    }

    /// The name of the plugin, as it calls itself.
    pub fn plugin(&self) -> &'f str {
        &self.action.plugin.name
    }

    /// The digest of the plugin.
    pub fn plugin_digest(&self) -> &'f str {
        &self.action.plugin.digest
    }

    /// Why the fields are shown to the plugin.
    pub fn purpose(&self) -> Option<&'f Text> {
        self.action.purpose.as_ref()
    }

    /// The consent that it heeds.
    pub fn consent(&self) -> Option<&'f Consent> {
        self.action.consent.as_ref()
    }

    /// On what legal basis.
    pub fn basis(&self) -> Option<&'f str> {
        self.action.basis.as_deref()
    }

    /// What must hold of the records when it runs.
    pub(crate) fn only_if(&self) -> Option<&'f Condition> {
        let bound = self.joined.action(&self.action.name).and_then(|action| action.only_if.as_ref());
        bound.or(self.action.only_if.as_ref())
    }

    pub(crate) fn zone_of_clinics(&self) -> Option<&'f TimeZone> {
        self.rule.clinic_timezone.as_ref()
    }
}

impl InForce {
    /// Joins `automations` to `rules`. What cannot be joined is listed under [`InForce::problems`].
    pub fn new(rules: Arc<RuleSet>, automations: Vec<Automation>) -> Self {
        let mut in_force = Self {
            rules,
            automations: Vec::new(),
            by_id: HashMap::new(),
            connections: HashMap::default(),
            own: HashMap::new(),
            problems: Vec::new(),
        };
        for automation in automations {
            in_force.join(automation);
        }
        in_force
    }

    fn join(&mut self, automation: Automation) {
        if let Some(clinic) = &automation.clinic {
            let clinics = self.own.entry(automation.connection.clone()).or_default();
            clinics.entry(clinic.clone()).or_default().insert(automation.rule.clone());
        }
        if !automation.enabled {
            return;
        }
        let rules = Arc::clone(&self.rules);
        let id = automation.id.clone();
        let joined = match rules.rule(&automation.rule) {
            None => Err(format!("there is no rule `{}`", automation.rule)),
            Some(_) if self.by_id.contains_key(&id) => Err("it is listed twice".to_owned()),
            Some(rule) => Joined::new(&rules, rule, automation).map(|joined| (rule, joined)),
        };
        let (rule, joined) = match joined {
            Ok(joined) => joined,
            Err(text) => return self.problems.push(Problem { automation: id, text }),
        };
        let index = self.automations.len();
        let automation = &joined.automation;
        let listeners = self.connections.entry(automation.connection.clone()).or_default();
        for kind in rule.types() {
            listeners.all.entry(kind.to_owned()).or_default().push(index);
            if rule.is_watchful(kind) {
                listeners.watchful.entry(kind.to_owned()).or_default().push(index);
            }
        }
        let places = listeners.by_rule.entry(joined.rule);
        let plain = joined.plain(rule).map(|action| Arc::clone(&action.origin));
        match places {
            Entry::Vacant(places) => _ = places.insert(Places { first: Place { automation: index, plain }, more: Vec::new() }),
            Entry::Occupied(places) => places.into_mut().more.push(Place { automation: index, plain }),
        }
        self.by_id.insert(id, index);
        self.automations.push(joined);
    }

    /// The rule set.
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// The automations that are on and work.
    pub fn automations(&self) -> impl Iterator<Item = &Automation> {
        self.automations.iter().map(|joined| &joined.automation)
    }

    /// The automations that are on and do nothing, and why.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The action called `action` of an automation that is on.
    pub fn action(&self, automation: &AutomationId, action: &str) -> Option<ActionRef<'_>> {
        let joined = self.by_id.get(automation).and_then(|index| self.automations.get(*index))?;
        let rule = self.rules.rule(&joined.automation.rule)?;
        Some(ActionRef { rule, action: rule.action(action)?, joined })
    }

    /// Whether the rule of `automation` is on for `clinic` by an automation of its own.
    fn is_on_for(&self, automation: &Automation, clinic: Option<&str>) -> bool {
        self.by_id.contains_key(&AutomationId::new(&automation.rule, &automation.connection, clinic))
    }

    /// The automation, where it is the one in force for `clinic`, or made jobs there before the clinic had its own.
    pub(crate) fn joined(&self, automation: &AutomationId, clinic: Option<&str>) -> Result<&Joined, Reason> {
        let off = |text: &str| Reason::new("switched_off", text);
        let joined = self.by_id.get(automation).and_then(|index| self.automations.get(*index));
        let joined = joined.ok_or_else(|| off("the automation is switched off"))?;
        match self.standing(&joined.automation, clinic) {
            Standing::InForce => Ok(joined),
            // What was made before the clinic had its own goes on as it was made; only where its own is off, nothing is to be done there.
            Standing::Replaced if self.is_on_for(&joined.automation, clinic) => Ok(joined),
            Standing::Replaced => Err(off(REPLACED)),
            Standing::Elsewhere => Err(off("the automation is another clinic's")),
        }
    }

    /// What the automations want because of `event`. Depends on nothing else.
    pub fn candidates(&self, event: &Event, index: &Indexer) -> Vec<Candidate> {
        self.candidates_of(event, &self.facts(event), index)
    }

    /// What `event` says, where rules ask.
    pub(crate) fn facts<'f>(&'f self, event: &'f Event) -> Facts<'f> {
        Facts::of(self.rules.index().asked(), &event.data)
    }

    /// The same as [`InForce::candidates`], of what the event says.
    pub fn candidates_of(&self, event: &Event, facts: &Facts<'_>, index: &Indexer) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        let own = self.own_of(&event.connection, event.clinic.as_deref());
        for Concern { automation, known, plain } in self.concerned_by(event, facts) {
            if let (Known::Holds, Some(origin), None, None) = (known, plain, own, &event.cause) {
                candidates.push(Candidate { origin: Arc::clone(origin), plan: Plan::plain() });
                continue;
            }
            let joined = self.automations.get(automation).and_then(|joined| Some((joined, self.rules.at(joined.rule)?)));
            let Some((joined, rule)) = joined.filter(|(joined, _)| !is_second_lap(joined, event)) else { continue };
            if known == Known::Nothing && rule.source.as_ref().is_some_and(|source| *source != event.source) {
                continue;
            }
            let matching = Matching { in_force: self, rule, joined, event, index, facts, known };
            match joined.automation.standing(event.clinic.as_deref(), own) {
                Standing::InForce => matching.collect(&mut candidates),
                Standing::Replaced => matching.withdraw(&mut candidates),
                Standing::Elsewhere => {}
            }
        }
        candidates
    }

    /// What one automation wants because of `event`, were it the one in force.
    pub(crate) fn wanted(&self, joined: &Joined, rule: &Rule, event: &Event, facts: &Facts<'_>, index: &Indexer) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        Matching { in_force: self, rule, joined, event, index, facts, known: Known::Nothing }.collect(&mut candidates);
        candidates
    }

    /// The automations of `rule` that are on for a connection, with whether they are in force for a clinic of it.
    pub(crate) fn standings<'f>(&'f self, rule: &str, connection: &str, clinic: Option<&str>) -> Vec<(&'f Joined, Standing)> {
        let listeners = self.connections.get(connection);
        let places = self.rules.number(rule).zip(listeners).and_then(|(number, listeners)| listeners.by_rule.get(&number));
        let all = places.into_iter().flat_map(|places| [&places.first].into_iter().chain(&places.more));
        let joined = all.filter_map(|place| self.automations.get(place.automation));
        joined.map(|joined| (joined, self.standing(&joined.automation, clinic))).collect()
    }

    /// The automations whose rules the event may meet, and those that may end what is pending because it does not.
    fn concerned_by<'f>(&'f self, event: &'f Event, facts: &Facts<'_>) -> Vec<Concern<'f>> {
        let Some(listeners) = self.connections.get(&event.connection) else { return Vec::new() };
        let documents = |number| -> Box<dyn Documents + '_> {
            // Every number of the index is a rule's.
            Box::new(self.rules.at(number).map_or_else(|| EventOnly::nowhere(facts), |rule| EventOnly::new(facts, self, rule, event)))
        };
        let possible = self.rules.index().possible(&event.kind, &event.source, facts, &documents);
        let watchful = listeners.watchful.get(&event.kind).into_iter().flatten();
        let watchful = watchful.map(|place| Concern { automation: *place, known: Known::Nothing, plain: None });
        let mut found: Vec<Concern<'_>> = watchful.collect();
        for possible in possible {
            let Some(places) = listeners.by_rule.get(&possible.rule) else { continue };
            let known = if possible.certain { Known::Holds } else { Known::About };
            let places = [&places.first].into_iter().chain(&places.more);
            found.extend(places.map(|place| Concern { automation: place.automation, known, plain: place.plain.as_ref() }));
        }
        // What most is known of comes first.
        found.sort_unstable_by_key(|concern| (concern.automation, concern.known));
        found.dedup_by_key(|concern| concern.automation);
        found
    }

    /// The automations of the event's connection that listen to its type.
    fn listening<'f>(&'f self, event: &'f Event) -> impl Iterator<Item = (&'f Joined, &'f Rule)> {
        let listeners = self.connections.get(&event.connection).and_then(|listeners| listeners.all.get(&event.kind));
        let listening = listeners.into_iter().flatten().filter_map(|index| {
            let joined = self.automations.get(*index)?;
            Some((joined, self.rules.rule(&joined.automation.rule)?))
        });
        listening.filter(|(_, rule)| rule.source.as_ref().is_none_or(|source| *source == event.source))
    }

    fn standing(&self, automation: &Automation, clinic: Option<&str>) -> Standing {
        automation.standing(clinic, self.own_of(&automation.connection, clinic))
    }

    /// The rules for which a clinic has an automation of its own.
    fn own_of(&self, connection: &str, clinic: Option<&str>) -> Option<&HashSet<String>> {
        self.own.get(connection)?.get(clinic?)
    }
}

impl Automation {
    /// Whether it is the one in force for a clinic that has automations of its `own` for these rules.
    fn standing(&self, clinic: Option<&str>, own: Option<&HashSet<String>>) -> Standing {
        match &self.clinic {
            Some(its) if Some(its.as_str()) == clinic => Standing::InForce,
            Some(_) => Standing::Elsewhere,
            None if own.is_some_and(|rules| rules.contains(&self.rule)) => Standing::Replaced,
            None => Standing::InForce,
        }
    }
}

impl Joined {
    pub(crate) fn new(rules: &RuleSet, rule: &Rule, automation: Automation) -> Result<Self, String> {
        let number = rules.number(&rule.id).ok_or_else(|| format!("there is no rule `{}`", rule.id))?;
        let settings = rules.settings_for(&rule.id, &automation.settings).map_err(|problems| problems.join("; "))?;
        let chosen = Value::Object(settings.clone()).to_string();
        let digest = digest::of(&[rule.digest.as_bytes(), chosen.as_bytes()]);
        let origin = |action: &Action| Origin {
            automation: automation.id.clone(),
            rule: rule.id.clone(),
            action: action.name.clone(),
            rule_digest: digest.clone(),
        };
        let actions = rule.actions.iter().map(|action| JoinedAction::new(origin(action), action, &settings, rules.templates()));
        let actions = actions.collect::<Result<_, String>>()?;
        let when = bound(rule.when.as_ref(), &settings, rules.templates())?;
        Ok(Self { automation, settings, rule: number, when, actions, digest })
    }

    /// What must hold of an event for any action of the rule.
    pub(crate) fn when<'c>(&'c self, rule: &'c Rule) -> Option<&'c Condition> {
        self.when.as_ref().or(rule.when.as_ref())
    }

    /// Its one action, where an event decides nothing but whether the rule's own condition holds, as long as no clinic has an automation of
    /// its own.
    fn plain(&self, rule: &Rule) -> Option<&JoinedAction> {
        let ([action], [own]) = (rule.actions.as_slice(), self.actions.as_slice()) else { return None };
        (self.automation.clinic.is_none() && rule.lookups.is_empty() && action.is_plain()).then_some(own)
    }

    /// What an action of its rule is here.
    pub(crate) fn action(&self, name: &str) -> Option<&JoinedAction> {
        self.actions.iter().find(|action| action.origin.action == name)
    }

    /// The actions of its rule, with what they are here.
    fn actions<'c>(&'c self, rule: &'c Rule) -> impl Iterator<Item = (&'c Action, &'c JoinedAction)> {
        rule.actions.iter().zip(&self.actions)
    }
}

impl JoinedAction {
    fn new(origin: Origin, action: &Action, settings: &Map<String, Value>, templates: &Templates) -> Result<Self, String> {
        Ok(Self {
            origin: Arc::new(origin),
            timing: action.timing.set(settings, templates)?,
            over: action.over.set(settings, templates)?,
            when: bound(action.when.as_ref(), settings, templates)?,
            only_if: bound(action.only_if.as_ref(), settings, templates)?,
        })
    }

    /// What must hold of an event for this action.
    pub(crate) fn when<'c>(&'c self, action: &'c Action) -> Option<&'c Condition> {
        self.when.as_ref().or(action.when.as_ref())
    }

    fn wants(&self, plan: Plan) -> Candidate {
        Candidate { origin: Arc::clone(&self.origin), plan }
    }
}

/// Whether all that names settings can be used under these.
pub(crate) fn check(rules: &RuleSet, rule: &Rule, settings: &Map<String, Value>) -> Result<(), String> {
    let origin =
        || Origin { automation: AutomationId(String::new()), rule: String::new(), action: String::new(), rule_digest: String::new() };
    for action in &rule.actions {
        JoinedAction::new(origin(), action, settings, rules.templates())?;
    }
    bound(rule.when.as_ref(), settings, rules.templates()).map(|_| ())
}

/// What a condition is under settings; nothing where it names none.
fn bound(condition: Option<&Condition>, settings: &Map<String, Value>, templates: &Templates) -> Result<Option<Condition>, String> {
    condition.filter(|condition| !condition.is_fixed()).map(|condition| condition.bound(settings, templates)).transpose()
}

/// Why the automation of a connection is not in force for some clinic.
const REPLACED: &str = "the clinic has an automation of its own";

/// Why an automation does nothing about an event that it led to.
const SECOND_LAP: &str = "a second lap: this automation led to the event itself";

/// Whether the automation is among those that led to the event: then it does nothing about it, or it would go on for ever.
pub(crate) fn is_second_lap(joined: &Joined, event: &Event) -> bool {
    event.cause.as_ref().is_some_and(|cause| cause.lineage.contains(&joined.automation.id))
}

impl InForce {
    /// When and where `event` happened, for conditions of `rule`.
    pub(crate) fn circumstances(&self, rule: &Rule, event: &Event) -> Circumstances<'_> {
        let source = self.rules.source(&event.source);
        Circumstances {
            time: event.order(),
            zone: source.map_or(TimeZone::UTC, |source| source.timezone.clone()),
            clinic_zone: rule.clinic_timezone.clone(),
            changes: source.and_then(|source| source.changes(&event.kind)),
        }
    }
}
