//! Prepares a job that is due: from its event and the records in force to what its plugin is given.
//!
//! Conditions first, then the allowed fields, then the templates over these fields and nothing else. What was not
//! allowed is absent from the result, because it was never read.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Map, Value};
use zelo_core::grants::{Messages, RecordFields};
use zelo_core::job::Reason;
use zelo_core::timing::Records;
use zelo_core::{Disclosure, Event, Grants, Indexer, Job, KeyHash};

use crate::condition::{Circumstances, Condition, Documents};
use crate::in_force::{ActionRef, InForce, document};
use crate::path::{Nodes, Path};
use crate::rule::{Field, Input, Lookup, Making};
use crate::template::{RenderError, Template, Templates, Values, find};

/// What a plugin is given.
#[derive(Clone, PartialEq)]
pub struct Prepared {
    /// The plugin's own name.
    pub plugin: String,
    /// Which of its versions: SHA-256 of the component, hexadecimal.
    pub plugin_digest: String,
    /// The inputs, rendered: a JSON object.
    pub input: Value,
    pub grants: Grants,
    /// What reached the inputs, and why.
    pub disclosure: Disclosure,
    /// The records that allowed fields were read from, whether an input has them or not.
    pub records: Vec<KeyHash>,
    pub locale: String,
}

/// Why a job cannot run now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unprepared {
    /// Something is missing that may still come.
    Wait(Reason),
    /// The rule says not to.
    Skip(Reason),
    /// It can never run like this.
    Fail(Reason),
}

/// Prints no value.
impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prepared({} {:?})", self.plugin, self.disclosure.fields.keys())
    }
}

impl InForce {
    /// What the plugin of `job` is given, on `records` as they are now, after `steps` gave what they gave. `index` hashes the fields
    /// that are shown only so.
    ///
    /// # Errors
    /// Why it must wait, be skipped, or fails.
    pub fn prepare(
        &self,
        job: &Job,
        event: &Event,
        records: &dyn Records,
        steps: &Map<String, Value>,
        index: &Indexer,
    ) -> Result<Prepared, Unprepared> {
        self.prepare_collected(job, event, std::slice::from_ref(event), records, steps, index)
    }

    /// The same for a job that `collected` several events, in their order; `event` is the newest of them.
    ///
    /// # Errors
    /// Why it must wait, be skipped, or fails.
    pub fn prepare_collected(
        &self,
        job: &Job,
        event: &Event,
        collected: &[Event],
        records: &dyn Records,
        steps: &Map<String, Value>,
        index: &Indexer,
    ) -> Result<Prepared, Unprepared> {
        self.joined(&job.automation, job.clinic.as_deref()).map_err(Unprepared::Skip)?;
        let Some(action) = self.action(&job.automation, &job.action) else {
            return Err(Unprepared::Skip(Reason::new("rule_gone", "the rule no longer has this action")));
        };
        let documents = self.sight(&action, job, event, records);
        if let Some(condition) = action.only_if() {
            check(condition, &documents)?;
        }
        let zone = documents.circumstances.zone.clone();
        let connection = &event.connection;
        let making = Making { zone: &zone, clinic_zone: action.zone_of_clinics(), at: event.time, connection, index };
        let mut names = fields(&action, &documents, collected, &making);
        let present: BTreeSet<String> = names.keys().cloned().collect();
        names.insert("settings".to_owned(), Value::Object(action.settings().clone()));
        let needed = |step: &&String| action.action.needs.contains(step);
        let steps: Map<String, Value> =
            steps.iter().filter(|(step, _)| needed(step)).map(|(step, output)| (step.clone(), output.clone())).collect();
        let present = present.into_iter().chain(steps.keys().map(|step| format!("steps.{step}"))).collect();
        names.insert("steps".to_owned(), Value::Object(steps));
        let values = Values { names: &names, zone: &zone, clinic_zone: action.zone_of_clinics(), locale: action.locale() };
        let prepared = Rendering { action, values, templates: self.rules.templates() }.prepared(&present)?;
        let is_read = |name: &str| {
            let of_it = |field: &&Field| field.record.as_deref() == Some(name);
            action.action.allow.iter().filter(of_it).any(|field| present.contains(&field.name))
        };
        let read = job.lookups.iter().filter(|lookup| is_read(&lookup.name)).map(|lookup| lookup.record.hash);
        let read: BTreeSet<KeyHash> = read.filter(|hash| records.record(*hash).is_some()).collect();
        Ok(Prepared { records: read.into_iter().collect(), ..prepared })
    }
}

