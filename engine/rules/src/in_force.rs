//! What is in force: a rule set, and the automations that are on.
//!
//! Built aside and swapped in as a whole; never changed. Events are matched against it before the queue, jobs are
//! prepared with it when they run, and due times are computed from it at any time between. `outlook` answers those who count
//! what it would do.

mod outlook;

pub use outlook::Concerned;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::{Map, Value};
use zelo_core::job::Reason;
use zelo_core::timing::{Due, DueQuestion, Records, Timetable, Timing};
use zelo_core::window::{Count, Throttle};
use zelo_core::{AutomationId, Candidate, Event, Indexer, KeyHash, LookupRef, OverTime, Plan, RecordRef};

use crate::condition::{Circumstances, Condition, Documents, Language};
use crate::digest;
use crate::explain::unnamed;
use crate::json::id_text;
use crate::load::RuleSet;
use crate::path::Path;
use crate::rule::{Action, Anchor, Lookup, Rule, SetOverTime, SetTiming, ZoneOf, locale, told_apart};
use crate::template::Templates;
use crate::text::Text;
use crate::time;

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
    /// The automations that listen to a type of event on a connection.
    listeners: HashMap<String, HashMap<String, Vec<usize>>>,
    /// By connection and clinic, the rules for which the clinic has an automation of its own: on, off or broken.
    own: HashMap<String, HashMap<String, HashSet<String>>>,
    problems: Vec<Problem>,
}

/// An automation joined to its rule.
pub(crate) struct Joined {
    pub(crate) automation: Automation,
    /// All settings, defaults filled in.
    pub(crate) settings: Map<String, Value>,
    timings: HashMap<String, (SetTiming, SetOverTime)>,
    /// What conditions of the rule are under these settings, where they name any.
    bound: Bound,
    /// Of the rule and the settings.
    digest: String,
}

/// Conditions joined to settings: those of a rule that name any.
#[derive(Default)]
struct Bound {
    when: Option<Condition>,
    actions: HashMap<String, BoundAction>,
}

#[derive(Default)]
struct BoundAction {
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

