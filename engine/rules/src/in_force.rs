//! What is in force: a rule set, and the automations that are on.
//!
//! Built aside and swapped in as a whole; never changed. Events are matched against it before the queue, jobs are
//! prepared with it when they run, and due times are computed from it at any time between.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::{Map, Value};
use zelo_core::job::Reason;
use zelo_core::timing::{Due, DueQuestion, Records, Timetable, Timing};
use zelo_core::{AutomationId, Candidate, Event, Indexer, KeyHash, LookupRef, Plan, RecordRef};

use crate::condition::Documents;
use crate::digest;
use crate::json::id_text;
use crate::load::RuleSet;
use crate::rule::{Action, Lookup, Rule, SetTiming, ZoneOf, locale};
use crate::text::Text;
use crate::time;

/// A rule that is switched on.
#[derive(Clone, Debug, PartialEq)]
pub struct Automation {
    pub id: AutomationId,
    pub rule: String,
    pub connection: String,
    /// Only for this clinic; then it stands in for the automation of the whole connection.
    pub clinic: Option<String>,
    /// What was chosen; the rest is defaults.
    pub settings: Map<String, Value>,
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
    /// `(rule, connection, clinic)` that have an automation of their own.
    own: HashSet<(String, String, String)>,
    problems: Vec<Problem>,
}

/// An automation joined to its rule.
pub(crate) struct Joined {
    automation: Automation,
    /// All settings, defaults filled in.
    pub(crate) settings: Map<String, Value>,
    timings: HashMap<String, SetTiming>,
    /// Of the rule and the settings.
    digest: String,
}

/// An action of an automation that is on.
#[derive(Clone, Copy)]
pub struct ActionRef<'f> {
    pub rule: &'f Rule,
    pub action: &'f Action,
    pub(crate) joined: &'f Joined,
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
            own: HashSet::new(),
            problems: Vec::new(),
        };
        for automation in automations {
            in_force.join(automation);
        }
        in_force
    }

    fn join(&mut self, automation: Automation) {
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
        if let Some(clinic) = &automation.clinic {
            self.own.insert((automation.rule.clone(), automation.connection.clone(), clinic.clone()));
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
        let joined = self.joined(automation)?;
        let rule = self.rules.rule(&joined.automation.rule)?;
        Some(ActionRef { rule, action: rule.action(action)?, joined })
    }

    pub(crate) fn joined(&self, automation: &AutomationId) -> Option<&Joined> {
        self.by_id.get(automation).and_then(|index| self.automations.get(*index))
    }

    /// What the automations want because of `event`. Depends on nothing else.
    pub fn candidates(&self, event: &Event, index: &Indexer) -> Vec<Candidate> {
        let listeners = self.listeners.get(&event.connection).and_then(|types| types.get(&event.kind));
        let mut candidates = Vec::new();
        for joined in listeners.into_iter().flatten().filter_map(|index| self.automations.get(*index)) {
            let Some(rule) = self.rules.rule(&joined.automation.rule) else { continue };
            if self.concerns(joined, rule, event) {
                Matching { rules: &self.rules, rule, joined, event, index }.collect(&mut candidates);
            }
        }
        candidates
    }

    /// How many rules fire among `candidates`.
    pub fn matched(candidates: &[Candidate]) -> usize {
        let fired = candidates.iter().filter(|candidate| matches!(candidate.plan, Plan::Fire { .. }));
        fired.map(|candidate| candidate.rule.as_str()).collect::<HashSet<_>>().len()
    }

    /// The first clause that keeps the rule of some automation from firing for `event`, in words.
    pub(crate) fn why_not(&self, event: &Event) -> Option<String> {
        let documents = EventOnly(&event.data);
        let rules = self.automations.iter().filter_map(|joined| self.rules.rule(&joined.automation.rule));
        let mut failures = rules.filter_map(|rule| rule.when.as_ref()?.failure(&documents));
        failures.next().map(|failure| format!("{} does not hold", failure.clause.describe()))
    }

    fn concerns(&self, joined: &Joined, rule: &Rule, event: &Event) -> bool {
        let automation = &joined.automation;
        let clinic = match (&automation.clinic, &event.clinic) {
            (Some(own), clinic) => Some(own) == clinic.as_ref(),
            (None, None) => true,
            (None, Some(clinic)) => !self.own.contains(&(automation.rule.clone(), automation.connection.clone(), clinic.clone())),
        };
        clinic && rule.source.as_ref().is_none_or(|source| *source == event.source)
    }
}