impl InForce {
    /// The documents that conditions and fields of a job may ask.
    pub(crate) fn sight<'s>(&'s self, action: &ActionRef<'s>, job: &Job, event: &'s Event, records: &dyn Records) -> Sight<'s> {
        let lookups = action.rule.lookups.iter();
        let lookups = lookups.filter_map(|lookup| Some((lookup.name.as_str(), looked_up(lookup, job, event, records)?)));
        Sight { event: &event.data, records: lookups.collect(), circumstances: self.circumstances(action.rule, event) }
    }
}

/// What `lookup` yields: its record, or a list with one entry for each node, whether a record is known of it or not.
fn looked_up(lookup: &Lookup, job: &Job, event: &Event, records: &dyn Records) -> Option<Value> {
    let known = document(&job.lookups, &lookup.name, records);
    if lookup.key.is_singular() {
        return known;
    }
    let mut list = match known {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    };
    list.resize(lookup.key.nodes(&event.data).iter().count(), Value::Null);
    Some(Value::Array(list))
}

/// The documents of one job.
pub(crate) struct Sight<'s> {
    event: &'s Value,
    records: BTreeMap<&'s str, Value>,
    circumstances: Circumstances<'s>,
}

impl Documents for Sight<'_> {
    fn event(&self, path: &Path) -> Nodes<'_> {
        path.nodes(self.event)
    }

    fn record(&self, name: &str) -> Option<&Value> {
        self.records.get(name)
    }

    fn circumstances(&self) -> &Circumstances<'_> {
        &self.circumstances
    }
}

fn check(condition: &Condition, documents: &Sight<'_>) -> Result<(), Unprepared> {
    let Some(failure) = condition.failure(documents) else { return Ok(()) };
    Err(if failure.missing.is_some() {
        Unprepared::Wait(Reason::new("missing", failure.why()))
    } else {
        Unprepared::Skip(Reason::new("only_if", format!("only_if: {}", failure.why())))
    })
}

/// The allowed fields that there are.
fn fields(action: &ActionRef<'_>, documents: &Sight<'_>, collected: &[Event], making: &Making<'_>) -> Map<String, Value> {
    let fields = action.action.allow.iter().filter_map(|field| {
        if field.collected {
            let values = collected.iter().map(|event| field.value(&event.data, making).unwrap_or(Value::Null));
            return Some((field.name.clone(), Value::Array(values.collect())));
        }
        let document = match &field.record {
            Some(record) => documents.record(record)?,
            None => documents.event,
        };
        Some((field.name.clone(), field.value(document, making)?))
    });
    fields.collect()
}

/// The templates of one action over the values of one job.
struct Rendering<'r> {
    action: ActionRef<'r>,
    values: Values<'r>,
    templates: &'r Templates,
}