    /// On what legal basis.
    pub fn basis(&self) -> Option<&'f str> {
        self.action.basis.as_deref()
    }

    /// What must hold of the records when it runs.
    pub(crate) fn only_if(&self) -> Option<&'f Condition> {
        let bound = self.joined.bound.actions.get(&self.action.name).and_then(|action| action.only_if.as_ref());
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
            listeners: HashMap::new(),
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
        let listeners = self.listeners.entry(automation.connection.clone()).or_default();
        for kind in rule.types() {
            listeners.entry(kind.to_owned()).or_default().push(index);
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

    /// The automation, where it is the one in force for `clinic`.
    pub(crate) fn joined(&self, automation: &AutomationId, clinic: Option<&str>) -> Result<&Joined, Reason> {
        let off = |text: &str| Reason::new("switched_off", text);
        let joined = self.by_id.get(automation).and_then(|index| self.automations.get(*index));
        let joined = joined.ok_or_else(|| off("the automation is switched off"))?;
        match self.standing(&joined.automation, clinic) {
            Standing::InForce => Ok(joined),
            Standing::Replaced => Err(off(REPLACED)),
            Standing::Elsewhere => Err(off("the automation is another clinic's")),
        }
    }

    /// What the automations want because of `event`. Depends on nothing else.
    pub fn candidates(&self, event: &Event, index: &Indexer) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        for (joined, rule) in self.listening(event) {
            if is_second_lap(joined, event) {
                continue;
            }
            let matching = Matching { in_force: self, rule, joined, event, index };
            match self.standing(&joined.automation, event.clinic.as_deref()) {
                Standing::InForce => matching.collect(&mut candidates),
                Standing::Replaced => matching.withdraw(&mut candidates),
                Standing::Elsewhere => {}
            }
        }
        candidates
    }

    /// What one automation wants because of `event`, were it the one in force.
    pub(crate) fn wanted(&self, joined: &Joined, rule: &Rule, event: &Event, index: &Indexer) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        Matching { in_force: self, rule, joined, event, index }.collect(&mut candidates);
        candidates
    }

    /// The automations of `rule` that are on for a connection, with whether they are in force for a clinic of it.
    pub(crate) fn standings<'f>(&'f self, rule: &str, connection: &str, clinic: Option<&str>) -> Vec<(&'f Joined, Standing)> {
        let its = |joined: &&Joined| joined.automation.rule == rule && joined.automation.connection == connection;
        self.automations.iter().filter(its).map(|joined| (joined, self.standing(&joined.automation, clinic))).collect()
    }

    /// The automations of the event's connection that listen to its type.
    fn listening<'f>(&'f self, event: &'f Event) -> impl Iterator<Item = (&'f Joined, &'f Rule)> {
        let listeners = self.listeners.get(&event.connection).and_then(|types| types.get(&event.kind));
        let listening = listeners.into_iter().flatten().filter_map(|index| {
            let joined = self.automations.get(*index)?;
            Some((joined, self.rules.rule(&joined.automation.rule)?))
        });
        listening.filter(|(_, rule)| rule.source.as_ref().is_none_or(|source| *source == event.source))
    }

    /// The rules that listen to events like `event` and do not fire because of it, by id, each with what is the matter,
    /// in words that name paths and no values.
    pub fn why_not(&self, event: &Event) -> Vec<(String, String)> {
        // Of several automations of a rule, the one that is nearest to firing speaks.
        let mut found: BTreeMap<&str, (u8, Option<String>)> = BTreeMap::new();
        for (joined, rule) in self.listening(event) {
            let (distance, why) = match self.standing(&joined.automation, event.clinic.as_deref()) {
                Standing::InForce if is_second_lap(joined, event) => (1, Some(SECOND_LAP.to_owned())),
                Standing::InForce => self.rule_fails(joined, rule, event).map_or((0, None), |why| (1, Some(why))),
                Standing::Replaced => (2, Some(format!("{REPLACED}, which is not on"))),
                Standing::Elsewhere => (3, Some("it is on for other clinics only".to_owned())),
            };
            if found.get(rule.id.as_str()).is_none_or(|(nearest, _)| distance < *nearest) {
                found.insert(&rule.id, (distance, why));
            }
        }
        found.into_iter().filter_map(|(rule, (_, why))| Some((rule.to_owned(), why?))).collect()
    }

    fn standing(&self, automation: &Automation, clinic: Option<&str>) -> Standing {
        let own = || self.own.get(&automation.connection)?.get(clinic?);
        match &automation.clinic {
            Some(its) if Some(its.as_str()) == clinic => Standing::InForce,
            Some(_) => Standing::Elsewhere,
            None if own().is_some_and(|rules| rules.contains(&automation.rule)) => Standing::Replaced,
            None => Standing::InForce,
        }
    }
}

impl Joined {
    pub(crate) fn new(rules: &RuleSet, rule: &Rule, automation: Automation) -> Result<Self, String> {
        let settings = rules.settings_for(&rule.id, &automation.settings).map_err(|problems| problems.join("; "))?;
        let timing = |action: &Action| {
            let (timing, over) = (action.timing.set(&settings, rules.templates())?, action.over.set(&settings, rules.templates())?);
            Ok((action.name.clone(), (timing, over)))
        };
        let timings = rule.actions.iter().map(timing).collect::<Result<_, String>>()?;
        let chosen = Value::Object(settings.clone()).to_string();
        let digest = digest::of(&[rule.digest.as_bytes(), chosen.as_bytes()]);
        let bound = Bound::new(rule, &settings, rules.templates())?;
        Ok(Self { automation, settings, timings, bound, digest })
    }

    /// What must hold of an event for any action of the rule.
    pub(crate) fn when<'c>(&'c self, rule: &'c Rule) -> Option<&'c Condition> {
        self.bound.when.as_ref().or(rule.when.as_ref())
    }

    /// What must hold of an event for one action.
    pub(crate) fn when_of<'c>(&'c self, action: &'c Action) -> Option<&'c Condition> {
        let bound = self.bound.actions.get(&action.name).and_then(|action| action.when.as_ref());
        bound.or(action.when.as_ref())
    }
}