impl Joined {
    fn new(rules: &RuleSet, rule: &Rule, automation: Automation) -> Result<Self, String> {
        let settings = rules.settings_for(&rule.id, &automation.settings).map_err(|problems| problems.join("; "))?;
        let timing = |action: &Action| Ok((action.name.clone(), action.timing.set(&settings, rules.templates())?));
        let timings = rule.actions.iter().map(timing).collect::<Result<_, String>>()?;
        let chosen = Value::Object(settings.clone()).to_string();
        let digest = digest::of(&[rule.digest.as_bytes(), chosen.as_bytes()]);
        Ok(Self { automation, settings, timings, digest })
    }
}

/// One rule against one event.
struct Matching<'m> {
    rules: &'m RuleSet,
    rule: &'m Rule,
    joined: &'m Joined,
    event: &'m Event,
    index: &'m Indexer,
}

/// The event alone.
struct EventOnly<'e>(&'e Value);

impl Documents for EventOnly<'_> {
    fn event(&self) -> &Value {
        self.0
    }

    fn record(&self, _: &str) -> Option<&Value> {
        None
    }
}

impl Matching<'_> {
    fn collect(&self, candidates: &mut Vec<Candidate>) {
        let documents = EventOnly(&self.event.data);
        let about = self.rule.on.contains(&self.event.kind);
        let failure = self.rule.when.as_ref().filter(|_| about).and_then(|when| when.failure(&documents));
        for action in &self.rule.actions {
            let plan = match action.cancel_on.iter().find(|cancel| cancel.types.contains(&self.event.kind)) {
                // What cancels never fires, even where the type is among those that the rule is about.
                Some(cancel) => self.cancel(action, &cancel.key, "cancelled_by_event", format!("cancelled by {}", self.event.kind)),
                None if !about => None,
                None => match &failure {
                    None => self.fire(action),
                    Some(failure) => action.key.as_ref().and_then(|key| {
                        self.cancel(
                            action,
                            key,
                            "no_longer_matches",
                            format!("the event no longer matches: {} does not hold", failure.clause.describe()),
                        )
                    }),
                },
            };
            candidates.extend(plan.map(|plan| Candidate {
                automation: self.joined.automation.id.clone(),
                rule: self.rule.id.clone(),
                action: action.name.clone(),
                rule_digest: self.joined.digest.clone(),
                plan,
            }));
        }
    }

    fn cancel(&self, action: &Action, key: &crate::Path, code: &'static str, text: String) -> Option<Plan> {
        Some(Plan::Cancel { key: self.key(action, key)?, code, text })
    }

    fn fire(&self, action: &Action) -> Option<Plan> {
        let key = match &action.key {
            None => None,
            Some(path) => Some(self.key(action, path)?),
        };
        let anchor = action.timing.anchor.as_ref().map(|path| self.anchor(path));
        let lookups = self.rule.lookups.iter().flat_map(|lookup| self.lookups(lookup)).collect();
        Some(Plan::Fire { key, anchor, lookups })
    }

    fn key(&self, action: &Action, path: &crate::Path) -> Option<KeyHash> {
        let value = path.first(&self.event.data).and_then(id_text)?;
        Some(self.index.job_key(&self.joined.automation.id, &action.name, &value))
    }

    fn anchor(&self, path: &crate::Path) -> Result<jiff::Timestamp, String> {
        let zone = self.rules.source(&self.event.source).map_or(TimeZone::UTC, |source| source.timezone.clone());
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
        let joined = self.joined(question.automation).ok_or_else(|| Reason::new("switched_off", "the automation is switched off"))?;
        let action = self.action(question.automation, question.action).ok_or_else(gone)?;
        let timing = joined.timings.get(question.action).ok_or_else(gone)?;
        let window = timing.window.as_ref().map(|(window, zone)| (*window, zone.now(&action, question.lookups, records)));
        let timing = Timing { offset: timing.offset, window, if_late: timing.if_late, expires: timing.expires };
        timing.due(question.anchor, question.reference)
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

/// The document of a lookup: its record, or the list of its records with null for each that is unknown.
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
