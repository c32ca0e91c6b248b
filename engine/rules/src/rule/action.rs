//! Actions: a plugin with its allowed fields, inputs, grants and timing. One `[[then]]`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde_json::Value;

use super::basis;
use super::consent::{self, Consent};
use super::fields::{self, Field};
use super::file::Draft;
use super::grants::{self, Granted};
use super::lane::{self, ActionLane};
use super::names::{Names, Reach};
use super::over_time::{self, ActionOverTime};
use super::timing::{self, ActionTiming};
use super::{Plugin, PluginFacts};
use crate::condition::{Condition, Scope, condition, conditions};
use crate::diagnostic::{Report, closest, error};
use crate::path::Path;
use crate::reader::{At, Item, Table};
use crate::source::{Class, check_name};
use crate::template::{Template, Templates};
use crate::text::{LOCALES, Localised, Text, localised, text};

/// One thing that a rule does.
#[derive(Clone, Debug)]
pub struct Action {
    pub name: String,
    pub plugin: Plugin,
    /// The types among the rule's that it is for; none: all of them.
    pub on: Option<BTreeSet<String>>,
    /// What must hold of the event beside the rule's own condition.
    pub when: Option<Condition>,
    /// The actions that come before it; they stand above it.
    pub needs: Vec<String>,
    /// What makes two jobs the same.
    pub key: Option<Path>,
    pub cancel_on: Vec<CancelOn>,
    /// Asked when it runs, on fresh records.
    pub only_if: Option<Condition>,
    pub purpose: Option<Text>,
    /// `lgpd:11.II.f`
    pub basis: Option<String>,
    /// What people can put a stop to it with, or must have agreed to.
    pub consent: Option<Consent>,
    pub allow: Vec<Field>,
    pub with: Vec<(String, Input)>,
    pub grant: Granted,
    /// How delicate the most delicate is that reaches it: by a field, by what its steps gave, and by records that it may read. What it
    /// writes is as delicate as that.
    pub class: Class,
    pub(crate) timing: ActionTiming,
    /// What it says about several events.
    pub(crate) over: ActionOverTime,
    /// What it says about the jobs beside its own.
    pub(crate) lane: ActionLane,
}

/// Events that make a pending job needless.
#[derive(Clone, Debug)]
pub struct CancelOn {
    pub types: BTreeSet<String>,
    /// Where the key stands in those events.
    pub key: Path,
}

/// Where an input comes from.
#[derive(Clone, Debug)]
pub enum Input {
    Template(Localised<Template>),
    /// A number, true or false.
    Literal(Value),
    List(Vec<Input>),
    /// Its members, by name.
    Object(Vec<(String, Input)>),
}

impl Action {
    /// The names of the fields that may reach the plugin under `locale`, and of the steps: `steps.NAME`.
    pub fn disclosed<'a>(&'a self, locale: &'a str) -> BTreeSet<&'a str> {
        let templates = self.with.iter().flat_map(|(_, input)| input.templates(locale));
        let names = templates.flat_map(Template::names).filter_map(|name| match name.split_once('.') {
            Some(("steps", rest)) => name.get(.."steps.".len() + rest.find('.').unwrap_or(rest.len())),
            Some((first, _)) => Some(first),
            None => Some(name.as_str()),
        });
        names.filter(|name| *name != "settings").collect()
    }

    /// Whether the event decides nothing about what it wants but whether it wants it.
    pub(crate) fn is_plain(&self) -> bool {
        let same = self.on.is_none() && self.when.is_none() && self.key.is_none() && self.cancel_on.is_empty() && self.needs.is_empty();
        same && self.timing.anchor.is_none() && self.over.is_empty() && self.lane.is_empty()
    }

    /// Whether it is for events of type `kind`, which the rule is about.
    pub(crate) fn is_for(&self, kind: &str) -> bool {
        self.on.as_ref().is_none_or(|on| on.contains(kind))
    }
}