/// Whether all that names settings can be used under these.
pub(crate) fn check(rules: &RuleSet, rule: &Rule, settings: &Map<String, Value>) -> Result<(), String> {
    for action in &rule.actions {
        action.timing.set(settings, rules.templates())?;
        action.over.set(settings, rules.templates())?;
    }
    Bound::new(rule, settings, rules.templates()).map(|_| ())
}

impl Bound {
    fn new(rule: &Rule, settings: &Map<String, Value>, templates: &Templates) -> Result<Self, String> {
        let bound = |condition: &Option<Condition>| {
            let named = condition.as_ref().filter(|condition| !condition.is_fixed());
            named.map(|condition| condition.bound(settings, templates)).transpose()
        };
        let actions = rule.actions.iter().map(|action| {
            let conditions = BoundAction { when: bound(&action.when)?, only_if: bound(&action.only_if)? };
            Ok((action.name.clone(), conditions))
        });
        Ok(Self { when: bound(&rule.when)?, actions: actions.collect::<Result<_, String>>()? })
    }
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

    /// Why no action of `rule` fires because of `event`; nothing where one does.
    fn rule_fails(&self, joined: &Joined, rule: &Rule, event: &Event) -> Option<String> {
        let documents = EventOnly { event: &event.data, circumstances: self.circumstances(rule, event) };
        rule_fails(joined, rule, event, &documents)
    }
}

fn rule_fails(joined: &Joined, rule: &Rule, event: &Event, documents: &EventOnly<'_>) -> Option<String> {
    let cancelled = |action: &Action| action.cancel_on.iter().any(|cancel| cancel.types.contains(&event.kind));
    let about = rule.on.contains(&event.kind);
    let candidates = rule.actions.iter().filter(|action| about && action.is_for(&event.kind) && !cancelled(action));
    let candidates: Vec<&Action> = candidates.collect();
    if candidates.is_empty() && rule.actions.iter().any(cancelled) {
        return Some(format!("{} cancels, and fires nothing", event.kind));
    }
    if candidates.is_empty() {
        return Some(format!("none of its actions is for {}", event.kind));
    }
    if let Some(failure) = joined.when(rule).and_then(|when| when.failure(documents)) {
        return Some(failure.why());
    }
    let fails = |action: &Action| Some(joined.when_of(action)?.failure(documents)?.why());
    let failures: Vec<(&Action, Option<String>)> = candidates.into_iter().map(|action| (action, fails(action))).collect();
    let candidates: Vec<&Action> = failures.iter().filter(|(_, failure)| failure.is_none()).map(|(action, _)| *action).collect();
    if candidates.is_empty() {
        return failures.into_iter().find_map(|(action, failure)| Some(format!("{}: {}", action.name, failure?)));
    }
    let unknown = candidates.iter().map_while(|action| told_apart_by_nothing(action, event));
    let unknown: Vec<String> = unknown.map(|(name, path)| unnamed(name, path, Language::English)).collect();
    let all = unknown.len() == candidates.len();
    unknown.into_iter().next().filter(|_| all)
}

/// Why the event does not say which job of `action` is meant, or in which of its windows it belongs.
pub(crate) fn told_apart_by_nothing<'a>(action: &'a Action, event: &Event) -> Option<(&'static str, &'a Path)> {
    let missing = |path: &&Path| path.first(&event.data).and_then(id_text).is_none();
    if let Some(key) = action.key.as_ref().filter(missing) {
        return Some(("key", key));
    }
    action.over.by().find(|(_, path)| missing(path))
}

/// One rule against one event.
struct Matching<'m> {
    in_force: &'m InForce,
    rule: &'m Rule,
    joined: &'m Joined,
    event: &'m Event,
    index: &'m Indexer,
}

/// The event alone.
pub(crate) struct EventOnly<'e> {
    pub(crate) event: &'e Value,
    pub(crate) circumstances: Circumstances<'e>,
}

impl Documents for EventOnly<'_> {
    fn event(&self) -> &Value {
        self.event
    }

    fn record(&self, _: &str) -> Option<&Value> {
        None
    }

    fn circumstances(&self) -> &Circumstances<'_> {
        &self.circumstances
    }
}

