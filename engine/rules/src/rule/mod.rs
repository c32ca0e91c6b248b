//! Rules: on which events, when, then which actions.

pub(crate) mod action;
pub(crate) mod basis;
mod care;
mod consent;
mod fields;
mod file;
pub(crate) mod grants;
mod lane;
pub(crate) mod names;
mod over_time;
mod settings;
mod timing;
mod transform;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::Value;

pub use action::{Action, CancelOn, Input};
pub use care::ClassFrom;
pub(crate) use care::settle;
pub use consent::Consent;
pub use fields::Field;
pub(crate) use file::{Catalog, Draft, Read, read};
pub(crate) use grants::Promised;
pub use grants::{Granted, MessageGrant, RecordGrant};
pub(crate) use lane::PRIORITIES;
pub(crate) use over_time::{SetOverTime, told_apart};
pub use settings::{Refused, Setting, SettingKind};
pub(crate) use settings::{TYPES as SETTING_TYPES, check_all as check_settings, locale};
pub(crate) use timing::{ActionTiming, Anchor, IF_LATE, SetTiming, ZoneOf};
pub use transform::Transform;
pub(crate) use transform::{Making, TRANSFORMS};

use crate::condition::Condition;
use crate::path::Path;
use crate::testing::{Payload, RuleTest};
use crate::text::Text;

/// One rule file, checked.
#[derive(Clone, Debug)]
pub struct Rule {
    pub id: String,
    pub title: Text,
    pub description: Option<Text>,
    /// The file that it was read from.
    pub file: String,
    /// The source whose events it takes; none: any.
    pub source: Option<String>,
    /// The event types it is about, wildcards resolved.
    pub on: BTreeSet<String>,
    /// Whether some of them are events that plugins emit.
    pub emitted: bool,
    pub settings: Vec<Setting>,
    pub when: Option<Condition>,
    pub lookups: Vec<Lookup>,
    pub actions: Vec<Action>,
    /// How many of its jobs may run at once, of whatever action; none: any number.
    pub concurrency: Option<u32>,
    /// SHA-256 over the rule, its plugins and the sources it reads, hexadecimal.
    pub digest: String,
    pub(crate) tests: Vec<RuleTest>,
    /// The zone where no clinic record names one.
    pub(crate) clinic_timezone: Option<TimeZone>,
}

/// Records that actions may read: one `[lookup.…]`.
#[derive(Clone, Debug)]
pub struct Lookup {
    pub name: String,
    /// The type of the records.
    pub record: String,
    pub key: Path,
}

/// What an installed plugin says about itself.
#[derive(Clone, Debug)]
pub struct PluginFacts {
    pub name: String,
    pub version: String,
    /// SHA-256 of the component, hexadecimal.
    pub digest: String,
    /// The capabilities that it cannot be run without.
    pub imports: Vec<zelo_core::grants::Capability>,
    /// A JSON Schema object: `properties` and `required`.
    pub inputs: serde_json::Value,
    pub words: PluginWords,
}

/// What an installed plugin tells people about itself.
#[derive(Clone, Debug, Default)]
pub struct PluginWords {
    /// `Recibo`
    pub title: Option<Text>,
    /// What it does, a sentence without a subject: `Emite um recibo.`
    pub does: Option<Text>,
}

/// The installed plugins.
pub trait Plugins: Send + Sync {
    /// The plugin called `name`, which may pin a version: `reminder` or `reminder@1`.
    fn plugin(&self, name: &str) -> Option<PluginFacts>;
    /// The names there are.
    fn names(&self) -> Vec<String>;
}

impl Rule {
    /// The action called `name`.
    pub fn action(&self, name: &str) -> Option<&Action> {
        self.actions.iter().find(|action| action.name == name)
    }

    /// The names of its tests.
    pub fn tests(&self) -> impl Iterator<Item = &str> {
        self.tests.iter().map(|test| test.name.as_str())
    }

