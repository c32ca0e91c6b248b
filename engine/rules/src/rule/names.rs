//! The names that a rule declares, and the checks that others keep to them.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::settings::LANGUAGE;
use crate::diagnostic::{Report, error, warning};
use crate::path::Path;
use crate::reader::{At, Item};
use crate::template::{Template, Templates};

/// What a template of a rule may name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Settings only: timing is computed without an event.
    Settings,
    /// The allowed fields of the action, and settings.
    Fields,
}

/// What is known of the records of a lookup.
pub(crate) struct LookedUp {
    /// Their type.
    pub(crate) record: String,
    /// Where its document is a list of them.
    pub(crate) many: bool,
    /// The fields that sources keep of them; empty where that is not known.
    pub(crate) kept: BTreeSet<String>,
}

/// The declared names of a rule and of the action being read.
#[derive(Default)]
pub(crate) struct Names {
    pub(crate) settings: BTreeSet<String>,
    /// Lookups with what is known of their records.
    pub(crate) lookups: BTreeMap<String, LookedUp>,
    /// Fields of the action with where they are declared.
    pub(crate) fields: BTreeMap<String, Range<usize>>,
    /// The steps that the action needs.
    steps: BTreeSet<String>,
    used: RefCell<BTreeSet<String>>,
    /// The settings and lookups that anything of the rule named so far.
    used_settings: RefCell<BTreeSet<String>>,
    used_lookups: RefCell<BTreeSet<String>>,
    /// A template of the action could not be read, so nobody knows what it uses.
    unread: Cell<bool>,
}

impl Names {
    /// Of a rule whose actions are still to be read.
    pub(crate) fn new(settings: BTreeSet<String>, lookups: BTreeMap<String, LookedUp>) -> Self {
        Self { settings, lookups, ..Self::default() }
    }

    /// Whether anything named the setting so far. `language` works without being named.
    pub(crate) fn uses_setting(&self, name: &str) -> bool {
        name == LANGUAGE || self.used_settings.borrow().contains(name)
    }

    /// Whether anything named the lookup so far.
    pub(crate) fn uses_lookup(&self, name: &str) -> bool {
        self.used_lookups.borrow().contains(name)
    }

    /// Says that something depends on a setting.
    pub(crate) fn use_setting(&self, name: &str) {
        self.used_settings.borrow_mut().insert(name.to_owned());
    }

    /// Reports a lookup that the rule does not declare.
    pub(crate) fn check_lookup(&self, report: &Report<'_>, name: &At<&str>) {
        self.used_lookups.borrow_mut().insert(name.value.to_owned());
        if !self.lookups.contains_key(name.value) {
            let finding = error("unknown-lookup", name.span.clone(), format!("the rule has no [lookup.{}]", name.value));
            report.push(finding.meant(name.value, self.lookups.keys().map(String::as_str)));
        }
    }

    /// Warns about a path into the records of `lookup` that begins with a field which nobody keeps.
    pub(crate) fn check_kept(&self, report: &Report<'_>, lookup: &str, path: &Path, span: Range<usize>) {
        let Some(lookup) = self.lookups.get(lookup).filter(|lookup| !lookup.kept.is_empty()) else { return };
        let Some(field) = path.name_at(usize::from(lookup.many)).filter(|field| !lookup.kept.contains(field)) else { return };
        let finding = warning("unknown-field", span, format!("no source keeps a `{field}` of records of type `{}`", lookup.record));
        report.push(finding.meant(&field, lookup.kept.iter().map(String::as_str)));
    }

    /// Forgets the fields of one action before the next is read.
    pub(crate) fn next_action(&mut self, fields: BTreeMap<String, Range<usize>>, steps: BTreeSet<String>) {
        self.fields = fields;
        self.steps = steps;
        self.used.borrow_mut().clear();
        self.unread.set(false);
    }

    /// Reads a template, reporting what it names and may not.
    pub(crate) fn template(&self, item: Item<'_>, templates: &mut Templates, reach: Reach) -> Option<Template> {
        let text = item.string()?;
        let report = item.report();
        let within = |part: Range<usize>| report.file.within(&text.span, text.value, part);
        let (template, errors) = templates.compile(text.value);
        self.unread.set(self.unread.get() || template.is_none());
        for bad in errors {
            let span = bad.at.map_or(text.span.clone(), within);
            let finding = error("bad-template", span, format!("this is not a template: {}", bad.message));
            report.push(match bad.meant {
                Some((word, known)) => finding.meant(&word, known.iter().copied()),
                None => finding,
            });
        }
        let template = template?;
        for name in template.names() {
            let span = template.place(name).map_or(text.span.clone(), within);
            self.check_name(report, name, span, reach);
        }
        Some(template)
    }

    fn check_name(&self, report: &Report<'_>, name: &str, span: Range<usize>, reach: Reach) {
        let mut parts = name.split('.');
        let first = parts.next().unwrap_or_default();
        if first == "settings" {
            let Some(setting) = parts.next() else {
                report.push(error("unknown-setting", span, "settings are named one by one: `settings.name`"));
                return;
            };
            self.use_setting(setting);
            if !self.settings.contains(setting) {
                let finding = error("unknown-setting", span, format!("there is no [settings.{setting}]"));
                report.push(finding.meant(setting, self.settings.iter().map(String::as_str)));
            }
            return;
        }
        if first == "steps" && reach == Reach::Fields {
            match parts.next() {
                None => report.push(error("unknown-step", span, "steps are named one by one: `steps.name`")),
                Some(step) if !self.steps.contains(step) => {
                    let finding = error("unknown-step", span, format!("`{step}` is not among the `needs` of this action"));
                    report.push(finding.meant(step, self.steps.iter().map(String::as_str)));
                }
                Some(_) => {}
            }
            return;
        }
        self.used.borrow_mut().insert(first.to_owned());
        if reach == Reach::Settings {
            report.push(error("unknown-name", span, format!("`{first}` cannot be named here, only settings can")));
        } else if !self.fields.contains_key(first) {
            let finding = error("not-allowed", span, format!("`{first}` is not in [then.allow], so no template can see it"));
            report.push(finding.meant(first, self.fields.keys().map(String::as_str)));
        }
    }

    /// Warns about allowed fields that nothing names.
    pub(crate) fn warn_unused(&self, report: &Report<'_>) {
        let used = self.used.borrow();
        for (name, span) in &self.fields {
            if !used.contains(name) && !self.unread.get() {
                let finding = warning("unused-field", span.clone(), format!("`{name}` is allowed, but nothing uses it"));
                report.push(finding.help("an action should see only what it needs"));
            }
        }
    }
}
