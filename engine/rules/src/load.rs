//! Loads files into a rule set: all of them, or none.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::diagnostic::{Diagnostic, Report, Severity, error};
use crate::digest;
use crate::facts::Facts;
use crate::files::{FileText, Files};
use crate::in_force;
use crate::index::{Index, RuleNo};
use crate::lint::{self, Everything};
use crate::rule::{self, ActionTiming, Catalog, Plugins, Promised, Rule};
use crate::source::{self, Refusal, Source};
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
    /// By id.
    rules: Vec<Rule>,
    templates: Templates,
    index: Index,
    digest: String,
    /// What is probably not as meant, in all its files.
    warnings: Box<[Diagnostic]>,
}

/// Reads and checks `files` against each other and against `plugins`.
pub fn load(files: &Files, plugins: &dyn Plugins) -> Loaded {
    let mut templates = Templates::new();
    let mut sources = BTreeMap::new();
    let mut incomplete = false;
    let of_sources: Vec<Report<'_>> = files.sources.iter().map(Report::new).collect();
    for report in &of_sources {
        match source::read(report, &files.samples, &mut templates) {
            Some((id, source)) => keep(report, id.span, "source", &mut sources, (id.value, source)),
            None => incomplete = true,
        }
        incomplete |= report.has_errors();
    }
    let mut promised = Promised::default();
    files.rules.iter().for_each(|file| promised.collect(&Report::new(file)));
    let catalog = Catalog { sources: &sources, incomplete, plugins, facts: RefCell::default(), promised: &promised };
    let of_rules: Vec<Report<'_>> = files.rules.iter().map(Report::new).collect();
    let read = of_rules.iter().filter_map(|report| Some((report, rule::read(report, &catalog, &mut templates)?)));
    let mut read: Vec<(&Report<'_>, rule::Read)> = read.collect();
    rule::settle(&mut read, &catalog);
    let mut rules = BTreeMap::new();
    for (report, rule::Read { id, rule, .. }) in read {
        keep(report, id.span, "rule", &mut rules, (id.value, rule));
    }
    let everything = Everything { files, sources: &sources, rules: &rules, templates: &templates, incomplete };
    lint::run(&everything, &of_sources, &of_rules);
    let diagnostics: Vec<Diagnostic> = of_sources.into_iter().chain(of_rules).flat_map(Report::into_diagnostics).collect();
    let usable = diagnostics.iter().all(|diagnostic| diagnostic.severity != Severity::Error);
    if !usable {
        return Loaded { set: None, diagnostics };
    }
    match RuleSet::new(sources, rules, templates, &diagnostics) {
        Ok(set) => Loaded { set: Some(set), diagnostics },
        Err(why) => {
            Loaded { set: None, diagnostics: files.rules.first().map(|file| too_much(file, why)).into_iter().chain(diagnostics).collect() }
        }
    }
}

/// That the rules together are too much.
fn too_much(file: &FileText, why: String) -> Diagnostic {
    let report = Report::new(file);
    let finding = error("too-complex", 0..0, why);
    report
        .push(finding.help(
            "give rules a condition that tells them apart: `equals` or `in` over a path that has many values, such as a clinic's id",
        ));
    report.into_diagnostics().remove(0)
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
    fn new(
        sources: BTreeMap<String, Source>,
        rules: BTreeMap<String, Rule>,
        templates: Templates,
        warnings: &[Diagnostic],
    ) -> Result<Self, String> {
        let digests = sources.values().map(|source| &source.digest).chain(rules.values().map(|rule| &rule.digest));
        let digests: Vec<&[u8]> = digests.map(|digest| digest.as_bytes()).collect();
        let digest = digest::of(&digests);
        let rules: Vec<Rule> = rules.into_values().collect();
        let asked = sources.values().flat_map(Source::paths).chain(rules.iter().flat_map(Rule::paths));
        let index = Index::new(rules.iter(), asked)?;
        Ok(Self(Arc::new(Inner { sources, rules, templates, index, digest, warnings: warnings.into() })))
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
        self.0.rules.iter()
    }

    /// The rule called `id`.
    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.number(id).and_then(|number| self.at(number))
    }

    /// The place of the rule called `id`.
    pub(crate) fn number(&self, id: &str) -> Option<RuleNo> {
        self.0.rules.binary_search_by(|rule| rule.id.as_str().cmp(id)).ok().map(|place| place as RuleNo)
    }

    /// The rule at a place.
    pub(crate) fn at(&self, number: RuleNo) -> Option<&Rule> {
        self.0.rules.get(number as usize)
    }

    /// Reads the JSON of an event: one pass over `text`, which keeps what sources and rules ask about.
    ///
    /// # Errors
    /// It is not strict JSON.
    pub fn facts<'f>(&'f self, text: &'f [u8]) -> Result<Facts<'f>, Refusal> {
        Facts::read(self.0.index.asked(), text).map_err(|why| Refusal::Malformed { why })
    }

    /// All rules, filed.
    pub(crate) fn index(&self) -> &Index {
        &self.0.index
    }

    /// What is probably not as meant, in all its files; nothing in them is an error.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.0.warnings
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

    /// The settings of `rule` by which, where `given` was chosen, it sends over midnight though it does not by its defaults: who chose them
    /// has most likely taken the end of the hours for their beginning. Nothing where `given` cannot be chosen.
    pub fn turned_hours(&self, rule: &str, given: &Map<String, Value>) -> Vec<&str> {
        let Some(rule) = self.rule(rule) else { return Vec::new() };
        let chosen = |given| rule::check_settings(&rule.settings, given).ok();
        let Some(settings) = chosen(given) else { return Vec::new() };
        let defaults = chosen(&Map::new()).unwrap_or_default();
        let spans = |timing: &ActionTiming, settings| timing.spans_midnight(settings, self.templates()) == Some(true);
        let timings = rule.actions.iter().map(|action| &action.timing);
        let turned = timings.filter(|timing| spans(timing, &settings) && !spans(timing, &defaults));
        turned.filter_map(ActionTiming::hours_by).collect()
    }

    pub(crate) fn templates(&self) -> &Templates {
        &self.0.templates
    }
}