impl Input {
    pub(crate) fn templates<'a>(&'a self, locale: &'a str) -> Vec<&'a Template> {
        match self {
            Self::Template(template) => template.get(locale).into_iter().collect(),
            Self::Literal(_) => Vec::new(),
            Self::List(inputs) => inputs.iter().flat_map(|input| input.templates(locale)).collect(),
            Self::Object(members) => members.iter().flat_map(|(_, input)| input.templates(locale)).collect(),
        }
    }
}

/// The actions that stand above one.
pub(super) struct Above<'a> {
    /// All of them, those with mistakes too.
    pub(super) names: &'a [&'a str],
    pub(super) actions: &'a [Action],
}

/// Where things of an action stand, for those who look at it when all rules are read.
pub(crate) struct Places {
    pub(super) action: Range<usize>,
    pub(super) fields: BTreeMap<String, Range<usize>>,
    pub(super) steps: BTreeMap<String, Range<usize>>,
    /// The records that it may write, by type.
    pub(super) records: BTreeMap<String, Range<usize>>,
    pub(super) consent: Option<Range<usize>>,
    /// Whether it says something as its purpose, and as its basis, right or wrong.
    pub(super) purpose: bool,
    pub(super) basis: bool,
}

/// Reads one `[[then]]` of a rule about the types `on`. How delicate its fields are is found when all rules are read.
pub(super) fn read(
    table: &Table<'_>,
    names: &mut Names,
    draft: &mut Draft<'_, '_>,
    on: &BTreeSet<String>,
    above: &Above<'_>,
) -> Option<(Action, Places)> {
    let report = table.report();
    let name = table.need_string("name");
    if let Some(name) = &name {
        check_name(report, name);
    }
    let plugin = table.need_string("plugin").and_then(|name| Some((find_plugin(report, &name, draft)?, name.span)));
    let own_on = table.get("on").and_then(Item::strings).map(|own| narrowed(report, &own, on));
    let when = table.get("when").and_then(|item| item.table("when")).and_then(|when| condition(&when, &mut Scope::of_event(names, draft)));
    let steps = table.get("needs").and_then(Item::strings).unwrap_or_default();
    let needs = needed(report, &steps, name.as_ref(), above.names);
    let key = table.get("key").and_then(singular);
    let (allow, places) =
        table.get("allow").and_then(|item| item.table("[then.allow]")).map(|allow| fields::read(&allow, names)).unwrap_or_default();
    // Steps that are no actions have been reported: what names them is no second mistake.
    names.next_action(places.clone(), steps.iter().map(|step| step.value.to_owned()).collect());
    let timing = timing::read(table, names, draft);
    let over = over_time::read(table, names, draft);
    over_time::check(table, &over, &steps, above.actions);
    let lane = lane::read(table);
    over_time::check_fields(report, &allow, &places, table.get("debounce").is_some());
    let known_by = match &over.debounce {
        Some(debounce) => debounce
            .by
            .as_ref()
            .map(|_| ())
            .ok_or(("its `debounce` has no `by`", "give it the `by` that its collections are told apart by")),
        None if table.get("key").is_some() => Ok(()),
        None => Err(("the action has no `key`", "give the action the `key` under which its jobs are known")),
    };
    let cancel_on = table.get("cancel_on").map(|item| cancellations(item, known_by.err(), draft)).unwrap_or_default();
    let only_if = table.get("only_if").and_then(|item| conditions(item, &mut Scope::of_records(names, draft)));
    let purpose = table.get("purpose").and_then(text);
    let given_basis = table.string("basis");
    let basis = given_basis.as_ref().filter(|basis| basis::check(report, basis));
    let consent = consent::read(table, basis);
    let has_purpose = table.get("purpose").is_some();
    let with_item = table.get("with");
    let with = with_item.and_then(|item| item.table("[then.with]"));
    let given: BTreeSet<&str> = with.iter().flat_map(Table::entries).map(|(name, _)| name.value).collect();
    let with_is_read = with.is_some() || with_item.is_none();
    let with = with.map(|with| inputs(&with, names, draft.templates, plugin.as_ref()));
    let with = with.unwrap_or_default();
    let (grant, written) = grants::read(table, names, draft, plugin.as_ref());
    // A part whose name is misspelt, or that is no table, may have what seems to be missing.
    let all_read = with_is_read && !table.has_unknown_keys();
    if let Some((plugin, span)) = plugin.as_ref().filter(|_| all_read) {
        check_required(report, plugin, span, &given);
    }
    if all_read {
        names.warn_unused(report);
    }
    table.finish();
    let places = Places {
        action: table.span.clone(),
        fields: places,
        steps: steps.iter().map(|step| (step.value.to_owned(), step.span.clone())).collect(),
        records: written,
        consent: consent.as_ref().map(|consent| consent.span.clone()),
        purpose: has_purpose,
        basis: given_basis.is_some(),
    };
    let action = Action {
        name: name?.value.to_owned(),
        plugin: plugin?.0,
        on: own_on,
        when,
        needs,
        key,
        cancel_on,
        only_if,
        purpose,
        basis: basis.map(|basis| basis.value.to_owned()),
        consent: consent.map(|consent| consent.value),
        allow,
        with,
        grant,
        class: Class::Public,
        timing,
        over,
        lane,
    };
    Some((action, places))
}