impl Matching<'_> {
    fn collect(&self, candidates: &mut Vec<Candidate>) {
        let documents = EventOnly { event: &self.event.data, circumstances: self.in_force.circumstances(self.rule, self.event) };
        let about = self.rule.on.contains(&self.event.kind);
        let failure = self.joined.when(self.rule).filter(|_| about).and_then(|when| when.failure(&documents));
        for action in &self.rule.actions {
            let about = about && action.is_for(&self.event.kind);
            let own = || self.joined.when_of(action).and_then(|when| when.failure(&documents));
            let plan = match action.cancel_on.iter().find(|cancel| cancel.types.contains(&self.event.kind)) {
                // What cancels never fires, even where the type is among those that the rule is about.
                Some(cancel) => self.cancel(action, &cancel.key, "cancelled_by_event", format!("cancelled by {}", self.event.kind)),
                None if !about => None,
                None => match failure.or_else(own) {
                    None => self.fire(action),
                    Some(failure) => action.key.as_ref().and_then(|key| {
                        self.cancel(action, key, "no_longer_matches", format!("the event no longer matches: {}", failure.why()))
                    }),
                },
            };
            candidates.extend(plan.map(|plan| self.candidate(action, plan)));
        }
    }

    /// Fires nothing, and ends what is pending from before the clinic had an automation of its own.
    fn withdraw(&self, candidates: &mut Vec<Candidate>) {
        for action in &self.rule.actions {
            let cancel = action.cancel_on.iter().find(|cancel| cancel.types.contains(&self.event.kind));
            let own = action.key.as_ref().filter(|_| action.is_for(&self.event.kind));
            let key = cancel.map(|cancel| &cancel.key).or(own);
            let plan = key.and_then(|key| self.cancel(action, key, "no_longer_matches", REPLACED.to_owned()));
            candidates.extend(plan.map(|plan| self.candidate(action, plan)));
        }
    }

    fn candidate(&self, action: &Action, plan: Plan) -> Candidate {
        Candidate {
            automation: self.joined.automation.id.clone(),
            rule: self.rule.id.clone(),
            action: action.name.clone(),
            rule_digest: self.joined.digest.clone(),
            plan,
        }
    }

    fn cancel(&self, action: &Action, key: &Path, code: &'static str, text: String) -> Option<Plan> {
        Some(Plan::Cancel { key: self.key(action, key)?, code, text })
    }

    fn fire(&self, action: &Action) -> Option<Plan> {
        let key = match &action.key {
            None => None,
            Some(path) => Some(self.key(action, path)?),
        };
        let over = self.over_time(action)?;
        let anchor = action.timing.anchor.as_ref().or(over.debounce.map(|_| &Anchor::Event));
        let anchor = anchor.map(|anchor| match anchor {
            Anchor::At(path) => self.anchor(path),
            Anchor::Event => Ok(self.event.order()),
        });
        let lookups = self.rule.lookups.iter().flat_map(|lookup| self.lookups(lookup)).collect();
        Some(Plan::Fire { key, anchor, lookups, needs: action.needs.clone(), over })
    }

    /// What the action says over time about this event; nothing where a `by` is missing in it.
    fn over_time(&self, action: &Action) -> Option<OverTime> {
        let id = |path: &Path| path.first(&self.event.data).and_then(id_text);
        if action.over.by().any(|(_, path)| id(path).is_none()) {
            return None;
        }
        let (automation, name, over) = (&self.joined.automation.id, &action.name, &action.over);
        let set = self.joined.timings.get(name).map(|(_, over)| *over).unwrap_or_default();
        let throttle = over.throttle.as_ref().zip(set.throttle).map(|(throttle, (limit, per))| {
            let (by, path) = told_apart(throttle.by.as_ref(), action.key.as_ref());
            Throttle { window: self.index.throttle(automation, name, path.and_then(id).as_deref()), limit, per, by }
        });
        let count = over.count.as_ref().zip(set.count).map(|(count, (at_least, within))| {
            let (_, path) = told_apart(count.by.as_ref(), action.key.as_ref());
            Count { window: self.index.count(automation, name, path.and_then(id).as_deref()), at_least, within }
        });
        let debounce = over.debounce.as_ref().map(|debounce| self.collection(action, debounce.by.as_ref().and_then(id).as_deref()));
        Some(OverTime { throttle, count, debounce })
    }

    /// Where events are collected. Those of different clinics never are together: a job is of one clinic.
    fn collection(&self, action: &Action, value: Option<&str>) -> KeyHash {
        self.index.debounce(&self.joined.automation.id, &action.name, self.event.clinic.as_deref(), value)
    }

    fn key(&self, action: &Action, path: &Path) -> Option<KeyHash> {
        let value = path.first(&self.event.data).and_then(id_text)?;
        if action.over.debounce.is_some() {
            return Some(self.collection(action, Some(&value)));
        }
        Some(self.index.job_key(&self.joined.automation.id, &action.name, &value))
    }

    fn anchor(&self, path: &Path) -> Result<jiff::Timestamp, String> {
        let zone = self.in_force.rules.source(&self.event.source).map_or(TimeZone::UTC, |source| source.timezone.clone());
        let value = path.first(&self.event.data).filter(|value| !value.is_null());
        let value = value.ok_or_else(|| format!("{} is missing", path.as_str()))?;
        value.as_str().and_then(|text| time::instant(text, &zone)).ok_or_else(|| format!("{} is not a date and time", path.as_str()))
    }

    fn lookups(&self, lookup: &Lookup) -> Vec<LookupRef> {
        let found = lookup.key.nodes(&self.event.data);
        let refs = found.iter().zip(0..).filter_map(|(node, position)| {
            let hash = self.index.record(&self.event.connection, &lookup.record, &id_text(node)?);
            let record = RecordRef { kind: lookup.record.clone(), hash };
            Some(LookupRef { name: lookup.name.clone(), position, singular: lookup.key.is_singular(), record })
        });
        refs.collect()
    }
}