impl Rendering<'_> {
    fn prepared(&self, present: &BTreeSet<String>) -> Result<Prepared, Unprepared> {
        let plugin = &self.action.action.plugin;
        let mut input = Map::new();
        for (name, source) in &self.action.action.with {
            let required = plugin.required().any(|required| required == name);
            match self.input(source) {
                Ok(value) => {
                    input.insert(name.clone(), fitting(value, plugin.types(name)));
                }
                // An input that is a field and nothing else is as absent as the field.
                Err(RenderError::Missing(missing)) if !required && source.is_field(self.values.locale) && !of_step(missing.as_deref()) => {}
                Err(error) => return Err(unprepared(name, &error)),
            }
        }
        let locale = self.values.locale;
        let action = self.action.action;
        let class = |name: &str| match action.allow.iter().find(|field| field.name == name) {
            Some(field) => field.class,
            None => action.class,
        };
        let fields = action.disclosed(locale).into_iter().filter(|name| present.contains(*name));
        let disclosure = Disclosure {
            plugin: plugin.name.clone(),
            fields: fields.map(|name| (name.to_owned(), class(name).as_str().to_owned())).collect(),
            purpose: action.purpose.as_ref().and_then(|purpose| purpose.get(locale).cloned()),
            basis: action.basis.clone(),
        };
        Ok(Prepared {
            plugin: plugin.name.clone(),
            plugin_digest: plugin.digest.clone(),
            input: Value::Object(input),
            grants: self.grants()?,
            disclosure,
            records: Vec::new(),
            locale: locale.to_owned(),
        })
    }

    fn input(&self, input: &Input) -> Result<Value, RenderError> {
        match input {
            Input::Literal(value) => Ok(value.clone()),
            Input::List(inputs) => inputs.iter().map(|input| self.input(input)).collect::<Result<_, _>>().map(Value::Array),
            Input::Object(members) => {
                let mut object = Map::new();
                for (name, member) in members {
                    match self.input(member) {
                        Ok(value) => drop(object.insert(name.clone(), value)),
                        Err(RenderError::Missing(missing)) if member.is_field(self.values.locale) && !of_step(missing.as_deref()) => {}
                        Err(error) => return Err(error),
                    }
                }
                Ok(Value::Object(object))
            }
            Input::Template(template) => match template.get(self.values.locale) {
                Some(template) => self.template(template),
                None => Err(RenderError::Failed("it has no text".to_owned())),
            },
        }
    }

    fn template(&self, template: &Template) -> Result<Value, RenderError> {
        match template.only() {
            Some(name) => find(self.values.names, name).cloned().ok_or_else(|| RenderError::Missing(Some(name.to_owned()))),
            None => self.templates.render(template, &self.values).map(Value::String),
        }
    }

    fn grants(&self) -> Result<Grants, Unprepared> {
        let granted = &self.action.action.grant;
        let messages = match &granted.messages {
            None => None,
            Some(grant) => Some(Messages { channels: grant.channels.clone(), to: self.rendered("to", &grant.to)?, budget: grant.budget }),
        };
        let records = granted.records.iter().map(|grant| {
            let ids = grant.ids.as_ref().map(|ids| self.rendered("ids", ids)).transpose()?;
            Ok((grant.record.clone(), RecordFields { fields: grant.fields.clone(), ids }))
        });
        Ok(Grants {
            http: granted.http.clone(),
            messages,
            documents: granted.documents,
            records: records.collect::<Result<_, Unprepared>>()?,
            state: granted.state,
            events: granted.events.clone(),
        })
    }

    fn rendered(&self, what: &str, templates: &[Template]) -> Result<Vec<String>, Unprepared> {
        let texts = templates.iter().map(|template| self.templates.render(template, &self.values));
        texts.collect::<Result<_, _>>().map_err(|error| unprepared(what, &error))
    }
}

/// `value`, a number or boolean as text where the plugin takes `types` and only texts fit.
fn fitting(value: Value, types: Vec<&str>) -> Value {
    let takes = |kind: &str| types.contains(&kind);
    let other = match &value {
        Value::Number(_) => takes("number") || takes("integer"),
        Value::Bool(_) => takes("boolean"),
        _ => true,
    };
    if takes("string") && !other { Value::String(value.to_string()) } else { value }
}

impl Input {
    pub(crate) fn is_field(&self, locale: &str) -> bool {
        matches!(self, Self::Template(template) if template.get(locale).is_some_and(|template| template.only().is_some()))
    }
}

/// Whether what is missing should have come from a step.
fn of_step(missing: Option<&str>) -> bool {
    missing.is_some_and(|name| name == "steps" || name.starts_with("steps."))
}

fn unprepared(input: &str, error: &RenderError) -> Unprepared {
    match error {
        // A step that is done gives nothing more.
        RenderError::Missing(Some(name)) if of_step(Some(name)) => {
            Unprepared::Fail(Reason::new("template", format!("`{input}` needs {name}, which that step did not give")))
        }
        RenderError::Missing(Some(name)) => Unprepared::Wait(Reason::new("missing", format!("{name} is missing, which `{input}` needs"))),
        RenderError::Missing(None) => {
            Unprepared::Fail(Reason::new("template", format!("`{input}` needs a value that its fields do not have")))
        }
        RenderError::Failed(why) => Unprepared::Fail(Reason::new("template", format!("`{input}` cannot be rendered: {why}"))),
    }
}