/// A path that yields one value: what is known by several is known by none.
fn singular(item: Item<'_>) -> Option<Path> {
    let path = item.path()?;
    if !path.is_singular() {
        let finding = error("not-singular", item.span(), format!("`{}` may yield several values", path.as_str()));
        item.report().push(finding.help("`key` is a path of names and indexes"));
        return None;
    }
    Some(path)
}

/// The types among `on` that an action's own patterns name.
fn narrowed(report: &Report<'_>, own: &[At<&str>], on: &BTreeSet<String>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for pattern in own {
        let fits = |kind: &&String| match pattern.value.strip_suffix('*') {
            Some(beginning) if beginning.ends_with('.') => kind.starts_with(beginning),
            _ => *kind == pattern.value,
        };
        let before = found.len();
        found.extend(on.iter().filter(fits).cloned());
        if found.len() == before && !on.is_empty() {
            let finding = error("unknown-type", pattern.span.clone(), format!("the rule is not about events of type `{}`", pattern.value));
            report.push(finding.meant(pattern.value, on.iter().map(String::as_str)).help("an action's `on` narrows the rule's"));
        }
    }
    found
}

/// The steps that an action needs: names of actions above it.
fn needed(report: &Report<'_>, steps: &[At<&str>], own: Option<&At<&str>>, above: &[&str]) -> Vec<String> {
    let mut needs: Vec<String> = Vec::new();
    for step in steps {
        if own.is_some_and(|own| own.value == step.value) {
            report.push(error("unknown-action", step.span.clone(), "an action cannot need itself"));
        } else if !above.contains(&step.value) {
            let finding = error("unknown-action", step.span.clone(), format!("no action called `{}` stands above this one", step.value));
            report.push(
                finding
                    .meant(step.value, above.iter().copied())
                    .help("an action needs what stands above it, so that no two need each other"),
            );
        } else if needs.iter().any(|known| known == step.value) {
            report.push(error("contradiction", step.span.clone(), format!("`{}` is needed twice", step.value)));
        } else {
            needs.push(step.value.to_owned());
        }
    }
    needs
}

fn find_plugin(report: &Report<'_>, name: &At<&str>, draft: &Draft<'_, '_>) -> Option<Plugin> {
    let found = draft.catalog.plugin(name.value);
    if found.is_none() {
        let names = draft.catalog.plugins.names();
        let finding = error("unknown-plugin", name.span.clone(), format!("there is no plugin `{}`", name.value));
        report.push(match names.as_slice() {
            [] => finding.help("no plugins are installed; run plugins/build"),
            names => finding.meant(name.value, names.iter().map(String::as_str)),
        });
    }
    found
}