impl Timetable for InForce {
    fn due(&self, question: &DueQuestion<'_>, records: &dyn Records) -> Result<Due, Reason> {
        let gone = || Reason::new("rule_gone", "the rule no longer has this action");
        let joined = self.joined(question.automation, question.clinic)?;
        let action = self.action(question.automation, question.action).ok_or_else(gone)?;
        let (timing, over) = joined.timings.get(question.action).ok_or_else(gone)?;
        let window = timing.window.as_ref().map(|(window, zone)| (*window, zone.now(&action, question.lookups, records)));
        let timing = Timing { offset: timing.offset, window, if_late: timing.if_late, expires: timing.expires };
        let anchor = match over.quiet.filter(|_| question.collected > 0) {
            Some(quiet) => question.anchor.map(|last| quiet.ends(question.reference, last, question.collected)),
            None => question.anchor,
        };
        timing.due(anchor, question.reference)
    }
}

impl ZoneOf {
    /// The zone on the records in force. A loaded rule always has one, so UTC is what a broken one would get.
    fn now(&self, action: &ActionRef<'_>, lookups: &[LookupRef], records: &dyn Records) -> TimeZone {
        let recorded = match self {
            Self::Fixed(zone) => Some(zone.clone()),
            Self::Source => None,
            Self::Record { lookup, path } => {
                let document = document(lookups, lookup, records);
                document.and_then(|document| time::zone(path.first(&document)?.as_str()?))
            }
        };
        recorded.or_else(|| action.zone_of_clinics().cloned()).unwrap_or(TimeZone::UTC)
    }
}

/// The document of a lookup: its record, or the list of its records with null for each that is unknown, as far as the last
/// that has an id.
pub(crate) fn document(lookups: &[LookupRef], name: &str, records: &dyn Records) -> Option<Value> {
    let found: Vec<&LookupRef> = lookups.iter().filter(|lookup| lookup.name == name).collect();
    if let [lookup] = found.as_slice()
        && lookup.singular
    {
        return records.record(lookup.record.hash).cloned();
    }
    let length = found.iter().map(|lookup| lookup.position as usize + 1).max()?;
    let mut list = vec![Value::Null; length];
    for lookup in found {
        if let (Some(place), Some(record)) = (list.get_mut(lookup.position as usize), records.record(lookup.record.hash)) {
            *place = record.clone();
        }
    }
    Some(Value::Array(list))
}