    /// What its actions count from in the payload, where they count from something.
    pub fn anchors(&self) -> impl Iterator<Item = &Path> {
        self.actions.iter().filter_map(|action| match &action.timing.anchor {
            Some(Anchor::At(path)) => Some(path),
            Some(Anchor::Event) | None => None,
        })
    }

    /// What its own tests put into the example of an event of type `kind`, so that it fires; none where they have no such test.
    pub fn fires_with(&self, kind: &str) -> Option<&[(Path, Value)]> {
        let fires = |test: &&RuleTest| {
            let alone = test.before.is_empty() && test.settings.is_empty() && matches!(test.event.payload, Payload::File(_));
            alone && test.event.kind == kind && test.expect.fires == Some(true)
        };
        Some(self.tests.iter().find(fires)?.event.set.as_slice())
    }

    /// Whether an event of type `kind` may matter to it whatever its conditions say: it cancels, or ends what is pending under its key.
    pub(crate) fn is_watchful(&self, kind: &str) -> bool {
        let cancels = |action: &Action| action.cancel_on.iter().any(|cancel| cancel.types.contains(kind));
        let replaces = |action: &Action| action.key.is_some() && self.on.contains(kind) && action.is_for(kind);
        self.actions.iter().any(|action| cancels(action) || replaces(action))
    }

    /// All that it asks of events, but for its conditions, when one arrives.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        fn of_action(action: &Action) -> Vec<&Path> {
            let cancel = action.cancel_on.iter().map(|cancel| &cancel.key);
            let by = action.over.by().map(|(_, path)| path);
            let anchor = match &action.timing.anchor {
                Some(Anchor::At(path)) => Some(path),
                _ => None,
            };
            cancel.chain(by).chain(action.lane.paths()).chain(&action.key).chain(anchor).collect()
        }
        self.lookups.iter().map(|lookup| &lookup.key).chain(self.actions.iter().flat_map(of_action))
    }

    /// The types of events that any action of this rule listens to: those it is about, and those that cancel.
    pub fn types(&self) -> BTreeSet<&str> {
        let cancelling = self.actions.iter().flat_map(|action| &action.cancel_on).flat_map(|cancel| &cancel.types);
        self.on.iter().chain(cancelling).map(String::as_str).collect()
    }
}

#[cfg(test)]
impl Rule {
    /// A rule that does nothing.
    pub(crate) fn empty(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            title: Text::Same(String::new()),
            description: None,
            file: String::new(),
            source: None,
            on: BTreeSet::new(),
            emitted: false,
            settings: Vec::new(),
            when: None,
            lookups: Vec::new(),
            actions: Vec::new(),
            concurrency: None,
            digest: String::new(),
            tests: Vec::new(),
            clinic_timezone: None,
        }
    }
}

impl PluginFacts {
    /// The names of the inputs it takes.
    pub fn inputs(&self) -> impl Iterator<Item = &str> {
        self.inputs.get("properties").and_then(|properties| properties.as_object()).into_iter().flatten().map(|(name, _)| name.as_str())
    }

    /// The JSON types that the input called `name` may have; none where it does not say.
    pub(crate) fn types(&self, name: &str) -> Vec<&str> {
        let types = self.inputs.get("properties").and_then(|properties| properties.get(name)?.get("type"));
        match types {
            Some(serde_json::Value::Array(types)) => types.iter().filter_map(|kind| kind.as_str()).collect(),
            kind => kind.and_then(|kind| kind.as_str()).into_iter().collect(),
        }
    }

    /// The names of the inputs it cannot do without.
    pub fn required(&self) -> impl Iterator<Item = &str> {
        self.inputs.get("required").and_then(|required| required.as_array()).into_iter().flatten().filter_map(|name| name.as_str())
    }
}

/// A plugin of a checked rule is shared by its actions.
pub(crate) type Plugin = Arc<PluginFacts>;
