//! Loads files into a rule set: all of them, or none.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::diagnostic::{Diagnostic, Report, Severity, error};
use crate::digest;
use crate::files::Files;
use crate::in_force;
use crate::lint::{self, Everything};
use crate::rule::{self, Catalog, Plugins, Promised, Rule};
use crate::source::{self, Source};
use crate::template::Templates;

/// What came of loading.
#[derive(Debug)]
pub struct Loaded {
    /// None where any file has an error.
    pub set: Option<RuleSet>,
    /// All findings in all files.
    pub diagnostics: Vec<Diagnostic>,
}

/// Checked sources and rules that belong together. Cheap to clone, never changed.
#[derive(Clone, Debug)]
pub struct RuleSet(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    sources: BTreeMap<String, Source>,
    rules: BTreeMap<String, Rule>,
    templates: Templates,
    digest: String,
}

/// Reads and checks `files` against each other and against `plugins`.
pub fn load(files: &Files, plugins: &dyn Plugins) -> Loaded {
    let mut templates = Templates::new();
    let mut sources = BTreeMap::new();
    let mut incomplete = false;
    let of_sources: Vec<Report<'_>> = files.sources.iter().map(Report::new).collect();
    for report in &of_sources {
        match source::read(report) {
            Some((id, source)) => keep(report, id.span, "source", &mut sources, (id.value, source)),
            None => incomplete = true,
        }
        incomplete |= report.has_errors();
    }
    let mut promised = Promised::default();
    files.rules.iter().for_each(|file| promised.collect(&Report::new(file)));
    let catalog = Catalog { sources: &sources, incomplete, plugins, facts: RefCell::default(), promised: &promised };
    let mut rules = BTreeMap::new();
    let of_rules: Vec<Report<'_>> = files.rules.iter().map(Report::new).collect();
    for report in &of_rules {
        if let Some((id, rule)) = rule::read(report, &catalog, &mut templates) {
            keep(report, id.span, "rule", &mut rules, (id.value, rule));
        }
    }
    let everything = Everything { files, sources: &sources, rules: &rules, templates: &templates, incomplete };
    lint::run(&everything, &of_sources, &of_rules);
    let diagnostics: Vec<Diagnostic> = of_sources.into_iter().chain(of_rules).flat_map(Report::into_diagnostics).collect();
    let usable = diagnostics.iter().all(|diagnostic| diagnostic.severity != Severity::Error);
    Loaded { set: usable.then(|| RuleSet::new(sources, rules, templates)), diagnostics }
}

/// Keeps a thing under its id, or reports that the id is taken.
fn keep<T>(report: &Report<'_>, span: std::ops::Range<usize>, what: &str, things: &mut BTreeMap<String, T>, (id, thing): (String, T)) {
    match things.entry(id) {
        Entry::Vacant(place) => _ = place.insert(thing),
        Entry::Occupied(taken) => {
            let finding = error("duplicate-id", span, format!("there is another {what} with the id `{}`", taken.key()));
            report.push(finding.help("ids are unique over all files"));
        }
    }
}

impl RuleSet {
    fn new(sources: BTreeMap<String, Source>, rules: BTreeMap<String, Rule>, templates: Templates) -> Self {
        let digests = sources.values().map(|source| &source.digest).chain(rules.values().map(|rule| &rule.digest));
        let digests: Vec<&[u8]> = digests.map(|digest| digest.as_bytes()).collect();
        let digest = digest::of(&digests);
        Self(Arc::new(Inner { sources, rules, templates, digest }))
    }

    /// All sources, by id.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.0.sources.values()
    }

    /// The source called `id`.
    pub fn source(&self, id: &str) -> Option<&Source> {
        self.0.sources.get(id)
    }

    /// All rules, by id.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.0.rules.values()
    }

    /// The rule called `id`.
    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.0.rules.get(id)
    }

    /// SHA-256 over everything in it, hexadecimal.
    pub fn digest(&self) -> &str {
        &self.0.digest
    }

    /// The settings of `rule` where `given` was chosen: checked, also where they stand in times, amounts and conditions, and
    /// with defaults filled in.
    ///
    /// # Errors
    /// Every problem with what was given.
    pub fn settings_for(&self, rule: &str, given: &Map<String, Value>) -> Result<Map<String, Value>, Vec<String>> {
        match self.rule(rule) {
            Some(rule) => {
                let settings = rule::check_settings(&rule.settings, given)?;
                in_force::check(self, rule, &settings).map_err(|problem| vec![problem])?;
                Ok(settings)
            }
            None => Err(vec![format!("there is no rule `{rule}`")]),
        }
    }

    pub(crate) fn templates(&self) -> &Templates {
        &self.0.templates
    }
}