fn cancellations(item: Item<'_>, lacking: Option<(&str, &str)>, draft: &Draft<'_, '_>) -> Vec<CancelOn> {
    if let Some((lacking, help)) = lacking {
        let finding = error("missing-key", item.span(), format!("`cancel_on` needs to know which job is meant, but {lacking}"));
        item.report().push(finding.help(help));
    }
    let cancellation = |item: Item<'_>| {
        let table = item.table("cancel_on")?;
        let types = table.need("type").and_then(Item::strings).unwrap_or_default();
        let key = table.need("key").and_then(singular);
        table.finish();
        Some(CancelOn { types: types.iter().flat_map(|pattern| draft.expand(item.report(), pattern)).collect(), key: key? })
    };
    item.array().unwrap_or_default().into_iter().filter_map(cancellation).collect()
}

fn inputs(table: &Table<'_>, names: &Names, templates: &mut Templates, plugin: Option<&(Plugin, Range<usize>)>) -> Vec<(String, Input)> {
    let entries = table.entries().into_iter();
    entries
        .filter_map(|(name, item)| {
            if let Some((plugin, _)) = plugin.filter(|(plugin, _)| plugin.inputs().all(|input| input != name.value)) {
                let finding = error("unknown-input", name.span, format!("plugin `{}` has no input `{}`", plugin.name, name.value));
                table.report().push(finding.meant(name.value, plugin.inputs()));
            }
            let types = plugin.map(|(plugin, _)| plugin.types(name.value)).unwrap_or_default();
            let input = input(item, types.is_empty() || types.contains(&"object"), names, templates)?;
            if let Some((plugin, _)) = plugin {
                check_literal(table.report(), plugin, name.value, &input, item.span());
            }
            Some((name.value.to_owned(), input))
        })
        .collect()
}

/// An input. A table is a text by language, unless the plugin takes `objects` and it has other names than those of languages.
fn input(item: Item<'_>, objects: bool, names: &Names, templates: &mut Templates) -> Option<Input> {
    if item.is_array() {
        return Some(Input::List(item.array()?.into_iter().filter_map(|item| input(item, objects, names, templates)).collect()));
    }
    if item.is_table() && objects {
        let members = item.table("an object")?.entries();
        if members.is_empty() || !members.iter().all(|(name, _)| LOCALES.contains(&name.value)) {
            let member = |(name, item): (At<&str>, Item<'_>)| Some((name.value.to_owned(), input(item, true, names, templates)?));
            return Some(Input::Object(members.into_iter().filter_map(member).collect()));
        }
    }
    if item.is_string() || item.is_table() {
        return localised(item, |item| names.template(item, templates, Reach::Fields)).map(Input::Template);
    }
    item.json().map(Input::Literal)
}

/// Reports a literal that the plugin's schema has no place for. What a template yields is known only later.
fn check_literal(report: &Report<'_>, plugin: &PluginFacts, name: &str, input: &Input, span: Range<usize>) {
    let Some(wanted) = plugin.inputs.pointer(&format!("/properties/{name}/type")).and_then(Value::as_str) else { return };
    let fits = match input {
        Input::Template(_) => true,
        Input::List(_) => wanted == "array",
        Input::Object(_) => wanted == "object",
        Input::Literal(value) => match wanted {
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            _ => false,
        },
    };
    if !fits {
        report.push(error("wrong-type", span, format!("input `{name}` of plugin `{}` is of type {wanted}", plugin.name)));
    }
}

fn check_required(report: &Report<'_>, plugin: &PluginFacts, span: &Range<usize>, given: &BTreeSet<&str>) {
    let known: Vec<&str> = plugin.inputs().collect();
    // An input that is misspelt has been reported, and is not missing as well.
    let misspelt: Vec<&str> = given.iter().filter(|name| !known.contains(name)).filter_map(|name| closest(name, &known)).collect();
    let missing = |required: &&str| !given.contains(required) && !misspelt.contains(required);
    for name in plugin.required().filter(missing) {
        let finding = error("missing-input", span.clone(), format!("plugin `{}` needs the input `{name}`", plugin.name));
        report.push(finding.help(format!("add `{name}` to [then.with]")));
    }
}
